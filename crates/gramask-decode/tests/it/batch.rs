//! The batch loop over the mock model: what an output is must not depend on the batch, and errors stay where they belong.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::support::{LONGER, bytes, collect, masked, settings};
use gramask_decode::mock::{MockConstraint, MockModel, byte_vocabulary};
use gramask_decode::{
    DecodeError, Finish, Layout, LayoutError, Masked, Output, Request, RequestError, Sampling, Settings, TokenRecord,
    Unconstrained, decode,
};

const TEXTS: [&str; 6] = ["", "[]", "[a]", "[a,b]", "[ab,ba,b]", "[bb,a,aaaa]"];

fn prompts(count: usize) -> Vec<Vec<u32>> {
    (0..count).map(|i| bytes(&format!("instruction: {}{i}", "x".repeat(i * 7 % 5)))).collect()
}

/// Everything of an output that must not depend on the batch: all but the times.
fn essence(output: &Output) -> (Vec<TokenRecord>, String, Finish) {
    (output.tokens.clone(), output.text.clone(), output.finish)
}

fn requests(order: &[usize], budget: usize, is_masked: bool) -> Vec<Request> {
    let prompts = prompts(order.len());
    order
        .iter()
        .map(|&i| match is_masked {
            true => Request::new(format!("doc-{i}"), prompts[i].clone(), Some(budget), masked(&TEXTS)),
            false => Request::new(format!("doc-{i}"), prompts[i].clone(), Some(budget), Unconstrained),
        })
        .collect()
}

#[test]
fn batch_size_order_prefix_and_overlap_change_nothing() {
    let samplings = [
        Sampling::greedy(),
        Sampling::at(1.0, 5),
        Sampling { temperature: 0.8, top_k: 20, top_p: 0.9, min_p: 0.01, seed: 6 },
    ];
    let n = 23;
    let forward: Vec<usize> = (0..n).collect();
    let backward: Vec<usize> = (0..n).rev().collect();
    let shuffled: Vec<usize> = (0..n).map(|i| i * 10 % n).collect();
    for sampling in samplings {
        for is_masked in [false, true] {
            let mut model = MockModel::hashed(byte_vocabulary(&LONGER), 64);
            let (alone, _) = collect(&mut model, &settings(1, &[], sampling), requests(&forward, 12, is_masked));
            let alone: Vec<_> = alone.values().map(|outcome| essence(outcome.as_ref().unwrap())).collect();
            assert_eq!(alone.len(), n);
            let distinct: BTreeSet<_> = alone.iter().map(|o| o.1.clone()).collect();
            assert!(distinct.len() > 2, "the outputs must differ for the test to mean anything");
            for slots in [2, 3, 8, 40] {
                for order in [&forward, &backward, &shuffled] {
                    for prefix in ["", "instruction: ", "instruction: xxx", "other"] {
                        let mut settings = settings(slots, &bytes(prefix), sampling);
                        settings.overlap = slots == 3;
                        let (other, summary) = collect(&mut model, &settings, requests(order, 12, is_masked));
                        assert_eq!(summary.outputs, n);
                        for (index, outcome) in other {
                            let (output, wanted) = (outcome.unwrap(), &alone[order[index]]);
                            assert_eq!(&essence(&output), wanted, "document {} in {slots} slots", order[index]);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn impossible_requests_are_errors_with_numbers_and_the_others_go_on() {
    let mut model = MockModel::uniform(64);
    let all = vec![
        Request::new("zero", bytes("p"), Some(0), Unconstrained),
        Request::new("empty", vec![], Some(5), Unconstrained),
        Request::new("long", bytes(&"p".repeat(60)), Some(5), Unconstrained),
        Request::new("full", bytes(&"p".repeat(64)), None, Unconstrained),
        Request::new("alien", vec![3, 999], Some(5), Unconstrained),
        Request::new("tight", bytes("p"), Some(3), Masked::new(MockConstraint::new(byte_vocabulary(&[]), &["[aa]"]))),
        Request::new("good", bytes("p"), Some(5), Masked::new(MockConstraint::new(byte_vocabulary(&[]), &["[aa]"]))),
        Request::new("fits", bytes(&"p".repeat(60)), Some(4), Unconstrained),
    ];
    let (all, summary) = collect(&mut model, &settings(3, &[], Sampling::greedy()), all);
    assert_eq!((summary.outputs, summary.errors), (2, 6));
    let message = |index: usize| all[&index].as_ref().unwrap_err().to_string();
    assert!(message(0).contains("zero") && message(0).contains("budget of 0"));
    assert!(message(1).contains("empty") && message(1).contains("no token"));
    for number in ["60", "5", "65", "64"] {
        assert!(message(2).contains(number), "{}", message(2));
    }
    assert!(matches!(all[&3], Err(RequestError::TooLong { prompt: 64, length: 64, .. })));
    assert!(matches!(all[&4], Err(RequestError::PromptToken { token: 999, position: 1, vocabulary: 258, .. })));
    assert!(matches!(all[&5], Err(RequestError::BudgetTooSmall { budget: 3, needed: 5, .. })));
    assert_eq!(all[&6].as_ref().unwrap().text, "[aa]");
    assert_eq!(all[&7].as_ref().unwrap().finish, Finish::Budget);
}

#[test]
fn unconstrained_ends_at_an_end_token_the_budget_or_the_context() {
    let run = |budget| {
        let mut model = MockModel::scripted(b"abcdef", 12);
        let settings = Settings::new(Layout { slots: 1, hypotheses: 1, length: 6, prefix: vec![] }, Sampling::greedy());
        let (all, _) = collect(&mut model, &settings, vec![Request::new("d", bytes("?"), budget, Unconstrained)]);
        let output = all[&0].as_ref().unwrap();
        (output.text.clone(), output.finish, output.positions.output)
    };
    assert_eq!(run(Some(3)), ("abc".into(), Finish::Budget, 3));
    assert_eq!(run(None), ("abcde".into(), Finish::Context, 5));
    let mut model = MockModel::scripted(b"abc", 12);
    let all = vec![Request::new("d", bytes("?"), Some(4), Unconstrained)];
    let settings = Settings::new(Layout { slots: 1, hypotheses: 1, length: 5, prefix: vec![] }, Sampling::greedy());
    let (all, _) = collect(&mut model, &settings, all);
    let output = all[&0].as_ref().unwrap();
    assert_eq!((output.text.as_str(), output.finish), ("abc", Finish::End));
    assert!(
        output
            .tokens
            .iter()
            .all(|record| record.mask().unwrap().kept_log_mass == 0.0 && record.removed_mass() == Some(0.0))
    );
}

#[test]
fn broken_logits_are_errors_that_name_document_and_step() {
    let mut model = MockModel::new(byte_vocabulary(&[]), 64, |tokens| {
        let value = if tokens.len() >= 3 && tokens[0] == u32::from(b'b') { f32::NAN } else { 0.0 };
        vec![value; 258]
    });
    let all = vec![
        Request::new("good", bytes("g"), Some(6), masked(&["[aa]"])),
        Request::new("bad", bytes("b"), Some(6), masked(&["[aa]"])),
        Request::new("bad-too", bytes("b"), Some(6), Unconstrained),
    ];
    let (all, summary) = collect(&mut model, &settings(2, &[], Sampling::at(1.0, 2)), all);
    assert_eq!((summary.outputs, summary.errors), (1, 2));
    assert_eq!(all[&0].as_ref().unwrap().text, "[aa]");
    let message = all[&1].as_ref().unwrap_err().to_string();
    assert!(message.starts_with("document bad, token 2 of the output: none of the 1 allowed"), "{message}");
    assert!(matches!(&all[&2], Err(RequestError::Step { step: 2, .. })));
}

#[test]
fn the_prefix_is_computed_once() {
    let prompts: Vec<Vec<u32>> = (0..9).map(|i| bytes(&format!("a long instruction {i}"))).collect();
    let plan = Layout::plan(3, 64, Some(4), prompts.iter().map(Vec::as_slice));
    assert_eq!(plan, Layout { slots: 3, hypotheses: 1, length: 24, prefix: bytes("a long instruction ") });
    let run = |layout: Layout| {
        let mut model = MockModel::uniform(64);
        let all = prompts.iter().enumerate();
        let all = all.map(|(i, p)| Request::new(format!("{i}"), p.clone(), Some(1), Unconstrained)).collect();
        let (all, summary) = collect(&mut model, &Settings::new(layout, Sampling::greedy()), all);
        let computed: usize = all.values().map(|outcome| outcome.as_ref().unwrap().positions.computed).sum();
        (model.appended, model.copies, computed, summary.shared_tokens, summary.prompt_tokens)
    };
    // 19 tokens of prefix once, then one for each document; copied once for each slot, and cut back after that.
    assert_eq!(run(plan.clone()), (19 + 9, 3, 9, 9 * 19, 9 * 20));
    assert_eq!(run(Layout { prefix: vec![], ..plan }), (9 * 20, 0, 9 * 20, 0, 9 * 20));
}

#[test]
fn slots_are_refilled_and_the_callback_can_stop() {
    let mut model = MockModel::hashed(byte_vocabulary(&LONGER), 64);
    let vocabulary = model.tokens().clone();
    let taken = std::cell::Cell::new(0);
    let endless = (0..).map(|i| {
        taken.set(i + 1);
        Request::new(format!("d{i}"), bytes(&format!("p{i}")), Some(9), masked(&TEXTS))
    });
    let mut ended = 0;
    let summary = decode(&mut model, &vocabulary, &settings(4, &[], Sampling::at(1.0, 1)), endless, |_| {
        ended += 1;
        if ended == 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let summary = summary.unwrap();
    assert!(summary.stopped && ended == 10);
    assert!(taken.get() <= 14, "{} requests were taken for 10 outputs in 4 slots", taken.get());
    assert_eq!(
        decode(&mut model, &vocabulary, &settings(4, &[], Sampling::greedy()), [], |_| { ControlFlow::Continue(()) })
            .unwrap()
            .outputs,
        0
    );
}

#[test]
fn impossible_settings_are_refused() {
    let mut model = MockModel::uniform(64);
    let vocabulary = model.tokens().clone();
    let mut try_with =
        |settings: Settings| decode(&mut model, &vocabulary, &settings, [], |_| ControlFlow::Continue(()));
    let good = settings(1, &[], Sampling::greedy());
    let none = Settings { layout: Layout { slots: 0, ..good.layout.clone() }, ..good.clone() };
    assert!(matches!(try_with(none), Err(DecodeError::Layout(LayoutError::NoSlots { slots: 0, hypotheses: 1 }))));
    let long = Settings { layout: Layout { length: 65, ..good.layout.clone() }, ..good.clone() };
    assert!(matches!(try_with(long), Err(DecodeError::Layout(LayoutError::Length { length: 65, context: 64 }))));
    assert!(matches!(try_with(Settings { sampling: Sampling::at(-1.0, 0), ..good }), Err(DecodeError::Sampling(_))));
    let alien = settings(1, &[5000], Sampling::greedy());
    let error = try_with(alien).unwrap_err().to_string();
    assert!(error.contains("the shared prefix") && error.contains("5000"), "{error}");
}
