//! Attention of new tokens over the cache, with grouped heads (Ainslie et al. 2023, "GQA", section 2.2).
//!
//! Every token attends to the keys and values of its own sequence, up to and including its own position, or to the last
//! ones of them under a sliding window (Beltagy et al. 2020, "Longformer", section 3.1). There are two entry points, which
//! differ in where the places of the tokens are known:
//!
//! - [`decode_attention`] takes a [`Span`] per token, on the host. The CPU kernel reads the cache where it lies;
//! - [`attend`] takes a [`TokenBatch`], which is also on the device. The GPU kernel reads it there, so that all steps of a
//!   batch size are the same sequence of launches.
//!
//! [`decode_attention_reference`] is the definition of both.

pub mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
mod reference;
mod span;

pub use reference::{attend_reference, decode_attention_reference};
pub use span::{CacheShape, Prefix, Span};

use crate::TokenBatch;
use crate::error::KernelError;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, DispatchDevice, backend_extension};
use burn::tensor::Tensor;
use reference::reference;
use std::ops::Range;

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
/// The batch is a list of tokens. A decoding step has the newest token of each sequence. A prompt or a draft has all its tokens
/// in order, with lengths that grow by one; the CPU computes such neighbours together, as matrix products.
///
/// Pass the whole cache and not a slice of it: the CPU reads the cache in place, but would copy a view.
///
/// # Shapes
/// - `q`: `[batch, heads, dim]`, f32, after the rotary embedding
/// - `k`, `v`: `[slots, kv_heads, capacity, dim]`, f32
/// - `spans`: the slot and the positions that each token of the batch attends to
/// - result: `[batch, heads, dim]`
///
/// On the CPU, the first positions of a span are read from its [prefix](Prefix). On other devices each token reads its own
/// slot.
///
/// # Errors
/// [`KernelError::Heads`], [`KernelError::Spans`], [`KernelError::Positions`] or [`KernelError::Prefix`] if shapes, the number of
/// spans, or positions disagree.
pub fn decode_attention(q: Tensor<3>, k: Tensor<4>, v: Tensor<4>, spans: &[Span]) -> Result<Tensor<3>, KernelError> {
    check(&q, &k, &v, spans)?;
    if q.device().is_autodiff() || !matches!(q.device().as_dispatch(), DispatchDevice::Flex(_)) {
        return Ok(reference(q, k, v, spans));
    }
    let (q, k, v) = (q.into_dispatch(), k.into_dispatch(), v.into_dispatch());
    Ok(Tensor::from_dispatch(<Dispatch as AttentionOps>::attend(q, k, v, spans.to_vec())))
}

/// `softmax(q · kᵀ / √width) · v` for these tokens of the pass, each over what its slot holds up to and including its
/// own position: write keys and values first. With a `window`, each sees at most so many positions, the last ones.
///
/// # Shapes
/// - `query`: `[tokens of the pass, heads, width]`, any float type, which is the result's
/// - `keys`, `values`: `[slots, kv_heads, capacity, width]`, one float type
/// - result: `[tokens, heads * width]`
pub fn attend(
    query: Tensor<3>,
    keys: Tensor<4>,
    values: Tensor<4>,
    batch: &TokenBatch,
    tokens: Range<usize>,
    window: Option<usize>,
) -> Tensor<2> {
    #[cfg(feature = "gpu")]
    if crate::has_gpu_kernels(&query.device()) && gpu::fits(&query, &keys, tokens.len()) {
        return gpu::attend(query, keys, values, batch, tokens, window);
    }
    attend_reference(query, keys, values, batch, tokens, window)
}

/// The widest head that the GPU kernel of [`attend`] takes.
const WIDEST_HEAD: usize = 128;

/// Whether [`attend`] is one kernel for heads of this width, on GPUs that the crate has kernels for.
pub fn fits_kernel(width: usize) -> bool {
    width <= WIDEST_HEAD
}

fn check(q: &Tensor<3>, k: &Tensor<4>, v: &Tensor<4>, spans: &[Span]) -> Result<(), KernelError> {
    let (q, keys, values) = (q.dims(), k.dims(), v.dims());
    if keys != values || q[2] != keys[3] || keys[1] == 0 || !q[1].is_multiple_of(keys[1]) {
        return Err(KernelError::Heads { q, keys, values });
    }
    if spans.len() != q[0] {
        return Err(KernelError::Spans { batch: q[0], spans: spans.len() });
    }
    spans.iter().enumerate().try_for_each(|(sequence, span)| span.check(sequence, [keys[0], keys[2]]))
}
