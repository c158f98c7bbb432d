//! Format files become constraints, readers and writers.

mod constraint;
mod delimiters;
mod engine;
mod escape;
mod format;
mod machine;
mod matcher;
pub mod notation;
mod program;
mod read;
mod regex;
mod source;
mod vocabulary;
mod write;

pub use constraint::{Constraint, ConstraintError, Oracle};
pub use engine::State;
pub use format::Format;
pub use machine::{Level, UnknownLevel};
pub use notation::{FormatError, FormatErrors};
pub use program::{CompileError, Program};
pub use read::{Problem, ReadError, Reading};
pub use vocabulary::{Token, Vocabulary, VocabularyError};
pub use write::{Reason, WriteError, Written};
