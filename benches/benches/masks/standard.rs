//! The usual benches, for comparing two versions of the engine: `cargo bench --features engines --bench masks -- --save-baseline NAME`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use gramask_grammar::{Constraint, Format, Level, Program, State};

use crate::texts;
use crate::vocabularies::{NAMES, Named};

/// Compiling a format, a sentence's constraint, and masks along its gold output at level `grounded`.
pub fn all(criterion: &mut Criterion) {
    let Some(named) = NAMES.iter().find_map(|name| Named::load(name).ok()) else {
        eprintln!("no vocabulary in the cache: `gramask pull llama-3.1-vocabulary` brings one");
        return;
    };
    let mini = texts::mini();
    let document = texts::sentences(1).swap_remove(0);
    for format in texts::formats() {
        let program = texts::program(&format, &mini.schema);
        let mut group = criterion.benchmark_group(format!("{} {}", named.name, format.name));
        group.sample_size(10);
        group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(200));
        group.bench_function("compile", |bench| {
            bench.iter(|| {
                let format = Format::parse(format.name.as_str(), format.source.as_str());
                format.map(|format| Program::compile(&format, program.schema()).map(drop))
            })
        });
        let new = || {
            let vocabulary = Arc::clone(&named.vocabulary);
            Constraint::new(Arc::clone(&program), &document.text, Level::Grounded, vocabulary)
        };
        group.bench_function("sentence", |bench| bench.iter(new));
        let (Ok(mut constraint), Ok(written)) = (new(), program.write(&document.text, &document.entities)) else {
            continue;
        };
        let states = states(&mut constraint, &named.output(&written.text));
        let mut row = vec![0u32; named.vocabulary.words()];
        group.bench_function("warm walk, borrowed", |bench| {
            bench.iter(|| {
                for &state in &states {
                    black_box(constraint.allowed(black_box(state)));
                }
            })
        });
        group.bench_function("warm walk, copied", |bench| {
            bench.iter(|| {
                for &state in &states {
                    constraint.copy_mask(black_box(state), &mut row);
                }
                black_box(&mut row);
            })
        });
        group.finish();
    }
}

/// The states on the way along these tokens, their masks made.
fn states(constraint: &mut Constraint, tokens: &[u32]) -> Vec<State> {
    let mut states = Vec::new();
    let mut state = constraint.start();
    for &token in tokens {
        constraint.allowed(state);
        states.push(state);
        match constraint.advance(state, token) {
            Some(next) if next != Constraint::ENDED => state = next,
            _ => break,
        }
    }
    states
}
