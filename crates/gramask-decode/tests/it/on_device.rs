//! Sampling on the device gives the same records as sampling on the host, for all formats: by the loop alone and on every
//! device.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::support::formats::{Case, cases, tokens};
use burn::tensor::{Device, Tensor, TensorData};
use gramask_decode::mock::{LongestMatch, MockModel};
use gramask_decode::{
    DeviceLogits, Draft, Drafts, LanguageModel, LanguageModelError, Layout, Lazy, Logits, LogitsHandle, MaskScores,
    Masked, NgramDraftModel, Output, Request, RequestError, Retokenizer, Row, SampleOn, SampleRequest, Sampled,
    Sampling, Select, Settings, TokenRecord, Unconstrained, decode,
};
use gramask_kernels::sampling::MaskTable;

const SAMPLINGS: [Sampling; 4] = [
    Sampling::greedy(),
    Sampling::at(1.0, 1),
    Sampling { min_p: 0.3, ..Sampling::at(1.5, 3) },
    Sampling { top_k: 3, top_p: 0.9, ..Sampling::at(2.0, 2) },
];

/// A mock whose logits go to a device, and that counts what is asked of them there.
struct OnDevice {
    mock: MockModel,
    device: Device,
    masks: Option<MaskTable>,
    asked: Asked,
}

/// How often samples were asked for, of how many rows, and how many rows were fetched.
#[derive(Default)]
struct Asked {
    rounds: AtomicUsize,
    chosen: AtomicUsize,
    fetched: AtomicUsize,
}

/// Counts on the way.
struct Counting<'m> {
    inner: DeviceLogits<'m>,
    asked: &'m Asked,
}

impl LogitsHandle for Counting<'_> {
    fn rows(&self) -> usize {
        self.inner.rows()
    }

    fn sample(
        &mut self,
        requests: &[(usize, SampleRequest)],
        sampling: &Sampling,
    ) -> Result<Vec<Sampled>, LanguageModelError> {
        self.asked.rounds.fetch_add(1, Ordering::Relaxed);
        self.asked.chosen.fetch_add(requests.len(), Ordering::Relaxed);
        self.inner.sample(requests, sampling)
    }

    fn fetch(&mut self, rows: &[usize]) -> Result<Logits, LanguageModelError> {
        self.asked.fetched.fetch_add(rows.len(), Ordering::Relaxed);
        self.inner.fetch(rows)
    }
}

impl LanguageModel for OnDevice {
    fn vocabulary(&self) -> usize {
        self.mock.vocabulary()
    }

    fn context(&self) -> usize {
        self.mock.context()
    }

    fn open(&mut self, slots: usize, length: usize) -> Result<(), LanguageModelError> {
        self.mock.open(slots, length)
    }

    fn append(&mut self, rows: &[Row<'_>], select: Select) -> Result<Logits, LanguageModelError> {
        self.mock.append(rows, select)
    }

    fn samples_on_device(&self) -> bool {
        true
    }

    fn append_on_device(
        &mut self,
        rows: &[Row<'_>],
        select: Select,
    ) -> Result<Box<dyn LogitsHandle + '_>, LanguageModelError> {
        let logits = self.mock.append(rows, select)?;
        let shape = [logits.rows(), logits.width()];
        let logits = Tensor::from_data(TensorData::new(logits.into_values(), shape), &self.device);
        Ok(Box::new(Counting { inner: DeviceLogits::new(logits, &mut self.masks, None), asked: &self.asked }))
    }

    fn truncate(&mut self, slot: usize, length: usize) -> Result<(), LanguageModelError> {
        self.mock.truncate(slot, length)
    }

    fn copy(&mut self, from: usize, to: usize, length: usize) -> Result<(), LanguageModelError> {
        self.mock.copy(from, to, length)
    }
}

/// The CPU, and what wgpu finds.
#[allow(clippy::print_stderr, reason = "says what is skipped")]
fn devices() -> Vec<Device> {
    #[allow(unused_mut)]
    let mut devices = vec![Device::flex()];
    #[cfg(feature = "wgpu")]
    {
        let found = Device::enumerate(burn::tensor::DeviceType::Wgpu).into_vec();
        if found.is_empty() {
            eprintln!("skipped: wgpu finds no adapter here");
        }
        devices.extend(found);
    }
    devices
}

fn model(device: Device) -> OnDevice {
    OnDevice { mock: MockModel::hashed(tokens(), 2048), device, masks: None, asked: Asked::default() }
}

/// Every strategy on every case, with budgets from the tightest on.
fn requests(cases: &[Case], sampling: &Sampling) -> Vec<Request> {
    let ngrams = Arc::new(Mutex::new(NgramDraftModel::default()));
    let mut requests = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        for kind in 0..4 {
            let budget = case.least() + [0, 1, 7, 60][(number + kind) % 4];
            let prompt = format!("decode: {}", case.text.as_str());
            let prompt = prompt.bytes().map(u32::from).collect();
            let id = format!("{} {} {kind}", case.id, sampling.seed);
            let constraint = case.constraint();
            requests.push(match kind {
                0 => Request::new(id, prompt, Some(budget), Masked::new(constraint)),
                1 => Request::new(id, prompt, Some(budget), Unconstrained),
                2 => Request::new(id, prompt, Some(budget), Lazy::new(constraint)),
                _ => {
                    let retokenizer = Retokenizer::new(Arc::new(LongestMatch::new(tokens())), tokens());
                    // Drafts that are often wrong.
                    let drafts = Drafts { most: 5, least_probability: Some(0.0) };
                    let draft =
                        Draft::new(constraint, retokenizer, drafts, case.text.as_str().as_bytes(), Arc::clone(&ngrams));
                    Request::new(id, prompt, Some(budget), draft)
                }
            });
        }
    }
    requests
}

type Outcomes = BTreeMap<usize, Result<Output, RequestError>>;

fn run(
    model: &mut dyn LanguageModel,
    slots: usize,
    sample_on: SampleOn,
    sampling: Sampling,
    cases: &[Case],
) -> Outcomes {
    let layout =
        Layout { slots, hypotheses: 1, length: 1024, prefix: b"decode".iter().map(|&byte| u32::from(byte)).collect() };
    let settings = Settings { sample_on, ..Settings::new(layout, sampling) };
    let mut outcomes = BTreeMap::new();
    decode(model, &tokens(), &settings, requests(cases, &sampling), |ended| {
        outcomes.insert(ended.index, ended.outcome);
        ControlFlow::Continue(())
    })
    .unwrap();
    outcomes
}

fn same(host: &Outcomes, device: &Outcomes, tolerance: f64) {
    assert_eq!(host.len(), device.len());
    for (number, wanted) in host {
        let (wanted, got) = (wanted.as_ref().unwrap(), device[number].as_ref().unwrap());
        assert_eq!((&got.text, got.finish, got.strategy), (&wanted.text, wanted.finish, wanted.strategy));
        assert_eq!(got.tokens.len(), wanted.tokens.len());
        // Not whether a token was drafted: what is drafted depends on which documents came before.
        for (got, wanted) in got.tokens.iter().zip(&wanted.tokens) {
            assert_eq!(got.token, wanted.token, "document {number}");
            near(got, wanted, tolerance);
        }
    }
}

fn near(got: &TokenRecord, wanted: &TokenRecord, tolerance: f64) {
    let near = |a: f64, b: f64| assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{got:?} for {wanted:?}");
    match (got.scores, wanted.scores) {
        (None, None) => {}
        (Some(a), Some(b)) => {
            near(a.log_probability, b.log_probability);
            near(a.entropy, b.entropy);
            assert_eq!(a.rank, b.rank);
            match (a.mask, b.mask) {
                (None, None) => {}
                (Some(a), Some(b)) => {
                    near(a.kept_log_mass, b.kept_log_mass);
                    near(a.entropy, b.entropy);
                    assert_eq!(a.changed_best, b.changed_best);
                    near(a.removed_by_budget(), b.removed_by_budget());
                    let of_budget =
                        |scores: MaskScores| scores.budget.map(|budget| (budget.changed_best, budget.squeezed));
                    assert_eq!(of_budget(a), of_budget(b));
                    // A device does not always tell which token the model wanted.
                    if let (Some(a), Some(b)) = (a.wanted, b.wanted) {
                        assert_eq!(a.token, b.token);
                        near(a.log_probability, b.log_probability);
                    }
                }
                _ => panic!("{got:?} for {wanted:?}"),
            }
        }
        _ => panic!("{got:?} for {wanted:?}"),
    }
}

/// If the host's own sampler serves the requests, every number is the same.
#[test]
fn asking_changes_nothing() {
    let cases = cases();
    for sampling in SAMPLINGS {
        let mut mock = MockModel::hashed(tokens(), 2048);
        let host = run(&mut mock, 3, SampleOn::Host, sampling, &cases);
        let on_device = run(&mut mock, 5, SampleOn::Device, sampling, &cases);
        same(&host, &on_device, 0.0);
    }
}

/// With the kernels after them, every token is the same, and the scores are to within rounding.
#[test]
fn every_device_decodes_as_the_host() {
    for device in devices() {
        let is_cpu = device == Device::flex();
        let all = cases();
        // A simulated GPU is slow.
        let cases = if is_cpu { &all[..] } else { &all[..all.len().min(2)] };
        for sampling in SAMPLINGS {
            let mut model = model(device.clone());
            let host = run(&mut model, 4, SampleOn::Host, sampling, cases);
            assert_eq!(model.asked.chosen.load(Ordering::Relaxed), 0);
            let passes = model.mock.calls;
            let on_device = run(&mut model, 4, SampleOn::Auto, sampling, cases);
            same(&host, &on_device, 2e-5);

            let Asked { rounds, chosen, fetched } = model.asked;
            let (rounds, chosen, fetched) = (rounds.into_inner(), chosen.into_inner(), fetched.into_inner());
            let outputs = || on_device.values().map(|outcome| outcome.as_ref().unwrap());
            let cut = sampling.top_k > 0;
            let asking = outputs().filter(|output| output.strategy == "unconstrained" || !cut);
            let asking: usize = asking.map(|output| output.tokens.len()).sum();
            assert!(chosen >= asking, "{chosen} of {asking}");
            // All passes but the one over the prefix.
            let passes = model.mock.calls - passes - 1;
            assert!(rounds <= 2 * passes, "{rounds} rounds in {passes} passes");
            if !cut {
                // Samples that do not stand are sampled again, and not one row of logits is fetched.
                let tight = |output: &&Output| {
                    output.tokens.iter().filter_map(TokenRecord::mask).any(|mask| mask.budget.is_some())
                };
                for strategy in ["masked", "lazy", "draft"] {
                    let again = outputs().filter(|output| output.strategy == strategy).filter(tight).count();
                    assert!(again > 0, "{strategy}: no token was sampled again");
                }
                assert!(rounds > passes, "{rounds} rounds in {passes} passes");
                assert_eq!(fetched, 0);
            }
            let used = model.masks.map(|masks| masks.used()).unwrap_or_default();
            assert!(cut || used.sent < used.asked / 2, "{used:?}");
        }
    }
}
