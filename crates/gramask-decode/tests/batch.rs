//! The batch loop over the mock model: what an output is must not depend on the batch.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use gramask_decode::mock::{END, MockConstraint, MockModel, SPECIAL, table};
use gramask_decode::{
    Chosen, DecodeError, Ended, Finish, Layout, LayoutError, Masked, Move, Output, Request, RequestError, Sampling,
    Select, Settings, Step, StepError, Strategy, Summary, TokenConstraint, TokenRecord, Unconstrained, decode,
};

const TEXTS: [&str; 6] = ["", "[]", "[a]", "[a,b]", "[ab,ba,b]", "[bb,a,aaaa]"];
const LONGER: [&str; 5] = ["[a", ",b", "]", "aa", "b]"];

fn bytes(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

fn prompts(count: usize) -> Vec<Vec<u32>> {
    (0..count)
        .map(|i| bytes(&format!("instruction: {}{i}", "x".repeat(i * 7 % 5))))
        .collect()
}

fn masked(texts: &[&str]) -> Masked<MockConstraint> {
    Masked::new(MockConstraint::new(table(&LONGER), texts))
}

fn settings(slots: usize, prefix: &[u32], sampling: Sampling) -> Settings {
    Settings::new(
        Layout {
            slots,
            length: 64,
            prefix: prefix.to_vec(),
        },
        sampling,
    )
}

fn collect(
    model: &mut MockModel,
    settings: &Settings,
    requests: Vec<Request>,
) -> (BTreeMap<usize, Result<Output, RequestError>>, Summary) {
    let table = model.table().clone();
    let mut all = BTreeMap::new();
    let summary = decode(model, &table, settings, requests, |Ended { index, outcome, .. }| {
        assert!(all.insert(index, outcome).is_none(), "request {index} ended twice");
        ControlFlow::Continue(())
    });
    (all, summary.unwrap())
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
        Sampling {
            temperature: 0.8,
            top_k: 20,
            top_p: 0.9,
            min_p: 0.01,
            seed: 6,
        },
    ];
    let n = 23;
    let forward: Vec<usize> = (0..n).collect();
    let backward: Vec<usize> = (0..n).rev().collect();
    let shuffled: Vec<usize> = (0..n).map(|i| i * 10 % n).collect();
    for sampling in samplings {
        for is_masked in [false, true] {
            let mut model = MockModel::hashed(table(&LONGER), 64);
            let (alone, _) = collect(
                &mut model,
                &settings(1, &[], sampling),
                requests(&forward, 12, is_masked),
            );
            let alone: Vec<_> = alone
                .values()
                .map(|outcome| essence(outcome.as_ref().unwrap()))
                .collect();
            assert_eq!(alone.len(), n);
            let distinct: std::collections::BTreeSet<_> = alone.iter().map(|o| o.1.clone()).collect();
            assert!(
                distinct.len() > 2,
                "the outputs must differ for the test to mean anything"
            );
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

/// Every masked output is one of the texts; unconstrained ones of the same model are not.
#[test]
fn masked_outputs_are_valid_at_every_budget() {
    let allowed = ["[a]", "[a,b]", "[ab,ba,b]", "[bb,a,aaaa]"];
    // Shortest: "[a" "]" END.
    for sampling in [
        Sampling::greedy(),
        Sampling::at(2.0, 3),
        Sampling {
            top_p: 0.7,
            ..Sampling::at(1.0, 4)
        },
    ] {
        for budget in 3..16 {
            let mut model = MockModel::hashed(table(&LONGER), 64);
            let all =
                (0..40).map(|i| Request::new(format!("d{i}"), prompts(40)[i].clone(), Some(budget), masked(&allowed)));
            let (all, summary) = collect(&mut model, &settings(4, &[], sampling), all.collect());
            assert_eq!((summary.outputs, summary.errors), (40, 0));
            for outcome in all.into_values() {
                let output = outcome.unwrap();
                assert_eq!(output.finish, Finish::End);
                assert!(
                    allowed.contains(&output.text.as_str()),
                    "{:?} at budget {budget}",
                    output.text
                );
                assert!(output.tokens.len() <= budget && !output.lossy);
                assert_eq!(output.tokens.last().map(|record| record.token), Some(END));
                assert!(
                    output
                        .tokens
                        .iter()
                        .all(|r| r.kept_log_mass < 0.0 && r.chosen == Chosen::Sampled)
                );
                assert!(output.log_weight() < -1.0);
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
        fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
            let mask = self.0.mask_within(self.1, step.remaining).to_vec();
            let choice = step.choose(Some(&mask))?;
            self.1 = self
                .0
                .advance(self.1, choice.token)
                .ok_or(StepError::Refused { token: choice.token })?;
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
        Sampling {
            top_k: 3,
            top_p: 0.8,
            min_p: 0.1,
            ..plain
        },
    ];
    let mut tightened = 0;
    for sampling in samplings {
        for budget in 3..14 {
            let mut model = MockModel::hashed(table(&LONGER), 64);
            let make = |tight: bool| -> Vec<Request> {
                let of = |i: usize| (format!("d{i}"), bytes(&format!("prompt {i}")), Some(budget));
                let constraint = || MockConstraint::new(table(&LONGER), &texts);
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
                assert_eq!(
                    text,
                    tight[&index].as_ref().unwrap().text,
                    "{sampling:?} budget {budget}"
                );
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
    let allowed: Vec<u32> = (0..logits.len() as u32)
        .filter(|&t| mask[t as usize / 32] >> (t % 32) & 1 == 1)
        .collect();
    let weight = |t: u32| (f64::from(logits[t as usize]) / f64::from(sampling.temperature)).exp();
    let best = allowed.iter().map(|&t| weight(t)).fold(0.0, f64::max);
    let kept: Vec<u32> = allowed
        .into_iter()
        .filter(|&t| weight(t) >= f64::from(sampling.min_p) * best)
        .collect();
    let total: f64 = kept.iter().map(|&t| weight(t)).sum();
    let mut all = BTreeMap::new();
    for token in kept {
        let p = weight(token) / total;
        if token == END {
            all.insert(vec![END], p);
            continue;
        }
        let next = constraint.advance(state, token).unwrap();
        let behind = [prefix, &[token]].concat();
        for (mut rest, q) in tight_distribution(model, constraint, &behind, next, remaining - 1, sampling) {
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
    for (sampling, budget) in [
        (Sampling::at(1.5, 9), 4),
        (Sampling::at(1.5, 9), 6),
        (
            Sampling {
                min_p: 0.05,
                ..Sampling::at(2.0, 4)
            },
            6,
        ),
    ] {
        let mut model = MockModel::hashed(table(&LONGER), 64);
        let constraint = MockConstraint::new(table(&LONGER), &texts);
        let wanted = tight_distribution(&model, &mut constraint.clone(), &[65], 0, budget, &sampling);
        let free = tight_distribution(&model, &mut constraint.clone(), &[65], 0, 40, &sampling);
        let late: f64 = free
            .iter()
            .filter(|(tokens, _)| tokens.len() > budget)
            .map(|(_, p)| p)
            .sum();
        assert!(
            wanted.len() > 3 && late > 0.05,
            "{} outputs, {late} of the mass in too long ones",
            wanted.len()
        );
        let n = 20_000;
        let all =
            (0..n).map(|i| Request::new(format!("d{i}"), vec![65], Some(budget), Masked::new(constraint.clone())));
        let (all, _) = collect(&mut model, &settings(8, &[], sampling), all.collect());
        let mut counts: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
        for output in all.into_values() {
            *counts
                .entry(output.unwrap().tokens.iter().map(|record| record.token).collect())
                .or_default() += 1;
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
        assert!(
            statistic < degrees + 4.0 * (2.0f64 * degrees).sqrt(),
            "{statistic} at {degrees} degrees of freedom"
        );
    }
}

#[test]
fn a_forbidden_token_is_never_chosen_even_by_a_model_that_insists() {
    let width = table(&LONGER).len();
    for insisted in [SPECIAL, END, u32::from(b'x')] {
        let mut model = MockModel::new(table(&LONGER), 64, move |_| {
            (0..width as u32)
                .map(|token| if token == insisted { 1e9 } else { 0.0 })
                .collect()
        });
        for sampling in [
            Sampling::greedy(),
            Sampling::at(1.0, 1),
            Sampling {
                top_k: 1,
                ..Sampling::at(1.0, 1)
            },
        ] {
            let all = vec![Request::new("d", bytes("p"), Some(20), masked(&["[a]", "[bb]"]))];
            let (all, _) = collect(&mut model, &settings(2, &[], sampling), all);
            let output = all[&0].as_ref().unwrap();
            assert!(["[a]", "[bb]"].contains(&output.text.as_str()));
            // All of the model's mass was removed at the first step, and its logarithm is exact.
            assert_eq!(output.tokens[0].removed_mass(), 1.0);
            assert!(output.tokens[0].kept_log_mass < -0.99e9);
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
        Request::new(
            "tight",
            bytes("p"),
            Some(3),
            Masked::new(MockConstraint::new(table(&[]), &["[aa]"])),
        ),
        Request::new(
            "good",
            bytes("p"),
            Some(5),
            Masked::new(MockConstraint::new(table(&[]), &["[aa]"])),
        ),
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
    assert!(matches!(
        all[&3],
        Err(RequestError::TooLong {
            prompt: 64,
            length: 64,
            ..
        })
    ));
    assert!(matches!(
        all[&4],
        Err(RequestError::PromptToken {
            token: 999,
            position: 1,
            vocabulary: 258,
            ..
        })
    ));
    assert!(matches!(
        all[&5],
        Err(RequestError::BudgetTooSmall {
            budget: 3,
            needed: 5,
            ..
        })
    ));
    assert_eq!(all[&6].as_ref().unwrap().text, "[aa]");
    assert_eq!(all[&7].as_ref().unwrap().finish, Finish::Budget);
}

#[test]
fn unconstrained_ends_at_an_end_token_the_budget_or_the_context() {
    let run = |budget| {
        let mut model = MockModel::scripted(b"abcdef", 12);
        let settings = Settings::new(
            Layout {
                slots: 1,
                length: 6,
                prefix: vec![],
            },
            Sampling::greedy(),
        );
        let (all, _) = collect(
            &mut model,
            &settings,
            vec![Request::new("d", bytes("?"), budget, Unconstrained)],
        );
        let output = all[&0].as_ref().unwrap();
        (output.text.clone(), output.finish, output.positions.output)
    };
    assert_eq!(run(Some(3)), ("abc".into(), Finish::Budget, 3));
    assert_eq!(run(None), ("abcde".into(), Finish::Context, 5));
    let mut model = MockModel::scripted(b"abc", 12);
    let all = vec![Request::new("d", bytes("?"), Some(4), Unconstrained)];
    let settings = Settings::new(
        Layout {
            slots: 1,
            length: 5,
            prefix: vec![],
        },
        Sampling::greedy(),
    );
    let (all, _) = collect(&mut model, &settings, all);
    let output = all[&0].as_ref().unwrap();
    assert_eq!((output.text.as_str(), output.finish), ("abc", Finish::End));
    assert!(
        output
            .tokens
            .iter()
            .all(|record| record.kept_log_mass == 0.0 && record.removed_mass() == 0.0)
    );
}

#[test]
fn broken_logits_are_errors_that_name_document_and_step() {
    let mut model = MockModel::new(table(&[]), 64, |tokens| {
        let value = if tokens.len() >= 3 && tokens[0] == u32::from(b'b') {
            f32::NAN
        } else {
            0.0
        };
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
    assert!(
        message.starts_with("document bad, token 2 of the output: none of the 1 allowed"),
        "{message}"
    );
    assert!(matches!(&all[&2], Err(RequestError::Step { step: 2, .. })));
}

#[test]
fn the_prefix_is_computed_once() {
    let prompts: Vec<Vec<u32>> = (0..9).map(|i| bytes(&format!("a long instruction {i}"))).collect();
    let plan = Layout::plan(3, 64, Some(4), prompts.iter().map(Vec::as_slice));
    assert_eq!(
        plan,
        Layout {
            slots: 3,
            length: 24,
            prefix: bytes("a long instruction ")
        }
    );
    let run = |layout: Layout| {
        let mut model = MockModel::uniform(64);
        let all = prompts.iter().enumerate();
        let all = all
            .map(|(i, p)| Request::new(format!("{i}"), p.clone(), Some(1), Unconstrained))
            .collect();
        let (all, summary) = collect(&mut model, &Settings::new(layout, Sampling::greedy()), all);
        let computed: usize = all
            .values()
            .map(|outcome| outcome.as_ref().unwrap().positions.computed)
            .sum();
        (
            model.appended,
            model.copies,
            computed,
            summary.shared_tokens,
            summary.prompt_tokens,
        )
    };
    // 19 tokens of prefix once, then one for each document; copied once for each slot, and cut back after that.
    assert_eq!(run(plan.clone()), (19 + 9, 3, 9, 9 * 19, 9 * 20));
    assert_eq!(run(Layout { prefix: vec![], ..plan }), (9 * 20, 0, 9 * 20, 0, 9 * 20));
}

#[test]
fn slots_are_refilled_and_the_callback_can_stop() {
    let mut model = MockModel::hashed(table(&LONGER), 64);
    let table = model.table().clone();
    let taken = std::cell::Cell::new(0);
    let endless = (0..).map(|i| {
        taken.set(i + 1);
        Request::new(format!("d{i}"), bytes(&format!("p{i}")), Some(9), masked(&TEXTS))
    });
    let mut ended = 0;
    let summary = decode(
        &mut model,
        &table,
        &settings(4, &[], Sampling::at(1.0, 1)),
        endless,
        |_| {
            ended += 1;
            if ended == 10 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        },
    );
    let summary = summary.unwrap();
    assert!(summary.stopped && ended == 10);
    assert!(
        taken.get() <= 14,
        "{} requests were taken for 10 outputs in 4 slots",
        taken.get()
    );
    assert_eq!(
        decode(&mut model, &table, &settings(4, &[], Sampling::greedy()), [], |_| {
            ControlFlow::Continue(())
        })
        .unwrap()
        .outputs,
        0
    );
}

#[test]
fn impossible_settings_are_refused() {
    let mut model = MockModel::uniform(64);
    let table = model.table().clone();
    let mut try_with = |settings: Settings| decode(&mut model, &table, &settings, [], |_| ControlFlow::Continue(()));
    let good = settings(1, &[], Sampling::greedy());
    let none = Settings {
        layout: Layout {
            slots: 0,
            ..good.layout.clone()
        },
        ..good.clone()
    };
    assert!(matches!(try_with(none), Err(DecodeError::Layout(LayoutError::NoSlots))));
    let long = Settings {
        layout: Layout {
            length: 65,
            ..good.layout.clone()
        },
        ..good.clone()
    };
    assert!(matches!(
        try_with(long),
        Err(DecodeError::Layout(LayoutError::Length {
            length: 65,
            context: 64
        }))
    ));
    assert!(matches!(
        try_with(Settings {
            sampling: Sampling::at(-1.0, 0),
            ..good
        }),
        Err(DecodeError::Sampling(_))
    ));
    let alien = settings(1, &[5000], Sampling::greedy());
    let error = try_with(alien).unwrap_err().to_string();
    assert!(error.contains("the shared prefix") && error.contains("5000"), "{error}");
}

/// A strategy that appends several tokens, checks all their logits, and withdraws what the model would not have chosen.
struct Drafting {
    proposals: Vec<Vec<u32>>,
    fed: usize,
}

impl Strategy for Drafting {
    fn name(&self) -> &'static str {
        "drafting"
    }

    fn choose(&mut self, step: Step<'_>) -> Result<Move, StepError> {
        let rows: Vec<&[f32]> = step.logits.chunks(step.width).collect();
        let appended = &step.tokens[step.tokens.len() - self.fed..];
        // Row i stands behind appended token i (the first is certain); the tokens after it are drafts.
        let mut confirmed = rows.len() - 1;
        for (i, draft) in appended.iter().enumerate().skip(1) {
            let choice = step.sampler.choose(rows[i - 1], None, step.draw)?;
            if choice.token != draft.token {
                confirmed = i - 1;
                break;
            }
        }
        let withdraw = self.fed.saturating_sub(confirmed + 1);
        let choice = step.sampler.choose(rows[confirmed], None, step.draw)?;
        let mut append = vec![TokenRecord::new(choice, Chosen::Sampled)];
        let ended = step.is_end(choice.token);
        if !ended {
            let room = step.remaining + withdraw - 1;
            for token in self
                .proposals
                .pop()
                .unwrap_or_default()
                .into_iter()
                .take(room.saturating_sub(1))
            {
                append.push(TokenRecord {
                    token,
                    chosen: Chosen::Drafted,
                    log_probability: 0.0,
                    kept_log_mass: 0.0,
                });
            }
        }
        self.fed = append.len();
        Ok(Move {
            withdraw,
            append,
            ended,
            select: Select::All,
        })
    }
}

#[test]
fn tokens_can_be_drafted_verified_and_withdrawn() {
    let text = b"hello world, hello all";
    for slots in [1, 2] {
        let mut model = MockModel::scripted(text, 64);
        let proposals = ["zzz", "orlzz", "", "llo", "b"].map(bytes).to_vec();
        let all = vec![
            Request::new("drafted", bytes("?"), Some(40), Drafting { proposals, fed: 0 }),
            Request::new("plain", bytes("?"), Some(40), Unconstrained),
        ];
        let (all, _) = collect(&mut model, &settings(slots, &[], Sampling::greedy()), all);
        let (drafted, plain) = (all[&0].as_ref().unwrap(), all[&1].as_ref().unwrap());
        assert_eq!(drafted.text, "hello world, hello all");
        assert_eq!(plain.text, drafted.text);
        let confirmed = drafted
            .tokens
            .iter()
            .filter(|record| record.chosen == Chosen::Drafted)
            .count();
        assert_eq!(confirmed, "llo".len() + "orl".len());
    }
}

#[test]
fn a_strategy_that_oversteps_is_stopped() {
    struct Greedy(usize, usize);
    impl Strategy for Greedy {
        fn name(&self) -> &'static str {
            "greedy"
        }
        fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
            let record = TokenRecord::new(step.choose(None)?, Chosen::Forced);
            Ok(Move {
                withdraw: self.1,
                append: vec![record; self.0],
                ended: false,
                select: Select::Last,
            })
        }
    }
    let mut model = MockModel::uniform(64);
    let all = [(0, 0), (6, 0), (1, 1)].map(|(a, w)| Request::new("d", bytes("p"), Some(5), Greedy(a, w)));
    let (all, _) = collect(&mut model, &settings(2, &[], Sampling::greedy()), all.into());
    let is = |index: usize, check: fn(&StepError) -> bool| match &all[&index] {
        Err(RequestError::Step { source, .. }) => check(source),
        _ => false,
    };
    assert!(is(0, |e| matches!(
        e,
        StepError::Append {
            append: 0,
            remaining: 5
        }
    )));
    assert!(is(1, |e| matches!(
        e,
        StepError::Append {
            append: 6,
            remaining: 5
        }
    )));
    assert!(is(2, |e| matches!(
        e,
        StepError::Withdraw {
            withdraw: 1,
            appended: 0
        }
    )));
}
