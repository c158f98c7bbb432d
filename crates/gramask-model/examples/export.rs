//! Writes a checkpoint as a Hugging Face folder: `export [MODEL] FOLDER [f32|f16]`.
//!
//! `MODEL` is a GGUF file or a folder; without it, `$GRAMASK_MODEL` or else what `gramask pull smollm2-135m-instruct`
//! has brought. Quantised tensors are written as the numbers that they stand for, so that programs which don't read
//! GGUF files compute with the same weights.
#![allow(clippy::print_stdout, reason = "an example's output")]

use std::error::Error;
use std::path::PathBuf;

use gramask_model::checkpoint::Checkpoint;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let half = match arguments.last().map(String::as_str) {
        Some(last @ ("f32" | "f16")) => {
            let half = last == "f16";
            arguments.pop();
            half
        }
        _ => false,
    };
    let (model, folder) = match arguments.as_slice() {
        [folder] => (pulled()?, PathBuf::from(folder)),
        [model, folder] => (PathBuf::from(model), PathBuf::from(folder)),
        _ => return Err("usage: export [MODEL] FOLDER [f32|f16]".into()),
    };
    let checkpoint = Checkpoint::open(&model)?;
    std::fs::create_dir_all(&folder)?;
    if folder.canonicalize()? == model.canonicalize()? {
        return Err(format!("{}: model and target are the same folder", folder.display()).into());
    }
    let bytes = checkpoint.write(&folder, half)?;
    println!("{}: {:.1} MB of weights", folder.display(), bytes as f64 / 1e6);
    Ok(())
}

/// The model of `$GRAMASK_MODEL`, else the one in the cache of `gramask pull`.
fn pulled() -> Result<PathBuf, Box<dyn Error>> {
    const FILE: &str = "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let cache = || set("GRAMASK_CACHE").or_else(|| Some(user()?.join("gramask")));
    set("GRAMASK_MODEL")
        .or_else(|| Some(cache()?.join(FILE)))
        .filter(|path| path.exists())
        .ok_or_else(|| "no model: name one, set GRAMASK_MODEL, or `gramask pull smollm2-135m-instruct`".into())
}
