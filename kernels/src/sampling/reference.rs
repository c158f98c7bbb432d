//! The same choices in plain tensor operations, on any back end: what the kernels are tested and timed against.
//!
//! Weights are floats here and are sorted and summed in the device's own way, so that draws close to a border may come out
//! on its other side. And the lowest finite number stands for what cannot be chosen: a logit that is no greater counts as
//! refused.

use super::draw::Draw;
use super::error::SamplingError;
use super::readback::NO_TOKEN;
use super::settings::Sampling;
use super::{Masks, Operands};
use burn::tensor::{Bool, DType, Int, Tensor, TensorData};

/// What a reference has chosen, on the device.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The tokens, `[batch]`; -1 where there is none to choose.
    pub tokens: Tensor<1, Int>,
    /// The logarithms of their probabilities under the model, `[batch]`.
    pub log_probability: Tensor<1>,
    /// The logarithms of the probability that the allowed tokens had together, `[batch]`.
    pub kept_log_mass: Tensor<1>,
}

/// Logits with the lowest finite number for what cannot be chosen: under the mask, and regardless of it.
struct Row {
    kept: Tensor<2>,
    whole: Tensor<2>,
}

impl Row {
    fn new(logits: Tensor<2>, masks: Masks<'_>) -> Result<Self, SamplingError> {
        let allowed = allowed(&logits, masks)?;
        let logits = logits.cast(burn::tensor::FloatDType::F32);
        let whole = logits.clone().mask_fill(logits.is_nan(), f32::MIN).clamp_min(f32::MIN);
        let kept = whole.clone().mask_fill(allowed.bool_not(), f32::MIN);
        Ok(Row { kept, whole })
    }

    fn usable(&self) -> Tensor<2, Bool> {
        self.kept.clone().greater_scalar(f32::MIN)
    }

    /// With scores for the tokens `[batch, 1]`; those of rows that have none are replaced.
    fn chosen(self, tokens: Tensor<2, Int>) -> Chosen {
        let batch = tokens.dims()[0];
        let none = self.usable().any_dim(1).bool_not();
        let whole = log_sum(self.whole.clone());
        let kept = log_sum(self.kept);
        let log_probability = self.whole.gather(1, tokens.clone()) - whole.clone();
        Chosen {
            tokens: tokens.mask_fill(none, NO_TOKEN as i32).reshape([batch]),
            log_probability: log_probability.reshape([batch]),
            kept_log_mass: (kept - whole).reshape([batch]),
        }
    }
}

/// `ln` of the sum of the exponentials of each row, `[batch, 1]`.
fn log_sum(values: Tensor<2>) -> Tensor<2> {
    let max = values.clone().max_dim(1);
    (values - max.clone()).exp().sum_dim(1).log() + max
}

/// The mask's bits as truth values, `[batch, vocabulary]`.
fn allowed(logits: &Tensor<2>, masks: Masks<'_>) -> Result<Tensor<2, Bool>, SamplingError> {
    let [batch, vocabulary] = logits.dims();
    let Operands { table, steps, .. } = Operands::new(logits.clone(), masks, None)?;
    let device = table.device();
    let words = table.dims()[1];
    let rows = steps.reshape([batch]);
    let free = rows.clone().lower_scalar(0);
    let shifts = Tensor::<1, Int>::arange(0..32, (&device, DType::I32)).reshape([1, 1, 32]);
    let bits = table
        .select(0, rows.mask_fill(free.clone(), 0))
        .reshape([batch, words, 1])
        .expand([batch, words, 32])
        .bitwise_right_shift(shifts.expand([batch, words, 32]))
        .bitwise_and_scalar(1)
        .reshape([batch, words * 32])
        .slice([0..batch, 0..vocabulary]);
    let free = free.reshape([batch, 1]).expand([batch, vocabulary]);
    Ok(bits.equal_scalar(1).bool_or(free))
}

/// [`mask_argmax`](super::mask_argmax) in plain tensor operations.
///
/// # Errors
/// The same.
pub fn mask_argmax(logits: Tensor<2>, masks: Masks<'_>) -> Result<Chosen, SamplingError> {
    let row = Row::new(logits, masks)?;
    let tokens = row.kept.clone().argmax(1).cast(DType::I32);
    Ok(row.chosen(tokens))
}

/// [`mask_softmax_sample`](super::mask_softmax_sample) in plain tensor operations.
///
/// # Errors
/// The same.
pub fn mask_softmax_sample(
    logits: Tensor<2>,
    masks: Masks<'_>,
    sampling: &Sampling,
    draws: &[Draw],
) -> Result<Chosen, SamplingError> {
    sampling.validate_drawn()?;
    let [batch, vocabulary] = logits.dims();
    if draws.len() != batch {
        return Err(SamplingError::Draws { batch, draws: draws.len() });
    }
    let device = logits.device();
    let row = Row::new(logits, masks)?;
    let usable = row.usable();
    let max = row.kept.clone().max_dim(1);
    let weights = ((row.kept.clone() - max) / sampling.temperature).exp();
    let mut weights = weights.mask_fill(usable.bool_not(), 0.0);
    if sampling.top_k > 0 && sampling.top_k < vocabulary {
        let first = Tensor::full([batch, 1], sampling.top_k as i32, (&device, DType::I32));
        weights = weights.mask_fill(first_of(&row.kept, first).bool_not(), 0.0);
    }
    if sampling.top_p < 1.0 {
        let sorted = weights.clone().sort_descending(1).cumsum(1);
        let needed = sorted.clone().slice([0..batch, vocabulary - 1..vocabulary]) * sampling.top_p;
        let below = sorted.lower(needed.expand([batch, vocabulary])).int().cast(DType::I32);
        let first = (below.sum_dim(1) + 1).clamp_max(vocabulary as i32);
        // The tokens that top-k removed come after all that it kept.
        weights = weights.mask_fill(first_of(&row.kept, first).bool_not(), 0.0);
    }
    let low = weights.clone().lower_scalar(sampling.min_p);
    let reached = weights.mask_fill(low, 0.0).cumsum(1);
    let uniform: Vec<f32> = draws.iter().map(|draw| draw.uniform(sampling.seed) as f32).collect();
    let uniform = Tensor::<2>::from_data(TensorData::new(uniform, [batch, 1]), &device);
    let target = reached.clone().slice([0..batch, vocabulary - 1..vocabulary]) * uniform;
    let before = reached.lower_equal(target.expand([batch, vocabulary])).int().cast(DType::I32);
    let tokens = before.sum_dim(1).clamp_max(vocabulary as i32 - 1);
    Ok(row.chosen(tokens))
}

/// Of each row the `count` (`[batch, 1]`) greatest values, of equal ones the first.
fn first_of(values: &Tensor<2>, count: Tensor<2, Int>) -> Tensor<2, Bool> {
    let shape = values.dims();
    let sorted = values.clone().sort_descending(1);
    let last = sorted.gather(1, count.clone() - 1).expand(shape);
    let above = values.clone().greater(last.clone());
    let equal = values.clone().equal(last);
    let number = |chosen: Tensor<2, Bool>| chosen.int().cast(DType::I32);
    let room = (count - number(above.clone()).sum_dim(1)).expand(shape);
    let first = number(equal.clone()).cumsum(1).lower_equal(room);
    above.bool_or(equal.bool_and(first))
}
