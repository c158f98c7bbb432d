//! outlines-core: a table of all states of a regular expression's automaton and of the tokens that lead on from each,
//! made before the first mask.
//!
//! Version 0.2.14 takes a token only if it ends where the expression could end, or where no match has just ended. So it loses
//! what follows a match, as in a repeated group. Where its masks differ, that is why.

use std::sync::Arc;

use gramask_grammar::{Plain, Vocabulary};
use outlines_core::prelude::{Index, TokenId, Vocabulary as Tokens};

use crate::peer::{Engine, Walker};

/// Characters in a regular expression at most.
const LONGEST: usize = 200_000;

pub struct Outlines {
    tokens: Tokens,
}

impl Outlines {
    pub fn new(vocabulary: &Vocabulary) -> Result<Outlines, String> {
        let mut tokens = Tokens::new(vocabulary.ends()[0]);
        for id in 0..vocabulary.len() as u32 {
            if let Some(text) = vocabulary.text(id) {
                tokens.try_insert(text.to_vec(), id).map_err(|error| error.to_string())?;
            }
        }
        Ok(Outlines { tokens })
    }
}

impl Engine for Outlines {
    fn print(&self, plain: &Plain) -> Result<String, String> {
        plain.to_regex(LONGEST).map_err(|error| error.to_string())
    }

    fn compile(&self, grammar: &str) -> Result<Box<dyn Walker>, String> {
        let index = Index::new(grammar, &self.tokens).map_err(|error| {
            let words = error.to_string();
            words.chars().take(120).collect::<String>()
        })?;
        let state = index.initial_state();
        Ok(Box::new(At { index: Arc::new(index), state, allowed: Vec::new() }))
    }
}

struct At {
    index: Arc<Index>,
    state: u32,
    allowed: Vec<TokenId>,
}

impl Walker for At {
    fn reset(&mut self) {
        self.state = self.index.initial_state();
    }

    fn mask(&mut self) -> Result<(), String> {
        self.allowed = self.index.allowed_tokens(&self.state).unwrap_or_default();
        Ok(())
    }

    fn row(&self, row: &mut [u32]) {
        for &id in &self.allowed {
            row[id as usize / 32] |= 1 << (id % 32);
        }
    }

    fn advance(&mut self, token: u32) -> bool {
        match self.index.next_state(&self.state, &token) {
            Some(state) => {
                self.state = state;
                true
            }
            None => false,
        }
    }
}
