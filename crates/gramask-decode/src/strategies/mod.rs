//! The strategies, each in a file of its own.

mod draft;
mod free;
mod jump;
mod lazy;
mod masked;
mod unconstrained;

pub use draft::{Draft, Drafts};
pub use free::FreeThenMasked;
pub use jump::Jump;
pub use lazy::Lazy;
pub use masked::Masked;
pub use unconstrained::Unconstrained;
