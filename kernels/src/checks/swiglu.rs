//! SwiGLU.

use super::{CheckError, Devices, Numbers, Outcome, Tally, compare, floats_of, upload};
use crate::swiglu::{swiglu, swiglu_reference};
use burn::tensor::FloatDType;

/// The shape of a gate, and the size of its numbers.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Rows.
    pub tokens: usize,
    /// Columns of the gate.
    pub hidden: usize,
    /// The largest number.
    pub size: f32,
}

pub(super) fn check(devices: &Devices, dtype: FloatDType) -> Result<Tally, CheckError> {
    let mut tally = Tally::within(devices.rounding(dtype));
    let mut from = Numbers::new(91);
    for (tokens, hidden) in [(1, 1536), (7, 33)] {
        let outcome = outcomes(devices, dtype, Case { tokens, hidden, size: 8.0 }, &mut from)?;
        compare(&mut tally, &format!("[{tokens}, {hidden}]"), &[outcome]);
    }
    Ok(tally)
}

/// The product of the gate.
///
/// # Errors
/// If a device fails.
pub fn outcomes(devices: &Devices, dtype: FloatDType, case: Case, from: &mut Numbers) -> Result<Outcome, CheckError> {
    let Case { tokens, hidden, size } = case;
    let (device, reference) = (&devices.device, &devices.reference);
    let values = devices.rounded(from, tokens * 2 * hidden, size, dtype)?;
    let shape = [tokens, 2 * hidden];
    let got = swiglu(upload(&values, shape, device).cast(dtype));
    let expected = swiglu_reference(upload(&values, shape, reference));
    Ok(Outcome::new("swiglu", floats_of(device, got)?, floats_of(reference, expected)?))
}
