//! The native path of the CPU back end: products of activation rows with many weight rows.
//!
//! A decoding step multiplies 1 to 16 activation rows by every weight of the model, so each weight is read from
//! memory once and used for few multiplications: the step is bound by memory, and the kernel's one duty is to keep
//! the memory busy. From the obvious loop to this one:
//!
//! 1. weights stay as the checkpoint has them, `[out, in]`, so that a dot product reads both operands in order;
//! 2. a [tile](tile) of `M` activation rows times `R` weight rows lives in registers: every weight that was loaded is
//!    used `M` times, every activation `R` times;
//! 3. half-precision weights, and the [blocks](stored) of quantised files, are widened in registers, which divides the
//!    memory traffic by two to seven; activations are never rounded; where there is one activation row, a block's numbers
//!    are multiplied as they are, and its scale by their sum;
//! 4. lanes are summed four accumulators at a time, since a dot product of 576 values is only 36 vectors long;
//! 5. [threads](parallel) take pieces of the weight rows, and nobody waits for a thread that is late.
//!
//! A prompt, or a draft that is verified, has dozens to hundreds of rows, and is bound by arithmetic: then weights are
//! widened once into a [panel](panel) in the cache, and the lanes of a vector are activation rows, so that nothing but
//! multiplications is left in the inner loop.

mod attention;
mod level;
#[cfg(target_arch = "aarch64")]
mod neon;
mod panel;
mod parallel;
mod scalar;
mod simd;
mod stored;
mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use attention::{CacheShape, Prefix, Span, decode_attention_at};
pub use level::Level;
pub use parallel::each_chunk;

use crate::error::KernelError;
use half::f16;
use panel::{Panels, Turned};
use simd::Padded;
use stored::{BLOCK_WEIGHTS, Q4_1, Q8_0, Rows, Stored};
use tile::Job;

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
            Values::F32(values) => return check("weight", values.len(), n, k),
            Values::F16(values) => return check("weight", values.len(), n, k),
            Values::Q8_0(bytes) => ("Q8_0", bytes.len(), Q8_0::bytes(k)),
            Values::Q4_1(bytes) => ("Q4_1", bytes.len(), Q4_1::bytes(k)),
        };
        if !k.is_multiple_of(BLOCK_WEIGHTS) {
            return Err(KernelError::Blocks { kind, input: k });
        }
        check("weight (bytes)", len, n, row)
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
    check("x", x.len(), m, k)?;
    check("y", y.len(), m, n)?;
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
    check("x", x.len(), m, k)?;
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

fn check(name: &'static str, len: usize, rows: usize, columns: usize) -> Result<(), KernelError> {
    if rows.checked_mul(columns) != Some(len) {
        return Err(KernelError::Length { name, rows, columns, len });
    }
    Ok(())
}

/// Cuts the weight rows into pieces and computes them on all cores. The caller has checked all lengths.
fn run<W: Stored>(level: Level, x: &[f32], weight: Rows<W>, [m, n, k]: [usize; 3], y: *mut f32) {
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
fn many<W: Stored>(level: Level, x: &[f32], weight: Rows<W>, [m, n, k]: [usize; 3], y: *mut f32) {
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
