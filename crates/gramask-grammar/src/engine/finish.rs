//! How many tokens are enough to finish.
//!
//! Each state has a *plan*: its shortest completion, cut into the fewest tokens. The number of tokens is that of the plan, and
//! two things make it cheap.
//!
//! - Completions share their ends ([`Completions`]), and so do their cuts. The fewest tokens of a text are found from those of
//!   its ends, so that only the letters of a completion that are new take time.
//! - What is left of a shortest completion after some of its bytes is a shortest completion again. So a state that is reached
//!   along a plan takes the rest of that plan, without a search.
//!
//! A sequence with enough tokens can always finish, since along a plan the number falls by one with each token. For that, the
//! state after the first token of a plan gets the rest of the plan when the number is asked for, unless its own plan is
//! better.

use super::{AnyEngine, State};
use crate::Vocabulary;
use crate::completions::{Completions, Letter, TextId};

/// No way to finish in tokens.
const NEVER: u32 = u32::MAX;

/// The fewest tokens that write a text.
#[derive(Clone, Copy, Debug)]
struct Cut {
    tokens: u32,
    /// The first of them, and the text after it.
    token: u32,
    after: TextId,
}

/// How a state finishes.
#[derive(Clone, Copy, Debug)]
struct Plan {
    text: TextId,
    /// The number of tokens was asked for, so that the state after the first token has a plan that is one token shorter.
    asked: bool,
}

/// The plans of an engine's states.
#[derive(Debug, Default)]
pub(crate) struct Finish {
    /// By text.
    cuts: Vec<Cut>,
    /// By state.
    plans: Vec<Option<Plan>>,
}

impl Finish {
    /// The tokens that are enough to complete the output, without the end token; `None` if no number is. A sequence with so
    /// many tokens left can always finish.
    pub fn tokens(&mut self, engine: &mut AnyEngine, vocabulary: &Vocabulary, state: State) -> Option<usize> {
        let tokens = self.bound(engine, vocabulary, state);
        if self.plan(state).is_some_and(|plan| !plan.asked) {
            self.secure(engine, vocabulary, state);
        }
        tokens
    }

    /// The same number, where a sequence does not stand at the state yet.
    pub fn bound(&mut self, engine: &mut AnyEngine, vocabulary: &Vocabulary, state: State) -> Option<usize> {
        let plan = match self.plan(state) {
            Some(plan) => plan,
            None => {
                let text = engine.shortest_text(state);
                self.cut(engine, vocabulary, text);
                self.set(state, Plan { text, asked: false })
            }
        };
        let tokens = self.cuts[plan.text.index()].tokens;
        (tokens != NEVER).then_some(tokens as usize)
    }

    /// Gives the state after `bytes` the rest of the plan of the state before, if it goes on so. A plan that is known stays.
    pub fn follow(&mut self, engine: &AnyEngine, state: State, bytes: &[u8], next: State) {
        if let (Some(plan), None) = (self.plan(state), self.plan(next))
            && let Some(text) = engine.completions().after(plan.text, bytes)
        {
            self.set(next, Plan { text, asked: false });
        }
    }

    /// Gives the state after the first token of a plan the rest of the plan, if that is better than its own. Where it improves
    /// what was asked for before, so do the states after it.
    fn secure(&mut self, engine: &mut AnyEngine, vocabulary: &Vocabulary, mut state: State) {
        while let Some(plan) = self.plan(state) {
            self.set(state, Plan { asked: true, ..plan });
            let Cut { tokens, token, after } = self.cuts[plan.text.index()];
            if tokens == 0 || tokens == NEVER {
                return;
            }
            let Some(next) = engine.advance_token(state, token, vocabulary) else { return };
            let known = self.plan(next);
            let better = |plan: Plan| self.cuts[after.index()].tokens < self.cuts[plan.text.index()].tokens;
            if !known.is_none_or(better) {
                return;
            }
            let asked = known.is_some_and(|plan| plan.asked);
            self.set(next, Plan { text: after, asked });
            if !asked {
                return;
            }
            state = next;
        }
    }

    fn plan(&self, state: State) -> Option<Plan> {
        self.plans.get(state.index()).copied().flatten()
    }

    fn set(&mut self, state: State, plan: Plan) -> Plan {
        if self.plans.len() <= state.index() {
            self.plans.resize(state.index() + 1, None);
        }
        self.plans[state.index()] = Some(plan);
        plan
    }

    /// Cuts a text and all texts with lower numbers, among which are its ends.
    fn cut(&mut self, engine: &AnyEngine, vocabulary: &Vocabulary, text: TextId) {
        let completions = engine.completions();
        while self.cuts.len() <= text.index() {
            let cut = match completions.first(TextId::new(self.cuts.len())) {
                None => Cut { tokens: 0, token: 0, after: TextId::EMPTY },
                Some((Letter::Special(special), after)) => match engine.special_token(special) {
                    Some(token) => Cut { tokens: self.cuts[after.index()].tokens.saturating_add(1), token, after },
                    None => Cut { tokens: NEVER, token: 0, after },
                },
                Some((Letter::Byte(_), after)) => self.cut_bytes(completions, vocabulary, after),
            };
            self.cuts.push(cut);
        }
    }

    /// The cut of the next text, which begins with a byte. Of several with as few tokens the one with the longest token first.
    fn cut_bytes(&self, completions: &Completions, vocabulary: &Vocabulary, after: TextId) -> Cut {
        let mut best = Cut { tokens: NEVER, token: 0, after };
        let (mut text, mut place) = (TextId::new(self.cuts.len()), 0);
        while let Some((Letter::Byte(byte), after)) = completions.first(text)
            && let Some(kid) = vocabulary.kid(place, byte)
        {
            let rest = self.cuts[after.index()].tokens;
            if rest < best.tokens
                && let Some(&token) = vocabulary.ids_at(kid).first()
            {
                best = Cut { tokens: rest + 1, token, after };
            }
            (text, place) = (after, kid);
        }
        best
    }
}
