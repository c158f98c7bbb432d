//! The entry point: a grammar from a file or a text.

use std::path::Path;
use std::sync::Arc;

use super::error::{Fault, GrammarError, GrammarErrors, located};
use super::facts::PlainFacts;
use super::translated::Translated;
use super::{gbnf, lark, notation, texts};
use crate::json_schema::{JsonSchema, JsonSchemaOptions};
use crate::notation::{MAX_SHORTEST, Place, head_comment};
use crate::plain::PlainGrammar;

/// What a grammar is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GrammarSyntax {
    /// The notation of format files, without what refers to a document ([`crate::notation`]).
    Notation,
    /// Lark, in the dialect of llguidance.
    Lark,
    /// GBNF, of llama.cpp.
    Gbnf,
    /// A regular expression in the syntax of the `regex` crate, which is matched as a whole.
    Regex,
    /// One of several texts.
    Choice,
    /// A JSON Schema. The outputs are its instances.
    JsonSchema,
}

impl GrammarSyntax {
    /// The syntax of the files with this ending, without the dot.
    pub fn of_extension(extension: &str) -> Option<GrammarSyntax> {
        match extension {
            "gram" => Some(GrammarSyntax::Notation),
            "lark" => Some(GrammarSyntax::Lark),
            "gbnf" => Some(GrammarSyntax::Gbnf),
            "json" => Some(GrammarSyntax::JsonSchema),
            _ => None,
        }
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            GrammarSyntax::Notation => "the notation of Gramask",
            GrammarSyntax::Lark => "Lark",
            GrammarSyntax::Gbnf => "GBNF",
            GrammarSyntax::Regex => "a regex",
            GrammarSyntax::Choice => "a choice",
            GrammarSyntax::JsonSchema => "JSON Schema",
        }
    }
}

/// A plain grammar: a language that refers to no document.
///
/// ```
/// use gramask_grammar::Grammar;
///
/// let sum = Grammar::from_gbnf("root ::= root \"+\" [0-9]+ | [0-9]+\n")?;
/// assert_eq!(sum.facts().shortest, b"0");
/// let error = Grammar::from_gbnf("root ::= nubmer\nnumber ::= [0-9]+\n").unwrap_err();
/// assert!(error.to_string().contains("did you mean `number`?"));
/// # Ok::<(), gramask_grammar::GrammarErrors>(())
/// ```
#[derive(Clone, Debug)]
pub struct Grammar {
    name: String,
    syntax: GrammarSyntax,
    description: String,
    plain: Arc<PlainGrammar>,
    warnings: Vec<GrammarError>,
}

impl Grammar {
    /// The grammar in a file, whose ending says its syntax: `.gram`, `.lark`, `.gbnf` or `.json` (a JSON Schema).
    ///
    /// # Errors
    /// A file that can't be read, is not UTF-8 or has another ending; and as [`Grammar::parse`].
    pub fn read(path: impl AsRef<Path>) -> Result<Grammar, GrammarErrors> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let Some(syntax) = GrammarSyntax::of_extension(&extension) else {
            let message = "the ending of the file does not say what grammar it holds".to_owned();
            let help = "name it .gram (the notation of Gramask), .lark (Lark), .gbnf (GBNF) or .json (JSON Schema)";
            return Err(GrammarError::whole(&file, message, Some(help.to_owned())).into());
        };
        if syntax == GrammarSyntax::JsonSchema {
            return Grammar::read_json_schema(path, &JsonSchemaOptions::default());
        }
        let grammar = Grammar::parse(file.as_str(), syntax, &source(&file, path)?)?;
        Ok(grammar.of_file(path))
    }

    /// The grammar of the instances of the JSON Schema in a file, whatever its ending.
    ///
    /// # Errors
    /// A file that can't be read or is not UTF-8; and as [`Grammar::from_json_schema`].
    pub fn read_json_schema(path: impl AsRef<Path>, options: &JsonSchemaOptions) -> Result<Grammar, GrammarErrors> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let grammar = named(Grammar::from_json_schema(&source(&file, path)?, options), &file)?;
        Ok(grammar.of_file(path))
    }

    /// The same with the name of a file.
    fn of_file(mut self, path: &Path) -> Grammar {
        if let Some(stem) = path.file_stem() {
            self.name = stem.to_string_lossy().into_owned();
        }
        self
    }

    /// The grammar of a source; `name` is its name, and how messages name the file.
    ///
    /// A source of [`GrammarSyntax::Choice`] has one text on each line. A JSON Schema is compiled with the default options; see
    /// [`Grammar::from_json_schema`].
    ///
    /// # Errors
    /// What is wrong with the source, each with its place; and a grammar without any output, or whose shortest output is longer
    /// than [`MAX_SHORTEST`].
    pub fn parse(name: impl Into<String>, syntax: GrammarSyntax, source: &str) -> Result<Grammar, GrammarErrors> {
        let name = name.into();
        let translated = match syntax {
            GrammarSyntax::Notation => {
                let grammar = notation::translate(&name, source)?;
                Ok(Translated { grammar, warnings: Vec::new() })
            }
            GrammarSyntax::Lark => lark::translate(source),
            GrammarSyntax::Gbnf => gbnf::translate(source),
            GrammarSyntax::Regex => texts::regex(source),
            GrammarSyntax::Choice => texts::choice(&source.lines().collect::<Vec<_>>()),
            GrammarSyntax::JsonSchema => {
                let grammar = Grammar::from_json_schema(source, &JsonSchemaOptions::default());
                return named(grammar, &name);
            }
        };
        let mut grammar = Grammar::new(name, syntax, source, translated)?;
        grammar.description = match syntax {
            GrammarSyntax::Notation | GrammarSyntax::Lark => head_comment(source),
            GrammarSyntax::Gbnf => head(source, "#"),
            GrammarSyntax::Regex | GrammarSyntax::Choice | GrammarSyntax::JsonSchema => String::new(),
        };
        Ok(grammar)
    }

    /// The grammar of a text in the notation of Gramask, without `@terminals`.
    ///
    /// # Errors
    /// As [`Grammar::parse`].
    pub fn from_notation(source: &str) -> Result<Grammar, GrammarErrors> {
        Grammar::parse("grammar", GrammarSyntax::Notation, source)
    }

    /// The grammar of a text in Lark, in the dialect of llguidance.
    ///
    /// # Errors
    /// As [`Grammar::parse`]; also where a lexer reads text in a way that has no equal.
    pub fn from_lark(source: &str) -> Result<Grammar, GrammarErrors> {
        Grammar::parse("grammar", GrammarSyntax::Lark, source)
    }

    /// The grammar of a text in GBNF.
    ///
    /// # Errors
    /// As [`Grammar::parse`].
    pub fn from_gbnf(source: &str) -> Result<Grammar, GrammarErrors> {
        Grammar::parse("grammar", GrammarSyntax::Gbnf, source)
    }

    /// The grammar of all that a regex matches as a whole. The regex has no assertions.
    ///
    /// # Errors
    /// As [`Grammar::parse`].
    pub fn from_regex(pattern: &str) -> Result<Grammar, GrammarErrors> {
        Grammar::parse("regex", GrammarSyntax::Regex, pattern)
    }

    /// The grammar of these texts, which may be of several lines.
    ///
    /// # Errors
    /// When there is none.
    pub fn from_choice<T: AsRef<str>>(choices: &[T]) -> Result<Grammar, GrammarErrors> {
        let choices: Vec<&str> = choices.iter().map(AsRef::as_ref).collect();
        Grammar::new("choice".to_owned(), GrammarSyntax::Choice, "", texts::choice(&choices))
    }

    /// The grammar of the instances of a JSON Schema, written as JSON.
    ///
    /// ```
    /// use gramask_grammar::Grammar;
    ///
    /// let schema = r#"{"type": "object", "properties": {"dose": {"type": "integer", "minimum": 1}}, "required": ["dose"]}"#;
    /// let grammar = Grammar::from_json_schema(schema, &Default::default())?;
    /// assert_eq!(grammar.facts().shortest, br#"{"dose":1}"#);
    /// let error = Grammar::from_json_schema(r#"{"type": "integer", "multipleOf": 0}"#, &Default::default()).unwrap_err();
    /// assert!(error.to_string().contains("/multipleOf"), "{error}");
    /// # Ok::<(), gramask_grammar::GrammarErrors>(())
    /// ```
    ///
    /// # Errors
    /// As [`JsonSchema::grammar`]: also a keyword that no grammar enforces exactly.
    pub fn from_json_schema(schema: &str, options: &JsonSchemaOptions) -> Result<Grammar, GrammarErrors> {
        let name = "json-schema".to_owned();
        let error = |message: String| GrammarError::whole(&name, message, None);
        let compiled = JsonSchema::parse(schema).and_then(|schema| schema.grammar(options));
        let compiled = compiled.map_err(|refused| error(refused.to_string()))?;
        let warnings = compiled.warnings.iter();
        let warnings = warnings.map(|warning| error(format!("at `{}`: {}", warning.pointer, warning.reason))).collect();
        Grammar {
            name: name.clone(),
            syntax: GrammarSyntax::JsonSchema,
            description: String::new(),
            plain: Arc::new(compiled.grammar),
            warnings,
        }
        .limited()
    }

    fn new(
        file: String,
        syntax: GrammarSyntax,
        source: &str,
        translated: Result<Translated, Vec<Fault>>,
    ) -> Result<Grammar, GrammarErrors> {
        let errors = |faults| GrammarErrors { errors: located(&file, source, faults) };
        let Translated { grammar, warnings } = translated.map_err(errors)?;
        let warnings = located(&file, source, warnings);
        Grammar { name: file, syntax, description: String::new(), plain: Arc::new(grammar), warnings }.limited()
    }

    /// The grammar, unless its shortest output is too long.
    fn limited(self) -> Result<Grammar, GrammarErrors> {
        let grammar = self;
        let length = PlainFacts::shortest_length(&grammar.plain);
        if length > MAX_SHORTEST as u64 {
            let message = format!("the shortest output has {length} bytes; the limit is {MAX_SHORTEST}");
            let help = Some("give the rules alternatives that write less".to_owned());
            return Err(GrammarError::whole(&grammar.name, message, help).into());
        }
        Ok(grammar)
    }

    /// The name: of the file without its ending, or of the kind of text.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is written in.
    pub fn syntax(&self) -> GrammarSyntax {
        self.syntax
    }

    /// The comments at the top of its source.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What its author may not have meant: rules that are never used, and rules that can't be finished.
    pub fn warnings(&self) -> &[GrammarError] {
        &self.warnings
    }

    /// What the grammar is.
    pub fn facts(&self) -> PlainFacts {
        PlainFacts::new(&self.plain)
    }

    /// Its rules, for the engine.
    pub(crate) fn plain(&self) -> &Arc<PlainGrammar> {
        &self.plain
    }
}

/// The text of a file.
fn source(file: &str, path: &Path) -> Result<String, GrammarErrors> {
    let bytes = std::fs::read(path).map_err(|error| {
        let help = "give the path of a readable file".to_owned();
        GrammarError::whole(file, format!("the file can't be read: {error}"), Some(help))
    })?;
    let source = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let value = error.as_bytes()[offset];
        let message = format!("this is not UTF-8: byte {value:#04x} at offset {offset}");
        let place = Some(Place::of_byte(error.as_bytes(), offset));
        GrammarError { place, ..GrammarError::whole(file, message, Some("save the file as UTF-8".to_owned())) }
    })?;
    Ok(source)
}

/// The same under another name, which messages have, too.
fn named(grammar: Result<Grammar, GrammarErrors>, name: &str) -> Result<Grammar, GrammarErrors> {
    let rename = |errors: &mut Vec<GrammarError>| errors.iter_mut().for_each(|error| name.clone_into(&mut error.file));
    match grammar {
        Ok(mut grammar) => {
            name.clone_into(&mut grammar.name);
            rename(&mut grammar.warnings);
            Ok(grammar)
        }
        Err(mut errors) => {
            rename(&mut errors.errors);
            Err(errors)
        }
    }
}

/// The text of the comments at the top of a source.
fn head(source: &str, sign: &str) -> String {
    let lines = source.trim_start_matches('\u{feff}').lines().map(str::trim).skip_while(|line| line.is_empty());
    let comments = lines.map_while(|line| line.strip_prefix(sign));
    let text: Vec<&str> = comments.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    text.join("\n").trim().to_owned()
}
