//! The passes of a document. Formats with `%pass label` ask the model once per label, and one record holds all answers.

use gramask_decode::{Finish, Output, Prompt, RequestError};
use gramask_ner::{Document, Schema};

/// A document with its prompts.
pub(super) struct PreparedDocument<'a> {
    pub document: &'a Document,
    /// One for each pass.
    pub passes: Vec<PreparedPass>,
}

/// The prompt of a pass, and the most tokens of its output.
pub(super) struct PreparedPass {
    pub prompt: Prompt,
    pub budget: usize,
}

impl PreparedDocument<'_> {
    /// The id of the request of a pass: the id of the document, and the label if there are several passes.
    pub fn request_id(&self, schema: &Schema, pass: usize) -> String {
        let id = &self.document.id;
        match schema.labels().get(pass) {
            Some(label) if self.passes.len() > 1 => format!("{id} {label}"),
            _ => id.clone(),
        }
    }

    /// The tokens of all prompts, one prompt after the other.
    pub fn prompt(&self) -> Vec<u32> {
        self.passes.iter().flat_map(|pass| &pass.prompt.tokens).copied().collect()
    }
}

/// The outcomes of the passes of a document that have ended.
pub(super) struct PassOutcomes {
    outcomes: Vec<Option<Result<Output, RequestError>>>,
}

impl PassOutcomes {
    pub fn new(passes: usize) -> Self {
        PassOutcomes { outcomes: (0..passes).map(|_| None).collect() }
    }

    /// Adds the outcome of a pass. After the last pass: the outputs of all passes, or the first error.
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

/// Why the outputs ended. If outputs were cut off: why the first of them was. If one was squeezed, all together were.
pub(super) fn finish(outputs: &[Output]) -> Option<Finish> {
    let all = || outputs.iter().map(|output| output.finish);
    let cut = all().find(|finish| !finish.is_complete());
    cut.or_else(|| all().find(|&finish| finish == Finish::Squeezed)).or_else(|| all().next())
}
