//! The notation of format files: source text in, checked tree out.
//!
//! It is Lark's EBNF, with directives for what holds of the whole format and terminals for the document.
//!
//! ```text
//! // One JSON array of objects.            `//` begins a comment; those at the top describe the format
//! %escape json                             a directive
//! start:  "[" (entity ("," entity)*)? "]"  a rule begins in the first column ...
//! entity: "{\"text\":\"" @text "\","
//!         "\"label\":\"" @label "\"}"      ... and indented lines, or lines that begin with `|`, go on with it
//! ```
//!
//! | written | meaning |
//! |---|---|
//! | `"text"` | that text; escapes `\" \\ \n \t \r \x41 \u0041 \u{1f600}` |
//! | `/regex/` | what the regex matches as a whole; never empty, no look-around, flags inside: `/(?i)yes/` |
//! | `a b`, `a \| b`, `( )` | one after the other, one of the two, grouping |
//! | `a*`, `a+`, `a?`, `[a]`, `a~3`, `a~2..5` | any number, one or more, none or one, none or one, three, two to five |
//! | `name` | what that rule writes; a name in capitals is a rule like any other |
//! | `@copy @word @skip` | pass over the document |
//! | `@text @label @start @end @first @last @nth` | views of the open entity |
//! | `@each(rule, ",")` | the rule once per label of the schema |
//!
//! The output is what the rule `start` writes; the rule `entity` writes one entity.
//!
//! Steps, one file each: `lexer`, then `statements` (with `directives`) and `parser` (with `pattern`) make the [`ast`]. `check`
//! refuses rules that no engine could run. `meaning` refuses terminals that would mean nothing. `size` refuses what takes too
//! long to compile. All of them report a [`Problem`], which [`FormatError`] shows with its place.

pub mod ast;
mod check;
mod directives;
mod help;
mod lexer;
mod meaning;
mod parser;
mod pattern;
mod problem;
mod report;
mod size;
mod statements;

pub use problem::{MAX_DEPTH, MAX_OPERATIONS, MAX_REPEAT, MAX_RULES, MAX_SHORTEST, Problem};
pub use report::{FormatError, FormatErrors, Place};

pub(crate) use check::most;
pub(crate) use report::{show, show_all};
pub(crate) use size::recursive;

use ast::Grammar;

/// Parses and checks the source of a format file; `file` is how messages name it.
///
/// # Errors
/// All problems of the first steps that find one, in the order of the file.
pub fn parse(file: &str, source: &str) -> Result<Grammar, FormatErrors> {
    grammar(source, Use::Format).map_err(|problems| located(file, source, problems))
}

/// Parses and checks the source of a grammar that may be plain: in one that refers to no document, rules may recurse on the
/// left, and repeats may repeat what can be empty.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_any(file: &str, source: &str) -> Result<Grammar, FormatErrors> {
    grammar(source, Use::Any).map_err(|problems| located(file, source, problems))
}

fn located(file: &str, source: &str, mut problems: Vec<report::Located>) -> FormatErrors {
    problems.sort_by_key(|(span, _)| span.start);
    let errors = problems.into_iter().map(|(span, problem)| FormatError {
        file: file.to_owned(),
        place: Some(Place::new(source, span)),
        problem,
    });
    FormatErrors { errors: errors.collect() }
}

/// What a file is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// The engine of formats, which takes no left recursion.
    Format,
    /// That engine, or the engine of plain grammars where the grammar is one.
    Any,
}

fn grammar(source: &str, used: Use) -> Result<Grammar, Vec<report::Located>> {
    let (tokens, mut problems) = lexer::tokens(source);
    let parsed = statements::parse(source, &tokens);
    problems.extend(parsed.problems);
    let find = |name: &str| parsed.rules.iter().position(|rule| rule.name == name);
    let (start, entity) = (find("start"), find("entity"));
    let Some(start) = start.filter(|_| problems.is_empty()) else {
        return Err(problems);
    };
    let id = |index: usize| ast::RuleId(index as u32);
    let grammar =
        Grammar { directives: parsed.directives, rules: parsed.rules, start: id(start), entity: entity.map(id) };
    let plain = used == Use::Any && grammar.is_plain();
    problems.extend(check::problems(&grammar, plain));
    problems.extend(meaning::problems(source, &grammar));
    // The size of a plain grammar is checked where it is translated.
    if problems.is_empty() && !plain {
        problems.extend(size::problems(&grammar));
    }
    if problems.is_empty() { Ok(grammar) } else { Err(problems) }
}

/// The text of the comments at the top of a format file.
pub(crate) fn head_comment(source: &str) -> String {
    let lines = source.trim_start_matches('\u{feff}').lines().map(str::trim).skip_while(|line| line.is_empty());
    let comments = lines.map_while(|line| line.strip_prefix("//"));
    let text: Vec<&str> = comments.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    text.join("\n").trim().to_owned()
}
