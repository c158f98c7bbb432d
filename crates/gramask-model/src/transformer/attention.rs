//! Grouped-query attention over the cache (Ainslie et al. 2023, "GQA", section 2.2).
//!
//! Query heads come in groups of `heads / kv_heads` that share one head of keys and values. Keys and values are
//! not repeated for them: the queries of a group are more rows of one matrix product.

use burn::tensor::activation::softmax;
use burn::tensor::{FloatDType, Tensor, s};
use gramask_kernels::attention::decode_attention;
use gramask_kernels::rotary::{self, rotate_reference};

use super::linear::Linear;
use super::norm::RmsNorm;
use super::step::{Group, LayerPath, Plan, Portable, Slots};
use crate::cache::LayerCache;

/// One layer's attention.
#[derive(Debug)]
pub(crate) struct Attention {
    /// Queries, keys and values in one product: `width -> (heads + 2 * kv_heads) * head_width`
    pub qkv: Linear,
    /// Per-head norms of queries and keys (Qwen3, Gemma 3).
    pub norms: Option<(RmsNorm, RmsNorm)>,
    /// `heads * head_width -> width`
    pub output: Linear,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_width: usize,
    /// The number of the [`Scope`](super::step::Scope) that says what is seen, and how heads are rotated.
    pub scope: usize,
}

impl Attention {
    /// Appends the tokens' keys and values to the cache and attends to the positions that it then has, or the last of them.
    ///
    /// # Shapes
    /// `x` `[tokens, width]` -> `[tokens, width]`
    pub fn forward(&self, x: Tensor<2>, cache: &mut LayerCache, plan: &Plan) -> Tensor<2> {
        let (wide, narrow) = (self.heads * self.head_width, self.kv_heads * self.head_width);
        let qkv = self.qkv.forward(x); // [tokens, wide + 2 * narrow]
        let mut query = qkv.clone().narrow(1, 0, wide);
        let mut key = qkv.clone().narrow(1, wide, narrow);
        let value = qkv.narrow(1, wide + narrow, narrow);
        if let Some((q_norm, k_norm)) = &self.norms {
            query = self.each_head(query, q_norm, &plan.path);
            key = self.each_head(key, k_norm, &plan.path);
        }
        let mixed = match &plan.path {
            LayerPath::Native => self.native(query, key, value, cache, plan),
            LayerPath::Portable(scopes) => self.portable(query, key, value, cache, plan, &scopes[self.scope]),
        };
        self.output.forward(mixed)
    }

    /// `x` `[tokens, n * head_width]` -> the same, each head normalised
    fn each_head(&self, x: Tensor<2>, norm: &RmsNorm, path: &LayerPath) -> Tensor<2> {
        let [tokens, width] = x.dims();
        let heads = x.reshape([tokens * width / self.head_width, self.head_width]);
        norm.forward(heads, path).reshape([tokens, width])
    }

    fn native(&self, q: Tensor<2>, k: Tensor<2>, v: Tensor<2>, cache: &mut LayerCache, plan: &Plan) -> Tensor<2> {
        let view = &plan.step.views[self.scope];
        let positions = &view.positions;
        cache.update(|keys, values| {
            (rotary::store(keys, k, true, positions.clone()), rotary::store(values, v, false, positions.clone()))
        });
        let Some((keys, values)) = cache.read() else { return q };
        let [tokens, width] = q.dims();
        let q = rotary::rotate(q, self.heads, positions.clone()); // [tokens, heads, head_width]
        match decode_attention(q, keys, values, &view.seen) {
            Ok(mixed) => mixed.reshape([tokens, width]),
            // Unreachable: the cache's slots, and what is noted of them, fit the cache.
            Err(error) => panic!("decode_attention: {error}"),
        }
    }

    fn portable(
        &self,
        q: Tensor<2>,
        k: Tensor<2>,
        v: Tensor<2>,
        cache: &mut LayerCache,
        plan: &Plan,
        portable: &Portable,
    ) -> Tensor<2> {
        let ([tokens, width], head) = (q.dims(), self.head_width);
        let q = rotate_reference(q.reshape([tokens, self.heads, head]), &portable.cos, &portable.sin);
        let k = rotate_reference(k.reshape([tokens, self.kv_heads, head]), &portable.cos, &portable.sin);
        let v = v.reshape([tokens, self.kv_heads, head]);
        cache.update(|keys, values| (self.write(keys, k, plan), self.write(values, v, plan)));
        let Some((keys, values)) = cache.read() else {
            return q.reshape([tokens, width]);
        };
        self.attend_groups(q, &keys, &values, &portable.groups)
    }

    /// `q` `[tokens of the pass, heads, head_width]` -> `[tokens of the groups, heads * head_width]`, in the groups' order
    pub(super) fn attend_groups(
        &self,
        q: Tensor<3>,
        keys: &Tensor<4>,
        values: &Tensor<4>,
        groups: &[Group],
    ) -> Tensor<2> {
        let mut mixed: Vec<_> = groups.iter().map(|g| self.attend(q.clone(), keys, values, g)).collect();
        match mixed.len() {
            1 => mixed.remove(0),
            _ => Tensor::cat(mixed, 0),
        }
    }

    /// Writes each row's new keys or values, `new` `[tokens, kv_heads, head_width]`, after what its slot holds.
    fn write(&self, mut cache: Tensor<4>, new: Tensor<3>, plan: &Plan) -> Tensor<4> {
        for span in &plan.step.spans {
            let rows = new.clone().narrow(0, span.first, span.tokens).swap_dims(0, 1).unsqueeze_dim(0);
            let place = s![span.slot, .., span.start..span.start + span.tokens, ..];
            cache = cache.slice_assign(place, rows); // [1, kv_heads, tokens, head_width]
        }
        cache
    }

    /// `q` `[tokens, heads, head_width]` -> `[rows * tokens of the group, heads * head_width]`
    fn attend(&self, q: Tensor<3>, keys: &Tensor<4>, values: &Tensor<4>, group: &Group) -> Tensor<2> {
        let Group { rows, tokens, .. } = *group;
        let (range, seen) = (group.keys.clone(), group.keys.len());
        let (heads, kv, head) = (self.heads, self.kv_heads, self.head_width);
        let cached = |all: &Tensor<4>| match &group.slots {
            Slots::From(slot) => all.clone().slice(s![*slot..*slot + rows, .., range.clone(), ..]),
            Slots::These(slots) => all.clone().slice(s![.., .., range.clone(), ..]).select(0, (**slots).clone()),
        };
        let (scale, dtype, cached_as) = (1.0 / (head as f64).sqrt(), q.dtype(), keys.dtype());
        let q = q
            .narrow(0, group.first, rows * tokens)
            .mul_scalar(scale)
            .cast(cached_as)
            .reshape([rows, tokens, heads, head])
            .swap_dims(1, 2);
        let q = q.reshape([rows, kv, heads / kv * tokens, head]);
        // [rows, kv, heads / kv * tokens, seen]; the softmax is in 32 bits, as are the sums of products.
        let mut scores = q.matmul(cached(keys).swap_dims(2, 3)).cast(FloatDType::F32);
        if let Some(mask) = &group.mask {
            let by_head = scores.reshape([rows, heads, tokens, seen]);
            let masked = by_head.mask_fill(mask.clone().expand([rows, heads, tokens, seen]), -1.0e30);
            scores = masked.reshape([rows, kv, heads / kv * tokens, seen]);
        }
        let weights = softmax(scores, 3).cast(cached_as);
        let mixed = weights.matmul(cached(values)).cast(dtype); // [rows, kv, heads / kv * tokens, head]
        mixed.reshape([rows, heads, tokens, head]).swap_dims(1, 2).reshape([rows * tokens, heads * head])
    }
}
