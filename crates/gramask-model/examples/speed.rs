//! Tokens per second of a checkpoint: `speed MODEL [DEVICE] [WEIGHTS] [BATCH]`.
//!
//! Prints prefill of a long prompt, and decode steps of 1 and 8 sequences after a 256-token prompt. It also prints the bytes of
//! weights that a second of decoding reads, to compare with the memory's bandwidth.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Instant;

use gramask_model::cache::Cache;
use gramask_model::checkpoint::Checkpoint;
use gramask_model::device::DeviceName;
use gramask_model::transformer::{Row, Select, Transformer, WeightChoice, WeightType};

/// Steps are timed one by one; the median is not moved by another process that wakes up.
const STEPS: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().ok_or("usage: speed MODEL [DEVICE] [WEIGHTS]")?;
    let device = arguments.get(1).map_or("flex", String::as_str).parse::<DeviceName>()?.open()?;
    let types: Vec<WeightChoice> = match arguments.get(2).map(String::as_str) {
        None => vec![WeightType::F32.into(), WeightType::F16.into()],
        Some(weights) => vec![weights.parse()?],
    };
    let checkpoint = Checkpoint::open(path.as_ref())?;
    for weights in types {
        let start = Instant::now();
        let model = Transformer::load(&checkpoint, &device, weights)?;
        let bytes = model.weight_bytes();
        println!("{weights}: {} MB of weights, loaded in {:.2} s", bytes / 1_000_000, start.elapsed().as_secs_f64());
        for tokens in [64, 512] {
            let prompt = prompt(&model, tokens);
            let mut cache = Cache::new(model.config(), 1, tokens, &device)?;
            let seconds = median(3, || {
                cache.clear(0)?;
                run(&model, &mut cache, &[Row { slot: 0, tokens: &prompt }])
            })?;
            println!("  prefill of {tokens:4} tokens: {:7.0} tokens/s", tokens as f64 / seconds);
        }
        for batch in arguments.get(3).map_or(vec![1, 8], |b| b.parse().map_or(vec![1, 8], |b| vec![b])) {
            let prompt = prompt(&model, 256);
            let mut cache = Cache::new(model.config(), batch, 512, &device)?;
            run(&model, &mut cache, &[Row { slot: 0, tokens: &prompt }])?;
            for slot in 1..batch {
                cache.copy(0, slot, prompt.len())?;
            }
            let rows: Vec<_> = (0..batch).map(|slot| Row { slot, tokens: &prompt[slot..=slot] }).collect();
            let seconds = median(STEPS, || run(&model, &mut cache, &rows))?;
            println!(
                "  decode, batch {batch}: {:7.1} tokens/s, {:6.2} ms a step, {:5.1} GB/s of weights",
                batch as f64 / seconds,
                1e3 * seconds,
                bytes as f64 / seconds / 1e9
            );
        }
    }
    Ok(())
}

fn prompt(model: &Transformer, tokens: usize) -> Vec<u32> {
    (0..tokens).map(|i| (i * 7919 % model.config().vocabulary) as u32).collect()
}

/// One pass, and its logits brought to the host as decoding does.
fn run(model: &Transformer, cache: &mut Cache, rows: &[Row<'_>]) -> Result<(), Box<dyn Error>> {
    let logits = model.forward(cache, rows, Select::Last)?.try_into_data()?;
    if logits.num_elements() == rows.len() * model.config().vocabulary { Ok(()) } else { Err("lost logits".into()) }
}

fn median(times: usize, mut f: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    f()?;
    let mut seconds = Vec::with_capacity(times);
    for _ in 0..times {
        let start = Instant::now();
        f()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[times / 2])
}
