//! What the grammar refused and what the budget refused are recorded apart, and an output that the budget made shorter says so.

use crate::support::{LONGER, bytes, collect, settings};
use gramask_decode::mock::{MockConstraint, MockModel, byte_vocabulary};
use gramask_decode::{
    Asap, Beam, Finish, Lazy, Masked, Output, Request, Sampling, Smc, Strategy, TokenConstraint, TokenRecord,
};

const TEXTS: [&str; 5] = ["[a]", "[a,b]", "[ab,ba,b]", "[bb,a,aaaa]", "[aaaaaaaaaaaa]"];
const NO_LIMIT: usize = 40;

fn constraint() -> MockConstraint {
    MockConstraint::new(byte_vocabulary(&LONGER), &TEXTS)
}

fn prompt(document: usize) -> Vec<u32> {
    bytes(&format!("prompt {document}"))
}

fn run(budget: usize, sampling: Sampling, strategy: impl Fn() -> Box<dyn Strategy>) -> Vec<Output> {
    let mut model = MockModel::hashed(byte_vocabulary(&LONGER), 64);
    let hypotheses = strategy().hypotheses();
    let mut settings = settings(4, &[], sampling);
    settings.layout.hypotheses = hypotheses;
    let all = (0..40).map(|document| Request {
        id: format!("d{document}"),
        prompt: prompt(document),
        budget: Some(budget),
        strategy: strategy(),
    });
    let (all, _) = collect(&mut model, &settings, all.collect());
    all.into_values().map(|outcome| outcome.unwrap()).collect()
}

/// The probability of the tokens of a mask, the obvious way.
fn mass(logits: &[f32], mask: &[u32]) -> f64 {
    let weight = |token: usize| f64::from(logits[token]).exp();
    let allowed = (0..logits.len()).filter(|token| mask[token / 32] >> (token % 32) & 1 == 1);
    allowed.map(weight).sum::<f64>() / (0..logits.len()).map(weight).sum::<f64>()
}

fn has(mask: &[u32], token: usize) -> bool {
    mask[token / 32] >> (token % 32) & 1 == 1
}

/// Holds the scores of each step against masses that are computed the obvious way. Returns the steps with a budget's mask.
fn check(output: &Output, document: usize, budget: usize) -> usize {
    let model = MockModel::hashed(byte_vocabulary(&LONGER), 64);
    let (mut constraint, mut tightened) = (constraint(), 0);
    let mut state = constraint.start();
    let mut text = prompt(document);
    for (place, record) in output.tokens.iter().enumerate() {
        let logits = model.logits(&text);
        let plain = constraint.mask(state).to_vec();
        let tight = constraint.mask_within(state, budget - place).to_vec();
        if let Some(scores) = record.mask() {
            let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-5, "{a} and {b} at token {place} of {document}");
            let (by_grammar, both) = (1.0 - mass(&logits, &plain), 1.0 - mass(&logits, &tight));
            let best = (0..logits.len()).rev().max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
            match scores.budget {
                None => {
                    near(scores.removed_mass(), by_grammar);
                    assert_eq!(scores.changed_best, !has(&plain, best));
                }
                Some(of_budget) => {
                    tightened += 1;
                    near(scores.removed_mass(), both);
                    near(scores.removed_by_budget(), both - by_grammar);
                    assert_eq!(scores.changed_best, !has(&tight, best));
                    assert_eq!(of_budget.changed_best, has(&plain, best) && !has(&tight, best));
                }
            }
        }
        let next = constraint.advance(state, record.token).unwrap();
        (state, text) = (next, [text, vec![record.token]].concat());
    }
    tightened
}

/// For greedy decoding the budget changed the output exactly where a larger budget gives another one.
#[test]
fn a_greedy_output_is_squeezed_where_a_larger_budget_changes_it() {
    let tokens = |output: &Output| output.tokens.iter().map(|record| record.token).collect::<Vec<u32>>();
    let strategies: [fn() -> Box<dyn Strategy>; 2] =
        [|| Box::new(Masked::new(constraint())), || Box::new(Lazy::new(constraint()))];
    for strategy in strategies {
        let free = run(NO_LIMIT, Sampling::greedy(), strategy);
        assert!(free.iter().all(|output| output.finish == Finish::End));
        let (mut squeezed, mut by_itself, mut tightened) = (0, 0, 0);
        for budget in 3..14 {
            for (document, output) in run(budget, Sampling::greedy(), strategy).iter().enumerate() {
                let changed = tokens(output) != tokens(&free[document]);
                let wanted = if changed { Finish::Squeezed } else { Finish::End };
                assert_eq!(output.finish, wanted, "document {document}, budget {budget}");
                squeezed += usize::from(changed);
                by_itself += usize::from(!changed);
                tightened += check(output, document, budget);
            }
        }
        assert!(squeezed > 20 && by_itself > 20 && tightened >= squeezed, "{squeezed} {by_itself} {tightened}");
    }
}

/// The masses are exact for draws and for the strategies with several hypotheses.
#[test]
fn masses_of_grammar_and_budget_are_exact() {
    let plain = Sampling::at(1.5, 9);
    type Case = (&'static str, Sampling, fn() -> Box<dyn Strategy>);
    let cases: [Case; 7] = [
        ("masked, drawn", plain, || Box::new(Masked::new(constraint()))),
        ("masked, top-p", Sampling { top_p: 0.6, ..plain }, || Box::new(Masked::new(constraint()))),
        ("masked, top-k", Sampling { top_k: 3, ..plain }, || Box::new(Masked::new(constraint()))),
        ("lazy, drawn", plain, || Box::new(Lazy::new(constraint()))),
        ("beam", Sampling::greedy(), || Box::new(Beam::masked(constraint(), 3))),
        ("aligned-smc", plain, || Box::new(Smc::new(constraint(), 4, Sampling::at(1.0, 3)))),
        ("aligned-asap", plain, || Box::new(Asap::new(constraint(), 3, Sampling::at(1.0, 3)))),
    ];
    for (name, sampling, strategy) in cases {
        let mut tightened = 0;
        for budget in [3, 4, 6, 9] {
            for (document, output) in run(budget, sampling, strategy).iter().enumerate() {
                tightened += check(output, document, budget);
                let squeezed = output.tokens.iter().filter_map(TokenRecord::mask).any(|mask| mask.squeezed());
                assert_eq!(output.finish == Finish::Squeezed, squeezed, "{name}");
            }
        }
        assert!(tightened > 10, "{name}: {tightened} steps");
        let free = run(NO_LIMIT, sampling, strategy);
        let of_budget = free.iter().flat_map(|output| &output.tokens).filter_map(TokenRecord::mask);
        assert_eq!(of_budget.filter(|mask| mask.removed_by_budget() > 0.0).count(), 0, "{name}: nothing to refuse");
    }
}
