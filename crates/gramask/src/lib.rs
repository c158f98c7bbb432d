//! Gramask: constrained decoding of biomedical named entities, as a library and as a command line.
//!
//! A decoder-only language model reads a **document** and writes its **entities** in a **format**. At every step a
//! **constraint** forbids the tokens that could not lead to a valid output, so that every output parses and, at level
//! `grounded`, says nothing of the document that is not true of it. A **strategy** chooses among the tokens that are left, and a
//! **run** carries out an experiment over a corpus and measures what the constraint costs and gives.
//!
//! The parts are crates of their own, gathered here:
//!
//! | module | what it holds |
//! |---|---|
//! | [`ner`] | documents, entities, schemas, corpora, metrics |
//! | [`grammar`] | format files become constraints, readers and writers |
//! | [`model`] | checkpoints, tokenizers and the transformer |
//! | [`decode`] | the batch loop, the sampler and the strategies |
//! | [`experiment`] | experiment files |
//! | [`run`] | carrying out experiments |
//! | [`tune`] | supervised tuning |
//! | [`report`] | runs made into pages to read, and compared |
//! | [`pull`] | models and vocabularies by name |
//! | [`conform`] | devices held against the CPU |
//! | [`verify`] | constraints held against the oracle |
//! | [`mark`] | texts with their entities marked |
//!
//! # Example
//! A format writes entities down, and reads them back:
//!
//! ```
//! use gramask::grammar::{Format, Program};
//! use gramask::ner::{Entity, Schema, Text};
//!
//! let text = Text::new("Naloxone reverses clonidine.");
//! let program = Program::compile(&Format::named("inline-xml")?, &Schema::new(["Chemical", "Disease"]))?;
//! let entities = [Entity::new("Chemical", 0, 8), Entity::new("Chemical", 18, 27)];
//!
//! let written = program.write(&text, &entities)?;
//! assert_eq!(written.text, "<Chemical>Naloxone</Chemical> reverses <Chemical>clonidine</Chemical>.");
//! assert_eq!(program.read(&text, written.text.as_bytes())?.entities, entities);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Decoding with a model, from the cache or from wherever it can be pulled:
//!
//! ```no_run
//! use gramask::model::device::DeviceName;
//! use gramask::pull::{Cache, Model};
//! use gramask::run::Engine;
//! # let bar = indicatif::ProgressBar::hidden();
//! let model = Model::resolve("smollm2-135m-instruct", &Cache::from_env()?, &bar)?;
//! let engine = Engine::load(&model, DeviceName::Flex, None)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cli;
pub mod conform;
pub mod experiment;
pub mod mark;
pub mod pull;
pub mod report;
pub mod run;
pub mod tune;
pub mod verify;

pub use gramask_decode as decode;
pub use gramask_grammar as grammar;
pub use gramask_model as model;
pub use gramask_ner as ner;
