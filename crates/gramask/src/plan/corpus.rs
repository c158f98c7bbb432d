//! A corpus of a plan: its documents, and the examples of its prompts.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use gramask_ner::corpus::{self, OnProblem, Options, Problem, ProblemKind, ReadError, take_unused_renames};
use gramask_ner::{Corpus, Document, Schema};
use serde::Serialize;

use super::{PlanError, Task, examples};
use crate::experiment::{CorpusChoice, Unit};
use crate::pull::sha256_hex;

/// Names that splits usually have. The labels of a corpus with `{split}` in its path are those of all of these files.
pub(crate) const SPLITS: [&str; 8] = ["train", "dev", "devel", "development", "valid", "validation", "test", "eval"];

/// A corpus of a run: its documents, and the examples of its prompts.
#[derive(Clone, Debug)]
pub struct PlannedCorpus {
    /// The name of the corpus in the records.
    pub name: String,
    /// The labels.
    pub schema: Schema,
    /// The documents to decode.
    pub documents: Vec<Document>,
    /// The examples in the prompt.
    pub examples: Vec<Document>,
    /// The SHA-256 of identifiers, texts and entities of documents and examples.
    pub digest: String,
    /// Faults that reading went past, of the documents and of the split that the examples come from.
    pub problems: Vec<Problem>,
    /// The tasks that the documents stand for, by their identifiers. None in a corpus.
    pub tasks: HashMap<String, Task>,
}

impl PlannedCorpus {
    /// Reads a corpus and chooses its examples.
    ///
    /// The examples come from the split that is named for them, which is not the evaluated one. A path has splits if it
    /// holds `{split}` (`data/mine-{split}.pubtator`). No example has the text of a document to decode.
    ///
    /// # Errors
    /// An unknown name or split, a file that is missing or corrupt, examples from the evaluated split, nothing to decode.
    pub fn read(choice: &CorpusChoice, examples: usize, examples_split: &str) -> Result<PlannedCorpus, PlanError> {
        if examples > 0 {
            check_splits(choice, examples_split)?;
        }
        let (corpus, mut problems) = read(choice, &choice.split).map_err(|source| fail(choice, source))?;
        let Corpus { mut schema, documents, .. } = corpus;
        let mut chosen = Vec::new();
        let (mut candidates, mut more) = (Vec::new(), None);
        if examples > 0 {
            let failed = |source| PlanError::Examples {
                name: choice.name.clone(),
                split: examples_split.to_string(),
                source: Box::new(source),
            };
            let (others, faults) = read(choice, examples_split).map_err(|source| match source {
                ReadError::Problem(_) => fail(choice, source),
                source => failed(source),
            })?;
            more = Some(faults);
            candidates = others.documents;
        }
        if choice.path.is_some() {
            // Without need the other splits are not read.
            let unused = problems.iter().any(|problem| matches!(problem.kind, ProblemKind::UnusedRename { .. }));
            let mut others = match choice.labels.is_empty() || unused {
                true => other_splits(choice, examples_split).map_err(|source| fail(choice, source))?,
                false => Vec::new(),
            };
            if choice.labels.is_empty() {
                schema = union(schema, others.iter().map(|(corpus, _)| corpus));
            }
            let files = [&mut problems].into_iter().chain(&mut more).chain(others.iter_mut().map(|(_, faults)| faults));
            if let Some(note) = take_unused_renames(files).into_iter().next() {
                return Err(PlanError::Rename { name: choice.name.clone(), note: Box::new(note) });
            }
        }
        problems.extend(more.unwrap_or_default());
        if examples > 0 {
            let evaluated: HashSet<&str> = documents.iter().map(|document| document.text.as_str()).collect();
            candidates.retain(|candidate| !evaluated.contains(candidate.text.as_str()));
            chosen = examples::choose(&candidates, &schema, examples);
        }
        let documents = part_of(documents, &choice.name, choice.skip, choice.limit)?;
        let digest = digest(&schema, documents.iter().chain(&chosen));
        Ok(PlannedCorpus {
            name: choice.name.clone(),
            schema,
            documents,
            examples: chosen,
            digest,
            problems,
            tasks: HashMap::new(),
        })
    }

    /// Reads a corpus for the prompt of a text that is no part of it. The examples come from the split `train`, or from
    /// the file itself where its path has no `{split}`. Its documents are not read otherwise.
    ///
    /// # Errors
    /// An unknown name, a file that is missing or corrupt.
    pub fn read_for_prompt(choice: &CorpusChoice, examples: usize) -> Result<PlannedCorpus, PlanError> {
        // A known corpus may have no split of this name.
        let known = if choice.path.is_none() { corpus::named(&choice.name).ok() } else { None };
        let first = known.and_then(|known| known.splits.first()).map_or("train", |split| *split);
        let choice = &CorpusChoice { split: first.into(), ..choice.clone() };
        let mut corpus = PlannedCorpus::read(choice, 0, &choice.split)?;
        corpus.examples = examples::choose(&corpus.documents, &corpus.schema, examples);
        corpus.documents.clear();
        Ok(corpus)
    }
}

/// Reads the documents of a corpus as its files have them, not cut into sentences.
///
/// # Errors
/// As [`PlannedCorpus::read`].
pub fn whole_documents(choice: &CorpusChoice) -> Result<Corpus, PlanError> {
    let choice = CorpusChoice { unit: Unit::Document, ..choice.clone() };
    Ok(read(&choice, &choice.split).map_err(|source| fail(&choice, source))?.0)
}

fn fail(choice: &CorpusChoice, source: ReadError) -> PlanError {
    PlanError::Corpus { name: choice.name.clone(), from_path: choice.path.is_some(), source: Box::new(source) }
}

/// Refuses examples from the evaluated file or split: a document would be both, or missing from the evaluation.
fn check_splits(choice: &CorpusChoice, examples_split: &str) -> Result<(), PlanError> {
    match choice.file(&choice.split) {
        Some(file) if !choice.has_splits() => {
            let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            let extension = Path::new(&name).extension().map(|extension| format!(".{}", extension.to_string_lossy()));
            let pattern = format!("{{split}}{}", extension.unwrap_or_default());
            Err(PlanError::SameFile { name: choice.name.clone(), file, pattern })
        }
        _ if examples_split == choice.split => {
            Err(PlanError::SameSplit { name: choice.name.clone(), split: choice.split.clone() })
        }
        _ => Ok(()),
    }
}

fn read(choice: &CorpusChoice, split: &str) -> Result<(Corpus, Vec<Problem>), ReadError> {
    let (corpus, problems) = match choice.file(split) {
        Some(file) => Corpus::read(file, &choice.options())?,
        None => corpus::find(&choice.name, split)?,
    };
    Ok((if choice.unit == Unit::Sentence { corpus.into_sentences() } else { corpus }, problems))
}

/// The splits of a corpus at a path beside the evaluated one, as far as there are files of them.
fn other_splits(choice: &CorpusChoice, examples_split: &str) -> Result<Vec<(Corpus, Vec<Problem>)>, ReadError> {
    let splits: BTreeSet<&str> = SPLITS.into_iter().chain([examples_split]).collect();
    let others = splits.into_iter().filter(|split| choice.has_splits() && *split != choice.split);
    let files = others.filter_map(|split| choice.file(split)).filter(|file| file.exists());
    // Only the labels are taken, so a fault that leaves out an entity of another split is no fault of this run.
    files.map(|file| Corpus::read(file, &Options { on_problem: OnProblem::Skip, ..choice.options() })).collect()
}

/// The labels of all splits, in alphabetical order. `schema` has those of the evaluated one.
fn union<'a>(schema: Schema, others: impl Iterator<Item = &'a Corpus>) -> Schema {
    let others = others.flat_map(|other| other.schema.labels());
    Schema::new(schema.labels().iter().chain(others).cloned().collect::<BTreeSet<String>>())
}

/// The documents or tasks that an experiment takes: without the first ones, and so many at most.
pub(super) fn part_of<T>(mut all: Vec<T>, name: &str, skip: usize, limit: Option<usize>) -> Result<Vec<T>, PlanError> {
    let found = all.len();
    all.drain(..skip.min(found));
    all.truncate(limit.unwrap_or(usize::MAX));
    match (all.is_empty(), skip) {
        (false, _) => Ok(all),
        (true, 0) => Err(PlanError::NoDocument { name: name.to_owned() }),
        (true, skip) => Err(PlanError::SkippedAll { name: name.to_owned(), skip, found }),
    }
}

/// A digest that is equal if two runs have the same documents.
fn digest<'a>(schema: &Schema, documents: impl Iterator<Item = &'a Document>) -> String {
    #[derive(Serialize)]
    struct Line<'a>(&'a str, &'a str, &'a [gramask_ner::Entity]);
    let mut lines = serde_json::to_string(schema).unwrap_or_default();
    for document in documents {
        let line = Line(&document.id, document.text.as_str(), &document.entities);
        lines += "\n";
        lines += &serde_json::to_string(&line).unwrap_or_default();
    }
    sha256_hex(lines)
}

#[cfg(test)]
mod tests;
