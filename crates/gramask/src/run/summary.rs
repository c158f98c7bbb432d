//! From records to one row per cell.
//!
//! A summary is computed from the scores of the records alone, so that a run in several sessions, or one that went on from the
//! scores of another machine, gives the same figures as one that was never stopped.

use std::collections::BTreeMap;

use gramask_decode::Finish;
use gramask_ner::Schema;
use gramask_ner::metrics::{Counts, Leniencies, Matches, Tally, mean_interval};
use serde::Serialize;

use super::record::Record;
use super::scored::Scored;
use crate::experiment::Cell;

/// The figures of a cell. Rates are between 0 and 1. Of a cell with several seeds they are those of all its outputs; precision,
/// recall and F1 are means over the seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
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
    /// How many documents; each has an output for each seed.
    pub documents: usize,
    /// The share of outputs that the strict reader parses.
    pub parse_rate: f64,
    /// Strict precision, micro-averaged.
    pub precision: f64,
    /// Strict recall.
    pub recall: f64,
    /// Strict F1.
    pub f1: f64,
    /// The share of predicted entities whose text is not in the document.
    pub not_in_document_rate: f64,
    /// The share of outputs that were cut off by the budget or the context.
    pub truncation_rate: f64,
    /// Output tokens per second, prompts included in the time: see [`Row::restored_s`].
    pub tokens_per_second: f64,
    /// Documents per second.
    pub documents_per_second: f64,
    /// Microseconds of mask work per output token, the compilation of the documents' constraints not included.
    pub mask_us_per_token: f64,
    /// Microseconds to compile a document's constraint, on average.
    pub compile_us_per_document: f64,
    /// The share of outputs of a format that copies the document, of which the copy is not the document.
    pub copy_failure_rate: f64,
    /// Exact-boundary F1, whatever the label.
    pub f1_exact: f64,
    /// Partial F1.
    pub f1_partial: f64,
    /// Type F1.
    pub f1_type: f64,
    /// Gold entities.
    pub gold: usize,
    /// Predicted entities, those without a place in the document among them.
    pub predicted: usize,
    /// Gold entities that the format cannot express; they count as missed.
    pub inexpressible: usize,
    /// Documents that could not be decoded at all.
    pub not_decoded: usize,
    /// Minus the logarithm of the probability mass that the masks left, in nats per output, over the steps where it is known.
    pub removed_nats: f64,
    /// Outputs that an independent parser of the syntax reads.
    pub independent_read: usize,
    /// Outputs that it was asked to read.
    pub independent_asked: usize,
    /// Tokens of the outputs.
    pub output_tokens: usize,
    /// Seconds by the wall clock.
    pub wall_s: f64,
    /// The share of output tokens that were forced.
    pub forced_rate: f64,
    /// The share of output tokens that were drafted and confirmed.
    pub drafted_rate: f64,
    /// The steps at which it is known what the mask removed.
    pub known_steps: usize,
    /// The probability that the masks removed, on average over the known steps; none where no step is known.
    pub removed_mass: Option<f64>,
    /// The logarithm of the importance weight, on average over the outputs of which it is known; none where of no output.
    pub log_weight: Option<f64>,
    /// The outputs of which the importance weight is known.
    pub log_weight_known: usize,
    /// Steps per output at which the mask refused the model's likeliest token.
    pub changed_best_per_output: f64,
    /// The share of output tokens that the tokenizer would not have produced for the output's text, over the outputs of which
    /// that is known; none where of no output.
    pub non_canonical_rate: Option<f64>,
    /// Outputs whose entities differ from those of the strategy `masked` in the same place; none where that was not run.
    pub changed_documents: Option<usize>,
    /// Outputs tried per document.
    pub attempts_per_document: f64,
    /// Tokens per document that were chosen and then given up.
    pub discarded_per_document: f64,
    /// Tokens per document that were proposed and not confirmed.
    pub refused_drafts_per_document: f64,
    /// The estimates of the logarithm of the probability that an unconstrained sample is valid, on average over the documents
    /// that have one.
    pub log_valid: Option<f64>,
    /// The share of outputs that were changed by a repair.
    pub repaired_rate: f64,
    /// The lower end of strict F1's 95 % interval, by a bootstrap over the documents ([`mean_interval`]).
    pub f1_low: f64,
    /// The upper end.
    pub f1_high: f64,
    /// Seconds that prompts took which were taken over from another cell. Rates are over `wall_s` and these, so that they do not
    /// depend on which cell came first.
    pub restored_s: f64,
    /// How many seeds the cell was carried out with.
    pub seeds: usize,
    /// The standard deviation of the seeds' strict F1; none of one seed.
    pub f1_seeds_sd: Option<f64>,
    /// Strict F1 where faults of syntax and of labels are forgiven ([`Leniencies`]); none where that is not known of all outputs.
    pub f1_parse: Option<f64>,
    /// And where faults of copied text are.
    pub f1_copy: Option<f64>,
    /// And where positions and numbers are.
    pub f1_count: Option<f64>,
}

/// Bootstrap samples of an interval, and the seed that they are drawn with.
const SAMPLES: (usize, u64) = (2_000, 1);

/// The figures of a cell, from its records; those of other cells are passed over. What compares cells is left open: see
/// [`Row::changed_documents`].
pub fn summarise<'a>(cell: &Cell, schema: &Schema, records: impl IntoIterator<Item = &'a Record>) -> Row {
    let of_cell = records.into_iter().filter(|record| record.cell.seedless() == cell.seedless());
    let scored: Vec<Scored> = of_cell.map(|record| Scored::of(record, schema)).collect();
    summarise_scores(cell, &scored)
}

/// The figures of a cell, from scores; those of other cells are passed over, whatever the seed. The order of the scores does
/// not matter.
pub fn summarise_scores<'a>(cell: &Cell, scored: impl IntoIterator<Item = &'a Scored>) -> Row {
    let cell = cell.seedless();
    let mut of_cell: Vec<&Scored> = scored.into_iter().filter(|scored| scored.cell().seedless() == cell).collect();
    // Sums of floating-point numbers, and bootstrap samples, depend on an order.
    of_cell.sort_by(|a, b| (a.seed, &a.document).cmp(&(b.seed, &b.document)));
    let mut sums = Sums::default();
    of_cell.iter().for_each(|scored| sums.add(scored));
    let seeds = by_seed(&of_cell);
    let strict: Vec<Vec<Matches>> = of_common(&seeds, Scored::matches);
    let strict: Vec<&[Matches]> = strict.iter().map(Vec::as_slice).collect();
    let sure = mean_interval(&strict, 0.95, SAMPLES.0, SAMPLES.1);
    let scores: Vec<_> = seeds.values().map(|of| Schemes::of(of)).collect();
    let score = |figure: fn(&Schemes) -> f64| scores.iter().map(figure).sum::<f64>() / scores.len().max(1) as f64;
    let f1 = score(|scores| scores.strict.f1);
    let variance =
        || scores.iter().map(|scores| (scores.strict.f1 - f1).powi(2)).sum::<f64>() / (scores.len() - 1) as f64;
    let per = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let (outputs, tokens) = (of_cell.len() as f64, sums.tokens as f64);
    Row {
        model: cell.model.clone(),
        corpus: cell.corpus.clone(),
        format: cell.format.clone(),
        level: cell.level.to_string(),
        strategy: cell.strategy.to_string(),
        documents: seeds.values().map(BTreeMap::len).max().unwrap_or(0),
        parse_rate: per(sums.parsed as f64, outputs),
        precision: score(|scores| scores.strict.precision),
        recall: score(|scores| scores.strict.recall),
        f1,
        not_in_document_rate: per(sums.not_in_document as f64, sums.predicted as f64),
        truncation_rate: per(sums.cut as f64, outputs),
        tokens_per_second: per(tokens, sums.wall_s + sums.restored_s),
        documents_per_second: per(outputs, sums.wall_s + sums.restored_s),
        mask_us_per_token: per(sums.mask_us, tokens),
        compile_us_per_document: per(sums.compile_us, outputs),
        copy_failure_rate: per(sums.copy_failed as f64, outputs),
        f1_exact: score(|scores| scores.exact.f1),
        f1_partial: score(|scores| scores.partial.f1),
        f1_type: score(|scores| scores.type_.f1),
        gold: sums.gold,
        predicted: sums.predicted,
        inexpressible: sums.inexpressible,
        not_decoded: sums.not_decoded,
        removed_nats: per(sums.removed, outputs),
        independent_read: sums.independent_read,
        independent_asked: sums.independent_asked,
        output_tokens: sums.tokens,
        wall_s: sums.wall_s,
        forced_rate: per(sums.forced as f64, tokens),
        drafted_rate: per(sums.drafted as f64, tokens),
        known_steps: sums.known_steps,
        removed_mass: mean(sums.removed_mass, sums.known_steps),
        log_weight: mean(sums.log_weight, sums.log_weights),
        log_weight_known: sums.log_weights,
        changed_best_per_output: per(sums.changed_best as f64, outputs),
        non_canonical_rate: mean(sums.non_canonical as f64, sums.cut_known),
        changed_documents: None,
        attempts_per_document: per(sums.attempts as f64, outputs),
        discarded_per_document: per(sums.discarded as f64, outputs),
        refused_drafts_per_document: per(sums.refused_drafts as f64, outputs),
        log_valid: mean(sums.log_valid, sums.log_valids),
        repaired_rate: per(sums.repaired as f64, outputs),
        f1_low: sure.low,
        f1_high: sure.high,
        restored_s: sums.restored_s,
        seeds: seeds.len(),
        f1_seeds_sd: (scores.len() > 1).then(|| variance().sqrt()),
        f1_parse: forgiven(&seeds, |at| at.parse),
        f1_copy: forgiven(&seeds, |at| at.copy),
        f1_count: forgiven(&seeds, |at| at.count),
    }
}

/// The mean over the seeds of the F1 at a leniency.
fn forgiven(seeds: &Seeds<'_>, pick: fn(&Leniencies) -> Matches) -> Option<f64> {
    let of_seed = |of: &BTreeMap<&str, &Scored>| {
        let mut all = Matches::default();
        for scored in of.values() {
            all.add(&pick(&scored.leniencies()?));
        }
        Some(all.f1())
    };
    let f1: Vec<f64> = seeds.values().map(of_seed).collect::<Option<_>>()?;
    (!f1.is_empty()).then(|| f1.iter().sum::<f64>() / f1.len() as f64)
}

/// The scores of each seed, by document.
pub(super) type Seeds<'a> = BTreeMap<Option<u64>, BTreeMap<&'a str, &'a Scored>>;

/// Sorts the scores of a cell by seed and document.
pub(super) fn by_seed<'a>(of_cell: &[&'a Scored]) -> Seeds<'a> {
    let mut seeds = Seeds::new();
    for scored in of_cell {
        seeds.entry(scored.seed).or_default().insert(&scored.document, scored);
    }
    seeds
}

/// Seed by seed, something of the documents that all seeds have, in one order.
pub(super) fn of_common<T>(seeds: &Seeds<'_>, pick: impl Fn(&Scored) -> T) -> Vec<Vec<T>> {
    let everywhere = |document: &str| seeds.values().all(|of| of.contains_key(document));
    let of_seed = |of: &BTreeMap<&str, &Scored>| {
        let kept = of.iter().filter(|(document, _)| everywhere(document));
        kept.map(|(_, scored)| pick(scored)).collect()
    };
    seeds.values().map(of_seed).collect()
}

/// Micro-averaged scores.
struct Schemes {
    strict: gramask_ner::metrics::Score,
    exact: gramask_ner::metrics::Score,
    partial: gramask_ner::metrics::Score,
    type_: gramask_ner::metrics::Score,
}

impl Schemes {
    fn of(scored: &BTreeMap<&str, &Scored>) -> Schemes {
        let sum = |correct: fn(&Scored) -> usize, partial: fn(&Scored) -> usize| {
            let mut all = Counts::default();
            for scored in scored.values() {
                let (correct, partial) = (correct(scored), partial(scored));
                all.add(&Counts {
                    correct,
                    incorrect: 0,
                    partial,
                    missed: scored.gold.saturating_sub(correct + partial),
                    spurious: scored.predicted.saturating_sub(correct + partial),
                });
            }
            all.score()
        };
        Schemes {
            strict: sum(|scored| scored.strict, |_| 0),
            exact: sum(|scored| scored.exact, |_| 0),
            partial: sum(|scored| scored.exact, |scored| scored.overlapping),
            type_: sum(|scored| scored.type_, |_| 0),
        }
    }
}

fn mean(sum: f64, of: usize) -> Option<f64> {
    (of > 0).then(|| sum / of as f64)
}

#[derive(Default)]
struct Sums {
    gold: usize,
    predicted: usize,
    parsed: usize,
    not_in_document: usize,
    tokens: usize,
    wall_s: f64,
    restored_s: f64,
    mask_us: f64,
    compile_us: f64,
    cut: usize,
    copy_failed: usize,
    inexpressible: usize,
    not_decoded: usize,
    removed: f64,
    independent_read: usize,
    independent_asked: usize,
    forced: usize,
    drafted: usize,
    known_steps: usize,
    removed_mass: f64,
    log_weight: f64,
    log_weights: usize,
    changed_best: usize,
    non_canonical: usize,
    /// Tokens of the outputs of which it is known how they are cut.
    cut_known: usize,
    attempts: usize,
    discarded: usize,
    refused_drafts: usize,
    log_valid: f64,
    log_valids: usize,
    repaired: usize,
}

impl Sums {
    fn add(&mut self, scored: &Scored) {
        self.gold += scored.gold;
        self.predicted += scored.predicted;
        self.parsed += usize::from(scored.parsed);
        self.not_in_document += scored.not_in_document;
        self.tokens += scored.output_tokens;
        self.wall_s += scored.wall_s;
        self.restored_s += scored.restored_s;
        self.mask_us += scored.mask_us;
        self.compile_us += scored.compile_us;
        self.cut += usize::from(matches!(scored.finish, Some(Finish::Budget | Finish::Context)));
        self.copy_failed += usize::from(scored.copy_failed > 0);
        self.not_decoded += usize::from(scored.not_decoded > 0);
        self.inexpressible += scored.inexpressible;
        self.removed += scored.removed;
        self.independent_read += usize::from(scored.independent == Some(true));
        self.independent_asked += usize::from(scored.independent.is_some());
        self.forced += scored.forced;
        self.drafted += scored.drafted;
        self.known_steps += scored.known_steps;
        self.removed_mass += scored.removed_mass;
        self.log_weight += scored.log_weight.unwrap_or(0.0);
        self.log_weights += usize::from(scored.log_weight.is_some());
        self.changed_best += scored.changed_best;
        if let Some(count) = scored.non_canonical {
            self.non_canonical += count;
            self.cut_known += scored.output_tokens;
        }
        self.attempts += scored.attempts;
        self.discarded += scored.discarded;
        self.refused_drafts += scored.refused_drafts;
        self.log_valid += scored.log_valid.unwrap_or(0.0);
        self.log_valids += usize::from(scored.log_valid.is_some());
        self.repaired += usize::from(scored.repaired == Some(true));
    }
}

/// `summary.csv`: a line per row, with the names of the columns first. Rates and times have six digits after the point.
///
/// # Errors
/// When a row cannot be written as CSV.
pub fn to_csv(rows: &[Row]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row.rounded())?;
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Row {
    /// Whether the masks' work is known of all tokens that the model was asked about. Where it is known of a part only, as with
    /// `lazy` of the refused ones, its mean would mislead beside the others.
    pub fn all_known(&self) -> bool {
        let asked = self.output_tokens as f64 * (1.0 - self.forced_rate);
        self.known_steps as f64 >= asked - 0.5
    }

    /// The row as it is written: more digits would only pretend.
    fn rounded(&self) -> Row {
        let mut row = self.clone();
        let optional = [
            row.removed_mass.as_mut(),
            row.log_weight.as_mut(),
            row.non_canonical_rate.as_mut(),
            row.log_valid.as_mut(),
            row.f1_seeds_sd.as_mut(),
            row.f1_parse.as_mut(),
            row.f1_copy.as_mut(),
            row.f1_count.as_mut(),
        ];
        let always = [
            &mut row.parse_rate,
            &mut row.precision,
            &mut row.recall,
            &mut row.f1,
            &mut row.not_in_document_rate,
            &mut row.truncation_rate,
            &mut row.tokens_per_second,
            &mut row.documents_per_second,
            &mut row.mask_us_per_token,
            &mut row.compile_us_per_document,
            &mut row.copy_failure_rate,
            &mut row.f1_exact,
            &mut row.f1_partial,
            &mut row.f1_type,
            &mut row.removed_nats,
            &mut row.wall_s,
            &mut row.restored_s,
            &mut row.forced_rate,
            &mut row.drafted_rate,
            &mut row.changed_best_per_output,
            &mut row.attempts_per_document,
            &mut row.discarded_per_document,
            &mut row.refused_drafts_per_document,
            &mut row.repaired_rate,
            &mut row.f1_low,
            &mut row.f1_high,
        ];
        for value in always.into_iter().chain(optional.into_iter().flatten()) {
            // Adding 0 keeps a mean of nothing from being written as -0.
            *value = (*value * 1e6).round() / 1e6 + 0.0;
        }
        row
    }
}

#[cfg(test)]
mod tests;
