//! What several tests use.

pub mod formats;
pub mod walk;
