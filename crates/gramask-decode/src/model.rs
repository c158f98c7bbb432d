//! What decoding needs of a language model: a cache of slots, and logits or tokens that are sampled from them.
//!
//! The batch loop knows no tensors. It sees a model as `slots` token sequences that can be appended to, cut and copied;
//! [`crate::TransformerModel`] is the real one, [`crate::mock::MockModel`] one without weights.
//!
//! Logits come to the host, where a strategy can use them as it likes. Or they stay on the device ([`LogitsHandle`]), and
//! tokens are sampled there: a GPU then need not send half a megabyte for each row to the host.

use std::error::Error;
use std::ops::Range;

use gramask_kernels::sampling::{NoChoice, Sampling};
use gramask_model::device::DeviceFault;
pub use gramask_model::transformer::{Row, Select};
use thiserror::Error;

use crate::prompt_store::Saved;
use crate::random::Draw;
use crate::sampler::{Choice, Sampler};

/// Logits on the host. Shape: `[rows, vocabulary]`, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Logits {
    values: Vec<f32>, // [rows, width]
    width: usize,
}

impl Logits {
    /// Takes `rows * width` values.
    ///
    /// # Errors
    /// [`LanguageModelError::Shape`] where the values are not whole rows.
    pub fn new(values: Vec<f32>, width: usize) -> Result<Self, LanguageModelError> {
        if width == 0 || !values.len().is_multiple_of(width) {
            return Err(LanguageModelError::Shape { values: values.len(), width });
        }
        Ok(Logits { values, width })
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.values.len() / self.width
    }

    /// The length of a row: the size of the vocabulary.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Row `row`; `None` beyond the last.
    pub fn row(&self, row: usize) -> Option<&[f32]> {
        self.values.chunks_exact(self.width).nth(row)
    }

    /// All values, row after row.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// The rows `from..to` as one slice of `(to - from) * width` values; `None` where they do not all exist.
    pub fn slice(&self, from: usize, to: usize) -> Option<&[f32]> {
        self.values.get(from.checked_mul(self.width)?..to.checked_mul(self.width)?)
    }
}

/// A token to be sampled from a row of logits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleRequest {
    /// The allowed tokens: bit `i` of word `w` is token `32 w + i`; `None`: all.
    pub mask: Option<Box<[u32]>>,
    /// The random number's place.
    pub draw: Draw,
}

/// A token that was sampled from a row of logits, or why there is none.
pub type Sampled = Result<Choice, NoChoice>;

/// The logits after appended tokens, on the host or on the device.
pub trait LogitsHandle: Send {
    /// How many rows there are.
    fn rows(&self) -> usize;

    /// Samples a token from some of the rows, one for each request. Waits for the device once. The tokens are those that a
    /// [`Sampler`] chooses from the same logits.
    ///
    /// # Errors
    /// Where the device fails. A row that has no token to choose is not an error of the other rows.
    fn sample(
        &mut self,
        requests: &[(usize, SampleRequest)],
        sampling: &Sampling,
    ) -> Result<Vec<Sampled>, LanguageModelError>;

    /// Fetches some of the rows: `[rows.len(), vocabulary]`.
    ///
    /// # Errors
    /// Where a row does not exist or the device fails.
    fn fetch(&mut self, rows: &[usize]) -> Result<Logits, LanguageModelError>;
}

impl LogitsHandle for Logits {
    fn rows(&self) -> usize {
        Logits::rows(self)
    }

    fn sample(
        &mut self,
        requests: &[(usize, SampleRequest)],
        sampling: &Sampling,
    ) -> Result<Vec<Sampled>, LanguageModelError> {
        let mut sampler = Sampler::new(*sampling);
        let mut sample = |(row, request): &(usize, SampleRequest)| {
            let logits = self.row(*row).ok_or(LanguageModelError::NoRow { row: *row, rows: Logits::rows(self) })?;
            Ok(sampler.choose(logits, request.mask.as_deref(), request.draw))
        };
        requests.iter().map(&mut sample).collect()
    }

    fn fetch(&mut self, rows: &[usize]) -> Result<Logits, LanguageModelError> {
        let mut values = Vec::with_capacity(rows.len() * self.width);
        for &row in rows {
            let rows = Logits::rows(self);
            values.extend_from_slice(self.row(row).ok_or(LanguageModelError::NoRow { row, rows })?);
        }
        Logits::new(values, self.width)
    }
}

/// Why a model could not do what it was asked.
#[derive(Debug, Error)]
pub enum LanguageModelError {
    /// No such slot.
    #[error("slot {slot} does not exist: the cache was opened with {slots} slots")]
    Slot {
        /// The slot asked for.
        slot: usize,
        /// How many there are.
        slots: usize,
    },
    /// More tokens than a slot holds.
    #[error("slot {slot} would hold {tokens} tokens, but the cache was opened with room for {length}")]
    Full {
        /// The slot.
        slot: usize,
        /// The tokens it would hold.
        tokens: usize,
        /// The tokens it can hold.
        length: usize,
    },
    /// Fewer tokens than were to be kept or copied.
    #[error("slot {slot} holds {held} tokens, of which {wanted} were to be kept or copied")]
    Short {
        /// The slot.
        slot: usize,
        /// The tokens it holds.
        held: usize,
        /// The tokens wanted.
        wanted: usize,
    },
    /// A cache longer than the model's context.
    #[error("a cache of {length} positions was asked for, but the model's context has {context}")]
    Context {
        /// The length asked for.
        length: usize,
        /// The model's context.
        context: usize,
    },
    /// A row without tokens.
    #[error("nothing was to be appended to slot {slot}: a row needs at least one token")]
    EmptyRow {
        /// The slot.
        slot: usize,
    },
    /// A token that the model does not know.
    #[error("token {token} does not exist: the vocabulary has {vocabulary} tokens")]
    Token {
        /// The token.
        token: u32,
        /// The size of the vocabulary.
        vocabulary: usize,
    },
    /// Logits of an unexpected shape.
    #[error("{values} logits came back, which are not whole rows of {width}, one for each token of the vocabulary")]
    Shape {
        /// How many values came back.
        values: usize,
        /// The expected length of a row.
        width: usize,
    },
    /// Too few or too many rows of logits.
    #[error("{given} rows of logits came back where {wanted} were asked for")]
    Rows {
        /// How many came back.
        given: usize,
        /// How many were asked for.
        wanted: usize,
    },
    /// A row of logits that does not exist.
    #[error("row {row} of logits was asked for, but there are {rows}")]
    NoRow {
        /// The row.
        row: usize,
        /// How many there are.
        rows: usize,
    },
    /// Logits of more tokens than a row has.
    #[error(
        "logits were asked for the last {tails:?} tokens of rows of {lengths:?}: one number is needed for each row"
    )]
    Tails {
        /// How many were asked for.
        tails: Vec<usize>,
        /// How many tokens the rows have.
        lengths: Vec<usize>,
    },
    /// A saved part of a cache that this model did not make.
    #[error("what is to be restored was saved by another model: each model can restore its own only")]
    Foreign,
    /// The device failed: it has too little memory, or is gone.
    #[error(transparent)]
    Device(Box<DeviceFault>),
    /// What the model itself reports.
    #[error("the model failed: {0}")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

/// A decoder-only language model with a key/value cache of slots.
///
/// A slot is one token sequence. The cache is opened once per run.
pub trait LanguageModel {
    /// The size of the vocabulary: the length of a row of logits.
    fn vocabulary(&self) -> usize;

    /// The most positions that a sequence may have.
    fn context(&self) -> usize;

    /// Makes a cache of `slots` empty sequences of at most `length` tokens each, in place of the one before.
    ///
    /// # Errors
    /// Where `length` is beyond the context, or the memory is not there.
    fn open(&mut self, slots: usize, length: usize) -> Result<(), LanguageModelError>;

    /// Appends tokens to slots, each slot at most once, and returns logits on the host:
    /// `[rows.len(), vocabulary]` with [`Select::Last`], `[sum of the rows' lengths, vocabulary]` with [`Select::All`],
    /// `[sum of the tails, vocabulary]` with [`Select::Tails`].
    ///
    /// # Errors
    /// Where a slot, a token or the room for it does not exist, or the device fails.
    fn append(&mut self, rows: &[Row<'_>], select: Select) -> Result<Logits, LanguageModelError>;

    /// Whether it is faster to sample tokens on the device than on the host.
    fn samples_on_device(&self) -> bool {
        false
    }

    /// What the share of one of so many sequences in a forward pass costs beyond its rows, in rows: a pass over `n` tokens of `s`
    /// sequences takes about `s * overhead(s) + n` times as long as a token more does. Strategies that propose tokens weigh with
    /// it what a refused one costs; no output depends on it.
    fn overhead(&self, sequences: usize) -> f64 {
        2.0 / sequences.max(1) as f64
    }

    /// As [`LanguageModel::append`], but the logits stay on the device.
    ///
    /// # Errors
    /// As [`LanguageModel::append`].
    fn append_on_device(
        &mut self,
        rows: &[Row<'_>],
        select: Select,
    ) -> Result<Box<dyn LogitsHandle + '_>, LanguageModelError> {
        Ok(Box::new(self.append(rows, select)?))
    }

    /// Cuts a slot down to its first `length` tokens.
    ///
    /// # Errors
    /// Where the slot does not exist or holds fewer.
    fn truncate(&mut self, slot: usize, length: usize) -> Result<(), LanguageModelError>;

    /// Makes slot `to` hold the first `length` tokens of slot `from`, and nothing else.
    ///
    /// # Errors
    /// Where a slot does not exist or `from` holds fewer.
    fn copy(&mut self, from: usize, to: usize, length: usize) -> Result<(), LanguageModelError>;

    /// The same where the caller knows that slot `to` already holds the first `shared` of these tokens: a fork of sequences
    /// that share their prompt need not copy it again.
    ///
    /// # Errors
    /// As [`LanguageModel::copy`]; also where `to` holds fewer than `shared`.
    fn fork(&mut self, from: usize, to: usize, shared: usize, length: usize) -> Result<(), LanguageModelError> {
        let _ = shared;
        self.copy(from, to, length)
    }

    /// Takes out a copy of what a slot holds at these positions, for [`LanguageModel::restore`]; `None` where the model
    /// cannot.
    ///
    /// # Errors
    /// Where the slot does not exist or holds fewer.
    fn save(&mut self, slot: usize, positions: Range<usize>) -> Result<Option<Saved>, LanguageModelError> {
        let _ = (slot, positions);
        Ok(None)
    }

    /// Puts back what [`LanguageModel::save`] took out, of this or another cache of the same model. The slot then ends with it;
    /// what the slot holds before its first position stays.
    ///
    /// # Errors
    /// Where the slot does not exist, holds fewer tokens than stood before what was saved, or has no room; where `saved` is
    /// another model's.
    fn restore(&mut self, slot: usize, saved: &Saved) -> Result<(), LanguageModelError> {
        let _ = (slot, saved);
        Err(LanguageModelError::Foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_are_whole_rows() {
        let logits = Logits::new(vec![1.0, 2.0, 3.0, 4.0], 2).unwrap();
        assert_eq!(logits.rows(), 2);
        assert_eq!(logits.row(1), Some(&[3.0, 4.0][..]));
        assert_eq!(logits.row(2), None);
        assert_eq!(logits.slice(0, 2), Some(&[1.0, 2.0, 3.0, 4.0][..]));
        assert_eq!(logits.slice(1, 3), None);
        assert!(Logits::new(vec![1.0; 5], 2).is_err());
        let mut handle = logits.clone();
        assert_eq!(handle.fetch(&[1, 0]).unwrap().row(0), Some(&[3.0, 4.0][..]));
        assert!(matches!(handle.fetch(&[2]), Err(LanguageModelError::NoRow { row: 2, rows: 2 })));
        assert!(Logits::new(Vec::new(), 0).is_err());
    }
}
