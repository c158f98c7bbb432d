//! The comparison of two runs: the cells that both have, on the documents that both have.

use std::collections::HashMap;
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
use crate::evaluate::{Comparison, between};
use crate::experiment::Cell;

/// A cell that both runs have.
struct Common {
    /// The number of the cell in each run.
    places: [usize; 2],
    /// The comparison of the second run's cell with the first's.
    held: Comparison,
    /// Pairs of outputs.
    pairs: usize,
    /// Pairs of outputs whose entities differ.
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
    let common: Vec<Common> = pairs.into_iter().filter_map(|places| Common::of(&runs, places)).collect();
    if common.is_empty() {
        return Err(nothing(&runs));
    }
    let lonely = [0, 1].map(|run: usize| runs[run].cells.len() - common.len());
    if lonely != [0, 0] {
        notes.push(format!("Left out: {} cell(s) that only A has, {} that only B has.", lonely[0], lonely[1]));
    }
    unpaired(&runs, &common, &mut notes);
    let adjusted = holm(&common.iter().map(|common| common.held.p).collect::<Vec<f64>>());

    let tallies = Tally::all(&runs[0]);
    let shown: Vec<Tally> = common.iter().map(|common| tallies[common.places[0]].clone()).collect();
    let figures = vec![differences(&shown, &common, &adjusted)?];
    let (documents, documents_note) = match options.documents {
        true if runs.iter().any(|run| run.records.iter().all(Vec::is_empty)) => (None, SCORES_ALONE.to_string()),
        true => documents(&runs, &common, options.most)?,
        false => (None, LEFT_OUT.to_string()),
    };
    let table = table(&shown, &common, &adjusted);
    let summary = figures[0].table.to_csv()?;
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
        lead: lead(&common, &adjusted),
        notes,
        facts: all_facts,
        experiments: runs.iter().map(|run| (run.name().to_string(), run.file.experiment.clone())).collect(),
        table_title: "Cells in common".into(),
        table_caption: "Strict F1 of both runs on the documents that both have. The interval of a difference is by a bootstrap over the \
                        documents, p by paired approximate randomisation (10,000 shuffles, two-sided), corrected by Holm's method for \
                        the number of cells in the last column."
            .into(),
        table,
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
    /// Of a pair of cells; none where they have no document in common.
    fn of(runs: &[RunData; 2], places: [usize; 2]) -> Option<Common> {
        let [first, second] = [0, 1].map(|run: usize| &runs[run].scored[places[run]]);
        let [cell, against] = [1, 0].map(|run: usize| &runs[run].cells[places[run]]);
        let key = |scored: &ScoreRow| (scored.seed, scored.document.clone());
        let before: HashMap<_, &str> = first.iter().map(|scored| (key(scored), scored.said.as_str())).collect();
        let pairs: Vec<(&str, &str)> =
            second.iter().filter_map(|scored| Some((scored.said.as_str(), *before.get(&key(scored))?))).collect();
        Some(Common {
            places,
            held: between(cell, against, &second.iter().collect::<Vec<_>>(), &first.iter().collect::<Vec<_>>())?,
            pairs: pairs.len(),
            changed: pairs.iter().filter(|(now, then)| now != then).count(),
        })
    }
}

/// Adds a note if the runs do not have the same documents.
fn unpaired(runs: &[RunData; 2], common: &[Common], notes: &mut Vec<String>) {
    let least = common.iter().map(|common| common.held.documents).min().unwrap_or(0);
    let most = |run: usize| common.iter().map(|common| runs[run].rows[common.places[run]].documents).max().unwrap_or(0);
    let (a, b) = (most(0), most(1));
    if least < a.max(b) {
        notes.push(format!(
            "The runs are not of the same documents: A has up to {a} in a cell, B up to {b}, and some pair of cells shares {least}. \
             Compared are those that both have."
        ));
    }
}

fn differences(shown: &[Tally], common: &[Common], adjusted: &[f64]) -> Result<Figure, ReportError> {
    let text = Text {
        id: "differences",
        title: "Differences of F1, B less A",
        caption: "The difference of strict F1 in points, with its 95 % interval by a bootstrap over the documents that both runs have. An \
                  interval that holds 0 leaves open which run is better there.",
    };
    let grid = Grid::of(shown, |_| true);
    let drawing = dots(&grid, text, "difference of strict F1, points", |cell| {
        let Interval { value, low, high } = common[cell].held.difference;
        Some(Dot { value, interval: Some((low, high)) })
    })?;
    let columns = [
        "documents",
        "f1_a",
        "f1_b",
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
    for ((tally, common), p_holm) in shown.iter().zip(common).zip(adjusted) {
        let Interval { value, low, high } = common.held.difference;
        let figures =
            [common.held.f1_against.value, common.held.f1.value, value, low, high, common.held.p, *p_holm].map(number);
        let documents = [common.held.documents.to_string()].into_iter();
        let parts = parts(&common.held).map(|part| part.map_or(String::new(), number));
        table.add(tally, documents.chain(figures).chain([common.changed.to_string()]).chain(parts));
    }
    Ok(Figure::new(text, drawing, table))
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

fn table(shown: &[Tally], common: &[Common], adjusted: &[f64]) -> Table {
    let several = |name: fn(&Tally) -> &String| shown.iter().any(|tally| name(tally) != name(&shown[0]));
    let column = |head: &str, meaning: &str, numeric| Column { head: head.into(), meaning: meaning.into(), numeric };
    let (models, corpora) = (several(|tally| &tally.cell.model), several(|tally| &tally.cell.corpus));
    let names = [
        (models, column("model", "The model of A", false)),
        (corpora, column("corpus", "The corpus", false)),
        (true, column("format", "The format of the output", false)),
        (true, column("level", "The level of the constraint", false)),
        (true, column("strategy", "How tokens were chosen", false)),
    ];
    let figures = [
        column("documents", "The documents that both runs have", true),
        column("F1 A", "Strict F1 of A, %", true),
        column("F1 B", "Strict F1 of B, %", true),
        column("B − A", "The difference, in points", true),
        column("95 %", "The interval of the difference", true),
        column("p", "By paired approximate randomisation", true),
        column("p, Holm", "The same, corrected for the number of cells", true),
        column("outputs changed", "Pairs of outputs whose entities differ", true),
    ];
    let split = [
        column("parse", "The part of the difference that is parsing, in points", true),
        column("copy", "The part that is copying", true),
        column("count", "The part that is positions and numbers", true),
        column("recogn.", "The rest: recognition", true),
    ];
    let split = split.into_iter().filter(|_| common.iter().any(|common| common.held.gap.is_some()));
    let split: Vec<Column> = split.collect();
    let is_split = !split.is_empty();
    let shown_names = names.iter().map(|(shown, _)| *shown).collect::<Vec<bool>>();
    let columns = names.into_iter().filter(|(shown, _)| *shown).map(|(_, column)| column).chain(figures).chain(split);
    let row = |((tally, common), &p_holm): ((&Tally, &Common), &f64)| {
        let cell = &tally.cell;
        let named = [&cell.model, &cell.corpus, &cell.format, &tally.row.level, &tally.row.strategy];
        let named = named.into_iter().zip(&shown_names).filter(|(_, shown)| **shown);
        let points =
            |value: f64| Entry { text: format!("{:+.1}", 100.0 * value + 0.0), key: Some(value), ..Entry::default() };
        let Interval { value, low, high } = common.held.difference;
        let figures = [
            Entry::number(common.held.documents as f64, 0),
            Entry::number(100.0 * common.held.f1_against.value, 1),
            Entry::number(100.0 * common.held.f1.value, 1),
            Entry { best: p_holm < 0.05, ..points(value) },
            Entry { text: format!("{:+.1} to {:+.1}", 100.0 * low, 100.0 * high), ..points(low) },
            probability(common.held.p),
            probability(p_holm),
            Entry::number(common.changed as f64, 0),
        ];
        let split = parts(&common.held).map(|part| part.map_or(Entry::text("–"), points));
        let split = split.into_iter().filter(|_| is_split);
        named.map(|(name, _)| Entry::text(name)).chain(figures).chain(split).collect()
    };
    Table { columns: columns.collect(), rows: shown.iter().zip(common).zip(adjusted).map(row).collect() }
}

/// A p-value. The smallest value that the shuffles can give is marked as an upper bound.
fn probability(p: f64) -> Entry {
    let text = if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") };
    Entry { text, key: Some(p), ..Entry::default() }
}

fn lead(common: &[Common], adjusted: &[f64]) -> Vec<String> {
    let standing = |better: bool| {
        let cells = common.iter().zip(adjusted);
        cells.filter(|(common, p)| **p < 0.05 && (common.held.difference.value > 0.0) == better).count()
    };
    let (better, worse) = (standing(true), standing(false));
    let changed: usize = common.iter().map(|common| common.changed).sum();
    let documents: usize = common.iter().map(|common| common.pairs).sum();
    vec![
        format!(
            "Of {} cells in common, B is better than A in {better} and worse in {worse} beyond chance (p < 0.05, Holm); of the other {} the \
             documents do not tell.",
            common.len(),
            common.len() - better - worse
        ),
        format!("The entities differ in {changed} of {documents} pairs of outputs."),
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
