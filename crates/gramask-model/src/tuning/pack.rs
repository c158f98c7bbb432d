//! Sequences as one row of tokens, without padding, with what they have in common only once.
//!
//! Prompts of one format begin alike: the instruction is half of a short example. Under causal attention what a token
//! sees lies before it, so the common beginning has the same activations in every sequence, and need be computed once.
//! Behind it each sequence goes on by itself: its tokens attend to the beginning and to their own, at the positions
//! that they would have alone. The loss and its gradients are those of the sequences one by one, up to rounding.

use std::ops::Range;

use super::TuningError;

/// A prompt and the output that should follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence<'a> {
    /// The prompt. Nothing is learnt from it.
    pub prompt: &'a [u32],
    /// The output, its end token included.
    pub output: &'a [u32],
}

/// Several sequences, packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// The common beginning, then each sequence's own tokens but for its last one, which nothing follows.
    pub tokens: Vec<u32>,
    /// Where each token stands in its own sequence.
    pub positions: Vec<usize>,
    /// How many tokens all have in common.
    pub prefix: usize,
    /// Each sequence's own tokens, in order and without gaps.
    pub spans: Vec<Range<usize>>,
    /// The tokens after which an output token follows, and that token.
    pub predictions: Vec<(usize, u32)>,
}

impl Pack {
    /// Packs sequences.
    ///
    /// ```
    /// use gramask_model::tuning::{Pack, Sequence};
    ///
    /// let one = Sequence { prompt: &[1, 2, 3], output: &[7, 0] };
    /// let two = Sequence { prompt: &[1, 2, 4, 5], output: &[0] };
    /// let pack = Pack::new(&[one, two])?;
    /// assert_eq!(pack.tokens, [1, 2, /* one */ 3, 7, /* two */ 4, 5]);
    /// assert_eq!(pack.positions, [0, 1, 2, 3, 2, 3]);
    /// assert_eq!(pack.predictions, [(2, 7), (3, 0), (5, 0)]);
    /// # Ok::<(), gramask_model::tuning::TuningError>(())
    /// ```
    ///
    /// # Errors
    /// [`TuningError::Sequence`] for an empty prompt or output.
    pub fn new(sequences: &[Sequence<'_>]) -> Result<Pack, TuningError> {
        for (number, sequence) in sequences.iter().enumerate() {
            let wrong = |what: &str| TuningError::Sequence { number, what: what.into() };
            if sequence.prompt.is_empty() {
                return Err(wrong("the prompt is empty: an output token is predicted from the token before it"));
            }
            if sequence.output.is_empty() {
                return Err(wrong("the output is empty: it has an end token at least"));
            }
        }
        let prefix = common(sequences);
        let first = sequences.first().map_or(&[][..], |sequence| &sequence.prompt[..prefix]);
        let mut pack = Pack {
            tokens: first.to_vec(),
            positions: (0..prefix).collect(),
            prefix,
            spans: Vec::with_capacity(sequences.len()),
            predictions: Vec::new(),
        };
        for Sequence { prompt, output } in sequences {
            let start = pack.tokens.len();
            pack.tokens.extend(&prompt[prefix..]);
            let last = pack.tokens.len() - 1;
            pack.predictions.extend(output.iter().enumerate().map(|(i, &token)| (last + i, token)));
            pack.tokens.extend(&output[..output.len() - 1]);
            let end = pack.tokens.len();
            pack.positions.extend((0..end - start).map(|i| prefix + i));
            pack.spans.push(start..end);
        }
        Ok(pack)
    }

    /// How many tokens are computed.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is nothing to compute.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The tokens that a token attends to: those of the common beginning, and those of its own sequence, up to itself.
    pub fn seen(&self, token: usize) -> (Range<usize>, Range<usize>) {
        let span = self.spans.iter().find(|span| span.contains(&token));
        match span {
            Some(span) => (0..self.prefix, span.start..token + 1),
            None => (0..token + 1, token + 1..token + 1),
        }
    }
}

/// How many tokens all prompts begin with, but for the last token of each: that one is the sequence's own.
fn common(sequences: &[Sequence<'_>]) -> usize {
    let Some((first, others)) = sequences.split_first() else {
        return 0;
    };
    let shortest = sequences.iter().map(|s| s.prompt.len()).min().unwrap_or(1) - 1;
    let same = |other: &Sequence<'_>| {
        let pairs = first.prompt.iter().zip(other.prompt);
        pairs.take_while(|(a, b)| a == b).count()
    };
    others.iter().map(same).min().unwrap_or(0).min(shortest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_within_another_keeps_its_last_token() {
        let sequences = [Sequence { prompt: &[1, 2], output: &[9] }, Sequence { prompt: &[1, 2, 3], output: &[8, 9] }];
        let pack = Pack::new(&sequences).unwrap();
        assert_eq!(pack.prefix, 1);
        assert_eq!(pack.tokens, [1, 2, 2, 3, 8]);
        assert_eq!(pack.predictions, [(1, 9), (3, 8), (4, 9)]);
        assert_eq!(pack.seen(0), (0..1, 1..1));
        assert_eq!(pack.seen(1), (0..1, 1..2));
        assert_eq!(pack.seen(4), (0..1, 2..5));
    }

    #[test]
    fn empty_parts_are_refused() {
        let error = |prompt, output| Pack::new(&[Sequence { prompt, output }]).unwrap_err().to_string();
        assert!(error(&[], &[1]).contains("prompt"));
        assert!(error(&[1], &[]).contains("end token"));
    }
}
