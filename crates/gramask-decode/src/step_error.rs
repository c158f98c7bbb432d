//! What can be wrong with a step of a document.

use gramask_kernels::sampling::NoChoice;
use thiserror::Error;

/// Why a document's decoding could not go on.
#[derive(Debug, Error)]
pub enum StepError {
    /// Nothing can be chosen.
    #[error(transparent)]
    NoChoice(#[from] NoChoice),
    /// The constraint allows no token.
    #[error("the constraint allows no token here, although the output is not complete and {remaining} tokens remain")]
    EmptyMask {
        /// How many tokens may still come.
        remaining: usize,
    },
    /// The constraint refuses a token of its own mask.
    #[error("the constraint refused token {token}, which its mask allows")]
    Refused {
        /// The token.
        token: u32,
    },
    /// The logits could not be fetched.
    #[error("the logits that the choice was made from could not be fetched: {message}")]
    Fetch {
        /// What the model reports.
        message: String,
    },
    /// A row of logits that does not exist.
    #[error("the strategy wanted row {row} of its logits, but it had asked for {rows} rows")]
    NoRow {
        /// The row.
        row: usize,
        /// How many rows there are.
        rows: usize,
    },
    /// The move does not fit into the budget.
    #[error("the strategy wanted to append {append} tokens where {remaining} remained")]
    Append {
        /// How many tokens the move has.
        append: usize,
        /// How many fit.
        remaining: usize,
    },
    /// The move takes back more than the output has.
    #[error("the strategy wanted to take back {withdraw} tokens of the {tokens} that the output has")]
    Withdraw {
        /// How many tokens the move takes back.
        withdraw: usize,
        /// How many there are to take.
        tokens: usize,
    },
    /// The move confirms other tokens than there are.
    #[error("the strategy confirmed tokens {from} to {to} of the output, which has others there, or none")]
    Confirm {
        /// The first.
        from: usize,
        /// One after the last.
        to: usize,
    },
    /// More logits than appended tokens, or none.
    #[error("the strategy wanted the logits of {rows} of {append} appended tokens: it must be 1 to {append}")]
    Rows {
        /// How many rows.
        rows: usize,
        /// How many tokens.
        append: usize,
    },
    /// Hypotheses that do not exist.
    #[error(
        "the strategy wanted {hypotheses} hypotheses, one of them from hypothesis {from}: {known} exist, and it may have {most}"
    )]
    Hypotheses {
        /// The hypotheses of the move.
        hypotheses: usize,
        /// The highest hypothesis that one of them goes on from, or ends with.
        from: usize,
        /// How many hypotheses exist.
        known: usize,
        /// The most hypotheses of this strategy.
        most: usize,
    },
}
