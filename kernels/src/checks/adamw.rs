//! The step of the optimiser.

use super::{CheckError, Devices, KernelCheck, Numbers, Outcome, Tally, compare, floats_of, upload};
use crate::adamw::{Factors, Learnt, adamw, adamw_reference, sum_of_squares};
use burn::tensor::{Device, Tensor};

/// The shape of a parameter.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Whether its gradients lie column after column.
    pub transposed: bool,
}

/// The check, with fixed shapes.
pub(super) fn checks() -> Vec<KernelCheck> {
    vec![KernelCheck::new("adamw", |devices| {
        let mut tally = Tally::within(devices.tolerances.sums);
        let mut from = Numbers::new(92);
        for (rows, columns, transposed) in [(1, 576, false), (8, 1536, true), (33, 7, true), (200, 301, false)] {
            let case = Case { rows, columns, transposed };
            compare(&mut tally, &format!("[{rows}, {columns}]"), &outcomes(devices, case, &mut from)?);
        }
        Ok(tally)
    })]
}

/// The parameter and both means after three steps, and the sum of the squares of the first parameter and gradient.
///
/// # Errors
/// If a device fails.
pub fn outcomes(devices: &Devices, case: Case, from: &mut Numbers) -> Result<Vec<Outcome>, CheckError> {
    const STEPS: usize = 3;
    let (rows, columns) = (case.rows, case.columns);
    let values = from.floats(rows * columns, 1.0);
    let gradients: Vec<Vec<f32>> = (0..STEPS).map(|_| from.floats(rows * columns, 4.0)).collect();
    let factors = |step: usize| Factors {
        scale: 0.7,
        beta1: 0.9,
        beta2: 0.999,
        unbias1: 1.0 - 0.9f64.powi(step as i32 + 1),
        unbias2: 1.0 - 0.999f64.powi(step as i32 + 1),
        epsilon: 1e-8,
        rate: 1e-2,
        kept: 0.999,
    };
    let gradient = |step: usize, device: &Device| match case.transposed {
        true => upload(&gradients[step], [columns, rows], device).transpose(),
        false => upload(&gradients[step], [rows, columns], device),
    };
    type Step = fn(Learnt, Tensor<2>, &Factors) -> Learnt;
    let run = |device: &Device, step: Step| {
        let value = upload(&values, [rows, columns], device);
        let (mean, square) = (value.zeros_like(), value.zeros_like());
        let begun = Learnt { value, mean, square };
        (0..STEPS).fold(begun, |learnt, number| step(learnt, gradient(number, device), &factors(number)))
    };
    let (device, reference) = (&devices.device, &devices.reference);
    let (got, expected) = (run(device, adamw), run(reference, adamw_reference));
    // Sums in 32 bits would be less exact than the kernel's.
    let exact: f64 = values.iter().chain(&gradients[0]).map(|&number| f64::from(number).powi(2)).sum();
    let begun = upload(&values, [rows, columns], device);
    let squares = sum_of_squares(&[begun, gradient(0, device)]);
    let squares = squares.map_err(|error| CheckError::Read(device.clone(), error))?;
    let mut outcomes = vec![Outcome::new("squares", vec![squares as f32], vec![exact as f32])];
    for (what, got, expected) in [
        ("value", got.value, expected.value),
        ("mean", got.mean, expected.mean),
        ("square", got.square, expected.square),
    ] {
        outcomes.push(Outcome::new(what, floats_of(device, got)?, floats_of(reference, expected)?));
    }
    Ok(outcomes)
}
