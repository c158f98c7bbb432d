//! What the fuzzer's bytes mean.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use gramask_grammar::{Format, Program};
use gramask_ner::{Entity, Fragment, Schema, Text};

/// Between parts; stands in no UTF-8 text.
const BETWEEN: u8 = 0xff;

/// Labels that begin alike, and that begin a format's own text.
const SCHEMAS: [&[&str]; 4] = [&["X"], &["X", "Y"], &["A", "AB", "B"], &["Gene", "Gene_or_protein", "O", "Disease"]];

/// The choices: one byte each, and 0 once they are used up.
pub struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    /// The next byte.
    pub fn byte(&mut self) -> usize {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                usize::from(byte)
            }
            None => 0,
        }
    }

    /// Below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.byte() % limit
    }
}

/// Choices and two more parts; a part that is not there is empty, and more are ignored.
pub fn parts(data: &[u8]) -> (Choices<'_>, &[u8], &[u8]) {
    let mut parts = data.split(|&byte| byte == BETWEEN);
    let mut part = || parts.next().unwrap_or_default();
    (Choices(part()), part(), part())
}

/// A document of at most `limit` characters; what is not UTF-8 becomes U+FFFD.
pub fn document(part: &[u8], limit: usize) -> Text {
    Text::new(String::from_utf8_lossy(part).chars().take(limit).collect::<String>())
}

/// Programs by the numbers of their format and schema.
type Kept = HashMap<(usize, usize), Arc<Program>>;

/// A built-in format, compiled for a schema: for its first label where it takes one a pass. Kept, so that a run spends
/// its time on documents.
pub fn program(choices: &mut Choices<'_>) -> Arc<Program> {
    static KEPT: Mutex<Option<Kept>> = Mutex::new(None);
    let names: Vec<&str> = Format::builtin().collect();
    let key = (choices.below(names.len()), choices.below(SCHEMAS.len()));
    let mut kept = KEPT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let program = kept.get_or_insert_default().entry(key).or_insert_with(|| {
        let format = Format::named(names[key.0]).expect("a built-in format");
        let labels = match format.grammar.directives.pass_label {
            true => &SCHEMAS[key.1][..1],
            false => SCHEMAS[key.1],
        };
        Program::compile(&format, &Schema::new(labels.iter().copied())).expect("plain labels fit every format")
    });
    Arc::clone(program)
}

/// At most eight entities, each one to three stretches of words; now and then one that no format can say.
pub fn entities(choices: &mut Choices<'_>, text: &Text, schema: &Schema) -> Vec<Entity> {
    let number = choices.below(9);
    (0..number).filter_map(|_| entity(choices, text, schema)).collect()
}

fn entity(choices: &mut Choices<'_>, text: &Text, schema: &Schema) -> Option<Entity> {
    let words = text.words();
    let label = choices.byte();
    let mut at = choices.below(words.len().max(1));
    let number = choices.byte();
    let mut fragments = Vec::new();
    // Mostly one fragment.
    for _ in 0..(number % 6).saturating_sub(2).max(1) {
        let shape = choices.byte();
        let first = at + if fragments.is_empty() { 0 } else { shape / 16 % 4 };
        let after = (first + 1 + shape % 4).min(words.len());
        let (start, end) = (words.get(first)?, words.get(after.checked_sub(1)?)?);
        fragments.push(Fragment::new(start.start, end.end));
        at = after;
        if at >= words.len() {
            break;
        }
    }
    if number >= 250 {
        fragments[0].end += 1;
    }
    fragments.retain(|fragment| fragment.start < fragment.end);
    let label = match label {
        255 => "Unheard",
        _ => schema.labels()[label % schema.len()].as_str(),
    };
    (!fragments.is_empty()).then(|| Entity::discontinuous(label, fragments))
}
