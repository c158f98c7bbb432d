//! Tokens per second of candle: `candle-decode MODEL WEIGHTS BATCH PROMPT TOKENS`.
//!
//! `MODEL` is a Hugging Face folder of the Llama family for the weights `f32` and `f16`, and a `.gguf` file otherwise;
//! then `WEIGHTS` is what the row calls them. `PROMPT` is a file of token ids. Prints one JSON line like those of the
//! other programs of `scripts/peers.sh`. A step is: one forward pass, the logits of each sequence on the host, the most
//! likely token of each.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

use candle_core::quantized::gguf_file::Content;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Config, Llama, LlamaConfig};
use candle_transformers::models::quantized_llama::ModelWeights;
use serde_json::json;

/// Prefills that are timed, after one that warms up.
const PREFILLS: usize = 3;

enum Model {
    Plain { model: Box<Llama>, cache: Cache, config: Config, weights: DType },
    Quantised(Box<ModelWeights>),
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, weights, batch, prompt, tokens] = arguments.as_slice() else {
        return Err("usage: candle-decode MODEL WEIGHTS BATCH PROMPT TOKENS".into());
    };
    let (batch, tokens): (usize, usize) = (batch.parse()?, tokens.parse()?);
    let prompt = std::fs::read_to_string(prompt)?;
    let prompt: Vec<u32> = prompt.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let (mut model, bytes) = match weights.as_str() {
        "f32" => plain(path.as_ref(), DType::F32)?,
        "f16" => plain(path.as_ref(), DType::F16)?,
        _ => quantised(path.as_ref())?,
    };

    let mut prefills = Vec::new();
    let mut chosen = Vec::new();
    for _ in 0..=PREFILLS {
        model.clear()?;
        let start = Instant::now();
        chosen = model.step(&vec![prompt.clone(); batch], 0)?;
        prefills.push(start.elapsed().as_secs_f64());
    }
    let (mut written, mut steps) = (vec![chosen[0]], Vec::new());
    while written.len() < tokens {
        let start = Instant::now();
        let rows: Vec<Vec<u32>> = chosen.iter().map(|&token| vec![token]).collect();
        chosen = model.step(&rows, prompt.len() + written.len() - 1)?;
        steps.push(start.elapsed().as_secs_f64());
        written.push(chosen[0]);
    }
    let step = median(&mut steps);
    let row = json!({
        "engine": "candle 0.11.1",
        "weights": weights,
        "batch": batch,
        "prefill": (batch * prompt.len()) as f64 / median(&mut prefills[1..]),
        "decode": batch as f64 / step,
        "step_ms": 1e3 * step,
        "bytes": bytes,
        "threads": candle_core::utils::get_num_threads(),
        "tokens": written,
    });
    println!("{row}");
    Ok(())
}

/// A folder's model, and the bytes of its weights as they are kept.
fn plain(folder: &Path, weights: DType) -> Result<(Model, usize), Box<dyn Error>> {
    let config: LlamaConfig = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
    let config = config.into_config(false);
    let file = folder.join("model.safetensors");
    let elements: usize = candle_core::safetensors::load(&file, &Device::Cpu)?.values().map(Tensor::elem_count).sum();
    // SAFETY: the file is not changed while it is mapped.
    let tensors = unsafe { VarBuilder::from_mmaped_safetensors(&[file], weights, &Device::Cpu)? };
    let model = Box::new(Llama::load(tensors, &config)?);
    let cache = Cache::new(true, weights, &config, &Device::Cpu)?;
    let bytes = elements * weights.size_in_bytes();
    Ok((Model::Plain { model, cache, config, weights }, bytes))
}

/// A GGUF file's model, and the bytes of its tensors.
fn quantised(path: &Path) -> Result<(Model, usize), Box<dyn Error>> {
    let mut file = File::open(path)?;
    let content = Content::read(&mut file)?;
    let bytes = content
        .tensor_infos
        .values()
        .map(|tensor| tensor.shape.elem_count() / tensor.ggml_dtype.block_size() * tensor.ggml_dtype.type_size())
        .sum();
    let model = ModelWeights::from_gguf(content, &mut file, &Device::Cpu)?;
    Ok((Model::Quantised(Box::new(model)), bytes))
}

impl Model {
    fn clear(&mut self) -> Result<(), Box<dyn Error>> {
        match self {
            Model::Plain { cache, config, weights, .. } => *cache = Cache::new(true, *weights, config, &Device::Cpu)?,
            Model::Quantised(model) => model.clear_kv_cache(),
        }
        Ok(())
    }

    /// Appends each sequence's row at position `start` and gives the most likely token after each.
    fn step(&mut self, rows: &[Vec<u32>], start: usize) -> Result<Vec<u32>, Box<dyn Error>> {
        let shape = (rows.len(), rows[0].len());
        let input = Tensor::from_vec(rows.concat(), shape, &Device::Cpu)?;
        let logits = match self {
            Model::Plain { model, cache, .. } => model.forward(&input, start, cache)?,
            Model::Quantised(model) => model.forward(&input, start)?,
        };
        let logits: Vec<Vec<f32>> = logits.to_dtype(DType::F32)?.to_vec2()?;
        Ok(logits.iter().map(|logits| most_likely(logits)).collect())
    }
}

fn most_likely(logits: &[f32]) -> u32 {
    let best = |best: (usize, f32), (id, &logit)| if logit > best.1 { (id, logit) } else { best };
    logits.iter().enumerate().fold((0, f32::NEG_INFINITY), best).0 as u32
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
