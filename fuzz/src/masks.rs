//! Any document, level, vocabulary and budget, and a model that wants anything: the mask is exact, never empty before
//! the end, and within the budget the output is complete.

use std::sync::Arc;

use gramask_grammar::{Constraint, ConstraintError, Level, Program, Token, Vocabulary};
use gramask_ner::Text;

use super::input::{self, Choices};

/// The longest document, and the most tokens beside the single bytes.
const LONGEST: usize = 60;
const TOKENS: usize = 40;
/// The longest token.
const TOKEN: usize = 12;

/// Decodes with the choices as the model, and then another document with the same vocabulary, since constraints of one
/// vocabulary share what does not depend on the document.
pub fn masks(data: &[u8]) {
    let (mut choices, document, tokens) = input::parts(data);
    let program = input::program(&mut choices);
    let level = [Level::Grounded, Level::Syntax][choices.below(2)];
    let kind = choices.byte();
    let more = choices.below(41);
    let vocabulary = vocabulary(kind, tokens);
    let text = input::document(document, LONGEST);
    let rest = Text::new(text.as_str().chars().skip(2).collect::<String>());
    for text in [text, rest] {
        decode(&program, &text, level, &vocabulary, more, &mut choices);
    }
}

/// Decodes one document with `more` tokens than the least.
fn decode(
    program: &Arc<Program>,
    text: &Text,
    level: Level,
    vocabulary: &Arc<Vocabulary>,
    more: usize,
    choices: &mut Choices<'_>,
) {
    let name = format!("{} {level}", program.format().name);
    let mut constraint = match Constraint::new(Arc::clone(program), text, level, Arc::clone(vocabulary)) {
        Ok(constraint) => constraint,
        Err(ConstraintError::Byte { byte, .. }) => {
            return assert_eq!(vocabulary.longest_match(&[byte]), None, "{name}: the byte has a token");
        }
        Err(_) => return,
    };
    let mut state = constraint.start();
    let needed = constraint.tokens_to_finish(state);
    let budget = needed + more;
    let mut output = Vec::new();
    let mut left = budget;
    while state != Constraint::ENDED {
        let shown = || format!("{name} after `{}`, {left} of {budget} tokens left", output.escape_ascii());
        assert!(left > 0, "{}", shown());
        let mask = constraint.mask(state).to_vec();
        let within = constraint.mask_within(state, left).to_vec();
        let mut allowed = Vec::new();
        for token in 0..vocabulary.words() as u32 * 32 {
            let is_in = |mask: &[u32]| mask[token as usize / 32] >> (token % 32) & 1 == 1;
            let next = constraint.advance(state, token);
            assert_eq!(next.is_some(), is_in(&mask), "{}: token {token} of the mask", shown());
            assert!(!is_in(&within) || is_in(&mask), "{}: token {token} within the budget only", shown());
            if is_in(&within) {
                allowed.push(token);
                // The rule of the budget: what follows the token fits.
                let after = next.filter(|next| *next != Constraint::ENDED);
                let after = after.map_or(0, |next| constraint.tokens_to_finish(next));
                assert!(after < left, "{}: after token {token} {after} are needed", shown());
            }
        }
        assert!(!allowed.is_empty(), "{}: nothing may follow", shown());
        let token = allowed[(choices.byte() * 256 + choices.byte()) % allowed.len()];
        output.extend_from_slice(vocabulary.text(token).unwrap_or_default());
        state = constraint.advance(state, token).expect("the mask allows it");
        left -= 1;
    }
    assert!(constraint.mask(state).iter().all(|word| *word == 0), "{name}: something follows the end");
    let reading = program.read(text, &output);
    let reading = reading.unwrap_or_else(|error| panic!("{name}: `{}`: {error}", output.escape_ascii()));
    if level == Level::Grounded {
        assert_eq!(reading.problems, [], "{name}: `{}`", output.escape_ascii());
    }
}

/// Every byte (or only those of the tokens), the tokens, some of them twice or special, and one or two ends.
fn vocabulary(kind: usize, part: &[u8]) -> Arc<Vocabulary> {
    let pieces: Vec<&[u8]> =
        part.split(|&byte| byte == 0xfe).take(TOKENS).map(|piece| &piece[..piece.len().min(TOKEN)]).collect();
    let every_byte = kind % 8 != 7;
    let mut tokens: Vec<Token> = (0..=255u8)
        .filter(|byte| every_byte || pieces.iter().any(|piece| piece.contains(byte)))
        .map(|byte| Token::new([byte]))
        .collect();
    tokens.extend(pieces.iter().map(|piece| Token::new(*piece)));
    if kind & 8 != 0 {
        tokens.extend(pieces.iter().rev().map(|piece| Token::new(*piece)));
    }
    tokens.extend([Token::special("["), Token::special("a"), Token::new(""), Token::new("]")]);
    let size = tokens.len() as u32;
    // The token `]` is the second end: an end token writes nothing, whatever it spells.
    let ends = if kind & 16 != 0 { vec![size - 3, size - 1] } else { vec![size - 3] };
    Vocabulary::new(tokens, ends).expect("there is an end")
}
