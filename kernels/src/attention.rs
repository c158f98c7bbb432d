//! Attention of new tokens over a cache, on every back end.

use crate::cpu::{self, CacheShape, Level, Span};
use crate::error::KernelError;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, DispatchDevice, backend_extension};
use burn::tensor::{Bool, Int, Tensor, TensorData, activation};
use burn_flex::{Flex, FlexTensor};

/// Attention of new tokens as an operation of the CPU back end.
#[backend_extension(Flex)]
pub trait AttentionOps: Backend {
    /// Operands as for [`decode_attention`], which has checked them.
    fn attend(
        q: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        spans: Vec<Span>,
    ) -> FloatTensor<Self>;
}

/// `softmax(q · kᵀ / √dim) · v` for new tokens, each over the keys and values that its sequence has in the cache up to and
/// including its own (write them first). Query heads are split evenly among the key heads, in order.
///
/// The batch is tokens: the newest of each sequence in a decoding step; all of a prompt, or of a draft, one behind the
/// other with lengths that grow by one. On the CPU such neighbours are computed together, as matrix products.
///
/// Pass the whole cache and not a slice of it: on the CPU it is read where it lies, but a view would be copied.
///
/// # Shapes
/// - `q`: `[batch, heads, dim]`, f32, after the rotary embedding
/// - `k`, `v`: `[slots, kv_heads, capacity, dim]`, f32
/// - `lengths`, `slots`: one for each token of the batch: it attends to positions `0..length` of its slot
/// - result: `[batch, heads, dim]`
///
/// # Panics
/// Where [`try_decode_attention`] returns an error.
pub fn decode_attention(q: Tensor<3>, k: Tensor<4>, v: Tensor<4>, lengths: &[usize], slots: &[usize]) -> Tensor<3> {
    match try_decode_attention(q, k, v, lengths, slots) {
        Ok(output) => output,
        Err(error) => panic!("decode_attention: {error}"),
    }
}

/// As [`decode_attention`], with an error in place of a panic.
///
/// # Errors
/// [`KernelError::Heads`], [`KernelError::Sequences`] or [`KernelError::Positions`] where shapes, numbers of sequences
/// or lengths disagree.
pub fn try_decode_attention(
    q: Tensor<3>,
    k: Tensor<4>,
    v: Tensor<4>,
    lengths: &[usize],
    slots: &[usize],
) -> Result<Tensor<3>, KernelError> {
    let spans = spans_of(&q, lengths, slots)?;
    check(&q, &k, &v, &spans)?;
    Ok(attend(q, k, v, spans))
}

/// As [`try_decode_attention`], with one span for each token of the batch. On the CPU what a span's
/// [prefix](cpu::Prefix) says is read there; elsewhere, and where the prefixes are empty, each sequence reads its own slot.
///
/// # Errors
/// As for [`try_decode_attention`], and [`KernelError::Prefix`].
pub fn decode_attention_spans(
    q: Tensor<3>,
    k: Tensor<4>,
    v: Tensor<4>,
    spans: &[Span],
) -> Result<Tensor<3>, KernelError> {
    check(&q, &k, &v, spans)?;
    Ok(attend(q, k, v, spans.to_vec()))
}

/// Lengths and slots.
fn parts(spans: &[Span]) -> (Vec<usize>, Vec<usize>) {
    spans.iter().map(|span| (span.length, span.slot)).unzip()
}

/// Operands that have been checked.
fn attend(q: Tensor<3>, k: Tensor<4>, v: Tensor<4>, spans: Vec<Span>) -> Tensor<3> {
    if q.device().is_autodiff() || !matches!(q.device().as_dispatch(), DispatchDevice::Flex(_)) {
        let (lengths, slots) = parts(&spans);
        return reference(q, k, v, &lengths, &slots);
    }
    let (q, k, v) = (q.into_dispatch(), k.into_dispatch(), v.into_dispatch());
    Tensor::from_dispatch(<Dispatch as AttentionOps>::attend(q, k, v, spans))
}

/// The same in plain tensor operations: all sequences padded to the longest, with a mask. Runs on every back end.
///
/// # Errors
/// As for [`try_decode_attention`].
pub fn decode_attention_reference(
    q: Tensor<3>,
    k: Tensor<4>,
    v: Tensor<4>,
    lengths: &[usize],
    slots: &[usize],
) -> Result<Tensor<3>, KernelError> {
    check(&q, &k, &v, &spans_of(&q, lengths, slots)?)?;
    Ok(reference(q, k, v, lengths, slots))
}

fn reference(q: Tensor<3>, k: Tensor<4>, v: Tensor<4>, lengths: &[usize], slots: &[usize]) -> Tensor<3> {
    let [batch, heads, dim] = q.dims();
    let [all_slots, kv_heads, _, _] = k.dims();
    if batch == 0 {
        return q;
    }
    let device = q.device();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let in_order = batch == all_slots && slots.iter().enumerate().all(|(i, slot)| i == *slot);
    let gather = |cache: Tensor<4>| {
        let cache = cache.slice_dim(2, 0..longest);
        if in_order {
            return cache;
        }
        let slots: Vec<i32> = slots.iter().map(|slot| *slot as i32).collect();
        cache.select(0, Tensor::<1, Int>::from_data(TensorData::new(slots, [batch]), &device))
    };
    let (k, v) = (gather(k), gather(v)); // [batch, kv_heads, longest, dim]
    let q = q.reshape([batch, kv_heads, heads / kv_heads, dim]);
    let scores = q.matmul(k.swap_dims(2, 3)).div_scalar((dim as f64).sqrt()); // [batch, kv_heads, group, longest]
    let beyond: Vec<bool> = lengths.iter().flat_map(|length| (0..longest).map(move |t| t >= *length)).collect();
    let mask = Tensor::<2, Bool>::from_data(TensorData::new(beyond, [batch, longest]), &device);
    let mask = mask.reshape([batch, 1, 1, longest]).expand(scores.dims());
    // Not minus infinity, which some shading languages lack.
    let weights = activation::softmax(scores.mask_fill(mask, -1.0e30), 3);
    weights.matmul(v).reshape([batch, heads, dim])
}

/// A span for each sequence, which reads its own slot.
fn spans_of(q: &Tensor<3>, lengths: &[usize], slots: &[usize]) -> Result<Vec<Span>, KernelError> {
    let batch = q.dims()[0];
    if lengths.len() != batch || slots.len() != batch {
        return Err(KernelError::Sequences { batch, lengths: lengths.len(), slots: slots.len() });
    }
    let spans = slots.iter().zip(lengths);
    Ok(spans.map(|(slot, length)| Span::new(*slot, *length)).collect())
}

fn check(q: &Tensor<3>, k: &Tensor<4>, v: &Tensor<4>, spans: &[Span]) -> Result<(), KernelError> {
    let (q, keys, values) = (q.dims(), k.dims(), v.dims());
    if keys != values || q[2] != keys[3] || keys[1] == 0 || !q[1].is_multiple_of(keys[1]) {
        return Err(KernelError::Heads { q, keys, values });
    }
    if spans.len() != q[0] {
        return Err(KernelError::Sequences { batch: q[0], lengths: spans.len(), slots: spans.len() });
    }
    spans.iter().enumerate().try_for_each(|(sequence, span)| span.check(sequence, [keys[0], keys[2]]))
}

impl AttentionOps for Flex {
    fn attend(q: FlexTensor, keys: FlexTensor, values: FlexTensor, spans: Vec<Span>) -> FlexTensor {
        let (q, keys, values) = (q.to_contiguous(), keys.to_contiguous(), values.to_contiguous());
        let (shape, cache) = (q.layout().shape().clone(), keys.layout().shape());
        let cache = CacheShape { slots: cache[0], kv_heads: cache[1], capacity: cache[2], dim: cache[3] };
        let operands = (keys.storage::<f32>(), values.storage::<f32>(), cache);
        match cpu::decode_attention_at(Level::best(), q.storage::<f32>(), shape[1], operands, &spans) {
            Ok(output) => FlexTensor::from_data(TensorData::new(output, shape)),
            // Unreachable: the operands have been checked.
            Err(error) => panic!("decode_attention: {error}"),
        }
    }
}
