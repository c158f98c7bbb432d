//! BioC: a collection of documents, which hold passages, which hold annotations; in XML or in JSON.
//!
//! ```text
//! <collection><document><id>7</id>
//!   <passage><offset>0</offset><text>Aspirin and headache.</text>
//!     <annotation id="1"><infon key="type">Chemical</infon>
//!       <location offset="0" length="7"/><text>Aspirin</text></annotation>
//!   </passage></document></collection>
//! ```
//!
//! The infon `type` is the label. Each location is a fragment. Offsets count characters from the document's beginning. Passages,
//! and the sentences of a passage, stand at their offsets. The text between two passages is read as a line break, filled up with
//! spaces, so that [`sentences`](crate::sentences) cuts there. The text between two sentences of a passage is read as spaces.
//! Relations are passed over.

pub(super) mod json;
pub(super) mod xml;

use super::ReadError;
use super::collect::{Collector, Mention, Place};
use crate::{Document, Fragment, Text};

/// The longest gap between two passages that is filled. Longer ones come from damaged offsets.
const LONGEST_GAP: usize = 100_000;

/// A document as a file states it.
#[derive(Default)]
struct Stated {
    id: String,
    stretches: Vec<Stretch>,
    annotations: Vec<Annotation>,
}

/// The text of a passage, or of a sentence of one.
#[derive(Default)]
struct Stretch {
    line: usize,
    offset: usize,
    text: String,
    /// Whether a passage begins here.
    fresh: bool,
}

/// An annotation as a file states it.
#[derive(Default)]
struct Annotation {
    line: usize,
    label: Option<String>,
    /// Offset and length of each fragment.
    locations: Vec<(usize, usize)>,
    text: Option<String>,
}

impl Stated {
    /// Gives the document to `out`, its text made of the stretches.
    fn finish(self, place: Place<'_>, out: &mut Collector<'_>) -> Result<(), ReadError> {
        let place = Place { document: Some(&self.id), ..place };
        let base = self.stretches.first().map_or(0, |stretch| stretch.offset);
        let mut string = String::new();
        let mut end = base;
        for stretch in &self.stretches {
            let place = Place { line: stretch.line, ..place };
            let Some(gap) = stretch.offset.checked_sub(end) else {
                let found =
                    format!("text at offset {}, inside the text before it, which ends at {end}", stretch.offset);
                return out.corrupt(place, found, "offsets that count characters, in ascending order");
            };
            if gap > LONGEST_GAP {
                let found = format!("text at offset {}, {gap} characters after the text before it", stretch.offset);
                return out.corrupt(place, found, format!("at most {LONGEST_GAP} characters between two passages"));
            }
            let mut filling = " ".repeat(gap);
            if stretch.fresh && gap > 0 {
                filling.replace_range(..1, "\n");
            }
            string += &filling;
            string += &stretch.text;
            end = stretch.offset + stretch.text.chars().count();
        }
        let text = Text::new(string);
        let mut entities = Vec::new();
        for annotation in &self.annotations {
            let place = Place { line: annotation.line, ..place };
            let Some(label) = &annotation.label else {
                out.corrupt(place, "an annotation without a label", "an infon with the key \"type\"")?;
                continue;
            };
            let fragment = |&(offset, length): &(usize, usize)| {
                let start = offset.checked_sub(base)?;
                Some(Fragment::new(start, start.checked_add(length)?))
            };
            let Some(fragments) = annotation.locations.iter().map(fragment).collect() else {
                out.corrupt(place, "a location before the first passage", "offsets from the document's beginning")?;
                continue;
            };
            let mention = Mention { label, fragments, annotated: annotation.text.as_deref() };
            out.mention(place, &text, mention, &mut entities)?;
        }
        out.document(place, Document { id: self.id.clone(), text, entities, offset: base })
    }
}
