//! Verification of drafts in plain tensor operations.

use super::packed;
use crate::sampling::SamplingError;
use burn::tensor::{DType, Int, Tensor};

/// [`verify_draft`](super::verify_draft) in plain tensor operations: how many tokens of each draft are accepted, and the
/// token after them, both `[batch]`.
///
/// # Errors
/// The same.
pub fn verify_draft_reference(
    tokens: Tensor<1, Int>,
    drafts: &[&[u32]],
) -> Result<(Tensor<1, Int>, Tensor<1, Int>), SamplingError> {
    let (choices, device) = (tokens.dims()[0], tokens.device());
    let tokens = tokens.cast(DType::I32);
    let packed = Tensor::<2, Int>::from_data(packed(choices, drafts)?, (&device, DType::I32));
    let [batch, width] = packed.dims();
    let first = packed.clone().slice([0..batch, 0..1]);
    if width == 2 {
        let none = Tensor::zeros([batch], (&device, DType::I32));
        return Ok((none, tokens.select(0, first.reshape([batch]))));
    }
    let most = width - 2;
    let draft = packed.slice([0..batch, 2..width]);
    let offsets = Tensor::<1, Int>::arange(0..most as i64, (&device, DType::I32)).reshape([1, most]);
    let places = (first.clone().expand([batch, most]) + offsets.expand([batch, most])).clamp_max(choices as i32 - 1);
    let chosen = tokens.clone().select(0, places.reshape([batch * most])).reshape([batch, most]);
    let agrees = draft.equal(chosen).int().cast(DType::I32);
    let accepted = agrees.cumprod(1).sum_dim(1);
    let next = tokens.select(0, (first + accepted.clone()).reshape([batch]));
    Ok((accepted.reshape([batch]), next))
}
