//! Times a decoding step's attention on the CPU, for the heads of SmolLM2-135M, beside plain tensor operations. Once every
//! sequence reads its own slot alone. Once the first three quarters of each are read in one place, as a shared prefix is.
//!
//! `cargo run --release -p gramask-kernels --example attention_speed`

#![allow(clippy::print_stdout)]

use burn::tensor::{Device, Distribution, Tensor};
use gramask_kernels::KernelError;
use gramask_kernels::attention::{Prefix, Span};
use gramask_kernels::attention::{decode_attention, decode_attention_reference};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Caches that take turns, as a model's layers do: what one call has read is gone from the processor's caches by the next.
const LAYERS: usize = 6;

fn main() -> Result<(), KernelError> {
    let device = Device::flex();
    println!("microseconds per call, the fastest of a quarter of a second; 9 heads, 3 key heads, dim 64\n");
    println!("sequences  length    plain ops    ours  speed-up   GB/s  shared  speed-up");
    for batch in [1, 8, 16] {
        let cache = |_| Tensor::<4>::random([batch, 3, 1024, 64], Distribution::Uniform(-1.0, 1.0), &device);
        let q = Tensor::<3>::random([batch, 9, 64], Distribution::Uniform(-1.0, 1.0), &device);
        let caches: Vec<_> = (0..LAYERS).map(|layer| (cache(layer), cache(layer))).collect();
        for length in [64, 256, 1000] {
            let own: Vec<Span> = (0..batch).map(|slot| Span::new(slot, length)).collect();
            let prefix = Prefix { slot: 0, length: length * 3 / 4 };
            let shared: Vec<Span> = own.iter().map(|span| Span { prefix, ..*span }).collect();
            let plain = fastest(&caches, |k, v| decode_attention_reference(q.clone(), k, v, &own))?;
            let ours = fastest(&caches, |k, v| decode_attention(q.clone(), k, v, &own))?;
            let together = fastest(&caches, |k, v| decode_attention(q.clone(), k, v, &shared))?;
            let bytes = (batch * 3 * length * 64 * 4 * 2) as f64;
            println!(
                "{batch:9} {length:7} {plain:12.1} {ours:7.1} {:8.1}x {:6.1} {together:7.1} {:8.2}x",
                plain / ours,
                bytes / ours / 1e3,
                ours / together
            );
        }
    }
    Ok(())
}

fn fastest(
    caches: &[(Tensor<4>, Tensor<4>)],
    mut call: impl FnMut(Tensor<4>, Tensor<4>) -> Result<Tensor<3>, KernelError>,
) -> Result<f64, KernelError> {
    let (start, mut best) = (Instant::now(), Duration::MAX);
    for (k, v) in caches.iter().cycle() {
        if start.elapsed() >= Duration::from_millis(250) {
            break;
        }
        let begin = Instant::now();
        black_box(call(k.clone(), v.clone())?);
        best = best.min(begin.elapsed());
    }
    Ok(best.as_secs_f64() * 1e6)
}
