//! Errors of the settings and operands of sampling.

use thiserror::Error;

/// A setting of [`Sampling`](super::Sampling) outside its range.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("{name} is {value}, but must be {right}")]
pub struct InvalidSampling {
    /// The setting's name.
    pub name: &'static str,
    /// Its value.
    pub value: f32,
    /// What it must be.
    pub right: &'static str,
}

/// There is no token to choose: none is allowed, or all those allowed have a logit of `-inf` or NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "none of the {allowed} allowed tokens has a usable logit ({nan} are NaN, the others -inf): the model's numbers are \
     broken, or it gives no probability to anything allowed"
)]
pub struct NoChoice {
    /// How many tokens are allowed.
    pub allowed: usize,
    /// How many of them have NaN.
    pub nan: usize,
}

/// Why no token of a batch could be chosen. A single row without a usable token is a [`NoChoice`] instead.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SamplingError {
    /// Logits without tokens, or of more than sums have room for.
    #[error("rows of {tokens} logits: a vocabulary has 1 to {most} tokens")]
    Vocabulary {
        /// How many tokens.
        tokens: usize,
        /// The largest vocabulary.
        most: usize,
    },
    /// More logits than a kernel can number, or more rows.
    #[error("logits of shape {shape:?} are too many for one kernel: it takes at most 65535 rows and 2^32 - 1 logits")]
    Batch {
        /// Shape of the logits.
        shape: [usize; 2],
    },
    /// Masks that do not fit the logits.
    #[error(
        "masks of shape {masks:?} do not fit logits {logits:?}, which need [{}, {}]: one bit for each token, in words of 32",
        .logits[0], .logits[1].div_ceil(32)
    )]
    Masks {
        /// Shape of the logits, `[batch, vocabulary]`.
        logits: [usize; 2],
        /// Shape of the masks, `[batch, words]`; of a table, rows given and words of each.
        masks: [usize; 2],
    },
    /// A row that the mask table does not have.
    #[error("row {row} of a mask table that has rows 0..{capacity}")]
    Row {
        /// The row's number.
        row: u32,
        /// How many rows the table has.
        capacity: usize,
    },
    /// More different masks at once than the mask table has rows.
    #[error(
        "a step has more different masks than the {capacity} rows of the mask table: it needs a row for each sequence of \
         the batch"
    )]
    Full {
        /// How many rows the table has.
        capacity: usize,
    },
    /// There is not one draw for each row of logits.
    #[error("{draws} draws were given for {batch} rows of logits; each row needs one")]
    Draws {
        /// Rows of logits.
        batch: usize,
        /// Draws given.
        draws: usize,
    },
    /// Drafts and choices do not belong together.
    #[error(
        "{choices} choices were given for drafts that need {needed}: one after each token, and one before the first"
    )]
    Drafts {
        /// Choices given.
        choices: usize,
        /// Choices that the drafts need: one after each token, and one before the first.
        needed: usize,
    },
    /// A setting outside its range.
    #[error(transparent)]
    Setting(#[from] InvalidSampling),
    /// The device failed.
    #[error("the device failed: {message}")]
    Device {
        /// What it reports.
        message: String,
    },
}
