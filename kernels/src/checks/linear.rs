//! Products with weights of every type, and rows of such weights.

use super::{
    CheckError, Devices, KernelCheck, Numbers, Outcome, Tally, compare, floats_of, upload, upload_integers,
    weight_rounding,
};
use crate::linear::{linear, linear_as, linear_as_reference};
use crate::{KernelError, Weight, WeightType};
use burn::tensor::{Device, FloatDType};

pub(super) fn checks() -> Vec<KernelCheck> {
    let mut checks = Vec::new();
    for kind in WeightType::ALL {
        let name = format!("linear, weights in {kind}");
        checks.push(KernelCheck::new(name, move |devices| check_products(devices, kind)));
        let name = format!("rows of a weight in {kind}");
        checks.push(KernelCheck::new(name, move |devices| check_rows(devices, kind)));
    }
    checks
}

/// A weight on a device; none if the device does not keep such weights.
fn weight(
    values: Vec<f32>,
    kind: WeightType,
    [out, input]: [usize; 2],
    device: &Device,
) -> Result<Option<Weight>, CheckError> {
    match Weight::new(values, out, input, kind, device) {
        Err(KernelError::Unsupported { .. }) => Ok(None),
        made => Ok(Some(made?)),
    }
}

/// For each result of `x` `[m, k]` times `w` `[n, k]`, row after row: the sum in 64 bits, and the sum of the terms' magnitudes,
/// which the error of a sum in 32 bits is measured by.
pub fn exact_products(x: &[f32], w: &[f32], k: usize) -> Vec<(f64, f64)> {
    let rows = |all: &'_ [f32]| all.len() / k.max(1);
    let sum = |(i, j): (usize, usize)| {
        let terms = x[i * k..][..k].iter().zip(&w[j * k..][..k]).map(|(a, b)| f64::from(*a) * f64::from(*b));
        terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()))
    };
    (0..rows(x)).flat_map(|i| (0..rows(w)).map(move |j| (i, j))).map(sum).collect()
}

/// Activations of one and of several rows times a weight, compared with sums in 64 bits of the stored numbers.
fn check_products(devices: &Devices, kind: WeightType) -> Result<Tally, CheckError> {
    let mut tally = Tally::within(devices.tolerances.products.max(weight_rounding(kind)));
    let shapes: &[[usize; 2]] = if devices.quick { &[[192, 576]] } else { &[[192, 576], [1536, 576], [65, 1536]] };
    for &[out, input] in shapes {
        let values = Numbers::new(11).floats(out * input, 1.0);
        let Some(tested) = weight(values.clone(), kind, [out, input], &devices.device)? else {
            return Ok(Tally::skipped("the device keeps no such weights"));
        };
        let Some(reference) = weight(values, kind, [out, input], &devices.reference)? else {
            return Ok(Tally::skipped("the reference keeps no such weights"));
        };
        let stored = floats_of(&devices.reference, reference.as_tensor().cast(FloatDType::F32))?;
        for m in [1, 3, 8] {
            let x = Numbers::new(m as u64).floats(m * input, 1.0);
            let y = floats_of(&devices.device, linear(upload(&x, [m, input], &devices.device), &tested))?;
            for (place, (got, (sum, size))) in y.iter().zip(exact_products(&x, &stored, input)).enumerate() {
                let what = || format!("[{m}, {input}] x [{out}, {input}] at [{}, {}]", place / out, place % out);
                tally.compare_scaled(what, (*got).into(), sum, size);
            }
        }
    }
    Ok(tally)
}

/// The look-up of embeddings: exactly the stored numbers.
fn check_rows(devices: &Devices, kind: WeightType) -> Result<Tally, CheckError> {
    let mut tally = Tally::exact();
    let shape = [965, 64];
    let values = Numbers::new(11).floats(shape[0] * shape[1], 1.0);
    let on = |device: &Device| weight(values.clone(), kind, shape, device);
    let (Some(tested), Some(reference)) = (on(&devices.device)?, on(&devices.reference)?) else {
        return Ok(Tally::skipped("the device keeps no such weights"));
    };
    let ids = [0, 964, 17, 17, 500];
    let rows = |weight: &Weight, device: &Device| floats_of(device, weight.rows(upload_integers(&ids, [5], device)));
    tally.compare_all("", &rows(&tested, &devices.device)?, &rows(&reference, &devices.reference)?);
    Ok(tally)
}

pub(super) fn check_few_rows(devices: &Devices, dtype: FloatDType) -> Result<Tally, CheckError> {
    let mut tally = Tally::within(devices.rounding(dtype).max(devices.tolerances.products));
    let mut from = Numbers::new(92);
    for kind in WeightType::ALL {
        for (rows, [out, input]) in [(1, [192, 576]), (4, [65, 160])] {
            let case = Case { kind, rows, out, input };
            let Some(outcome) = outcomes(devices, [dtype; 2], case, &mut from)? else { continue };
            compare(&mut tally, &format!("{kind} [{rows}, {input}] x [{out}, {input}]"), &[outcome]);
        }
    }
    Ok(tally)
}

/// The shape of a product.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The type of the weight.
    pub kind: WeightType,
    /// Rows of activations.
    pub rows: usize,
    /// Rows of the weight.
    pub out: usize,
    /// Columns of the weight.
    pub input: usize,
}

/// The product of activations of the first type, with the result in the second; none if a device does not keep such weights.
///
/// # Errors
/// If a device fails.
pub fn outcomes(
    devices: &Devices,
    [from_type, to_type]: [FloatDType; 2],
    case: Case,
    from: &mut Numbers,
) -> Result<Option<Outcome>, CheckError> {
    let Case { kind, rows, out, input } = case;
    let values = from.floats(out * input, 1.0);
    let make = |device: &Device| weight(values.clone(), kind, [out, input], device);
    let (Some(tested), Some(reference)) = (make(&devices.device)?, make(&devices.reference)?) else {
        return Ok(None);
    };
    let x = devices.rounded(from, rows * input, 1.0, from_type)?;
    let on = |device: &Device, dtype: FloatDType| upload(&x, [rows, input], device).cast(dtype);
    let got = linear_as(on(&devices.device, from_type), &tested, to_type);
    let expected = linear_as_reference(on(&devices.reference, FloatDType::F32), &reference, FloatDType::F32);
    let (got, expected) = (floats_of(&devices.device, got)?, floats_of(&devices.reference, expected)?);
    Ok(Some(Outcome::new("product", got, expected)))
}
