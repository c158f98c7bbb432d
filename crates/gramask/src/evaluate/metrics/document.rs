//! The columns of `scores.csv`: the counts of one document's output.

use gramask_decode::Finish;
use gramask_grammar::Level;
use gramask_ner::metrics::{Leniencies, Matches, Schemes, Score};
use serde::{Deserialize, Serialize};

use crate::evaluate::score::output_digest;
use crate::experiment::{Cell, StrategyName};
use crate::store::{FaultKind, Record};

/// What the formulas of the columns are given.
pub struct DocumentScores<'a> {
    /// The record.
    pub record: &'a Record,
    /// The scores of its entities.
    pub schemes: Schemes<Score>,
    /// The matches at each leniency, where they are known.
    pub leniencies: Option<Leniencies>,
}

impl DocumentScores<'_> {
    fn faults(&self, kind: FaultKind) -> usize {
        self.record.errors.iter().filter(|fault| fault.kind == kind).count()
    }

    fn lenient(&self, pick: impl Fn(&Leniencies) -> usize) -> Option<usize> {
        self.leniencies.as_ref().map(pick)
    }
}

/// The strict matches of a document.
pub fn strict_matches(schemes: &Schemes<Score>) -> Matches {
    let counts = &schemes.strict.counts;
    Matches { gold: counts.possible(), predicted: counts.actual(), found: counts.correct, right: counts.correct }
}

/// Makes [`ScoreRow`] and [`SCORE_COLUMNS`] of a table. An entry reads `"meaning" name: type = formula;`, with `, volatile` where
/// the value can differ from one time to another though the output is the same.
macro_rules! score_columns {
    ($($meaning:literal $(#[$attribute:meta])* $name:ident: $type:ty = $formula:expr $(, $volatile:ident)?;)*) => {
        /// A line of `scores.csv`: a record without its texts. The fields are the columns, in order.
        ///
        /// Statistics need counts, not texts. The licences of most corpora forbid to pass their texts on, so that records, which
        /// quote them, stay where they were made. Scores can be published, and a run can go on from them elsewhere.
        ///
        /// Numbers have six digits after the point, here as in the file, so that figures computed from a file are those computed
        /// from records.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct ScoreRow {
            /// The cell's model.
            pub model: String,
            /// The cell's corpus.
            pub corpus: String,
            /// The cell's format.
            pub format: String,
            /// The cell's level.
            pub level: Level,
            /// The cell's strategy.
            pub strategy: StrategyName,
            /// The cell's seed, where it has one of its own.
            pub seed: Option<u64>,
            /// The document's identifier.
            pub document: String,
            $(#[doc = concat!($meaning, ".")] $(#[$attribute])* pub $name: $type,)*
        }

        impl ScoreRow {
            /// The scores of a document.
            pub(crate) fn measure(scores: &DocumentScores<'_>) -> ScoreRow {
                let Record { cell, document, .. } = scores.record;
                ScoreRow {
                    model: cell.model.clone(),
                    corpus: cell.corpus.clone(),
                    format: cell.format.clone(),
                    level: cell.level,
                    strategy: cell.strategy,
                    seed: cell.seed,
                    document: document.clone(),
                    $($name: {
                        let formula: fn(&DocumentScores<'_>) -> $type = $formula;
                        formula(scores).rounded()
                    },)*
                }
            }

            /// Whether two lines are of the same output of a document. Times differ, and so do the last digits of probabilities,
            /// which depend on the documents that are decoded in the same batch.
            pub fn same_output(&self, other: &ScoreRow) -> bool {
                let (mut one, mut other) = (self.clone(), other.clone());
                for row in [&mut one, &mut other] {
                    $($(
                        // The word marks the entry.
                        let _ = stringify!($volatile);
                        row.$name = Default::default();
                    )?)*
                }
                one == other
            }
        }

        /// The columns of `scores.csv` after the names of cell and document, in their order, each with its meaning.
        pub const SCORE_COLUMNS: &[(&str, &str)] = &[$((stringify!($name), $meaning),)*];
    };
}

score_columns! {
    "Gold entities"
    gold: usize = |scores| scores.schemes.strict.counts.possible();
    "Predicted entities, those without a place in the document among them"
    predicted: usize = |scores| scores.schemes.strict.counts.actual();
    "Predicted entities that are right: same label and fragments"
    strict: usize = |scores| scores.schemes.strict.counts.correct;
    "Predicted entities with the fragments of a gold one, whatever the label"
    exact: usize = |scores| scores.schemes.exact.counts.correct;
    "Predicted entities that only overlap a gold one; they count half in the partial scheme"
    overlapping: usize = |scores| scores.schemes.partial.counts.partial;
    "Predicted entities with the label of a gold one that they overlap"
    #[serde(rename = "type")]
    type_: usize = |scores| scores.schemes.type_.counts.correct;
    "Predicted entities where faults of syntax and of labels are forgiven; empty where not known, as the columns up to count_found"
    parse_predicted: Option<usize> = |scores| scores.lenient(|at| at.parse.predicted);
    "Right ones of parse_predicted"
    parse_right: Option<usize> = |scores| scores.lenient(|at| at.parse.right);
    "Predicted entities where faults of copied text are forgiven, too"
    copy_predicted: Option<usize> = |scores| scores.lenient(|at| at.copy.predicted);
    "Right ones of copy_predicted"
    copy_right: Option<usize> = |scores| scores.lenient(|at| at.copy.right);
    "Predicted entities where positions and numbers are forgiven, too"
    count_predicted: Option<usize> = |scores| scores.lenient(|at| at.count.predicted);
    "Right ones of count_predicted: a gold entity has their label and surface"
    count_right: Option<usize> = |scores| scores.lenient(|at| at.count.right);
    "Gold entities whose label and surface a prediction has"
    count_found: Option<usize> = |scores| scores.lenient(|at| at.count.found);
    "Whether the strict reader parses the output"
    parsed: bool = |scores| scores.record.parsed;
    "Why the output ended: end (an end token), squeezed (an end token, after the budget had refused a token that would have been taken), budget or context (cut off); empty where the document could not be decoded"
    finish: Option<Finish> = |scores| scores.record.finish;
    "Whether an independent parser reads the output; empty where none is asked"
    independent: Option<bool> = |scores| scores.record.independent;
    "Of a task: whether a validator that is independent of the masks accepts the answer"
    #[serde(default)]
    valid: Option<bool> = |scores| scores.record.answer.map(|answer| answer.valid);
    "Of a task: whether the answer is the expected text; empty where none is expected"
    #[serde(default)]
    exact_answer: Option<bool> = |scores| scores.record.answer.and_then(|answer| answer.exact);
    "Of a task: whether the answer is JSON of the expected value; empty where none in JSON is expected"
    #[serde(default)]
    equal_answer: Option<bool> = |scores| scores.record.answer.and_then(|answer| answer.equal);
    "Gold entities that the format cannot express"
    inexpressible: usize = |scores| scores.record.inexpressible;
    "Faults of syntax"
    syntax: usize = |scores| scores.faults(FaultKind::Syntax);
    "Mentions that the document does not hold"
    not_in_document: usize = |scores| scores.faults(FaultKind::NotInDocument);
    "Labels that the schema does not have"
    unknown_label: usize = |scores| scores.faults(FaultKind::UnknownLabel);
    "Views of an entity that disagree"
    disagree: usize = |scores| scores.faults(FaultKind::Disagree);
    "Entities that were written twice"
    duplicate: usize = |scores| scores.faults(FaultKind::Duplicate);
    "Copies that are not the document"
    copy_failed: usize = |scores| scores.faults(FaultKind::CopyFailed);
    "Documents that could not be decoded"
    not_decoded: usize = |scores| scores.faults(FaultKind::NotDecoded);
    "Tokens of the prompt"
    prompt_tokens: usize = |scores| scores.record.tokens.prompt;
    "Tokens of the output"
    output_tokens: usize = |scores| scores.record.tokens.output;
    "Output tokens that were chosen from the model's logits"
    sampled: usize = |scores| scores.record.tokens.sampled;
    "Output tokens that were appended without asking the model"
    forced: usize = |scores| scores.record.tokens.forced;
    "Output tokens that were proposed without the model and confirmed by it"
    drafted: usize = |scores| scores.record.tokens.drafted;
    "Seconds by the wall clock"
    wall_s: f64 = |scores| scores.record.times.wall_s, volatile;
    "Seconds that the prompt took in the cell that it was taken over from"
    #[serde(default)]
    restored_s: f64 = |scores| scores.record.times.restored_s, volatile;
    "Microseconds of work on masks"
    mask_us: f64 = |scores| scores.record.times.mask_us, volatile;
    "Microseconds to compile the document's constraint"
    compile_us: f64 = |scores| scores.record.times.compile_us, volatile;
    "Minus the logarithm of the probability that the masks left"
    removed: f64 = |scores| scores.record.removed, volatile;
    "The logarithm of the importance weight; empty where not known"
    log_weight: Option<f64> = |scores| scores.record.distortion.log_weight, volatile;
    "Steps at which it is known what the mask removed"
    known_steps: usize = |scores| scores.record.distortion.known_steps;
    "The probability that the masks removed, summed over the known steps"
    removed_mass: f64 = |scores| scores.record.distortion.removed_mass, volatile;
    "The part of removed_mass that the budget removed, of tokens that the grammar allows; empty where not known"
    #[serde(default)]
    removed_by_budget: Option<f64> = |scores| scores.record.distortion.removed_by_budget, volatile;
    "Steps at which the mask refused the model's likeliest token"
    changed_best: usize = |scores| scores.record.distortion.changed_best, volatile;
    "Steps of changed_best at which the grammar allows that token, so that the budget refused it; empty where not known"
    #[serde(default)]
    changed_best_by_budget: Option<usize> = |scores| scores.record.distortion.changed_best_by_budget, volatile;
    "Output tokens that the tokenizer would not have produced; empty where not known"
    non_canonical: Option<usize> = |scores| scores.record.distortion.non_canonical;
    "Outputs that the strategy tried"
    attempts: usize = |scores| scores.record.effort.attempts, volatile;
    "Tokens that were chosen and then given up"
    discarded: usize = |scores| scores.record.effort.discarded, volatile;
    "Tokens that were proposed without the model and not confirmed by it"
    refused_drafts: usize = |scores| scores.record.effort.refused_drafts, volatile;
    "The estimated logarithm of the probability that an unconstrained sample is valid; empty where there is none"
    log_valid: Option<f64> = |scores| scores.record.effort.log_valid, volatile;
    "Whether a repair changed the output; empty where none was made"
    repaired: Option<bool> = |scores| scores.record.repaired.as_ref().map(|repaired| repaired.rewritten);
    "The first digits of a SHA-256 of all labels and fragments in sorted order: equal where two outputs have the same entities"
    said: String = |scores| output_digest(&scores.record.entities);
}

impl ScoreRow {
    /// The cell.
    pub fn cell(&self) -> Cell {
        Cell {
            model: self.model.clone(),
            corpus: self.corpus.clone(),
            format: self.format.clone(),
            level: self.level,
            strategy: self.strategy,
            seed: self.seed,
        }
    }

    /// The matches at each leniency; none where they are not known.
    pub fn leniencies(&self) -> Option<Leniencies> {
        let matches = |predicted, right, found| Matches { gold: self.gold, predicted, found, right };
        Some(Leniencies {
            strict: self.matches(),
            parse: matches(self.parse_predicted?, self.parse_right?, self.parse_right?),
            copy: matches(self.copy_predicted?, self.copy_right?, self.copy_right?),
            count: matches(self.count_predicted?, self.count_right?, self.count_found?),
        })
    }

    /// The strict matches.
    pub fn matches(&self) -> Matches {
        Matches { gold: self.gold, predicted: self.predicted, found: self.strict, right: self.strict }
    }
}

/// A value of a column.
trait Value: Sized {
    /// With six digits after the point, where it is a fraction.
    fn rounded(self) -> Self {
        self
    }
}

impl Value for f64 {
    fn rounded(self) -> f64 {
        (self * 1e6).round() / 1e6
    }
}

impl Value for Option<f64> {
    fn rounded(self) -> Option<f64> {
        self.map(f64::rounded)
    }
}

impl Value for usize {}
impl Value for bool {}
impl Value for String {}
impl Value for Option<usize> {}
impl Value for Option<bool> {}
impl Value for Option<Finish> {}
