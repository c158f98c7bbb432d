//! The whole model: embedding, layers, norm, head.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::{Device, Int, Tensor, TensorData};
use gramask_kernels::has_gpu_kernels;

use super::block::Block;
use super::fused::Kernels;
use super::linear::Linear;
use super::norm::RmsNorm;
use super::step::{LayerPath, Plan, Portable, Row, Scope, Select, Step, View};
use super::{Dtype, ModelError, Precision, WeightChoice};
use crate::cache::{Cache, CacheError};
use crate::checkpoint::ModelConfig;
use crate::device::is_flex;

/// A decoder-only transformer with its weights on a device.
///
/// It does not change while it runs; what a sequence has seen is in the [`Cache`]. Made by
/// [`Transformer::load`].
pub struct Transformer {
    pub(crate) config: ModelConfig,
    pub(crate) embedding: Linear,
    pub(crate) blocks: Vec<Block>,
    pub(crate) norm: RmsNorm,
    /// `None`: the embedding is the head.
    pub(crate) head: Option<Linear>,
    /// What layers see and how they rotate heads; each layer has the number of its scope.
    pub(crate) scopes: Vec<Scope>,
    /// What embeddings are multiplied by.
    pub(crate) embedding_scale: Option<f32>,
    pub(crate) weights: WeightChoice,
    pub(crate) dtype: Dtype,
    pub(crate) device: Device,
    pub(crate) path: ComputePath,
    /// Decoding steps are recorded and replayed.
    pub(crate) recording: bool,
    /// No other model of this process has it.
    pub(crate) number: u64,
}

/// How a model computes on its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ComputePath {
    /// In the CPU kernels.
    Native,
    /// In the GPU kernels.
    Fused(Kernels),
    /// In tensor operations.
    Portable,
}

/// The number of the next model.
pub(crate) fn next_number() -> u64 {
    static MODELS: AtomicU64 = AtomicU64::new(0);
    MODELS.fetch_add(1, Ordering::Relaxed)
}

impl fmt::Debug for Transformer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transformer")
            .field("config", &self.config)
            .field("precision", &self.precision())
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

impl Transformer {
    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Where the weights are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How the weights are kept.
    pub fn weights(&self) -> WeightChoice {
        self.weights
    }

    /// What activations, and the caches of [`Transformer::cache`], are kept in.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// How the weights are kept and what is computed in.
    pub fn precision(&self) -> Precision {
        Precision::from(self.weights).with_dtype(self.dtype)
    }

    /// A cache for this model, on its device and in its type, of `slots` sequences of up to `capacity` tokens each.
    ///
    /// # Errors
    /// As [`Cache::new`].
    pub fn cache(&self, slots: usize, capacity: usize) -> Result<Cache, CacheError> {
        Cache::with_dtype(&self.config, slots, capacity, &self.device, self.dtype)
    }

    /// Memory that the weight matrices take, in bytes: what a decoding step reads of them.
    pub fn weight_bytes(&self) -> usize {
        let blocks = self.blocks.iter().flat_map(|block| {
            let (attention, feed_forward) = (&block.attention, &block.feed_forward);
            [&attention.qkv, &attention.output, &feed_forward.gate_up, &feed_forward.down]
        });
        let around = [Some(&self.embedding), self.head.as_ref()];
        blocks.chain(around.into_iter().flatten()).map(|linear| linear.bytes()).sum()
    }

    /// Computes everything in Burn's tensor operations instead of the kernels of the CPU or the GPU. Activations are then `f32`.
    ///
    /// The results are the same up to rounding, and slower. Tests compare them.
    pub fn without_native_code(mut self) -> Self {
        (self.path, self.dtype) = (ComputePath::Portable, Dtype::F32);
        self
    }

    /// Computes in the order of a GPU, with these operations as kernels and the others in tensor operations, to measure the gain
    /// of each. [`Kernels::ALL`] is the default on GPUs. On other devices the references run, except SwiGLU on the CPU.
    pub fn with_kernels(mut self, kernels: Kernels) -> Self {
        self.path = ComputePath::Fused(kernels);
        self
    }

    /// Records the first decoding step of each batch size, and replays it for all later ones: one call to the device instead of
    /// some hundred launches. Off by default. Devices that cannot record run each step as usual;
    /// [`OpenOptions::record_steps`](crate::device::OpenOptions::record_steps) refuses them.
    ///
    /// The cache that the step writes to keeps the recording. A recording is replayed on the thread that made it. Another thread
    /// makes its own.
    pub fn with_recorded_steps(mut self) -> Self {
        self.recording = true;
        self
    }

    /// Appends each row's tokens to its slot of the cache and gives the logits of the tokens that follow.
    ///
    /// Rows may have different numbers of tokens, and slots different lengths: a batch of prompts, of single tokens, or
    /// of both. Each row's result depends on that row alone, up to rounding.
    ///
    /// # Shapes
    /// [`Select::Last`]: `[rows, vocabulary]`, in the order of `rows`. [`Select::All`]: `[tokens, vocabulary]`, the
    /// tokens of the first row, then of the second, and so on. [`Select::Tails`]: likewise, the last tokens of each row.
    ///
    /// # Errors
    /// A [`ModelError`] when a slot or a token does not exist, a row is empty, a slot is named twice, a slot has no
    /// room, or the cache is another model's or on another device. Then nothing has been written.
    pub fn forward(&self, cache: &mut Cache, rows: &[Row<'_>], select: Select) -> Result<Tensor<2>, ModelError> {
        if *cache.device() != self.device {
            let (cache, model) = (format!("{:?}", cache.device()), format!("{:?}", self.device));
            return Err(ModelError::CacheOnAnotherDevice { cache, model });
        }
        if self.needs_f32() && cache.dtype() != Dtype::F32 {
            let (found, device) = (cache.dtype(), format!("{:?}", self.device));
            return Err(ModelError::CacheInAnotherType { found, device });
        }
        let step = Step::new(&self.config, cache, rows, &self.scopes)?;
        let wanted = select.of(&step.spans)?;
        if let ComputePath::Fused(kernels) = self.path {
            let ids: Vec<_> = rows.iter().flat_map(|r| r.tokens).map(|&id| id as usize).collect();
            let replayed = match self.recording && wanted.is_none() {
                true => self.replayed(cache, &step, &ids, kernels),
                false => None,
            };
            let logits = match replayed {
                Some(logits) => logits,
                None => self.fused(cache, &step, &ids, wanted.map(|w| self.upload(w)), kernels),
            };
            for span in &step.spans {
                cache.grow(span.slot, span.tokens);
            }
            return Ok(logits);
        }
        let plan = self.plan(step, cache.capacity());
        let ids: Vec<_> = rows.iter().flat_map(|r| r.tokens).map(|&id| id as i32).collect();
        let mut x = self.embedded(self.upload(ids)); // [tokens, width]
        for (number, block) in self.blocks.iter().enumerate() {
            if let Some(layer) = cache.layer(number) {
                x = block.forward(x, layer, &plan);
            }
        }
        for span in &plan.step.spans {
            cache.grow(span.slot, span.tokens);
        }
        if let Some(wanted) = wanted {
            x = x.select(0, self.upload(wanted)); // [wanted, width]
        }
        Ok(self.head.as_ref().unwrap_or(&self.embedding).forward(self.norm.forward(x, &plan.path)))
    }

    fn plan(&self, step: Step, capacity: usize) -> Plan {
        let path = match self.path {
            ComputePath::Native => LayerPath::Native,
            ComputePath::Portable | ComputePath::Fused(_) => {
                let scopes = self.scopes.iter().zip(&step.views);
                let portable =
                    |(scope, view): (&Scope, &View)| Portable::new(&step, view, scope.window, capacity, &self.device);
                LayerPath::Portable(scopes.map(portable).collect())
            }
        };
        Plan { step: Arc::new(step), path }
    }

    /// The tokens' embeddings, scaled: `[tokens]` -> `[tokens, width]`
    pub(super) fn embedded(&self, ids: Tensor<1, Int>) -> Tensor<2> {
        let rows = self.embedding.rows(ids);
        match self.embedding_scale {
            Some(scale) => rows.mul_scalar(scale),
            None => rows,
        }
    }

    fn upload(&self, numbers: Vec<i32>) -> Tensor<1, Int> {
        let shape = [numbers.len()];
        Tensor::from_data(TensorData::new(numbers, shape), &self.device)
    }

    /// Everything but the kernels reads and writes a cache of `f32`.
    fn needs_f32(&self) -> bool {
        !matches!(self.path, ComputePath::Fused(_))
    }

    /// The CPU kernels, the GPU kernels, or (in training) tensor operations.
    pub(crate) fn best_path(device: &Device) -> ComputePath {
        if Self::has_native_code(device) {
            ComputePath::Native
        } else if has_gpu_kernels(device) {
            ComputePath::Fused(Kernels::ALL)
        } else {
            ComputePath::Portable
        }
    }

    /// True if the CPU kernels can be used: on the CPU back end, outside of training.
    pub(crate) fn has_native_code(device: &Device) -> bool {
        is_flex(device) && !device.is_autodiff()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gramask_kernels::WeightType;

    use super::*;
    use crate::cache::tests::addresses;
    use crate::checkpoint::Checkpoint;

    /// A second handle alive at the wrong moment would make every step copy the whole cache, and no result would show.
    #[test]
    fn the_cache_is_written_in_place() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny-qwen3");
        let (checkpoint, device) = (Checkpoint::open(&folder).unwrap(), Device::flex());
        let load = || Transformer::load(&checkpoint, &device, WeightType::F32).unwrap();
        for model in [load(), load().without_native_code()] {
            let mut cache = Cache::new(model.config(), 3, 64, &device).unwrap();
            let before = addresses(&cache);
            for tokens in [&[1; 40][..], &[2]] {
                model.forward(&mut cache, &[Row { slot: 1, tokens }], Select::Last).unwrap();
                assert_eq!(addresses(&cache), before);
            }
            cache.copy(1, 2, 30).unwrap();
            let rows = [Row { slot: 2, tokens: &[3] }, Row { slot: 0, tokens: &[4] }];
            model.forward(&mut cache, &rows, Select::Last).unwrap();
            assert_eq!(addresses(&cache), before);
        }
    }
}
