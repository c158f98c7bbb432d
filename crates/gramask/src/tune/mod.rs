//! Supervised tuning: a model learns to write the entities of documents in one format or several.
//!
//! A [`Tuning`] file names model, corpora and formats. [`Prepared`] has an example for each document and format. It has the
//! prompt that `gramask run` makes without examples, so that a tuned model is asked as it was taught. [`Prepared::train`] makes
//! the steps. A step's examples are of a few formats, in groups of one: a group's common beginning is computed once (see
//! [`Pack`](gramask_model::tuning::Pack)).
//!
//! A training has a folder:
//!
//! | file | |
//! |---|---|
//! | `run.json` | everything needed to repeat it |
//! | `state.safetensors` | everything needed to go on |
//! | `curve.csv`, `validation.csv`, `curve.svg` | how it went |
//! | `best/`, `last/` | the adapters of the best validation and of the last state |
//! | `validation/STEP/records.jsonl` | what was decoded on the way |
//!
//! ```
//! use gramask::tune::Tuning;
//! let tuning = Tuning::parse("tune-mini.toml".as_ref(), r#"
//!     model   = "smollm2-135m-instruct"
//!     formats = ["json-list", "inline-xml"]
//!
//!     [[corpora]]
//!     name = "mini"
//!
//!     [lora]
//!     rank    = 8
//!     targets = ["q_proj", "v_proj"]
//! "#)?;
//! assert_eq!(tuning.lora.map(|lora| lora.scale()), Some(2.0));
//! # Ok::<(), gramask::experiment::ExperimentError>(())
//! ```

mod curve;
mod data;
mod error;
mod file;
mod overrides;
mod training;
mod validate;

pub use curve::{Point, Score};
pub use data::{Data, Example, packs};
pub use error::TuneError;
pub use file::{Mix, Training, Tuning, Validation};
pub use overrides::Overrides;
pub use training::{Prepared, Watch};
