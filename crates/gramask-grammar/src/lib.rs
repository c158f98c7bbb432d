//! Format files become constraints, readers and writers.

mod format;
pub mod notation;

pub use format::Format;
pub use notation::{FormatError, FormatErrors};
