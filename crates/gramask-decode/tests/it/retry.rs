//! `retry`: attempts until the output reads, each with draws of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::support::{LONGER, bytes, collect, settings};
use gramask_decode::mock::{END, MockConstraint, MockModel, byte_vocabulary, outputs};
use gramask_decode::{Draw, Finish, Output, Request, Retry, Sampling, Unconstrained};
use gramask_grammar::Vocabulary;

/// A model that writes `a`, `b` or the end, and likes the end ever better.
fn model() -> MockModel {
    let hashed = MockModel::hashed(byte_vocabulary(&LONGER), 64);
    MockModel::new(byte_vocabulary(&LONGER), 64, move |tokens| {
        let logits = hashed.logits(tokens);
        let possible = [u32::from(b'a'), u32::from(b'b'), END];
        (0..logits.len() as u32)
            .map(|token| match possible.contains(&token) {
                true => 0.3 * logits[token as usize],
                false => f32::NEG_INFINITY,
            })
            .collect()
    })
}

fn run(budget: usize, documents: usize, sampling: Sampling, make: impl Fn() -> Retry) -> Vec<Output> {
    let request = |i| Request::new(format!("d{i}"), bytes("p"), Some(budget), make());
    let (all, _) = collect(&mut model(), &settings(8, &[], sampling), (0..documents).map(request).collect());
    all.into_values().map(Result::unwrap).collect()
}

fn tokens(output: &Output) -> Vec<u32> {
    output.tokens.iter().map(|record| record.token).collect()
}

fn shared() -> Arc<Vocabulary> {
    byte_vocabulary(&LONGER)
}

/// Each attempt is the plain output of its own draws, and the first that reads is returned.
#[test]
fn attempts_are_plain_decoding_with_draws_of_their_own() {
    let (first, again) = (Sampling::at(1.0, 5), Sampling { top_p: 0.95, ..Sampling::at(1.5, 6) });
    let model = model();
    let plain = |id: &str, attempt: usize, budget: usize| {
        let mut sampler = gramask_decode::Sampler::new(if attempt == 0 { first } else { again });
        let mut tokens: Vec<u32> = Vec::new();
        while tokens.len() < budget && tokens.last() != Some(&END) {
            let draw = Draw { document: gramask_decode::document_number(id), position: tokens.len() as u64 };
            let logits = model.logits(&[&bytes("p")[..], &tokens].concat());
            tokens.push(sampler.choose(&logits, None, draw.attempt(attempt)).unwrap().token);
        }
        tokens
    };
    for budget in [1, 2, 4, 8] {
        let reads = |text: &str| text == "a" || text == "bab" || text.starts_with("abba");
        // The first attempt is drawn by the run's sampling, or by settings of its own.
        for (run_sampling, own) in [(first, None), (Sampling::greedy(), Some(first))] {
            let all = run(budget, 60, run_sampling, || Retry::new(6, own, again, reads, shared()));
            let mut counts = BTreeMap::new();
            for (i, output) in all.iter().enumerate() {
                let attempts: Vec<Vec<u32>> = (0..6).map(|attempt| plain(&format!("d{i}"), attempt, budget)).collect();
                let text = |tokens: &Vec<u32>| byte_vocabulary(&LONGER).decode(tokens.iter().copied()).0;
                let used = attempts.iter().position(|tokens| reads(&text(tokens))).unwrap_or(5);
                assert_eq!(tokens(output), attempts[used], "document {i}, budget {budget}");
                assert_eq!(output.effort.attempts, used + 1);
                let discarded: usize = attempts[..used].iter().map(Vec::len).sum();
                assert_eq!(output.effort.discarded, discarded);
                let ended = attempts[used].last() == Some(&END);
                assert_eq!(output.finish, if ended { Finish::End } else { Finish::Budget });
                assert!(output.positions.computed <= discarded + output.tokens.len() + 1);
                *counts.entry(used).or_insert(0) += 1;
            }
            assert!(counts.len() > 2 || budget == 1, "{counts:?}");
        }
    }
}

/// What reads has the model's distribution given that it reads: rejection sampling.
#[test]
fn what_reads_has_the_conditional_distribution() {
    let texts = ["", "ab", "b", "aab"];
    let constraint = MockConstraint::new(byte_vocabulary(&LONGER), &texts);
    let mut wanted: BTreeMap<String, f64> = BTreeMap::new();
    let all = outputs(&model(), &constraint, &bytes("p"), 5, 1.0);
    // The model never writes the longer tokens.
    let valid: f64 = all.iter().map(|output| output.log_probability.exp()).sum();
    for output in &all {
        let text = byte_vocabulary(&LONGER).decode(output.tokens.iter().copied()).0;
        *wanted.entry(text).or_default() += output.log_probability.exp() / valid;
    }
    let n = 4000;
    let sampling = Sampling::at(1.0, 9);
    let found = run(5, n, sampling, || Retry::new(60, None, sampling, move |text| texts.contains(&text), shared()));
    let mut frequencies: BTreeMap<String, f64> = BTreeMap::new();
    found.iter().for_each(|output| *frequencies.entry(output.text.clone()).or_default() += 1.0 / n as f64);
    for (text, p) in &wanted {
        let error = (p * (1.0 - p) / n as f64).sqrt();
        let frequency = frequencies.get(text).copied().unwrap_or(0.0);
        assert!((frequency - p).abs() < 4.0 * error + 1e-9, "{text:?}: {frequency}, {p}");
    }
    // The mean number of attempts is that of a geometric distribution.
    let mean = found.iter().map(|output| output.effort.attempts as f64).sum::<f64>() / n as f64;
    assert!((mean * valid - 1.0).abs() < 4.0 / (n as f64).sqrt(), "{mean} attempts, {valid}");
}

#[test]
fn one_attempt_is_plain_decoding_and_asks_nobody() {
    let asked = Arc::new(Mutex::new(0));
    let sampling = Sampling::at(1.0, 3);
    let retry = |attempts| {
        let asked = Arc::clone(&asked);
        let reads = move |_: &str| {
            *asked.lock().unwrap() += 1;
            false
        };
        run(6, 20, sampling, || Retry::new(attempts, None, sampling, reads.clone(), shared()))
    };
    let one = retry(1);
    assert_eq!(*asked.lock().unwrap(), 0);
    let request = |i| Request::new(format!("d{i}"), bytes("p"), Some(6), Unconstrained);
    let (plain, _) = collect(&mut model(), &settings(3, &[], sampling), (0..20).map(request).collect());
    for (i, output) in one.iter().enumerate() {
        assert_eq!(output.tokens, plain[&i].as_ref().unwrap().tokens);
    }
    // Where nothing reads, all attempts but the last are asked about, and the last is returned.
    let three = retry(3);
    assert_eq!(*asked.lock().unwrap(), 2 * 20);
    assert!(three.iter().all(|output| output.effort.attempts == 3 && output.effort.discarded > 0));
}
