//! The engine of a document, or that of a plain grammar.

use super::{Engine, Mask, State};
use crate::plain::PlainEngine;
use crate::{Level, Vocabulary};

/// What a constraint is made of.
#[allow(clippy::large_enum_variant)] // there is one for each constraint, and a box would be in the way of each mask
pub(crate) enum AnyEngine {
    Document(Engine),
    Plain(Box<PlainEngine>),
}

/// The same call of either engine.
macro_rules! either {
    ($engine:expr, $name:ident => $call:expr) => {
        match $engine {
            AnyEngine::Document($name) => $call,
            AnyEngine::Plain($name) => $call,
        }
    };
}

impl AnyEngine {
    pub fn level(&self) -> Level {
        match self {
            AnyEngine::Document(engine) => engine.level(),
            AnyEngine::Plain(_) => Level::Syntax,
        }
    }

    pub fn visited(&self) -> usize {
        either!(self, engine => engine.visited())
    }

    pub fn kept_masks(&self) -> usize {
        either!(self, engine => engine.kept_masks())
    }

    pub fn made_masks(&self) -> usize {
        either!(self, engine => engine.made_masks())
    }

    pub fn accepts(&self, state: State) -> bool {
        either!(self, engine => engine.accepts(state))
    }

    pub fn advance(&mut self, state: State, bytes: &[u8]) -> Option<State> {
        either!(self, engine => engine.advance(state, bytes))
    }

    pub fn advance_token(&mut self, state: State, token: u32, vocabulary: &Vocabulary) -> Option<State> {
        match self {
            AnyEngine::Document(engine) => engine.advance_token(state, token, vocabulary.text(token)?),
            AnyEngine::Plain(engine) => engine.advance_token(state, token, vocabulary),
        }
    }

    pub fn mask(&mut self, state: State, vocabulary: &Vocabulary) -> Mask<'_> {
        either!(self, engine => engine.mask(state, vocabulary))
    }

    pub fn walk(&mut self, state: State, vocabulary: &Vocabulary, visit: impl FnMut(&[u32], State)) {
        either!(self, engine => engine.walk(state, vocabulary, visit));
    }

    /// The bytes and special tokens of the shortest completion.
    pub fn shortest_length(&mut self, state: State) -> u32 {
        either!(self, engine => engine.shortest_length(state))
    }

    pub fn shortest_completion(&mut self, state: State) -> Vec<u8> {
        either!(self, engine => engine.shortest_completion(state))
    }

    /// The shortest completion, cut into the fewest tokens. The error is a byte that no token writes.
    pub fn shortest_tokens(&mut self, state: State, vocabulary: &Vocabulary) -> Result<Vec<u32>, u8> {
        match self {
            AnyEngine::Document(engine) => {
                let way = engine.shortest_completion(state);
                vocabulary.fewest(&way).map_err(|at| way[at])
            }
            AnyEngine::Plain(engine) => engine.shortest_tokens(state, vocabulary),
        }
    }

    pub fn forced(&mut self, state: State) -> Option<(u8, State)> {
        either!(self, engine => engine.forced(state))
    }

    pub fn followers(&mut self, state: State, visit: impl FnMut(u8, State) -> bool) -> bool {
        either!(self, engine => engine.followers(state, visit))
    }
}
