//! Plain grammars: languages that are not about a document.

use std::path::PathBuf;
use std::sync::Arc;

use gramask::grammar::json_schema::{JsonSchemaOptions, Whitespace};
use gramask::grammar::{self, CompiledGrammar, GrammarErrors, GrammarSyntax, NetworkLimits};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple, PyType};

use crate::border::interruptible;
use crate::constraint::{Constraint, Recipe};
use crate::errors::{Kind, OrRaise, error};
use crate::vocabulary::Vocabulary;

/// A language that is not about a document: a plain grammar.
///
/// `source` is the path of a `.gram`, `.lark`, `.gbnf` or `.json` (JSON Schema) file, or a text in Gramask's notation, which has at
/// least one line break. The classmethods read texts in other syntaxes. Raises FormatError with the place of each fault, and for a
/// format of entities, which `Format` reads.
#[pyclass(frozen, module = "gramask", weakref)]
pub struct Grammar {
    origin: Origin,
    compiled: Arc<CompiledGrammar>,
    warnings: Vec<String>,
}

/// What a grammar was made of: enough to make it again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    name: String,
    /// As Python has it: `gram`, `lark`, `gbnf`, `regex`, `choice` or `json`.
    syntax: String,
    source: String,
    /// Of a JSON Schema: the most characters of white space in one place.
    whitespace: u32,
}

impl Origin {
    fn new(name: &str, syntax: &str, source: impl Into<String>) -> Origin {
        Origin { name: name.into(), syntax: syntax.into(), source: source.into(), whitespace: 0 }
    }

    /// Reads the source.
    fn read(&self) -> Result<grammar::Grammar, GrammarErrors> {
        match self.syntax.as_str() {
            "regex" => grammar::Grammar::from_regex(&self.source),
            "choice" => grammar::Grammar::from_choice(&choices(&self.source)),
            "json" => {
                let whitespace = match self.whitespace {
                    0 => Whitespace::Compact,
                    most => Whitespace::Any { most },
                };
                let options = JsonSchemaOptions { whitespace, ..JsonSchemaOptions::default() };
                grammar::Grammar::from_json_schema(&self.source, &options)
            }
            extension => {
                let syntax = GrammarSyntax::of_extension(extension).unwrap_or(GrammarSyntax::Notation);
                grammar::Grammar::parse(self.name.as_str(), syntax, &self.source)
            }
        }
    }
}

/// Between the texts of a choice, which hold no such character.
const SEPARATOR: char = '\0';

fn choices(source: &str) -> Vec<&str> {
    source.split(SEPARATOR).collect()
}

impl Grammar {
    fn of(py: Python<'_>, origin: Origin) -> PyResult<Grammar> {
        let name = origin.name.clone();
        let made = interruptible(py, move || {
            let read = origin.read().map_err(|errors| match errors.is_format() {
                true => format!("`{}` writes the entities of a document: read it with gramask.Format", origin.name),
                false => errors.to_string(),
            })?;
            let warnings = read.warnings().iter().map(ToString::to_string).collect();
            let compiled = CompiledGrammar::compile(&read, &NetworkLimits::default());
            Ok(Grammar { compiled: compiled.map_err(|error| format!("grammar `{name}`: {error}"))?, origin, warnings })
        })?;
        made.map_err(|message: String| error(Kind::Format, message))
    }
}

#[pymethods]
impl Grammar {
    #[new]
    fn new(py: Python<'_>, source: &Bound<'_, PyAny>) -> PyResult<Grammar> {
        if let Ok(text) = source.extract::<String>()
            && text.contains('\n')
        {
            return Grammar::of(py, Origin::new("grammar", "gram", text));
        }
        let path: PathBuf = source
            .extract()
            .map_err(|_| PyTypeError::new_err("a grammar is a path or a text: give a str or a pathlib.Path"))?;
        if path.as_os_str().is_empty() {
            let message = "the path of the grammar is empty: give a path, or a text with at least one line break";
            return Err(error(Kind::Format, message));
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(name) = path.to_str().filter(|name| grammar::Format::builtin().any(|known| known == *name)) {
            let message = format!("`{name}` writes the entities of a document: read it with gramask.Format");
            return Err(error(Kind::Format, message));
        }
        if GrammarSyntax::of_extension(&extension).is_none() {
            // Says which endings there are.
            let message = grammar::Grammar::read(&path).err().map_or(String::new(), |errors| errors.to_string());
            return Err(error(Kind::Format, message));
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|fault| error(Kind::Format, format!("{}: the file can't be read: {fault}", path.display())))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Grammar::of(py, Origin::new(&name, &extension, text))
    }

    /// The language of a regular expression: what it matches as a whole. Neither look-around nor back-references.
    #[classmethod]
    fn from_regex(class: &Bound<'_, PyType>, pattern: &str) -> PyResult<Grammar> {
        Grammar::of(class.py(), Origin::new("regex", "regex", pattern))
    }

    /// The language of a grammar in Lark's syntax, in the dialect of llguidance.
    #[classmethod]
    fn from_lark(class: &Bound<'_, PyType>, text: &str) -> PyResult<Grammar> {
        Grammar::of(class.py(), Origin::new("grammar", "lark", text))
    }

    /// The language of a grammar in GBNF, llama.cpp's syntax.
    #[classmethod]
    fn from_gbnf(class: &Bound<'_, PyType>, text: &str) -> PyResult<Grammar> {
        Grammar::of(class.py(), Origin::new("grammar", "gbnf", text))
    }

    /// The language of these texts.
    #[classmethod]
    fn from_choice(class: &Bound<'_, PyType>, texts: Vec<String>) -> PyResult<Grammar> {
        if texts.is_empty() || texts.iter().any(|text| text.contains(SEPARATOR)) {
            return Err(error(Kind::Format, "a choice has at least one text, and none with a zero character"));
        }
        let source = texts.join(&SEPARATOR.to_string());
        Grammar::of(class.py(), Origin::new("choice", "choice", source))
    }

    /// The language of the instances of a JSON Schema: a dict, or the text of one. Instances are written without white space, or with
    /// up to `whitespace` characters wherever JSON has it. What no grammar enforces exactly raises FormatError with the JSON Pointer
    /// of the keyword.
    #[classmethod]
    #[pyo3(signature = (schema, *, whitespace = 0))]
    fn from_json_schema(class: &Bound<'_, PyType>, schema: &Bound<'_, PyAny>, whitespace: u32) -> PyResult<Grammar> {
        let py = class.py();
        let text: String = match schema.cast::<PyString>() {
            Ok(text) => text.extract()?,
            Err(_) => py
                .import("json")?
                .call_method1("dumps", (schema,))?
                .extract()
                .map_err(|_| PyTypeError::new_err("a JSON Schema is a dict, a bool or the text of one"))?,
        };
        Grammar::of(py, Origin { whitespace, ..Origin::new("json-schema", "json", text) })
    }

    /// The constraint of the grammar for a vocabulary.
    #[pyo3(signature = (vocabulary))]
    fn constraint(slf: &Bound<'_, Self>, vocabulary: &Bound<'_, Vocabulary>) -> PyResult<Constraint> {
        let grammar = slf.get();
        let (compiled, tokens) = (Arc::clone(&grammar.compiled), Arc::clone(&vocabulary.get().inner));
        let made = move || grammar::Constraint::of_grammar(&compiled, tokens);
        let constraint = interruptible(slf.py(), made)?.or_raise(Kind::Constraint)?;
        let recipe = Recipe {
            maker: slf.clone().into_any().unbind(),
            name: grammar.origin.name.clone(),
            text: None,
            labels: Vec::new(),
            level: grammar::Level::Syntax,
        };
        Ok(Constraint::new(constraint, vocabulary.clone().unbind(), recipe))
    }

    /// The name: the file's, or of the kind of text.
    #[getter]
    fn name(&self) -> &str {
        &self.origin.name
    }

    /// The text that was read. The texts of a choice stand between zero characters.
    #[getter]
    fn source(&self) -> &str {
        &self.origin.source
    }

    /// What its author may not have meant: rules that are never used, keywords that are ignored, ...
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    fn __repr__(&self) -> String {
        format!("<gramask.Grammar {}>", self.origin.name)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Grammar>().is_ok_and(|other| other.get().origin == self.origin)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        PyString::new(py, &self.origin.source).hash()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let (py, Origin { name, syntax, source, whitespace }) = (slf.py(), &slf.get().origin);
        let make = py.import("gramask._gramask")?.getattr("restore_grammar")?;
        Ok((make, (name, syntax, source, *whitespace).into_pyobject(py)?))
    }
}

/// The grammar of a pickle.
#[pyfunction]
pub fn restore_grammar(
    py: Python<'_>,
    name: String,
    syntax: String,
    source: String,
    whitespace: u32,
) -> PyResult<Grammar> {
    Grammar::of(py, Origin { name, syntax, source, whitespace })
}
