//! The passes of a document: formats with `%pass label` ask the model once per label, and one record holds all answers.

use gramask_decode::{Finish, Output, RequestError};
use gramask_ner::{Document, Schema};

use super::judge::Judged;

/// What must be known of a document before it is decoded.
pub(super) struct Prepared<'a> {
    pub document: &'a Document,
    /// One for each pass.
    pub passes: Vec<Prompted>,
}

/// The prompt of a pass and what its output may take.
pub(super) struct Prompted {
    pub prompt: Vec<u32>,
    /// The prompt's text.
    pub text: String,
    pub budget: usize,
}

impl Prepared<'_> {
    /// The name of a pass's request: the document's, and the label where there are several passes.
    pub fn request_id(&self, schema: &Schema, pass: usize) -> String {
        let id = &self.document.id;
        match schema.labels().get(pass) {
            Some(label) if self.passes.len() > 1 => format!("{id} {label}"),
            _ => id.clone(),
        }
    }

    /// The tokens of all prompts, one prompt after the other.
    pub fn prompt(&self) -> Vec<u32> {
        self.passes.iter().flat_map(|pass| &pass.prompt).copied().collect()
    }
}

/// Outcomes of a document's passes, as they come in.
pub(super) struct Gathered {
    outcomes: Vec<Option<Result<Output, RequestError>>>,
}

impl Gathered {
    pub fn new(passes: usize) -> Self {
        Gathered { outcomes: (0..passes).map(|_| None).collect() }
    }

    /// Takes the outcome of a pass. Where it was the last that was missing: the outputs of all, or the first error.
    pub fn add(
        &mut self,
        pass: usize,
        outcome: Result<Output, RequestError>,
    ) -> Option<Result<Vec<Output>, RequestError>> {
        *self.outcomes.get_mut(pass)? = Some(outcome);
        if self.outcomes.iter().any(Option::is_none) {
            return None;
        }
        Some(std::mem::take(&mut self.outcomes).into_iter().flatten().collect())
    }
}

impl Judged {
    /// What the outputs of all passes say together.
    pub fn join(passes: impl IntoIterator<Item = Judged>, schema: &Schema) -> Judged {
        let mut passes = passes.into_iter();
        let Some(mut all) = passes.next() else {
            return Judged {
                parsed: false,
                entities: Vec::new(),
                faults: Vec::new(),
                independent: None,
                repaired: None,
            };
        };
        let mut several = false;
        for judged in passes {
            several = true;
            all.parsed &= judged.parsed;
            all.entities.extend(judged.entities);
            all.faults.extend(judged.faults);
            all.independent = match (all.independent, judged.independent) {
                (Some(a), Some(b)) => Some(a && b),
                (one, other) => one.or(other),
            };
            all.repaired = match (all.repaired, judged.repaired) {
                (Some(one), Some(other)) => Some(one.and(other)),
                (one, other) => one.or(other),
            };
        }
        if several {
            schema.sort(&mut all.entities);
        }
        all
    }
}

/// Why the outputs ended: as the first that was cut off, if any was.
pub(super) fn finish(outputs: &[Output]) -> Option<Finish> {
    let cut = outputs.iter().map(|output| output.finish).find(|finish| *finish != Finish::End);
    cut.or_else(|| outputs.first().map(|output| output.finish))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::record::Repaired;
    use gramask_ner::Entity;

    #[test]
    fn passes_are_judged_together() {
        let judged = |label: &str, start, parsed, independent| Judged {
            parsed,
            entities: vec![Entity::new(label, start, start + 1)],
            faults: Vec::new(),
            independent,
            repaired: Some(Repaired {
                text: label.into(),
                edits: [("closed".to_string(), start)].into(),
                rewritten: start > 0,
            }),
        };
        let schema = Schema::new(["A", "B"]);
        let all = Judged::join([judged("A", 4, true, Some(true)), judged("B", 0, true, Some(true))], &schema);
        assert_eq!(all.entities, [Entity::new("B", 0, 1), Entity::new("A", 4, 5)]);
        assert_eq!((all.parsed, all.independent), (true, Some(true)));
        let repaired = all.repaired.unwrap();
        assert_eq!((repaired.text.as_str(), repaired.edits["closed"]), ("A\nB", 4));
        assert!(repaired.rewritten);
        let all = Judged::join([judged("A", 4, false, None), judged("B", 0, true, Some(false))], &schema);
        assert_eq!((all.parsed, all.independent), (false, Some(false)));
    }
}
