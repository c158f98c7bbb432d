//! Lark, in the dialect of llguidance.
//!
//! ```text
//! // Sums of numbers.                     `//` and `#` begin a comment
//! start: expr
//! expr: expr ("+" | "-") NUMBER | NUMBER
//! NUMBER: /[0-9]+/                        a name in capitals is a terminal
//! %ignore " "                             ignored text may stand between terminals
//! ```
//!
//! Text is read by a lexer, terminal by terminal, as llguidance does it; [`lexing`] says what that means and how it is
//! translated. What has no equal meaning here is refused where it stands.
//!
//! Steps, one file each: `lexer` and `parser` make the [`ast`]. `tokens` looks up names, and makes each terminal one regex
//! (`terminals`, `common`) and each JSON Schema the rules of its instances (`json`). `lexing` makes rules over bytes.

mod ast;
mod common;
mod json;
mod lexer;
mod lexing;
mod parser;
mod terminals;
mod tokens;
mod values;

use super::error::Fault;
use super::translated::{Translated, finish};
use crate::plain::Builder;

/// Translates a source.
///
/// # Errors
/// The first fault of the parser; else those of the names, the terminals and the lexer.
pub(super) fn translate(source: &str) -> Result<Translated, Vec<Fault>> {
    let parsed = parser::parse(source).map_err(|fault| vec![fault])?;
    let mut tokens = tokens::tokens(parsed)?;
    let mut warnings = warnings(&tokens);
    warnings.append(&mut tokens.warnings);
    let start = tokens.rules[tokens.start].span;
    let mut builder = Builder::new();
    let output = lexing::translate(tokens, source, &mut builder)?;
    let mut translated = finish(builder, output, &[(output, start)])?;
    translated.warnings = warnings;
    Ok(translated)
}

/// Rules that are never used, and rules that can't be finished.
fn warnings(tokens: &tokens::Tokens) -> Vec<Fault> {
    let mut warnings = Vec::new();
    let (used, finished) = (tokens.used(), tokens.finished());
    for (index, rule) in tokens.rules.iter().enumerate() {
        if !used[index] {
            warnings.push(Fault::new(rule.span, format!("the rule `{}` is never used", rule.name)));
        } else if !finished[index] {
            warnings.push(super::translated::unfinished(&rule.name, rule.span));
        }
    }
    warnings
}
