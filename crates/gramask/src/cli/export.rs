//! `gramask export`.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use gramask_ner::corpus::{WriteError, write_bioc, write_brat, write_jsonl, write_pubtator};
use gramask_ner::{Document, Entity, Fragment, Schema, sentences};

use super::shared::level;
use super::{CliError, DONE};
use crate::experiment::{Cell, Examples, StrategyName, Unit};
use crate::plan::{PlannedCorpus, whole_documents};
use crate::store::{FaultKind, Manifest, Record, read_records};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The folder of a run: runs/NAME
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The form
    #[arg(long, value_name = "FORM")]
    to: Target,
    /// Where the files go, one for each cell (for brat a folder) [default: RUN/export]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only the cells of this model
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Only the cells of this corpus
    #[arg(long, value_name = "CORPUS")]
    corpus: Option<String>,
    /// Only the cells of this format
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Only the cells of this level
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    level: Option<gramask_grammar::Level>,
    /// Only the cells of this strategy
    #[arg(long, value_name = "STRATEGY")]
    strategy: Option<StrategyName>,
}

/// The forms in which predicted entities can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// A file in PubTator's form, without discontinuous entities
    Pubtator,
    /// A folder of .txt and .ann pairs
    Brat,
    /// A JSON object per line
    Jsonl,
    /// A BioC collection in XML
    Bioc,
}

/// Why a run could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No cell is left by the options.
    #[error("no cell of {} has what the options name; its cells are: {}", run.display(), cells.join("; "))]
    NoCell {
        /// The run's folder.
        run: PathBuf,
        /// The cells that there are.
        cells: Vec<String>,
    },
    /// The corpus of the run is needed for its texts.
    #[error(
        "the corpus `{name}` is not the one that the run saw, so that the offsets of its records mean nothing in it; \
         give the files of that time"
    )]
    OtherCorpus {
        /// The corpus.
        name: String,
    },
    /// `run.json` does not say how the corpus was read.
    #[error("run.json of {} does not say how the corpus `{name}` was read", run.display())]
    NoCorpus {
        /// The run's folder.
        run: PathBuf,
        /// The corpus.
        name: String,
    },
    /// A record that does not belong to the corpus.
    #[error("document {document} of cell {cell} is not in the corpus, or not at offset {offset:?}")]
    Stray {
        /// The cell.
        cell: String,
        /// The document.
        document: String,
        /// The offset of the record.
        offset: Option<usize>,
    },
    /// The entities cannot be written in the form.
    #[error("{cell}: {source}")]
    Write {
        /// The cell.
        cell: String,
        /// What is wrong.
        source: WriteError,
    },
}

/// Writes the predicted entities of a run, in the offsets of the corpus's documents.
pub(super) fn export(args: ExportArgs) -> Result<u8, CliError> {
    let manifest = Manifest::read(&args.run)?;
    let records = read_records(&args.run.join("records.jsonl"))?;
    let folder = args.out.clone().unwrap_or_else(|| args.run.join("export"));
    let mut all: Vec<&Cell> = Vec::new();
    for record in &records {
        if !all.contains(&&record.cell) {
            all.push(&record.cell);
        }
    }
    let cells: Vec<&Cell> = all.iter().copied().filter(|cell| args.wants(cell)).collect();
    if cells.is_empty() {
        let cells = all.iter().map(|cell| format!("{} {cell}", cell.model)).collect();
        return Err(ExportError::NoCell { run: args.run, cells }.into());
    }
    std::fs::create_dir_all(&folder).map_err(|source| CliError::Output { path: folder.clone(), source })?;
    let mut corpora: HashMap<&str, Source> = HashMap::new();
    for cell in cells {
        if !corpora.contains_key(cell.corpus.as_str()) {
            corpora.insert(&cell.corpus, Source::of(&args.run, &manifest, &cell.corpus)?);
        }
        let source = &corpora[cell.corpus.as_str()];
        let of_cell: Vec<&Record> = records.iter().filter(|record| record.cell == *cell).collect();
        let documents = source.predicted(&of_cell)?;
        let path = folder.join(file_name(cell, args.to));
        write(&path, args.to, &documents, cell)?;
        let missing = of_cell.iter().filter(|record| not_decoded(record)).count();
        let note =
            if missing == 0 { String::new() } else { format!(", of which {missing} text(s) could not be decoded") };
        anstream::eprintln!("{cell}: {} documents{note}", documents.len());
        anstream::println!("{}", path.display());
    }
    Ok(DONE)
}

impl ExportArgs {
    fn wants(&self, cell: &Cell) -> bool {
        self.model.as_ref().is_none_or(|model| *model == cell.model)
            && self.corpus.as_ref().is_none_or(|corpus| *corpus == cell.corpus)
            && self.format.as_ref().is_none_or(|format| *format == cell.format)
            && self.level.is_none_or(|level| level == cell.level)
            && self.strategy.is_none_or(|strategy| strategy == cell.strategy)
    }
}

fn not_decoded(record: &Record) -> bool {
    record.errors.iter().any(|fault| fault.kind == FaultKind::NotDecoded)
}

/// The documents of a corpus, and where each decoded text stands in them.
struct Source {
    schema: Schema,
    documents: Vec<Document>,
    /// By the identifier of a decoded text: the number of its document, and its offset there.
    places: HashMap<String, (usize, usize)>,
}

impl Source {
    /// Reads the corpus that a run decoded.
    fn of(run: &Path, manifest: &Manifest, name: &str) -> Result<Source, CliError> {
        let choice = manifest.corpus(name);
        let choice = choice.ok_or_else(|| ExportError::NoCorpus { run: run.to_path_buf(), name: name.to_string() })?;
        let examples = manifest.settings["experiment"]["examples"].clone();
        let examples: Examples = serde_json::from_value(examples).unwrap_or_default();
        let planned = PlannedCorpus::read(&choice, examples.n, &examples.split)?;
        if manifest.settings["corpus_sha256"][name].as_str() != Some(&planned.digest) {
            return Err(ExportError::OtherCorpus { name: name.to_string() }.into());
        }
        let whole = whole_documents(&choice)?;
        let cut = choice.unit == Unit::Sentence && whole.unit != gramask_ner::corpus::Unit::Sentence;
        let mut places = HashMap::new();
        for (number, document) in whole.documents.iter().enumerate() {
            if cut {
                let sentences = sentences(document).into_iter();
                places.extend(sentences.map(|part| (part.id, (number, part.offset - document.offset))));
            } else {
                places.insert(document.id.clone(), (number, 0));
            }
        }
        Ok(Source { schema: planned.schema, documents: whole.documents, places })
    }

    /// The documents that a cell decoded anything of, with the entities that it predicted.
    fn predicted(&self, records: &[&Record]) -> Result<Vec<Document>, ExportError> {
        let mut found: HashMap<usize, Vec<Entity>> = HashMap::new();
        for record in records {
            let place = self.places.get(&record.document).copied();
            // Records of earlier versions have no offset.
            let place = place.filter(|&(number, offset)| {
                record.offset.is_none_or(|recorded| recorded == self.documents[number].offset + offset)
            });
            let (number, offset) = place.ok_or_else(|| ExportError::Stray {
                cell: record.cell.to_string(),
                document: record.document.clone(),
                offset: record.offset,
            })?;
            let shift = |fragment: &Fragment| Fragment::new(fragment.start + offset, fragment.end + offset);
            found.entry(number).or_default().extend(record.entities.iter().map(|entity| Entity {
                label: entity.label.clone(),
                fragments: entity.fragments.iter().map(shift).collect(),
            }));
        }
        let mut numbers: Vec<usize> = found.keys().copied().collect();
        numbers.sort_unstable();
        let document = |number: usize| {
            let mut entities = found.remove(&number).unwrap_or_default();
            self.schema.sort(&mut entities);
            Document { entities, ..self.documents[number].clone() }
        };
        Ok(numbers.into_iter().map(document).collect())
    }
}

/// The file of a cell; for BRAT a folder.
fn file_name(cell: &Cell, to: Target) -> String {
    let seed = cell.seed.map_or(String::new(), |seed| format!("-seed-{seed}"));
    let name = format!("{}-{}-{}-{}-{}{seed}", cell.model, cell.corpus, cell.format, cell.level, cell.strategy);
    let safe = |c: char| if c.is_alphanumeric() || "-_.+".contains(c) { c } else { '_' };
    let name: String = name.chars().map(safe).collect();
    match to {
        Target::Pubtator => name + ".pubtator",
        Target::Brat => name,
        Target::Jsonl => name + ".jsonl",
        Target::Bioc => name + ".xml",
    }
}

fn write(path: &Path, to: Target, documents: &[Document], cell: &Cell) -> Result<(), CliError> {
    let failed = |source| ExportError::Write { cell: cell.to_string(), source };
    if to == Target::Brat {
        return Ok(write_brat(path, documents).map_err(failed)?);
    }
    let io = |source| CliError::Output { path: path.to_path_buf(), source };
    let mut out = BufWriter::new(File::create(path).map_err(io)?);
    match to {
        Target::Pubtator => write_pubtator(&mut out, documents).map_err(failed)?,
        Target::Bioc => write_bioc(&mut out, documents).map_err(failed)?,
        Target::Brat | Target::Jsonl => write_jsonl(&mut out, documents).map_err(io)?,
    }
    out.into_inner().map_err(|error| io(error.into_error()))?;
    Ok(())
}
