//! What the command line changes in an experiment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gramask_grammar::Level;
use gramask_ner::corpus::{Columns, Form};
use serde::{Deserialize, Serialize};

use super::{CorpusChoice, Experiment, OnProblem, StrategyName, TemplateVariables, format_name};

/// Changes to an experiment; what is `None` stays as the file has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// The form of the corpus at `corpus`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
    /// The columns of the corpus at `corpus`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Columns>,
    /// The labels of the corpus at `corpus`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// New names of labels of the corpus at `corpus`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
    /// One model in place of all that the file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// This adapter for each model, in place of those that the file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<PathBuf>,
    /// These variables of the models' chat templates, in addition to those that the file sets or in place of them.
    #[serde(skip_serializing_if = "TemplateVariables::is_empty")]
    pub template: TemplateVariables,
    /// These formats in place of those that the file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formats: Option<Vec<String>>,
    /// These levels in place of those that the file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levels: Option<Vec<Level>>,
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
            let split = first.map_or("test".into(), |corpus| corpus.split.clone());
            let choice = CorpusChoice::at(path, split);
            self.corpora = vec![CorpusChoice {
                unit: first.map_or(choice.unit, |corpus| corpus.unit),
                on_problem: first.map_or(choice.on_problem, |corpus| corpus.on_problem),
                form: overrides.form,
                columns: overrides.columns,
                labels: overrides.labels.clone(),
                rename: overrides.rename.clone(),
                ..choice
            }];
        }
        if let Some(on_problem) = overrides.on_problem {
            self.corpora.iter_mut().for_each(|corpus| corpus.on_problem = on_problem);
        }
        if let Some(limit) = overrides.limit {
            self.corpora.iter_mut().for_each(|corpus| corpus.limit = Some(limit));
            self.tasks.iter_mut().for_each(|tasks| tasks.limit = Some(limit));
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
            self.folders.models = PathBuf::new();
            self.variants.clear();
        }
        if let Some(adapter) = &overrides.adapter {
            self.adapt(adapter);
        }
        self.set_template(overrides);
        if let Some(formats) = &overrides.formats {
            self.folders.formats = PathBuf::new();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Unit;

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
            form: Some(Form::Conll),
            columns: "word=2,tag=3".parse().ok(),
            labels: vec!["X".into()],
            rename: BTreeMap::from([("Y".into(), "X".into())]),
            corpus: Some("data/my.pubtator".into()),
            model: Some("m.gguf".into()),
            adapter: None,
            template: TemplateVariables::from([("x".into(), 1.into())]),
            formats: Some(vec!["tuples".into(), "mine/tuples.gram".into(), "bio-tags".into()]),
            levels: Some(vec![Level::Syntax, Level::None, Level::Syntax]),
            strategies: Some(vec!["jump".parse().unwrap(), "beam".parse().unwrap()]),
        };
        let changed = experiment.with(&overrides);
        assert_eq!((changed.batch, changed.device.as_str(), changed.models), (3, "cuda", vec!["m.gguf".to_string()]));
        assert_eq!((changed.dtype.as_deref(), &changed.template), (Some("f16"), &overrides.template));
        assert_eq!(changed.corpora.len(), 1);
        assert_eq!(changed.formats, ["tuples", "bio-tags"]);
        assert_eq!(changed.levels, [Level::Syntax, Level::None]);
        let names = |level| changed.strategies.of(level).iter().map(|name| name.as_str()).collect::<Vec<_>>();
        assert_eq!(names(Level::Syntax), ["jump", "beam"]);
        assert_eq!(names(Level::None), ["beam"]);
        assert_eq!(changed.corpora[0].name, "my");
        assert_eq!(changed.corpora[0].unit, Unit::Document);
        assert_eq!(changed.corpora[0].limit, Some(7));
        assert_eq!(changed.corpora[0].on_problem, OnProblem::Skip);
        assert_eq!(changed.corpora[0].columns, overrides.columns);
        assert_eq!((&changed.corpora[0].labels, &changed.corpora[0].rename), (&overrides.labels, &overrides.rename));
        // A path on the command line is relative to the current folder, one in the file to the file's.
        assert_eq!(changed.corpora[0].file("test"), Some("data/my.pubtator".into()));
    }
}
