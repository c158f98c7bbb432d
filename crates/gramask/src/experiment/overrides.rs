//! What the command line changes in an experiment.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{CorpusChoice, Experiment, LevelName, OnProblem, StrategyName, Unit, format_name};

/// Changes to an experiment; what is `None` stays as the file has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    /// At most so many documents of each corpus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Another device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Another float type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
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
    /// This adapter for each model, in place of those that the file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<PathBuf>,
    /// These formats in place of those that the file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formats: Option<Vec<String>>,
    /// These levels in place of those that the file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levels: Option<Vec<LevelName>>,
    /// These strategies in place of those that the file names: with the file's parameters where it has them, else with the
    /// default ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategies: Option<Vec<StrategyName>>,
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
            self.corpora.iter_mut().for_each(|corpus| corpus.on_problem = on_problem);
        }
        if let Some(limit) = overrides.limit {
            self.corpora.iter_mut().for_each(|corpus| corpus.limit = Some(limit));
        }
        if let Some(device) = &overrides.device {
            self.device = device.clone();
        }
        if let Some(dtype) = &overrides.dtype {
            self.dtype = Some(dtype.clone());
        }
        if let Some(batch) = overrides.batch {
            self.batch = batch;
        }
        if let Some(model) = &overrides.model {
            self.models = vec![model.clone()];
            self.adapters.clear();
        }
        if let Some(adapter) = &overrides.adapter {
            self.adapt(adapter);
        }
        if let Some(formats) = &overrides.formats {
            self.formats = once(formats, |format| format_name(format));
        }
        if let Some(levels) = &overrides.levels {
            self.levels = once(levels, |level| *level);
        }
        if let Some(strategies) = &overrides.strategies {
            self.strategies = self.strategies.only(strategies);
        }
        self
    }
}

/// The items, each name once.
fn once<T: Clone, N: PartialEq>(items: &[T], name: impl Fn(&T) -> N) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for item in items {
        if !kept.iter().any(|other| name(other) == name(item)) {
            kept.push(item.clone());
        }
    }
    kept
}

/// What a corpus at a path is called: its file name without the ending.
pub(super) fn corpus_name(path: &Path) -> String {
    path.file_stem().map_or_else(|| path.to_string_lossy().into_owned(), |stem| stem.to_string_lossy().into_owned())
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
            dtype: Some("f16".into()),
            batch: Some(3),
            on_problem: Some(OnProblem::Skip),
            corpus: Some("data/my.pubtator".into()),
            model: Some("m.gguf".into()),
            adapter: None,
            formats: Some(vec!["tuples".into(), "mine/tuples.gram".into(), "bio-tags".into()]),
            levels: Some(vec![LevelName::Syntax, LevelName::None, LevelName::Syntax]),
            strategies: Some(vec!["jump".parse().unwrap(), "beam".parse().unwrap()]),
        };
        let changed = experiment.with(&overrides);
        assert_eq!((changed.batch, changed.device.as_str(), changed.models), (3, "cuda", vec!["m.gguf".to_string()]));
        assert_eq!(changed.dtype.as_deref(), Some("f16"));
        assert_eq!(changed.corpora.len(), 1);
        assert_eq!(changed.formats, ["tuples", "bio-tags"]);
        assert_eq!(changed.levels, [LevelName::Syntax, LevelName::None]);
        let names = |level| changed.strategies.of(level).iter().map(|name| name.as_str()).collect::<Vec<_>>();
        assert_eq!(names(LevelName::Syntax), ["jump", "beam"]);
        assert_eq!(names(LevelName::None), ["beam"]);
        assert_eq!(changed.corpora[0].name, "my");
        assert_eq!(changed.corpora[0].unit, Unit::Document);
        assert_eq!(changed.corpora[0].limit, Some(7));
        assert_eq!(changed.corpora[0].on_problem, OnProblem::Skip);
    }
}
