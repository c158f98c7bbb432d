//! The bodies of the fuzz targets.
//!
//! Each takes any bytes, and panics where a promise of `gramask-grammar` is broken. They know nothing of a fuzzer, so
//! that an ordinary test includes this file too and replays what fuzzers found
//! (`crates/gramask-grammar/tests/it/fuzz_corpus.rs`).
//!
//! The bytes of `roundtrip` and `masks` are parts with 0xff between them, a byte that no UTF-8 text holds. So a fuzzer
//! changes a text without moving the choices, and a seed can be written by hand:
//!
//! | target | parts |
//! |---|---|
//! | `notation` | the source of a format file |
//! | `lark`, `gbnf`, `plain`, `json_schema` | the source of a plain grammar in that syntax |
//! | `roundtrip` | choices (format, schema, entities), the document, an output |
//! | `masks` | choices (format, schema, level, vocabulary, budget, two a step), the document, tokens (0xfe between) |

mod grammars;
mod input;
mod masks;
mod notation;
mod roundtrip;

pub use grammars::{gbnf, json_schema, lark, plain};
pub use masks::masks;
pub use notation::notation;
pub use roundtrip::roundtrip;
