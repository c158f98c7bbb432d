//! The strategies, each in a file of its own.

mod asap;
mod beam;
mod draft;
mod free;
mod jump;
mod lazy;
mod masked;
mod particles;
mod retry;
mod tempered;
mod unconstrained;

pub use asap::Asap;
pub use beam::{Beam, BeamStop, NoConstraint};
pub use draft::{Draft, Drafts};
pub use free::FreeThenMasked;
pub use jump::Jump;
pub use lazy::Lazy;
pub use masked::Masked;
pub use particles::Particles;
pub use retry::Retry;
pub use unconstrained::Unconstrained;
