//! `lazy` and `masked` have one distribution, and the naive way to be lazy has another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::support::{LONGER, bytes, collect, settings};
use gramask_decode::mock::{END, MockConstraint, MockModel, byte_vocabulary};
use gramask_decode::{Lazy, Masked, Move, Output, Request, Sampling, Step, StepError, Strategy, TokenConstraint};
use gramask_grammar::Vocabulary;

/// Three languages over tokens of several bytes.
fn cases() -> [(Arc<Vocabulary>, Vec<&'static str>); 3] {
    [
        (byte_vocabulary(&LONGER), vec!["[a]", "[a,b]", "[ab,ba,b]", "[bb,a,aaaa]", "[]"]),
        (byte_vocabulary(&["ye", "es", "one", "ter", "day"]), vec!["yes", "yesterday", "no", "not", "none"]),
        (byte_vocabulary(&["é", "ï", "na", "ve", "éa"]), vec!["é", "éa", "naïve", "né", "ñandú"]),
    ]
}

/// Tokens of every prompt.
const PROMPT: usize = 3;

/// A model that likes the letters of the texts, and still more what can follow, though not always: a first choice is often
/// allowed, and often not.
fn model(tokens: &Arc<Vocabulary>, texts: &[&str]) -> MockModel {
    let hashed = MockModel::hashed(tokens.clone(), 64);
    let constraint = Mutex::new(MockConstraint::new(tokens.clone(), texts));
    let letters: Vec<u8> = texts.iter().flat_map(|text| text.bytes()).collect();
    let liked = |token: u32| token == END || tokens.bytes(token).iter().all(|byte| letters.contains(byte));
    let bonus: Vec<f32> = (0..tokens.len() as u32).map(|token| if liked(token) { 5.0 } else { 0.0 }).collect();
    MockModel::new(tokens.clone(), 64, move |tokens| {
        let logits = hashed.logits(tokens);
        let mut constraint = constraint.lock().unwrap();
        let mut longer = tokens[PROMPT..].iter();
        let state = longer.try_fold(constraint.start(), |state, &token| constraint.advance(state, token));
        let mask = state.filter(|_| logits[0] > -2.0).map(|state| constraint.mask(state).to_vec());
        let allowed = |token: usize| mask.as_ref().is_some_and(|mask| mask[token / 32] >> (token % 32) & 1 == 1);
        (0..logits.len())
            .map(|token| 0.5 * logits[token] + bonus[token] + if allowed(token) { 4.0 } else { 0.0 })
            .collect()
    })
}

fn run<S: Strategy + 'static>(
    model: &mut MockModel,
    sampling: Sampling,
    documents: usize,
    budget: usize,
    prompt: impl Fn(usize) -> String,
    make: impl Fn() -> S,
) -> Vec<Output> {
    let request = |i| Request::new(format!("d{i}"), bytes(&prompt(i)), Some(budget), make());
    let (all, _) = collect(model, &settings(64, &[], sampling), (0..documents).map(request).collect());
    all.into_values().map(Result::unwrap).collect()
}

fn tokens(output: &Output) -> Vec<u32> {
    output.tokens.iter().map(|record| record.token).collect()
}

/// Where a choice rests on a set of tokens, both give the very same token for the same random number. (Top-k keeps all where
/// less than `k` are allowed: then `masked` makes a second draw where the budget refuses the first, and `lazy` need not.)
#[test]
fn lazy_and_masked_give_the_same_tokens() {
    let plain = Sampling::at(1.0, 11);
    let samplings = [
        Sampling::greedy(),
        Sampling { top_k: 1, ..plain },
        Sampling { top_k: 3, ..plain },
        Sampling { top_p: 0.5, ..plain },
        Sampling { top_p: 0.8, ..plain },
        Sampling { top_k: 4, top_p: 0.8, ..plain },
        Sampling { top_k: 8, min_p: 0.2, ..plain },
        Sampling { top_p: 0.7, min_p: 0.3, ..plain },
        Sampling { top_k: 2, ..Sampling::at(2.0, 12) },
    ];
    for (vocabulary, texts) in cases() {
        let constraint = MockConstraint::new(vocabulary.clone(), &texts);
        let mut model = model(&vocabulary, &texts);
        for sampling in samplings {
            let (mut stood, mut all) = (0, 0);
            let filters_all = sampling.is_greedy() || sampling.top_p < 1.0;
            let budgets = if filters_all { &[5, 6, 9, 20][..] } else { &[20] };
            for &budget in budgets {
                let prompt = |i| format!("p{i:02}");
                let masked = run(&mut model, sampling, 60, budget, prompt, || Masked::new(constraint.clone()));
                let lazy = run(&mut model, sampling, 60, budget, prompt, || Lazy::new(constraint.clone()));
                for (masked, lazy) in masked.iter().zip(&lazy) {
                    assert_eq!(tokens(masked), tokens(lazy), "{sampling:?}, budget {budget}");
                    assert!(masked.log_weight().is_some());
                    stood += lazy.tokens.iter().filter(|record| record.mask().is_none()).count();
                    all += lazy.tokens.len();
                }
            }
            assert!(stood > 0 && stood < all, "{stood} of {all} under {sampling:?}");
        }
    }
}

/// The probabilities of the tokens under temperature, top-k and min-p, the obvious way.
fn filtered(logits: &[f32], allowed: impl Fn(u32) -> bool, sampling: &Sampling) -> BTreeMap<u32, f64> {
    let weight = |token: u32| (f64::from(logits[token as usize]) / f64::from(sampling.temperature)).exp();
    let mut kept: Vec<u32> = (0..logits.len() as u32).filter(|&token| allowed(token)).collect();
    kept.sort_by(|&a, &b| weight(b).total_cmp(&weight(a)).then(a.cmp(&b)));
    if sampling.top_k > 0 {
        kept.truncate(sampling.top_k);
    }
    let best = kept.first().map_or(0.0, |&token| weight(token));
    kept.retain(|&token| weight(token) >= f64::from(sampling.min_p) * best);
    let total: f64 = kept.iter().map(|&token| weight(token)).sum();
    kept.into_iter().map(|token| (token, weight(token) / total)).collect()
}

/// The naive way: a token of the whole vocabulary that happens to be allowed is taken as it is.
struct Naive {
    constraint: MockConstraint,
    state: usize,
}

impl Strategy for Naive {
    fn name(&self) -> &'static str {
        "naive"
    }

    fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
        let mut choice = step.choose()?;
        let mask = self.constraint.mask_within(self.state, step.remaining());
        if mask[choice.token as usize / 32] >> (choice.token % 32) & 1 == 0 {
            choice = step.sampler.choose(step.last(0), Some(mask), step.draw().again())?;
        }
        let token = choice.token;
        self.state = self.constraint.advance(self.state, token).ok_or(StepError::Refused { token })?;
        Ok(Move::sampled(choice, step.is_end(token)))
    }
}

/// The exact distribution over outputs, of masked sampling or of the naive way to be lazy.
fn exactly(
    model: &MockModel,
    constraint: &mut MockConstraint,
    [prompt, before]: [&[u32]; 2],
    state: usize,
    budget: usize,
    (sampling, naive): (&Sampling, bool),
) -> BTreeMap<Vec<u32>, f64> {
    let logits = model.logits(&[prompt, before].concat());
    let mask = constraint.mask_within(state, budget - before.len()).to_vec();
    let allowed = |token: u32| mask[token as usize / 32] >> (token % 32) & 1 == 1;
    let mut next = filtered(&logits, allowed, sampling);
    if naive {
        let first: BTreeMap<u32, f64> = filtered(&logits, |_| true, sampling);
        let accepted = || first.iter().filter(|(token, _)| allowed(**token));
        let refused = 1.0 - accepted().map(|(_, p)| p).sum::<f64>();
        next.values_mut().for_each(|p| *p *= refused);
        accepted().for_each(|(&token, p)| *next.entry(token).or_default() += p);
    }
    let mut all = BTreeMap::new();
    for (token, p) in next {
        let longer = [before, &[token]].concat();
        if token == END {
            all.insert(longer, p);
            continue;
        }
        let state = constraint.advance(state, token).unwrap();
        let rest = exactly(model, constraint, [prompt, &longer], state, budget, (sampling, naive));
        all.extend(rest.into_iter().map(|(tokens, q)| (tokens, p * q)));
    }
    all
}

/// By how many standard deviations Pearson's statistic of the outputs exceeds its mean, if they have these probabilities.
fn excess(outputs: &[Output], wanted: &BTreeMap<Vec<u32>, f64>) -> f64 {
    let mut counts: BTreeMap<Vec<u32>, f64> = BTreeMap::new();
    for output in outputs {
        *counts.entry(tokens(output)).or_default() += 1.0;
    }
    assert!(counts.keys().all(|tokens| wanted.contains_key(tokens)));
    let (mut statistic, mut degrees) = (0.0, -1.0);
    // Outputs too rare for the statistic are one together.
    let (mut rare_count, mut rare) = (0.0, 0.0);
    for (tokens, p) in wanted {
        let (count, expected) = (counts.get(tokens).copied().unwrap_or(0.0), p * outputs.len() as f64);
        if expected < 5.0 {
            (rare_count, rare) = (rare_count + count, rare + expected);
        } else {
            statistic += (count - expected).powi(2) / expected;
            degrees += 1.0;
        }
    }
    if rare >= 1.0 {
        statistic += (rare_count - rare).powi(2) / rare;
        degrees += 1.0;
    }
    (statistic - degrees) / (2.0f64 * degrees.max(1.0)).sqrt()
}

/// Frequencies against exact probabilities, where the choice is a draw that may be made twice, and where it is not; and the
/// naive way is found out by the same test with top-k.
#[test]
fn lazy_and_masked_have_the_exact_distribution_and_the_naive_way_has_not() {
    let plain = Sampling::at(1.0, 21);
    let mut found_out = 0;
    for (vocabulary, texts) in cases() {
        let constraint = MockConstraint::new(vocabulary.clone(), &texts);
        let mut model = model(&vocabulary, &texts);
        for (sampling, budget) in
            [(plain, 20), (plain, 6), (Sampling { min_p: 0.05, ..plain }, 20), (Sampling { top_k: 3, ..plain }, 20)]
        {
            let truth = |naive| {
                let mut constraint = constraint.clone();
                exactly(&model, &mut constraint, [&bytes("p00"), &[]], 0, budget, (&sampling, naive))
            };
            let (wanted, of_naive) = (truth(false), truth(true));
            let n = 3000;
            let prompt = |_| "p00".to_owned();
            let masked = run(&mut model, sampling, n, budget, prompt, || Masked::new(constraint.clone()));
            let lazy = run(&mut model, sampling, n, budget, prompt, || Lazy::new(constraint.clone()));
            for outputs in [&masked, &lazy] {
                let excess = excess(outputs, &wanted);
                assert!(excess < 4.0, "{} under {sampling:?}: {excess}", outputs[0].strategy);
            }
            let stood = lazy.iter().flat_map(|output| &output.tokens).filter(|record| record.mask().is_none());
            assert!(stood.count() > n / 20 || sampling.top_k > 0, "{texts:?} {sampling:?}");
            let naive =
                run(&mut model, sampling, n, budget, prompt, || Naive { constraint: constraint.clone(), state: 0 });
            assert!(excess(&naive, &of_naive) < 4.0, "the naive way under {sampling:?}");
            let probability = |of: &BTreeMap<Vec<u32>, f64>, tokens| of.get(tokens).copied().unwrap_or(0.0);
            let keys: std::collections::BTreeSet<&Vec<u32>> = wanted.keys().chain(of_naive.keys()).collect();
            let apart = keys.into_iter().map(|t| (probability(&wanted, t) - probability(&of_naive, t)).abs());
            let apart = apart.sum::<f64>() / 2.0;
            match sampling.top_k {
                // Without filters it is rejection sampling, and right.
                0 if sampling.min_p == 0.0 => assert!(apart < 1e-9, "{apart}"),
                0 => {}
                _ => {
                    assert!(apart > 0.02, "{apart}");
                    found_out += usize::from(excess_of_known(&naive, &wanted) > 6.0);
                }
            }
        }
    }
    assert_eq!(found_out, 3);
}

/// The same for outputs of which some may be impossible: those are left out.
fn excess_of_known(outputs: &[Output], wanted: &BTreeMap<Vec<u32>, f64>) -> f64 {
    let known: Vec<Output> = outputs.iter().filter(|output| wanted.contains_key(&tokens(output))).cloned().collect();
    excess(&known, wanted)
}
