//! A recogniser of plain grammars by descent, which remembers where each rule can end.

use std::collections::{BTreeSet, HashMap};

use crate::plain::{Expr, PlainGrammar, RuleId};
use crate::regex::StateId;

/// Whether a text belongs to the grammar, which must have no left recursion.
pub fn accepts(grammar: &PlainGrammar, text: &[u8]) -> bool {
    let mut recogniser = Recogniser { grammar, text, known: HashMap::new() };
    recogniser.rule(grammar.start(), 0).contains(&text.len())
}

type Ends = BTreeSet<usize>;

struct Recogniser<'g> {
    grammar: &'g PlainGrammar,
    text: &'g [u8],
    known: HashMap<(RuleId, usize), Ends>,
}

impl Recogniser<'_> {
    fn rule(&mut self, rule: RuleId, at: usize) -> Ends {
        if let Some(known) = self.known.get(&(rule, at)) {
            return known.clone();
        }
        let grammar = self.grammar;
        let ends = self.expr(&grammar.rule(rule).body, at);
        self.known.insert((rule, at), ends.clone());
        ends
    }

    fn after_each(&mut self, expr: &Expr, from: &Ends) -> Ends {
        from.iter().flat_map(|at| self.expr(expr, *at)).collect()
    }

    fn expr(&mut self, expr: &Expr, at: usize) -> Ends {
        match expr {
            Expr::Bytes(bytes) if self.text[at..].starts_with(bytes) => [at + bytes.len()].into(),
            Expr::Bytes(_) | Expr::Special(_) => Ends::new(),
            Expr::Regular(regex) => {
                let (mut ends, mut state, mut at) = (Ends::new(), Some(StateId::START), at);
                while let Some(here) = state {
                    if regex.matches(here) {
                        ends.insert(at);
                    }
                    state = self.text.get(at).and_then(|byte| regex.next(here, *byte));
                    at += 1;
                }
                ends
            }
            Expr::Sequence(parts) => parts.iter().fold([at].into(), |from, part| self.after_each(part, &from)),
            Expr::Choice(parts) => parts.iter().flat_map(|part| self.expr(part, at)).collect(),
            Expr::Repeat { body, min, max } => {
                let mut from: Ends = [at].into();
                let mut ends = Ends::new();
                for count in 0u32.. {
                    if count >= *min {
                        let before = ends.len();
                        ends.extend(&from);
                        if count > *min && ends.len() == before {
                            break;
                        }
                    }
                    if from.is_empty() || max.is_some_and(|max| count >= max) {
                        break;
                    }
                    from = self.after_each(body, &from);
                }
                ends
            }
            Expr::Rule(rule) => self.rule(*rule, at),
        }
    }
}
