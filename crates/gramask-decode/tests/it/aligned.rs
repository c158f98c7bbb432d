//! ASAp and sequential Monte Carlo: their samples come from the model's distribution given validity, masked ones do not.

#![allow(clippy::print_stdout)] // the distances, on request

use std::collections::BTreeMap;

use crate::support::{bytes, collect, settings};
use gramask_decode::mock::{END, MockConstraint, MockModel, Valid, byte_vocabulary, outputs};
use gramask_decode::{Asap, Masked, Output, Request, Sampling, Smc, Strategy};

/// A language, tokens of several bytes, which give its texts several tokenisations, and a budget. The prompt is one after which
/// several texts are likely and masked sampling is far from the truth.
struct Case {
    name: &'static str,
    texts: &'static [&'static str],
    longer: &'static [&'static str],
    prompt: &'static str,
    budget: usize,
}

const CASES: [Case; 3] = [
    Case {
        name: "lists",
        texts: &["[]", "[a]", "[a,b]", "[ab,ba]", "[bb,aaaa]"],
        longer: &["[a", ",b", "]", "aa", "b]"],
        prompt: "p89",
        budget: 12,
    },
    Case {
        name: "words",
        texts: &["yes", "yesterday", "no", "not", "none"],
        longer: &["ye", "es", "yes", "one", "ter", "day"],
        prompt: "p54",
        budget: 10,
    },
    Case {
        // Here the budget takes away tokenisations, and one text altogether.
        name: "accents",
        texts: &["é", "éa", "naïve", "né", "ñandú"],
        longer: &["é", "ï", "na", "ve", "éa", "ñ"],
        prompt: "p144",
        budget: 5,
    },
];

impl Case {
    fn constraint(&self) -> MockConstraint {
        MockConstraint::new(byte_vocabulary(self.longer), self.texts)
    }

    /// A model that likes the letters of the language, and knows nothing of its texts.
    fn model(&self) -> MockModel {
        let hashed = MockModel::hashed(byte_vocabulary(self.longer), 64);
        let letters: Vec<u8> = self.texts.iter().flat_map(|text| text.bytes()).collect();
        let tokens = byte_vocabulary(self.longer);
        let liked = |token: u32| token == END || tokens.bytes(token).iter().all(|byte| letters.contains(byte));
        let bonus: Vec<f32> = (0..tokens.len() as u32).map(|token| if liked(token) { 6.0 } else { 0.0 }).collect();
        MockModel::new(byte_vocabulary(self.longer), 64, move |tokens| {
            let logits = hashed.logits(tokens);
            logits.iter().zip(&bonus).map(|(logit, bonus)| 0.4 * logit + bonus).collect()
        })
    }

    fn outputs(&self, temperature: f64) -> Vec<Valid> {
        outputs(&self.model(), &self.constraint(), &bytes(self.prompt), self.budget, temperature)
    }

    fn text(&self, tokens: &[u32]) -> String {
        byte_vocabulary(self.longer).decode(tokens.iter().copied()).0
    }

    /// The distribution over texts: all tokenisations together.
    fn texts(&self, all: &[Valid], log: impl Fn(&Valid) -> f64) -> BTreeMap<String, f64> {
        let mut texts = BTreeMap::new();
        let total: f64 = all.iter().map(|valid| log(valid).exp()).sum();
        for valid in all {
            *texts.entry(self.text(&valid.tokens)).or_default() += log(valid).exp() / total;
        }
        texts
    }

    /// The outputs of one strategy for documents that differ by their id, and so their draws, alone; given the constraint.
    fn run<S: Strategy + 'static>(
        &self,
        documents: usize,
        hypotheses: usize,
        make: impl Fn(MockConstraint) -> S,
    ) -> Vec<Output> {
        let constraint = self.constraint();
        let mut settings = settings(64, &[], Sampling::greedy());
        settings.layout.hypotheses = hypotheses;
        let request =
            |i| Request::new(format!("d{i}"), bytes(self.prompt), Some(self.budget), make(constraint.clone()));
        let (all, _) = collect(&mut self.model(), &settings, (0..documents).map(request).collect());
        all.into_values().map(Result::unwrap).collect()
    }
}

/// Over so many documents the frequencies of five texts are about 0.01 from their probabilities.
const DOCUMENTS: usize = 4000;

fn frequencies(all: &[Output]) -> BTreeMap<String, f64> {
    let mut texts = BTreeMap::new();
    for output in all {
        *texts.entry(output.text.clone()).or_default() += 1.0 / all.len() as f64;
    }
    texts
}

/// Half the sum of the differences.
fn total_variation(a: &BTreeMap<String, f64>, b: &BTreeMap<String, f64>) -> f64 {
    let texts: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let of = |from: &BTreeMap<String, f64>, text: &String| from.get(text).copied().unwrap_or(0.0);
    texts.into_iter().map(|text| (of(a, text) - of(b, text)).abs()).sum::<f64>() / 2.0
}

/// Both converge to the truth, and masked sampling, which each of them is at size 1, stays where it is.
///
/// Total variation to the truth. The frequencies themselves are about 0.01 from their probabilities.
///
/// | grammar | masked, exactly | ASAp, 1, 8, 128 iterations | 1, 8, 64 particles |
/// |---|---|---|---|
/// | lists | 0.384 | 0.376, 0.329, 0.016 | 0.376, 0.059, 0.003 |
/// | words | 0.382 | 0.392, 0.248, 0.014 | 0.392, 0.050, 0.013 |
/// | accents, tight budget | 0.403 | 0.415, 0.281, 0.013 | 0.415, 0.028, 0.015 |
#[test]
fn aligned_samples_converge_and_masked_ones_do_not() {
    for case in &CASES {
        let all = case.outputs(1.0);
        let truth = case.texts(&all, |valid| valid.log_probability);
        let masked = case.texts(&all, |valid| valid.log_masked);
        let away = total_variation(&truth, &masked);
        assert!(away > 0.3, "{}: masked sampling is {away} from the truth", case.name);
        let sampling = Sampling::at(1.0, 5);
        let mut vocabulary = [[0.0; 3]; 2];
        for (i, [size, most]) in [[1, 1], [8, 8], [128, 64]].into_iter().enumerate() {
            let documents = if size == 8 { DOCUMENTS / 2 } else { DOCUMENTS };
            let asap = case.run(documents, 1, |it| Asap::new(it, size, sampling));
            let particles = case.run(documents, most, |it| Smc::new(it, most, sampling));
            for (row, outputs) in vocabulary.iter_mut().zip([asap, particles]) {
                let found = frequencies(&outputs);
                row[i] = total_variation(&truth, &found);
                if size == 1 {
                    assert!(total_variation(&masked, &found) < 0.02, "{}: {found:?}", case.name);
                }
            }
        }
        println!("{}: masked {away:.3}, asap {:.3?}, particles {:.3?}", case.name, vocabulary[0], vocabulary[1]);
        for row in vocabulary {
            assert!(row[2] < 0.02 && row[2] < row[1] && row[1] < away + 0.1, "{}: {vocabulary:?}", case.name);
        }
    }
}

/// At another temperature the target is the model at that temperature.
#[test]
fn the_target_is_the_model_at_the_temperature() {
    for (case, temperature) in [(&CASES[1], 0.8), (&CASES[0], 1.5)] {
        let all = case.outputs(f64::from(temperature));
        let truth = case.texts(&all, |valid| valid.log_probability);
        let cold = case.texts(&case.outputs(1.0), |valid| valid.log_probability);
        assert!(total_variation(&truth, &cold) > 0.04);
        let sampling = Sampling::at(temperature, 6);
        let asap = case.run(DOCUMENTS / 2, 1, |it| Asap::new(it, 128, sampling));
        let particles = case.run(DOCUMENTS / 2, 64, |it| Smc::new(it, 64, sampling));
        for outputs in [asap, particles] {
            let distance = total_variation(&truth, &frequencies(&outputs));
            assert!(distance < 0.03, "{} at {temperature}: {distance}", case.name);
        }
    }
}

fn probability(all: &[Valid]) -> f64 {
    all.iter().map(|valid| valid.log_probability.exp()).sum()
}

/// The mean of the estimates of P(valid) is P(valid), with few particles too, however often they are resampled.
#[test]
fn the_particles_weights_are_unbiased() {
    for (case, threshold, temperature) in
        [(&CASES[0], 0.5, 1.0), (&CASES[1], 1.0, 1.0), (&CASES[2], 0.0, 1.0), (&CASES[1], 0.5, 1.3)]
    {
        let wanted = probability(&case.outputs(f64::from(temperature)));
        let sampling = Sampling::at(temperature, 8);
        let make = |it| Smc::new(it, 6, sampling).with_threshold(threshold);
        let estimates: Vec<f64> =
            case.run(4000, 6, make).iter().map(|output| output.effort.log_valid.unwrap().exp()).collect();
        let n = estimates.len() as f64;
        let mean = estimates.iter().sum::<f64>() / n;
        let variance = estimates.iter().map(|estimate| (estimate - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let error = (variance / n).sqrt();
        assert!((mean - wanted).abs() < 4.0 * error, "{}: {mean} +- {error}, {wanted}", case.name);
        assert!(error < 0.05 * wanted, "{}: {error}", case.name);
    }
}

/// ASAp's estimate falls to P(valid), and never below.
#[test]
fn the_estimate_of_asap_falls_to_the_truth() {
    for case in &CASES {
        let wanted = probability(&case.outputs(1.0)).ln();
        let mut above = Vec::new();
        for iterations in [1, 10, 100, 1000] {
            let outputs = case.run(20, 1, |it| Asap::new(it, iterations, Sampling::at(1.0, 3)));
            let estimates = outputs.iter().map(|output| output.effort.log_valid.unwrap());
            assert!(estimates.clone().all(|estimate| estimate > wanted - 1e-5));
            above.push(estimates.map(|estimate| estimate - wanted).sum::<f64>() / 20.0);
        }
        assert!(above.is_sorted_by(|a, b| a >= b) && above[0] > 0.5 && above[3] < 0.01, "{above:?}");
    }
}

/// Where more tokens are allowed than a node of ASAp remembers, the model is asked again, and the samples are right too.
#[test]
fn nodes_with_many_tokens_are_right() {
    const TEXTS: [&str; 3] = ["x", "y", "z"];
    let texts: Vec<String> = (0..40u8)
        .flat_map(|i| [format!("x{}", char::from(b'A' + i)), format!("xx{}", char::from(b'A' + i))])
        .chain(["y".to_owned(), "zz".to_owned()])
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let constraint = MockConstraint::new(byte_vocabulary(&[]), &texts);
    let hashed = MockModel::hashed(byte_vocabulary(&[]), 64);
    let mut model = MockModel::new(byte_vocabulary(&[]), 64, move |tokens| {
        hashed.logits(tokens).iter().map(|logit| 0.5 * logit).collect()
    });
    let by_first = |all: &mut dyn Iterator<Item = (String, f64)>| {
        let mut sums = BTreeMap::new();
        for (text, p) in all {
            let first = TEXTS.iter().find(|first| text.starts_with(**first)).unwrap();
            *sums.entry((*first).to_owned()).or_default() += p;
        }
        sums
    };
    let all = outputs(&model, &constraint, &bytes("p"), 6, 1.0);
    let total = probability(&all);
    let text = |valid: &Valid| byte_vocabulary(&[]).decode(valid.tokens.iter().copied()).0;
    let truth = by_first(&mut all.iter().map(|v| (text(v), v.log_probability.exp() / total)));
    let masked = by_first(&mut all.iter().map(|v| (text(v), v.log_masked.exp())));
    assert!(total_variation(&truth, &masked) > 0.1, "{truth:?} {masked:?}");
    let sampling = Sampling::at(1.0, 2);
    let request = |i| Request::new(format!("d{i}"), bytes("p"), Some(6), Asap::new(constraint.clone(), 200, sampling));
    let (found, _) = collect(&mut model, &settings(8, &[], sampling), (0..800).map(request).collect());
    let found = found.into_values().map(|output| (output.unwrap().text, 1.0 / 800.0));
    let found = by_first(&mut found.into_iter());
    assert!(total_variation(&truth, &found) < 0.05, "{truth:?} {found:?}");
}

/// What the tree of ASAp remembers is not computed again, and particles with the same tokens are one.
#[test]
fn what_is_known_is_not_computed_again() {
    let case = &CASES[0];
    let prefixes: std::collections::BTreeSet<Vec<u32>> = case
        .outputs(1.0)
        .iter()
        .flat_map(|valid| (0..valid.tokens.len()).map(|length| valid.tokens[..length].to_vec()))
        .collect();
    let calls = |strategy: &mut dyn FnMut() -> Request, hypotheses| {
        let mut model = case.model();
        let mut settings = settings(1, &[], Sampling::greedy());
        settings.layout.hypotheses = hypotheses;
        let (all, _) = collect(&mut model, &settings, vec![strategy()]);
        assert_eq!(all.len(), 1);
        let output = all.into_values().next().unwrap().unwrap();
        (model.calls, model.appended, output)
    };
    let request = |strategy: Box<dyn Strategy>| Request {
        id: "d".to_owned(),
        prompt: bytes(case.prompt),
        budget: Some(case.budget),
        strategy,
    };
    let asap = Asap::new(case.constraint(), 2000, Sampling::at(3.0, 1));
    let (passes, _, output) = calls(&mut || request(Box::new(asap.clone())), 1);
    assert!(passes > 10 && passes <= prefixes.len(), "{passes} for {}", prefixes.len());
    assert_eq!(output.effort.attempts, 2000);
    assert!(output.effort.discarded > 2000);
    // All particles take the greedy output.
    let masked = calls(&mut || request(Box::new(Masked::new(case.constraint()))), 1);
    let greedy = Smc::new(case.constraint(), 9, Sampling::greedy());
    let (passes, appended, output) = calls(&mut || request(Box::new(greedy.clone())), 9);
    assert_eq!((passes, appended), (masked.0, masked.1));
    assert_eq!(output.tokens, masked.2.tokens);
    assert_eq!(output.effort.discarded, 8 * output.tokens.len());
    let weight = output.log_weight().unwrap();
    assert!((output.effort.log_valid.unwrap() - weight).abs() < 1e-9);
}

#[test]
fn the_batch_changes_nothing() {
    let case = &CASES[1];
    let sampling = Sampling::at(1.2, 4);
    let run = |slots, hypotheses, prefix: &str| {
        let mut settings = settings(slots, &bytes(prefix), Sampling::greedy());
        settings.layout.hypotheses = hypotheses;
        let requests = (0..30).map(|i| {
            let (id, prompt) = (format!("d{i}"), bytes(&format!("p{}", i % 7)));
            match i % 2 {
                0 => Request::new(id, prompt, Some(case.budget), Asap::new(case.constraint(), 9, sampling)),
                _ => Request::new(id, prompt, Some(case.budget), Smc::new(case.constraint(), 7, sampling)),
            }
        });
        let (all, _) = collect(&mut case.model(), &settings, requests.collect());
        let all = all.into_values().map(Result::unwrap);
        all.map(|output| (output.tokens, output.effort, output.text)).collect::<Vec<_>>()
    };
    let alone = run(1, 7, "");
    assert!(alone.iter().all(|(_, _, text)| case.texts.contains(&text.as_str())));
    for (slots, hypotheses, prefix) in [(3, 7, ""), (4, 9, "p"), (2, 7, "p1")] {
        assert_eq!(alone, run(slots, hypotheses, prefix));
    }
}
