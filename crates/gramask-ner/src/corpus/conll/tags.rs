//! Tag schemes, and the mentions that tags stand for.
//!
//! | scheme | mention of one word | of three words | directly after a mention of the same label |
//! |---|---|---|---|
//! | IOB2 | `B` | `B I I` | `B` |
//! | IOB1 | `I` | `I I I` | `B` |
//! | BIOES | `S` | `B I E` | `B` or `S` |
//! | BILOU | `U` | `B I L` | `B` or `U` |

use std::ops::Range;

use super::super::collect::{Collector, Place};
use super::super::{ProblemKind, ReadError};
use super::table::{Item, Table};

/// The letter of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letter {
    Outside,
    Begin,
    Inside,
    /// `E`, the last word in BIOES.
    End,
    /// `S`, the only word in BIOES.
    Single,
    /// `L`, the last word in BILOU.
    Last,
    /// `U`, the only word in BILOU.
    Unit,
}

impl Letter {
    pub const BIOES: &'static [Letter] = &[Letter::Begin, Letter::Inside, Letter::End, Letter::Single];
    pub const BILOU: &'static [Letter] = &[Letter::Begin, Letter::Inside, Letter::Last, Letter::Unit];

    /// Whether it ends a mention.
    pub fn is_closing(self) -> bool {
        matches!(self, Letter::End | Letter::Single | Letter::Last | Letter::Unit)
    }

    /// Whether it occurs in BILOU and not in BIOES.
    pub fn is_bilou(self) -> bool {
        matches!(self, Letter::Last | Letter::Unit)
    }

    fn as_char(self) -> char {
        match self {
            Letter::Outside => 'O',
            Letter::Begin => 'B',
            Letter::Inside => 'I',
            Letter::End => 'E',
            Letter::Single => 'S',
            Letter::Last => 'L',
            Letter::Unit => 'U',
        }
    }
}

/// A tag: `O`, or a letter with a label, which is empty in bare tags (`B`, `I`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    pub letter: Letter,
    pub label: &'a str,
}

impl<'a> Tag<'a> {
    pub fn parse(tag: &'a str) -> Option<Self> {
        let (letter, label) = match tag.split_once('-') {
            Some((_, "")) => return None,
            Some((letter, label)) => (letter, label),
            None => (tag, ""),
        };
        let letter = match letter {
            "O" if label.is_empty() => Letter::Outside,
            "B" => Letter::Begin,
            "I" => Letter::Inside,
            "E" => Letter::End,
            "S" => Letter::Single,
            "L" => Letter::Last,
            "U" => Letter::Unit,
            _ => return None,
        };
        Some(Tag { letter, label })
    }

    fn written(self) -> String {
        if self.label.is_empty() {
            self.letter.as_char().to_string()
        } else {
            format!("{}-{}", self.letter.as_char(), self.label)
        }
    }
}

/// How tags stand for mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Every mention begins with `B`.
    Iob2,
    /// A mention begins with `B` only directly after a mention of the same label.
    Iob1,
    /// Every mention has an end tag, of this letter where it has several words (BIOES, BILOU).
    Closed(Letter),
}

impl Scheme {
    /// The scheme of a file.
    ///
    /// Any end tag makes it BIOES or BILOU. It is IOB1 if some mention begins with `I`, and each `B` directly follows
    /// a mention of its label. Everything else is IOB2.
    pub fn of(table: &Table<'_>, tags: &[Option<Tag<'_>>]) -> Scheme {
        if let Some(tag) = tags.iter().flatten().find(|tag| tag.letter.is_closing()) {
            return Scheme::Closed(if tag.letter.is_bilou() { Letter::Last } else { Letter::End });
        }
        let (mut begins_inside, mut begins_fresh) = (false, false);
        let mut previous: Option<&str> = None;
        let mut tags = tags.iter();
        for item in &table.items {
            let tag = match item {
                Item::Row(_) => tags.next().copied().flatten(),
                Item::Break | Item::Document(_) => None,
            };
            let tag = tag.filter(|tag| tag.letter != Letter::Outside);
            if let Some(tag) = tag {
                let follows = previous == Some(tag.label);
                begins_inside |= tag.letter == Letter::Inside && !follows;
                begins_fresh |= tag.letter == Letter::Begin && !follows;
            }
            previous = tag.map(|tag| tag.label);
        }
        if begins_inside && !begins_fresh { Scheme::Iob1 } else { Scheme::Iob2 }
    }
}

/// The mentions of a sentence under construction.
pub(super) struct Mentions<'a> {
    scheme: Scheme,
    found: Vec<(&'a str, Range<usize>)>,
    /// The first tag of the last mention, where the next word may continue it.
    open: Option<Tag<'a>>,
}

impl<'a> Mentions<'a> {
    pub fn new(scheme: Scheme) -> Self {
        Mentions { scheme, found: Vec::new(), open: None }
    }

    /// Takes the tag of word number `word`.
    pub fn push(
        &mut self,
        place: Place<'_>,
        tag: Tag<'a>,
        word: usize,
        out: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        let continues = self.open.is_some_and(|open| open.label == tag.label);
        match tag.letter {
            Letter::Inside | Letter::End | Letter::Last if continues => {
                if let Some((_, words)) = self.found.last_mut() {
                    words.end = word + 1;
                }
            }
            Letter::Outside => self.close(place, out)?,
            letter => {
                self.close(place, out)?;
                let stray = match letter {
                    Letter::Inside => self.scheme != Scheme::Iob1,
                    Letter::End | Letter::Last => true,
                    _ => false,
                };
                if stray {
                    out.problem(place, ProblemKind::StrayInside { tag: tag.written() })?;
                }
                self.found.push((tag.label, word..word + 1));
                self.open = Some(tag);
            }
        }
        if tag.letter.is_closing() {
            self.open = None;
        }
        Ok(())
    }

    /// Ends the open mention, at a word that does not belong to it or at the end of the sentence.
    pub fn close(&mut self, place: Place<'_>, out: &mut Collector<'_>) -> Result<(), ReadError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let Scheme::Closed(end) = self.scheme else { return Ok(()) };
        let expected = Tag { letter: end, label: open.label }.written();
        out.problem(place, ProblemKind::Unclosed { tag: open.written(), expected })
    }

    /// A row was left out: no mention goes on over it.
    pub fn interrupt(&mut self) {
        self.open = None;
    }

    /// The mentions: labels, and numbers of words.
    pub fn found(&self) -> &[(&'a str, Range<usize>)] {
        &self.found
    }
}
