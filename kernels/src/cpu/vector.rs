//! Loops over `f32` slices, written so that the compiler turns them into vector instructions.
//!
//! Rust compiles for the oldest processor of an architecture. [`widest`] compiles a loop a second time for AVX2 with
//! FMA and picks at run time; the loops themselves are plain Rust with no `unsafe`.

/// Defines `fn name(args)` that runs the generic `body::<FMA>(args)` with the widest instructions of the processor.
#[macro_export]
macro_rules! widest {
    ($(#[$doc:meta])* $vis:vis fn $name:ident = $body:ident($($arg:ident: $ty:ty),* $(,)?)) => {
        $(#[$doc])*
        $vis fn $name($($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn wide($($arg: $ty),*) {
                    $body::<true>($($arg),*)
                }
                if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has both features.
                    return unsafe { wide($($arg),*) };
                }
            }
            $body::<{ cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}

/// `a * b + c`; fused only where the processor does that in one instruction.
#[inline(always)]
pub fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// The sum of `a[i] * b[i]`, in 16 partial sums.
#[inline(always)]
pub fn dot<const FMA: bool>(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 16];
    let (a16, b16) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a16.remainder().iter().zip(b16.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a16.zip(b16) {
        for i in 0..16 {
            sums[i] = fma::<FMA>(x[i], y[i], sums[i]);
        }
    }
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
    }
    sums[0] + rest
}

/// `e^x`, within 2 units in the last place for x in -87..=88, and clamped to that range.
///
/// Cody-Waite reduction to `r` in -ln2/2..=ln2/2 and the degree-5 polynomial of the Cephes library (`expf`). Unlike the
/// standard library's it is inlined, and so becomes vector code.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    // 1.5 * 2^23: adding it rounds to an integer and leaves that integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = fma::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    // ln 2 in two parts, the first of which has few bits, so that n times it is exact.
    let r = fma::<FMA>(n, 2.121_944_4e-4, fma::<FMA>(n, -355.0 / 512.0, x));
    let mut y = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        y = fma::<FMA>(y, r, c);
    }
    let y = fma::<FMA>(y, r * r, r) + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    y * f32::from_bits(exponent << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_units_of_the_true_value() {
        for i in -87_000..=88_000 {
            let x = i as f32 / 1000.0;
            let truth = f64::from(x).exp();
            for y in [exp::<false>(x), exp::<true>(x)] {
                let error = (f64::from(y) - truth).abs() / truth;
                assert!(error < 2.4e-7, "exp({x}) = {y}, not {truth}: {error:e}");
            }
        }
        assert!(exp::<false>(-1e30) < 2e-38);
    }

    #[test]
    fn sums_of_every_length() {
        for n in 0..40 {
            let ones = vec![1.0; n];
            let counted: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let sum = (n * n.saturating_sub(1) / 2) as f32;
            assert_eq!(dot::<false>(&ones, &counted), sum);
            assert_eq!(dot::<true>(&ones, &counted), sum);
        }
    }
}
