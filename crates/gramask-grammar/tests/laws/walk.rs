//! Vocabularies and walks drawn at random.

use std::sync::Arc;

use gramask_grammar::{Constraint, State, Token, Vocabulary};

/// Numbers that look random (SplitMix64; Steele, Lea and Flood 2014).
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Every byte, and pieces of `sources` cut anywhere: through characters, across what a format keeps apart.
pub fn vocabulary(dice: &mut Dice, sources: &[&[u8]], pieces: usize) -> Arc<Vocabulary> {
    let mut tokens: Vec<Token> = (0..=255u8).map(|byte| Token::new([byte])).collect();
    for _ in 0..pieces {
        let source = *dice.pick(sources);
        if source.len() < 2 {
            continue;
        }
        let begin = dice.below(source.len() - 1);
        let length = 2 + dice.below(7);
        tokens.push(Token::new(&source[begin..source.len().min(begin + length)]));
    }
    // A special token that spells what an output may hold, one that writes nothing, and two ways to end.
    tokens.extend([Token::special("["), Token::new(""), Token::special("<end>"), Token::special("<stop>")]);
    let size = tokens.len() as u32;
    Vocabulary::new(tokens, vec![size - 2, size - 1]).unwrap()
}

/// The tokens of a mask.
pub fn allowed(mask: &[u32]) -> Vec<u32> {
    let bits = |(word, bits): (usize, &u32)| {
        let bits = *bits;
        (0..32).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word as u32 * 32 + bit)
    };
    mask.iter().enumerate().flat_map(bits).collect()
}

/// Draws a token: now and then the end if it is there, else any, the long ones more often than their share.
pub fn draw(dice: &mut Dice, vocabulary: &Vocabulary, allowed: &[u32]) -> u32 {
    let mut best = *dice.pick(allowed);
    for _ in 0..2 {
        let other = *dice.pick(allowed);
        if dice.below(3) > 0
            && vocabulary.text(other).map_or(0, <[u8]>::len) > vocabulary.text(best).map_or(0, <[u8]>::len)
        {
            best = other;
        }
    }
    best
}

/// A complete output: so many drawn tokens, then the shortest rest.
pub fn output(constraint: &mut Constraint, dice: &mut Dice, steps: usize) -> Vec<u8> {
    let vocabulary = Arc::clone(constraint.vocabulary());
    let (mut state, mut output): (State, Vec<u8>) = (constraint.start(), Vec::new());
    for _ in 0..steps {
        let tokens = allowed(constraint.mask(state));
        assert!(!tokens.is_empty(), "an empty mask behind {:?}", String::from_utf8_lossy(&output));
        let token = draw(dice, &vocabulary, &tokens);
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
