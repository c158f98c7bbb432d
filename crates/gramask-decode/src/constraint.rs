//! What masked decoding needs of a constraint.
//!
//! It is a trait, so that the naive matcher, the memoised matcher and the list of [`crate::mock`] go through the same loop.

use gramask_grammar::{Constraint, State};

/// Says in each state which tokens may follow. One value belongs to one document.
///
/// States are `Copy`, so that strategies can fork and go back at no cost.
pub trait TokenConstraint: Send {
    /// A place in the output.
    type State: Copy + Send;

    /// The state before the first token.
    fn start(&self) -> Self::State;

    /// The tokens that may follow: bit `i` of word `w` is token `32 w + i`. Never empty for a state that was reached through
    /// allowed tokens, unless it lies after an end token.
    fn mask(&mut self, state: Self::State) -> &[u32];

    /// Of the mask, the tokens after which the output can be finished with at most `budget - 1` further tokens. Not empty
    /// where `tokens_to_finish(state) <= budget`.
    fn mask_within(&mut self, state: Self::State, budget: usize) -> &[u32];

    /// The state after a token; `None` where it is not allowed.
    fn advance(&mut self, state: Self::State, token: u32) -> Option<Self::State>;

    /// Whether the output may end here.
    fn accepts(&self, state: Self::State) -> bool;

    /// A number of tokens that is enough to finish the output from here, the end token included.
    fn tokens_to_finish(&mut self, state: Self::State) -> usize;
}

/// A constraint that also says which bytes may follow, whatever tokens they are written in.
pub trait ByteConstraint: TokenConstraint {
    /// The bytes that may follow, each with the state after it.
    fn next_bytes(&mut self, state: Self::State) -> Vec<(u8, Self::State)>;

    /// The bytes that must follow, and the state after them. Empty where several continuations are possible.
    fn forced(&mut self, state: Self::State) -> (Vec<u8>, Self::State) {
        let (mut bytes, mut at) = (Vec::new(), state);
        while !self.accepts(at) {
            let next = self.next_bytes(at);
            let [(byte, after)] = next[..] else { break };
            bytes.push(byte);
            at = after;
        }
        (bytes, at)
    }
}

impl TokenConstraint for Constraint {
    type State = State;

    fn start(&self) -> State {
        Constraint::start(self)
    }

    fn mask(&mut self, state: State) -> &[u32] {
        Constraint::mask(self, state)
    }

    fn mask_within(&mut self, state: State, budget: usize) -> &[u32] {
        Constraint::mask_within(self, state, budget)
    }

    fn advance(&mut self, state: State, token: u32) -> Option<State> {
        Constraint::advance(self, state, token)
    }

    fn accepts(&self, state: State) -> bool {
        Constraint::accepts(self, state)
    }

    fn tokens_to_finish(&mut self, state: State) -> usize {
        Constraint::tokens_to_finish(self, state)
    }
}

impl ByteConstraint for Constraint {
    fn next_bytes(&mut self, state: State) -> Vec<(u8, State)> {
        Constraint::next_bytes(self, state)
    }

    fn forced(&mut self, state: State) -> (Vec<u8>, State) {
        Constraint::forced(self, state)
    }
}
