//! Plain grammars: languages that are not about a document.

use std::sync::Arc;

use gramask::grammar::{self, Level, Program};
use gramask::ner::{Schema, Text};
use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};

use crate::border::interruptible;
use crate::constraint::{Constraint, Recipe};
use crate::errors::{Kind, OrRaise, error};
use crate::format;
use crate::vocabulary::Vocabulary;

/// A language that is not about a document: a plain grammar in Gramask's notation.
///
/// `source` is the path of a `.gram` file, or the text of such a file, which has at least one line break. Raises FormatError with
/// the place of each fault, and for a format of entities, which `Format` reads.
#[pyclass(frozen, module = "gramask", weakref)]
pub struct Grammar {
    inner: grammar::Format,
    program: Arc<Program>,
}

/// A program has labels. A plain grammar writes none, so that any one does.
const LABEL: &str = "none";

impl Grammar {
    fn of(inner: grammar::Format) -> PyResult<Grammar> {
        let directives = &inner.grammar.directives;
        if inner.grammar.entity.is_some() || inner.is_cursor() || directives.pass_label {
            let name = &inner.name;
            return Err(error(
                Kind::Format,
                format!("`{name}` writes the entities of a document: read it with gramask.Format"),
            ));
        }
        let program = Program::compile(&inner, &Schema::new([LABEL])).or_raise(Kind::Format)?;
        Ok(Grammar { inner, program })
    }
}

#[pymethods]
impl Grammar {
    #[new]
    fn new(source: &Bound<'_, PyAny>) -> PyResult<Grammar> {
        Grammar::of(format::read(source)?)
    }

    /// The language of a regular expression: what it matches as a whole. Neither look-around nor the empty match.
    #[classmethod]
    fn from_regex(_class: &Bound<'_, PyType>, pattern: &str) -> PyResult<Grammar> {
        let source = format!("start: /{}/\n", in_slashes(pattern));
        Grammar::of(grammar::Format::parse("regex", source).or_raise(Kind::Format)?)
    }

    /// Not implemented: the engine does not read Lark's dialect yet. It raises NotImplementedError.
    #[classmethod]
    fn from_lark(_class: &Bound<'_, PyType>, text: &str) -> PyResult<Grammar> {
        let _ = text;
        Err(PyNotImplementedError::new_err(
            "grammars in Lark's dialect are not read yet: write the grammar in Gramask's notation, which has the same rules and \
             operators, and give it to gramask.Grammar",
        ))
    }

    /// Not implemented: the engine does not read JSON Schema yet. It raises NotImplementedError.
    #[classmethod]
    fn from_json_schema(_class: &Bound<'_, PyType>, schema: &Bound<'_, PyAny>) -> PyResult<Grammar> {
        let _ = schema;
        Err(PyNotImplementedError::new_err(
            "JSON Schema is not read yet: write the language in Gramask's notation, and give it to gramask.Grammar",
        ))
    }

    /// The constraint of the grammar for a vocabulary.
    #[pyo3(signature = (vocabulary))]
    fn constraint(slf: &Bound<'_, Self>, vocabulary: &Bound<'_, Vocabulary>) -> PyResult<Constraint> {
        let grammar = slf.get();
        let (program, tokens) = (Arc::clone(&grammar.program), Arc::clone(&vocabulary.get().inner));
        let made = move || grammar::Constraint::new(program, &Text::new(""), Level::Syntax, tokens);
        let constraint = interruptible(slf.py(), made)?.or_raise(Kind::Constraint)?;
        let recipe = Recipe {
            maker: slf.clone().into_any().unbind(),
            name: grammar.inner.name.clone(),
            text: None,
            labels: Vec::new(),
            level: Level::Syntax,
        };
        Ok(Constraint::new(constraint, vocabulary.clone().unbind(), recipe))
    }

    /// The name: the file's.
    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }

    /// The text of the file.
    #[getter]
    fn source(&self) -> &str {
        &self.inner.source
    }

    fn __repr__(&self) -> String {
        format!("<gramask.Grammar {}>", self.inner.name)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Grammar>().is_ok_and(|other| other.get().inner == self.inner)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        pyo3::types::PyString::new(py, &self.inner.source).hash()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let (py, inner) = (slf.py(), &slf.get().inner);
        let make = py.import("gramask._gramask")?.getattr("restore_grammar")?;
        Ok((make, (&inner.name, &inner.source).into_pyobject(py)?))
    }
}

/// The grammar of a pickle.
#[pyfunction]
pub fn restore_grammar(name: String, source: String) -> PyResult<Grammar> {
    Grammar::of(grammar::Format::parse(name, source).or_raise(Kind::Format)?)
}

/// A pattern as it stands between slashes: without a bare slash, and on one line.
fn in_slashes(pattern: &str) -> String {
    let (mut out, mut escaped) = (String::new(), false);
    for c in pattern.chars() {
        match c {
            // What is escaped already stays so.
            '/' if !escaped => out.push_str("\\/"),
            '\n' if escaped => out.push('n'),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    out
}
