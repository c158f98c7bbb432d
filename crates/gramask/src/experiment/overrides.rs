//! What the command line changes in an experiment.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{CorpusChoice, Experiment, OnProblem, Unit};

/// Changes to an experiment; what is `None` stays as the file has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Overrides {
    /// At most so many documents of each corpus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Another device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Another number of sequences at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// One corpus at this path in place of all that the file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corpus: Option<PathBuf>,
    /// What to do at a fault of a corpus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_problem: Option<OnProblem>,
    /// One model in place of all that the file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

impl Experiment {
    /// The experiment with these changes.
    pub fn with(mut self, overrides: &Overrides) -> Experiment {
        if let Some(path) = &overrides.corpus {
            // Split and unit are the file's, as far as it has any.
            let first = self.corpora.first();
            self.corpora = vec![CorpusChoice {
                name: corpus_name(path),
                path: Some(path.clone()),
                split: first.map_or("test".into(), |corpus| corpus.split.clone()),
                unit: first.map_or(Unit::Sentence, |corpus| corpus.unit),
                limit: None,
                on_problem: first.map_or(OnProblem::Stop, |corpus| corpus.on_problem),
            }];
        }
        if let Some(on_problem) = overrides.on_problem {
            self.corpora
                .iter_mut()
                .for_each(|corpus| corpus.on_problem = on_problem);
        }
        if let Some(limit) = overrides.limit {
            self.corpora.iter_mut().for_each(|corpus| corpus.limit = Some(limit));
        }
        if let Some(device) = &overrides.device {
            self.device = device.clone();
        }
        if let Some(batch) = overrides.batch {
            self.batch = batch;
        }
        if let Some(model) = &overrides.model {
            self.models = vec![model.clone()];
        }
        self
    }
}

/// What a corpus at a path is called: its file name without the ending.
pub(super) fn corpus_name(path: &Path) -> String {
    path.file_stem().map_or_else(
        || path.to_string_lossy().into_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_replace_what_the_file_has() {
        let source = "models=['a/b','c/d']\nformats=['json-list']\nlevels=['grounded']\nbudget=9\ncorpora=[{name='mini',unit='document'},{name='bc5cdr'}]\nstrategies.masked={}";
        let experiment = Experiment::parse("x.toml".as_ref(), source).unwrap();
        assert_eq!(experiment.clone().with(&Overrides::default()), experiment);
        let overrides = Overrides {
            limit: Some(7),
            device: Some("cuda".into()),
            batch: Some(3),
            on_problem: Some(OnProblem::Skip),
            corpus: Some("data/my.pubtator".into()),
            model: Some("m.gguf".into()),
        };
        let changed = experiment.with(&overrides);
        assert_eq!(
            (changed.batch, changed.device.as_str(), changed.models),
            (3, "cuda", vec!["m.gguf".to_string()])
        );
        assert_eq!(changed.corpora.len(), 1);
        assert_eq!(changed.corpora[0].name, "my");
        assert_eq!(changed.corpora[0].unit, Unit::Document);
        assert_eq!(changed.corpora[0].limit, Some(7));
        assert_eq!(changed.corpora[0].on_problem, OnProblem::Skip);
    }
}
