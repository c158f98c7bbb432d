//! The gate of the feed-forward layer.

use super::{CheckError, Devices, Numbers, Outcome, Tally, compare, floats_of, upload};
use crate::swiglu::{Gate, gated, gated_reference};
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
    /// The function of the gate.
    pub gate: Gate,
}

pub(super) fn check(devices: &Devices, dtype: FloatDType) -> Result<Tally, CheckError> {
    let mut tally = Tally::within(devices.rounding(dtype));
    let mut from = Numbers::new(91);
    for (tokens, hidden, gate) in [(1, 1536, Gate::Silu), (7, 33, Gate::Silu), (7, 33, Gate::GeluTanh)] {
        let outcome = outcomes(devices, dtype, Case { tokens, hidden, size: 8.0, gate }, &mut from)?;
        compare(&mut tally, &format!("{gate:?} [{tokens}, {hidden}]"), &[outcome]);
    }
    Ok(tally)
}

/// The product of the gate.
///
/// # Errors
/// If a device fails.
pub fn outcomes(devices: &Devices, dtype: FloatDType, case: Case, from: &mut Numbers) -> Result<Outcome, CheckError> {
    let Case { tokens, hidden, size, gate } = case;
    let (device, reference) = (&devices.device, &devices.reference);
    let values = devices.rounded(from, tokens * 2 * hidden, size, dtype)?;
    let shape = [tokens, 2 * hidden];
    let got = gated(upload(&values, shape, device).cast(dtype), gate);
    let expected = gated_reference(upload(&values, shape, reference), gate);
    Ok(Outcome::new("gate", floats_of(device, got)?, floats_of(reference, expected)?))
}
