//! The forward pass of training in Burn's tensor operations, which Burn differentiates.
//!
//! The same transformer as for inference, with three differences. It has no cache, since each pack is seen once. Burn can
//! differentiate its operations. Logits are computed only where an output token follows, because the head is a fifth of a
//! small model. An adapter is computed beside the frozen matrix, `x W + s (x A) B`.
//!
//! The operations between the products are those of [`gramask_kernels::training`], which on a GPU have kernels for their
//! gradients too.

use std::collections::HashMap;

use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use gramask_kernels::training;

use super::dropout::Dropout;
use super::pack::Pack;
use super::{Lora, Target, TuningError};
use crate::checkpoint::ModelConfig;

/// Tensors by name. Matrices are `[out, in]` as in checkpoints, vectors `[1, n]`.
pub(super) type Tensors = HashMap<String, Tensor<2>>;

/// What is the same in all layers of a pass.
pub(super) struct Plan {
    /// `[tokens, 1, head_width / 2]`
    cos: Tensor<3>,
    sin: Tensor<3>,
    /// 0 where a token attends to another, else a large negative number. `[1, tokens, tokens]`
    mask: Tensor<3>,
}

impl Plan {
    pub fn new(pack: &Pack, config: &ModelConfig, device: &Device) -> Plan {
        let rotation = config.rotation(0);
        let (cos, sin): (Vec<f32>, Vec<f32>) = pack.positions.iter().flat_map(|&p| rotation.at(p)).unzip();
        let shape = [pack.len(), 1, config.head_width / 2];
        let upload = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, shape), (device, DType::F32));
        let tokens = pack.len();
        let mut mask = vec![-1.0e30f32; tokens * tokens];
        for (token, row) in mask.chunks_exact_mut(tokens).enumerate() {
            let (common, own) = pack.seen(token);
            row[common].fill(0.0);
            row[own].fill(0.0);
        }
        Plan {
            cos: upload(cos),
            sin: upload(sin),
            mask: Tensor::from_data(TensorData::new(mask, [1, tokens, tokens]), (device, DType::F32)),
        }
    }
}

/// A pass over one pack.
pub(super) struct Graph<'a> {
    pub config: &'a ModelConfig,
    pub lora: Option<&'a Lora>,
    /// What is not learnt.
    pub frozen: &'a Tensors,
    /// What is learnt, recorded.
    pub learnt: &'a Tensors,
    pub device: &'a Device,
    pub dropout: Option<Dropout<'a>>,
    pub plan: Plan,
}

impl Graph<'_> {
    /// The activations after the last layer, where output tokens follow: `[predictions, width]`.
    pub fn hidden(&self, pack: &Pack) -> Result<Tensor<2>, TuningError> {
        let ids = pack.tokens.iter().map(|&id| id as i32).collect();
        let mut x = self.tensor("model.embed_tokens.weight")?.select(0, self.upload(ids)); // [tokens, width]
        for layer in 0..self.config.layers {
            x = self.block(layer, x)?;
        }
        let at = pack.predictions.iter().map(|&(at, _)| at as i32).collect();
        self.norm("model.norm.weight", x.select(0, self.upload(at)))
    }

    /// `[predictions, vocabulary]`
    pub fn logits(&self, pack: &Pack) -> Result<Tensor<2>, TuningError> {
        let head = match self.config.tied_head {
            true => "model.embed_tokens.weight",
            false => "lm_head.weight",
        };
        Ok(self.hidden(pack)?.matmul(self.tensor(head)?.transpose()))
    }

    /// The sum over the predictions of the negative logarithm of each one's probability. `[1]`
    pub fn loss(&self, pack: &Pack) -> Result<Tensor<1>, TuningError> {
        let next: Vec<i32> = pack.predictions.iter().map(|&(_, token)| token as i32).collect();
        let next = self.upload(next).unsqueeze_dim::<2>(1); // [predictions, 1]
        Ok(log_softmax(self.logits(pack)?, 1).gather(1, next).sum().neg())
    }

    fn block(&self, layer: usize, x: Tensor<2>) -> Result<Tensor<2>, TuningError> {
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        let inner = self.norm(&name("input_layernorm.weight"), x.clone())?;
        let mut query = self.product(layer, Target::QProj, inner.clone())?;
        let mut key = self.product(layer, Target::KProj, inner.clone())?;
        let value = self.product(layer, Target::VProj, inner)?;
        if self.config.qk_norm {
            query = self.each_head(&name("self_attn.q_norm.weight"), query)?;
            key = self.each_head(&name("self_attn.k_norm.weight"), key)?;
        }
        let mixed = self.attend(query, key, value);
        let x = x + self.product(layer, Target::OProj, mixed)?;
        let inner = self.norm(&name("post_attention_layernorm.weight"), x.clone())?;
        let gate = self.product(layer, Target::GateProj, inner.clone())?;
        let up = self.product(layer, Target::UpProj, inner)?;
        Ok(x + self.product(layer, Target::DownProj, training::gate(gate, up))?)
    }

    /// `x` `[tokens, in]` -> `[tokens, out]`
    fn product(&self, layer: usize, target: Target, x: Tensor<2>) -> Result<Tensor<2>, TuningError> {
        let module = target.module(layer);
        let lora = self.lora.filter(|lora| lora.targets.contains(&target));
        let mut y = x.clone().matmul(self.tensor(&format!("{module}.weight"))?.transpose());
        if target.has_bias(self.config) {
            y = y + self.tensor(&format!("{module}.bias"))?;
        }
        let Some(lora) = lora else { return Ok(y) };
        let down = self.tensor(&format!("{module}.lora_A.weight"))?; // [rank, in]
        let up = self.tensor(&format!("{module}.lora_B.weight"))?; // [out, rank]
        let narrow = self.drop(x, layer, target).matmul(down.transpose()); // [tokens, rank]
        Ok(training::add_scaled(y, narrow.matmul(up.transpose()), lora.scale()))
    }

    /// Leaves out inputs of one adapter, where there is dropout.
    fn drop(&self, x: Tensor<2>, layer: usize, target: Target) -> Tensor<2> {
        let Some(dropout) = self.dropout else { return x };
        let [rows, columns] = x.dims();
        let factors = dropout.factors(layer, target, rows * columns);
        x * Tensor::from_data(TensorData::new(factors, [rows, columns]), (self.device, DType::F32))
    }

    fn norm(&self, name: &str, x: Tensor<2>) -> Result<Tensor<2>, TuningError> {
        Ok(training::norm(x, self.tensor(name)?, self.config.norm_epsilon))
    }

    /// `x` `[tokens, n * head_width]` -> the same, each head normalised
    fn each_head(&self, name: &str, x: Tensor<2>) -> Result<Tensor<2>, TuningError> {
        let ([tokens, width], head) = (x.dims(), self.config.head_width);
        let heads = self.norm(name, x.reshape([tokens * width / head, head]))?;
        Ok(heads.reshape([tokens, width]))
    }

    /// `q` `[tokens, heads * head_width]`, `k` and `v` `[tokens, kv_heads * head_width]` -> as `q`
    fn attend(&self, q: Tensor<2>, k: Tensor<2>, v: Tensor<2>) -> Tensor<2> {
        let ModelConfig { heads, kv_heads: kv, head_width: head, .. } = *self.config;
        let [tokens, width] = q.dims();
        let Plan { cos, sin, mask } = &self.plan;
        let q = training::rotate(q, cos, sin, 1.0 / (head as f64).sqrt()); // [heads, tokens, head]
        let k = training::rotate(k, cos, sin, 1.0); // [kv, tokens, head]
        // A group's query heads are more rows of one product.
        let q = q.reshape([kv, heads / kv * tokens, head]);
        let scores = q.matmul(k.swap_dims(1, 2)); // [kv, heads / kv * tokens, tokens]
        let weights = training::masked_softmax(scores.reshape([heads, tokens, tokens]), mask);
        let weights = weights.reshape([kv, heads / kv * tokens, tokens]);
        let mixed = weights.matmul(v.reshape([tokens, kv, head]).swap_dims(0, 1)); // [kv, heads / kv * tokens, head]
        mixed.reshape([heads, tokens, head]).swap_dims(0, 1).reshape([tokens, width])
    }

    fn tensor(&self, name: &str) -> Result<Tensor<2>, TuningError> {
        let found = self.learnt.get(name).or_else(|| self.frozen.get(name)).cloned();
        found.ok_or_else(|| TuningError::missing(name))
    }

    fn upload(&self, numbers: Vec<i32>) -> Tensor<1, Int> {
        let shape = [numbers.len()];
        Tensor::from_data(TensorData::new(numbers, shape), self.device)
    }
}
