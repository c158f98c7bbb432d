//! The engine of a document, or that of a plain grammar.

use super::{Engine, Mask, State};
use crate::completions::{Completions, TextId};
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

    pub fn shortest_completion(&mut self, state: State) -> Vec<u8> {
        either!(self, engine => engine.shortest_completion(state))
    }

    /// The shortest completion, as one of [`AnyEngine::completions`]; the empty one for the dead state.
    pub fn shortest_text(&mut self, state: State) -> TextId {
        either!(self, engine => engine.shortest_text(state))
    }

    /// The completions so far.
    pub fn completions(&self) -> &Completions {
        either!(self, engine => engine.completions())
    }

    /// A token that writes a special token of a plain grammar.
    pub fn special_token(&self, special: u32) -> Option<u32> {
        match self {
            AnyEngine::Document(_) => None,
            AnyEngine::Plain(engine) => engine.special_token(special),
        }
    }

    pub fn forced(&mut self, state: State) -> Option<(u8, State)> {
        either!(self, engine => engine.forced(state))
    }

    pub fn followers(&mut self, state: State, visit: impl FnMut(u8, State) -> bool) -> bool {
        either!(self, engine => engine.followers(state, visit))
    }
}
