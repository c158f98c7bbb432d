//! The memory bandwidth of reading: `bandwidth [THREADS [MEGABYTES]]`, by default all cores and 1000 MB.
//!
//! A decoding step at batch 1 reads every weight once and does next to nothing with it, so bytes of weights over
//! bandwidth bounds its time from below. Prints one JSON line with the best of several passes.
#![allow(clippy::print_stdout, reason = "the row is its output")]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

const PASSES: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = arguments.next().transpose()?.unwrap_or(cores).max(1);
    let megabytes = arguments.next().transpose()?.unwrap_or(1000).max(1);
    // Numbers that are not zero: pages of zeros need not be in memory.
    let words: Vec<u64> = (0..megabytes as u64 * 1_000_000 / 8).collect();
    let part = words.len().div_ceil(threads);
    let mut best = f64::INFINITY;
    for _ in 0..PASSES {
        let start = Instant::now();
        let total = std::thread::scope(|scope| {
            let parts: Vec<_> = words.chunks(part).map(|words| scope.spawn(|| sum(words))).collect();
            parts.into_iter().filter_map(|part| part.join().ok()).fold(0, u64::wrapping_add)
        });
        best = best.min(start.elapsed().as_secs_f64());
        black_box(total);
    }
    let gigabytes = (words.len() * 8) as f64 / best / 1e9;
    println!("{{\"bandwidth\":{gigabytes:.2},\"threads\":{threads},\"megabytes\":{megabytes}}}");
    Ok(())
}

/// Adds words in as many lanes as keep the loads going; the widest vectors that the processor has.
fn sum(words: &[u64]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { sum_avx2(words) };
    }
    sum_lanes(words)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sum_avx2(words: &[u64]) -> u64 {
    sum_lanes(words)
}

#[inline(always)]
fn sum_lanes(words: &[u64]) -> u64 {
    let mut lanes = [0u64; 32];
    let blocks = words.chunks_exact(lanes.len());
    let rest = blocks.remainder().iter().fold(0, |sum: u64, &word| sum.wrapping_add(word));
    for block in blocks {
        for (lane, &word) in lanes.iter_mut().zip(block) {
            *lane = lane.wrapping_add(word);
        }
    }
    lanes.iter().fold(rest, |sum, &lane| sum.wrapping_add(lane))
}
