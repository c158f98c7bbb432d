//! Batch loop, sampler, strategies and traces.

#![allow(missing_docs)]
mod batch;
mod constraint;
mod layout;
mod masked;
pub mod mock;
mod model;
mod numeric;
mod output;
mod random;
mod sampler;
mod sampling;
mod sequence;
mod strategy;
mod vocabulary;

pub use batch::{DecodeError, Settings, Summary, decode};
pub use constraint::TokenConstraint;
pub use layout::{Layout, LayoutError, common_prefix};
pub use masked::Masked;
pub use model::{LanguageModel, LanguageModelError, Logits, Row, Select};
pub use output::{Chosen, Ended, Finish, Output, Positions, Request, RequestError, Times, TokenRecord};
pub use random::{Draw, digest, document_number};
pub use sampler::{Basis, Choice, NoChoice, Sampler};
pub use sampling::{Sampling, SamplingError};
pub use strategy::{Move, Step, StepError, Strategy, Unconstrained};
pub use vocabulary::{TokenTable, TokenTableError};
