//! From a checkpoint's tensors to a model, one tensor at a time.
//!
//! Host memory holds one product's weights at a time besides the model itself: the embedding is the largest.

use burn::tensor::{DType, Device, Tensor, TensorData};
use gramask_kernels::{KernelError, Weight, WeightType};

use super::LoadError;
use super::attention::Attention;
use super::block::Block;
use super::feed_forward::FeedForward;
use super::linear::Linear;
use super::model::{Transformer, next_number};
use super::norm::RmsNorm;
use super::step::Scope;
use super::{Dtype, Precision, WeightChoice};
use crate::checkpoint::{
    ATTENDED_NORM, BlockType, Checkpoint, FED_NORM, ModelConfig, TensorSource, expected_tensors, feed_forward_norm,
};

/// How far loading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Weights loaded so far.
    pub loaded: usize,
    /// Weights of the model.
    pub total: usize,
}

impl Transformer {
    /// Loads a checkpoint onto a device. A weight type alone computes in `f32`; [`Precision::with_dtype`] names another.
    ///
    /// ```no_run
    /// use gramask_model::cache::Cache;
    /// use gramask_model::checkpoint::Checkpoint;
    /// use gramask_model::device::DeviceName;
    /// use gramask_model::transformer::{Row, Select, Transformer, WeightType};
    ///
    /// let device = DeviceName::Flex.open()?;
    /// let checkpoint = Checkpoint::open("SmolLM2-135M-Instruct.Q4_1.gguf".as_ref())?;
    /// let model = Transformer::load(&checkpoint, &device, WeightType::F16)?;
    /// let mut cache = Cache::new(model.config(), 1, 512, &device)?;
    /// let logits = model.forward(&mut cache, &[Row { slot: 0, tokens: &[1, 2, 3] }], Select::Last)?;
    /// assert_eq!(logits.dims(), [1, model.config().vocabulary]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`LoadError`]: a tensor is missing, has a wrong shape or cannot be read; the device lacks a type, or a matrix's rows
    /// are no whole number of its blocks.
    pub fn load(checkpoint: &Checkpoint, device: &Device, precision: impl Into<Precision>) -> Result<Self, LoadError> {
        Self::load_from(&checkpoint.config, &*checkpoint.tensors, device, precision, &mut |_| ())
    }

    /// Loads from any source of tensors, and says after each product how far it is.
    ///
    /// # Errors
    /// As [`Transformer::load`].
    pub fn load_from(
        config: &ModelConfig,
        tensors: &dyn TensorSource,
        device: &Device,
        precision: impl Into<Precision>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, LoadError> {
        check(config, tensors)?;
        let Precision { weights, dtype } = precision.into();
        if !dtype.is_supported(device) {
            return Err(LoadError::Dtype { dtype, device: format!("{device:?}"), available: Dtype::supported(device) });
        }
        let now = Progress { loaded: 0, total: config.parameters() };
        let mut loader = Loader { config, tensors, device, weights, progress, now };
        let embedding = loader.linear(&["model.embed_tokens"], config.width, false)?;
        let (scopes, of_layers) = Scope::all(config);
        let blocks = of_layers.iter().enumerate().map(|(layer, &scope)| loader.block(layer, scope));
        let blocks = blocks.collect::<Result<_, _>>()?;
        let norm = loader.norm("model.norm.weight")?;
        let head = match config.tied_head {
            true => None,
            false => Some(loader.linear(&["lm_head"], config.width, false)?),
        };
        Ok(Self {
            config: config.clone(),
            embedding,
            blocks,
            norm,
            head,
            scopes,
            embedding_scale: config.embedding_scale(),
            weights,
            dtype,
            device: device.clone(),
            path: Self::best_path(device),
            recording: false,
            number: next_number(),
        })
    }
}

/// A source need not have been checked against the configuration.
fn check(config: &ModelConfig, tensors: &dyn TensorSource) -> Result<(), LoadError> {
    let wrong = |what: String| Err(LoadError::Configuration { what });
    if config.kv_heads == 0 || !config.heads.is_multiple_of(config.kv_heads) {
        let (heads, kv_heads) = (config.heads, config.kv_heads);
        return wrong(format!("{heads} query heads over {kv_heads} key/value heads: the first must be a multiple"));
    }
    if config.query_scalar.is_some() && !config.qk_norm {
        return wrong("a scale of queries without norms of queries: it is applied by these".to_owned());
    }
    if config.head_width == 0 || !config.head_width.is_multiple_of(2) {
        return wrong(format!("heads of width {}: it must be even, rotation works on pairs", config.head_width));
    }
    for (name, expected) in expected_tensors(config) {
        match tensors.shape(&name) {
            None => return Err(LoadError::MissingTensor { name, expected }),
            Some(found) if found != expected => return Err(LoadError::WrongShape { name, found, expected }),
            Some(_) => {}
        }
    }
    Ok(())
}

struct Loader<'a> {
    config: &'a ModelConfig,
    tensors: &'a dyn TensorSource,
    device: &'a Device,
    weights: WeightChoice,
    progress: &'a mut dyn FnMut(Progress),
    now: Progress,
}

impl Loader<'_> {
    fn read(&mut self, name: &str) -> Result<Vec<f32>, LoadError> {
        let data = self.tensors.read_f32(name)?;
        self.now.loaded += data.len();
        (self.progress)(self.now);
        Ok(data)
    }

    /// The tensors `part.weight` (and `part.bias`) of all parts, one below the other, as one product.
    fn linear(&mut self, parts: &[&str], inputs: usize, bias: bool) -> Result<Linear, LoadError> {
        let names = |kind: &str| -> Vec<String> { parts.iter().map(|part| format!("{part}.{kind}")).collect() };
        let weight = self.weight(&names("weight"), inputs)?;
        let bias = if bias { Some(self.all(&names("bias"))?) } else { None };
        Ok(Linear::new(weight, bias))
    }

    /// The tensors, one after the other.
    fn all(&mut self, names: &[String]) -> Result<Vec<f32>, LoadError> {
        let mut data = Vec::new();
        for name in names {
            match data.is_empty() {
                true => data = self.read(name)?,
                false => data.extend(self.read(name)?),
            }
        }
        Ok(data)
    }

    /// Matrices one below the other, as one weight.
    fn weight(&mut self, names: &[String], inputs: usize) -> Result<Weight, LoadError> {
        let kind = self.weights.resolve(self.tensors, names, self.device);
        let failed = |error: KernelError| {
            let parts: Vec<_> = names.iter().map(|name| name.trim_end_matches(".weight")).collect();
            let name = format!("{}.weight", parts.join("+"));
            LoadError::Weight { name, error }
        };
        if let Some(bytes) = self.blocks(names, kind) {
            let outputs = bytes.len() / kind.bytes(inputs).max(1);
            return Weight::from_blocks(bytes, kind, outputs, inputs, self.device).map_err(failed);
        }
        let data = self.all(names)?;
        let outputs = data.len() / inputs.max(1);
        Weight::new(data, outputs, inputs, kind, self.device).map_err(failed)
    }

    /// The blocks of the tensors, one after the other, if all are stored in blocks of this type.
    fn blocks(&mut self, names: &[String], kind: WeightType) -> Option<Vec<u8>> {
        let stored = match kind {
            WeightType::Q8_0 => BlockType::Q8_0,
            WeightType::Q4_1 => BlockType::Q4_1,
            WeightType::F32 | WeightType::F16 | WeightType::Bf16 => return None,
        };
        let parts: Option<Vec<_>> = names
            .iter()
            .map(|name| match self.tensors.read_blocks(name) {
                Some((found, bytes)) if found == stored => Some(bytes),
                _ => None,
            })
            .collect();
        let bytes = parts?.concat();
        self.now.loaded += bytes.len() / stored.block_bytes() * stored.block_weights();
        (self.progress)(self.now);
        Some(bytes)
    }

    fn norm(&mut self, name: &str) -> Result<RmsNorm, LoadError> {
        self.norm_times(name, 1.0)
    }

    /// A norm whose results are multiplied by a number.
    fn norm_times(&mut self, name: &str, factor: f32) -> Result<RmsNorm, LoadError> {
        let offset = self.config.norm_offset;
        let data: Vec<f32> = self.read(name)?.into_iter().map(|weight| (weight + offset) * factor).collect();
        let shape = [data.len()];
        let weight = Tensor::from_data(TensorData::new(data, shape), (self.device, DType::F32));
        Ok(RmsNorm { weight, epsilon: self.config.norm_epsilon })
    }

    fn block(&mut self, layer: usize, scope: usize) -> Result<Block, LoadError> {
        let &ModelConfig { family, width, hidden, heads, kv_heads, head_width, .. } = self.config;
        let &ModelConfig { qkv_bias, output_bias, mlp_bias, qk_norm, query_scalar, .. } = self.config;
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        let attention_norm = self.norm(&name("input_layernorm.weight"))?;
        let [q, k, v] = ["q", "k", "v"].map(|x| name(&format!("self_attn.{x}_proj")));
        let qkv = self.linear(&[&q, &k, &v], width, qkv_bias)?;
        // Attention divides scores by the square root of the head's width. Where the model has another number, the norm of the
        // queries makes up for it.
        let sharpened = query_scalar.map_or(1.0, |scalar| (head_width as f64 / scalar).sqrt() as f32);
        let norms = match qk_norm {
            true => Some((
                self.norm_times(&name("self_attn.q_norm.weight"), sharpened)?,
                self.norm(&name("self_attn.k_norm.weight"))?,
            )),
            false => None,
        };
        let output = self.linear(&[&name("self_attn.o_proj")], heads * head_width, output_bias)?;
        let mut after = |part: &str| match family.output_norms() {
            true => self.norm(&name(part)).map(Some),
            false => Ok(None),
        };
        let (attended_norm, fed_norm) = (after(ATTENDED_NORM)?, after(FED_NORM)?);
        let before = self.norm(&name(feed_forward_norm(family)))?;
        let gate_up = self.linear(&[&name("mlp.gate_proj"), &name("mlp.up_proj")], width, mlp_bias)?;
        let down = self.linear(&[&name("mlp.down_proj")], hidden, mlp_bias)?;
        Ok(Block {
            attention_norm,
            attention: Attention { qkv, norms, output, heads, kv_heads, head_width, scope },
            attended_norm,
            feed_forward_norm: before,
            feed_forward: FeedForward { gate_up, gate: family.gate(), down },
            fed_norm,
        })
    }
}
