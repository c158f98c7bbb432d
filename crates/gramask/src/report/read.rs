//! Reading the folder of a run for a report. Nothing in it is changed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gramask_ner::{Document, Schema};
use serde_json::Value;

use super::error::ReportError;
use crate::evaluate::ScoreRow;
use crate::evaluate::{SummaryRow, summary_rows};
use crate::experiment::{Cell, Examples, format_name};
use crate::plan::PlannedCorpus;
use crate::store::{Manifest, Record, read_scores};

/// The data of a run.
#[derive(Debug)]
pub struct RunData {
    /// Its folder.
    pub folder: PathBuf,
    /// Its `run.json`.
    pub file: Manifest,
    /// Its cells in the order of the experiment, all seeds of a cell as one.
    pub cells: Vec<Cell>,
    /// The figures of each cell.
    pub rows: Vec<SummaryRow>,
    /// The scores of each cell.
    pub scored: Vec<Vec<ScoreRow>>,
    /// The records of each cell, in the order of the documents. Outputs of other machines have scores and no records.
    pub records: Vec<Vec<Record>>,
    /// Its corpora, by name.
    pub corpora: HashMap<String, CorpusData>,
    /// Limits of the data: what was skipped, what is missing.
    pub notes: Vec<String>,
}

/// What is known of a corpus.
#[derive(Debug)]
pub struct CorpusData {
    /// The labels.
    pub schema: Schema,
    /// The texts, by the identifiers of the documents. Empty if the corpus is missing.
    pub texts: HashMap<String, String>,
    /// The identifiers, in the corpus's order.
    pub order: Vec<String>,
}

impl RunData {
    /// Reads the folder of a run. With `texts`, corpora are read too, since records do not have the texts of documents.
    ///
    /// # Errors
    /// When the folder has no run or no record, or a line is no record.
    pub fn read(folder: &Path, texts: bool) -> Result<RunData, ReportError> {
        let file = run_file(folder)?;
        let mut notes = Vec::new();
        let all = records(folder, &mut notes)?;
        let written = file.settings["gramask"].as_str().unwrap_or("unknown");
        if let Some(shard) = &file.shard {
            notes.push(format!("This is shard {shard} of the run, not all of it."));
        }
        if written != env!("CARGO_PKG_VERSION") {
            let here = env!("CARGO_PKG_VERSION");
            notes.push(format!("The run was made by version {written}, this report by version {here}."));
        }
        let mut scored = scores(folder)?;
        let names: BTreeSet<String> = {
            let of_records = all.iter().map(|record| record.cell.corpus.clone());
            of_records.chain(scored.iter().map(|scored| scored.corpus.clone())).collect()
        };
        let corpora = corpora(&file, names, &all, texts, &mut notes);
        complete(&mut scored, &all, &corpora);
        if scored.is_empty() {
            return Err(ReportError::NoRecord { folder: folder.to_path_buf() });
        }
        if scored.len() > all.len() {
            notes.push(format!(
                "{} of {} outputs are known by their scores alone, since their records are elsewhere: they are in all figures that need \
                 no more, and not among the documents.",
                scored.len() - all.len(),
                scored.len()
            ));
        }
        let cells = cells(&file, &scored);
        let rows = summary_rows(&cells, &scored);
        let places: HashMap<&Cell, usize> = cells.iter().enumerate().map(|(place, cell)| (cell, place)).collect();
        let mut records: Vec<Vec<Record>> = vec![Vec::new(); cells.len()];
        for record in all {
            records[places[&record.cell.seedless()]].push(record);
        }
        let mut by_cell: Vec<Vec<ScoreRow>> = vec![Vec::new(); cells.len()];
        for scored in scored {
            by_cell[places[&scored.cell().seedless()]].push(scored);
        }
        for (cell, records) in cells.iter().zip(&mut records) {
            let order = &corpora[&cell.corpus].order;
            let places: HashMap<&str, usize> =
                order.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
            records.sort_by_key(|record| places.get(record.document.as_str()).copied());
        }
        incomplete(&rows, &mut notes);
        not_decoded(&rows, &mut notes);
        Ok(RunData { folder: folder.to_path_buf(), file, cells, rows, scored: by_cell, records, corpora, notes })
    }

    /// What this run is called.
    pub fn name(&self) -> &str {
        &self.file.name
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ReportError {
    let path = path.to_path_buf();
    move |source| ReportError::Io { action, path, source }
}

fn run_file(folder: &Path) -> Result<Manifest, ReportError> {
    let path = folder.join("run.json");
    match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|source| ReportError::Settings { path, source }),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Err(ReportError::NoRun { folder: folder.to_path_buf(), lacks: "run.json" })
        }
        Err(source) => Err(io_error("read", &path)(source)),
    }
}

/// All records. Empty if the folder has scores only. An incomplete last line is skipped: the run goes on, or was stopped while the
/// line was written.
fn records(folder: &Path, notes: &mut Vec<String>) -> Result<Vec<Record>, ReportError> {
    let path = folder.join("records.jsonl");
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match folder.join("scores.csv").exists() {
                true => Ok(Vec::new()),
                false => {
                    Err(ReportError::NoRun { folder: folder.to_path_buf(), lacks: "records.jsonl and no scores.csv" })
                }
            };
        }
        Err(source) => return Err(io_error("read", &path)(source)),
    };
    let mut records: Vec<Record> = Vec::new();
    let mut seen: HashSet<(Cell, String)> = HashSet::new();
    let mut twice = 0;
    for (number, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        if line.last() != Some(&b'\n') {
            notes.push("The last record is torn and was passed over: the run was stopped, or is going on.".into());
            break;
        }
        let record: Record = serde_json::from_slice(line).map_err(|source| ReportError::Record {
            path: path.clone(),
            line: number + 1,
            source,
        })?;
        match seen.insert((record.cell.clone(), record.document.clone())) {
            true => records.push(record),
            false => twice += 1,
        }
    }
    if twice > 0 {
        notes.push(format!("{twice} record(s) of documents that were there before in the same cell were passed over."));
    }
    Ok(records)
}

/// The scores in the folder. Empty if it has no `scores.csv`.
fn scores(folder: &Path) -> Result<Vec<ScoreRow>, ReportError> {
    let path = folder.join("scores.csv");
    match path.exists() {
        true => Ok(read_scores(&path)?),
        false => Ok(Vec::new()),
    }
}

/// Adds the scores of records that have none. If a record disagrees with its scores, it is scored again.
fn complete(scored: &mut Vec<ScoreRow>, records: &[Record], corpora: &HashMap<String, CorpusData>) {
    let place = |cell: Cell, document: &str| (cell, document.to_string());
    let of_line = |(at, line): (usize, &ScoreRow)| (place(line.cell(), &line.document), at);
    let places: HashMap<(Cell, String), usize> = scored.iter().enumerate().map(of_line).collect();
    for record in records {
        let fresh = ScoreRow::of(record, &corpora[&record.cell.corpus].schema);
        match places.get(&place(record.cell.clone(), &record.document)) {
            None => scored.push(fresh),
            Some(&at) => {
                let line = &mut scored[at];
                if (&line.said, line.strict, line.predicted) != (&fresh.said, fresh.strict, fresh.predicted) {
                    *line = fresh;
                }
            }
        }
    }
}

/// The cells that have an output, in the order of the experiment's lists.
fn cells(file: &Manifest, scored: &[ScoreRow]) -> Vec<Cell> {
    let experiment = &file.settings["experiment"];
    let list = |key: &str| -> Vec<String> {
        let items = experiment[key].as_array().map(Vec::as_slice).unwrap_or_default();
        let name = |item: &Value| item.as_str().or(item["name"].as_str()).map(String::from);
        items.iter().filter_map(name).collect()
    };
    let (models, corpora) = (list("models"), list("corpora"));
    let formats: Vec<String> = list("formats").iter().map(|name| format_name(name)).collect();
    let place = |list: &[String], name: &str| list.iter().position(|item| item == name).unwrap_or(list.len());
    let mut seen = HashSet::new();
    let mut cells: Vec<Cell> = Vec::new();
    for scored in scored {
        let cell = scored.cell().seedless();
        if seen.insert(cell.clone()) {
            cells.push(cell);
        }
    }
    cells.sort_by_key(|cell| {
        (place(&models, &cell.model), place(&corpora, &cell.corpus), place(&formats, &cell.format), cell.level)
    });
    cells
}

/// What is known of the corpora of these names.
fn corpora(
    file: &Manifest,
    names: BTreeSet<String>,
    records: &[Record],
    texts: bool,
    notes: &mut Vec<String>,
) -> HashMap<String, CorpusData> {
    let experiment = &file.settings["experiment"];
    let examples: Examples = serde_json::from_value(experiment["examples"].clone()).unwrap_or_default();
    let mut corpora: HashMap<String, CorpusData> = HashMap::new();
    for name in &names {
        let choice = file.corpus(name);
        let read = choice.and_then(|choice| PlannedCorpus::read(&choice, examples.n, &examples.split).ok());
        let read = read.or_else(|| PlannedCorpus::of_tasks(&file.tasks(name)?).ok());
        let same = |read: &PlannedCorpus| file.settings["corpus_sha256"][name].as_str() == Some(&read.digest);
        let data = match read {
            Some(read) if same(&read) => CorpusData::of(read),
            other => {
                if texts && !records.is_empty() {
                    let why = match other {
                        Some(_) => "is not the one that the run saw",
                        None => "is not at hand",
                    };
                    notes.push(format!(
                        "The corpus `{name}` {why}: the labels are those of the gold entities, and the documents are shown \
                         without their texts."
                    ));
                }
                CorpusData::guess(records.iter().filter(|record| record.cell.corpus == *name))
            }
        };
        corpora.insert(name.clone(), data);
    }
    corpora
}

impl CorpusData {
    fn of(read: PlannedCorpus) -> CorpusData {
        let text = |document: &Document| (document.id.clone(), document.text.as_str().to_string());
        CorpusData {
            schema: read.schema,
            texts: read.documents.iter().map(text).collect(),
            order: read.documents.into_iter().map(|document| document.id).collect(),
        }
    }

    /// What the records tell about their corpus.
    fn guess<'a>(records: impl Iterator<Item = &'a Record>) -> CorpusData {
        let (mut labels, mut order, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for record in records {
            if seen.insert(&record.document) {
                order.push(record.document.clone());
                labels.extend(record.gold.iter().map(|entity| entity.label.clone()));
            }
        }
        labels.sort();
        CorpusData { schema: Schema::new(labels), texts: HashMap::new(), order }
    }
}

/// Adds a note if documents could not be decoded.
fn not_decoded(rows: &[SummaryRow], notes: &mut Vec<String>) {
    let (some, none): (Vec<&SummaryRow>, Vec<&SummaryRow>) =
        rows.iter().filter(|row| row.not_decoded > 0).partition(|row| row.decoded > 0);
    let name = |row: &SummaryRow| format!("{} {} {} {}", row.corpus, row.format, row.level, row.strategy);
    if let Some(first) = none.first() {
        notes.push(format!(
            "In {} of {} cells no document could be decoded ({}). They have no figures.",
            none.len(),
            rows.len(),
            name(first)
        ));
    }
    if let Some(first) = some.first() {
        let (lost, all) = (first.not_decoded, first.not_decoded + first.decoded);
        notes.push(format!(
            "In {} of {} cells some documents could not be decoded ({}: {lost} of {all}). Their gold entities count as missed; rates \
             are of the outputs that there are.",
            some.len(),
            rows.len(),
            name(first)
        ));
    }
}

/// Adds a note if cells lack documents that other cells of the corpus have.
fn incomplete(rows: &[SummaryRow], notes: &mut Vec<String>) {
    let most = |corpus: &str| {
        let of_corpus = rows.iter().filter(|row| row.corpus == corpus);
        of_corpus.map(|row| row.documents).max().unwrap_or(0)
    };
    let short: Vec<&SummaryRow> = rows.iter().filter(|row| row.documents < most(&row.corpus)).collect();
    if let Some(first) = short.first() {
        notes.push(format!(
            "The run is not complete: {} of {} cells lack documents that others have ({} {} {} {} has {} of {}). Their figures are of \
             other documents than those beside them.",
            short.len(),
            rows.len(),
            first.corpus,
            first.format,
            first.level,
            first.strategy,
            first.documents,
            most(&first.corpus)
        ));
    }
}
