//! Copies within the cache.

use burn::tensor::Tensor;
use std::ops::Range;

/// Copies these positions of every head's keys and values from slot `from` to slot `to`, in place where nobody else holds
/// the cache. The slots are two.
///
/// # Shapes
/// `keys`, `values`: `[slots, kv_heads, capacity, width]`, one float type -> the same
pub fn copy_positions(
    keys: Tensor<4>,
    values: Tensor<4>,
    from: usize,
    to: usize,
    positions: Range<usize>,
) -> (Tensor<4>, Tensor<4>) {
    #[cfg(feature = "gpu")]
    if super::has_kernels(&keys.device()) {
        return cube::copy_positions(keys, values, [from, to], positions);
    }
    copy_positions_reference(keys, values, from, to, positions)
}

/// The same in plain tensor operations.
pub fn copy_positions_reference(
    keys: Tensor<4>,
    values: Tensor<4>,
    from: usize,
    to: usize,
    positions: Range<usize>,
) -> (Tensor<4>, Tensor<4>) {
    let copied = |all: Tensor<4>| {
        let [_, heads, _, width] = all.dims();
        let of = |slot: usize| [slot..slot + 1, 0..heads, positions.clone(), 0..width];
        // The product has memory of its own, which a slice has not: without it the write would find a second handle alive
        // and copy the whole cache.
        let part = all.clone().slice(of(from)).mul_scalar(1.0);
        all.slice_assign(of(to), part)
    };
    (copied(keys), copied(values))
}

#[cfg(feature = "gpu")]
mod cube {
    use super::super::launch::{cubes, dims, element, owned, units};
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, Dispatch, backend_extension};
    use burn::tensor::Tensor;
    use burn_cubecl::CubeBackend;
    use cubecl::ir::ElemType;
    use cubecl::prelude::*;
    use std::ops::Range;

    #[backend_extension(Cube)]
    pub trait CopyOps: Backend {
        fn copy_positions(
            keys: FloatTensor<Self>,
            values: FloatTensor<Self>,
            slots: [usize; 2],
            positions: Range<usize>,
        ) -> (FloatTensor<Self>, FloatTensor<Self>);
    }

    pub fn copy_positions(
        keys: Tensor<4>,
        values: Tensor<4>,
        slots: [usize; 2],
        positions: Range<usize>,
    ) -> (Tensor<4>, Tensor<4>) {
        let (keys, values) =
            <Dispatch as CopyOps>::copy_positions(keys.into_dispatch(), values.into_dispatch(), slots, positions);
        (Tensor::from_dispatch(keys), Tensor::from_dispatch(values))
    }

    /// One unit per number of the keys, and of the values.
    #[cube(launch_unchecked)]
    fn copy_kernel<C: Float>(
        keys: &mut [C],
        values: &mut [C],
        heads: u32,
        capacity: u32,
        width: u32,
        from: u32,
        to: u32,
        start: u32,
        count: u32,
        #[define(C)] _dtype: ElemType,
    ) {
        let at = ABSOLUTE_POS as u32;
        let per_head = count * width;
        if at >= heads * per_head {
            terminate!();
        }
        let head = at / per_head;
        let inside = start * width + at - head * per_head;
        let source = ((from * heads + head) * capacity * width + inside) as usize;
        let target = ((to * heads + head) * capacity * width + inside) as usize;
        keys[target] = keys[source];
        values[target] = values[source];
    }

    impl CopyOps for CubeBackend {
        fn copy_positions(
            keys: FloatTensor<Self>,
            values: FloatTensor<Self>,
            [from, to]: [usize; 2],
            positions: Range<usize>,
        ) -> (FloatTensor<Self>, FloatTensor<Self>) {
            let (keys, values) = (owned(keys), owned(values));
            let [_, heads, capacity, width] = dims(&keys);
            let client = keys.client.clone();
            let units = units(&client, 256);
            // SAFETY: slots and positions are within the cache, the caller says.
            unsafe {
                copy_kernel::launch_unchecked(
                    &client,
                    cubes((heads * positions.len() * width).div_ceil(units)),
                    CubeDim::new_1d(units as u32),
                    keys.clone().into_buffer_arg(),
                    values.clone().into_buffer_arg(),
                    heads as u32,
                    capacity as u32,
                    width as u32,
                    from as u32,
                    to as u32,
                    positions.start as u32,
                    positions.len() as u32,
                    element(&keys),
                );
            }
            (keys, values)
        }
    }
}
