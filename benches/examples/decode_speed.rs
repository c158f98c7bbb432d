//! Tokens per second of Gramask: `decode_speed MODEL WEIGHTS BATCH PROMPT TOKENS [DEVICE]`.
//!
//! `WEIGHTS` is `f32`, `f16`, `q8_0`, `q4_1` or `file` (as the checkpoint has them), `PROMPT` a file of token ids. Prints one JSON line like those of the other programs of `scripts/peers.sh`. A step
//! is: one forward pass, the logits of each sequence on the host, the most likely token of each.
#![allow(clippy::print_stdout, reason = "the row is its output")]

use std::error::Error;
use std::time::Instant;

use gramask_benches::{median, most_likely};
use gramask_model::cache::Cache;
use gramask_model::checkpoint::Checkpoint;
use gramask_model::device::DeviceName;
use gramask_model::transformer::{Row, Select, Transformer, WeightChoice};

/// Prefills that are timed, after one that warms up.
const PREFILLS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, weights, batch, prompt, tokens, device @ ..] = arguments.as_slice() else {
        return Err("usage: decode_speed MODEL WEIGHTS BATCH PROMPT TOKENS [DEVICE]".into());
    };
    let weights: WeightChoice = weights.parse()?;
    let (batch, tokens): (usize, usize) = (batch.parse()?, tokens.parse()?);
    let prompt = std::fs::read_to_string(prompt)?;
    let prompt: Vec<u32> = prompt.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let device = device.first().map_or("flex", String::as_str);
    let device = device.parse::<DeviceName>()?.open()?;
    let model = Transformer::load(&Checkpoint::open(path.as_ref())?, &device, weights)?;
    let mut cache = Cache::new(model.config(), batch, prompt.len() + tokens, &device)?;

    let (mut prefills, mut chosen) = (Vec::new(), Vec::new());
    for _ in 0..=PREFILLS {
        for slot in 0..batch {
            cache.clear(slot)?;
        }
        let start = Instant::now();
        chosen = step(&model, &mut cache, &vec![prompt.clone(); batch])?;
        prefills.push(start.elapsed().as_secs_f64());
    }
    let (mut written, mut steps) = (vec![chosen[0]], Vec::new());
    while written.len() < tokens {
        let start = Instant::now();
        let rows: Vec<Vec<u32>> = chosen.iter().map(|&token| vec![token]).collect();
        chosen = step(&model, &mut cache, &rows)?;
        steps.push(start.elapsed().as_secs_f64());
        written.push(chosen[0]);
    }
    let threads = std::env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok());
    let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let (prefill, step) = (median(&mut prefills[1..]), median(&mut steps));
    println!(
        "{{\"engine\":\"gramask {}\",\"weights\":\"{weights}\",\"batch\":{batch},\"prefill\":{:.1},\"decode\":{:.2},\
         \"step_ms\":{:.3},\"bytes\":{},\"threads\":{threads},\"tokens\":{written:?}}}",
        env!("CARGO_PKG_VERSION"),
        (batch * prompt.len()) as f64 / prefill,
        batch as f64 / step,
        1e3 * step,
        model.weight_bytes(),
    );
    Ok(())
}

/// Appends to each slot its row and gives the most likely token after each.
fn step(model: &Transformer, cache: &mut Cache, rows: &[Vec<u32>]) -> Result<Vec<u32>, Box<dyn Error>> {
    let rows: Vec<Row<'_>> = rows.iter().enumerate().map(|(slot, tokens)| Row { slot, tokens }).collect();
    let logits = model.forward(cache, &rows, Select::Last)?.try_into_data()?;
    let logits: Vec<f32> = logits.try_into_vec()?;
    Ok(logits.chunks_exact(model.config().vocabulary).map(most_likely).collect())
}
