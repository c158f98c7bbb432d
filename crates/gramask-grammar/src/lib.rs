//! Format files become constraints, readers and writers. Knows no model.
//!
//! A language model that is to write down the entities of a document can write nonsense: brackets that never close, words
//! that the document does not hold, offsets that miss. This crate says at each step which tokens could still lead to an
//! output that is of the format and true of the document. All it does follows from one file per format.
//!
//! - A [`Format`] is such a file, read and checked: Lark's notation with `@terminals` that stand for the document and for
//!   the open entity ([`notation`]). [`Format::builtin`] names those that come with Gramask.
//! - A [`Program`] is a format compiled for a schema, shared by all documents. It is the **writer** ([`Program::write`]:
//!   entities to the one output that says them, and what the format can't say beside it) and the **reader**
//!   ([`Program::read`]: an output to entities, and what of it is not true of the document).
//!   [`Program::repair`] makes the best of an output that was written without a mask.
//! - A [`Vocabulary`] is a model's tokens as byte strings.
//! - A [`Constraint`] is program, document, [`Level`] and vocabulary: a [`State`] (a `Copy` number, so that forking is
//!   free) has a mask of the tokens that may follow ([`Constraint::mask`]), and one for a token budget, within which an
//!   output can always be completed ([`Constraint::mask_within`]).
//! - The [`Oracle`] answers the same by trying every token byte by byte. It is slow, and what constraints are tested with.
//!
//! Inside, a program is run by a small machine whose threads are the ways of reading what was written so far; oracle,
//! constraint and reader all step it, so that they can't disagree about the language. `docs/formats-meaning.md` says what
//! that language is.
//!
//! ```
//! use gramask_grammar::{Constraint, Format, Level, Program, Token, Vocabulary};
//! use gramask_ner::{Entity, Schema, Text};
//!
//! // A format is a few lines; `Format::named("json-list")` would be one that is there already.
//! let format = Format::parse(
//!     "lines",
//!     "%escape json\nstart: entity*\nentity: @label \": \\\"\" @text \"\\\"\\n\"\n",
//! )?;
//! let program = Program::compile(&format, &Schema::new(["Chemical", "Disease"]))?;
//!
//! let text = Text::new("Naloxone reverses clonidine");
//! let entities = vec![Entity::new("Chemical", 0, 8), Entity::new("Chemical", 18, 27)];
//! let written = program.write(&text, &entities)?;
//! assert_eq!(written.text, "Chemical: \"Naloxone\"\nChemical: \"clonidine\"\n");
//! assert!(written.unexpressed.is_empty());
//! assert_eq!(program.read(&text, written.text.as_bytes())?.entities, entities);
//!
//! // Four tokens beside the single bytes, and the end.
//! let mut tokens: Vec<Token> = (0..=255u8).map(|byte| Token::new([byte])).collect();
//! tokens.extend(["Chem", "Dis", "Nal", "Gene"].map(Token::new));
//! tokens.push(Token::special("<end>"));
//! let vocabulary = Vocabulary::new(tokens, vec![260])?;
//!
//! let mut constraint = Constraint::new(program, &text, Level::Grounded, vocabulary)?;
//! let start = constraint.start();
//! let allowed = |mask: &[u32]| (0..261).filter(|id| mask[id / 32] >> (id % 32) & 1 == 1).collect::<Vec<_>>();
//! // A label may begin, or the output ends: the empty list is an output.
//! assert_eq!(allowed(constraint.mask(start)), [usize::from(b'C'), usize::from(b'D'), 256, 257, 260]);
//!
//! // Entities come in the document's order: behind `clonidine` the list can only end.
//! let state = constraint.advance_bytes(start, b"Disease: \"clonidine\"\n").expect("is of the format");
//! assert_eq!(allowed(constraint.mask(state)), [260]);
//! assert_eq!(constraint.tokens_to_finish(start), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

mod canonical;
mod constraint;
mod delimiters;
pub mod docs;
mod engine;
mod escape;
mod expand;
mod format;
mod machine;
mod matcher;
pub mod notation;
mod passes;
mod program;
mod read;
mod regex;
mod repair;
mod source;
pub mod syntax_check;
mod vocabulary;
mod write;

pub use canonical::{BytePairs, Canonical, CanonicalError, Place, Tokenise};
pub use constraint::{Constraint, ConstraintError, Oracle};
pub use engine::{Mask, State};
pub use expand::{Alternative, Approximation, Characters, ExpandError, ExpandLimits, Piece, Plain, PrintError, expand};
pub use format::{Expresses, Format, Nested};
pub use machine::{Level, UnknownLevel};
pub use notation::{FormatError, FormatErrors};
pub use program::{CompileError, Program};
pub use read::{Problem, ReadError, Reading};
pub use repair::{Edits, Lenient, LenientReadings, Repaired};
pub use vocabulary::{Token, Vocabulary, VocabularyError};
pub use write::{Reason, WriteError, Written};
