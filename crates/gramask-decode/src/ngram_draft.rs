//! The n-gram draft model: guesses what usually comes next in the outputs of a format.
//!
//! A guess costs little and may be wrong, since the model confirms or refuses it. So the means are simple, and work on bytes,
//! not on tokens. Where the constraint leaves one byte only, nothing is guessed. Elsewhere one of the allowed bytes is picked by
//!
//! - **the text before** (`recall`): the end of the text written so far may occur earlier, in the prompt with its examples and
//!   its document or in the output itself. Then what followed that occurrence may follow here. This copies the document and
//!   repeats labels (Saxena, "Prompt lookup decoding", 2023);
//! - **the shape** (`expect`): counts of what followed a context in earlier outputs, where all letters and digits are the same
//!   class, and a run of them counts as one. So a tag is expected to be closed, and a word to be followed by a space, whatever
//!   their letters.
//!
//! The share of correct guesses of each kind is counted. A draft ends where it is more likely wrong than worth its time.

use std::collections::HashMap;

/// The longest context of shapes.
const ORDER: usize = 8;
/// A recalled context of this many bytes is preferred to any shape.
const PREFERRED: usize = 6;
/// The weight of the past at each new pass.
const DECAY: f64 = 0.99;
/// How many classes of estimated probabilities.
const LIKELIHOODS: usize = 32;
/// An estimate counts as this many observed tokens.
const PRIOR_TOKENS: f64 = 5.0;
/// The cost without drafts counts as this many observed tokens.
const PRIOR_COST_TOKENS: f64 = 8.0;
/// Contexts are compared up to this many bytes.
const LONGEST: usize = 32;

/// A guessed byte, and the evidence for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guess {
    /// The byte; `None`: the output ends.
    pub byte: Option<u8>,
    pub ground: Ground,
}

/// The evidence for a guess. Guesses with equal evidence are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ground {
    /// The text is forced: only its tokens are a guess.
    Forced,
    /// A context of so many bytes (as a power of two) that occurred before, how many bytes were allowed, and what was guessed.
    Recalled(u32, u32, Kind),
    /// A shape whose share among what followed its context was so many tenths.
    Expected(u32),
}

/// The kind of the guessed byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Word,
    Blank,
    /// After a word or a blank, as within a text.
    Mark,
    /// After another mark, as between the parts of an output.
    Structure,
}

impl Kind {
    fn of(byte: u8, text: &[u8]) -> Self {
        let before = text.last().map(|&byte| class(byte));
        match class(byte) {
            WORD => Kind::Word,
            b' ' => Kind::Blank,
            _ if matches!(before, Some(WORD | b' ')) => Kind::Mark,
            _ => Kind::Structure,
        }
    }
}

/// Counts from the outputs seen so far; shared by all documents of a format.
#[derive(Clone, Debug, Default)]
pub struct NgramDraftModel {
    /// How often each class followed a context of classes.
    shapes: HashMap<Vec<u8>, HashMap<u8, u32>>,
    /// For each ground: how many guesses were right, of how many.
    kept: HashMap<Ground, (u32, u32)>,
    /// The same for recalled guesses of all context lengths together.
    recalled: HashMap<(u32, Kind), (u32, u32)>,
    /// The cost of the latest passes, in rows, and how many tokens they gave.
    paid: (f64, f64),
    /// For each [class](likelihood) of estimated probability: how many drafted tokens were confirmed, of how many.
    confirmed: [(f64, f64); LIKELIHOODS],
}

/// All letters, digits and bytes beyond ASCII are one class.
const WORD: u8 = b'a';
/// The class of the end of an output.
const END: u8 = 0;

fn class(byte: u8) -> u8 {
    match byte.is_ascii_alphanumeric() || byte >= 0x80 {
        true => WORD,
        false => byte,
    }
}

/// The class of a probability: three hundredths wide near one, where it matters most, and wider below. All below 0.35 are one.
fn likelihood(probability: f64) -> usize {
    ((-20.0 * probability.log2()) as usize).min(LIKELIHOODS - 1)
}

/// The last classes of a text, runs of words as one.
fn shape(text: &[u8]) -> Vec<u8> {
    let mut shape = Vec::with_capacity(ORDER);
    for &byte in text.iter().rev() {
        let class = class(byte);
        if class == WORD && shape.last() == Some(&WORD) {
            continue;
        }
        if shape.len() == ORDER {
            break;
        }
        shape.push(class);
    }
    shape.reverse();
    shape
}

impl NgramDraftModel {
    /// Begins with the outputs of a prompt's examples.
    pub fn new<'a>(outputs: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut ngrams = NgramDraftModel::default();
        outputs.into_iter().for_each(|output| ngrams.learn(output));
        ngrams
    }

    /// Learns a whole output.
    pub fn learn(&mut self, output: &[u8]) {
        for at in 0..=output.len() {
            let next = output.get(at).map_or(END, |&byte| class(byte));
            let before = shape(&output[..at]);
            if next == WORD && before.last() == Some(&WORD) {
                continue;
            }
            for from in 0..=before.len() {
                let counts = self.shapes.entry(before[from..].to_vec()).or_default();
                *counts.entry(next).or_default() += 1;
            }
        }
    }

    /// Counts whether a guess was right.
    pub(crate) fn judge(&mut self, ground: Ground, kept: bool) {
        let recalled = match ground {
            Ground::Recalled(_, allowed, kind) => Some(self.recalled.entry((allowed, kind)).or_default()),
            _ => None,
        };
        let own = self.kept.entry(ground).or_default();
        for (yes, all) in [Some(own), recalled].into_iter().flatten() {
            *yes += u32::from(kept);
            *all += 1;
            // Recent guesses count more.
            if *all == 256 {
                (*yes, *all) = (*yes / 2, *all / 2);
            }
        }
    }

    /// The share of guesses of this ground that were right. At first it is the share of similar grounds, or an optimistic
    /// value if there are none.
    pub(crate) fn trust(&self, ground: Ground) -> f64 {
        let share = |counts: Option<&(u32, u32)>, at_first, tries| {
            let (yes, all) = counts.copied().unwrap_or_default();
            (f64::from(yes) + tries * at_first) / (f64::from(all) + tries)
        };
        let own = self.kept.get(&ground);
        match ground {
            Ground::Forced => share(own, 0.9, 10.0),
            Ground::Expected(tenths) => share(own, f64::from(tenths) / 10.0, 5.0),
            Ground::Recalled(length, allowed, kind) => {
                let at_first = f64::from(length.min(5)) / 5.0;
                share(own, share(self.recalled.get(&(allowed, kind)), at_first, 5.0), 5.0)
            }
        }
    }

    /// Counts the cost of a document's share of a pass, in rows, and the tokens that it gave.
    pub(crate) fn pay(&mut self, rows: f64, tokens: usize) {
        let (cost, gained) = self.paid;
        self.paid = (DECAY * cost + rows, DECAY * gained + tokens as f64);
        // If nothing is drafted any more, nothing is learnt. The old counts fade, so that drafts are tried again later.
        for (yes, all) in &mut self.confirmed {
            (*yes, *all) = (*yes * DECAY, *all * DECAY);
        }
    }

    /// Counts whether a token with this estimated probability was confirmed.
    pub(crate) fn judge_draft(&mut self, estimated: f64, is_confirmed: bool) {
        let (yes, all) = &mut self.confirmed[likelihood(estimated)];
        *yes += f64::from(u8::from(is_confirmed));
        *all += 1.0;
    }

    /// The probability that a drafted token is confirmed, corrected by how good such estimates were so far. (Guesses are not
    /// independent, so that the product of their shares is too high.)
    pub(crate) fn chance(&self, estimated: f64) -> f64 {
        let (yes, all) = self.confirmed[likelihood(estimated)];
        (yes + PRIOR_TOKENS * estimated) / (all + PRIOR_TOKENS)
    }

    /// The cost of a token in rows, at least 1. At first it is the cost without drafts.
    pub(crate) fn cost(&self, overhead: f64) -> f64 {
        let (cost, gained) = self.paid;
        ((cost + PRIOR_COST_TOKENS * (1.0 + overhead)) / (gained + PRIOR_COST_TOKENS)).max(1.0)
    }

    /// Picks one of the allowed bytes, in ascending order, or the end where the output may end; `None` without evidence.
    ///
    /// `history` is what may be recalled, `text` what was written so far.
    pub(crate) fn guess(&self, history: &[u8], text: &[u8], allowed: &[u8], may_end: bool) -> Option<Guess> {
        let recalled = recall(history, text, allowed);
        if let Some((length, guess)) = recalled
            && length >= PREFERRED
        {
            return Some(guess);
        }
        self.expect(history, text, allowed, may_end).or(recalled.map(|(_, guess)| guess))
    }

    /// The likeliest shape, if only one allowed byte has it or `recall` decides between several.
    fn expect(&self, history: &[u8], text: &[u8], allowed: &[u8], may_end: bool) -> Option<Guess> {
        let before = shape(text);
        let is_allowed = |next: u8| match next {
            END => may_end,
            next => allowed.iter().any(|&byte| class(byte) == next),
        };
        let counts = (0..=before.len()).find_map(|from| {
            let counts = self.shapes.get(&before[from..])?;
            counts.keys().any(|&next| is_allowed(next)).then_some(counts)
        })?;
        let possible = counts.iter().filter(|(next, _)| is_allowed(**next));
        let all: u32 = possible.clone().map(|(_, &count)| count).sum();
        // Of equal counts the lower class, so that the order of the table does not matter.
        let (&next, &count) = possible.max_by_key(|&(&next, &count)| (count, u8::MAX - next))?;
        let ground = Ground::Expected(10 * count / all.max(1));
        if next == END {
            return Some(Guess { byte: None, ground });
        }
        let bytes: Vec<u8> = allowed.iter().copied().filter(|&byte| class(byte) == next).collect();
        match bytes[..] {
            [byte] => Some(Guess { byte: Some(byte), ground }),
            _ => recall(history, text, &bytes).map(|(_, guess)| guess),
        }
    }
}

/// The byte, of those allowed, that followed the longest earlier occurrence of the text's end, of equally long ones the
/// latest; and how many bytes that is, at least one.
fn recall(history: &[u8], text: &[u8], allowed: &[u8]) -> Option<(usize, Guess)> {
    let common = |before: &[u8]| {
        let pairs = before.iter().rev().zip(text.iter().rev()).take(LONGEST);
        pairs.take_while(|(a, b)| a == b).count()
    };
    let mut best: Option<(usize, u8)> = None;
    for (source, end) in [(history, history.len()), (text, text.len().saturating_sub(1))] {
        for at in 1..=end.min(source.len().saturating_sub(1)) {
            let byte = source[at];
            if !allowed.contains(&byte) {
                continue;
            }
            let length = common(&source[..at]);
            if length > 0 && best.is_none_or(|(longest, _)| length >= longest) {
                best = Some((length, byte));
            }
        }
    }
    let (length, byte) = best?;
    let ground = Ground::Recalled(length.ilog2(), allowed.len().ilog2(), Kind::of(byte, text));
    Some((length, Guess { byte: Some(byte), ground }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_copied_where_it_was_read_before() {
        let ngrams = NgramDraftModel::default();
        let history = b"Text: Naloxone reverses clonidine. Output: ";
        let guess = ngrams.guess(history, b"Naloxone rev", b"aez", false).unwrap();
        assert_eq!(guess.byte, Some(b'e'));
        // Ten bytes and three ways: the lower powers of two of both.
        assert_eq!(guess.ground, Ground::Recalled(3, 1, Kind::Word));
        // What is not allowed is not recalled, however well it fits.
        assert_eq!(ngrams.guess(history, b"Naloxone rev", b"xz", false), None);
    }

    #[test]
    fn shapes_close_what_was_opened() {
        let ngrams = NgramDraftModel::new([&b"<Drug>Aspirin</Drug> helps"[..], b"<Pain>Colic</Pain> passes"]);
        let next = |text: &[u8], allowed: &[u8], may_end: bool| {
            ngrams.guess(b"", text, allowed, may_end).and_then(|guess| guess.byte)
        };
        assert_eq!(next(b"<X>nothing like it", b" <", false), Some(b'<'), "a tag is closed after its text");
        assert_eq!(next(b"<X>nothing</X", b" >", false), Some(b'>'));
        // An end is a shape like any other.
        let guess = ngrams.guess(b"", b"<X>nothing</X> more", b" <", true).unwrap();
        assert_eq!((guess.byte, guess.ground), (None, Ground::Expected(10)));
        // Two letters: the shape does not say which, and there is nothing to recall.
        assert_eq!(next(b"<X>nothing</X> ", b"ab", false), None);
    }

    #[test]
    fn trust_follows_what_came_true() {
        let mut ngrams = NgramDraftModel::default();
        let ground = Ground::Expected(9);
        let before = ngrams.trust(ground);
        (0..20).for_each(|_| ngrams.judge(ground, false));
        let after = ngrams.trust(ground);
        assert!(after < 0.3 && after < before, "{before} {after}");
        (0..2000).for_each(|_| ngrams.judge(ground, true));
        assert!(ngrams.trust(ground) > 0.95, "the past fades");
        assert!(ngrams.trust(Ground::Forced) > 0.89);
    }

    #[test]
    fn a_token_costs_what_was_paid_for_it() {
        let mut ngrams = NgramDraftModel::default();
        assert_eq!(ngrams.cost(2.0), 3.0, "a pass of one row");
        assert_eq!(ngrams.cost(0.125), 1.125);
        // Drafts of three that are confirmed: six rows' worth for four tokens.
        (0..1000).for_each(|_| ngrams.pay(4.0 + 2.0, 4));
        assert!((ngrams.cost(2.0) - 1.5).abs() < 0.05, "{}", ngrams.cost(2.0));
        // And such as are refused.
        (0..1000).for_each(|_| ngrams.pay(4.0 + 2.0, 1));
        assert!((ngrams.cost(2.0) - 6.0).abs() < 0.3, "{}", ngrams.cost(2.0));
    }

    #[test]
    fn estimates_are_held_against_what_came_of_them() {
        let mut ngrams = NgramDraftModel::default();
        assert_eq!(ngrams.chance(0.75), 0.75, "nothing is known yet");
        (0..40).for_each(|number| ngrams.judge_draft(0.75, number % 4 == 0));
        assert!(ngrams.chance(0.74) < 0.35, "{}", ngrams.chance(0.74));
        assert_eq!(ngrams.chance(0.85), 0.85, "other estimates are as good as they were");
        // What is not drafted any more is tried again in the end.
        (0..1000).for_each(|_| ngrams.pay(3.0, 1));
        assert!(ngrams.chance(0.75) > 0.74, "{}", ngrams.chance(0.75));
    }

    #[test]
    fn shapes_are_short() {
        assert_eq!(shape(b"<Disease>heart failure</Disease>"), b">a a</a>");
        assert_eq!(shape("été 12".as_bytes()), b"a a");
        assert_eq!(shape(b""), b"");
    }
}
