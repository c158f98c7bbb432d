//! Times the linear layer on the CPU for the shapes of SmolLM2-135M, beside Burn's own matrix product.
//!
//! `cargo run --release -p gramask-kernels --example linear_speed`
//!
//! Each weight is one of many copies visited in turn, as in a model, so that it comes from memory and not from a
//! first-level cache. The times are minima, since other programs may be running; the share is the weight's bytes per
//! second over what a plain read loop reaches on the same threads.

#![allow(clippy::print_stdout)]

use burn::tensor::{Device, Distribution, Tensor};
use gramask_kernels::cpu::Level;
use gramask_kernels::{KernelError, Weight, WeightType, linear};
use rayon::prelude::*;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Outputs and inputs of the layers: queries and output, keys and values, gate and up, down, head.
const SHAPES: [(&str, usize, usize); 5] =
    [("q, o", 576, 576), ("k, v", 576, 192), ("gate, up", 576, 1536), ("down", 1536, 576), ("head", 576, 49152)];

fn main() -> Result<(), KernelError> {
    let device = Device::flex();
    // As the decoding loop does: on a thread of the pool, a parallel loop starts without waking anyone first.
    let bandwidth = read_bandwidth();
    println!("{}, {} threads; read loop {bandwidth:.1} GB/s", Level::best(), rayon::current_num_threads());
    println!("microseconds per call (share of the read loop's bandwidth)\n");
    println!("layer      in    out  rows   burn f32    ours f32          ours f16         speed-up f16");
    for (name, input, out) in SHAPES {
        let copies = (96_000_000 / (2 * input * out)).clamp(1, 128);
        let values = || Tensor::<2>::random([out, input], Distribution::Uniform(-0.1, 0.1), &device);
        let mut plain = Vec::new();
        let (mut full, mut half) = (Vec::new(), Vec::new());
        for _ in 0..copies {
            let values = values();
            let data = || values.to_data().try_to_vec::<f32>().unwrap_or_default();
            full.push(Weight::new(data(), out, input, WeightType::F32, &device)?);
            half.push(Weight::new(data(), out, input, WeightType::F16, &device)?);
            // [in, out] without strides: the layout that Burn's product is fastest with; the tied head is a view.
            let transposed = values.transpose();
            plain.push(if name == "head" { transposed } else { Tensor::from_data(transposed.into_data(), &device) });
        }
        for rows in [1, 2, 4, 8, 16] {
            let x = Tensor::<2>::random([rows, input], Distribution::Uniform(-1.0, 1.0), &device);
            let burn = fastest(copies, |i| x.clone().matmul(plain[i].clone()));
            let ours32 = fastest(copies, |i| linear(x.clone(), &full[i]));
            let ours16 = fastest(copies, |i| linear(x.clone(), &half[i]));
            let share = |weight: &Weight, time: f64| weight.bytes() as f64 / time / 1e3 / bandwidth * 100.0;
            println!(
                "{name:9} {input:4} {out:6} {rows:5} {burn:10.1} {ours32:10.1} ({:3.0} %) {ours16:10.1} ({:3.0} %) {:12.1}x",
                share(&full[0], ours32),
                share(&half[0], ours16),
                burn / ours16
            );
        }
    }
    Ok(())
}

/// The fastest call, in microseconds, within a sixth of a second and at least three rounds of the copies.
fn fastest(copies: usize, mut call: impl FnMut(usize) -> Tensor<2>) -> f64 {
    let (start, mut best, mut count) = (Instant::now(), Duration::MAX, 0);
    while count < 3 * copies.min(40) || start.elapsed() < Duration::from_millis(160) {
        let begin = Instant::now();
        black_box(call(count % copies));
        best = best.min(begin.elapsed());
        count += 1;
    }
    best.as_secs_f64() * 1e6
}

/// Sums 256 MB on all threads, in GB/s: what memory gives to a loop that only reads.
fn read_bandwidth() -> f64 {
    let values = vec![1u64; 32 << 20];
    let mut best = f64::MAX;
    for _ in 0..12 {
        let begin = Instant::now();
        let sum: u64 = values.par_chunks(1 << 16).map(|part| part.iter().fold(0u64, |sum, v| sum.wrapping_add(*v))).sum();
        black_box(sum);
        best = best.min(begin.elapsed().as_secs_f64());
    }
    (values.len() * 8) as f64 / best / 1e9
}
