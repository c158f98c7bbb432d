//! The operations of a training step and their gradients.

use super::{CheckError, Devices, KernelCheck, Numbers, Outcome, Tally, compare, floats_of, upload};
use crate::training::{
    add_scaled, add_scaled_reference, gate, gate_reference, masked_softmax, masked_softmax_reference, norm,
    norm_reference, rotate, rotate_reference,
};
use burn::tensor::{Device, Tensor};

const EPSILON: f64 = 1e-5;

/// The shape of a step: heads of `2 * half` numbers.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Tokens.
    pub tokens: usize,
    /// Heads.
    pub heads: usize,
    /// Half the width of a head.
    pub half: usize,
}

/// The check, with fixed shapes.
pub(super) fn checks() -> Vec<KernelCheck> {
    vec![KernelCheck::new("gradients of training", |devices| {
        let mut tally = Tally::within(4.0 * devices.tolerances.sums);
        let mut from = Numbers::new(93);
        for (tokens, heads, half) in [(5, 2, 3), (70, 3, 32), (1, 1, 8)] {
            let case = Case { tokens, heads, half };
            compare(&mut tally, &format!("{case:?}"), &outcomes(devices, case, &mut from)?);
        }
        Ok(tally)
    })]
}

/// What an operation gives, and its gradients by its operands.
type Given = Result<Vec<Vec<f32>>, CheckError>;

/// The operations and their gradients by each operand.
///
/// # Errors
/// If a device fails.
pub fn outcomes(devices: &Devices, case: Case, from: &mut Numbers) -> Result<Vec<Outcome>, CheckError> {
    let Case { tokens, heads, half } = case;
    let shape = [tokens, heads * 2 * half];
    let mut numbers = |count: usize| from.floats(count, 3.0);
    let count = shape[0] * shape[1];
    let (a, b, weight, direction) = (numbers(count), numbers(count), numbers(shape[1]), numbers(count));
    let (scores, to_scores) = (numbers(heads * tokens * tokens), numbers(heads * tokens * tokens));
    let (cos, sin) = (numbers(tokens * half), numbers(tokens * half));
    // Every token attends to itself, and to some others.
    let hidden = |(place, number): (usize, &f32)| if place % (tokens + 1) != 0 && *number < 0.0 { -1e30 } else { 0.0 };
    let mask: Vec<f32> = scores[..tokens * tokens].iter().enumerate().map(hidden).collect();

    type Norm = fn(Tensor<2>, Tensor<2>, f64) -> Tensor<2>;
    let normed = |device: &Device, norm: Norm| -> Given {
        let (x, weight) = (learnt(&a, shape, device), learnt(&weight, [1, shape[1]], device));
        gradients(device, norm(x.clone(), weight.clone(), EPSILON), &direction, [x, weight])
    };
    type Rotate = fn(Tensor<2>, &Tensor<3>, &Tensor<3>, f64) -> Tensor<3>;
    let rotated = |device: &Device, rotate: Rotate| -> Given {
        let x = learnt(&a, shape, device);
        let [cos, sin] = [&cos, &sin].map(|angles| upload(angles, [tokens, 1, half], device));
        gradients(device, rotate(x.clone(), &cos, &sin, 0.7), &direction, [x])
    };
    type Softmax = fn(Tensor<3>, &Tensor<3>) -> Tensor<3>;
    let shared = |device: &Device, softmax: Softmax| -> Given {
        let scores = learnt(&scores, [heads * tokens, tokens], device);
        let mask = upload(&mask, [1, tokens, tokens], device);
        gradients(device, softmax(scores.clone().reshape([heads, tokens, tokens]), &mask), &to_scores, [scores])
    };
    type Gate = fn(Tensor<2>, Tensor<2>) -> Tensor<2>;
    let gated = |device: &Device, gate: Gate| -> Given {
        let (a, b) = (learnt(&a, shape, device), learnt(&b, shape, device));
        gradients(device, gate(a.clone(), b.clone()), &direction, [a, b])
    };
    type Sum = fn(Tensor<2>, Tensor<2>, f64) -> Tensor<2>;
    let added = |device: &Device, sum: Sum| -> Given {
        let (a, b) = (learnt(&a, shape, device), learnt(&b, shape, device));
        gradients(device, sum(a.clone(), b.clone(), 2.5), &direction, [a, b])
    };
    let (device, reference) = (&devices.device, &devices.reference);
    let all = [
        ("norm", normed(device, norm)?, normed(reference, norm_reference)?),
        ("rotation", rotated(device, rotate)?, rotated(reference, rotate_reference)?),
        ("softmax", shared(device, masked_softmax)?, shared(reference, masked_softmax_reference)?),
        ("sum", added(device, add_scaled)?, added(reference, add_scaled_reference)?),
        ("gate", gated(device, gate)?, gated(reference, gate_reference)?),
    ];
    let mut outcomes = Vec::new();
    for (what, got, expected) in all {
        for (number, (got, expected)) in got.into_iter().zip(expected).enumerate() {
            let part = if number == 0 { String::new() } else { format!(", gradient {number}") };
            outcomes.push(Outcome::new(format!("{what}{part}"), got, expected));
        }
    }
    Ok(outcomes)
}

/// A tensor whose gradient is recorded.
fn learnt(values: &[f32], shape: [usize; 2], device: &Device) -> Tensor<2> {
    upload(values, shape, device).autodiff().require_grad()
}

/// What was computed, and the gradients of its inner product with `direction` by each operand.
fn gradients<const D: usize, const N: usize>(
    device: &Device,
    out: Tensor<D>,
    direction: &[f32],
    operands: [Tensor<2>; N],
) -> Given {
    let along = upload(direction, out.dims(), device);
    let mut all = vec![floats_of(device, out.clone().inner())?];
    let mut found = (out * along).sum().backward();
    for operand in operands {
        let gradient = operand.grad_remove(&mut found);
        // A gradient that is missing is no number, and wrong.
        all.push(gradient.map_or(Ok(vec![f32::NAN]), |gradient| floats_of(device, gradient))?);
    }
    Ok(all)
}
