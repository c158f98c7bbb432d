//! The same layers for GPUs, in few launches.
//!
//! A GPU computes a decoding step of a small model in less time than the host needs to launch it. The launches of a layer:
//!
//! | | launches |
//! |---|---|
//! | sum of the stream, norm | 1 |
//! | queries, keys and values | 1 |
//! | bias, norms of heads, rotation, write into the cache | 1 |
//! | attention | 1, or 2 if few sequences have long slots |
//! | output | 1 |
//! | sum of the stream, norm | 1 |
//! | gate and up | 1 |
//! | SwiGLU | 1 |
//! | down | 1 |
//!
//! A bias of another product is a launch more, and so is a norm of what a layer adds to the stream.
//!
//! Four more launches are outside of the layers: the tokens' ids, their embeddings, the last norm and the head. In tensor
//! operations a layer of Llama takes 57 launches on WGPU, and two more per sequence of the batch for the write into the cache.
//! (Counted in a log of launches: `one_step_of_each_way` in `tests/transformer_gpu.rs`.)
//!
//! Prompts attend by matrix products over blocks of queries, as in tensor operations, because the products are most of their
//! work.
//!
//! The kernels are in [`gramask_kernels`]. On devices without them the same code runs their references.

use std::ops::Range;

use burn::tensor::{FloatDType, Int, Tensor};
use gramask_kernels::TokenBatch;
use gramask_kernels::attention::{attend, attend_reference};
use gramask_kernels::linear::{linear_as, linear_as_reference};
use gramask_kernels::norm::{Norm, add_norm, add_norm_reference};
use gramask_kernels::rotary::{Heads, Rotated, rotate_store, rotate_store_reference};
use gramask_kernels::swiglu::{gated, gated_reference};

use super::block::Block;
use super::linear::Linear;
use super::model::Transformer;
use super::norm::RmsNorm;
use super::step::{Group, Scope, Span, Step, groups};
use crate::cache::{Cache, LayerCache};

/// The operations of a layer that are GPU kernels; the others are tensor operations.
///
/// All are on by default. To measure the gain of one kernel, switch it off:
///
/// ```
/// use gramask_model::transformer::Kernels;
///
/// let without_attention = Kernels { attention: false, ..Kernels::ALL };
/// assert_ne!(without_attention, Kernels::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernels {
    /// Residual sum and RMSNorm.
    pub norm: bool,
    /// Bias, norms of heads, rotation and the write into the cache.
    pub rotary: bool,
    /// Attention of rows with few new tokens.
    pub attention: bool,
    /// The gate between its products.
    pub swiglu: bool,
    /// Products of few rows, with the weights widened in registers.
    pub product: bool,
}

impl Kernels {
    /// All of them.
    pub const ALL: Kernels = Kernels { norm: true, rotary: true, attention: true, swiglu: true, product: true };
    /// None: the same order of work in tensor operations.
    pub const NONE: Kernels = Kernels { norm: false, rotary: false, attention: false, swiglu: false, product: false };
}

impl Default for Kernels {
    fn default() -> Self {
        Kernels::ALL
    }
}

/// Rows with at most so many new tokens attend in the kernel; longer ones are matrix products.
const FEW_TOKENS: usize = 16;

/// How the pass's tokens attend, in their order.
enum Part {
    /// In the kernel.
    Few(Range<usize>),
    /// In batched products.
    Many(Vec<Group>),
}

/// The data that all layers of a pass share.
pub(super) struct Pass {
    kernels: Kernels,
    dtype: FloatDType,
    /// `[scopes]`
    pub(super) scopes: Vec<Scoped>,
}

/// The data that the layers of one scope share.
pub(super) struct Scoped {
    window: Option<usize>,
    /// `[positions, head_width]`
    pub(super) angles: Tensor<2>,
    parts: Vec<Part>,
}

impl Transformer {
    /// The pass in kernels: as [`Transformer::forward`], which has checked the rows.
    pub(super) fn fused(
        &self,
        cache: &mut Cache,
        step: &Step,
        ids: &[usize],
        wanted: Option<Tensor<1, Int>>,
        kernels: Kernels,
    ) -> Tensor<2> {
        let (slots, positions) = step.slots_and_positions();
        let batch = TokenBatch::new(ids, &slots, &positions, &self.device);
        let pass = self.pass(cache, &step.spans, kernels);
        self.layers(cache, &batch, &pass, wanted)
    }

    /// The data that the layers need for these spans.
    pub(super) fn pass(&self, cache: &mut Cache, spans: &[Span], kernels: Kernels) -> Pass {
        let scoped = |Scope { window, rotation }: &Scope| Scoped {
            window: *window,
            angles: cache.angles(rotation),
            parts: parts(spans, *window, cache.capacity(), &self.device),
        };
        Pass { kernels, dtype: self.dtype.float(), scopes: self.scopes.iter().map(scoped).collect() }
    }

    /// From tokens to logits; lengths of slots are not changed. Nothing here depends on where the tokens go but what
    /// `batch` has on the device, as long as rows have few tokens.
    pub(super) fn layers(
        &self,
        cache: &mut Cache,
        batch: &TokenBatch,
        pass: &Pass,
        wanted: Option<Tensor<1, Int>>,
    ) -> Tensor<2> {
        let ids = batch.on_device().narrow(0, 0, 1).reshape([batch.tokens()]);
        let mut stream = self.embedded(ids); // [tokens, width], f32
        let mut delta = None;
        for (number, block) in self.blocks.iter().enumerate() {
            if let Some(layer) = cache.layer(number) {
                let (sum, last) = block.fused(stream, delta, layer, batch, pass);
                (stream, delta) = (sum, Some(last));
            }
        }
        let (_, mut x) = pass.add_norm(stream, delta, &self.norm);
        if let Some(wanted) = wanted {
            x = x.select(0, wanted); // [wanted, width]
        }
        let head = self.head.as_ref().unwrap_or(&self.embedding);
        pass.product(x, head, FloatDType::F32)
    }
}

impl Block {
    /// The stream with what came before added to it, and what this layer adds, which is left to the next one's norm.
    ///
    /// # Shapes
    /// `stream`, `delta` `[tokens, width]` -> the same
    fn fused(
        &self,
        stream: Tensor<2>,
        delta: Option<Tensor<2>>,
        cache: &mut LayerCache,
        batch: &TokenBatch,
        pass: &Pass,
    ) -> (Tensor<2>, Tensor<2>) {
        let (attention, feed_forward) = (&self.attention, &self.feed_forward);
        let scoped = &pass.scopes[attention.scope];
        let (stream, x) = pass.add_norm(stream, delta, &self.attention_norm);
        let qkv = pass.product(x, &attention.qkv, pass.dtype); // [tokens, (heads + 2 * kv_heads) * head_width]
        let heads = Heads {
            heads: attention.heads,
            kv_heads: attention.kv_heads,
            width: attention.head_width,
            bias: attention.qkv.bias(),
            norms: attention.norms.as_ref().map(|(q, k)| (&q.weight, &k.weight)),
            epsilon: self.attention_norm.epsilon,
            angles: &scoped.angles,
        };
        let mut query = None;
        cache.update(|keys, values| {
            let rotate = if pass.kernels.rotary { rotate_store } else { rotate_store_reference };
            let rotated = rotate(qkv, &heads, batch, keys, values);
            let Rotated { query: turned, keys, values } = rotated;
            query = Some(turned);
            (keys, values)
        });
        let (Some(query), Some((keys, values))) = (query, cache.read()) else {
            // The cache has its tensors except while they are written.
            return (stream.clone(), stream.zeros_like());
        };
        let mut mixed: Vec<_> = scoped
            .parts
            .iter()
            .map(|part| match part {
                Part::Few(tokens) => {
                    let attend = if pass.kernels.attention { attend } else { attend_reference };
                    attend(query.clone(), keys.clone(), values.clone(), batch, tokens.clone(), scoped.window)
                }
                Part::Many(groups) => attention.attend_groups(query.clone(), &keys, &values, groups),
            })
            .collect();
        let mixed = match mixed.len() {
            1 => mixed.remove(0),
            _ => Tensor::cat(mixed, 0),
        };
        let attended = pass.normed(self.attended_norm.as_ref(), pass.linear(mixed, &attention.output));
        let (stream, x) = pass.add_norm(stream, Some(attended), &self.feed_forward_norm);
        let gate_up = pass.linear(x, &feed_forward.gate_up); // [tokens, 2 * hidden]
        let gate = if pass.kernels.swiglu { gated } else { gated_reference };
        let fed = pass.linear(gate(gate_up, feed_forward.gate), &feed_forward.down);
        (stream, pass.normed(self.fed_norm.as_ref(), fed))
    }
}

impl Pass {
    fn add_norm(&self, stream: Tensor<2>, delta: Option<Tensor<2>>, norm: &RmsNorm) -> (Tensor<2>, Tensor<2>) {
        let norm = Norm { weight: &norm.weight, epsilon: norm.epsilon, dtype: self.dtype };
        match self.kernels.norm {
            true => add_norm(stream, delta, &norm),
            false => add_norm_reference(stream, delta, &norm),
        }
    }

    /// The norm of what a layer adds to the stream, in families that have one.
    fn normed(&self, norm: Option<&RmsNorm>, x: Tensor<2>) -> Tensor<2> {
        match norm {
            Some(norm) => self.add_norm(x.cast(FloatDType::F32), None, norm).1,
            None => x,
        }
    }

    /// A product with its bias.
    fn linear(&self, x: Tensor<2>, linear: &Linear) -> Tensor<2> {
        let y = self.product(x, linear, self.dtype);
        match linear.bias() {
            Some(bias) => y + bias.clone().cast(self.dtype).unsqueeze(),
            None => y,
        }
    }

    /// A product without its bias.
    fn product(&self, x: Tensor<2>, linear: &Linear, dtype: FloatDType) -> Tensor<2> {
        match self.kernels.product {
            true => linear_as(x, linear.weight(), dtype),
            false => linear_as_reference(x, linear.weight(), dtype),
        }
    }
}

/// Neighbouring spans of few tokens, and neighbouring spans of many, together.
fn parts(spans: &[Span], window: Option<usize>, capacity: usize, device: &burn::tensor::Device) -> Vec<Part> {
    let few = |span: &Span| span.tokens <= FEW_TOKENS;
    spans
        .chunk_by(|a, b| few(a) == few(b))
        .map(|run| match few(&run[0]) {
            true => Part::Few(run[0].first..run.last().map_or(0, |last| last.first + last.tokens)),
            false => Part::Many(groups(run, window, capacity, device)),
        })
        .collect()
}
