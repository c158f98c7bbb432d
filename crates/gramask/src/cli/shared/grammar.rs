//! Arguments that name a plain grammar in the place of a format.

use std::path::{Path, PathBuf};

use clap::Args;
use gramask_grammar::Grammar;
use gramask_grammar::json_schema::{JsonSchemaOptions, Whitespace};

use crate::cli::CliError;

/// The options that name one.
pub const PLAIN: [&str; 4] = ["grammar", "json_schema", "regex", "choice"];

/// A plain grammar, in one of several ways. Without any the command takes a format.
#[derive(Debug, Args)]
pub struct GrammarArgs {
    /// A plain grammar in place of a format: a .gram, .lark or .gbnf file, or a JSON Schema (.json)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json_schema", "regex", "choice"], help_heading = "Plain grammars")]
    grammar: Option<PathBuf>,
    /// A JSON Schema: the output is one of its instances
    #[arg(long, value_name = "FILE", conflicts_with_all = ["regex", "choice"], help_heading = "Plain grammars")]
    json_schema: Option<PathBuf>,
    /// With a JSON Schema: allow up to so many characters of white space wherever JSON has it
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Plain grammars")]
    whitespace: u32,
    /// A regular expression that the whole output matches
    #[arg(
        long,
        value_name = "REGEX",
        conflicts_with = "choice",
        help_heading = "Plain grammars",
        allow_hyphen_values = true
    )]
    regex: Option<String>,
    /// A text that the output can be; give the option once for each
    #[arg(long, value_name = "TEXT", help_heading = "Plain grammars", allow_hyphen_values = true)]
    choice: Vec<String>,
}

impl GrammarArgs {
    /// The grammar that is asked for, if one is. Its warnings are printed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn grammar(&self) -> Result<Option<Grammar>, CliError> {
        let schema = self.json_schema.as_deref().or(self.grammar.as_deref().filter(|file| is_json(file)));
        if self.whitespace > 0 && schema.is_none() {
            return Err(CliError::Whitespace);
        }
        let grammar = match (schema, &self.grammar, &self.regex) {
            (Some(file), _, _) => {
                let most = self.whitespace;
                let whitespace = if most == 0 { Whitespace::Compact } else { Whitespace::Any { most } };
                Grammar::read_json_schema(file, &JsonSchemaOptions { whitespace, ..JsonSchemaOptions::default() })?
            }
            (None, Some(file), _) => Grammar::read(file)?,
            (None, None, Some(regex)) => Grammar::from_regex(regex)?,
            (None, None, None) if !self.choice.is_empty() => Grammar::from_choice(&self.choice)?,
            (None, None, None) => return Ok(None),
        };
        for warning in grammar.warnings() {
            anstream::eprintln!("warning: {warning}");
        }
        Ok(Some(grammar))
    }
}

fn is_json(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "json")
}
