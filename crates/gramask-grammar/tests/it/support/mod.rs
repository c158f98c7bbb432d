//! What several tests use.

pub mod formats;
pub mod tokenizers;
pub mod walk;
