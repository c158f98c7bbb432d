//! Beam search: greedy with one hypothesis, exhaustive with enough of them, and the same in every batch.

use crate::support::{LONGER, bytes, collect, masked, settings};
use gramask_decode::mock::{END, MockConstraint, MockModel, Valid, byte_vocabulary, outputs};
use gramask_decode::{Beam, BeamStop, Finish, Output, Request, Sampling, Strategy, Unconstrained};

const TEXTS: [&str; 6] = ["[a]", "[a,b]", "[ab,ba,b]", "[bb,a,aaaa]", "[]", "[aa,aab]"];

fn constraint() -> MockConstraint {
    MockConstraint::new(byte_vocabulary(&LONGER), &TEXTS)
}

fn tokens(output: &Output) -> Vec<u32> {
    output.tokens.iter().map(|record| record.token).collect()
}

/// The outputs of one strategy for the prompts `p0`, `p1`, ...
fn outputs_of<S: Strategy + 'static>(
    model: &mut MockModel,
    [documents, slots, hypotheses]: [usize; 3],
    prefix: &str,
    budget: usize,
    make: impl Fn() -> S,
) -> Vec<Output> {
    let mut settings = settings(slots, &bytes(prefix), Sampling::greedy());
    settings.layout.hypotheses = hypotheses;
    let requests = (0..documents).map(|i| Request::new(format!("d{i}"), bytes(&format!("p{i}")), Some(budget), make()));
    let (all, _) = collect(model, &settings, requests.collect());
    all.into_values().map(Result::unwrap).collect()
}

#[test]
fn a_beam_of_one_is_greedy() {
    let mut model = MockModel::hashed(byte_vocabulary(&LONGER), 64);
    let (mut early, mut complete) = (0, 0);
    for budget in [3, 4, 5, 8, 20] {
        let shape = [60, 4, 1];
        let beam = outputs_of(&mut model, shape, "", budget, || Beam::masked(constraint(), 1));
        let greedy = outputs_of(&mut model, shape, "", budget, || masked(&TEXTS));
        for (beam, greedy) in beam.iter().zip(&greedy) {
            assert_eq!(beam.tokens, greedy.tokens, "budget {budget}");
            assert!(beam.finish.is_complete());
            assert_eq!((beam.effort.attempts, beam.effort.discarded), (1, 0));
            early += usize::from(beam.tokens.len() < 5);
        }
    }
    assert!(early > 30, "{early}");
    // Without a constraint; this model often wants to end.
    let width = byte_vocabulary(&LONGER).len() as u32;
    let hashed = MockModel::hashed(byte_vocabulary(&LONGER), 64);
    let mut model = MockModel::new(byte_vocabulary(&LONGER), 64, move |tokens| {
        let mut logits = hashed.logits(tokens);
        logits[END as usize] += 1.0;
        assert_eq!(logits.len() as u32, width);
        logits
    });
    for (beam, greedy) in outputs_of(&mut model, [60, 4, 1], "", 6, || Beam::unconstrained(1)).iter().zip(outputs_of(
        &mut model,
        [60, 4, 1],
        "",
        6,
        || Unconstrained,
    )) {
        assert_eq!((&beam.tokens, beam.finish), (&greedy.tokens, greedy.finish));
        complete += usize::from(beam.finish.is_complete());
    }
    assert!((10..50).contains(&complete), "{complete} of 60 ended by themselves");
}

fn best(all: &[Valid], alpha: f64) -> &Valid {
    let score = |valid: &Valid| valid.log_probability / (valid.tokens.len() as f64).powf(alpha);
    all.iter().max_by(|a, b| score(a).total_cmp(&score(b))).unwrap()
}

/// A wide beam finds the best of all outputs, in all tokenisations; narrow ones do not always.
#[test]
fn a_wide_beam_is_an_exhaustive_search() {
    let mut model = MockModel::hashed(byte_vocabulary(&LONGER), 64);
    for budget in [3, 5, 9, 20] {
        for alpha in [0.0, 0.5, 1.0, 2.0] {
            let truth = |i: usize| outputs(&model, &constraint(), &bytes(&format!("p{i}")), budget, 1.0);
            let truth: Vec<Vec<Valid>> = (0..25).map(truth).collect();
            let mut missed = [0; 2];
            for (missed, width) in missed.iter_mut().zip([2, 64]) {
                let make = || Beam::masked(constraint(), width).with_alpha(alpha);
                for (output, truth) in outputs_of(&mut model, [25, 2, 64], "", budget, make).iter().zip(&truth) {
                    let best = best(truth, alpha);
                    *missed += usize::from(best.tokens != tokens(output));
                    let same = |valid: &&Valid| valid.tokens == tokens(output);
                    let log_probability = truth.iter().find(same).unwrap().log_probability;
                    assert!((output.log_probability().unwrap() - log_probability).abs() < 1e-4);
                }
            }
            assert_eq!(missed[1], 0, "alpha {alpha}, budget {budget}");
            assert!(missed[0] > 0 || budget < 9, "alpha {alpha}, budget {budget}");
        }
    }
}

/// Without a constraint: over a vocabulary of two letters all strings can be walked.
#[test]
fn a_wide_unconstrained_beam_is_an_exhaustive_search() {
    let letters = [u32::from(b'a'), u32::from(b'b')];
    let hashed = MockModel::hashed(byte_vocabulary(&[]), 64);
    let mut model = MockModel::new(byte_vocabulary(&[]), 64, move |tokens| {
        let logits = hashed.logits(tokens);
        let possible = |token: usize| token == END as usize || letters.contains(&(token as u32));
        (0..logits.len()).map(|token| if possible(token) { logits[token] } else { f32::NEG_INFINITY }).collect()
    });
    // All strings of up to four letters, each followed by the end.
    let mut texts = vec![String::new()];
    for first in 0..15 {
        texts.extend(["a", "b"].map(|letter| format!("{}{letter}", texts[first])));
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let all = MockConstraint::new(byte_vocabulary(&[]), &texts);
    for alpha in [0.0, 1.0] {
        let found = outputs_of(&mut model, [40, 3, 40], "", 5, || Beam::unconstrained(40).with_alpha(alpha));
        for (i, output) in found.iter().enumerate() {
            let truth = outputs(&model, &all, &bytes(&format!("p{i}")), 5, 1.0);
            assert_eq!(truth.len(), 31);
            assert_eq!(best(&truth, alpha).tokens, tokens(output), "alpha {alpha}");
            assert!(output.finish.is_complete());
        }
    }
    // A model that never ends is cut off at its likeliest string.
    let mut model = MockModel::hashed(byte_vocabulary(&[]), 64);
    let cut = &outputs_of(&mut model, [1, 1, 8], "", 2, || Beam::unconstrained(8))[0];
    assert_eq!((cut.finish, cut.tokens.len()), (Finish::Budget, 2));
    assert_eq!(cut.effort.discarded, 16 - 2);
}

/// Stopping at the present score loses nothing without normalisation, takes fewer passes, and is not exact with it.
#[test]
fn an_early_stop_is_exact_without_normalisation_only() {
    // One token a step, so that many prompts can be tried; the model is sure of what comes late.
    let texts = ["[]", "[aab,bba,aa]", "[ab,ba,ab,ba,b]"];
    let hashed = MockModel::hashed(byte_vocabulary(&[]), 64);
    let mut model = MockModel::new(byte_vocabulary(&[]), 64, move |tokens| {
        let mut logits = hashed.logits(tokens);
        let sharpness = if tokens.len() > 4 { 30.0 } else { 1.0 };
        for letter in b"[]ab,".iter().map(|&letter| letter as usize).chain([END as usize]) {
            logits[letter] = (logits[letter] + 5.0) * sharpness;
        }
        logits
    });
    let make = |alpha, stop| {
        move || Beam::masked(MockConstraint::new(byte_vocabulary(&[]), &texts), 4).with_alpha(alpha).stopping(stop)
    };
    let mut differ = Vec::new();
    let mut calls = Vec::new();
    for alpha in [0.0, 1.0] {
        let mut outputs = Vec::new();
        for stop in [BeamStop::Exact, BeamStop::Present] {
            let before = model.calls;
            outputs.push(outputs_of(&mut model, [100, 1, 4], "", 20, make(alpha, stop)));
            calls.push(model.calls - before);
        }
        let pairs = outputs[0].iter().zip(&outputs[1]);
        differ.push(pairs.filter(|(exact, present)| tokens(exact) != tokens(present)).count());
    }
    assert_eq!(differ[0], 0);
    assert!(differ[1] > 0);
    assert!(calls[3] < calls[2], "{calls:?}");
}

#[test]
fn the_batch_changes_nothing() {
    let mut model = MockModel::hashed(byte_vocabulary(&LONGER), 64);
    let make = || Beam::masked(constraint(), 5);
    let alone = outputs_of(&mut model, [12, 1, 5], "", 12, make);
    let free = outputs_of(&mut model, [12, 1, 5], "", 12, || Beam::unconstrained(5));
    assert!(alone.iter().any(|output| output.effort.discarded > 3));
    for (slots, hypotheses, prefix) in [(3, 5, ""), (2, 9, "p"), (4, 5, "p1")] {
        let shape = [12, slots, hypotheses];
        let batch = outputs_of(&mut model, shape, prefix, 12, make);
        let free_batch = outputs_of(&mut model, shape, prefix, 12, || Beam::unconstrained(5));
        for (one, other) in alone.iter().chain(&free).zip(batch.iter().chain(&free_batch)) {
            assert_eq!((&one.tokens, one.effort, &one.text), (&other.tokens, other.effort, &other.text));
        }
    }
}
