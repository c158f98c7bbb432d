//! The layout of a run's cache: slots, their length, and the prefix that all prompts share.

use thiserror::Error;

/// The slots of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How many documents are decoded at once, at least 1.
    pub slots: usize,
    /// How many hypotheses each of them may follow at once, at least 1: see
    /// [`Strategy::hypotheses`](crate::Strategy::hypotheses).
    pub hypotheses: usize,
    /// How many positions each slot has, at most the model's context. Memory is allocated for all of them.
    pub length: usize,
    /// The tokens that the prompts begin with. They are computed once, in a slot of their own, and copied. A prompt that shares
    /// only a part of them copies that part. May be empty. Fixed for a run, so that it does not depend on the batch.
    pub prefix: Vec<u32>,
}

/// An invalid layout.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LayoutError {
    /// No slot.
    #[error("the batch has {slots} slots of {hypotheses} hypotheses; it needs at least 1 of each")]
    NoSlots {
        /// The slots asked for.
        slots: usize,
        /// The hypotheses asked for.
        hypotheses: usize,
    },
    /// Slots beyond the context, or empty ones.
    #[error("slots of {length} positions were asked for; the model's context allows 1 to {context}")]
    Length {
        /// The length asked for.
        length: usize,
        /// The model's context.
        context: usize,
    },
    /// A prefix that fills the slots.
    #[error("the shared prefix has {prefix} tokens, but a slot has only {length} positions")]
    Prefix {
        /// Its tokens.
        prefix: usize,
        /// The positions of a slot.
        length: usize,
    },
}

impl Layout {
    /// The layout for these prompts: their longest common prefix, and slots long enough for the longest prompt with
    /// `budget` tokens after it (the whole context where `budget` is `None`), but never longer than the context.
    ///
    /// There are never more slots than prompts. A single prompt has no prefix to share.
    pub fn plan<'a>(
        slots: usize,
        context: usize,
        budget: Option<usize>,
        prompts: impl IntoIterator<Item = &'a [u32]>,
    ) -> Self {
        let (mut count, mut longest) = (0, 0);
        let mut prefix: Option<&[u32]> = None;
        for prompt in prompts {
            count += 1;
            longest = longest.max(prompt.len());
            prefix = Some(match prefix {
                None => prompt,
                Some(prefix) => &prefix[..common_prefix(prefix, prompt)],
            });
        }
        let length = budget.map_or(context, |budget| longest.saturating_add(budget).min(context)).max(1);
        let prefix = prefix.filter(|_| count > 1).unwrap_or_default();
        // At least the last token of each prompt is computed for itself: its logits are needed.
        let prefix = &prefix[..prefix.len().min(length - 1)];
        Layout { slots: slots.min(count.max(1)), hypotheses: 1, length, prefix: prefix.to_vec() }
    }

    /// The same layout with this many hypotheses for each document.
    pub fn with_hypotheses(self, hypotheses: usize) -> Self {
        Layout { hypotheses, ..self }
    }

    /// Checks the layout against a model's context.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn validate(&self, context: usize) -> Result<(), LayoutError> {
        if self.slots == 0 || self.hypotheses == 0 {
            let Layout { slots, hypotheses, .. } = *self;
            return Err(LayoutError::NoSlots { slots, hypotheses });
        }
        if self.length == 0 || self.length > context {
            return Err(LayoutError::Length { length: self.length, context });
        }
        if self.prefix.len() >= self.length {
            return Err(LayoutError::Prefix { prefix: self.prefix.len(), length: self.length });
        }
        Ok(())
    }
}

/// The length of the common prefix of two sequences.
pub fn common_prefix(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans() {
        let prompts: [&[u32]; 3] = [&[1, 2, 3, 4], &[1, 2, 3], &[1, 2, 9, 9, 9]];
        let plan = Layout::plan(8, 100, Some(10), prompts);
        assert_eq!(plan, Layout { slots: 3, hypotheses: 1, length: 15, prefix: vec![1, 2] });
        assert_eq!(Layout::plan(2, 12, Some(10), prompts).length, 12);
        assert_eq!(Layout::plan(2, 12, None, prompts).length, 12);
        assert_eq!(Layout::plan(2, 12, None, prompts).slots, 2);
        assert!(Layout::plan(2, 12, Some(3), prompts[..1].iter().copied()).prefix.is_empty());
        // Equal prompts share all they have; the loop still computes the last token for each.
        let same: [&[u32]; 2] = [&[1, 2, 3], &[1, 2, 3]];
        assert_eq!(Layout::plan(2, 12, Some(1), same).prefix, [1, 2, 3]);
        assert!(Layout::plan(4, 12, Some(1), std::iter::empty()).validate(12).is_ok());
    }

    #[test]
    fn impossible_layouts_are_refused_with_numbers() {
        let layout = Layout { slots: 2, hypotheses: 1, length: 10, prefix: vec![1] };
        assert_eq!(layout.validate(10), Ok(()));
        assert_eq!(layout.validate(9), Err(LayoutError::Length { length: 10, context: 9 }));
        assert_eq!(
            Layout { slots: 0, ..layout.clone() }.validate(10),
            Err(LayoutError::NoSlots { slots: 0, hypotheses: 1 })
        );
        let long = Layout { prefix: vec![1; 10], ..layout };
        assert_eq!(long.validate(10), Err(LayoutError::Prefix { prefix: 10, length: 10 }));
    }
}
