//! Cases of choices, and the naive loop that says what is right.

use burn::tensor::{Device, Tensor, TensorData};
use gramask_kernels::sampling::fixed_point::{least_weight, part_of, share, target, units_per_logit, weight};
use gramask_kernels::sampling::{
    Draw, MaskRow, MaskTable, Masks, NoChoice, Pick, Sampling, mask_argmax, mask_softmax_sample,
};
use proptest::prelude::*;

/// The devices to test: the CPU, and all adapters that wgpu finds, in builds with wgpu. Says what is skipped.
#[allow(clippy::print_stderr, reason = "says what is skipped")]
pub fn devices() -> Vec<(String, Device)> {
    #[allow(unused_mut)]
    let mut devices = vec![("flex".to_owned(), Device::flex())];
    #[cfg(feature = "wgpu")]
    {
        let found = Device::enumerate(burn::tensor::DeviceType::Wgpu).into_vec();
        if found.is_empty() {
            eprintln!("skipped: wgpu finds no adapter here");
        }
        let named = found.into_iter().enumerate();
        devices.extend(named.map(|(number, device)| (format!("wgpu:{number}"), device)));
    }
    devices
}

/// A bit row.
pub fn mask(vocabulary: usize, mut allows: impl FnMut(usize) -> bool) -> Vec<u32> {
    let mut words = vec![0u32; vocabulary.div_ceil(32)];
    for token in (0..vocabulary).filter(|token| allows(*token)) {
        words[token / 32] |= 1 << (token % 32);
    }
    words
}

/// Logits in steps of 1/8, so that ties are common, and what is no number.
pub fn eighths() -> impl Strategy<Value = f32> {
    prop_oneof![
        12 => (-64i32..64).prop_map(|eighths| eighths as f32 / 8.0),
        1 => Just(f32::NEG_INFINITY),
        1 => Just(f32::NAN),
        1 => Just(-0.0f32),
    ]
}

/// Greedy, plain draws, each filter, all together.
pub fn settings() -> Vec<Option<Sampling>> {
    let plain = Sampling::at(1.0, 0x0123_4567_89AB_CDEF);
    let with = |temperature, top_k, top_p, min_p| Some(Sampling { temperature, top_k, top_p, min_p, ..plain });
    vec![
        None,
        with(1.0, 0, 1.0, 0.0),
        with(0.01, 0, 1.0, 0.0),
        with(1.0, 40, 1.0, 0.0),
        with(1.5, 0, 0.9, 0.0),
        with(1.0, 0, 1.0, 0.1),
        with(3.0, 1, 1.0, 0.0),
        with(2.0, 25, 0.8, 0.05),
    ]
}

/// A batch.
#[derive(Clone)]
pub struct Case {
    pub vocabulary: usize,
    pub logits: Vec<Vec<f32>>,
    /// `None`: no constraint.
    pub masks: Vec<Option<Vec<u32>>>,
    /// Shifts the draws.
    pub seed: u64,
    /// The number of the first row, in draws.
    first: u64,
}

/// A table with a case's masks.
pub struct Table {
    table: MaskTable,
    rows: Vec<MaskRow>,
}

impl Table {
    pub fn masks(&self) -> Masks<'_> {
        Masks::Table(&self.table, &self.rows)
    }
}

impl Case {
    pub fn new(vocabulary: usize) -> Self {
        Case { vocabulary, logits: Vec::new(), masks: Vec::new(), seed: 0, first: 0 }
    }

    pub fn push(&mut self, logits: Vec<f32>, mask: Option<Vec<u32>>) {
        assert_eq!(logits.len(), self.vocabulary);
        self.logits.push(logits);
        self.masks.push(mask);
    }

    /// One row of it.
    pub fn only(&self, row: usize) -> Case {
        Case {
            logits: vec![self.logits[row].clone()],
            masks: vec![self.masks[row].clone()],
            first: self.first + row as u64,
            ..Case::new(self.vocabulary)
        }
    }

    pub fn tensor(&self, device: &Device) -> Tensor<2> {
        let shape = [self.logits.len(), self.vocabulary];
        Tensor::from_data(TensorData::new(self.logits.concat(), shape), device)
    }

    pub fn masks(&self, device: &Device) -> Table {
        let mut table = MaskTable::new(self.masks.len(), self.vocabulary, device);
        let rows = table.rows(self.masks.iter().map(Option::as_deref)).unwrap();
        Table { table, rows }
    }

    pub fn draws(&self) -> Vec<Draw> {
        let draw = |row: u64| Draw {
            document: self.seed.wrapping_add(row.wrapping_mul(0x1234_5678_9ABC)),
            position: row << 31 | 7,
        };
        (0..self.logits.len() as u64).map(|row| draw(self.first + row)).collect()
    }

    pub fn allows(&self, row: usize, token: usize) -> bool {
        let mask = self.masks[row].as_ref();
        mask.is_none_or(|mask| mask[token / 32] >> (token % 32) & 1 == 1)
    }

    pub fn choose(&self, device: &Device, sampling: Option<&Sampling>) -> Vec<Result<Pick, NoChoice>> {
        let (logits, table) = (self.tensor(device), self.masks(device));
        let picks = match sampling {
            None => mask_argmax(logits, table.masks()),
            Some(sampling) => mask_softmax_sample(logits, table.masks(), sampling, &self.draws()),
        };
        picks.unwrap().read().unwrap()
    }

    /// Chooses on every device and compares with the naive loop.
    pub fn check(&self, sampling: Option<&Sampling>) {
        for (name, device) in devices() {
            self.compare(&name, sampling, &self.choose(&device, sampling));
        }
    }

    /// Tokens must be equal, scores nearly so.
    pub fn compare(&self, name: &str, sampling: Option<&Sampling>, picks: &[Result<Pick, NoChoice>]) {
        assert_eq!(picks.len(), self.logits.len());
        for (row, pick) in picks.iter().enumerate() {
            let context = format!("{name}, vocabulary {}, row {row}, {sampling:?}", self.vocabulary);
            let (pick, wanted) = match (pick, Naive::of(self, row, sampling).pick) {
                (Err(none), wanted) => {
                    assert_eq!(Err(*none), wanted, "{context}");
                    continue;
                }
                (Ok(pick), wanted) => (pick, wanted.expect(&context)),
            };
            assert_eq!((pick.token, pick.best), (wanted.token, wanted.best), "{context}");
            assert_eq!((pick.rank, pick.changed_best), (wanted.rank, wanted.changed_best), "{context}");
            let near = |a: f64, b: f64, what: &str| {
                assert!((a - b).abs() <= 2e-5 * (1.0 + b.abs()), "{context}: {what} {a} for {b}");
            };
            near(pick.log_probability, wanted.log_probability, "log-probability");
            near(pick.kept_log_mass, wanted.kept_log_mass, "mass");
            near(pick.entropy, wanted.entropy, "entropy");
            near(pick.kept_entropy, wanted.kept_entropy, "entropy under the mask");
        }
    }
}

/// What the naive loop finds in a row.
pub struct Naive {
    pub pick: Result<Pick, NoChoice>,
    /// How far the draw lies from the borders of its token, as a share of the total.
    pub margin: f64,
}

impl Naive {
    /// Sorts all, walks all, one filter after the other.
    pub fn of(case: &Case, row: usize, sampling: Option<&Sampling>) -> Naive {
        let logits = &case.logits[row];
        let allowed: Vec<usize> = (0..logits.len()).filter(|&token| case.allows(row, token)).collect();
        let mut order: Vec<usize> = allowed.iter().copied().filter(|&t| logits[t] > f32::NEG_INFINITY).collect();
        order.sort_by(|&a, &b| logits[b].partial_cmp(&logits[a]).unwrap().then(a.cmp(&b)));
        let Some(&best) = order.first() else {
            let nan = allowed.iter().filter(|&&token| logits[token].is_nan()).count();
            let allowed = allowed.len();
            let pick = Err(NoChoice { allowed, nan });
            return Naive { pick, margin: 1.0 };
        };
        let (kept_sum, kept_entropy) = sums(order.iter().map(|&token| logits[token]));
        let (mut token, mut margin) = (best, 1.0);
        if let Some(sampling) = sampling {
            (token, margin) = draw(logits, &mut order, sampling, case.draws()[row]);
        }
        let usable = logits.iter().copied().filter(|logit| *logit > f32::NEG_INFINITY);
        let (sum, entropy) = sums(usable.clone());
        let max = usable.fold(f32::NEG_INFINITY, f32::max);
        let gap = |logit: f32| {
            if logit == max { 0.0 } else { f64::from(logit) - f64::from(max) }
        };
        let pick = Pick {
            token: token as u32,
            best: best as u32,
            log_probability: gap(logits[token]) - sum.ln(),
            entropy,
            kept_log_mass: gap(logits[best]) + kept_sum.ln() - sum.ln(),
            kept_entropy,
            changed_best: logits[best] < max,
            rank: logits.iter().filter(|&&other| other > logits[token]).count() as u32,
        };
        Naive { pick: Ok(pick), margin }
    }
}

/// The sum of the exponentials relative to the greatest, and the entropy.
fn sums(logits: impl Iterator<Item = f32> + Clone) -> (f64, f64) {
    let max = logits.clone().fold(f32::NEG_INFINITY, f32::max);
    let gap = |logit: f32| {
        if logit == max { 0.0 } else { f64::from(logit) - f64::from(max) }
    };
    let sum: f64 = logits.clone().map(|logit| gap(logit).exp()).sum();
    let terms = logits.map(|logit| gap(logit).exp() / sum).filter(|p| *p > 0.0);
    (sum, terms.map(|p| -p * p.ln()).sum())
}

fn draw(logits: &[f32], order: &mut Vec<usize>, sampling: &Sampling, draw: Draw) -> (usize, f64) {
    let scale = units_per_logit(sampling.temperature);
    let max = logits[order[0]];
    let weigh = |token: usize| weight(logits[token], max, scale);
    if sampling.top_k > 0 {
        order.truncate(sampling.top_k);
    }
    if sampling.top_p < 1.0 {
        let needed = part_of(order.iter().map(|&token| weigh(token)).sum(), share(sampling.top_p));
        let mut reached = 0;
        let head = order.iter().take_while(|&&token| {
            let before = reached;
            reached += weigh(token);
            before < needed
        });
        order.truncate(head.count());
    }
    order.retain(|&token| weigh(token) >= least_weight(sampling.min_p));
    order.sort_unstable();
    let total: u64 = order.iter().map(|&token| weigh(token)).sum();
    let target = target(draw.bits(sampling.seed), total);
    let mut reached = 0;
    for &token in order.iter() {
        let before = reached;
        reached += weigh(token);
        if reached > target {
            let margin = (target - before).min(reached - target) as f64 / total as f64;
            return (token, margin);
        }
    }
    unreachable!("the target lies below the total");
}
