//! What is wrong with a grammar, with its place and what would be right.

use std::fmt;

use crate::notation::ast::Span;
use crate::notation::{FormatError, FormatErrors, Place, show, show_all};

/// What kind of fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GrammarErrorKind {
    /// A file that can't be read, a mistake in a grammar, or a warning.
    Fault,
    /// The source is a format, which refers to a document: no plain grammar, and no mistake either.
    Format,
}

/// One thing that is wrong with a grammar.
///
/// Displayed as
/// ```text
/// list.gbnf:2:10: there is no rule `itme`
///   2 | root ::= itme+
///     |          ^^^^
///     help: did you mean `item`?
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrammarError {
    /// What kind of fault it is.
    pub kind: GrammarErrorKind,
    /// The file, or the name of the grammar.
    pub file: String,
    /// Where in it; none where the whole file is meant.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What would be right, where the message does not say it.
    pub help: Option<String>,
}

impl GrammarError {
    /// An error of a whole file.
    pub(super) fn whole(file: &str, message: String, help: Option<String>) -> GrammarError {
        GrammarError { kind: GrammarErrorKind::Fault, file: file.to_owned(), place: None, message, help }
    }
}

impl fmt::Display for GrammarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, Some(&self.file), self.place.as_ref(), &self.message, self.help.as_deref())
    }
}

impl std::error::Error for GrammarError {}

/// All that is wrong with a grammar, in the order of the file; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrammarErrors {
    /// The errors.
    pub errors: Vec<GrammarError>,
}

impl GrammarErrors {
    /// Whether the source is a format, which refers to a document: no plain grammar, and no mistake either.
    pub fn is_format(&self) -> bool {
        self.errors.iter().any(|error| error.kind == GrammarErrorKind::Format)
    }
}

impl fmt::Display for GrammarErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show_all(f, &self.errors)
    }
}

impl std::error::Error for GrammarErrors {}

impl From<GrammarError> for GrammarErrors {
    fn from(error: GrammarError) -> Self {
        GrammarErrors { errors: vec![error] }
    }
}

impl From<FormatErrors> for GrammarErrors {
    fn from(errors: FormatErrors) -> Self {
        let error = |FormatError { file, place, problem }: FormatError| GrammarError {
            kind: GrammarErrorKind::Fault,
            file,
            place,
            message: problem.to_string(),
            help: problem.help(),
        };
        GrammarErrors { errors: errors.errors.into_iter().map(error).collect() }
    }
}

/// Something wrong, or worth a warning, at a place of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub span: Span,
    pub message: String,
    pub help: Option<String>,
}

impl Fault {
    pub fn new(span: Span, message: impl Into<String>) -> Fault {
        Fault { span, message: message.into(), help: None }
    }

    pub fn help(self, help: impl Into<String>) -> Fault {
        Fault { help: Some(help.into()), ..self }
    }

    /// The error of a file.
    pub fn located(self, file: &str, source: &str) -> GrammarError {
        let place = Some(Place::new(source, self.span));
        GrammarError { place, ..GrammarError::whole(file, self.message, self.help) }
    }
}

/// Faults as the errors of a file, in the order of the file.
pub(super) fn located(file: &str, source: &str, mut faults: Vec<Fault>) -> Vec<GrammarError> {
    faults.sort_by_key(|fault| fault.span.start);
    faults.dedup();
    faults.into_iter().map(|fault| fault.located(file, source)).collect()
}

/// "did you mean `x`?" where there is a near name.
pub(super) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    gramask_ner::nearest(name, known).map(|near| format!("did you mean `{near}`?"))
}
