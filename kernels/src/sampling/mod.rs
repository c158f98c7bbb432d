//! Sampling on the device: masks, arg-max and draws.
//!
//! The logits of a step are half a megabyte per sequence. They should not travel from a GPU to the host to select one token.
//! So the device applies the mask and samples the token. The read-back of a row is the token, its scores, and the probability
//! that the mask removed. The host sends the number of a row of a [`MaskTable`], and the place of the draw.
//!
//! # One definition, every device
//! The token is the same on every device, bit for bit, whatever the batch. Logits are compared as whole numbers. Weights and
//! their sums are whole numbers. The random number is a function of seed, document and position. What is defined:
//!
//! - first the mask removes tokens, then the temperature divides, then top-k, top-p and min-p filter in this order. One random
//!   number picks from the rest by walking it in order of tokens;
//! - of equal logits the lower token goes first, in the arg-max and in the filters;
//! - logits of `-inf` and NaN are never chosen; those of `+inf` share the whole probability equally;
//! - a row without a usable token gives a [`NoChoice`], never a token.
//!
//! A token beyond 32 nats (times the temperature) of the likeliest, which would be 1e-14 times as likely, has no weight.
//! The scores are floats, and the same on all devices to within rounding (some 1e-6).
//!
//! # How
//! - [`mask_argmax`] and [`mask_softmax_sample`] run as CubeCL kernels on every GPU, and as native code on
//!   the CPU, which visits only the allowed tokens ([`Chooser`]);
//! - top-k and top-p need no sort. Both keep all tokens above some logit, and the first few of those equal to it. Logits are
//!   whole numbers of the same order. So that logit is the greatest `t` such that at least `k` tokens (or weights of at least `p`
//!   of the total) lie at `t` or above. Their count falls as `t` grows. So `t` is found exactly, bit by bit from the top;
//! - [`reference`] has the same in plain tensor operations.
//!
//! # Example
//! ```
//! use burn::tensor::{Device, Tensor};
//! use gramask_kernels::sampling::{MaskTable, Masks, mask_argmax};
//!
//! # fn main() -> Result<(), gramask_kernels::sampling::SamplingError> {
//! let device = Device::flex();
//! let logits = Tensor::<2>::from_floats([[1.0, 4.0, 2.0], [1.0, 4.0, 2.0]], &device);
//! let mut table = MaskTable::new(16, 3, &device);
//! let rows = table.rows([Some(&[0b101][..]), None])?; // the tokens 0 and 2; all
//! let picks = mask_argmax(logits, Masks::Table(&table, &rows))?.read()?;
//! assert_eq!(picks[0].unwrap().token, 2);
//! assert_eq!(picks[1].unwrap().token, 1);
//! # Ok(())
//! # }
//! ```

mod chooser;
pub(crate) mod cpu;
mod draw;
mod error;
pub mod fixed_point;
#[cfg(feature = "gpu")]
mod gpu;
pub mod numeric;
mod pick;
pub(crate) mod readback;
pub mod reference;
mod settings;
mod table;

pub use chooser::{Basis, Chooser};
pub use draw::Draw;
pub use error::{InvalidSampling, NoChoice, SamplingError};
pub use pick::Pick;
pub use readback::Picks;
pub use settings::Sampling;
pub use table::{MaskRow, MaskTable, TableUse};

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, DispatchDevice, backend_extension};
use burn::tensor::{DType, FloatDType, Int, Tensor};
use readback::steps;
use settings::FixedPoint;

/// The choice of tokens as operations that each back end implements in its own way. The functions of this module have
/// checked all operands.
#[backend_extension(Cube: cfg(feature = "gpu"), Flex)]
pub(crate) trait SamplingOps: Backend {
    /// `logits` `[batch, vocabulary]`; `table` `[rows, words]` and `steps` `[batch, 1 or DRAW_WORDS]` in I32. The result is
    /// `[batch, FIELDS + parts]` in I32.
    fn choose_rows(
        logits: FloatTensor<Self>,
        table: IntTensor<Self>,
        steps: IntTensor<Self>,
        fixed_point: Option<FixedPoint>,
    ) -> IntTensor<Self>;
}

/// Which tokens each row of logits may take.
#[derive(Clone, Copy, Debug)]
pub enum Masks<'a> {
    /// All.
    All,
    /// A row of a table for each row of logits.
    Table(&'a MaskTable, &'a [MaskRow]),
}

/// The likeliest allowed token of each row, of equals the lowest.
///
/// # Shapes
/// - `logits`: `[batch, vocabulary]`, in any float type
///
/// # Errors
/// [`SamplingError`] where the operands do not fit together. Not for a row that has no token to choose: that is a [`NoChoice`]
/// among the picks.
pub fn mask_argmax(logits: Tensor<2>, masks: Masks<'_>) -> Result<Picks, SamplingError> {
    choose(logits, masks, None)
}

/// A token drawn from each row: `draws` says which random number each row takes.
///
/// # Shapes
/// - `logits`: `[batch, vocabulary]`, in any float type
///
/// # Errors
/// As for [`mask_argmax`]; also where a setting is outside its range or there is not one draw for each row.
pub fn mask_softmax_sample(
    logits: Tensor<2>,
    masks: Masks<'_>,
    sampling: &Sampling,
    draws: &[Draw],
) -> Result<Picks, SamplingError> {
    sampling.validate_drawn()?;
    let batch = logits.dims()[0];
    if draws.len() != batch {
        return Err(SamplingError::Draws { batch, draws: draws.len() });
    }
    choose(logits, masks, Some((FixedPoint::new(sampling), draws)))
}

fn choose(logits: Tensor<2>, masks: Masks<'_>, drawn: Option<(FixedPoint, &[Draw])>) -> Result<Picks, SamplingError> {
    let Operands { logits, table, steps } = Operands::new(logits, masks, drawn.map(|(_, draws)| draws))?;
    let fixed_point = drawn.map(|(fixed_point, _)| fixed_point);
    let words = <Dispatch as SamplingOps>::choose_rows(
        logits.into_dispatch(),
        table.into_dispatch(),
        steps.into_dispatch(),
        fixed_point,
    );
    Ok(Picks::new(Tensor::from_dispatch(words)))
}

/// The operands of a kernel, checked.
struct Operands {
    logits: Tensor<2>,
    table: Tensor<2, Int>,
    steps: Tensor<2, Int>,
}

impl Operands {
    fn new(logits: Tensor<2>, masks: Masks<'_>, draws: Option<&[Draw]>) -> Result<Self, SamplingError> {
        let shape = logits.dims();
        let [batch, vocabulary] = shape;
        check_shape(shape)?;
        let device = logits.device();
        let unfit = |masks| SamplingError::Masks { logits: shape, masks };
        let words = vocabulary.div_ceil(32);
        let given: Vec<MaskRow>;
        let (table, rows) = match masks {
            Masks::All => {
                given = vec![MaskRow::FREE; batch];
                (Tensor::zeros([1, words], (&device, DType::I32)), &given[..])
            }
            Masks::Table(table, rows) => {
                let tensor = table.tensor();
                if rows.len() != batch || tensor.dims()[1] != words {
                    return Err(unfit([rows.len(), tensor.dims()[1]]));
                }
                let capacity = table.capacity();
                let wrong = rows.iter().find(|row| **row != MaskRow::FREE && row.number() as usize >= capacity);
                if let Some(row) = wrong {
                    return Err(SamplingError::Row { row: row.number(), capacity });
                }
                (tensor, rows)
            }
        };
        let steps = steps(rows, draws, &device);
        // No gradient flows through a choice.
        let logits = logits.without_autodiff();
        let is_cpu = matches!(logits.device().as_dispatch(), DispatchDevice::Flex(_));
        let logits = match logits.dtype() {
            DType::F32 => logits,
            DType::F16 if !is_cpu => logits,
            _ => logits.cast(FloatDType::F32),
        };
        Ok(Operands { logits, table: table.without_autodiff(), steps: steps.without_autodiff() })
    }
}

/// What the kernels can number.
fn check_shape(shape: [usize; 2]) -> Result<(), SamplingError> {
    let [batch, vocabulary] = shape;
    if vocabulary == 0 || vocabulary > fixed_point::MOST_TOKENS {
        return Err(SamplingError::Vocabulary { tokens: vocabulary, most: fixed_point::MOST_TOKENS });
    }
    if batch > 65535 || batch.saturating_mul(vocabulary) > u32::MAX as usize {
        return Err(SamplingError::Batch { shape });
    }
    Ok(())
}
