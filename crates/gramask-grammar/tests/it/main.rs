//! The integration tests of this crate, in one executable.
//!
//! - `cases` runs the cases in `testdata/` through every implementation: oracle, engine, reader, writer and repair;
//! - `laws` has the laws that every format keeps, over generated documents and over corpora;
//! - `budgets` tests that no output is ever cut off, `compact` that every output ends;
//! - `tokens` has vocabularies with unusual tokens, `canonical` the tokenizer's own cuts;
//! - `expand` compares masks with those of llguidance;
//! - `plain` has grammars as people write them;
//! - `repair` reads damaged outputs;
//! - `notation_errors` has bad format files, `formats` the trees of good ones, `docs` the generated page;
//! - `fuzz_corpus` replays what the fuzzers found.

#![allow(clippy::print_stdout)] // some tests show what they measured

mod budgets;
mod canonical;
mod cases;
mod compact;
mod docs;
mod expand;
mod formats;
mod fuzz_corpus;
mod laws;
mod notation_errors;
mod plain;
mod reading;
mod repair;
mod support;
mod tokens;
