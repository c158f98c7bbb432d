//! Decoding: a batch of documents, a language model, and for each document a strategy that chooses its tokens.
//!
//! # The nouns
//! | noun | type | what it is |
//! |---|---|---|
//! | model | [`LanguageModel`] | slots of tokens, to which more are appended, and logits, or tokens chosen from them: a [`TransformerModel`], or a [`mock`] |
//! | strategy | [`Strategy`] | decides what happens to the logits of one document: [`Unconstrained`], [`Masked`] |
//! | constraint | [`TokenConstraint`] | says which tokens may follow: [`gramask_grammar::Constraint`] |
//! | request | [`Request`] | a document's prompt, budget and strategy |
//! | output | [`Output`] | its tokens, each with a [`TokenRecord`], its text, why it ended, where the time went |
//! | layout | [`Layout`] | the slots of the cache and the prefix that the prompts share |
//!
//! [`decode`] is the loop that joins them. Prompts come from a [`Prompter`].
//!
//! # What holds
//! - **The batch changes nothing.** A token is drawn with a random number that is a function of seed, document and position
//!   alone ([`Draw`]), and a document's logits depend on its own tokens alone. (The second holds up to the rounding of the
//!   device's matrix products, which may differ with the number of rows.)
//! - **Masked outputs are complete.** Below the shortest valid output a budget is refused before anything is computed; at
//!   it and above, [`Masked`] always ends with an end token where the constraint accepts. How, and why the distribution is
//!   exactly that of the tight mask, is derived in the documentation of the module's source.
//! - **The device changes nothing.** From the same logits the same token is chosen on every device, bit for bit
//!   ([`gramask_kernels::sampling`]), whether they come to the host or not ([`Choosing`]).
//! - **What the mask costs the model is recorded.** Each token has its log-probability under the model and the logarithm of
//!   the mass that the mask left ([`MaskScores::kept_log_mass`]); their sum is the output's importance weight.
//!
//! # Example
//! A model that knows nothing, and a constraint that accepts two texts:
//!
//! ```
//! use std::ops::ControlFlow;
//! use gramask_decode::mock::{self, MockConstraint, MockModel};
//! use gramask_decode::{Layout, Masked, Request, Sampling, Settings, decode};
//!
//! let table = mock::table(&["yes", "es"]);
//! let mut model = MockModel::hashed(table.clone(), 64);
//! let prompts: Vec<Vec<u32>> = ["Is it? 1", "Is it? 2"].map(|p| p.bytes().map(u32::from).collect()).into();
//! let layout = Layout::plan(8, 64, Some(4), prompts.iter().map(Vec::as_slice));
//! assert_eq!(layout.prefix.len(), "Is it? ".len());
//!
//! let requests = prompts.into_iter().enumerate().map(|(number, prompt)| {
//!     let constraint = MockConstraint::new(table.clone(), &["yes", "no"]);
//!     Request::new(format!("doc-{number}"), prompt, Some(4), Masked::new(constraint))
//! });
//! let settings = Settings::new(layout, Sampling::at(1.0, 7));
//! let summary = decode(&mut model, &table, &settings, requests, |ended| {
//!     let output = ended.outcome.expect("a budget of 4 suffices for y, e, s and the end");
//!     assert!(output.text == "yes" || output.text == "no");
//!     assert!(output.tokens.iter().all(|token| token.removed_mass().unwrap() > 0.5));
//!     ControlFlow::Continue(())
//! }).unwrap();
//! assert_eq!((summary.outputs, summary.errors), (2, 0));
//! ```

mod batch;
mod constraint;
mod cutter;
mod device;
mod found;
mod guide;
mod habits;
mod layout;
pub mod mock;
mod model;
mod output;
mod prompt;
mod prompt_store;
mod random;
mod record;
mod registry;
mod sampler;
mod sampling;
mod sequence;
mod strategies;
mod strategy;
mod transformer;
mod vocabulary;

pub use batch::{Choosing, DecodeError, Settings, Summary, decode, decode_with};
pub use constraint::TokenConstraint;
pub use cutter::Cutter;
pub use device::DeviceLogits;
pub use habits::Habits;
pub use layout::{Layout, LayoutError, common_prefix};
pub use model::{Ask, Behind, LanguageModel, LanguageModelError, Logits, Row, Select};
pub use output::{Ended, Finish, Output, Positions, Request, RequestError, Times};
pub use prompt::{Example, Examples, Prompt, PromptError, PromptTokenizer, Prompter, Prompting, instruction};
pub use prompt_store::{PromptStore, Saved};
pub use random::{Draw, digest, document_number};
pub use record::{Chosen, MaskScores, Scores, TokenRecord, Wanted};
pub use registry::{
    BuildError, Count, Flag, Least, Levels, Number, Parameter, ParameterSet, Randomness, SharedTokenizer,
    StrategyBuilder, StrategyChoice, StrategyContext, StrategyDefinition, StrategyName, StrategyTask, Text,
    UnknownStrategy, Value, parameter_lines, strategy_table,
};
pub use sampler::{Basis, Choice, NoChoice, Sampler};
pub use sampling::{Sampling, SamplingError};
pub use strategies::{
    Asap, Beam, BeamStop, Draft, Drafts, FreeThenMasked, Jump, Lazy, Masked, NoConstraint, Particles, Retry,
    Unconstrained,
};
pub use strategy::{Coming, Effort, Ending, Given, Lane, LaneMove, Move, Opening, Step, StepError, Strategy};
pub use transformer::TransformerModel;
pub use vocabulary::{TokenTable, TokenTableError};
