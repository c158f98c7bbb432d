//! Outputs of a plain grammar at random.

use crate::plain::{Expr, PlainGrammar};
use crate::regex::{Regex, StateId};

/// A text of the grammar, or nothing where no short one is found.
pub fn sample(grammar: &PlainGrammar, seed: u64) -> Option<Vec<u8>> {
    let mut sampler = Sampler { grammar, costs: costs(grammar), seed, text: Vec::new(), left: 60 };
    sampler.expr(&Expr::Rule(grammar.start()), 0)?;
    Some(sampler.text)
}

/// The shortest text of each rule, in bytes.
fn costs(grammar: &PlainGrammar) -> Vec<u32> {
    let mut costs = vec![u32::MAX; grammar.rules().len()];
    loop {
        let next: Vec<u32> = grammar.rules().iter().map(|rule| cost(&rule.body, &costs)).collect();
        if next == costs {
            return costs;
        }
        costs = next;
    }
}

fn cost(expr: &Expr, rules: &[u32]) -> u32 {
    match expr {
        Expr::Bytes(bytes) => bytes.len() as u32,
        Expr::Regular(regex) => regex.shortest_length(StateId::START),
        Expr::Special(_) => 1,
        Expr::Sequence(parts) => parts.iter().fold(0, |sum: u32, part| sum.saturating_add(cost(part, rules))),
        Expr::Choice(parts) => parts.iter().map(|part| cost(part, rules)).min().unwrap_or(u32::MAX),
        Expr::Repeat { min: 0, .. } => 0,
        Expr::Repeat { body, min, .. } => cost(body, rules).saturating_mul(*min),
        Expr::Rule(rule) => rules[rule.index()],
    }
}

struct Sampler<'g> {
    grammar: &'g PlainGrammar,
    costs: Vec<u32>,
    seed: u64,
    text: Vec<u8>,
    /// Choices that are still free. Then the shortest way is taken.
    left: u32,
}

impl Sampler<'_> {
    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn below(&mut self, count: usize) -> usize {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.seed ^ self.seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % count as u64) as usize
    }

    fn expr(&mut self, expr: &Expr, depth: usize) -> Option<()> {
        if depth > 200 || self.text.len() > 20_000 {
            return None;
        }
        let free = self.left > 0;
        match expr {
            Expr::Bytes(bytes) => self.text.extend(bytes),
            Expr::Regular(regex) => self.regular(regex),
            Expr::Special(_) => return None,
            Expr::Sequence(parts) => parts.iter().try_for_each(|part| self.expr(part, depth + 1))?,
            Expr::Choice(parts) => {
                self.left = self.left.saturating_sub(1);
                let living = parts.iter().filter(|part| cost(part, &self.costs) < u32::MAX);
                let living: Vec<&Expr> = living.collect();
                let shortest = living.iter().min_by_key(|part| cost(part, &self.costs)).copied();
                let chosen = if free && !living.is_empty() { Some(living[self.below(living.len())]) } else { shortest };
                self.expr(chosen?, depth + 1)?;
            }
            Expr::Repeat { body, min, max } => {
                (0..*min).try_for_each(|_| self.expr(body, depth + 1))?;
                let mut count = *min;
                while self.left > 0 && max.is_none_or(|max| count < max) && self.below(3) > 0 {
                    if cost(body, &self.costs) == u32::MAX {
                        break;
                    }
                    self.left -= 1;
                    self.expr(body, depth + 1)?;
                    count += 1;
                }
            }
            Expr::Rule(rule) => {
                let grammar = self.grammar;
                self.expr(&grammar.rule(*rule).body, depth + 1)?;
            }
        }
        Some(())
    }

    fn regular(&mut self, regex: &Regex) {
        let mut state = StateId::START;
        for _ in 0..self.below(12) {
            if regex.matches(state) && self.below(4) == 0 {
                return;
            }
            let next: Vec<(u8, StateId)> =
                (0..=255).filter_map(|byte| Some((byte, regex.next(state, byte)?))).collect();
            if next.is_empty() {
                break;
            }
            let (byte, on) = next[self.below(next.len())];
            self.text.push(byte);
            state = on;
        }
        self.text.extend(regex.shortest(state));
    }
}
