//! What a plain grammar is: a .gram file without `@terminals`, a .lark or a .gbnf file.

use std::path::Path;

use anstyle::Style;
use gramask_grammar::notation::{MAX_DEPTH, MAX_REPEAT, MAX_SHORTEST};
use gramask_grammar::{Grammar, GrammarErrors, GrammarSyntax, PlainFacts};
use serde::Serialize;

use super::{language, regexes, shortest};
use crate::cli::{CliError, DONE};

/// The facts as JSON.
#[derive(Debug, Serialize)]
struct Checked {
    name: String,
    about: String,
    /// `plain grammar`.
    kind: &'static str,
    /// What it is written in.
    syntax: &'static str,
    /// `regular` or `context-free`.
    language: &'static str,
    /// A rule that holds itself, with the rules between.
    recursion: Option<Vec<String>>,
    /// The rules over bytes that the file is translated to.
    rules: usize,
    /// The special tokens that it names.
    special: Vec<String>,
    regexes: usize,
    regex_bytes: usize,
    shortest: String,
    /// What its author may not have meant, with file, line and column.
    warnings: Vec<String>,
}

/// The plain grammar in a file, whose ending says its syntax. None for a format.
pub(super) fn read(file: &str) -> Result<Option<Grammar>, GrammarErrors> {
    let extension = Path::new(file).extension().and_then(|extension| extension.to_str());
    if extension.and_then(GrammarSyntax::of_extension).is_none() {
        return Ok(None);
    }
    match Grammar::read(file) {
        Err(errors) if errors.is_format() => Ok(None),
        result => result.map(Some),
    }
}

/// Says what it is.
pub(super) fn show(grammar: &Grammar, json: bool) -> Result<u8, CliError> {
    let PlainFacts { rules, recursion, regexes: count, regex_bytes, special, shortest: output } = grammar.facts();
    let checked = Checked {
        name: grammar.name().to_owned(),
        about: grammar.description().to_owned(),
        kind: "plain grammar",
        syntax: grammar.syntax().name(),
        language: if recursion.is_some() { "context-free" } else { "regular" },
        recursion,
        rules,
        special,
        regexes: count,
        regex_bytes,
        shortest: String::from_utf8_lossy(&output).into_owned(),
        warnings: grammar.warnings().iter().map(ToString::to_string).collect(),
    };
    if json {
        anstream::println!("{}", serde_json::to_string_pretty(&checked)?);
        return Ok(DONE);
    }
    let (head, faint) = (Style::new().bold(), Style::new().dimmed());
    anstream::println!("{head}{}{head:#} is a plain grammar, in {}", checked.name, checked.syntax);
    for line in checked.about.lines() {
        anstream::println!("  {faint}{line}{faint:#}");
    }
    let special = match checked.special.as_slice() {
        [] => "none".into(),
        some => some.join(", "),
    };
    for (name, value) in [
        ("language", language(checked.recursion.as_deref())),
        ("rules", format!("{} over bytes, {}", checked.rules, regexes(checked.regexes, checked.regex_bytes))),
        ("special", special),
        ("shortest", shortest(&checked.shortest)),
        (
            "limits",
            format!(
                "{MAX_REPEAT} counted repeats, brackets {MAX_DEPTH} deep, a shortest output of {MAX_SHORTEST} bytes"
            ),
        ),
    ] {
        anstream::println!("  {name:<11} {value}");
    }
    for warning in grammar.warnings() {
        anstream::eprintln!("warning: {warning}");
    }
    Ok(DONE)
}
