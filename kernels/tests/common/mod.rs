//! What the tests of the kernels share.

#![allow(dead_code)] // no test uses all of it

pub mod choose;

use gramask_kernels::cpu::{Level, Values, linear_at};
use proptest::prelude::*;
use std::sync::LazyLock;

/// The levels that this processor has; names those it lacks, once.
#[allow(clippy::print_stdout)]
pub static LEVELS: LazyLock<Vec<Level>> = LazyLock::new(|| {
    let (here, missing): (Vec<_>, Vec<_>) = Level::ALL.into_iter().partition(|level| level.is_supported());
    for level in missing {
        println!("skipped: this processor has no {level}");
    }
    here
});

/// Sums in 64 bits, and the sum of magnitudes that the error of a 32-bit sum is measured against.
fn exact(x: &[f32], w: &[f32]) -> (f64, f64) {
    let terms = x.iter().zip(w).map(|(a, b)| f64::from(*a) * f64::from(*b));
    terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()))
}

/// What the error of a sum of `k` products in 32 bits may be, in units of the sum of their magnitudes: roundings add up as
/// their square root, but for a small factor, whatever the order (Higham and Mary 2019, "A new approach to probabilistic
/// rounding error analysis", theorem 3.1). One wrong weight of `k` is a thousand times as much.
fn rounding(k: usize) -> f64 {
    4.0 * (k as f64 + 16.0).sqrt() * f64::from(f32::EPSILON / 2.0)
}

/// One product, compared with sums in 64 bits of the weights' true values `w`; `name` is what a failure calls the weights.
pub fn check_product(
    level: Level,
    name: &str,
    (x, values, w): (&[f32], Values<'_>, &[f32]),
    [m, n, k]: [usize; 3],
) -> Result<(), TestCaseError> {
    let mut y = vec![f32::NAN; m * n];
    linear_at(level, x, values, [m, n, k], &mut y).unwrap();
    for i in 0..m {
        for j in 0..n {
            let (sum, size) = exact(&x[i * k..(i + 1) * k], &w[j * k..(j + 1) * k]);
            let error = (f64::from(y[i * n + j]) - sum).abs();
            prop_assert!(
                error <= size * rounding(k) + 1e-30,
                "{level} {name} [{m}, {k}] x [{n}, {k}] at [{i}, {j}]: {} for {sum}",
                y[i * n + j]
            );
        }
    }
    Ok(())
}
