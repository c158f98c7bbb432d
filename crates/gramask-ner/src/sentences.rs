//! Cutting documents into sentences without ever cutting an entity.
//!
//! The rules are written by hand for scientific prose, in two steps. First every place where a sentence may end is found. That is
//! a line break (the border of title and abstract). Or it is `.`, `?` or `!`, closing marks, and white space before something
//! that can begin a sentence. Then places are removed that lie inside an entity or after an abbreviation, an initial or the full
//! stop of a spaced number (`1. 1. 49`).

use crate::{Document, Entity, Fragment, Text};

/// A full stop after these never ends a sentence.
const ALWAYS_OPEN: &[&str] = &[
    "e.g", "eg", "i.e", "ie", "vs", "cf", "viz", "approx", "ca", "resp", "dr", "prof", "mr", "mrs", "ms", "st", "fig",
    "figs", "eq", "eqs", "ref", "refs", "nos", "vol", "ed", "eds", "dept", "univ", "ser", "var", "subsp", "str", "mt",
];

/// A full stop after these ends a sentence only before a word that usually begins one.
const OFTEN_OPEN: &[&str] = &[
    "al", "etc", "inc", "co", "ltd", "corp", "sp", "spp", "u.s", "u.k", "u.s.a", "d.c", "ph.d", "m.d", "jr", "sr",
    "gen", "sect", "chap", "ann", "max", "min", "wt", "mol",
];

/// Words that usually begin a sentence.
const STARTERS: &[&str] = &[
    "A",
    "After",
    "All",
    "Although",
    "Among",
    "An",
    "And",
    "As",
    "At",
    "Background",
    "Because",
    "Both",
    "But",
    "By",
    "Conclusion",
    "Conclusions",
    "Despite",
    "Each",
    "Finally",
    "For",
    "From",
    "Furthermore",
    "Here",
    "However",
    "If",
    "In",
    "It",
    "Its",
    "Methods",
    "Moreover",
    "Most",
    "No",
    "None",
    "Objective",
    "Of",
    "On",
    "One",
    "Our",
    "Patients",
    "Previous",
    "Recent",
    "Recently",
    "Results",
    "Several",
    "Since",
    "Some",
    "Such",
    "Surprisingly",
    "That",
    "The",
    "Their",
    "Then",
    "There",
    "Therefore",
    "These",
    "They",
    "This",
    "Those",
    "Though",
    "Three",
    "Thus",
    "To",
    "Two",
    "Under",
    "Using",
    "We",
    "When",
    "Whereas",
    "Whether",
    "While",
    "With",
];

/// Cuts a document into sentences, each a document with the entities that lie in it.
///
/// A sentence's identifier is `ABSTRACT:NUMBER`, from 1; its [`offset`](Document::offset) is where its first character
/// stands in the whole document, so that a character `c` of the sentence is character `offset + c` there. Sentences
/// hold no white space at their ends and together cover all else. Every entity is kept, whole, in exactly one sentence:
/// where two sentences share an entity (a discontinuous one, say) they are not cut.
///
/// ```
/// use gramask_ner::{Document, Entity, sentences};
/// let document = Document::new("7", "Effects of vitamin C.\nWe gave 0.5 mg (i.e. little) of vitamin C. It helped.")
///     .with_entities(vec![Entity::new("Chemical", 11, 20), Entity::new("Chemical", 54, 63)]);
/// let sentences = sentences(&document);
/// assert_eq!(sentences.len(), 3);
/// assert_eq!((sentences[1].id.as_str(), sentences[1].offset), ("7:2", 22));
/// assert_eq!(sentences[1].text.as_str(), "We gave 0.5 mg (i.e. little) of vitamin C.");
/// assert_eq!(sentences[1].entities, [Entity::new("Chemical", 32, 41)]);
/// ```
pub fn sentences(document: &Document) -> Vec<Document> {
    let chars: Vec<char> = document.text.as_str().chars().collect();
    let mut cuts: Vec<usize> = borders(&chars);
    cuts.retain(|&cut| !document.entities.iter().any(|entity| entity.start() < cut && cut < entity.end()));
    cuts.push(chars.len());
    let mut found = Vec::new();
    let mut start = 0;
    for end in cuts {
        let inside = |entity: &&Entity| start <= entity.start() && entity.end() <= end && entity.start() < end;
        let entities: Vec<&Entity> = document.entities.iter().filter(inside).collect();
        if let Some(span) = trimmed(&chars, start, end, &entities) {
            let id = format!("{}:{}", document.id, found.len() + 1);
            found.push(sentence(document, id, span, &entities));
        }
        start = end;
    }
    found
}

/// The part of `start..end` without white space at its ends, but with all of its entities.
fn trimmed(chars: &[char], start: usize, end: usize, entities: &[&Entity]) -> Option<Fragment> {
    let inked = |&at: &usize| !chars[at].is_whitespace();
    let first = (start..end).find(inked);
    let last = (start..end).rfind(inked).map(|at| at + 1);
    let first = first.into_iter().chain(entities.iter().map(|entity| entity.start())).min()?;
    let last = last.into_iter().chain(entities.iter().map(|entity| entity.end())).max()?;
    Some(Fragment::new(first, last))
}

fn sentence(document: &Document, id: String, span: Fragment, entities: &[&Entity]) -> Document {
    let shift = |fragment: &Fragment| Fragment::new(fragment.start - span.start, fragment.end - span.start);
    let entities = entities
        .iter()
        .map(|entity| Entity { label: entity.label.clone(), fragments: entity.fragments.iter().map(shift).collect() })
        .collect();
    let text = Text::new(document.text.slice(span).unwrap_or_default());
    Document { id, text, entities, offset: document.offset + span.start }
}

/// The places, in characters, where the next sentence begins; ascending, without 0 and the end.
fn borders(chars: &[char]) -> Vec<usize> {
    let mut cuts = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        if chars[at] == '\n' {
            cuts.push(at + 1);
            at += 1;
        } else if matches!(chars[at], '.' | '?' | '!') {
            let mark = at;
            while at < chars.len() && matches!(chars[at], '.' | '?' | '!') {
                at += 1;
            }
            let run = at - mark;
            while at < chars.len() && is_closing(chars[at]) {
                at += 1;
            }
            let space = at;
            while at < chars.len() && chars[at].is_whitespace() && chars[at] != '\n' {
                at += 1;
            }
            let bare_stop = run == 1 && chars[mark] == '.' && space == mark + 1;
            if at > space && at < chars.len() && chars[at] != '\n' && begins(chars, at) && {
                !bare_stop || !open(chars, cuts.last().copied().unwrap_or(0), mark, at)
            } {
                cuts.push(at);
            }
        } else {
            at += 1;
        }
    }
    cuts.retain(|&cut| cut < chars.len());
    cuts
}

fn is_closing(c: char) -> bool {
    matches!(c, '"' | '\'' | ')' | ']' | '}' | '\u{201D}' | '\u{2019}' | '\u{00BB}')
}

/// Whether a sentence can begin at `at`: a capital, a digit, an opening mark, a Greek letter, or a lower-case name with
/// a digit or a capital in it (`p53`, `mRNA`).
fn begins(chars: &[char], at: usize) -> bool {
    let first = chars[at];
    if first.is_lowercase() {
        let word: String = chars[at..].iter().take_while(|c| !c.is_whitespace()).collect();
        let exponent = word.trim_start_matches(char::is_alphabetic); // `5 mg. kg-1` is one quantity
        let unit = exponent.starts_with("-1") || exponent.starts_with("(-1");
        return !first.is_ascii() || (!unit && word.contains(|c: char| c.is_numeric() || c.is_uppercase()));
    }
    let number = chars.get(at + 1).is_some_and(|c| c.is_numeric());
    first.is_alphanumeric()
        || matches!(first, '"' | '\'' | '(' | '[' | '\u{201C}' | '\u{2018}' | '\u{00AB}')
        || (number && matches!(first, '+' | '-' | '<' | '>'))
}

/// Whether the single full stop at `mark`, with white space after it and the next word at `next`, ends no sentence;
/// the current one began at `start`.
fn open(chars: &[char], start: usize, mark: usize, next: usize) -> bool {
    let token_start = (0..mark).rev().find(|&at| chars[at].is_whitespace()).map_or(0, |at| at + 1);
    let token: String = chars[token_start..mark].iter().skip_while(|c| !c.is_alphanumeric()).collect();
    let lower = token.to_lowercase();
    let word: String = chars[next..].iter().take_while(|c| c.is_alphanumeric()).collect();
    let starter = STARTERS.contains(&word.as_str());
    if ALWAYS_OPEN.contains(&lower.as_str()) {
        return true;
    }
    if OFTEN_OPEN.contains(&lower.as_str()) {
        return !starter;
    }
    if token == "No" || token == "no" {
        return chars[next].is_numeric();
    }
    // The number of a list's item (`1. We`), and a decimal that has been torn apart (`P =. 05`).
    let item = token_start <= start && token.len() <= 2 && token.chars().all(|c| c.is_ascii_digit());
    if item || (token.is_empty() && chars[next].is_ascii_digit()) {
        return true;
    }
    let digit_before = mark > 0 && chars[mark - 1].is_ascii_digit();
    if digit_before && chars[next].is_ascii_digit() {
        return true;
    }
    if token.chars().count() == 1 && token.chars().all(char::is_lowercase) {
        return !starter;
    }
    if token.chars().count() == 1 && token.chars().all(char::is_uppercase) {
        // `J. Smith`, but `vitamin C. Patients`: a name has capitals before its initial, or nothing.
        let before: Vec<char> = chars[..token_start].iter().rev().skip_while(|c| c.is_whitespace()).copied().collect();
        let word_before: Vec<char> = before.into_iter().take_while(|c| !c.is_whitespace()).collect();
        let lower_before = word_before.last().is_some_and(|c| c.is_lowercase());
        return !starter && !lower_before;
    }
    // `i.v.`, `b.i.d.`: they end a sentence before a capital word, and stand inside one before `LPS` or `5 mg`.
    if token.contains('.')
        && token.split('.').all(|part| part.chars().count() == 1 && part.chars().all(char::is_alphabetic))
    {
        let capital_word =
            word.chars().next().is_some_and(char::is_uppercase) && word.chars().skip(1).all(char::is_lowercase);
        return !(starter || (lower == token && capital_word));
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str) -> Vec<String> {
        sentences(&Document::new("d", text)).iter().map(|s| s.text.as_str().to_owned()).collect()
    }

    #[test]
    fn sentences_end_where_a_reader_would_end_them() {
        for text in [
            "One ended.|Two ended?|Three (in brackets.)|Four! Five\u{2019}s lower".replace("! ", "!|").as_str(),
            "Smith et al. (1998) gave 0.5 mg, i.e. 5. 1 units, vs. Placebo in Fig. 2 of No. 5.|It was E. coli.",
            "It was shown by Smith et al.|The dose was 5 mg i.v.|Rats died.|U.S. Food was given p.o. 5 days.",
            "We gave vitamin C.|Patients improved.|By J. Smith.|In hepatitis B.|We saw none",
            "p was lost.|p53 was not.|mRNA fell.|\u{3b1}-actin rose. and this goes on.",
            "a title\n|The abstract.",
            "Ended.. |Twice",
            "1. We began.|2. They ended (P =. 05) with 5 mg. kg-1 v. 3.|Lac-St. -Jean.|-5 was left.",
        ] {
            let expected: Vec<String> = text.split('|').map(|s| s.trim().to_owned()).collect();
            let joined = text.replace(" |", " ").replace("\n|", "\n").replace('|', " ");
            assert_eq!(cut(&joined), expected, "{joined}");
        }
    }

    #[test]
    fn an_entity_is_never_cut() {
        let text = "Deficiency of A. Then B. Then C.";
        let whole = Document::new("d", text).with_entities(vec![
            Entity::discontinuous("X", vec![Fragment::new(0, 10), Fragment::new(22, 23)]),
            Entity::new("Y", 30, 31),
        ]);
        let parts = sentences(&whole);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].entities, whole.entities[..1]);
        assert_eq!((parts[1].offset, parts[1].entities[0].start()), (25, 5));
    }

    #[test]
    fn no_text_is_no_sentence() {
        assert!(cut("").is_empty() && cut(" \n ").is_empty());
    }

    proptest! {
        #[test]
        fn all_ink_is_covered_and_all_entities_are_kept(
            text in r"([A-C]|[a-c]{1,3}|[.?!]|\. |\. |\n| |\)|5|é|e\.g|🧬){0,40}",
            spans in prop::collection::vec((0usize..60, 1usize..12, 0usize..60, 1usize..6), 0..5),
            offset in 0usize..9,
        ) {
            let mut document = Document::new("d", text);
            document.offset = offset;
            let length = document.text.len();
            for (i, (s, l, s2, l2)) in spans.into_iter().enumerate() {
                let mut fragments = vec![Fragment::new(s, s + l)];
                if s2 > s + l { fragments.push(Fragment::new(s2, s2 + l2)); }
                let entity = Entity::discontinuous(format!("L{i}"), fragments);
                if entity.end() <= length { document.entities.push(entity); }
            }
            let parts = sentences(&document);
            let mut covered = vec![false; length];
            let mut back = Vec::new();
            for (n, part) in parts.iter().enumerate() {
                prop_assert_eq!(&part.id, &format!("d:{}", n + 1));
                let at = part.offset - offset;
                let span = Fragment::new(at, at + part.text.len());
                prop_assert_eq!(document.text.slice(span), Some(part.text.as_str()));
                for c in &mut covered[span.start..span.end] {
                    prop_assert!(!*c, "two sentences share a character");
                    *c = true;
                }
                for entity in &part.entities {
                    prop_assert!(entity.end() <= part.text.len());
                    let fragments = entity.fragments.iter().map(|f| Fragment::new(f.start + at, f.end + at)).collect();
                    back.push(Entity { label: entity.label.clone(), fragments });
                }
            }
            for (c, covered) in document.text.as_str().chars().zip(covered) {
                prop_assert!(covered || c.is_whitespace());
            }
            back.sort_by(|a, b| a.label.cmp(&b.label));
            prop_assert_eq!(back, document.entities);
        }
    }
}
