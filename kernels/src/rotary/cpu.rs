//! Rotary positions, and the write into the cache, on the CPU back end.

use super::HostPositions;
use crate::cpu::each_chunk;
use crate::cpu::flex::{contiguous, rows, with_rows};
use crate::cpu::vector::fma;
use crate::widest;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Shape, Tensor};
use burn_flex::{Flex, FlexTensor};
use std::sync::Arc;

/// Rotation as operations of the CPU back end.
#[backend_extension(Flex)]
pub trait RotaryOps: Backend {
    /// Operands as for [`rotate`].
    fn rotate(x: FloatTensor<Self>, heads: usize, positions: Arc<HostPositions>) -> FloatTensor<Self>;
    /// Operands as for [`store`].
    fn store(
        cache: FloatTensor<Self>,
        x: FloatTensor<Self>,
        rotate: bool,
        positions: Arc<HostPositions>,
    ) -> FloatTensor<Self>;
}

/// Rotates every head by its token's position. For tensors of the CPU back end only.
///
/// # Shapes
/// `x` `[tokens, heads * width]` -> `[tokens, heads, width]`
pub fn rotate(x: Tensor<2>, heads: usize, positions: Arc<HostPositions>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as RotaryOps>::rotate(x.into_dispatch(), heads, positions))
}

/// Writes the pass's new keys (rotated) or values (as they are) into the cache, in place if `cache` is the only handle. For
/// tensors of the CPU back end only.
///
/// # Shapes
/// `cache` `[slots, kv_heads, capacity, width]`, `x` `[tokens, kv_heads * width]` -> as `cache`
pub fn store(cache: Tensor<4>, x: Tensor<2>, rotate: bool, positions: Arc<HostPositions>) -> Tensor<4> {
    let (cache, x) = (cache.into_dispatch(), x.into_dispatch());
    Tensor::from_dispatch(<Dispatch as RotaryOps>::store(cache, x, rotate, positions))
}

#[inline(always)]
fn rotate_body<const FMA: bool>(x: &[f32], cos: &[f32], sin: &[f32], out: &mut [f32]) {
    let half = cos.len();
    let (a, b) = x.split_at(half);
    let (left, right) = out.split_at_mut(half);
    for i in 0..half {
        left[i] = fma::<FMA>(a[i], cos[i], -b[i] * sin[i]);
        right[i] = fma::<FMA>(b[i], cos[i], a[i] * sin[i]);
    }
}
widest!(
    /// Rotates one head: `x` and `out` have `width` elements, `cos` and `sin` half as many.
    pub fn rotate_head = rotate_body(x: &[f32], cos: &[f32], sin: &[f32], out: &mut [f32])
);

impl RotaryOps for Flex {
    fn rotate(x: FlexTensor, heads: usize, positions: Arc<HostPositions>) -> FlexTensor {
        let x = with_rows(x);
        let (tokens, all) = (x.layout().shape()[0], x.layout().shape()[1]);
        let (x, width) = (rows(&x), all / heads);
        let mut out = FlexTensor::empty(Shape::new([tokens, heads, width]), DType::F32);
        each_chunk(out.storage_mut(), width, tokens * all, |i, out| {
            let (t, h) = (i / heads, i % heads);
            let (cos, sin) = positions.angles(t);
            rotate_head(&x.row(t)[h * width..][..width], cos, sin, out);
        });
        out
    }

    fn store(cache: FlexTensor, x: FlexTensor, rotate: bool, positions: Arc<HostPositions>) -> FlexTensor {
        let (mut cache, x) = (contiguous(cache), with_rows(x));
        let shape = cache.layout().shape();
        let (heads, capacity, width) = (shape[1], shape[2], shape[3]);
        let x = rows(&x);
        let data: &mut [f32] = cache.storage_mut();
        for (t, place) in positions.places.iter().enumerate() {
            let (cos, sin) = positions.angles(t);
            for (h, new) in x.row(t).chunks_exact(width).enumerate() {
                let at = ((place.slot * heads + h) * capacity + place.position) * width;
                let out = &mut data[at..][..width];
                if rotate {
                    rotate_head(new, cos, sin, out);
                } else {
                    out.copy_from_slice(new);
                }
            }
        }
        cache
    }
}
