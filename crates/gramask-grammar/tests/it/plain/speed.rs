//! The time of masks of JSON, beside llguidance, on a real vocabulary and the instances of MaskBench. It prints figures.
//!
//! ```text
//! GRAMASK_TOKENIZER=tokenizer.json GRAMASK_DATA=data cargo test --release -p gramask-grammar --test it -- --ignored --nocapture json_beside
//! ```

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gramask_grammar::{CompiledGrammar, Constraint, Grammar, NetworkLimits, Vocabulary};
use serde_json::Value;

use crate::expand::third_party::Peers;
use crate::support::walk::real_vocabulary;

/// Any JSON value, with white space, in the notation of Gramask.
const JSON: &str = r#"
start:  ws value ws
value:  object | array | string | number | "true" | "false" | "null"
object: "{" ws (string ws ":" ws value ws ("," ws string ws ":" ws value ws)*)? "}"
array:  "[" ws (value ws ("," ws value ws)*)? "]"
string: /"([^"\\\x00-\x1f]|\\["\\\/bfnrt]|\\u[0-9a-fA-F]{4})*"/
number: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+\-]?[0-9]+)?/
ws:     /[ \n\t]/*
"#;

/// The same language for llguidance.
const LARK: &str = r#"
start: WS? value WS?
value: object | array | STRING | NUMBER | "true" | "false" | "null"
object: "{" WS? (STRING WS? ":" WS? value WS? ("," WS? STRING WS? ":" WS? value WS?)*)? "}"
array: "[" WS? (value WS? ("," WS? value WS?)*)? "]"
STRING: /"([^"\\\x00-\x1f]|\\["\\\/bfnrt]|\\u[0-9a-fA-F]{4})*"/
NUMBER: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+\-]?[0-9]+)?/
WS: /[ \n\t]+/
"#;

/// The valid instances of every 20th file of MaskBench, cut into tokens.
fn documents(vocabulary: &Vocabulary) -> Vec<Vec<u32>> {
    let folder = PathBuf::from(std::env::var("GRAMASK_DATA").expect("GRAMASK_DATA names a folder")).join("maskbench");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut documents = Vec::new();
    for path in paths.iter().step_by(20) {
        let Ok(file) = serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()) else { continue };
        for test in file["tests"].as_array().into_iter().flatten().filter(|test| test["valid"] == true) {
            documents.push(vocabulary.cut(test["data"].to_string().as_bytes()).unwrap());
        }
    }
    documents
}

/// The mean, the 99th percentile and the longest of some times, in microseconds.
fn shown(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let micros = |time: Duration| time.as_nanos() as f64 / 1000.0;
    let mean = micros(times.iter().sum::<Duration>()) / times.len() as f64;
    let (p99, max) = (micros(times[times.len() * 99 / 100]), micros(times[times.len() - 1]));
    format!("mean {mean:.3}, p99 {p99:.2}, max {max:.1} us ({} times)", times.len())
}

#[test]
#[ignore = "prints figures; needs a tokenizer and MaskBench"]
fn json_beside_llguidance() {
    let path = std::env::var("GRAMASK_TOKENIZER").expect("GRAMASK_TOKENIZER names a tokenizer.json");
    let vocabulary = real_vocabulary(&path);
    let documents = documents(&vocabulary);
    println!("{} tokens, {} documents", vocabulary.len(), documents.len());
    let begin = Instant::now();
    let grammar = Grammar::from_notation(JSON).unwrap();
    let read = begin.elapsed();
    let compiled = CompiledGrammar::compile(&grammar, &NetworkLimits::default()).unwrap();
    println!("gramask: read in {read:?}, compiled in {:?}, {} states", begin.elapsed() - read, compiled.states());
    let mut masks = vec![Vec::new(); 4];
    let mut steps = masks.clone();
    let mut one = Constraint::of_grammar(&compiled, Arc::clone(&vocabulary)).unwrap();
    for tokens in documents.iter().flat_map(|tokens| [(0, tokens), (1, tokens)]) {
        let mut constraint = Constraint::of_grammar(&compiled, Arc::clone(&vocabulary)).unwrap();
        time(&mut constraint, tokens.1, &mut masks[tokens.0], &mut steps[tokens.0]);
    }
    for round in [2, 3] {
        documents.iter().for_each(|tokens| time(&mut one, tokens, &mut masks[round], &mut steps[round]));
    }
    let names = ["new constraints, first", "new constraints, again", "one constraint, first", "one constraint, again"];
    for ((name, masks), steps) in names.iter().zip(masks).zip(steps) {
        println!("gramask, {name}: mask {}; advance {}", shown(masks), shown(steps));
    }
    let mut peers = Peers::with_slices(&vocabulary, &llguidance::earley::SlicedBiasComputer::json_slices());
    let (mut masks, mut steps) = (Vec::new(), Vec::new());
    for tokens in &documents {
        let mut peer = peers.start(LARK);
        for &token in tokens {
            let begin = Instant::now();
            let has = peer.computes(token);
            masks.push(begin.elapsed());
            assert!(has);
            let begin = Instant::now();
            peer.advance(token);
            steps.push(begin.elapsed());
        }
    }
    println!("llguidance: mask {}; advance {}", shown(masks), shown(steps));
}

fn time(constraint: &mut Constraint, tokens: &[u32], masks: &mut Vec<Duration>, steps: &mut Vec<Duration>) {
    let mut state = constraint.start();
    for &token in tokens {
        let begin = Instant::now();
        let allowed = std::hint::black_box(constraint.allowed(state));
        masks.push(begin.elapsed());
        assert!(allowed.contains(token));
        let begin = Instant::now();
        state = constraint.advance(state, token).expect("the document is JSON");
        steps.push(begin.elapsed());
    }
    assert!(constraint.accepts(state));
}
