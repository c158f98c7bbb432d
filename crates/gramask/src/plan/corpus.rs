//! A corpus of a plan: its documents, and the examples of its prompts.

use std::path::{Path, PathBuf};

use gramask_ner::corpus::{self, Problem, ReadError};
use gramask_ner::{Corpus, Document, Schema};
use serde::Serialize;

use super::{PlanError, examples};
use crate::experiment::{CorpusChoice, Unit};
use crate::pull::sha256_hex;

/// A corpus of a plan.
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
    /// Faults in the files of the corpus that were skipped.
    pub problems: Vec<Problem>,
}

impl PlannedCorpus {
    /// Reads a corpus and chooses its examples.
    ///
    /// The examples come from the split `examples_split`. A path has splits if it contains `{split}`, such as
    /// `data/mine-{split}.pubtator`. From a path without splits, the examples are taken out of the documents.
    ///
    /// # Errors
    /// An unknown name or split, a file that is missing or corrupt, nothing to decode.
    pub fn read(choice: &CorpusChoice, examples: usize, examples_split: &str) -> Result<PlannedCorpus, PlanError> {
        let fail = |source| PlanError::Corpus { name: choice.name.clone(), source: Box::new(source) };
        let (corpus, problems) = read(choice, &choice.split).map_err(fail)?;
        let Corpus { schema, mut documents, .. } = corpus;
        let one_file = choice.path.as_ref().is_some_and(|path| in_split(path, "") == *path);
        let chosen = if examples == 0 {
            Vec::new()
        } else if one_file || examples_split == choice.split {
            let chosen = examples::choose(&documents, &schema, examples);
            documents.retain(|document| !chosen.iter().any(|example| example.id == document.id));
            chosen
        } else {
            let (others, _) = read(choice, examples_split).map_err(fail)?;
            examples::choose(&others.documents, &schema, examples)
        };
        documents.truncate(choice.limit.unwrap_or(usize::MAX));
        if documents.is_empty() {
            return Err(PlanError::NoDocument { name: choice.name.clone(), examples: chosen.len() });
        }
        let digest = digest(&schema, documents.iter().chain(&chosen));
        Ok(PlannedCorpus { name: choice.name.clone(), schema, documents, examples: chosen, digest, problems })
    }
}

fn read(choice: &CorpusChoice, split: &str) -> Result<(Corpus, Vec<Problem>), ReadError> {
    let Some(path) = &choice.path else {
        let (corpus, problems) = corpus::find(&choice.name, split)?;
        let whole = corpus::named(&choice.name)?.unit == corpus::Unit::Abstract && choice.unit == Unit::Sentence;
        return Ok((if whole { corpus.into_sentences() } else { corpus }, problems));
    };
    let options = corpus::Options {
        name: Some(choice.name.clone()),
        on_problem: choice.on_problem,
        ..corpus::Options::default()
    };
    let (corpus, problems) = Corpus::read(in_split(path, split), &options)?;
    Ok((if choice.unit == Unit::Sentence { corpus.into_sentences() } else { corpus }, problems))
}

/// A path with `{split}` filled in.
fn in_split(path: &Path, split: &str) -> PathBuf {
    path.to_str().map_or_else(|| path.to_path_buf(), |text| text.replace("{split}", split).into())
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
mod tests {
    use super::*;
    use crate::experiment::OnProblem;

    const PUBTATOR: &str = "1|t|Naloxone reverses the effect of clonidine.\n1|a|Nothing else is in this abstract at all here.\n\
        1\t0\t8\tNaloxone\tChemical\tD009270\n1\t32\t41\tclonidine\tChemical\tD003000\n\n\
        2|t|Aspirin may cause a headache in some.\n2|a|It did not do so.\n2\t0\t7\tAspirin\tChemical\tD1\n\
        2\t20\t28\theadache\tDisease\tD2\n\n";

    fn choice(path: &Path) -> CorpusChoice {
        CorpusChoice {
            name: "own".into(),
            path: Some(path.into()),
            split: "test".into(),
            unit: Unit::Sentence,
            limit: None,
            on_problem: OnProblem::Stop,
        }
    }

    #[test]
    fn examples_of_a_single_file_are_taken_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.pubtator");
        std::fs::write(&path, PUBTATOR).unwrap();
        let all = PlannedCorpus::read(&choice(&path), 0, "train").unwrap();
        assert_eq!((all.documents.len(), all.examples.len()), (4, 0));
        let some = PlannedCorpus::read(&choice(&path), 1, "train").unwrap();
        assert_eq!((some.documents.len(), some.examples.len()), (3, 1));
        assert_ne!(all.digest, some.digest);
        let few = PlannedCorpus::read(&CorpusChoice { limit: Some(1), ..choice(&path) }, 1, "train").unwrap();
        assert_eq!(few.documents.len(), 1);
        let error = PlannedCorpus::read(&choice(&path), 9, "train");
        assert!(error.is_ok(), "documents without entities are left");
    }

    #[test]
    fn a_path_may_name_the_split() {
        let folder = tempfile::tempdir().unwrap();
        for split in ["train", "test"] {
            std::fs::write(folder.path().join(format!("own-{split}.pubtator")), PUBTATOR).unwrap();
        }
        let planned = PlannedCorpus::read(&choice(&folder.path().join("own-{split}.pubtator")), 1, "train").unwrap();
        assert_eq!((planned.documents.len(), planned.examples.len()), (4, 1));
    }

    #[test]
    fn faults_name_corpus_and_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.pubtator");
        let error = PlannedCorpus::read(&choice(&path), 0, "train").unwrap_err().to_string();
        assert!(error.contains("`own`") && error.contains("own.pubtator"), "{error}");
        std::fs::write(&path, PUBTATOR.replace("32\t41", "33\t41")).unwrap();
        let error = PlannedCorpus::read(&choice(&path), 0, "train").unwrap_err().to_string();
        assert!(error.contains("own.pubtator:4"), "{error}");
    }
}
