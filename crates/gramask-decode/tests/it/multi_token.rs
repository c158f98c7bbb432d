//! Strategies that append more than one token: what they write, and that they save passes.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use crate::support::formats::{Case, cases, tokens};
use gramask_decode::mock::{LongestMatch, MockConstraint, MockModel, MockTokenizer, byte_vocabulary};
use gramask_decode::{
    Chosen, Draft, Drafts, FreeThenMasked, Jump, LanguageModel, Layout, Masked, NgramDraftModel, Output,
    PromptTokenizer, Request, Retokenizer, Sampling, Settings, decode,
};

const SAMPLINGS: [Sampling; 3] =
    [Sampling::greedy(), Sampling::at(1.0, 1), Sampling { top_k: 3, top_p: 0.9, ..Sampling::at(2.0, 2) }];

fn retokenizer() -> Retokenizer {
    Retokenizer::new(Arc::new(LongestMatch::new(tokens())), tokens())
}

fn settings(slots: usize, sampling: Sampling) -> Settings {
    Settings::new(
        Layout { slots, hypotheses: 1, length: 1024, prefix: b"decode".iter().map(|&byte| u32::from(byte)).collect() },
        sampling,
    )
}

/// One short slot, greedily.
fn alone() -> Settings {
    let layout = Layout { slots: 1, hypotheses: 1, length: 64, prefix: vec![] };
    Settings::new(layout, Sampling::greedy())
}

/// The outputs of all requests by number, and how many passes they took.
fn run(slots: usize, sampling: Sampling, requests: Vec<Request>) -> (BTreeMap<usize, Output>, usize) {
    let mut model = MockModel::hashed(tokens(), 2048);
    let mut outputs = BTreeMap::new();
    let summary = decode(&mut model, &tokens(), &settings(slots, sampling), requests, |ended| {
        let output = ended.outcome.unwrap_or_else(|error| panic!("{error}"));
        outputs.insert(ended.index, output);
        ControlFlow::Continue(())
    });
    (outputs, summary.unwrap().passes)
}

fn request(
    case: &Case,
    number: usize,
    sampling: &Sampling,
    strategy: impl gramask_decode::Strategy + 'static,
) -> Request {
    let budget = case.least() + [0, 1, 7, 60][number % 4];
    let prompt = format!("decode: {}", case.text.as_str());
    let prompt = prompt.bytes().map(u32::from).collect();
    Request::new(format!("{} {}", case.id, sampling.seed), prompt, Some(budget), strategy)
}

/// Drafts that are often wrong.
const BOLD: Drafts = Drafts { most: 7, least_probability: Some(0.02) };

fn draft(case: &Case, drafts: Drafts, ngrams: &Arc<Mutex<NgramDraftModel>>) -> Draft<gramask_grammar::Constraint> {
    let history = format!("decode: {}", case.text.as_str()).into_bytes();
    Draft::new(case.constraint(), retokenizer(), drafts, history, Arc::clone(ngrams))
}

#[test]
fn draft_is_masked_token_by_token() {
    let cases = cases();
    for sampling in SAMPLINGS {
        let requests = |make: &dyn Fn(&Case, usize) -> Request| -> Vec<Request> {
            cases.iter().enumerate().map(|(number, case)| make(case, number)).collect()
        };
        let masked = requests(&|case, number| request(case, number, &sampling, Masked::new(case.constraint())));
        let (masked, passes) = run(1, sampling, masked);
        for (slots, drafts) in [1, 5].into_iter().flat_map(|n| [(n, BOLD), (n, Drafts::default())]) {
            let ngrams =
                Arc::new(Mutex::new(NgramDraftModel::new([&b"[{\"text\":\"Aspirin\",\"label\":\"Chemical\"}]"[..]])));
            let drafted = requests(&|case, number| request(case, number, &sampling, draft(case, drafts, &ngrams)));
            let (drafted, fewer) = run(slots, sampling, drafted);
            let (mut confirmed, mut refused) = (0, 0);
            for (number, output) in &drafted {
                let wanted = &masked[number];
                let same = |(a, b): (&gramask_decode::TokenRecord, &gramask_decode::TokenRecord)| {
                    a.token == b.token && a.scores == b.scores
                };
                let all =
                    output.tokens.len() == wanted.tokens.len() && output.tokens.iter().zip(&wanted.tokens).all(same);
                assert!(all, "{}: {} and not {}", cases[*number].id, output.text, wanted.text);
                assert_eq!((&output.text, output.finish), (&wanted.text, wanted.finish));
                confirmed += output.count(Chosen::Drafted);
                refused += output.effort.refused_drafts;
                assert_eq!(output.count(Chosen::Forced), 0);
            }
            let counts = format!("{confirmed} confirmed, {refused} refused, {fewer} passes in place of {passes}");
            assert!(confirmed > 100 && (refused > 100 || drafts != BOLD), "{counts}");
            assert!(slots > 1 || fewer < passes, "{counts}");
            // Drafts that are as long as it pays save more passes than they cost rows, by the model's own measure.
            let saved = MockModel::hashed(tokens(), 1).overhead(1) * (passes as f64 - fewer as f64);
            assert!(slots > 1 || drafts == BOLD || saved > refused as f64, "{counts}");
        }
    }
}

#[test]
fn jump_writes_forced_text_as_the_tokenizer_cuts_it_and_always_completes() {
    let cases = cases();
    let tokenizer = LongestMatch::new(tokens());
    for sampling in SAMPLINGS {
        for scored in [false, true] {
            let make = |(number, case): (usize, &Case)| {
                let jump = Jump::new(case.constraint(), retokenizer()).scored(scored);
                request(case, number, &sampling, jump)
            };
            let (jumped, passes) = run(1, sampling, cases.iter().enumerate().map(make).collect());
            let make =
                |(number, case): (usize, &Case)| request(case, number, &sampling, Masked::new(case.constraint()));
            let (masked, more) = run(1, sampling, cases.iter().enumerate().map(make).collect());
            assert_eq!(masked.len(), jumped.len());
            assert!(passes < more, "{passes} passes in place of {more}");
            let mut forced = 0;
            for (number, output) in &jumped {
                let case = &cases[*number];
                assert!(output.finish.is_complete(), "{}", case.id);
                let reading = case.program.read(&case.text, output.text.as_bytes());
                assert!(reading.is_ok(), "{}: {}", case.id, output.text);
                forced += output.count(Chosen::Forced);
                assert!(!scored || output.log_weight().is_some(), "{}: {:?}", case.id, output.tokens);
                let scores = output.tokens.iter().filter(|t| t.chosen == Chosen::Sampled);
                assert!(scores.clone().all(|token| token.scores.is_some()));
            }
            assert!(forced > 500, "{forced}");
        }
        // Where all is forced, the tokens are those of the tokenizer.
        let only = "[{\"text\":\"Aspirin\",\"label\":\"Chemical\"}]";
        let jump = Jump::new(MockConstraint::new(tokens(), &[only]), retokenizer());
        let prompt = b"decode: x".iter().map(|&byte| u32::from(byte)).collect();
        let (outputs, passes) = run(1, sampling, vec![Request::new("d", prompt, Some(60), jump)]);
        let got: Vec<u32> = outputs[&0].tokens.iter().map(|record| record.token).collect();
        let mut wanted = tokenizer.encode(only, false);
        wanted.push(gramask_decode::mock::END);
        assert_eq!((got, passes), (wanted, 2), "the prefix, and the rest of the prompt");
    }
}

/// `"ab"` is forced up to its `a`, but a token `ab"` or `ac"` may go on from there: the seam is left to the model.
#[test]
fn the_end_of_forced_text_is_left_to_a_longer_token() {
    let longer = byte_vocabulary(&["xa", "ab"]);
    let retokenizer = Retokenizer::new(Arc::new(LongestMatch::new(longer.clone())), longer.clone());
    for (texts, forced) in [(["xxab", "xxac"], 1), (["xxyb", "xxyc"], 2)] {
        let constraint = MockConstraint::new(longer.clone(), &texts);
        let jump = Jump::new(constraint, retokenizer.clone());
        let mut model = MockModel::new(longer.clone(), 64, |_| vec![0.0; 260]);
        let settings = alone();
        let request = Request::new("d", vec![65], Some(20), jump);
        decode(&mut model, &longer, &settings, [request], |ended| {
            let output = ended.outcome.unwrap();
            assert!(texts.contains(&output.text.as_str()));
            let early = output.tokens.iter().take(4).filter(|token| token.chosen == Chosen::Forced);
            assert!(early.count() >= forced, "{:?}", output.tokens);
            ControlFlow::Continue(())
        })
        .unwrap();
    }
}

#[test]
fn free_text_ends_at_the_trigger_or_at_its_allowance() {
    let bytes = byte_vocabulary(&[]);
    let retokenizer = Retokenizer::new(Arc::new(MockTokenizer::default()), bytes.clone());
    let settings = alone();
    // What the model would write by itself, how much free text is allowed, and what the free text then is.
    let cases = [
        ("well, so: no", 20, "well, so:"),
        ("well, so: no", 4, "wellso:"),
        ("hm", 20, "hmso:"),
        ("so: no", 20, "so:"),
        ("anything", 0, "so:"),
    ];
    for (script, free, preamble) in cases {
        let mut model = MockModel::scripted(script.as_bytes(), 64);
        let constraint = MockConstraint::new(bytes.clone(), &["yes", "no"]);
        let strategy = FreeThenMasked::new(constraint, retokenizer.clone(), "so:", free);
        let request = Request::new("d", vec![65], Some(30), strategy);
        decode(&mut model, &bytes, &settings, [request], |ended| {
            let output = ended.outcome.unwrap();
            assert_eq!((output.preamble.as_str(), output.finish.is_complete()), (preamble, true));
            assert!(["yes", "no"].contains(&output.text.as_str()), "{}", output.text);
            assert_eq!(output.answer_from, preamble.len());
            ControlFlow::Continue(())
        })
        .unwrap();
    }
    // The budget counts the trigger and the shortest answer.
    for (budget, fits) in [(5, false), (6, true), (7, true), (12, true)] {
        let mut model = MockModel::scripted(b"never ending text of a model", 64);
        let constraint = MockConstraint::new(bytes.clone(), &["yes", "no"]);
        let strategy = FreeThenMasked::new(constraint, retokenizer.clone(), "so:", 40);
        let request = Request::new("d", vec![65], Some(budget), strategy);
        decode(&mut model, &bytes, &settings, [request], |ended| {
            assert_eq!(ended.outcome.is_ok(), fits, "{budget}");
            assert!(ended.outcome.is_err() || ended.outcome.unwrap().finish.is_complete());
            ControlFlow::Continue(())
        })
        .unwrap();
    }
}
