//! The comparison of two runs: the cells that both have, on the documents that both have.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use gramask_ner::metrics::{Interval, holm};

use super::browse::{Browser, BrowserCell, by_document};
use super::error::ReportError;
use super::figure::{Dot, Figure, FigureTable, Grid, Text, dots, number};
use super::headline::{Column, Entry, Table};
use super::page::Page;
use super::read::RunData;
use super::single::{LEFT_OUT, SCORES_ALONE, embedded, facts, program};
use super::tally::Tally;
use super::{Options, Report};
use crate::evaluate::ScoreRow;
use crate::evaluate::{Comparison, Metric, between};
use crate::experiment::Cell;

/// A cell that both runs have, compared by a metric.
struct Common {
    /// The number of the cell in each run.
    places: [usize; 2],
    /// The comparison of the second run's cell with the first's.
    held: Comparison,
    /// Pairs of outputs.
    pairs: usize,
    /// Pairs of outputs whose entities differ; of tasks, of which one alone is a hit of the metric.
    changed: usize,
}

/// Compares the runs in two folders. Differences are the figures of the second run minus those of the first.
///
/// # Errors
/// A folder that holds no run; runs that have no cell in common.
pub fn compare(first: &Path, second: &Path, options: Options) -> Result<Report, ReportError> {
    let runs = [RunData::read(first, options.documents)?, RunData::read(second, options.documents)?];
    let (pairs, across) = common_cells(&runs);
    let mut notes: Vec<String> = Vec::new();
    for (letter, run) in ["A", "B"].iter().zip(&runs) {
        notes.extend(run.notes.iter().map(|note| format!("{letter}: {note}")));
    }
    if across {
        let [a, b] = [0, 1].map(|run: usize| runs[run].cells[0].model.as_str());
        notes.push(format!(
            "The runs are of different models ({a}, {b}): cells are paired without regard to the model."
        ));
    }
    let common: Vec<Common> = pairs.into_iter().flat_map(|places| Common::of(&runs, places)).collect();
    if common.is_empty() {
        return Err(nothing(&runs));
    }
    let paired: HashSet<[usize; 2]> = common.iter().map(|common| common.places).collect();
    let lonely = [0, 1].map(|run: usize| runs[run].cells.len() - paired.len());
    if lonely != [0, 0] {
        notes.push(format!("Left out: {} cell(s) that only A has, {} that only B has.", lonely[0], lonely[1]));
    }
    unpaired(&runs, &common, &mut notes);
    let adjusted = holm(&common.iter().map(|common| common.held.p).collect::<Vec<f64>>());

    let tallies = Tally::all(&runs[0]);
    let shown: Vec<Tally> = common.iter().map(|common| tallies[common.places[0]].clone()).collect();
    let compared: Vec<Compared<'_>> = shown.iter().zip(&common).zip(&adjusted).map(Compared::of).collect();
    let metrics: Vec<Metric> =
        Metric::ALL.into_iter().filter(|metric| compared.iter().any(|of| of.metric() == *metric)).collect();
    let of_metric = |metric: Metric| compared.iter().filter(|of| of.metric() == metric).copied().collect::<Vec<_>>();
    let figures: Result<Vec<Figure>, ReportError> =
        metrics.iter().map(|metric| differences(*metric, &of_metric(*metric))).collect();
    let figures = figures?;
    let (documents, documents_note) = match options.documents {
        true if runs.iter().any(|run| run.records.iter().all(Vec::is_empty)) => (None, SCORES_ALONE.to_string()),
        true => documents(&runs, &common, options.most)?,
        false => (None, LEFT_OUT.to_string()),
    };
    let summary = numbers(&compared).to_csv()?;
    let named =
        |run: usize| format!("{} ({})", runs[run].name(), runs[run].file.date.replace('T', " ").replace('Z', ""));
    let mut all_facts = Vec::new();
    for (letter, run) in ["A", "B"].iter().zip(&runs) {
        let of_run = facts(run).into_iter();
        all_facts.push((format!("Run {letter}"), run.name().to_string()));
        all_facts.extend(of_run.map(|(name, value)| (format!("{name}, {letter}"), value)));
    }
    let page = Page {
        title: format!("{} against {}", runs[1].name(), runs[0].name()),
        about: format!("A is {}, B is {}; a difference is B's figure less A's.", named(0), named(1)),
        lead: metrics.iter().flat_map(|metric| lead(*metric, &of_metric(*metric))).collect(),
        notes,
        facts: all_facts,
        experiments: runs.iter().map(|run| (run.name().to_string(), run.file.experiment.clone())).collect(),
        table_title: "Cells in common".into(),
        table_caption: caption(&metrics),
        table: table(&compared),
        table_file: "comparison.csv".into(),
        figures,
        documents,
        documents_note,
        compared: true,
        program: program(),
    };
    Ok(Report { page, summary })
}

/// The cells that both runs have. If there is none and each run has one model, cells are paired without regard to the model.
fn common_cells(runs: &[RunData; 2]) -> (Vec<[usize; 2]>, bool) {
    let pairs = |same: &dyn Fn(&Cell, &Cell) -> bool| {
        let firsts = runs[0].cells.iter().enumerate();
        let with = |(a, cell): (usize, &Cell)| Some([a, runs[1].cells.iter().position(|other| same(cell, other))?]);
        firsts.filter_map(with).collect::<Vec<[usize; 2]>>()
    };
    let exact = pairs(&|a, b| a == b);
    let one_model = |run: &RunData| run.cells.iter().all(|cell| cell.model == run.cells[0].model);
    if !exact.is_empty() || !runs.iter().all(one_model) {
        return (exact, false);
    }
    let loose = pairs(&|a, b| {
        let mut a = a.clone();
        a.model.clone_from(&b.model);
        a == *b
    });
    (loose, true)
}

fn nothing(runs: &[RunData; 2]) -> ReportError {
    let cells = |run: &RunData| {
        let some: Vec<String> = run.cells.iter().take(3).map(|cell| format!("`{} {cell}`", cell.model)).collect();
        match run.cells.len() {
            3.. => format!("{} and others", some.join(", ")),
            _ => some.join(", "),
        }
    };
    ReportError::NothingInCommon {
        first: runs[0].folder.clone(),
        second: runs[1].folder.clone(),
        first_cells: cells(&runs[0]),
        second_cells: cells(&runs[1]),
    }
}

impl Common {
    /// Of a pair of cells, by each metric that both have; none where they have no document in common.
    fn of(runs: &[RunData; 2], places: [usize; 2]) -> Vec<Common> {
        let [first, second] = [0, 1].map(|run: usize| &runs[run].scored[places[run]]);
        let [cell, against] = [1, 0].map(|run: usize| &runs[run].cells[places[run]]);
        let key = |scored: &ScoreRow| (scored.seed, scored.document.clone());
        let before: HashMap<_, &ScoreRow> = first.iter().map(|scored| (key(scored), scored)).collect();
        let pairs: Vec<(&ScoreRow, &ScoreRow)> =
            second.iter().filter_map(|now| Some((now, *before.get(&key(now))?))).collect();
        let compared = between(cell, against, &second.iter().collect::<Vec<_>>(), &first.iter().collect::<Vec<_>>());
        let common = |held: Comparison| {
            // Whether two outputs differ. None if that is not known.
            let differ = |(now, then): &(&ScoreRow, &ScoreRow)| match held.metric {
                Metric::F1 => Some(now.said != then.said),
                metric => Some(metric.hit(now)? != metric.hit(then)?),
            };
            let known: Vec<bool> = pairs.iter().filter_map(differ).collect();
            let changed = known.iter().filter(|differ| **differ).count();
            Common { places, pairs: known.len(), changed, held }
        };
        compared.into_iter().map(common).collect()
    }
}

/// A line of the tables: a cell of the first run, its comparison, and the corrected p-value.
#[derive(Clone, Copy)]
struct Compared<'a> {
    tally: &'a Tally,
    common: &'a Common,
    p_holm: f64,
}

impl<'a> Compared<'a> {
    fn of(((tally, common), p_holm): ((&'a Tally, &'a Common), &f64)) -> Compared<'a> {
        Compared { tally, common, p_holm: *p_holm }
    }

    fn metric(&self) -> Metric {
        self.common.held.metric
    }
}

/// Adds a note if the runs do not have the same documents.
fn unpaired(runs: &[RunData; 2], common: &[Common], notes: &mut Vec<String>) {
    // Every document has these two metrics, of corpora and of tasks. An answer is expected of some tasks only.
    let of_all = common.iter().filter(|common| matches!(common.held.metric, Metric::F1 | Metric::Valid));
    let least = of_all.map(|common| common.held.documents).min().unwrap_or(0);
    let most = |run: usize| common.iter().map(|common| runs[run].rows[common.places[run]].documents).max().unwrap_or(0);
    let (a, b) = (most(0), most(1));
    if least < a.max(b) {
        notes.push(format!(
            "The runs are not of the same documents: A has up to {a} in a cell, B up to {b}, and some pair of cells shares {least}. \
             Compared are those that both have."
        ));
    }
}

/// How the figures were compared.
fn caption(metrics: &[Metric]) -> String {
    let meanings: Vec<&str> = metrics.iter().map(|metric| metric.meaning()).collect();
    let mut caption = format!(
        "Compared on the documents that both runs have: {}. The interval of a difference is by a bootstrap over the documents.",
        meanings.join("; ")
    );
    if metrics.contains(&Metric::F1) {
        caption += " p of F1 is by paired approximate randomisation (10,000 shuffles, two-sided).";
    }
    if metrics.iter().any(|metric| *metric != Metric::F1) {
        caption +=
            " p of a share is by exact paired randomisation (two-sided; McNemar's exact test, if a cell has one seed).";
    }
    caption + " The last column of p is corrected by Holm's method for the number of lines."
}

/// The differences of a metric.
fn differences(metric: Metric, compared: &[Compared<'_>]) -> Result<Figure, ReportError> {
    let id = match metric {
        Metric::F1 => "differences".to_owned(),
        other => format!("differences-{other}"),
    };
    let (title, label) = match metric {
        Metric::F1 => ("Differences of F1, B less A".to_owned(), "difference of strict F1, points".to_owned()),
        other => {
            (format!("Differences of {other} answers, B less A"), format!("difference of {other} answers, points"))
        }
    };
    let caption = format!(
        "The difference of {} in points, with its 95 % interval by a bootstrap over the documents that both runs have. An interval \
         that holds 0 leaves open which run is better there.",
        metric.meaning()
    );
    let text = Text { id: &id, title: &title, caption: &caption };
    let tallies: Vec<Tally> = compared.iter().map(|of| of.tally.clone()).collect();
    let grid = Grid::of(&tallies, |_| true);
    let drawing = dots(&grid, text, &label, |cell| {
        let Interval { value, low, high } = compared[cell].common.held.difference;
        Some(Dot { value, interval: Some((low, high)) })
    })?;
    Ok(Figure::new(text, drawing, numbers(compared)))
}

/// The numbers of comparisons.
fn numbers(compared: &[Compared<'_>]) -> FigureTable {
    let columns = [
        "metric",
        "documents",
        "a",
        "b",
        "difference",
        "difference_low",
        "difference_high",
        "p",
        "p_holm",
        "changed_outputs",
        "parse",
        "copy",
        "count",
        "recognition",
    ];
    let mut table = FigureTable::of_cells(&columns);
    for Compared { tally, common, p_holm } in compared {
        let held = &common.held;
        let Interval { value, low, high } = held.difference;
        let figures = [held.against_figure.value, held.figure.value, value, low, high, held.p, *p_holm].map(number);
        let names = [held.metric.to_string(), held.documents.to_string()].into_iter();
        let parts = parts(held).map(|part| part.map_or(String::new(), number));
        table.add(tally, names.chain(figures).chain([common.changed.to_string()]).chain(parts));
    }
    table
}

/// The parts of a difference, if they are known: parsing, copying, counting and recognition.
fn parts(held: &Comparison) -> [Option<f64>; 4] {
    let parts = held.gap.as_ref().map(|gap| gap.parts);
    [
        parts.map(|parts| parts.parse.value),
        parts.map(|parts| parts.copy.value),
        parts.map(|parts| parts.count.value),
        parts.map(|parts| parts.recognition.value),
    ]
}

fn table(compared: &[Compared<'_>]) -> Table {
    let several = |name: fn(&Tally) -> &String| compared.iter().any(|of| name(of.tally) != name(compared[0].tally));
    let column = |head: &str, meaning: &str, numeric| Column { head: head.into(), meaning: meaning.into(), numeric };
    let (models, corpora) = (several(|tally| &tally.cell.model), several(|tally| &tally.cell.corpus));
    let other_metrics = compared.iter().any(|of| of.metric() != Metric::F1);
    let names = [
        (models, column("model", "The model of A", false)),
        (corpora, column("corpus", "The corpus", false)),
        (true, column("format", "The format of the output", false)),
        (true, column("level", "The level of the constraint", false)),
        (true, column("strategy", "How tokens were chosen", false)),
        (other_metrics, column("metric", "The figure that is compared", false)),
    ];
    let f1 = compared.iter().any(|of| of.metric() == Metric::F1);
    let pairs = match f1 {
        true => "Pairs of outputs whose entities differ, or of which one alone is valid, exact or equal",
        false => "Pairs of answers of which one alone is valid, exact or equal",
    };
    let [a, b, changed] = match other_metrics {
        false => [
            column("F1 A", "Strict F1 of A, %", true),
            column("F1 B", "Strict F1 of B, %", true),
            column("outputs changed", "Pairs of outputs whose entities differ", true),
        ],
        true => [
            column("A", "The figure of A, %", true),
            column("B", "The figure of B, %", true),
            column("outputs changed", pairs, true),
        ],
    };
    let figures = [
        column("documents", "The documents that both runs have", true),
        a,
        b,
        column("B − A", "The difference, in points", true),
        column("95 %", "The interval of the difference", true),
        column("p", "The paired test", true),
        column("p, Holm", "The same, corrected for the number of lines", true),
        changed,
    ];
    let split = [
        column("parse", "The part of the difference that is parsing, in points", true),
        column("copy", "The part that is copying", true),
        column("count", "The part that is positions and numbers", true),
        column("recogn.", "The rest: recognition", true),
    ];
    let is_split = compared.iter().any(|of| of.common.held.gap.is_some());
    let shown_names = names.iter().map(|(shown, _)| *shown).collect::<Vec<bool>>();
    let columns = names.into_iter().filter(|(shown, _)| *shown).map(|(_, column)| column).chain(figures);
    let columns = columns.chain(split.into_iter().filter(|_| is_split)).collect();
    let row = |Compared { tally, common, p_holm }: &Compared<'_>| {
        let (cell, held) = (&tally.cell, &common.held);
        let named =
            [&cell.model, &cell.corpus, &cell.format, &tally.row.level, &tally.row.strategy].map(String::as_str);
        let named = named.into_iter().chain([held.metric.title()]);
        let named = named.zip(&shown_names).filter(|(_, shown)| **shown);
        let points =
            |value: f64| Entry { text: format!("{:+.1}", 100.0 * value + 0.0), key: Some(value), ..Entry::default() };
        let Interval { value, low, high } = held.difference;
        let figures = [
            Entry::number(held.documents as f64, 0),
            Entry::number(100.0 * held.against_figure.value, 1),
            Entry::number(100.0 * held.figure.value, 1),
            Entry { best: *p_holm < 0.05, ..points(value) },
            Entry { text: format!("{:+.1} to {:+.1}", 100.0 * low, 100.0 * high), ..points(low) },
            probability(held.p),
            probability(*p_holm),
            Entry::number(common.changed as f64, 0),
        ];
        let split = parts(held).map(|part| part.map_or(Entry::text("–"), points));
        let split = split.into_iter().filter(|_| is_split);
        named.map(|(name, _)| Entry::text(name)).chain(figures).chain(split).collect()
    };
    Table { columns, rows: compared.iter().map(row).collect() }
}

/// A p-value. The smallest value that the shuffles can give is marked as an upper bound.
fn probability(p: f64) -> Entry {
    let text = if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") };
    Entry { text, key: Some(p), ..Entry::default() }
}

/// What the comparisons by a metric tell.
fn lead(metric: Metric, compared: &[Compared<'_>]) -> [String; 2] {
    let standing = |better: bool| {
        let found = |of: &&Compared<'_>| of.p_holm < 0.05 && (of.common.held.difference.value > 0.0) == better;
        compared.iter().filter(found).count()
    };
    let (better, worse) = (standing(true), standing(false));
    let changed: usize = compared.iter().map(|of| of.common.changed).sum();
    let pairs: usize = compared.iter().map(|of| of.common.pairs).sum();
    let differing = match metric {
        Metric::F1 => "The entities differ",
        Metric::Valid => "One answer is valid and the other is not",
        Metric::Exact => "One answer is the expected text and the other is not",
        Metric::Equal => "One answer has the expected value and the other does not",
    };
    [
        format!(
            "By {}, of {} cells in common B is better than A in {better} and worse in {worse} beyond chance (p < 0.05, Holm); of the \
             other {} the documents do not tell.",
            metric.meaning(),
            compared.len(),
            compared.len() - better - worse
        ),
        format!("{differing} in {changed} of {pairs} pairs of outputs."),
    ]
}

fn documents(runs: &[RunData; 2], common: &[Common], most: usize) -> Result<(Option<String>, String), ReportError> {
    let cells = common.iter().map(|common| BrowserCell::of(&runs[0].cells[common.places[0]])).collect();
    let of_run = |run: usize| {
        let places = common.iter().enumerate().map(|(number, common)| (common.places[run], number));
        (&runs[run], places.collect::<Vec<(usize, usize)>>())
    };
    let document_outputs = by_document(&[of_run(0), of_run(1)]);
    let names = vec![format!("A · {}", runs[0].name()), format!("B · {}", runs[1].name())];
    let browser = Browser::new(names, cells, &document_outputs, most)?;
    let note = embedded(&browser);
    Ok((Some(browser.to_script()?), note))
}
