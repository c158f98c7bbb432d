//! How well predicted entities match the gold ones.
//!
//! A [`Scorer`] is fed one document at a time: the gold entities, and a [`Prediction`], which is what became of the model's
//! output. Its [`Summary`] has precision, recall and F1, micro-averaged and per label, by the four schemes of SemEval 2013 task
//! 9.1: strict, exact boundary, partial and type (see [`Schemes`]). It also has a count of each kind of error ([`ErrorCounts`]).
//!
//! For flat entities the schemes give what the Python package `nervaluate` gives (tests compare them). Where entities nest or are
//! discontinuous, that package's result depends on the order of the list. Here exact matches are paired first, and the rest in
//! document order. So strict and exact scores are those of set intersection.

mod errors;
mod gap;
mod leniency;
mod matching;
mod schemes;
mod scorer;
mod share;
mod significance;

pub use errors::{ErrorCounts, Verdict, VerdictKind, verdicts};
pub use gap::{Gap, Parts, gap, losses};
pub use leniency::{Leniencies, Matches};
pub use schemes::{Counts, Schemes, Score};
pub use scorer::{Fault, FaultKind, LabelScores, Outcome, Prediction, Scorer, Summary};
pub use share::{Share, share_difference, wilson};
pub use significance::{
    Difference, Interval, Tally, Unpaired, difference, difference_interval, holm, interval, mean_difference,
    mean_interval,
};
