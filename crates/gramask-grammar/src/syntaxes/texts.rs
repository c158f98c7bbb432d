//! Grammars of one regex, and of a choice of texts.

use super::error::Fault;
use super::regexes::Regexes;
use super::translated::{Translated, finish};
use crate::notation::ast::Span;
use crate::plain::{Builder, Expr};

/// All that a regex matches as a whole, which may be the empty string.
pub(super) fn regex(pattern: &str) -> Result<Translated, Vec<Fault>> {
    let span = Span::new(0, pattern.len());
    if let Ok(hir) = regex_automata::util::syntax::parse(pattern)
        && !hir.properties().look_set().is_empty()
    {
        let fault = Fault::new(span, "this regex has an assertion (`^`, `$`, `\\b` and the like)");
        return Err(vec![fault.help("it always matches the whole output: remove the assertion")]);
    }
    let mut builder = Builder::new();
    let start = Regexes::new().expr(pattern, span).map_err(|fault| vec![fault])?;
    let start = builder.rule("start", start);
    finish(builder, start, &[])
}

/// One of these texts.
pub(super) fn choice(choices: &[&str]) -> Result<Translated, Vec<Fault>> {
    if choices.is_empty() {
        return Err(vec![Fault::new(Span::new(0, 0), "there is no text to choose").help("give at least one")]);
    }
    let mut builder = Builder::new();
    let texts = choices.iter().map(|text| Expr::bytes(text.as_bytes()));
    let start = builder.rule("start", Expr::Choice(texts.collect()));
    finish(builder, start, &[])
}
