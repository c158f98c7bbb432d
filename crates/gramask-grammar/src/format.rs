//! A format: a checked format file with its name and its documentation.

use std::path::Path;

use crate::notation::ast::{ExprKind, Grammar, RuleId, Terminal};
use crate::notation::{self, FormatError, FormatErrors, Place, Problem};

/// Names with the files of these names.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../grammars/", $name, ".gram")))),*]
    };
}

/// The format files that come with Gramask, by name, in alphabetical order.
const BUILTIN: &[(&str, &str)] = files![
    "bio-lines",
    "bio-tags",
    "bio-words",
    "code",
    "csv",
    "inline-bracket",
    "inline-mark",
    "inline-xml",
    "json-grouped",
    "json-lines",
    "json-list",
    "json-occurrence",
    "json-offsets",
    "json-offsets-first",
    "json-parts",
    "label-list",
    "lines",
    "markdown-table",
    "offsets",
    "sel",
    "sentences",
    "tuples",
    "word-index",
    "yaml",
];

/// A language that writes down the entities of a document.
///
/// ```
/// use gramask_grammar::Format;
///
/// let format = Format::parse("lines", "// One line per entity.\nstart: entity*\nentity: @label \": \" @text \"\\n\"\n")?;
/// assert_eq!(format.description, "One line per entity.");
/// assert!(!format.is_cursor() && !format.nests() && !format.has_positions());
///
/// let errors = Format::parse("lines.gram", "start: entity*\nentity: @label \": \" @txt \"\\n\"\n").unwrap_err();
/// assert!(errors.to_string().starts_with("lines.gram:2:21: unknown terminal `@txt`"));
/// # Ok::<(), gramask_grammar::FormatErrors>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Format {
    /// The name: of a built-in format, else the file's name without `.gram`.
    pub name: String,
    /// The comments at the top of the file.
    pub description: String,
    /// The file's text.
    pub source: String,
    /// What it says.
    pub grammar: Grammar,
}

/// What a format can say of entities ([`Format::expresses`]). What it can't is returned by the writer, with a
/// [`Reason`](crate::Reason).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Expresses {
    /// Entities inside each other.
    pub nested: Nested,
    /// Entities of several fragments.
    pub discontinuous: bool,
    /// Which of several occurrences of its text an entity is.
    pub positions: bool,
}

/// Which entities can lie inside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nested {
    /// None.
    No,
    /// Those of different labels: each label has its own pass.
    OtherLabels,
    /// All.
    Yes,
}

impl Format {
    /// The format of this source; `name` is its name, and how messages name the file.
    ///
    /// # Errors
    /// What is wrong with the source, each with its place.
    pub fn parse(name: impl Into<String>, source: impl Into<String>) -> Result<Self, FormatErrors> {
        let (name, source) = (name.into(), source.into());
        let grammar = notation::parse(&name, &source)?;
        let description = notation::head_comment(&source);
        Ok(Format { name, description, source, grammar })
    }

    /// The format in a file.
    ///
    /// # Errors
    /// A file that can't be read or is not UTF-8; and as [`Format::parse`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, FormatErrors> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| FormatError {
            file: file.clone(),
            place: None,
            problem: Problem::Unreadable { reason: error.to_string() },
        })?;
        let source = String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let problem = Problem::NotUtf8 { offset, value: bytes[offset] };
            FormatError { file: file.clone(), place: Some(Place::of_byte(bytes, offset)), problem }
        })?;
        let mut format = Self::parse(file, source)?;
        if let Some(stem) = path.file_stem() {
            format.name = stem.to_string_lossy().into_owned();
        }
        Ok(format)
    }

    /// The built-in format of this name, else the format in the file of this path.
    ///
    /// # Errors
    /// A name that is neither, with the names that there are; and as [`Format::load`].
    pub fn named(name_or_path: &str) -> Result<Self, FormatErrors> {
        if let Some((name, source)) = BUILTIN.iter().find(|(name, _)| *name == name_or_path) {
            return Self::parse(*name, *source);
        }
        let path = Path::new(name_or_path);
        if path.extension().is_some_and(|extension| extension == "gram")
            || path.components().count() > 1
            || path.is_file()
        {
            return Self::load(path);
        }
        let problem = Problem::UnknownFormat { name: name_or_path.to_owned(), known: Self::builtin().collect() };
        Err(FormatError { file: name_or_path.to_owned(), place: None, problem }.into())
    }

    /// The names of the built-in formats, in alphabetical order.
    pub fn builtin() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// Whether the format passes over the document (`@copy`, `@word`, `@skip`) rather than refer to it.
    pub fn is_cursor(&self) -> bool {
        self.any_terminal(Terminal::is_cursor)
    }

    /// Whether an entity can hold another one.
    pub fn nests(&self) -> bool {
        let Some(entity) = self.grammar.entity else {
            return false;
        };
        self.inside(entity).contains(&entity)
    }

    /// Whether an entity says where it is in numbers (`@start`, `@end`, `@first`, `@last`, `@nth`).
    pub fn has_positions(&self) -> bool {
        self.any_terminal(Terminal::is_position)
    }

    /// Whether an entity can have several fragments: whether it can write `@text` more than once.
    pub fn discontinuous(&self) -> bool {
        let Some(entity) = self.grammar.entity else {
            return false;
        };
        notation::most(&self.grammar, |kind| *kind == ExprKind::Terminal(Terminal::Text))[entity.index()] > 1
    }

    /// What the head comment's first line says the output is, and the short example after its colon, if there is one.
    pub fn summary(&self) -> (&str, Option<&str>) {
        let line = self.description.lines().next().unwrap_or_default();
        match line.split_once(": ") {
            Some((what, example)) => (what, Some(example)),
            None => (line, None),
        }
    }

    /// What the format can say of entities, beside label and text.
    pub fn expresses(&self) -> Expresses {
        let cursor = self.is_cursor();
        Expresses {
            nested: match (cursor, self.grammar.directives.pass_label) {
                (true, true) if !self.nests() => Nested::OtherLabels,
                (true, false) if !self.nests() => Nested::No,
                _ => Nested::Yes,
            },
            discontinuous: self.discontinuous(),
            positions: cursor || self.has_positions(),
        }
    }

    fn any_terminal(&self, test: impl Fn(Terminal) -> bool) -> bool {
        let mut found = false;
        for rule in &self.grammar.rules {
            rule.expr.walk(&mut |expr| found |= matches!(expr.kind, ExprKind::Terminal(terminal) if test(terminal)));
        }
        found
    }

    /// The rules that `from` leads to; itself only where it comes back.
    fn inside(&self, from: RuleId) -> Vec<RuleId> {
        let mut found = Vec::new();
        let mut open = vec![from];
        while let Some(rule) = open.pop() {
            self.grammar.rule(rule).expr.walk(&mut |expr| {
                if let ExprKind::Rule(next) | ExprKind::Each { rule: next, .. } = expr.kind
                    && !found.contains(&next)
                {
                    found.push(next);
                    open.push(next);
                }
            });
        }
        found
    }
}
