//! Grammars for constrained decoding: a format file becomes constraints, a reader and a writer. Knows no model.
//!
//! A language model that writes the entities of a document makes mistakes: brackets that never close, words that the document
//! does not hold, wrong offsets. At each step this crate says which tokens can still lead to an output that is of the format
//! and true of the document. Everything follows from one file per format.
//!
//! ```text
//! notation ─ Format ─┐
//!            Schema ─┴─ Program ─┬─ write: entities to the output
//!                                ├─ read: output to entities
//!                                ├─ repair: damaged output to entities
//!          Document, Vocabulary ─┴─ Constraint: the tokens that may come next   (Oracle: the same, slowly)
//! ```
//!
//! - A [`Format`] is a format file, read and checked. It is written in Lark's notation, with `@terminals` for the document
//!   and for the open entity ([`notation`]). [`Format::builtin`] lists the formats that come with Gramask.
//! - A [`Program`] is a format compiled for a schema, and all documents share it. [`Program::write`] is the writer, and
//!   returns the entities that the format can't express too. [`Program::read`] is the reader, and reports what is not true of
//!   the document. [`Program::repair`] mends an output that was written without a mask.
//! - A [`Vocabulary`] is the tokens of a model as byte strings.
//! - A [`Constraint`] is made of a program, a document, a [`Level`] and a vocabulary. Its [`State`] is a `Copy` number, so that
//!   forking is free. [`Constraint::mask`] gives the tokens that may follow a state. [`Constraint::mask_within`] gives the tokens
//!   from which a token budget is enough to finish.
//! - A [`Grammar`] is a plain grammar, which refers to no document. It is read from Lark, GBNF, the notation, a regular expression, a
//!   list of texts or a JSON Schema ([`json_schema`]). A [`CompiledGrammar`] and a vocabulary make a [`Constraint`] of it, without
//!   program, document or level. [`Program::of_grammar`] makes a program of it for what takes programs.
//! - The [`Oracle`] gives the same masks by trying every token byte by byte. It is slow, and constraints are tested with it.
//!
//! Reading order: `program`, `automaton` (one step), `liveness` (can it finish, and how short), `oracle`, `engine`, then
//! `read`, `write` and `repair`. Oracle, engine and reader step the same automaton, so that they can't disagree about the
//! language, which `docs/formats-meaning.md` defines. Plain grammars have an engine and an oracle of their own, in `plain`.
//! `docs/mask-engine.md` derives both engines from their oracles.
//!
//! ```
//! use gramask_grammar::{Constraint, Format, Level, Program, Token, Vocabulary};
//! use gramask_ner::{Entity, Schema, Text};
//!
//! // A format is a few lines. `Format::named("json-list")` is one that comes with Gramask.
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
//! // Each byte is a token; four longer ones; and the end token.
//! let mut tokens: Vec<Token> = (0..=255u8).map(|byte| Token::new([byte])).collect();
//! tokens.extend(["Chem", "Dis", "Nal", "Gene"].map(Token::new));
//! tokens.push(Token::special("<end>"));
//! let vocabulary = Vocabulary::new(tokens, vec![260])?;
//!
//! let mut constraint = Constraint::new(program, &text, Level::Grounded, vocabulary)?;
//! let start = constraint.start();
//! let allowed = |mask: &[u32]| (0..261).filter(|id| mask[id / 32] >> (id % 32) & 1 == 1).collect::<Vec<_>>();
//! // A label may begin, or the output ends, since the empty list is an output.
//! assert_eq!(allowed(constraint.mask(start)), [usize::from(b'C'), usize::from(b'D'), 256, 257, 260]);
//!
//! // Entities come in the order of the document, so that after `clonidine` the list can only end.
//! let state = constraint.advance_bytes(start, b"Disease: \"clonidine\"\n").expect("is of the format");
//! assert_eq!(allowed(constraint.mask(state)), [260]);
//! assert_eq!(constraint.tokens_to_finish(start), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

mod automaton;
mod byte_set;
mod canonical;
mod completions;
mod constraint;
mod delimiters;
pub mod docs;
mod engine;
mod escape;
mod expand;
mod facts;
mod format;
pub mod json_schema;
mod level;
mod liveness;
mod matcher;
pub mod notation;
mod oracle;
mod passes;
mod plain;
mod plain_program;
mod program;
mod read;
mod regex;
mod repair;
mod source;
pub mod syntax_check;
mod syntaxes;
mod text_loops;
mod vocabulary;
mod write;

pub use canonical::{BytePairs, Canonical, CanonicalError, Place, Tokenise};
pub use constraint::{Constraint, ConstraintError};
pub use engine::{Mask, State, tokens_of};
pub use expand::{Alternative, Approximation, Characters, ExpandError, ExpandLimits, Piece, Plain, PrintError, expand};
pub use facts::{GrammarFacts, ProgramSize};
pub use format::{Expresses, Format, Nested};
pub use level::{Level, UnknownLevel};
pub use notation::{FormatError, FormatErrors};
pub use oracle::Oracle;
pub use plain::{CompiledGrammar, NetworkError, NetworkLimits, PlainOracle};
pub use plain_program::PlainProgramError;
pub use program::{CompileError, Program};
pub use read::{Problem, ReadError, Reading};
pub use repair::{Edits, Lenient, LenientReadings, Repaired};
pub use syntaxes::{Grammar, GrammarError, GrammarErrorKind, GrammarErrors, GrammarSyntax, PlainFacts};
pub use vocabulary::{Token, Vocabulary, VocabularyError};
pub use write::{Reason, WriteError, Written};
