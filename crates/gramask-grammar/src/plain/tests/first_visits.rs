//! What tokens cost where every JSON Schema is new, over a sample of MaskBench: it prints figures.
//!
//! ```text
//! GRAMASK_TOKENIZER=tokenizer.json GRAMASK_DATA=data cargo test --release -p gramask-grammar --lib -- --ignored --nocapture json_schemas_first
//! ```
//!
//! `EACH` takes one file in so many, `GRAMASK_FILES` those with that in their name.

#![allow(clippy::print_stdout, reason = "it prints figures")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::json_schema::{JsonSchema, JsonSchemaOptions};
use crate::{CompiledGrammar, Constraint, NetworkLimits, Token, Vocabulary};

include!("../../../tests/it/support/tokenizers.rs");

fn files() -> Vec<PathBuf> {
    let folder = PathBuf::from(std::env::var("GRAMASK_DATA").expect("GRAMASK_DATA names a folder")).join("maskbench");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    if let Ok(part) = std::env::var("GRAMASK_FILES") {
        files.retain(|file| file.to_string_lossy().contains(&part));
    }
    files.sort();
    let each = std::env::var("EACH").map_or(10, |text| text.parse().expect("EACH is a number"));
    files.into_iter().step_by(each).collect()
}

/// Sorted, in microseconds: the mean, some quantiles, and the longest with their places.
fn shown(mut times: Vec<(Duration, String)>) -> String {
    times.sort();
    let micros = |time: Duration| time.as_nanos() as f64 / 1000.0;
    let mean = times.iter().map(|(time, _)| micros(*time)).sum::<f64>() / times.len().max(1) as f64;
    let at = |share: usize| times.get(times.len() * share / 1000).map_or(0.0, |(time, _)| micros(*time));
    let longest: Vec<String> =
        times.iter().rev().take(6).map(|(time, place)| format!("{:.0} us {place}", micros(*time))).collect();
    let (p50, p90, p99, p999) = (at(500), at(900), at(990), at(999));
    let longest = longest.join("\n    ");
    format!(
        "mean {mean:.2} p50 {p50:.2} p90 {p90:.2} p99 {p99:.1} p99.9 {p999:.0}, {} times\n    {longest}",
        times.len()
    )
}

#[test]
#[ignore = "prints figures; needs a tokenizer and MaskBench"]
fn json_schemas_first_visits() {
    let mut all: Vec<Token> =
        tokens(std::env::var("GRAMASK_TOKENIZER").expect("GRAMASK_TOKENIZER names a tokenizer.json"))
            .into_iter()
            .map(Token::new)
            .collect();
    all.push(Token::special("<end of text>"));
    let end = all.len() as u32 - 1;
    let vocabulary = Vocabulary::new(all, vec![end]).unwrap();
    let (mut compile, mut masks, mut steps, mut finish) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for file in files() {
        let name = file.file_stem().unwrap().display().to_string();
        let Ok(json) = serde_json::from_slice::<Value>(&std::fs::read(&file).unwrap()) else { continue };
        let Ok(schema) = JsonSchema::parse(&json["schema"].to_string()) else { continue };
        let begin = Instant::now();
        let Ok(grammar) = schema.grammar(&JsonSchemaOptions::default()) else { continue };
        let Ok(compiled) = CompiledGrammar::new("schema", &grammar.grammar, &NetworkLimits::default()) else {
            continue;
        };
        compile.push((begin.elapsed(), name.clone()));
        let mut constraint = Constraint::of_grammar(&compiled, Arc::clone(&vocabulary)).unwrap();
        for test in json["tests"].as_array().into_iter().flatten() {
            let text = test["data"].to_string();
            let (mut state, mut at) = (constraint.start(), 0);
            for token in vocabulary.cut(text.as_bytes()).unwrap() {
                let place = || format!("{name}: {:?}", &text.get(at.max(40) - 40..at).unwrap_or_default());
                let begin = Instant::now();
                std::hint::black_box(constraint.allowed(state));
                masks.push((begin.elapsed(), place()));
                let begin = Instant::now();
                let Some(next) = constraint.advance(state, token) else { break };
                steps.push((begin.elapsed(), place()));
                let begin = Instant::now();
                constraint.tokens_to_finish(next);
                finish.push((begin.elapsed(), place()));
                at += vocabulary.bytes(token).len();
                state = next;
            }
        }
    }
    for (name, times) in [("compile", compile), ("mask", masks), ("step", steps), ("finish", finish)] {
        println!("{name}: {}", shown(times));
    }
}
