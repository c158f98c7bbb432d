//! The linear layer on the CPU: products of activation rows with many weight rows.
//!
//! A decoding step multiplies 1 to 16 activation rows by every weight of the model. Each weight is read from memory once and used
//! for few multiplications, so memory limits the speed, and the kernel has to keep the memory busy. From the obvious loop to
//! this one:
//!
//! 1. weights stay as the checkpoint has them, `[out, in]`, so that a dot product reads both operands in order;
//! 2. a [tile](tile) of `M` activation rows times `R` weight rows lives in registers: every weight that was loaded is
//!    used `M` times, every activation `R` times;
//! 3. half-precision weights, and the [blocks](weight_layout) of quantised files, are widened in registers. This divides the
//!    memory traffic by two to seven. Activations are never rounded. For a single activation row, a block's numbers are
//!    multiplied without their scale, and the sum is then multiplied by the scale;
//! 4. lanes are summed four accumulators at a time, since a dot product of 576 values is only 36 vectors long;
//! 5. [threads](crate::cpu::parallel) take pieces of the weight rows, and no thread waits for a late one.
//!
//! A prompt or a draft has dozens to hundreds of rows, and arithmetic limits the speed. Then weights are widened once into a
//! [panel](panel) in the cache, and the lanes of a vector are activation rows, so that the inner loop only multiplies and adds.

pub(crate) mod panel;
pub(crate) mod tile;
pub(crate) mod weight_layout;

use super::LinearOps;
use crate::cpu::simd::Padded;
use crate::cpu::{Level, check_length, parallel};
use crate::error::KernelError;
use crate::weight::blocks::Blocks;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Tensor, TensorData};
use burn_flex::{Flex, FlexTensor};
use half::f16;
use panel::{Panels, Turned};
use std::sync::Arc;
use tile::Job;
use weight_layout::{BLOCK_WEIGHTS, Q4_1, Q8_0, Rows, WeightLayout};

/// The values of a weight matrix `[out, in]`, row after row.
#[derive(Clone, Copy, Debug)]
#[allow(non_camel_case_types, reason = "the names that everyone knows them by")]
pub enum Values<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// 16-bit floats; each is widened to 32 bits before it is multiplied.
    F16(&'a [f16]),
    /// Blocks of 34 bytes, see [`WeightType::Q8_0`](crate::WeightType::Q8_0); rows of a whole number of blocks.
    Q8_0(&'a [u8]),
    /// Blocks of 20 bytes, see [`WeightType::Q4_1`](crate::WeightType::Q4_1); rows of a whole number of blocks.
    Q4_1(&'a [u8]),
}

impl Values<'_> {
    /// Checks that there are `n` rows of `k` values.
    fn check(&self, n: usize, k: usize) -> Result<(), KernelError> {
        let (kind, len, row) = match self {
            Values::F32(values) => return check_length("weight", values.len(), n, k),
            Values::F16(values) => return check_length("weight", values.len(), n, k),
            Values::Q8_0(bytes) => ("Q8_0", bytes.len(), Q8_0::bytes(k)),
            Values::Q4_1(bytes) => ("Q4_1", bytes.len(), Q4_1::bytes(k)),
        };
        if !k.is_multiple_of(BLOCK_WEIGHTS) {
            return Err(KernelError::Blocks { kind, input: k });
        }
        check_length("weight (bytes)", len, n, row)
    }
}

/// `y = x · Wᵀ` on slices, with the instructions of `level`: `x` is `[m, k]`, `W` is `[n, k]`, `y` is `[m, n]`, all
/// row after row. Products and sums are 32-bit whatever the weights' type.
///
/// This is what [`linear`](crate::linear) runs on the CPU; it is public so that every level can be tested and timed.
///
/// # Errors
/// [`KernelError::Length`] where a slice is not as long as its shape says, [`KernelError::Level`] where this
/// processor lacks the level.
pub fn linear_at(
    level: Level,
    x: &[f32],
    weight: Values<'_>,
    [m, n, k]: [usize; 3],
    y: &mut [f32],
) -> Result<(), KernelError> {
    check_length("x", x.len(), m, k)?;
    check_length("y", y.len(), m, n)?;
    // SAFETY: `y` has `m * n` places.
    unsafe { linear_into(level, x, weight, [m, n, k], y.as_mut_ptr()) }
}

/// The same into memory that need not have been written before; all of it is.
///
/// # Errors
/// As for [`linear_at`]; then nothing has been written.
///
/// # Safety
/// `y` is good for `m * n` values, and nobody else uses them meanwhile.
pub(crate) unsafe fn linear_into(
    level: Level,
    x: &[f32],
    weight: Values<'_>,
    [m, n, k]: [usize; 3],
    y: *mut f32,
) -> Result<(), KernelError> {
    if !level.is_supported() {
        return Err(KernelError::Level { level });
    }
    check_length("x", x.len(), m, k)?;
    weight.check(n, k)?;
    if m == 0 || n == 0 {
        return Ok(());
    }
    let shape = [m, n, k];
    match weight {
        Values::F32(values) => run::<f32>(level, x, Rows::new(values, k), shape, y),
        Values::F16(values) => run::<f16>(level, x, Rows::new(values, k), shape, y),
        Values::Q8_0(bytes) => run::<Q8_0>(level, x, Rows::new(bytes, k), shape, y),
        Values::Q4_1(bytes) => run::<Q4_1>(level, x, Rows::new(bytes, k), shape, y),
    }
    Ok(())
}

/// Cuts the weight rows into pieces and computes them on all cores. The caller has checked all lengths.
fn run<W: WeightLayout>(level: Level, x: &[f32], weight: Rows<W>, [m, n, k]: [usize; 3], y: *mut f32) {
    if panel::is_better(level, m, W::WIDENING) {
        return many(level, x, weight, [m, n, k], y);
    }
    let padded = Padded::new(x, m, k);
    let job = Job::new(&padded, weight, [m, n, k], y);
    let plan = parallel::Plan::new(m, n, weight.stride);
    parallel::for_pieces(plan.pieces, plan.helpers, move |piece| {
        let rows = plan.rows(piece, n);
        // SAFETY: `padded`, the weight and `y` outlive this call, because `for_pieces` returns only when every piece is
        // done and no thread is inside this closure; `linear_into` checked that they are as long as `job` says, or has
        // its caller's promise; and the pieces are disjoint, so no two threads write the same element of `y`. The level
        // is supported (checked).
        unsafe { job.run(level, rows) }
    });
}

/// The same for many activation rows.
fn many<W: WeightLayout>(level: Level, x: &[f32], weight: Rows<W>, [m, n, k]: [usize; 3], y: *mut f32) {
    let passes = m.div_ceil(panel::MOST_ROWS);
    let rows = m.div_ceil(passes).next_multiple_of(level.lanes());
    for first in (0..m).step_by(rows) {
        let m = rows.min(m - first);
        let turned = Turned::new(&x[first * k..][..m * k], m, k, level);
        let panels = Panels::new(&turned, weight, [m, n, k], y.wrapping_add(first * n));
        let plan = parallel::Plan::new(m, n, k * size_of::<f32>());
        parallel::for_pieces(plan.pieces, plan.helpers, move |piece| {
            let rows = plan.rows(piece, n);
            // SAFETY: as in `run`; the activations were turned for this level.
            unsafe { panels.run(level, rows) }
        });
    }
}

impl LinearOps for Flex {
    fn linear_rows(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let [m, n, k] = [x.layout().shape()[0], weight.layout().shape()[0], x.layout().shape()[1]];
        let values = match weight.dtype() {
            DType::F16 => Values::F16(weight.storage::<f16>()),
            _ => Values::F32(weight.storage::<f32>()),
        };
        let y = product(x.storage::<f32>(), values, [m, n, k]);
        FlexTensor::from_data(TensorData::new(y, [m, n]))
    }
}

/// The product with a weight in blocks as an operation of the CPU back end.
#[backend_extension(Flex)]
pub(crate) trait BlockOps: Backend {
    /// `x` is `[m, in]` in f32, the result `[m, out]`; [`crate::linear::try_linear`] has checked the shapes.
    fn linear_blocks(x: FloatTensor<Self>, weight: Arc<Blocks>) -> FloatTensor<Self>;
}

impl BlockOps for Flex {
    fn linear_blocks(x: FlexTensor, weight: Arc<Blocks>) -> FlexTensor {
        let x = x.to_contiguous();
        let shape = [x.layout().shape()[0], weight.out, weight.input];
        let y = product(x.storage::<f32>(), weight.values(), shape);
        FlexTensor::from_data(TensorData::new(y, [shape[0], shape[1]]))
    }
}

/// `x · Wᵀ` on the CPU back end.
pub(crate) fn linear_blocks(x: Tensor<2>, weight: &Arc<Blocks>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::linear_blocks(x.into_dispatch(), Arc::clone(weight)))
}

/// The product of contiguous operands, on this processor.
fn product(x: &[f32], weight: Values<'_>, [m, n, k]: [usize; 3]) -> Vec<f32> {
    let mut y: Vec<f32> = Vec::with_capacity(m * n);
    // SAFETY: there is room for `m * n` values, and all of them have been written if there was no error.
    unsafe {
        if let Err(error) = linear_into(Level::best(), x, weight, [m, n, k], y.as_mut_ptr()) {
            // Unreachable: contiguous tensors are as long as their shapes say, and the level is this processor's own.
            panic!("linear: {error}");
        }
        y.set_len(m * n);
    }
    y
}
