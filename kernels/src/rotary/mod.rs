//! Rotary positions (Su et al. 2021, "RoFormer", section 3.2.2), in the rotate-half form of the Hugging Face models.
//!
//! Elements `i` and `i + width / 2` of a head are one pair, which is rotated by the position times the pair's frequency. (The
//! paper, and GGUF files of Llama models, pair the neighbours `2i` and `2i + 1`; the loader undoes that.)
//!
//! [`rotate_reference`] is the definition. The CPU rotates queries ([`rotate`]) and writes rotated keys ([`store`]). On a GPU
//! [`rotate_store`] is one kernel from the product of queries, keys and values to the cache. Bias (Qwen2), norms of heads
//! (Qwen3), rotation and the write all work within one head of one token.

mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
mod reference;

pub use cpu::{rotate, rotate_head, store};
pub use reference::{rotate_reference, rotate_store_reference};

use crate::TokenBatch;
use burn::tensor::{DType, Device, Tensor, TensorData};

/// The rotation of a model's heads: pair `i` of a token at position `p` turns by `p * frequencies[i]`, and its length is
/// multiplied by `magnitude`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotation {
    /// The angle per position of each pair. `[width / 2]`
    pub frequencies: Vec<f64>,
    /// 1, except where frequencies are scaled by a rule that also stretches heads (YaRN).
    pub magnitude: f64,
}

impl Rotation {
    /// Cosine and sine of each pair at this position, times the magnitude. They are computed in 64 bits: at position 8000
    /// an angle in 32 bits is off by up to 5e-4. `[width / 2]`
    pub fn at(&self, position: usize) -> impl Iterator<Item = (f32, f32)> {
        self.frequencies.iter().map(move |frequency| {
            let (sin, cos) = (position as f64 * frequency).sin_cos();
            ((cos * self.magnitude) as f32, (sin * self.magnitude) as f32)
        })
    }
}

/// The place of one token in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachePlace {
    /// The slot of its sequence.
    pub slot: usize,
    /// Its position in the sequence.
    pub position: usize,
}

/// The places of the tokens of a pass, and the angles of their positions, on the host.
#[derive(Clone, Debug)]
pub struct HostPositions {
    /// `[tokens]`
    pub places: Vec<CachePlace>,
    /// Cosine of each pair's angle. `[tokens, width / 2]`
    pub cos: Vec<f32>,
    /// Sine of each pair's angle. `[tokens, width / 2]`
    pub sin: Vec<f32>,
}

impl HostPositions {
    /// Computes the angles of these places.
    pub fn new(places: Vec<CachePlace>, rotation: &Rotation) -> Self {
        let (cos, sin) = places.iter().flat_map(|place| rotation.at(place.position)).unzip();
        HostPositions { places, cos, sin }
    }

    /// Cosines and sines of a token. `width / 2` each
    pub(crate) fn angles(&self, token: usize) -> (&[f32], &[f32]) {
        let half = self.cos.len() / self.places.len();
        (&self.cos[token * half..][..half], &self.sin[token * half..][..half])
    }
}

/// How a row `[queries, keys, values]` is divided, and what is done to its heads.
#[derive(Clone, Debug)]
pub struct Heads<'a> {
    /// Query heads.
    pub heads: usize,
    /// Heads of keys, and of values.
    pub kv_heads: usize,
    /// Numbers per head; even.
    pub width: usize,
    /// Added to the row first. `[(heads + 2 * kv_heads) * width]`, f32
    pub bias: Option<&'a Tensor<1>>,
    /// RMSNorm weights of each head's queries and keys, before the rotation. `[width]` each, f32
    pub norms: Option<(&'a Tensor<1>, &'a Tensor<1>)>,
    /// Added to the mean square where heads are normalised.
    pub epsilon: f64,
    /// Cosines and sines by position, of [`angles`].
    pub angles: &'a Tensor<2>,
}

/// What [`rotate_store`] makes.
#[derive(Debug)]
pub struct Rotated {
    /// `[tokens, heads, width]`
    pub query: Tensor<3>,
    /// The cache's keys with those of the pass. `[slots, kv_heads, capacity, width]`
    pub keys: Tensor<4>,
    /// The cache's values with those of the pass.
    pub values: Tensor<4>,
}

/// A table of the cosines, then the sines, of each position: see [`Rotation::at`].
///
/// # Shapes
/// `[positions, width]`, f32
pub fn angles(positions: usize, rotation: &Rotation, device: &Device) -> Tensor<2> {
    let width = 2 * rotation.frequencies.len();
    let mut table = Vec::with_capacity(positions * width);
    for position in 0..positions {
        let (cos, sin): (Vec<f32>, Vec<f32>) = rotation.at(position).unzip();
        table.extend(cos.into_iter().chain(sin));
    }
    // In one dimension, so that no device spaces the rows out.
    let data = TensorData::new(table, [positions * width]);
    Tensor::<1>::from_data(data, (device, DType::F32)).reshape([positions, width])
}

/// Rotates queries and keys by their tokens' positions and writes keys and values to their places in the cache, in place
/// where nobody else holds it.
///
/// # Shapes
/// - `qkv`: `[tokens, (heads + 2 * kv_heads) * width]`, any float type, which is the result's
/// - `keys`, `values`: `[slots, kv_heads, capacity, width]`, one float type; every place is within
pub fn rotate_store(
    qkv: Tensor<2>,
    heads: &Heads<'_>,
    batch: &TokenBatch,
    keys: Tensor<4>,
    values: Tensor<4>,
) -> Rotated {
    #[cfg(feature = "gpu")]
    if crate::has_gpu_kernels(&qkv.device()) {
        return gpu::rotate_store(qkv, heads, batch, keys, values);
    }
    rotate_store_reference(qkv, heads, batch, keys, values)
}
