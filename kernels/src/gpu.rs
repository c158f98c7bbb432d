//! What the GPU kernels share: units and cubes of a launch, types, and sums over the units of a cube.

#![allow(clippy::assign_op_pattern, reason = "the kernel language lacks assignments with an operation to an element")]

use burn::backend::TensorMetadata;
use burn::backend::cubecl::dtype_to_storage_type;
use burn::tensor::{DType, Shape, Tensor};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::ir::ElemType;
use cubecl::prelude::*;

/// Whether kernels that compute in f32 can compute with a tensor that is not differentiated.
pub fn has_kernels<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32 && crate::has_gpu_kernels(&tensor.device())
}

/// The same of kernels that have a gradient: the tensor may be differentiated.
pub fn has_kernels_with_gradient<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32 && crate::has_gpu_kernels(&tensor.device().without_autodiff())
}

/// The most cubes along one axis: WebGPU's least limit.
pub const MOST_CUBES: usize = 65_535;

/// `wanted` units per cube or as many as the device has, a power of two: sums are made by halving.
pub fn units(client: &Client, wanted: usize) -> usize {
    let most = client.properties().hardware.max_units_per_cube as usize;
    let units = wanted.min(most).max(1);
    1 << units.ilog2()
}

/// The units of a cube that computes a row of `width` numbers.
pub fn row_units(client: &Client, width: usize) -> usize {
    units(client, width.div_ceil(4).next_power_of_two().clamp(32, 256))
}

/// At least `count` cubes, in two axes where one is too short. Kernels leave those beyond `count` alone.
pub fn cubes(count: usize) -> CubeCount {
    let x = count.clamp(1, MOST_CUBES);
    CubeCount::Static(x as u32, count.div_ceil(x).max(1) as u32, 1)
}

/// True if so many cubes fit one axis.
pub fn fits(count: usize) -> bool {
    (1..=MOST_CUBES).contains(&count)
}

/// The type as CubeCL calls it.
pub fn element(tensor: &CubeTensor) -> ElemType {
    element_of(tensor.dtype)
}

/// The type as CubeCL calls it.
pub fn element_of(dtype: DType) -> ElemType {
    dtype_to_storage_type(dtype)
}

/// A tensor of no particular contents, row after row, on the device of `like`.
pub fn empty(like: &CubeTensor, shape: impl Into<Shape>, dtype: DType) -> CubeTensor {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape.into(), dtype)
}

/// The tensor row after row, with nobody else holding on to it: what may be written in place.
pub fn owned(tensor: CubeTensor) -> CubeTensor {
    let tensor = into_contiguous(tensor);
    if tensor.can_mut() { tensor } else { tensor.copy() }
}

/// The tensor's sizes.
pub fn dims<const D: usize>(tensor: &CubeTensor) -> [usize; D] {
    TensorMetadata::shape(tensor).dims()
}

/// Below this the exponential is 0 in 32 bits, and a shading language may do as it likes with infinities.
pub const LEAST_EXPONENT: f32 = -87.0;

/// `1 / (1 + exp(-x))`
#[cube]
pub fn sigmoid(x: f32) -> f32 {
    f32::new(1.0) / (f32::new(1.0) + (-max(x, f32::new(LEAST_EXPONENT))).exp())
}

/// Sums the entries of a cube's units, of which there is a power of two. The first entry gets the sum; all units have to call
/// this.
#[cube]
pub fn sum_of_units(entries: &mut Shared<[f32]>, #[comptime] units: usize) {
    sync_cube();
    let me = UNIT_POS as usize;
    let mut step = comptime!(units / 2).runtime();
    while step > 0 {
        if me < step {
            entries[me] = entries[me] + entries[me + step];
        }
        sync_cube();
        step = step / 2;
    }
}

/// As [`sum_of_units`], for the greatest of the entries.
#[cube]
pub fn max_of_units(entries: &mut Shared<[f32]>, #[comptime] units: usize) {
    sync_cube();
    let me = UNIT_POS as usize;
    let mut step = comptime!(units / 2).runtime();
    while step > 0 {
        if me < step {
            entries[me] = max(entries[me], entries[me + step]);
        }
        sync_cube();
        step = step / 2;
    }
}
