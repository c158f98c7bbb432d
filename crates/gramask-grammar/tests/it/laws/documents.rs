//! Generated documents: hostile text, and entities of every shape.

use gramask_ner::{Entity, Fragment, Text};
use proptest::prelude::*;

/// What texts are made of: plain words, and all that some format could stumble over.
#[rustfmt::skip]
const PIECES: [&str; 94] = [
    "a", "a", "b", "ab", "the", "IL-2", "naloxone", " ", " ", " ", " ", " ", "  ", "\n", "\t", "\r", "\u{a0}", "\u{3000}",
    "\"", "'", "\\", "\\\"", "\\n", "\\u0041", "[", "]", "|", " | ", "{", "}", "<", ">", "</", "<X>", "</X>", "<Y:", "&", "&amp;", "&#13;",
    "(O)", "(B-", "(I-X)", "O", "B-X", ")", ": ", ":", ", ", "\", \"", "\",\"", "\"}", "\"]", "/", "@", "@@", "#", "##", "=", ";", "-", "_",
    "0", "7", "12", "😀", "👩‍👩‍👧", "e\u{301}", "\u{301}", "\u{200b}", "א", "שלום", "م", "µ", "é", "\u{1}", "\u{7f}",
    "\0", "\u{85}", "\u{2028}", "\u{feff}", "\u{fffe}", "`", "*", "~", "\\|", "&#10;", "\t", "\\t", "() ", "(", "- ", "---", "https://a_b.c", "\r\n",
];

/// The schemas: one label, several, labels that begin alike, and one per `@each`.
pub const SCHEMAS: [&[&str]; 4] =
    [&["X"], &["X", "Y"], &["A", "AB", "B"], &["Gene", "Gene_or_protein", "X", "Disease"]];

/// How many cases a test tries; `LAWS=20` tries twenty times as many.
pub fn cases(number: u32) -> u32 {
    let times = std::env::var("LAWS").ok().and_then(|times| times.parse().ok());
    number * times.unwrap_or(1)
}

/// A document with entities and a schema.
#[derive(Clone, Debug)]
pub struct Case {
    pub text: Text,
    pub labels: &'static [&'static str],
    pub entities: Vec<Entity>,
    /// For whatever else is random.
    pub seed: u64,
}

/// An entity before the text is known: a label, a first word, further fragments as (distance, length), and a lapse.
type Shape = (usize, usize, Vec<(usize, usize)>, usize);

/// Cases with at most so many pieces of text and entities.
pub fn case(pieces: usize, entities: usize) -> impl Strategy<Value = Case> {
    let text = prop_oneof![
        1 => Just(String::new()),
        1 => prop::sample::select(vec![" ", "\n", "a", "\"", "\u{301}", "😀", "\u{a0} "]).prop_map(str::to_owned),
        18 => prop::collection::vec(prop::sample::select(&PIECES[..]), 1..=pieces).prop_map(|pieces| pieces.concat()),
        4 => prop::collection::vec(prop::sample::select(&["a", "b", "a b", "-"][..]), 1..=pieces).prop_map(|words| words.join(" ")),
    ];
    let fragments = prop_oneof![3 => prop::collection::vec((0usize..3, 1usize..4), 1), 1 => prop::collection::vec((0usize..3, 1usize..3), 1..=3)];
    let shapes = prop::collection::vec((0usize..8, 0usize..64, fragments, 0usize..40), 0..=entities);
    (text, prop::sample::select(&SCHEMAS[..]), shapes, any::<u64>()).prop_map(|(text, labels, shapes, seed)| {
        let text = Text::new(text);
        let mut entities: Vec<Entity> = shapes.iter().filter_map(|shape| entity(&text, labels, shape)).collect();
        // The same one twice, now and then.
        if seed % 8 == 0 {
            entities.extend(entities.first().cloned());
        }
        Case { text, labels, entities, seed }
    })
}

fn entity(text: &Text, labels: &[&str], (label, first, fragments, lapse): &Shape) -> Option<Entity> {
    let words = text.words();
    let mut at = first % words.len().max(1);
    let mut found = Vec::new();
    for (distance, length) in fragments {
        let begin = if found.is_empty() { at } else { at + distance };
        let end = (begin + length).min(words.len());
        let (start, end_word) = (words.get(begin)?, words.get(end.checked_sub(1)?)?);
        found.push(Fragment::new(start.start, end_word.end));
        at = end;
        if at >= words.len() {
            break;
        }
    }
    let label = labels[label % labels.len()];
    match lapse {
        0 => found[0].start += 1,
        1 => found[0].end += 1,
        2 => return Some(Entity::discontinuous("Unheard", found)),
        _ => {}
    }
    found.retain(|fragment| fragment.start < fragment.end);
    (!found.is_empty()).then(|| Entity::discontinuous(label, found))
}
