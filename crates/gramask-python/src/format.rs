//! Formats: languages that write down the entities of a document.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use gramask::decode::Prompting;
use gramask::grammar::notation::ast::ExprKind;
use gramask::grammar::{self, Level, Program};
use gramask::ner::{Document, Schema, Text};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::border::interruptible;
use crate::constraint::{Constraint, Output, Recipe};
use crate::entity::{entities, to_python};
use crate::errors::{Kind, OrRaise, error};
use crate::vocabulary::Vocabulary;

/// A language that writes down the entities of a document.
///
/// `source` is the name of a format that comes with the package (`Format.builtin()` lists them), the path of a `.gram` file, or
/// the text of such a file, which has at least one line break. `labels` are the labels of the entities, in order; the methods
/// take them too. Raises FormatError with the place of each fault.
///
/// A format is immutable. It keeps the programs that it was compiled to, one for each list of labels.
#[pyclass(frozen, module = "gramask", weakref)]
pub struct Format {
    inner: grammar::Format,
    labels: Option<Vec<String>>,
    programs: Mutex<HashMap<Vec<String>, Arc<Program>>>,
}

/// The format of a name, a path or a text.
pub fn read(source: &Bound<'_, PyAny>) -> PyResult<grammar::Format> {
    let format = match source.cast::<PyString>() {
        Ok(text) if text.to_str()?.is_empty() => {
            return Err(error(
                Kind::Format,
                "the name of the format is empty: give a name, a path, or the text of a file",
            ));
        }
        Ok(text) if text.to_str()?.contains('\n') => grammar::Format::parse("format", text.to_str()?),
        Ok(text) => grammar::Format::named(text.to_str()?),
        Err(_) => {
            let path: PathBuf = source.extract().map_err(|_| {
                PyTypeError::new_err(
                    "a format is a name, a path or the text of a .gram file: give a str or a pathlib.Path",
                )
            })?;
            grammar::Format::load(path)
        }
    };
    format.or_raise(Kind::Format)
}

impl Format {
    fn of(inner: grammar::Format, labels: Option<Vec<String>>) -> PyResult<Format> {
        let format = Format { inner, labels: None, programs: Mutex::default() };
        if let Some(labels) = &labels {
            format.passes(Some(labels.clone()))?;
        }
        Ok(Format { labels, ..format })
    }

    /// The labels of a call: its own, else the format's.
    fn labels_of(&self, labels: Option<Vec<String>>) -> PyResult<Vec<String>> {
        let labels = labels.or_else(|| self.labels.clone()).ok_or_else(|| {
            PyTypeError::new_err("the labels are missing: give labels=[...] here or where the format is made")
        })?;
        match labels.iter().any(|label| label.trim().is_empty()) {
            true => Err(error(Kind::Schema, "a label is empty: give each a name")),
            false => Ok(Schema::new(labels).labels().to_vec()),
        }
    }

    /// The program for these labels.
    fn program(&self, labels: &[String]) -> PyResult<Arc<Program>> {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = programs.get(labels) {
            return Ok(Arc::clone(program));
        }
        let program = Program::compile(&self.inner, &Schema::new(labels)).or_raise(Kind::Schema)?;
        programs.insert(labels.to_vec(), Arc::clone(&program));
        Ok(program)
    }

    /// Whether outputs say something of each label, so that the labels do not follow from what is said.
    fn lists_labels(&self) -> bool {
        let mut found = self.inner.grammar.directives.pass_label;
        for rule in &self.inner.grammar.rules {
            rule.expr.walk(&mut |expr| found |= matches!(expr.kind, ExprKind::Each { .. }));
        }
        found
    }

    /// Labels to write these entities with: those given, else those that the entities have.
    fn labels_to_write(&self, labels: Option<Vec<String>>, entities: &[gramask::ner::Entity]) -> PyResult<Vec<String>> {
        if labels.is_some() || self.labels.is_some() || self.lists_labels() {
            return self.labels_of(labels);
        }
        match entities.is_empty() {
            true => Ok(vec![NO_LABEL.to_owned()]),
            false => self.labels_of(Some(entities.iter().map(|entity| entity.label.clone()).collect())),
        }
    }

    /// Labels to read an output with: those given, else those that the output has.
    fn labels_to_read(&self, labels: Option<Vec<String>>, text: &Text, output: &[u8]) -> PyResult<Vec<String>> {
        if labels.is_some() || self.labels.is_some() || self.lists_labels() {
            return self.labels_of(labels);
        }
        // Read with a label that no output has, everything that stands for a label is an unknown one.
        let program = self.program(&[NO_LABEL.to_owned()])?;
        let reading = program.read(text, output).or_raise(Kind::Read)?;
        let mut found = Vec::new();
        for problem in reading.problems {
            if let grammar::Problem::UnknownLabel { label } = problem
                && !found.contains(&label)
            {
                found.push(label);
            }
        }
        if found.is_empty() {
            found.push(NO_LABEL.to_owned());
        }
        Ok(found)
    }
}

/// A label that stands for the lack of one. It is a name in every syntax.
const NO_LABEL: &str = "NoLabel";

#[pymethods]
impl Format {
    #[new]
    #[pyo3(signature = (source, *, labels=None))]
    fn new(source: &Bound<'_, PyAny>, labels: Option<Vec<String>>) -> PyResult<Format> {
        Format::of(read(source)?, labels)
    }

    /// The names of the formats that come with the package.
    #[staticmethod]
    fn builtin() -> Vec<&'static str> {
        grammar::Format::builtin().collect()
    }

    /// The name: of a format of the package, else of the file.
    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }

    /// The comments at the top of the file.
    #[getter]
    fn description(&self) -> &str {
        &self.inner.description
    }

    /// The text of the file.
    #[getter]
    fn source(&self) -> &str {
        &self.inner.source
    }

    /// The labels that the methods use if they are given none.
    #[getter]
    fn labels(&self) -> Option<Vec<String>> {
        self.labels.clone()
    }

    /// Whether an entity can hold another one.
    #[getter]
    fn nests(&self) -> bool {
        self.inner.nests()
    }

    /// Whether an entity can have several fragments.
    #[getter]
    fn discontinuous(&self) -> bool {
        self.inner.discontinuous()
    }

    /// The lists of labels that a document is asked for: all labels at once, or, in a format with `%pass label`, one after the
    /// other.
    #[pyo3(signature = (labels=None))]
    fn passes(&self, labels: Option<Vec<String>>) -> PyResult<Vec<Vec<String>>> {
        let labels = self.labels_of(labels)?;
        let passes = match self.inner.grammar.directives.pass_label {
            true => labels.into_iter().map(|label| vec![label]).collect(),
            false => vec![labels],
        };
        passes.iter().try_for_each(|labels| self.program(labels).map(|_| ()))?;
        Ok(passes)
    }

    /// Writes entities about `text` in this format. Returns `Written`: the output, and the entities that it does not say, each with
    /// the reason. `labels` default to those of the entities, except in formats that list every label.
    ///
    /// Raises WriteError if the text can't be written at all, SchemaError if the labels don't go with the format.
    #[pyo3(signature = (text, entities, labels=None))]
    fn write<'py>(
        &self,
        py: Python<'py>,
        text: String,
        entities: &Bound<'py, PyAny>,
        labels: Option<Vec<String>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let entities = self::entities(entities)?;
        let program = self.program(&self.labels_to_write(labels, &entities)?)?;
        let written = interruptible(py, move || program.write(&Text::new(text), &entities))?.or_raise(Kind::Write)?;
        let unexpressed = written.unexpressed.iter().map(|(entity, reason)| {
            let entity = to_python(py, std::slice::from_ref(entity))?.remove(0);
            Ok((entity, reason.to_string()))
        });
        named(py, "Written", (written.text, unexpressed.collect::<PyResult<Vec<_>>>()?))
    }

    /// Reads an output of this format about `text`. Returns `Reading`: the entities that are true of the text, and what is not,
    /// in words. `labels` default to those of the output, except in formats that list every label.
    ///
    /// Raises ReadError if the output is not of the format.
    #[pyo3(signature = (text, output, labels=None))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        text: String,
        output: Output,
        labels: Option<Vec<String>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (text, output) = (Text::new(text), output.bytes());
        let program = self.program(&self.labels_to_read(labels, &text, &output)?)?;
        let reading = interruptible(py, move || program.read(&text, &output))?.or_raise(Kind::Read)?;
        let problems: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
        named(py, "Reading", (to_python(py, &reading.entities)?, problems))
    }

    /// Mends an output that was written without a mask. Returns `Repaired`: an output that reads without a problem, its entities, and
    /// the number of edits by kind. It never fails; in the worst case there is no entity.
    #[pyo3(signature = (text, output, labels=None))]
    fn repair<'py>(
        &self,
        py: Python<'py>,
        text: String,
        output: Output,
        labels: Option<Vec<String>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let program = self.program(&self.labels_of(labels)?)?;
        let repaired = interruptible(py, move || program.repair(&Text::new(text), &output.bytes()))?;
        let edits = PyDict::new(py);
        for (kind, count) in repaired.edits.by_kind().into_iter().filter(|(_, count)| *count > 0) {
            edits.set_item(kind, count)?;
        }
        named(py, "Repaired", (repaired.text, to_python(py, &repaired.entities)?, edits))
    }

    /// The constraint of a document. At level `syntax` every output parses; at `grounded` everything that it says about the text is
    /// true as well.
    ///
    /// Raises ConstraintError if no output is valid, SchemaError if the labels don't go with the format.
    #[pyo3(signature = (text, *, labels=None, level="grounded", vocabulary))]
    fn constraint(
        slf: &Bound<'_, Self>,
        text: String,
        labels: Option<Vec<String>>,
        level: &str,
        vocabulary: &Bound<'_, Vocabulary>,
    ) -> PyResult<Constraint> {
        let format = slf.get();
        let level: Level = level.parse().or_raise(Kind::Constraint)?;
        let labels = format.labels_of(labels)?;
        let program = format.program(&labels)?;
        let tokens = Arc::clone(&vocabulary.get().inner);
        let document = Text::new(text.as_str());
        let made = interruptible(slf.py(), move || grammar::Constraint::new(program, &document, level, tokens))?;
        let constraint = made.or_raise(Kind::Constraint)?;
        let maker = slf.clone().into_any().unbind();
        let recipe = Recipe { maker, name: format.inner.name.clone(), text: Some(text), labels, level };
        Ok(Constraint::new(constraint, vocabulary.clone().unbind(), recipe))
    }

    /// The conversation that asks a model for the entities of `text`, as the command asks: dictionaries with `role` and `content`,
    /// for `tokenizer.apply_chat_template(..., add_generation_prompt=True)`. `examples` are pairs of a text and its entities; without
    /// any, the format's description stands in the instruction.
    ///
    /// A `%pass label` format takes one label.
    #[pyo3(signature = (text, *, labels=None, examples=Vec::new()))]
    fn messages<'py>(
        &self,
        py: Python<'py>,
        text: &str,
        labels: Option<Vec<String>>,
        examples: Vec<(String, Bound<'py, PyAny>)>,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let program = self.program(&self.labels_of(labels)?)?;
        let document = |(number, (text, gold)): (usize, (String, Bound<'py, PyAny>))| -> PyResult<Document> {
            Ok(Document::new(format!("{}", number + 1), text).with_entities(entities(&gold)?))
        };
        let examples = examples.into_iter().enumerate().map(document).collect::<PyResult<Vec<_>>>()?;
        let prompting = Prompting::of(&program, &examples).or_raise(Kind::Write)?;
        let message = |message: gramask::model::chat::Message| {
            let fields = PyDict::new(py);
            fields.set_item("role", message.role)?;
            fields.set_item("content", message.content)?;
            Ok(fields)
        };
        prompting.messages(text, true).into_iter().map(message).collect()
    }

    fn __repr__(&self) -> String {
        match &self.labels {
            None => format!("<gramask.Format {}>", self.inner.name),
            Some(labels) => format!("<gramask.Format {} of {}>", self.inner.name, labels.join(", ")),
        }
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        let other = other.cast::<Format>();
        other.is_ok_and(|other| other.get().inner == self.inner && other.get().labels == self.labels)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        PyString::new(py, &self.inner.source).hash()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let (py, format) = (slf.py(), slf.get());
        let make = py.import("gramask._gramask")?.getattr("restore_format")?;
        Ok((make, (&format.inner.name, &format.inner.source, format.labels.clone()).into_pyobject(py)?))
    }
}

/// The format of a pickle.
#[pyfunction]
pub fn restore_format(name: String, source: String, labels: Option<Vec<String>>) -> PyResult<Format> {
    Format::of(grammar::Format::parse(name, source).or_raise(Kind::Format)?, labels)
}

/// A named tuple of `gramask._data`.
fn named<'py, A>(py: Python<'py>, class: &str, fields: A) -> PyResult<Bound<'py, PyAny>>
where
    A: pyo3::call::PyCallArgs<'py>,
{
    py.import("gramask._data")?.getattr(class)?.call1(fields)
}
