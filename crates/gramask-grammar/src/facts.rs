//! What a grammar is, in a few facts for people.

use std::collections::VecDeque;

use crate::Format;
use crate::notation::ast::{ExprKind, RuleId, Terminal};
use crate::program::Program;
use crate::regex::Regex;

/// What a grammar is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrammarFacts {
    /// The number of rules.
    pub rules: usize,
    /// A rule that holds itself, with the rules between, the first one again at the end. None in a regular language.
    pub recursion: Option<Vec<String>>,
    /// The terminals that it uses, each once.
    pub terminals: Vec<Terminal>,
    /// Whether its outputs say labels of a schema: it uses `@label`, `@each` or `%pass label`.
    pub labels: bool,
    /// Whether it is a plain grammar: nothing in it refers to a document or a schema.
    pub plain: bool,
}

/// How large a compiled grammar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramSize {
    /// The operations of the program, rules that hold themselves counted once.
    pub operations: usize,
    /// Its regular expressions, each a deterministic automaton.
    pub regexes: usize,
    /// The memory of these automata, in bytes.
    pub regex_bytes: usize,
}

impl Format {
    /// What the grammar is.
    ///
    /// ```
    /// use gramask_grammar::Format;
    /// let lists = Format::parse("lists", "start: list\nlist: \"(\" list* \")\"\n")?.facts();
    /// assert_eq!(lists.recursion.as_deref(), Some(&["list".to_string(), "list".to_string()][..]));
    /// assert!(lists.plain && !lists.labels);
    /// let format = Format::named("json-list")?.facts();
    /// assert!(format.recursion.is_none() && format.labels && !format.plain);
    /// # Ok::<(), gramask_grammar::FormatErrors>(())
    /// ```
    pub fn facts(&self) -> GrammarFacts {
        let mut terminals: Vec<Terminal> = Vec::new();
        let mut each = false;
        for rule in &self.grammar.rules {
            rule.expr.walk(&mut |expr| match &expr.kind {
                ExprKind::Terminal(terminal) if !terminals.contains(terminal) => terminals.push(*terminal),
                ExprKind::Each { .. } => each = true,
                _ => {}
            });
        }
        let labels = terminals.contains(&Terminal::Label) || each || self.grammar.directives.pass_label;
        GrammarFacts {
            rules: self.grammar.rules.len(),
            recursion: self.recursion(),
            plain: self.grammar.is_plain(),
            terminals,
            labels,
        }
    }

    /// The shortest way from a rule back to itself.
    fn recursion(&self) -> Option<Vec<String>> {
        let used: Vec<Vec<usize>> = (0..self.grammar.rules.len()).map(|rule| self.used(rule)).collect();
        let name = |rule: usize| self.grammar.rules[rule].name.clone();
        Some(shortest_cycle(&used)?.into_iter().map(name).collect())
    }

    /// The rules that a rule uses.
    fn used(&self, rule: usize) -> Vec<usize> {
        let mut used: Vec<RuleId> = Vec::new();
        self.grammar.rules[rule].expr.walk(&mut |expr| {
            if let ExprKind::Rule(next) | ExprKind::Each { rule: next, .. } = expr.kind {
                used.push(next);
            }
        });
        used.into_iter().map(RuleId::index).collect()
    }
}

/// The shortest way from a rule back to itself, its first rule again at the end. `used` has the rules that each rule uses.
pub(crate) fn shortest_cycle(used: &[Vec<usize>]) -> Option<Vec<usize>> {
    let way = |from: usize| {
        // For each rule that was reached, the rule before it.
        let mut before: Vec<Option<usize>> = vec![None; used.len()];
        let mut open = VecDeque::from([from]);
        while let Some(rule) = open.pop_front() {
            for &next in &used[rule] {
                if next == from {
                    let mut way = vec![from, rule];
                    while way[way.len() - 1] != from {
                        way.push(before[way[way.len() - 1]]?);
                    }
                    way.reverse();
                    return Some(way);
                }
                if before[next].is_none() {
                    before[next] = Some(rule);
                    open.push_back(next);
                }
            }
        }
        None
    };
    (0..used.len()).filter_map(way).min_by_key(Vec::len)
}

impl Program {
    /// How large the program is.
    pub fn size(&self) -> ProgramSize {
        ProgramSize {
            operations: self.ops.len(),
            regexes: self.regexes.len(),
            regex_bytes: self.regexes.iter().map(Regex::memory).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recursion_is_found_through_other_rules() {
        let facts = |source: &str| Format::parse("x", source).unwrap().facts();
        let json = facts("start: value\nvalue: \"1\" | array\narray: \"[\" value \"]\"\n");
        assert_eq!(json.recursion, Some(["value", "array", "value"].map(String::from).to_vec()));
        assert!(json.plain && json.rules == 3);
        let flat = facts("start: a | b\na: c\nb: c c\nc: \"1\"\n");
        assert_eq!(flat.recursion, None);
        let nested = Format::named("inline-xml").unwrap().facts();
        assert_eq!(nested.recursion.unwrap().first().unwrap(), "entity");
        let pass = Format::named("label-list").unwrap().facts();
        assert!(pass.labels && !pass.plain && pass.terminals.contains(&Terminal::Text));
    }
}
