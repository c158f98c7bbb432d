//! Documents, entities, corpora, schemas and metrics of named entity recognition. Knows no model.
//!
//! The other crates use these nouns:
//!
//! - a [`Document`] is a [`Text`], cut into words, with its gold entities if they are known;
//! - an [`Entity`] is a label and one or more [`Fragment`]s `start..end` of the text, half-open, in **characters**;
//!   only [`Text`] counts bytes;
//! - a [`Schema`] is the ordered labels of a corpus;
//! - a [`Corpus`] is documents with a schema, read from a published form ([`corpus::Form`]) or found by name
//!   ([`corpus::find`]); readers compare every annotation with the text and name file, line and document of a fault;
//! - [`sentences`] cuts abstracts, never an entity;
//! - a [`metrics::Scorer`] compares predicted entities with gold ones by the four schemes of SemEval 2013 and counts
//!   each kind of error; [`metrics::interval`], [`metrics::difference`] and [`metrics::holm`] give the uncertainty of its
//!   figures.
//!
//! ```
//! use gramask_ner::metrics::Scorer;
//! use gramask_ner::corpus::{Corpus, OnProblem, Options};
//! use gramask_ner::Entity;
//!
//! let file = "\
//! 227508|t|Naloxone reverses the effect of clonidine.
//! 227508|a|In hypertensive rats blood pressure rose. Naloxone did not.
//! 227508\t0\t8\tNaloxone\tChemical\tD009270
//! 227508\t32\t41\tclonidine\tChemical\tD003000
//! 227508\t46\t58\thypertensive\tDisease\tD006973
//! 227508\t85\t93\tNaloxon\tChemical\tD009270
//! ";
//! // Going on at a problem returns it; stopping would make it the error.
//! let options = Options { on_problem: OnProblem::Skip, ..Options::default() };
//! let (corpus, problems) = Corpus::read_str("mine.pubtator", file, &options)?;
//! assert_eq!(
//!     problems[0].to_string(),
//!     "mine.pubtator:6: document 227508: the annotation says that 85..93 is \"Naloxon\", but the text there is \
//!      \"Naloxone\"; expected the same text"
//! );
//! assert_eq!(corpus.schema.labels(), ["Chemical", "Disease"]);
//!
//! let corpus = corpus.into_sentences();
//! assert_eq!(corpus.documents.len(), 3);
//! assert_eq!(corpus.documents[1].entities, [Entity::new("Disease", 3, 15)]);
//! assert_eq!(corpus.documents[1].offset, 43);
//!
//! let mut scorer = Scorer::new(&corpus.schema);
//! for document in &corpus.documents {
//!     // A predictor that finds the first entity of each sentence.
//!     scorer.add(&document.entities, document.entities.iter().take(1).cloned().collect::<Vec<_>>());
//! }
//! let strict = scorer.summary().overall.strict;
//! assert_eq!((strict.precision, strict.recall), (1.0, 2.0 / 3.0));
//! # Ok::<(), gramask_ner::corpus::ReadError>(())
//! ```

pub mod corpus;
mod document;
mod entity;
pub mod metrics;
mod sentences;
mod spelling;
mod text;

pub use corpus::Corpus;
pub use document::Document;
pub use entity::{Entity, Fragment, Schema};
pub use sentences::sentences;
pub use spelling::{did_you_mean, nearest, quoted, visible};
pub use text::Text;
