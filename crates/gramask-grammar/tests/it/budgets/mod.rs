//! Never cut off: whatever a model wants, an output that was begun with enough tokens is complete when they are used up.
//!
//! `decode` holds every built-in format, at both levels, to that at every budget from the least to 40 tokens more, with
//! models that do not want to end. `exact` walks all states of small documents and compares the number of tokens that a
//! constraint says are enough with the fewest that there are.

mod decode;
mod exact;

use std::sync::Arc;

use gramask_grammar::{Constraint, Format, Program, Token, Vocabulary};
use gramask_ner::{Entity, Schema, Text};
use gramask_random::Rng;

/// Every built-in format, compiled for these labels (the first of them where it takes one a pass).
fn programs(labels: &[&str]) -> Vec<Arc<Program>> {
    let compile = |name| {
        let format = Format::named(name).unwrap();
        let labels = if format.grammar.directives.pass_label { &labels[..1] } else { labels };
        Program::compile(&format, &Schema::new(labels.iter().copied())).unwrap()
    };
    Format::builtin().map(compile).collect()
}

/// An output with an entity at every word and one over all of them, as far as the format can say that; where it can say
/// nothing of it, the empty output.
fn sample(program: &Arc<Program>, text: &Text) -> String {
    let labels = program.schema().labels();
    let words = text.words().iter().enumerate();
    let mut entities: Vec<Entity> =
        words.map(|(number, word)| Entity::new(labels[number % labels.len()].as_str(), word.start, word.end)).collect();
    if let (Some(first), Some(last)) = (text.words().first(), text.words().last()) {
        entities.push(Entity::new(labels[0].as_str(), first.start, last.end));
    }
    program.write(text, &entities).map(|written| written.text).unwrap_or_default()
}

/// Single bytes, and so many pieces of two to seven bytes of `source`, cut anywhere; and the end.
fn vocabulary(rng: &mut Rng, bytes: impl IntoIterator<Item = u8>, source: &[u8], pieces: usize) -> Arc<Vocabulary> {
    let mut tokens: Vec<Token> = bytes.into_iter().map(|byte| Token::new([byte])).collect();
    for _ in 0..if source.len() < 2 { 0 } else { pieces } {
        let begin = rng.below(source.len() - 1);
        let end = source.len().min(begin + 2 + rng.below(6));
        tokens.push(Token::new(&source[begin..end]));
    }
    tokens.push(Token::special("<end>"));
    let end = tokens.len() as u32 - 1;
    Vocabulary::new(tokens, vec![end]).unwrap()
}

/// The tokens that are enough after a token; none after an end token.
fn enough(constraint: &mut Constraint, state: gramask_grammar::State, token: u32) -> usize {
    match constraint.advance(state, token) {
        Some(Constraint::ENDED) => 0,
        Some(next) => constraint.tokens_to_finish(next),
        None => panic!("token {token} does not lead on"),
    }
}
