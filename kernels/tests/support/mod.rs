//! What the tests of the kernels share.

pub mod sampling;

use gramask_kernels::checks::linear::exact_products;
use gramask_kernels::cpu::Level;
use gramask_kernels::linear::cpu::{Values, linear_at};
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
    for (place, (y, (sum, size))) in y.iter().zip(exact_products(x, w, k)).enumerate() {
        let (i, j) = (place / n, place % n);
        let error = (f64::from(*y) - sum).abs();
        prop_assert!(
            error <= size * rounding(k) + 1e-30,
            "{level} {name} [{m}, {k}] x [{n}, {k}] at [{i}, {j}]: {y} for {sum}"
        );
    }
    Ok(())
}
