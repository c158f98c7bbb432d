//! The strategies, each in a file of its own.

mod lazy;
mod masked;
mod unconstrained;

pub use lazy::Lazy;
pub use masked::Masked;
pub use unconstrained::Unconstrained;
