//! The vector instructions of this processor.

use std::fmt;

/// A set of vector instructions that the CPU kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// x86-64 with AVX-512F: 16 lanes, 32 registers.
    Avx512,
    /// x86-64 with AVX2, FMA and F16C: 8 lanes, 16 registers.
    Avx2,
    /// AArch64: 4 lanes, 32 registers.
    Neon,
    /// Any processor: plain Rust, which the compiler vectorises as far as the target allows.
    Scalar,
}

impl Level {
    /// All levels, the fastest first.
    pub const ALL: [Level; 4] = [Level::Avx512, Level::Avx2, Level::Neon, Level::Scalar];

    /// Whether this processor can run the level. Cheap: the standard library remembers what it detected.
    pub fn is_supported(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "aarch64")]
            Level::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            Level::Scalar => true,
            #[allow(unreachable_patterns)] // which patterns are left depends on the target
            _ => false,
        }
    }

    /// 32-bit floats in a vector.
    pub(crate) fn lanes(self) -> usize {
        match self {
            Level::Avx512 => 16,
            Level::Avx2 | Level::Scalar => 8,
            Level::Neon => 4,
        }
    }

    /// The fastest level that this processor has.
    pub fn best() -> Level {
        Level::ALL.into_iter().find(|level| level.is_supported()).unwrap_or(Level::Scalar)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Avx512 => "AVX-512",
            Level::Avx2 => "AVX2 + FMA + F16C",
            Level::Neon => "NEON",
            Level::Scalar => "scalar",
        })
    }
}
