//! Attention in plain tensor operations.

use super::{Span, check};
use crate::TokenBatch;
use crate::error::KernelError;
use burn::tensor::{Bool, FloatDType, Int, Tensor, TensorData, activation};
use std::ops::Range;

/// [`decode_attention`](super::decode_attention) on every back end: all tokens padded to the longest span, with a mask.
///
/// # Errors
/// As for [`decode_attention`](super::decode_attention).
pub fn decode_attention_reference(
    q: Tensor<3>,
    k: Tensor<4>,
    v: Tensor<4>,
    spans: &[Span],
) -> Result<Tensor<3>, KernelError> {
    check(&q, &k, &v, spans)?;
    Ok(reference(q, k, v, spans))
}

pub(super) fn reference(q: Tensor<3>, k: Tensor<4>, v: Tensor<4>, spans: &[Span]) -> Tensor<3> {
    let [batch, heads, dim] = q.dims();
    let [all_slots, kv_heads, _, _] = k.dims();
    if batch == 0 {
        return q;
    }
    let device = q.device();
    let longest = spans.iter().map(|span| span.length).max().unwrap_or(0);
    let in_order = batch == all_slots && spans.iter().enumerate().all(|(i, span)| i == span.slot);
    let gather = |cache: Tensor<4>| {
        let cache = cache.slice_dim(2, 0..longest);
        if in_order {
            return cache;
        }
        let slots: Vec<i32> = spans.iter().map(|span| span.slot as i32).collect();
        cache.select(0, Tensor::<1, Int>::from_data(TensorData::new(slots, [batch]), &device))
    };
    let (k, v) = (gather(k), gather(v)); // [batch, kv_heads, longest, dim]
    let q = q.reshape([batch, kv_heads, heads / kv_heads, dim]);
    let scores = q.matmul(k.swap_dims(2, 3)).div_scalar((dim as f64).sqrt()); // [batch, kv_heads, group, longest]
    let unseen = |span: &Span| (0..longest).map(|t| !(span.start..span.length).contains(&t)).collect::<Vec<_>>();
    let unseen: Vec<bool> = spans.iter().flat_map(unseen).collect();
    let mask = Tensor::<2, Bool>::from_data(TensorData::new(unseen, [batch, longest]), &device);
    let mask = mask.reshape([batch, 1, 1, longest]).expand(scores.dims());
    // Not minus infinity, which some shading languages lack.
    let weights = activation::softmax(scores.mask_fill(mask, -1.0e30), 3);
    weights.matmul(v).reshape([batch, heads, dim])
}

/// [`attend`](super::attend) on every back end, in 32 bits.
pub fn attend_reference(
    query: Tensor<3>,
    keys: Tensor<4>,
    values: Tensor<4>,
    batch: &TokenBatch,
    tokens: Range<usize>,
    window: Option<usize>,
) -> Tensor<2> {
    let ([_, heads, width], dtype) = (query.dims(), query.dtype());
    let span = |token: usize| Span::new(batch.slots()[token], batch.positions()[token] + 1).within(window);
    let spans: Vec<Span> = tokens.clone().map(span).collect();
    let part = query.narrow(0, tokens.start, tokens.len()).cast(FloatDType::F32);
    let (keys, values) = (keys.cast(FloatDType::F32), values.cast(FloatDType::F32));
    match decode_attention_reference(part, keys, values, &spans) {
        Ok(mixed) => mixed.reshape([tokens.len(), heads * width]).cast(dtype),
        Err(error) => panic!("attend: {error}"),
    }
}
