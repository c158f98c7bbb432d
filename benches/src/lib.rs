//! What the benches share: where the real model is, and the text that every engine is timed on.
//!
//! | | |
//! |---|---|
//! | `benches/kernels/` | each kernel against its unfused reference, and the device's bandwidth |
//! | `benches/decode.rs` | prefill, decoding steps, and what masks add to a step, by device, batch, context and type |
//! | `benches/train.rs` | training steps beside the matrix product that bounds them |
//! | `benches/masks/` | masks beside other engines, and over a whole corpus |
//! | `benches/maskbench/` | masks of JSON Schemas beside other engines, by MaskBench's method |
//! | `examples/decode_speed.rs` | one timed run as a JSON line, for the comparison of engines |
//! | `examples/bandwidth.rs` | the memory bandwidth that bounds decoding |
//! | `peers/` | the same runs by other engines; not part of the workspace |
//!
//! `scripts/peers.sh` runs the last three side by side; `docs/performance.md` explains the columns of its table.
//!
//! ```
//! let prompt = gramask_benches::prompt();
//! assert_eq!(prompt.len(), 64);
//! if let Some(model) = gramask_benches::model_path() {
//!     assert!(model.exists());
//! }
//! ```

mod clock;
mod models;
mod options;
mod table;

use std::path::PathBuf;

pub use clock::{copy_bandwidth, time};
pub use models::{SEEDED, Timed, seeded_shape};
pub use options::Options;
pub use table::{Table, digits};

/// The prompt of `peers/prompt.txt`: 64 token ids of SmolLM2's tokenizer, the beginning of a paragraph about dyes.
///
/// Greedy decoding goes on from there for more than 128 tokens without an end token, so that all engines can be given
/// the same number of steps.
pub fn prompt() -> Vec<u32> {
    include_str!("../peers/prompt.txt").split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// SmolLM2-135M-Instruct: `$GRAMASK_MODEL`, else where `gramask pull smollm2-135m-instruct` puts it; `None` where
/// there is no such file.
pub fn model_path() -> Option<PathBuf> {
    set("GRAMASK_MODEL")
        .or_else(|| in_cache("smollm2-135m-instruct", "SmolLM2-135M-Instruct.Q4_1.gguf"))
        .filter(|path| path.exists())
}

/// Where `gramask pull` puts a vocabulary of this name; `None` where it is not.
pub fn vocabulary_path(name: &str) -> Option<PathBuf> {
    in_cache(name, "tokenizer.json").filter(|path| path.exists())
}

/// A file of the catalogue's model or vocabulary `name` in the cache of pulled ones.
fn in_cache(name: &str, file: &str) -> Option<PathBuf> {
    let user = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let cache = set("GRAMASK_CACHE").or_else(|| Some(user()?.join("gramask")))?;
    Some(cache.join("models").join(name).join(file))
}

/// A path in an environment variable.
fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The id of the largest logit; the first of several that are equal.
pub fn most_likely(logits: &[f32]) -> u32 {
    let best = |best: (usize, f32), (id, &logit): (usize, &f32)| if logit > best.1 { (id, logit) } else { best };
    logits.iter().enumerate().fold((0, f32::NEG_INFINITY), best).0 as u32
}

/// The middle of some measurements, which another process that wakes up does not move. 0 where there are none.
pub fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_is_of_the_models_vocabulary() {
        assert_eq!(prompt()[..3], [504, 1463, 282]);
        assert!(prompt().iter().all(|&id| id < 49_152));
    }

    #[test]
    fn the_first_of_the_largest_wins() {
        assert_eq!(most_likely(&[0.0, 2.0, -1.0, 2.0]), 1);
        assert_eq!(median(&mut [3.0, 1.0, 9.0]), 3.0);
    }
}
