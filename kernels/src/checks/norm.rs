//! The residual sum and its RMSNorm.

use super::{CheckError, Devices, Numbers, Outcome, Tally, compare, floats_of, upload};
use crate::norm::{Norm, add_norm, add_norm_reference};
use burn::tensor::{Device, FloatDType};

/// The shape of a sum and its norm.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Rows of the stream.
    pub rows: usize,
    /// Columns of the stream.
    pub width: usize,
    /// Whether something is added to the stream.
    pub add: bool,
}

pub(super) fn check(devices: &Devices, dtype: FloatDType) -> Result<Tally, CheckError> {
    let mut tally = Tally::within(devices.rounding(dtype));
    let mut from = Numbers::new(90);
    for (rows, width) in [(1, 576), (5, 64), (3, 1000)] {
        for add in [true, false] {
            let outcomes = outcomes(devices, dtype, Case { rows, width, add }, &mut from)?;
            compare(&mut tally, &format!("[{rows}, {width}]"), &outcomes);
        }
    }
    Ok(tally)
}

/// The sum and the norm.
///
/// # Errors
/// If a device fails.
pub fn outcomes(
    devices: &Devices,
    dtype: FloatDType,
    case: Case,
    from: &mut Numbers,
) -> Result<[Outcome; 2], CheckError> {
    let Case { rows, width, add } = case;
    let stream = from.floats(rows * width, 3.0);
    let delta = devices.rounded(from, rows * width, 3.0, dtype)?;
    let weight = from.floats(width, 2.0);
    let on = |device: &Device, dtype: FloatDType, reference: bool| {
        let weight = upload(&weight, [width], device);
        let norm = Norm { weight: &weight, epsilon: 1e-5, dtype };
        let delta = add.then(|| upload(&delta, [rows, width], device).cast(dtype));
        let stream = upload(&stream, [rows, width], device);
        let (sum, normed) = match reference {
            true => add_norm_reference(stream, delta, &norm),
            false => add_norm(stream, delta, &norm),
        };
        Ok::<_, CheckError>([floats_of(device, sum)?, floats_of(device, normed)?])
    };
    let [sum, norm] = on(&devices.device, dtype, false)?;
    let [wanted_sum, wanted] = on(&devices.reference, FloatDType::F32, true)?;
    Ok([Outcome::new("sum", sum, wanted_sum), Outcome::new("norm", norm, wanted)])
}
