//! The columns of `summary.csv`: the figures of a cell.

use gramask_decode::Finish;
use serde::Serialize;

use super::Show::{Known, NonZero, Several};
use super::cell_scores::ratio;
use super::{CellScores, Column, Head, Unit};
use crate::experiment::{Cell, TASK_FORMAT};

/// Makes [`SummaryRow`] and [`COLUMNS`] of a table. An entry reads
/// `name: type = unit, meaning, formula, how tables show it...;`.
macro_rules! summary_columns {
    ($($name:ident: $type:ty = $unit:ident, $meaning:literal, $formula:expr $(, $view:ident($($how:expr)?))*;)*) => {
        /// A line of `summary.csv`: the figures of a cell. Of a cell with several seeds they are those of all its outputs;
        /// precision, recall and F1 are means over the seeds.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        pub struct SummaryRow {
            /// The model.
            pub model: String,
            /// The corpus.
            pub corpus: String,
            /// The format.
            pub format: String,
            /// The level of the constraint.
            pub level: String,
            /// The strategy.
            pub strategy: String,
            $(#[doc = concat!($meaning, ".")] pub $name: $type,)*
        }

        impl SummaryRow {
            /// The figures of a cell, from all its scores.
            pub(crate) fn of(cell: &Cell, scores: &CellScores<'_>) -> SummaryRow {
                SummaryRow {
                    model: cell.model.clone(),
                    corpus: cell.corpus.clone(),
                    format: cell.format.clone(),
                    level: cell.level.to_string(),
                    strategy: cell.strategy.to_string(),
                    $($name: {
                        let formula: fn(&CellScores<'_>) -> $type = $formula;
                        formula(scores)
                    },)*
                }
            }

            /// The row as it is written, with six digits after the point: more would only pretend.
            pub(crate) fn rounded(&self) -> SummaryRow {
                let mut row = self.clone();
                $(row.$name = row.$name.rounded();)*
                row
            }
        }

        /// The columns of `summary.csv` after the names of the cell, in their order.
        pub const COLUMNS: &[Column] = &[
            $(Column::new(stringify!($name), Unit::$unit, $meaning, |row| row.$name.number())$(.$view($($how)?))*,)*
        ];
    };
}

summary_columns! {
    documents: usize = Count, "Documents; each has an output for each seed",
        |cell| cell.documents();
    parse_rate: f64 = Share, "The share of decoded outputs that the strict reader parses",
        |cell| cell.share(|row| row.parsed),
        terminal(Head::new(1, "parse\n%")),
        report(Head::new(6, "parses %"));
    precision: f64 = Score, "Strict precision, micro-averaged",
        |cell| cell.seed_mean(|scores| scores.strict.precision),
        terminal(Head::new(5, "P").spare(8)),
        report(Head::new(4, "P").meaning("Strict precision, %").digits(1)),
        of_entities();
    recall: f64 = Score, "Strict recall, micro-averaged",
        |cell| cell.seed_mean(|scores| scores.strict.recall),
        terminal(Head::new(6, "R").spare(8)),
        report(Head::new(5, "R").meaning("Strict recall, %").digits(1)),
        of_entities();
    f1: f64 = Score, "Strict F1, micro-averaged",
        |cell| cell.seed_mean(|scores| scores.strict.f1),
        terminal(Head::new(2, "F1").leading()),
        report(Head::new(1, "F1")
            .meaning("Strict F1 in percent, with its 95 % interval by a bootstrap over the documents")
            .digits(1)
            .ranked()
            .leading()),
        of_entities();
    not_in_document_rate: f64 = Share, "The share of predicted entities whose text the document does not hold",
        |cell| ratio(cell.sum(|row| row.not_in_document) as f64, cell.sum(|row| row.predicted)).unwrap_or(0.0),
        terminal(Head::new(7, "not in\ndoc %").spare(5)),
        report(Head::new(7, "not in doc %").when(NonZero)),
        of_entities();
    truncation_rate: f64 = Share, "The share of decoded outputs that the budget or the context ended",
        |cell| cell.share(|row| row.finish.is_some_and(|finish| !finish.is_complete())),
        terminal(Head::new(9, "cut\noff %").spare(7)),
        report(Head::new(9, "cut off %").when(NonZero));
    tokens_per_second: f64 = PerSecond, "Output tokens per second of wall clock, prompts included in the time",
        |cell| cell.per_second(cell.sum(|row| row.output_tokens) as f64),
        terminal(Head::new(10, "tok/s").digits(1)),
        report(Head::new(11, "tok/s").digits(0).when(NonZero));
    documents_per_second: f64 = PerSecond, "Documents per second of wall clock",
        |cell| cell.per_second(cell.outputs() as f64),
        terminal(Head::new(11, "docs/s")),
        report(Head::new(10, "docs/s").when(NonZero));
    mask_us_per_token: f64 = Microseconds, "Mask work per output token, without the compilation of the documents' constraints",
        |cell| cell.per_token(cell.total(|row| row.mask_us)),
        terminal(Head::new(12, "mask\nms/tok").digits(4).spare(4)),
        only(SummaryRow::has_mask);
    compile_us_per_document: f64 = Microseconds, "The compilation of a document's constraint, on average",
        |cell| cell.per_output(cell.total(|row| row.compile_us));
    copy_failure_rate: f64 = Share, "The share of decoded outputs whose copied text is not the document",
        |cell| cell.share(|row| row.copy_failed > 0),
        terminal(Head::new(8, "copy\nfailed %").when(NonZero).spare(6)),
        report(Head::new(8, "copy failed %").when(NonZero));
    f1_exact: f64 = Score, "F1 of exact boundaries, whatever the label",
        |cell| cell.seed_mean(|scores| scores.exact.f1);
    f1_partial: f64 = Score, "F1 where an overlap counts half, whatever the label",
        |cell| cell.seed_mean(|scores| scores.partial.f1);
    f1_type: f64 = Score, "F1 of the label and any overlap",
        |cell| cell.seed_mean(|scores| scores.type_.f1);
    gold: usize = Count, "Gold entities",
        |cell| cell.sum(|row| row.gold);
    predicted: usize = Count, "Predicted entities, those without a place in the document among them",
        |cell| cell.sum(|row| row.predicted);
    inexpressible: usize = Count, "Gold entities that the format cannot express; they count as missed",
        |cell| cell.sum(|row| row.inexpressible);
    not_decoded: usize = Count, "Documents that could not be decoded at all; their gold entities count as missed",
        |cell| cell.count(|row| row.not_decoded > 0),
        terminal(Head::new(1, "not\ndecoded").digits(0).when(NonZero)),
        report(Head::new(6, "not decoded").digits(0).when(NonZero));
    removed_nats: f64 = Nats,
        "Minus the logarithm of the probability that the masks left, per output, over the steps where it is known",
        |cell| cell.per_output(cell.total(|row| row.removed));
    independent_read: usize = Count, "Outputs that an independent parser of the syntax reads",
        |cell| cell.count(|row| row.independent == Some(true));
    independent_asked: usize = Count, "Outputs that an independent parser was asked to read",
        |cell| cell.count(|row| row.independent.is_some());
    output_tokens: usize = Count, "Tokens of the outputs",
        |cell| cell.sum(|row| row.output_tokens);
    wall_s: f64 = Seconds, "The time by the wall clock",
        |cell| cell.total(|row| row.wall_s);
    forced_rate: f64 = Share, "The share of output tokens that were appended without asking the model",
        |cell| cell.per_token(cell.sum(|row| row.forced) as f64),
        terminal(Head::new(13, "forced\n%").when(NonZero)),
        report(Head::new(15, "forced %").when(NonZero));
    drafted_rate: f64 = Share, "The share of output tokens that were proposed without the model and confirmed by it",
        |cell| cell.per_token(cell.sum(|row| row.drafted) as f64),
        terminal(Head::new(14, "drafted\n%").when(NonZero)),
        report(Head::new(16, "drafted %").when(NonZero));
    known_steps: usize = Count, "Steps at which it is known what the mask removed",
        |cell| cell.sum(|row| row.known_steps);
    removed_mass: Option<f64> = Share, "The probability that the masks removed, on average over the known steps",
        |cell| ratio(cell.total(|row| row.removed_mass), cell.sum(|row| row.known_steps)),
        terminal(Head::new(15, "removed\n%").when(NonZero)),
        report(Head::new(12, "removed %")
            .meaning("The probability that the mask removed, by the grammar and by the budget, on average over the tokens that the model was asked about")
            .when(NonZero)),
        only(|row| row.has_mask() && row.all_known());
    log_weight: Option<f64> = Nats, "The logarithm of the importance weight, on average over the outputs of which it is known",
        |cell| cell.mean_known(|row| row.log_weight),
        terminal(Head::new(16, "log\nweight").when(NonZero)),
        report(Head::new(13, "log weight")
            .meaning("The logarithm of the output's importance weight, in nats, on average")
            .when(NonZero)),
        only(SummaryRow::has_mask);
    log_weight_known: usize = Count, "Outputs of which the importance weight is known",
        |cell| cell.count(|row| row.log_weight.is_some());
    changed_best_per_output: f64 = PerOutput, "Steps per output at which the mask refused the model's likeliest token",
        |cell| cell.per_output(cell.sum(|row| row.changed_best) as f64),
        terminal(Head::new(17, "arg-max\nchanged").when(NonZero).spare(3)),
        report(Head::new(14, "arg-max changed").when(NonZero)),
        only(|row| row.has_mask() && row.known_steps > 0);
    non_canonical_rate: Option<f64> = Share,
        "The share of output tokens that the tokenizer would not have produced, over the outputs of which that is known",
        |cell| {
            let known = cell.sum(|row| row.non_canonical.map_or(0, |_| row.output_tokens));
            ratio(cell.sum(|row| row.non_canonical.unwrap_or(0)) as f64, known)
        },
        terminal(Head::new(18, "non-\ncanon. %").when(NonZero).spare(2));
    // It compares cells, so that `summary_rows` fills it in.
    changed_documents: Option<usize> = Count, "Documents whose entities differ from those of the strategy masked",
        |_| None,
        terminal(Head::new(19, "docs\nchanged").digits(0).when(NonZero)),
        report(Head::new(17, "docs changed").digits(0).when(Known)),
        of_entities();
    attempts_per_document: f64 = PerOutput, "Outputs that the strategy tried",
        |cell| cell.per_output(cell.sum(|row| row.attempts) as f64);
    discarded_per_document: f64 = PerOutput, "Tokens that were chosen and then given up",
        |cell| cell.per_output(cell.sum(|row| row.discarded) as f64);
    refused_drafts_per_document: f64 = PerOutput, "Tokens that were proposed without the model and not confirmed by it",
        |cell| cell.per_output(cell.sum(|row| row.refused_drafts) as f64);
    log_valid: Option<f64> = Nats,
        "The estimated logarithm of the probability that an unconstrained sample is valid, on average where there is one",
        |cell| cell.mean_known(|row| row.log_valid);
    repaired_rate: f64 = Share, "The share of outputs that a repair changed",
        |cell| cell.share(|row| row.repaired == Some(true));
    f1_low: f64 = Score, "The lower end of the 95 % interval of strict F1, by a bootstrap over the documents",
        |cell| cell.f1_interval().low,
        terminal(Head::new(3, "95 %").spare(6).up_to(|row| row.f1_high)),
        report(Head::new(2, "95 %").meaning("The interval of F1").up_to(|row| row.f1_high)),
        of_entities();
    f1_high: f64 = Score, "The upper end of the same interval",
        |cell| cell.f1_interval().high;
    restored_s: f64 = Seconds, "The time of prompts that were taken over from another cell; rates count it beside wall_s",
        |cell| cell.total(|row| row.restored_s);
    seeds: usize = Count, "Seeds of sampling that the cell was carried out with",
        |cell| cell.seeds(),
        terminal(Head::new(4, "seeds").digits(0).when(Several));
    f1_seeds_sd: Option<f64> = Score, "The standard deviation of strict F1 over the seeds",
        |cell| cell.seed_deviation(|scores| scores.strict.f1),
        report(Head::new(3, "sd of seeds")
            .meaning("The standard deviation of F1 over the seeds of sampling, in points")
            .digits(1)
            .when(Known));
    f1_parse: Option<f64> = Score, "Strict F1 where faults of syntax and of labels are forgiven",
        |cell| cell.lenient_f1(|at| at.parse);
    f1_copy: Option<f64> = Score, "The same where faults of copied text are forgiven, too",
        |cell| cell.lenient_f1(|at| at.copy);
    f1_count: Option<f64> = Score, "The same where positions and numbers are forgiven, too",
        |cell| cell.lenient_f1(|at| at.count);
    squeezed_rate: f64 = Share,
        "The share of decoded outputs that are complete, but at some step of which the budget refused a token that would have been taken",
        |cell| cell.share(|row| row.finish == Some(Finish::Squeezed)),
        terminal(Head::new(9, "squeezed\n%").when(NonZero).spare(7)),
        report(Head::new(9, "squeezed %")
            .meaning("The share of outputs that the budget made shorter: at some step it refused a token that would have been taken")
            .when(NonZero));
    removed_by_budget: Option<f64> = Share,
        "The part of removed_mass that the budget removed, of tokens that the grammar allows; the grammar removed the rest",
        |cell| {
            let known = cell.sum(|row| row.removed_by_budget.map_or(0, |_| row.known_steps));
            ratio(cell.total(|row| row.removed_by_budget.unwrap_or(0.0)), known)
        },
        terminal(Head::new(15, "by\nbudget %").when(NonZero).spare(3)),
        report(Head::new(12, "by budget %")
            .meaning("The part of the removed probability that the budget removed, of tokens that the grammar allows")
            .when(NonZero)),
        only(|row| row.has_mask() && row.all_known());
    changed_best_by_budget: Option<f64> = PerOutput,
        "Steps per output of changed_best_per_output at which the grammar allows the token, so that the budget refused it",
        |cell| {
            let known = cell.count(|row| row.changed_best_by_budget.is_some());
            ratio(cell.sum(|row| row.changed_best_by_budget.unwrap_or(0)) as f64, known)
        };
    decoded: usize = Count, "Outputs: the documents that could be decoded, for each seed. Where there is none, all rates and scores are empty",
        |cell| cell.outputs();
    valid_rate: Option<f64> = Share,
        "Of tasks: the share of answers that are valid, as a validator finds that is independent of the masks",
        |cell| cell.known_share(|row| row.valid),
        terminal(Head::new(2, "valid\n%").when(Known).leading()),
        report(Head::new(1, "valid %").when(Known).leading());
    valid_low: Option<f64> = Share, "The lower end of the 95 % interval of valid_rate (Wilson's)",
        |cell| cell.wilson(|row| row.valid).map(|interval| interval.low),
        terminal(Head::new(3, "95 %").when(Known).spare(6).up_to(|row| row.valid_high.unwrap_or(f64::NAN))),
        report(Head::new(2, "95 %").meaning("The interval of the valid answers' share").when(Known)
            .up_to(|row| row.valid_high.unwrap_or(f64::NAN)));
    valid_high: Option<f64> = Share, "The upper end of the same interval",
        |cell| cell.wilson(|row| row.valid).map(|interval| interval.high);
    exact_rate: Option<f64> = Share, "Of tasks: the share of answers that are the expected text, where one is expected",
        |cell| cell.known_share(|row| row.exact_answer),
        terminal(Head::new(4, "exact\n%").when(Known)),
        report(Head::new(4, "exact %").when(Known));
    equal_rate: Option<f64> = Share, "Of tasks: the share of answers that are JSON of the expected value, where one is expected",
        |cell| cell.known_share(|row| row.equal_answer),
        terminal(Head::new(5, "equal\n%").when(Known)),
        report(Head::new(5, "equal %").when(Known));
}

impl SummaryRow {
    /// Whether no document of the cell could be decoded, so that it has no figures.
    pub fn decoded_nothing(&self) -> bool {
        self.documents > 0 && self.decoded == 0
    }

    /// Whether its outputs answer tasks, and say no entities.
    pub fn is_of_tasks(&self) -> bool {
        self.valid_rate.is_some() || self.decoded_nothing() && self.format == TASK_FORMAT
    }

    /// Whether a mask was at work.
    pub fn has_mask(&self) -> bool {
        self.level != "none"
    }

    /// Whether the masks' work is known of all tokens that the model was asked about. Where it is known of a part only, as with
    /// `lazy` of the refused ones, its mean would mislead beside the others.
    pub fn all_known(&self) -> bool {
        let asked = self.output_tokens as f64 * (1.0 - self.forced_rate);
        self.known_steps as f64 >= asked - 0.5
    }
}

/// A value of a column.
trait Figure: Sized {
    /// With six digits after the point.
    fn rounded(self) -> Self;
    /// As a number; none where it is not known.
    fn number(&self) -> Option<f64>;
}

impl Figure for f64 {
    fn rounded(self) -> f64 {
        // Adding 0 keeps a mean of nothing from being written as -0.
        (self * 1e6).round() / 1e6 + 0.0
    }

    fn number(&self) -> Option<f64> {
        Some(*self)
    }
}

impl Figure for usize {
    fn rounded(self) -> usize {
        self
    }

    fn number(&self) -> Option<f64> {
        Some(*self as f64)
    }
}

impl<T: Figure> Figure for Option<T> {
    fn rounded(self) -> Option<T> {
        self.map(T::rounded)
    }

    fn number(&self) -> Option<f64> {
        self.as_ref().and_then(T::number)
    }
}
