//! The project's own notation, without `@terminals`, as a plain grammar.

use super::error::{Fault, GrammarError, GrammarErrorKind, GrammarErrors};
use super::regexes::Regexes;
use crate::notation::ast::{Expr as Written, ExprKind, Grammar, RuleId as WrittenRule};
use crate::notation::{Place, parse_any};
use crate::plain::{Builder, Expr, PlainGrammar, RuleId};

/// Translates a source. Rules keep their order, and left recursion stays as it is.
///
/// # Errors
/// As of a format file, except that left recursion and empty loops are no errors; and a grammar that refers to a document.
pub(super) fn translate(file: &str, source: &str) -> Result<PlainGrammar, GrammarErrors> {
    let grammar = parse_any(file, source)?;
    if !grammar.is_plain() {
        return Err(format(file, source, &grammar).into());
    }
    let (builder, start) = rules(&grammar).map_err(|fault| fault.located(file, source))?;
    builder.finish(start).map_err(|error| {
        let span = grammar.rule(grammar.start).name_span();
        Fault::new(span, error.to_string()).located(file, source).into()
    })
}

/// The plain grammar of a format file that was checked; `None` if it refers to a document.
pub(crate) fn plain(grammar: &Grammar) -> Option<PlainGrammar> {
    let (builder, start) = grammar.is_plain().then(|| rules(grammar).ok())??;
    builder.finish(start).ok()
}

fn rules(grammar: &Grammar) -> Result<(Builder, RuleId), Fault> {
    let mut builder = Builder::new();
    let rules: Vec<RuleId> = grammar.rules.iter().map(|rule| builder.declare(rule.name.clone())).collect();
    let mut translation = Translation { rules: &rules, regexes: Regexes::new() };
    for (rule, id) in grammar.rules.iter().zip(&rules) {
        builder.define(*id, translation.of(&rule.expr)?);
    }
    Ok((builder, rules[grammar.start.index()]))
}

/// The error of a grammar that is a format.
fn format(file: &str, source: &str, grammar: &Grammar) -> GrammarError {
    let mut place = grammar.entity.map(|entity| grammar.rule(entity).name_span());
    for rule in &grammar.rules {
        rule.expr.walk(&mut |expr| {
            if matches!(expr.kind, ExprKind::Terminal(_) | ExprKind::Each { .. }) {
                place = place.or(Some(expr.span));
            }
        });
    }
    let message = "this is a format, whose outputs depend on a document".to_owned();
    let help = "a plain grammar has no `@terminals`, no rule `entity` and no `%pass`".to_owned();
    let place = place.map(|span| Place::new(source, span));
    GrammarError { kind: GrammarErrorKind::Format, file: file.to_owned(), place, message, help: Some(help) }
}

struct Translation<'a> {
    rules: &'a [RuleId],
    regexes: Regexes,
}

impl Translation<'_> {
    fn of(&mut self, expr: &Written) -> Result<Expr, Fault> {
        Ok(match &expr.kind {
            ExprKind::Empty | ExprKind::Terminal(_) | ExprKind::Each { .. } => Expr::empty(),
            ExprKind::Literal(bytes) => Expr::bytes(bytes.clone()),
            ExprKind::Regex(pattern) => self.regexes.expr(pattern, expr.span)?,
            ExprKind::Sequence(parts) => Expr::Sequence(self.all(parts)?),
            ExprKind::Choice(parts) => Expr::Choice(self.all(parts)?),
            ExprKind::Repeat { body, min, max } => self.of(body)?.repeat(*min, *max),
            ExprKind::Rule(WrittenRule(rule)) => Expr::Rule(self.rules[*rule as usize]),
        })
    }

    fn all(&mut self, parts: &[Written]) -> Result<Vec<Expr>, Fault> {
        parts.iter().map(|part| self.of(part)).collect()
    }
}
