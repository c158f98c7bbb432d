//! Times the linear layer on the CPU for the shapes of SmolLM2-135M, beside Burn's own matrix product.
//!
//! `cargo run --release -p gramask-kernels --example linear_speed`
//!
//! Each weight is one of many copies visited in turn, 256 MB in all. So it comes from memory as in a model, and not from a cache
//! near the core. The times are minima, since other programs may be running. The share compares the bytes of weights per second
//! with what a loop that only reads reaches, on as much memory and the same threads.

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

/// Bytes of 16-bit weights that are visited in turn: what a model of this size has. 32-bit weights are twice that.
const MODEL_BYTES: usize = 256 << 20;

fn main() -> Result<(), KernelError> {
    let device = Device::flex();
    let bandwidth = read_bandwidth();
    println!("{}, {} threads; read loop {bandwidth:.1} GB/s", Level::best(), rayon::current_num_threads());
    println!("microseconds per call (GB/s of weights, share of the read loop's)\n");
    println!("layer       in    out  rows    burn f32               ours f32               ours f16    f16 to burn");
    for (name, input, out) in SHAPES {
        let copies = (MODEL_BYTES / (2 * input * out)).max(1);
        let values = Tensor::<2>::random([out, input], Distribution::Uniform(-0.1, 0.1), &device);
        let data = values.to_data().try_to_vec::<f32>().unwrap_or_default();
        // Of Burn's layouts the fastest for each: [in, out] without strides; for the tied head a view of [out, in].
        let plain = if name == "head" {
            values.transpose()
        } else {
            Tensor::from_data(values.transpose().into_data(), &device)
        };
        let plain: Vec<Tensor<2>> = (0..copies.div_ceil(2)).map(|_| copy(&plain)).collect();
        let weights = |kind, count| {
            (0..count).map(|_| Weight::new(data.clone(), out, input, kind, &device)).collect::<Result<Vec<_>, _>>()
        };
        let (full, half) = (weights(WeightType::F32, copies.div_ceil(2))?, weights(WeightType::F16, copies)?);
        for rows in [1, 2, 4, 8, 16, 64, 256] {
            if rows > 16 && name == "head" {
                continue; // a prompt needs the logits of its last token only
            }
            let x = Tensor::<2>::random([rows, input], Distribution::Uniform(-1.0, 1.0), &device);
            let burn = fastest(plain.len(), |i| x.clone().matmul(plain[i].clone()));
            let ours32 = fastest(full.len(), |i| linear(x.clone(), &full[i]));
            let ours16 = fastest(half.len(), |i| linear(x.clone(), &half[i]));
            let rate = |weight: &Weight, time: f64| {
                let rate = weight.bytes() as f64 / time / 1e3;
                format!("{time:10.1} ({rate:4.1}, {:3.0} %)", rate / bandwidth * 100.0)
            };
            println!(
                "{name:9} {input:4} {out:6} {rows:5} {burn:11.1} {} {} {:8.1}x",
                rate(&full[0], ours32),
                rate(&half[0], ours16),
                burn / ours16
            );
        }
    }
    println!("\nread loop again: {:.1} GB/s", read_bandwidth());
    Ok(())
}

/// The same values at another place in memory.
fn copy(tensor: &Tensor<2>) -> Tensor<2> {
    let [rows, columns] = tensor.dims();
    let copy = Tensor::<2>::zeros([columns, rows], &tensor.device())
        .slice_assign([0..columns, 0..rows], tensor.clone().transpose());
    copy.transpose()
}

/// The fastest call, in microseconds, within a sixth of a second and at least six calls.
fn fastest(copies: usize, mut call: impl FnMut(usize) -> Tensor<2>) -> f64 {
    let (start, mut best, mut count) = (Instant::now(), Duration::MAX, 0);
    while count < 6 || start.elapsed() < Duration::from_millis(160) {
        let begin = Instant::now();
        black_box(call(count % copies));
        best = best.min(begin.elapsed());
        count += 1;
    }
    best.as_secs_f64() * 1e6
}

/// What memory gives to a loop that only reads, on all threads, in GB/s: as much memory as the weights take is read in
/// pieces of 2 MB, as long as a call, and the fastest piece counts, as the fastest call does.
fn read_bandwidth() -> f64 {
    const PIECE: usize = 2 << 20;
    let values = vec![1u32; MODEL_BYTES / 4];
    let xor = |part: &[u32]| {
        let lanes = part.as_chunks::<64>().0.iter().fold([0u32; 64], |sum, v| std::array::from_fn(|i| sum[i] ^ v[i]));
        black_box(lanes)[0]
    };
    // On a thread of the pool, where a parallel loop starts without waking anyone first.
    rayon::scope(|_| {
        let mut best = f64::MAX;
        for _ in 0..8 {
            for piece in values.chunks_exact(PIECE / 4) {
                let begin = Instant::now();
                black_box(piece.par_chunks(PIECE / 4 / 16).map(xor).max());
                best = best.min(begin.elapsed().as_secs_f64());
            }
        }
        PIECE as f64 / best / 1e9
    })
}
