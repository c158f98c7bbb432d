//! Gramask: constrained decoding of biomedical named entities, as a library and as a command line.
//!
//! A language model reads a **document** and writes its **entities** in a **format**. At every step a **constraint** forbids the tokens
//! that cannot lead to a valid output. So every output parses, and at level `grounded` everything that it says about the document is
//! true. A **strategy** chooses among the allowed tokens. A **run** carries out an experiment over a corpus, and measures what the
//! constraint costs and gains.
//!
//! # The pipeline
//!
//! ```text
//! experiment.toml ─ Experiment ─ Plan ─ run_plan ─ Record ─ ScoreRow ─ SummaryRow ─ table, CSV, page
//!                   experiment   plan   runner     store    evaluate               report
//! ```
//!
//! The page `docs/architecture.md` shows it in full, and says where to add what.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ner`] | documents, entities, schemas, corpora, metrics |
//! | [`grammar`] | format files become constraints, readers and writers |
//! | [`model`] | checkpoints, tokenizers and the transformer |
//! | [`decode`] | the batch loop, the sampler and the strategies |
//! | [`experiment`] | experiment files |
//! | [`plan`] | planning: an experiment with all names looked up |
//! | [`runner`] | running: decoding what a plan asks for |
//! | [`evaluate`] | evaluating: scores, summaries, comparisons |
//! | [`store`] | storing: the files of a run's folder |
//! | [`tune`] | supervised tuning |
//! | [`report`] | showing: tables, CSV and pages |
//! | [`pull`] | models and vocabularies by name |
//! | [`conform`] | the device check: a device compared with the CPU |
//! | [`verify`] | constraints compared with the oracle |
//! | [`highlight`] | texts with their entities highlighted |
//!
//! # Example
//! A format writes entities, and reads them back:
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
//! A model is loaded from the cache, and downloaded if it is missing:
//!
//! ```no_run
//! use gramask::model::device::DeviceName;
//! use gramask::pull::{Cache, Model};
//! use gramask::runner::Engine;
//! # let bar = indicatif::ProgressBar::hidden();
//! let model = Model::resolve("smollm2-135m-instruct", &Cache::from_env()?, &bar)?;
//! let engine = Engine::load(&model, DeviceName::Flex, None)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cli;
pub mod conform;
pub mod evaluate;
pub mod experiment;
pub mod highlight;
pub mod inspect;
pub mod plan;
pub mod pull;
pub mod report;
pub mod runner;
pub mod store;
pub mod tune;
pub mod verify;

pub use gramask_decode as decode;
pub use gramask_grammar as grammar;
pub use gramask_model as model;
pub use gramask_ner as ner;
