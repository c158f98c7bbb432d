//! The end of a translation: a plain grammar, and what its author may not have meant.

use super::error::Fault;
use crate::notation::ast::Span;
use crate::plain::{Builder, Expr, PlainGrammar, RuleId};

/// A plain grammar that was read from a source.
pub(super) struct Translated {
    pub grammar: PlainGrammar,
    /// Rules that are never used and rules that are never finished.
    pub warnings: Vec<Fault>,
}

/// Completes a grammar; `written` are the rules of the source, with the places of their names.
///
/// # Errors
/// A grammar that accepts no text.
pub(super) fn finish(builder: Builder, start: RuleId, written: &[(RuleId, Span)]) -> Result<Translated, Vec<Fault>> {
    let span = written.iter().find(|(rule, _)| *rule == start).map_or(Span::new(0, 0), |(_, span)| *span);
    let grammar = builder.finish(start).map_err(|error| vec![Fault::new(span, error.to_string())])?;
    let (productive, used) = (grammar.productive(), used(&grammar));
    let mut warnings = Vec::new();
    for (rule, span) in written {
        let name = &grammar.rule(*rule).name;
        if !used[rule.index()] {
            warnings.push(Fault::new(*span, format!("the rule `{name}` is never used")));
        } else if !productive[rule.index()] {
            warnings.push(unfinished(name, *span));
        }
    }
    Ok(Translated { grammar, warnings })
}

/// The warning for a rule without any text.
pub(super) fn unfinished(name: &str, span: Span) -> Fault {
    Fault::new(span, format!("the rule `{name}` can't be finished"))
        .help("every way through it needs it again, so that what uses it is left out")
}

/// Which rules the start leads to.
fn used(grammar: &PlainGrammar) -> Vec<bool> {
    let mut used = vec![false; grammar.rules().len()];
    used[grammar.start().index()] = true;
    let mut open = vec![grammar.start()];
    while let Some(rule) = open.pop() {
        grammar.rule(rule).body.walk(&mut |expr| {
            if let Expr::Rule(next) = expr
                && !std::mem::replace(&mut used[next.index()], true)
            {
                open.push(*next);
            }
        });
    }
    used
}
