//! Errors of the engine as exceptions of the package, which `python/gramask/_errors.py` defines.

use std::fmt::Display;

use pyo3::prelude::*;
use pyo3::types::PyType;

/// The exceptions of the package.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Format,
    Schema,
    Constraint,
    Vocabulary,
    Token,
    Write,
    Read,
    Corpus,
    Metric,
    Internal,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Kind::Format => "FormatError",
            Kind::Schema => "SchemaError",
            Kind::Constraint => "ConstraintError",
            Kind::Vocabulary => "VocabularyError",
            Kind::Token => "TokenError",
            Kind::Write => "WriteError",
            Kind::Read => "ReadError",
            Kind::Corpus => "CorpusError",
            Kind::Metric => "MetricError",
            Kind::Internal => "InternalError",
        }
    }
}

/// The exception of a kind with this message.
pub fn error(kind: Kind, message: impl Display) -> PyErr {
    let message = message.to_string();
    Python::attach(|py| {
        let class = py.import("gramask._errors").and_then(|module| module.getattr(kind.class()));
        match class.and_then(|class| Ok(class.cast_into::<PyType>()?)) {
            Ok(class) => PyErr::from_type(class, message),
            Err(other) => other,
        }
    })
}

/// A result whose error becomes an exception.
pub trait OrRaise<T> {
    /// The value, or the exception of a kind with the error's message.
    fn or_raise(self, kind: Kind) -> PyResult<T>;
}

impl<T, E: Display> OrRaise<T> for Result<T, E> {
    fn or_raise(self, kind: Kind) -> PyResult<T> {
        self.map_err(|source| error(kind, source))
    }
}
