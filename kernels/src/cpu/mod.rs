//! What the CPU kernels share: vector instructions, loops over rows on several threads, and the memory of Burn's tensors.
//!
//! | file | content |
//! |---|---|
//! | `level.rs` | the vector instructions of this processor |
//! | `simd.rs` | what a kernel needs of an instruction set; `x86.rs`, `neon.rs`, `scalar.rs` implement it |
//! | `vector.rs` | plain loops over slices that the compiler vectorises |
//! | `parallel.rs` | pieces of work on all cores |
//! | `flex.rs` | rows of Burn's CPU tensors |

pub(crate) mod flex;
mod level;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
pub(crate) mod parallel;
pub(crate) mod scalar;
pub(crate) mod simd;
pub mod vector;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86;

pub(crate) use flex::has_native_path;
pub use level::Level;
pub use parallel::each_chunk;

use crate::error::KernelError;

/// Checks that a slice is as long as its shape says.
pub(crate) fn check_length(name: &'static str, len: usize, rows: usize, columns: usize) -> Result<(), KernelError> {
    if rows.checked_mul(columns) != Some(len) {
        return Err(KernelError::Length { name, rows, columns, len });
    }
    Ok(())
}
