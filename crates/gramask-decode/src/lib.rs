//! Decoding: a batch of documents, a language model, and for each document a strategy that chooses its tokens.
//!
//! This crate is the decode loop of the pipeline: logits -> strategy (mask, sample) -> token. It gets prompts, constraints and a
//! model from the crates below, and returns outputs with a record of each token.
//!
//! # The nouns
//! | noun | type | what it is |
//! |---|---|---|
//! | model | [`LanguageModel`] | slots of tokens, and logits or tokens sampled from them: a [`TransformerModel`], or a [`mock`] |
//! | strategy | [`Strategy`] | decides what happens to the logits of one document: [`Unconstrained`], [`Masked`] |
//! | constraint | [`TokenConstraint`] | says which tokens may follow: [`gramask_grammar::Constraint`] |
//! | request | [`Request`] | a document's prompt, budget and strategy |
//! | output | [`Output`] | its tokens, each with a [`TokenRecord`], its text, why it ended, and its times |
//! | layout | [`Layout`] | the slots of the cache and the prefix that the prompts share |
//!
//! [`decode`] is the loop that joins them. Prompts come from a [`Prompter`]. [`registry`] holds what the program knows of each
//! strategy.
//!
//! # One token's way
//! A forward pass leaves logits on the host or on the device ([`LogitsHandle`]). A strategy sees each row as [`RowLogits`], and
//! takes a [`Choice`] from it: the [`Sampler`] makes the choice on the host, a [`SampleRequest`] has it made on the device. The
//! choice becomes a [`TokenRecord`] of a [`Move`], and in the end of an [`Output`].
//!
//! # What holds
//! - **The batch changes nothing.** The random number of a token is a function of seed, document and position alone ([`Draw`]),
//!   and a document's logits depend only on its own tokens. (Logits can differ by the rounding of the device's matrix products,
//!   which can depend on the number of rows.)
//! - **Masked outputs are complete.** A budget below the shortest valid output is refused before anything is computed. With
//!   every other budget [`Masked`] ends with an end token, where the constraint accepts. The source of the module
//!   `budgeted_sampler` derives this, and why the distribution is exactly that of the tight mask.
//! - **The device changes nothing.** From the same logits every device samples the same token, bit for bit
//!   ([`gramask_kernels::sampling`]), and so does the host ([`SampleOn`]).
//! - **The cost of the mask is recorded.** Each token has its log-probability under the model, and the logarithm of the mass that
//!   the mask left ([`MaskScores::kept_log_mass`]). The sum of these logarithms is the output's importance weight.
//!
//! # Example
//! A model without knowledge, and a constraint that accepts two texts:
//!
//! ```
//! use std::ops::ControlFlow;
//! use gramask_decode::mock::{self, MockConstraint, MockModel};
//! use gramask_decode::{Layout, Masked, Request, Sampling, Settings, decode};
//!
//! let vocabulary = mock::byte_vocabulary(&["yes", "es"]);
//! let mut model = MockModel::hashed(vocabulary.clone(), 64);
//! let prompts: Vec<Vec<u32>> = ["Is it? 1", "Is it? 2"].map(|p| p.bytes().map(u32::from).collect()).into();
//! let layout = Layout::plan(8, 64, Some(4), prompts.iter().map(Vec::as_slice));
//! assert_eq!(layout.prefix.len(), "Is it? ".len());
//!
//! let requests = prompts.into_iter().enumerate().map(|(number, prompt)| {
//!     let constraint = MockConstraint::new(vocabulary.clone(), &["yes", "no"]);
//!     Request::new(format!("doc-{number}"), prompt, Some(4), Masked::new(constraint))
//! });
//! let settings = Settings::new(layout, Sampling::at(1.0, 7));
//! let summary = decode(&mut model, &vocabulary, &settings, requests, |ended| {
//!     let output = ended.outcome.expect("a budget of 4 suffices for y, e, s and the end");
//!     assert!(output.text == "yes" || output.text == "no");
//!     assert!(output.tokens.iter().all(|token| token.removed_mass().unwrap() > 0.5));
//!     ControlFlow::Continue(())
//! }).unwrap();
//! assert_eq!((summary.outputs, summary.errors), (2, 0));
//! ```

mod batch;
mod budgeted_sampler;
mod canonical;
mod constraint;
mod device;
mod forward;
mod layout;
pub mod mock;
mod model;
mod ngram_draft;
mod output;
mod pass_result;
mod prompt;
mod prompt_store;
mod random;
mod record;
pub mod registry;
mod retokenizer;
mod row_logits;
mod sampler;
mod sequence;
mod step_error;
mod strategies;
mod strategy;
mod transformer;

pub use batch::{DecodeError, SampleOn, Settings, Summary, decode, decode_with};
pub use constraint::{ByteConstraint, TokenConstraint};
pub use device::DeviceLogits;
pub use gramask_kernels::sampling::{InvalidSampling, NoChoice, Sampling};
pub use layout::{Layout, LayoutError, common_prefix};
pub use model::{LanguageModel, LanguageModelError, Logits, LogitsHandle, Row, SampleRequest, Sampled, Select};
pub use ngram_draft::NgramDraftModel;
pub use output::{Ended, Finish, Output, Request, RequestError, Times, TokenCounts};
pub use prompt::{Example, Examples, Prompt, PromptError, PromptTokenizer, Prompter, Prompting, instruction};
pub use prompt_store::{PromptStore, Saved};
pub use random::{Draw, digest, document_number};
pub use record::{BudgetScores, Chosen, MaskScores, Scores, TokenRecord, Wanted};
pub use registry::{
    BuildError, SharedTokenizer, StrategyBuilder, StrategyChoice, StrategyName, StrategyTask, UnknownStrategy,
};
pub use retokenizer::Retokenizer;
pub use row_logits::{DeviceSample, RowLogits};
pub use sampler::{Basis, Choice, Sampler};
pub use strategies::{
    Asap, Beam, BeamStop, Draft, Drafts, FreeThenMasked, Jump, Lazy, Masked, NoConstraint, Retry, Smc, Unconstrained,
};
pub use strategy::{Effort, Ending, Hypothesis, HypothesisMove, Move, Opening, PreSample, Step, StepError, Strategy};
pub use transformer::{TransformerModel, vocabulary_of};
