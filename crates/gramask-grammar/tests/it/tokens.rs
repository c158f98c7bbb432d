//! Vocabularies with unusual tokens: across borders, half a character, twice the same, special, empty; several end tokens.

use std::sync::Arc;

use gramask_grammar::{Constraint, Level, State, Token, Vocabulary};
use gramask_ner::Text;

use crate::cases::masks::Masks;
use crate::support::walk::allowed;

fn constraint(format: &str, document: &str, level: Level, vocabulary: &Arc<Vocabulary>) -> Constraint {
    let program = Masks::load().program(format);
    Constraint::new(program, &Text::new(document), level, Arc::clone(vocabulary)).unwrap()
}

/// The state after a text, byte by byte.
fn after(constraint: &mut Constraint, text: impl AsRef<[u8]>) -> State {
    let (start, text) = (constraint.start(), text.as_ref());
    let state = constraint.advance_bytes(start, text);
    state.unwrap_or_else(|| panic!("`{}` is of the format", text.escape_ascii()))
}

/// No token writes `Y` alone, so that some states can't be left: a mask alone leads into them, one for a budget never.
#[test]
fn where_bytes_have_no_token_the_budget_keeps_out() {
    let file = Masks::load();
    let vocabulary = file.vocabulary();
    for source in ["brackets", "words", "lists"] {
        let mut constraint = constraint(source, &file.document, Level::Grounded, &vocabulary);
        let least = {
            let start = constraint.start();
            constraint.tokens_to_finish(start)
        };
        // Every way within the budget, to the end.
        let mut open = vec![(constraint.start(), least + 4)];
        let mut ends = 0;
        while let Some((state, left)) = open.pop() {
            let tokens = allowed(constraint.mask_within(state, left));
            assert!(!tokens.is_empty(), "{source}: an empty mask with {left} left");
            for id in tokens {
                match constraint.advance(state, id).unwrap() {
                    Constraint::ENDED => ends += 1,
                    next => open.push((next, left - 1)),
                }
            }
        }
        assert!(ends > 10, "{ends} outputs");
    }
    let mut constraint = constraint("lists", &file.document, Level::Grounded, &vocabulary);
    let state = after(&mut constraint, "[ab]X|[ab]");
    let names = |mask: &[u32]| allowed(mask).iter().map(|id| file.name(*id)).collect::<Vec<_>>();
    assert_eq!(names(constraint.mask_within(state, 1000)), ["XY"]);
    let stuck = after(&mut constraint, "[ab]X|[ab]X");
    assert_eq!(constraint.tokens_to_finish(stuck), usize::MAX);
}

/// All 256 bytes, then these, then an end.
fn bytes_and(more: &[&[u8]]) -> Arc<Vocabulary> {
    let mut tokens: Vec<Token> = (0..=255u8).map(|byte| Token::new([byte])).collect();
    tokens.extend(more.iter().map(|bytes| Token::new(*bytes)));
    tokens.push(Token::special("<end>"));
    let end = tokens.len() as u32 - 1;
    Vocabulary::new(tokens, vec![end]).unwrap()
}

#[test]
fn half_a_character_of_the_document() {
    // é is c3 a9, µ is c2 b5; the last token holds the end of one and the beginning of the other.
    let vocabulary = bytes_and(&[b"\xa9 ", b"\xc3\xa9", b"\xb5", b"\xa9 \xc2", b"[\xc3", b"\xa9 | "]);
    let mut constraint = constraint("brackets", "é µ", Level::Grounded, &vocabulary);
    let mut at = |text: &[u8]| {
        let state = after(&mut constraint, text);
        (allowed(constraint.mask(state)), constraint.accepts(state))
    };
    assert_eq!(at(b""), (vec![u32::from(b'['), 0xc3, 257, 260], false));
    assert_eq!(at(b"\xc3"), (vec![0xa9, 256, 259], false));
    assert_eq!(at(b"[\xc3"), (vec![0xa9, 256, 259, 261], false));
    assert_eq!(at(b"\xc3\xa9 \xc2"), (vec![0xb5, 258], false));
    assert_eq!(at(b"\xc3\xa9 \xc2\xb5"), (vec![262], true));
}

#[test]
fn free_text_is_utf8() {
    // A beginning and an end of characters, an overlong one, half a surrogate, one beyond the last.
    let vocabulary =
        bytes_and(&[b"a\xc3", b"\xa9b", b"\xc0\x80", b"\xed\xa0", b"\xf4\x90", b"\xf0\x9f\x98", b"\xed\x9f"]);
    let mut constraint = constraint("lists", "ab a", Level::Syntax, &vocabulary);
    let mut at = |text: &[u8]| {
        let state = after(&mut constraint, text);
        allowed(constraint.mask(state))
    };
    let free = at(b"[");
    for (id, expected) in [(0x80, false), (0xc1, false), (0xc3, true), (0xf5, false), (0xff, false), (256, true)] {
        assert_eq!(free.contains(&id), expected, "token {id}");
    }
    assert_eq!(free[free.iter().position(|id| *id > 255).unwrap()..], [256, 261, 262]);
    // After half a character only its other half follows, not the delimiter, and no end.
    let half = at(b"[a\xc3");
    assert_eq!(half, (0x80..0xc0).chain([257]).collect::<Vec<u32>>());
    assert!(!at(b"[a\xc3\xa9").contains(&0x80));
    assert_eq!(at(b"[\xed"), (0x80..0xa0).collect::<Vec<u32>>());
    assert_eq!(at(b"[\xf4"), (0x80..0x90).collect::<Vec<u32>>());
    assert_eq!(at(b"[\xe0"), (0xa0..0xc0).collect::<Vec<u32>>());
}

/// As in vocabularies that fall back to bytes: a token per byte that no text needs, beside those that hold text.
#[test]
fn byte_fallback_is_another_way_to_write() {
    // Ids 0 to 2 are special, 3 to 258 the bytes, then text; as in Llama 2.
    let mut tokens = vec![Token::special("<unk>"), Token::special("<s>"), Token::special("</s>")];
    tokens.extend((0..=255u8).map(|byte| Token::new([byte])));
    let text = ["a", "b", " ", "[", "]", "|", "X", "Y", "ab", "é"];
    tokens.extend(text.map(Token::new));
    let vocabulary = Vocabulary::new(tokens, vec![2]).unwrap();
    for (source, level) in [("brackets", Level::Grounded), ("lists", Level::Grounded), ("lists", Level::Syntax)] {
        let mut constraint = constraint(source, "ab a", level, &vocabulary);
        let mut state = constraint.start();
        let mut left = 24;
        while state != Constraint::ENDED {
            let mask = allowed(constraint.mask(state));
            for (number, text) in (259..).zip(&text[..8]) {
                let byte = u32::from(text.as_bytes()[0]) + 3;
                assert_eq!(mask.contains(&number), mask.contains(&byte), "`{text}`");
                if mask.contains(&byte) {
                    assert_eq!(constraint.advance(state, byte), constraint.advance(state, number), "`{text}`");
                }
            }
            let first = |byte: u8| mask.contains(&(u32::from(byte) + 3));
            assert!(first(0xc3) == (level == Level::Syntax && mask.contains(&268)), "é and its first byte");
            // Always by bytes: the output is the same.
            let within = allowed(constraint.mask_within(state, left));
            let token = *within.iter().rev().find(|id| **id < 259).expect("bytes suffice");
            state = constraint.advance(state, token).unwrap();
            left -= 1;
        }
    }
}

#[test]
fn several_end_tokens_end_alike() {
    let mut tokens: Vec<Token> = (0..=255u8).map(|byte| Token::new([byte])).collect();
    // Two that are special, one that spells a bracket, one that is empty.
    tokens.extend([Token::special("<end>"), Token::special("<turn>"), Token::new("["), Token::new("")]);
    let ends = [256, 257, 258, 259];
    let vocabulary = Vocabulary::new(tokens, ends.to_vec()).unwrap();
    let mut constraint = constraint("lists", "ab a", Level::Grounded, &vocabulary);
    for (text, complete) in [("", true), ("[", false), ("[ab]X", true), ("[ab]X|", false), ("[a]XY", true)] {
        let state = after(&mut constraint, text);
        assert_eq!(constraint.accepts(state), complete, "`{text}`");
        let mask = allowed(constraint.mask(state));
        let within = allowed(constraint.mask_within(state, 30));
        for end in ends {
            assert_eq!(mask.contains(&end), complete, "`{text}` {end}");
            assert_eq!(within.contains(&end), complete, "`{text}` {end}");
            assert_eq!(constraint.advance(state, end), complete.then_some(Constraint::ENDED), "`{text}` {end}");
        }
    }
    // With one token left there is only the end, and after it nothing.
    let state = after(&mut constraint, "[ab]X");
    assert_eq!(allowed(constraint.mask_within(state, 1)), ends);
    assert!(allowed(constraint.mask(Constraint::ENDED)).is_empty());
    assert!(allowed(constraint.mask_within(Constraint::ENDED, 9)).is_empty());
    assert!((0..260).all(|token| constraint.advance(Constraint::ENDED, token).is_none()));
}

#[test]
fn special_and_empty_tokens_never_follow() {
    let mut tokens: Vec<Token> = (0..=255u8).map(|byte| Token::new([byte])).collect();
    let first = tokens.len() as u32;
    tokens.extend(["[", "a", "ab", "[ab]X", "]"].map(Token::special));
    tokens.extend([Token::new(""), Token::special(""), Token::special("<end>")]);
    let end = tokens.len() as u32 - 1;
    let vocabulary = Vocabulary::new(tokens, vec![end]).unwrap();
    for level in [Level::Syntax, Level::Grounded] {
        let mut constraint = constraint("lists", "ab a", level, &vocabulary);
        for text in ["", "[", "[a", "[ab]", "[ab]X"] {
            let state = after(&mut constraint, text);
            let (mask, within) = (allowed(constraint.mask(state)), allowed(constraint.mask_within(state, 50)));
            for token in first..end {
                assert!(!mask.contains(&token) && !within.contains(&token), "{level} `{text}` {token}");
                assert_eq!(constraint.advance(state, token), None, "{level} `{text}` {token}");
            }
            assert!(mask.iter().chain(&within).all(|id| *id <= end), "no token beyond the last");
            // Ids that models pad their logits with.
            assert_eq!(constraint.advance(state, end + 1), None);
            assert_eq!(constraint.advance(state, u32::MAX), None);
        }
    }
}

#[test]
fn equal_tokens_are_equal() {
    let vocabulary = bytes_and(&[b"ab", b"[ab", b"ab", b"]X", b"[ab", b"]X", b"ab", b"a"]);
    let mut constraint = constraint("lists", "ab a", Level::Grounded, &vocabulary);
    let mut at = |text: &str| {
        let state = after(&mut constraint, text);
        allowed(constraint.mask(state))
    };
    assert_eq!(at(""), [u32::from(b'['), 257, 260, 264]);
    assert_eq!(at("["), [u32::from(b'a'), 256, 258, 262, 263]);
    assert_eq!(at("[ab"), [u32::from(b' '), u32::from(b']'), 259, 261]);
    let state = after(&mut constraint, "[");
    let next = constraint.advance(state, 256);
    assert!(next.is_some());
    assert_eq!((constraint.advance(state, 258), constraint.advance(state, 262)), (next, next));
}
