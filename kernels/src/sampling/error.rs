//! Errors of the operands of sampling.

use std::fmt;

/// Why no token of a batch could be chosen. A single row without a usable token is a [`NoPick`](super::NoPick) instead.
#[derive(Clone, Debug, PartialEq)]
pub enum SamplingError {
    /// Logits without tokens, or of more than sums have room for.
    Vocabulary {
        /// How many tokens.
        tokens: usize,
        /// The largest vocabulary.
        most: usize,
    },
    /// More logits than a kernel can number, or more rows.
    Batch {
        /// Shape of the logits.
        shape: [usize; 2],
    },
    /// Masks that do not fit the logits.
    Masks {
        /// Shape of the logits, `[batch, vocabulary]`.
        logits: [usize; 2],
        /// Shape of the masks, `[batch, words]`; of a table, rows given and words of each.
        masks: [usize; 2],
    },
    /// A row that the mask table does not have.
    Row {
        /// The row's number.
        row: u32,
        /// How many rows the table has.
        capacity: usize,
    },
    /// More different masks at once than the mask table has rows.
    Full {
        /// How many rows the table has.
        capacity: usize,
    },
    /// There is not one draw for each row of logits.
    Draws {
        /// Rows of logits.
        batch: usize,
        /// Draws given.
        draws: usize,
    },
    /// Drafts and choices do not belong together.
    Drafts {
        /// Choices given.
        choices: usize,
        /// Choices that the drafts need: one after each token, and one before the first.
        needed: usize,
    },
    /// A setting outside its range.
    Drawing {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: f32,
        /// What it must be.
        right: &'static str,
    },
    /// The device failed.
    Device {
        /// What it reports.
        message: String,
    },
}

impl fmt::Display for SamplingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SamplingError::Vocabulary { tokens, most } => {
                write!(f, "rows of {tokens} logits: a vocabulary has 1 to {most} tokens")
            }
            SamplingError::Batch { shape } => write!(
                f,
                "logits of shape {shape:?} are too many for one kernel: it takes at most 65535 rows and 2^32 - 1 logits"
            ),
            SamplingError::Masks { logits: [batch, vocabulary], masks } => write!(
                f,
                "masks of shape {masks:?} do not fit logits [{batch}, {vocabulary}], which need [{batch}, {}]: one bit \
                 for each token, in words of 32",
                vocabulary.div_ceil(32)
            ),
            SamplingError::Row { row, capacity } => {
                write!(f, "row {row} of a mask table that has rows 0..{capacity}")
            }
            SamplingError::Full { capacity } => write!(
                f,
                "a step has more different masks than the {capacity} rows of the mask table: it needs a row for each \
                 sequence of the batch"
            ),
            SamplingError::Draws { batch, draws } => {
                write!(f, "{draws} draws were given for {batch} rows of logits; each row needs one")
            }
            SamplingError::Drafts { choices, needed } => write!(
                f,
                "{choices} choices were given for drafts that need {needed}: one after each token, and one before the first"
            ),
            SamplingError::Drawing { name, value, right } => write!(f, "{name} is {value}, but must be {right}"),
            SamplingError::Device { message } => write!(f, "the device failed: {message}"),
        }
    }
}

impl std::error::Error for SamplingError {}
