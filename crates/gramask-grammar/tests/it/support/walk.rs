//! Vocabularies and walks drawn at random.

use std::sync::Arc;

use gramask_grammar::{Constraint, State, Token, Vocabulary, tokens_of};
use gramask_random::Rng;

/// Every byte, and pieces of `sources` cut anywhere: through characters, across what a format keeps apart.
pub fn vocabulary(rng: &mut Rng, sources: &[&[u8]], pieces: usize) -> Arc<Vocabulary> {
    let mut tokens: Vec<Token> = (0..=255u8).map(|byte| Token::new([byte])).collect();
    for _ in 0..pieces {
        let source = *rng.pick(sources);
        if source.len() < 2 {
            continue;
        }
        let begin = rng.below(source.len() - 1);
        let length = 2 + rng.below(7);
        tokens.push(Token::new(&source[begin..source.len().min(begin + length)]));
    }
    // A special token that spells what an output may hold, one that writes nothing, and two ways to end.
    tokens.extend([Token::special("["), Token::new(""), Token::special("<end>"), Token::special("<stop>")]);
    let size = tokens.len() as u32;
    Vocabulary::new(tokens, vec![size - 2, size - 1]).unwrap()
}

/// The vocabulary of a byte-level `tokenizer.json`, and an end token.
pub fn real_vocabulary(path: &str) -> Arc<Vocabulary> {
    let mut tokens: Vec<Token> = super::tokenizers::tokens(path).into_iter().map(Token::new).collect();
    tokens.push(Token::special("<end of text>"));
    let end = tokens.len() as u32 - 1;
    Vocabulary::new(tokens, vec![end]).unwrap()
}

/// The tokens of a mask.
pub fn allowed(mask: &[u32]) -> Vec<u32> {
    tokens_of(mask).collect()
}

/// Draws a token: now and then the end if it is there, else any, the long ones more often than their share.
pub fn draw(rng: &mut Rng, vocabulary: &Vocabulary, allowed: &[u32]) -> u32 {
    let mut best = *rng.pick(allowed);
    for _ in 0..2 {
        let other = *rng.pick(allowed);
        if rng.below(3) > 0
            && vocabulary.text(other).map_or(0, <[u8]>::len) > vocabulary.text(best).map_or(0, <[u8]>::len)
        {
            best = other;
        }
    }
    best
}

/// A complete output: so many drawn tokens, then the shortest rest.
pub fn output(constraint: &mut Constraint, rng: &mut Rng, steps: usize) -> Vec<u8> {
    let vocabulary = Arc::clone(constraint.vocabulary());
    let (mut state, mut output): (State, Vec<u8>) = (constraint.start(), Vec::new());
    for _ in 0..steps {
        let tokens = allowed(constraint.mask(state));
        assert!(!tokens.is_empty(), "an empty mask after {:?}", String::from_utf8_lossy(&output));
        let token = draw(rng, &vocabulary, &tokens);
        let next = constraint.advance(state, token).expect("an allowed token leads on");
        if next == Constraint::ENDED {
            return output;
        }
        output.extend_from_slice(vocabulary.text(token).expect("an allowed token writes"));
        state = next;
    }
    output.extend(constraint.shortest_rest(state));
    output
}
