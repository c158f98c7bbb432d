//! The extension module of the Python package `gramask`.
//!
//! The classes and functions here are the engine's side of the package. `python/gramask` is the side that people see, with what
//! needs no engine: data classes, displays for notebooks, processors for other libraries. `docs/python.md` is the reference.
//!
//! Three rules hold at the border. A call that can take long lets other threads of Python run, and Ctrl-C end it
//! ([`border`]). A panic becomes an exception. An error of the engine becomes an exception with the engine's own message
//! ([`errors`]).

mod batch;
mod border;
mod command;
mod constraint;
mod corpus;
mod entity;
mod errors;
mod format;
mod grammar;
mod memory;
mod metrics;
mod vocabulary;

/// The engine of the package `gramask`.
#[pyo3::pymodule]
mod _gramask {
    #[pymodule_export]
    use super::{
        batch::Batch,
        command::main,
        constraint::{Constraint, State, restore_state},
        corpus::{corpus_names, read_corpus},
        entity::Entity,
        format::{Format, restore_format},
        grammar::{Grammar, restore_grammar},
        metrics::{compare, evaluate, holm},
        vocabulary::Vocabulary,
    };

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
