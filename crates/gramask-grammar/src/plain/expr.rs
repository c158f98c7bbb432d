//! Rules, expressions and what a grammar must fulfil.

use std::sync::Arc;

use crate::regex::Regex;

/// A rule, by its place in [`PlainGrammar::rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RuleId(u32);

impl RuleId {
    pub(super) fn new(index: usize) -> RuleId {
        RuleId(index as u32)
    }

    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A language of byte strings. Special tokens count as letters of their own.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    /// These bytes. The empty string is `Sequence(vec![])`, or no bytes.
    Bytes(Vec<u8>),
    /// A regular language.
    Regular(Arc<Regex>),
    /// The special token of this name, such as `<|tool_call|>`. No text can write it.
    Special(String),
    /// One after the other.
    Sequence(Vec<Expr>),
    /// One of several. Without any, the empty language.
    Choice(Vec<Expr>),
    /// So often at least and at most; `None` is without bound.
    Repeat { body: Box<Expr>, min: u32, max: Option<u32> },
    /// What another rule stands for.
    Rule(RuleId),
}

impl Expr {
    /// The empty string.
    pub fn empty() -> Expr {
        Expr::Sequence(Vec::new())
    }

    /// These bytes.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Expr {
        Expr::Bytes(bytes.into())
    }

    /// The expression, or nothing.
    #[allow(dead_code)] // not every syntax has it
    pub fn optional(self) -> Expr {
        Expr::Repeat { body: Box::new(self), min: 0, max: Some(1) }
    }

    /// The expression so often at least and at most.
    pub fn repeat(self, min: u32, max: Option<u32>) -> Expr {
        Expr::Repeat { body: Box::new(self), min, max }
    }

    /// Calls `visit` with this expression and each one inside it, from left to right.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Expr)) {
        visit(self);
        match self {
            Expr::Sequence(parts) | Expr::Choice(parts) => parts.iter().for_each(|part| part.walk(visit)),
            Expr::Repeat { body, .. } => body.walk(visit),
            Expr::Bytes(_) | Expr::Regular(_) | Expr::Special(_) | Expr::Rule(_) => {}
        }
    }
}

/// `name: body`.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub name: String,
    pub body: Expr,
}

/// A context-free grammar. Rules may recurse in any way, on the left too.
#[derive(Clone, Debug)]
pub(crate) struct PlainGrammar {
    rules: Vec<Rule>,
    start: RuleId,
}

/// Why a grammar is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlainGrammarError {
    #[error("the grammar accepts no text: `{rule}` can't be finished, since every way through it needs `{rule}` again")]
    Endless { rule: String },
}

impl PlainGrammar {
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub fn rule(&self, id: RuleId) -> &Rule {
        &self.rules[id.index()]
    }

    pub fn start(&self) -> RuleId {
        self.start
    }

    /// For each rule whether it stands for any text at all.
    pub fn productive(&self) -> Vec<bool> {
        let mut productive = vec![false; self.rules.len()];
        loop {
            let before = productive.iter().filter(|known| **known).count();
            for (index, rule) in self.rules.iter().enumerate() {
                productive[index] = productive[index] || finishes(&rule.body, &productive);
            }
            if productive.iter().filter(|known| **known).count() == before {
                return productive;
            }
        }
    }
}

/// Whether an expression stands for any text, if these rules do.
pub(super) fn finishes(expr: &Expr, productive: &[bool]) -> bool {
    match expr {
        Expr::Bytes(_) | Expr::Regular(_) | Expr::Special(_) => true,
        Expr::Sequence(parts) => parts.iter().all(|part| finishes(part, productive)),
        Expr::Choice(parts) => parts.iter().any(|part| finishes(part, productive)),
        Expr::Repeat { body, min, .. } => *min == 0 || finishes(body, productive),
        Expr::Rule(rule) => productive[rule.index()],
    }
}

/// Makes a [`PlainGrammar`]: rules are declared, then defined in any order.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    names: Vec<String>,
    bodies: Vec<Option<Expr>>,
}

impl Builder {
    pub fn new() -> Builder {
        Builder::default()
    }

    /// A new rule, whose body follows. The name is for messages; it need not be unique.
    pub fn declare(&mut self, name: impl Into<String>) -> RuleId {
        self.names.push(name.into());
        self.bodies.push(None);
        RuleId(self.names.len() as u32 - 1)
    }

    /// Says what a rule stands for.
    pub fn define(&mut self, rule: RuleId, body: Expr) {
        self.bodies[rule.index()] = Some(body);
    }

    /// A new rule with its body.
    pub fn rule(&mut self, name: impl Into<String>, body: Expr) -> RuleId {
        let rule = self.declare(name);
        self.define(rule, body);
        rule
    }

    /// The grammar that begins at `start`.
    ///
    /// # Errors
    /// A grammar that accepts no text.
    ///
    /// # Panics
    /// A rule that was declared and not defined.
    pub fn finish(self, start: RuleId) -> Result<PlainGrammar, PlainGrammarError> {
        let rules = self.names.into_iter().zip(self.bodies);
        let rules =
            rules.map(|(name, body)| Rule { body: body.expect("each declared rule is defined"), name }).collect();
        let grammar = PlainGrammar { rules, start };
        if !grammar.productive()[start.index()] {
            return Err(PlainGrammarError::Endless { rule: grammar.rule(start).name.clone() });
        }
        Ok(grammar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grammar_that_never_ends_is_refused() {
        let mut builder = Builder::new();
        let list = builder.declare("list");
        builder.define(list, Expr::Sequence(vec![Expr::bytes("("), Expr::Rule(list)]));
        let error = builder.finish(list).map(|_| ()).unwrap_err();
        assert_eq!(error, PlainGrammarError::Endless { rule: "list".into() });
    }

    #[test]
    fn productive_rules_are_found_through_others() {
        let mut builder = Builder::new();
        let (first, second) = (builder.declare("first"), builder.declare("second"));
        let lost = builder.declare("lost");
        builder.define(first, Expr::Choice(vec![Expr::Rule(lost), Expr::Rule(second)]));
        builder.define(second, Expr::Sequence(vec![Expr::bytes("x"), Expr::Rule(first).optional()]));
        builder.define(lost, Expr::Rule(lost).repeat(1, None));
        assert_eq!(builder.finish(first).expect("`first` finishes").productive(), [true, true, false]);
    }
}
