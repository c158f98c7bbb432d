//! Times a decoding step's attention on the CPU, for the heads of SmolLM2-135M, beside plain tensor operations.
//!
//! `cargo run --release -p gramask-kernels --example attention_speed`

#![allow(clippy::print_stdout)]

use burn::tensor::{Device, Distribution, Tensor};
use gramask_kernels::{KernelError, decode_attention_reference, try_decode_attention};
use std::hint::black_box;
use std::time::{Duration, Instant};

fn main() -> Result<(), KernelError> {
    let device = Device::flex();
    println!("microseconds per call, the fastest of a quarter of a second; 9 heads, 3 key heads, dim 64\n");
    println!("sequences  length    plain ops    ours  speed-up   GB/s");
    for batch in [1, 8, 16] {
        let cache = || Tensor::<4>::random([batch, 3, 1024, 64], Distribution::Uniform(-1.0, 1.0), &device);
        let q = Tensor::<3>::random([batch, 9, 64], Distribution::Uniform(-1.0, 1.0), &device);
        let (k, v) = (cache(), cache());
        let slots: Vec<usize> = (0..batch).collect();
        for length in [64, 256, 1000] {
            let lengths = vec![length; batch];
            let plain = fastest(|| decode_attention_reference(q.clone(), k.clone(), v.clone(), &lengths, &slots))?;
            let ours = fastest(|| try_decode_attention(q.clone(), k.clone(), v.clone(), &lengths, &slots))?;
            let bytes = (batch * 3 * length * 64 * 4 * 2) as f64;
            println!(
                "{batch:9} {length:7} {plain:12.1} {ours:7.1} {:8.1}x {:6.1}",
                plain / ours,
                bytes / ours / 1e3
            );
        }
    }
    Ok(())
}

fn fastest(mut call: impl FnMut() -> Result<Tensor<3>, KernelError>) -> Result<f64, KernelError> {
    let (start, mut best) = (Instant::now(), Duration::MAX);
    while start.elapsed() < Duration::from_millis(250) {
        let begin = Instant::now();
        black_box(call()?);
        best = best.min(begin.elapsed());
    }
    Ok(best.as_secs_f64() * 1e6)
}
