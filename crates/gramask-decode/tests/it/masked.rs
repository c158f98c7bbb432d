//! Masked decoding over the mock model: valid at every budget, with exactly the tight mask's distribution.

use std::collections::BTreeMap;

use crate::support::{LONGER, bytes, collect, masked, settings};
use gramask_decode::mock::{END, MockConstraint, MockModel, SPECIAL, byte_vocabulary};
use gramask_decode::{Chosen, Masked, Move, Request, Sampling, Step, StepError, Strategy, TokenConstraint};

/// Every masked output is one of the texts; unconstrained ones of the same model are not.
#[test]
fn masked_outputs_are_valid_at_every_budget() {
    let allowed = ["[a]", "[a,b]", "[ab,ba,b]", "[bb,a,aaaa]"];
    // Shortest: "[a" "]" END.
    for sampling in [Sampling::greedy(), Sampling::at(2.0, 3), Sampling { top_p: 0.7, ..Sampling::at(1.0, 4) }] {
        for budget in 3..16 {
            let mut model = MockModel::hashed(byte_vocabulary(&LONGER), 64);
            let all = (0..40).map(|i| {
                Request::new(format!("d{i}"), bytes(&format!("instruction: {i}")), Some(budget), masked(&allowed))
            });
            let (all, summary) = collect(&mut model, &settings(4, &[], sampling), all.collect());
            assert_eq!((summary.outputs, summary.errors), (40, 0));
            for outcome in all.into_values() {
                let output = outcome.unwrap();
                assert!(output.finish.is_complete());
                assert!(allowed.contains(&output.text.as_str()), "{:?} at budget {budget}", output.text);
                assert!(output.tokens.len() <= budget && !output.lossy);
                assert_eq!(output.tokens.last().map(|record| record.token), Some(END));
                assert!(
                    output.tokens.iter().all(|r| r.mask().unwrap().kept_log_mass < 0.0 && r.chosen == Chosen::Sampled)
                );
                assert!(output.log_weight().unwrap() < -1.0);
                assert!(output.log_probability() < output.log_weight());
            }
        }
    }
}

/// With these settings the token is at each step the one that the tight mask alone would have given.
#[test]
fn the_tight_mask_is_applied_exactly() {
    /// The obvious way: the tight mask at every step.
    struct Tight(MockConstraint, usize);
    impl Strategy for Tight {
        fn name(&self) -> &'static str {
            "tight"
        }
        fn choose(&mut self, step: Step<'_>) -> Result<Move, StepError> {
            let mask = self.0.mask_within(self.1, step.remaining()).to_vec();
            let choice = step.sampler.choose(step.last(0), Some(&mask), step.draw())?;
            self.1 = self.0.advance(self.1, choice.token).ok_or(StepError::Refused { token: choice.token })?;
            let ended = step.is_end(choice.token);
            Ok(Move::sampled(choice, ended))
        }
    }
    let texts = ["[a]", "[a,b]", "[ab,ba,b]", "[bb,a,aaaa]", "[aaaaaaaaaaaa]"];
    let plain = Sampling::at(1.5, 9);
    let samplings = [
        Sampling::greedy(),
        Sampling { top_p: 0.6, ..plain },
        Sampling { top_k: 2, ..plain },
        Sampling { top_k: 3, top_p: 0.8, min_p: 0.1, ..plain },
    ];
    let mut tightened = 0;
    for sampling in samplings {
        for budget in 3..14 {
            let mut model = MockModel::hashed(byte_vocabulary(&LONGER), 64);
            let make = |tight: bool| -> Vec<Request> {
                let of = |i: usize| (format!("d{i}"), bytes(&format!("prompt {i}")), Some(budget));
                let constraint = || MockConstraint::new(byte_vocabulary(&LONGER), &texts);
                (0..30)
                    .map(of)
                    .map(|(id, prompt, budget)| match tight {
                        true => Request::new(id, prompt, budget, Tight(constraint(), 0)),
                        false => Request::new(id, prompt, budget, Masked::new(constraint())),
                    })
                    .collect()
            };
            let (tight, _) = collect(&mut model, &settings(4, &[], sampling), make(true));
            let (plain, _) = collect(&mut model, &settings(4, &[], sampling), make(false));
            let (free, _) = collect(&mut model, &settings(4, &[], sampling), make(false));
            for (index, outcome) in plain {
                let text = outcome.unwrap().text;
                assert_eq!(text, tight[&index].as_ref().unwrap().text, "{sampling:?} budget {budget}");
                assert_eq!(text, free[&index].as_ref().unwrap().text);
                tightened += usize::from(text.len() < 5);
            }
        }
    }
    assert!(tightened > 100);
}

/// The exact distribution of the tight mask over whole texts, by walking all of them.
fn tight_distribution(
    model: &MockModel,
    constraint: &mut MockConstraint,
    prefix: &[u32],
    state: usize,
    remaining: usize,
    sampling: &Sampling,
) -> BTreeMap<Vec<u32>, f64> {
    let logits = model.logits(prefix);
    let mask = constraint.mask_within(state, remaining).to_vec();
    let allowed: Vec<u32> = (0..logits.len() as u32).filter(|&t| mask[t as usize / 32] >> (t % 32) & 1 == 1).collect();
    let weight = |t: u32| (f64::from(logits[t as usize]) / f64::from(sampling.temperature)).exp();
    let best = allowed.iter().map(|&t| weight(t)).fold(0.0, f64::max);
    let kept: Vec<u32> = allowed.into_iter().filter(|&t| weight(t) >= f64::from(sampling.min_p) * best).collect();
    let total: f64 = kept.iter().map(|&t| weight(t)).sum();
    let mut all = BTreeMap::new();
    for token in kept {
        let p = weight(token) / total;
        if token == END {
            all.insert(vec![END], p);
            continue;
        }
        let next = constraint.advance(state, token).unwrap();
        let longer = [prefix, &[token]].concat();
        for (mut rest, q) in tight_distribution(model, constraint, &longer, next, remaining - 1, sampling) {
            rest.insert(0, token);
            all.insert(rest, p * q);
        }
    }
    all
}

/// Draws from all candidates are corrected by a second draw; the outputs' distribution must be the tight one.
#[test]
fn redrawn_outputs_have_the_tight_distribution() {
    let texts = ["[a]", "[a,b]", "[ab,ba,b]", "[bb,a,aaaa]", "[aaaaaaaaaaaa]"];
    for (sampling, budget) in
        [(Sampling::at(1.5, 9), 4), (Sampling::at(1.5, 9), 6), (Sampling { min_p: 0.05, ..Sampling::at(2.0, 4) }, 6)]
    {
        let mut model = MockModel::hashed(byte_vocabulary(&LONGER), 64);
        let constraint = MockConstraint::new(byte_vocabulary(&LONGER), &texts);
        let wanted = tight_distribution(&model, &mut constraint.clone(), &[65], 0, budget, &sampling);
        let free = tight_distribution(&model, &mut constraint.clone(), &[65], 0, 40, &sampling);
        let late: f64 = free.iter().filter(|(tokens, _)| tokens.len() > budget).map(|(_, p)| p).sum();
        assert!(wanted.len() > 3 && late > 0.05, "{} outputs, {late} of the mass in too long ones", wanted.len());
        let n = 20_000;
        let all =
            (0..n).map(|i| Request::new(format!("d{i}"), vec![65], Some(budget), Masked::new(constraint.clone())));
        let (all, _) = collect(&mut model, &settings(8, &[], sampling), all.collect());
        let mut counts: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
        for output in all.into_values() {
            *counts.entry(output.unwrap().tokens.iter().map(|record| record.token).collect()).or_default() += 1;
        }
        assert!(counts.keys().all(|tokens| wanted.contains_key(tokens)));
        let (mut statistic, mut degrees) = (0.0, -1.0);
        for (tokens, p) in wanted {
            let (count, expected) = (counts.get(&tokens).copied().unwrap_or(0) as f64, p * f64::from(n));
            if expected >= 5.0 {
                statistic += (count - expected).powi(2) / expected;
                degrees += 1.0;
            } else {
                assert!(count < 25.0);
            }
        }
        assert!(statistic < degrees + 4.0 * (2.0f64 * degrees).sqrt(), "{statistic} at {degrees} degrees of freedom");
    }
}

#[test]
fn a_forbidden_token_is_never_chosen_even_by_a_model_that_insists() {
    let width = byte_vocabulary(&LONGER).len();
    for insisted in [SPECIAL, END, u32::from(b'x')] {
        let mut model = MockModel::new(byte_vocabulary(&LONGER), 64, move |_| {
            (0..width as u32).map(|token| if token == insisted { 1e9 } else { 0.0 }).collect()
        });
        for sampling in [Sampling::greedy(), Sampling::at(1.0, 1), Sampling { top_k: 1, ..Sampling::at(1.0, 1) }] {
            let all = vec![Request::new("d", bytes("p"), Some(20), masked(&["[a]", "[bb]"]))];
            let (all, _) = collect(&mut model, &settings(2, &[], sampling), all);
            let output = all[&0].as_ref().unwrap();
            assert!(["[a]", "[bb]"].contains(&output.text.as_str()));
            // All of the model's mass was removed at the first step, and its logarithm is exact.
            assert_eq!(output.tokens[0].removed_mass(), Some(1.0));
            assert!(output.tokens[0].mask().unwrap().kept_log_mass < -0.99e9);
        }
    }
}
