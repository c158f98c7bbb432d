//! Training steps on the CPU, beside the matrix product that bounds them.
//!
//! ```text
//! cargo bench -p gramask-benches --bench train
//! cargo bench -p gramask-benches --bench train -- --model seeded-small --steps 2
//! benches/peers/torch_train.py                  # PyTorch on the same shapes
//! ```
//!
//! | option | what it is |
//! |---|---|
//! | `--model` | a shape with random weights: `seeded-135m`, `seeded-0.5b`, `seeded-small` |
//! | `--rank` | of the adapter; 0: all weights are learnt |
//! | `--sequences` | sequences of a step, packed |
//! | `--prefix`, `--prompt`, `--output` | tokens: of the common beginning, of each sequence's own prompt, of its output |
//! | `--steps` | steps that are timed |
//! | `--csv` | also write the rows to this file |
//!
//! A step is one pack, forward and backward, and one update of AdamW. `gflops` counts the products that the mathematics of a step
//! needs. With frozen weights these are two of each matrix for each token: forward, and the gradient of the input. Where the
//! weights are learnt they are three. Adapter, head and attention are added. `of_peak` compares it with the matrix product of a
//! layer's shape on all cores, timed in the same run before and after each step.
#![allow(clippy::print_stdout, reason = "the rows are its output")]

use std::error::Error;
use std::time::Instant;

use gemm::{Parallelism, gemm};
use gramask_benches::{Options, Table, digits, median, seeded_shape};
use gramask_model::checkpoint::{ModelConfig, SeededTensors};
use gramask_model::device::DeviceName;
use gramask_model::tuning::{AdamW, AdamWSettings, Draw, Lora, Pack, Sequence, Target, Tunable};
use rayon::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(&[
        ("model", "seeded-135m"),
        ("rank", "8"),
        ("sequences", "16"),
        ("prefix", "90"),
        ("prompt", "42"),
        ("output", "13"),
        ("steps", "5"),
        ("csv", ""),
    ])?;
    let config = seeded_shape(options.get("model")).ok_or("--model: one of seeded-135m, seeded-0.5b, seeded-small")?;
    let (rank, steps) = (options.number("rank")?, options.number("steps")?);
    let shape = Shape {
        sequences: options.number("sequences")?,
        prefix: options.number("prefix")?,
        prompt: options.number("prompt")?,
        output: options.number("output")?,
    };
    let device = "flex".parse::<DeviceName>()?.open()?;
    let tensors = SeededTensors::new(&config, 1);
    let lora = Lora { rank, alpha: 2.0 * rank as f64, ..Lora::default() };
    let mut model = match rank {
        0 => Tunable::whole(&config, &tensors, &device)?,
        _ => Tunable::with_adapter(&config, &tensors, lora, 1, &device)?,
    };
    let mut optimiser = AdamW::new(AdamWSettings::default(), &model);
    let sequences = shape.sequences(config.vocabulary);
    let pack = Pack::new(&sequences.iter().map(|(p, o)| Sequence { prompt: p, output: o }).collect::<Vec<_>>())?;
    let operations = shape.operations(&config, rank, &pack);
    let (mut seconds, mut peaks) = (Vec::new(), vec![peak(pack.len(), &config)]);
    for step in 0..=steps {
        let clock = Instant::now();
        let found = model.gradients(&pack, 1.0 / pack.predictions.len() as f64, &Draw::default())?;
        optimiser.step(&mut model, found.gradients, 1e-4)?;
        if step > 0 {
            seconds.push(clock.elapsed().as_secs_f64());
        }
        peaks.push(peak(pack.len(), &config));
    }
    let (step, peak) = (median(&mut seconds), median(&mut peaks));
    let achieved = operations / step / 1e9;
    let columns = ["model", "rank", "tokens", "step_s", "tokens_per_s", "gflops", "peak_gflops", "of_peak"];
    let mut table = Table::new(&columns);
    let row = [
        options.get("model").to_owned(),
        rank.to_string(),
        pack.len().to_string(),
        digits(step),
        digits(pack.len() as f64 / step),
        digits(achieved),
        digits(peak),
        digits(achieved / peak),
    ];
    println!("{}", table.add(&row));
    let csv = options.get("csv");
    if !csv.is_empty() {
        table.write(csv.as_ref())?;
    }
    Ok(())
}

/// The sequences of a step.
struct Shape {
    sequences: usize,
    prefix: usize,
    prompt: usize,
    output: usize,
}

impl Shape {
    fn sequences(&self, vocabulary: usize) -> Vec<(Vec<u32>, Vec<u32>)> {
        let token = |number: usize| ((number * 7919 + 13) % vocabulary) as u32;
        let one = |sequence: usize| {
            let own = (0..self.prompt).map(|i| token(1000 * (sequence + 1) + i));
            let prompt = (0..self.prefix).map(token).chain(own).collect();
            (prompt, (0..self.output).map(|i| token(500 * (sequence + 3) + i)).collect())
        };
        (0..self.sequences).map(one).collect()
    }

    /// The multiplications and additions that a step needs.
    fn operations(&self, config: &ModelConfig, rank: usize, pack: &Pack) -> f64 {
        let (tokens, predictions) = (pack.len() as f64, pack.predictions.len() as f64);
        let of = |target: &Target| target.shape(config);
        let layer: f64 = Target::ALL.iter().map(|t| of(t).iter().product::<usize>() as f64).sum();
        let adapter: f64 = Target::ALL.iter().map(|t| (of(t).iter().sum::<usize>() * rank) as f64).sum();
        let head = (config.vocabulary * config.width) as f64;
        let seen: usize = (0..pack.len()).map(|token| pack.seen(token)).map(|(a, b)| a.len() + b.len()).sum();
        // Two products forward; four backward, of which each costs as much.
        let attention = (6 * config.heads * config.head_width * seen) as f64;
        let (weights, adapters) = if rank == 0 { (3.0, 0.0) } else { (2.0, 4.0) };
        let layers = config.layers as f64;
        2.0 * (layers * (tokens * (weights * layer + adapters * adapter) + attention) + weights * head * predictions)
    }
}

/// Operations per nanosecond of `[tokens, width] x [width, 2 * hidden]` on all cores, each with its own rows.
fn peak(tokens: usize, config: &ModelConfig) -> f64 {
    let (inner, columns) = (config.width, 2 * config.hidden);
    let (a, b) = (vec![0.5f32; tokens * inner], vec![0.25f32; columns * inner]);
    let mut out = vec![0f32; tokens * columns];
    let rows = tokens.div_ceil(rayon::current_num_threads());
    let mut seconds: Vec<f64> = (0..3)
        .map(|_| {
            let clock = Instant::now();
            out.par_chunks_mut(rows * columns).zip(a.par_chunks(rows * inner)).for_each(|(out, a)| {
                // SAFETY: `out` is `[rows, columns]`, `a` `[rows, inner]` and `b` `[columns, inner]`, all without gaps.
                unsafe {
                    gemm(
                        a.len() / inner,
                        columns,
                        inner,
                        out.as_mut_ptr(),
                        1,
                        columns as isize,
                        false,
                        a.as_ptr(),
                        1,
                        inner as isize,
                        b.as_ptr(),
                        inner as isize,
                        1,
                        1.0,
                        1.0,
                        false,
                        false,
                        false,
                        Parallelism::None,
                    );
                }
            });
            clock.elapsed().as_secs_f64()
        })
        .collect();
    2.0 * (tokens * inner * columns) as f64 / median(&mut seconds) / 1e9
}
