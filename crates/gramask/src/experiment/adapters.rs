//! Models with adapters, in place of a name:
//! `{ name = "...", adapter = "path", as = "name in the records", examples = 0, formats = ["lines"] }`.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Experiment, format_name};

/// A model with an adapter merged into it, under a name of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adapted {
    /// What it is called in cells and records.
    pub called: String,
    /// The model: a name or a path.
    pub model: String,
    /// The adapter's folder. What is in it decides the outputs, and is digested apart; where it lies does not.
    #[serde(skip)]
    pub adapter: PathBuf,
    /// How many of the experiment's examples its prompts have; all where none is given. A model that was tuned without
    /// examples is asked without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examples: Option<usize>,
    /// Those of the experiment's formats that it decodes, by name; all where none is given. So adapters that were tuned on
    /// different formats stand in one experiment, and each is decoded in its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<String>,
}

impl Adapted {
    /// A model with an adapter, called after both.
    pub fn new(model: &str, adapter: &Path) -> Adapted {
        Adapted {
            called: format!("{model}+{}", label(adapter)),
            model: model.into(),
            adapter: adapter.into(),
            examples: None,
            formats: Vec::new(),
        }
    }
}

/// What an adapter is called: its folder's name, or that of the training it is the best or last of.
fn label(adapter: &Path) -> String {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let own = name(adapter).unwrap_or_else(|| adapter.display().to_string());
    match own.as_str() {
        "best" | "last" => adapter.parent().and_then(name).unwrap_or(own),
        _ => own,
    }
}

impl Experiment {
    /// What a model's name in the cells stands for: the model to load, and the adapter to merge into it.
    pub fn model<'a>(&'a self, called: &'a str) -> (&'a str, Option<&'a Path>) {
        match self.adapters.iter().find(|adapted| adapted.called == called) {
            Some(adapted) => (&adapted.model, Some(&adapted.adapter)),
            None => (called, None),
        }
    }

    /// Where a model that is a path in the experiment file lies: relative to the file, if there is one.
    pub fn locate(&self, model: &str) -> String {
        let path = self.folders.models.join(model);
        if path.exists() { path.to_string_lossy().into_owned() } else { model.to_string() }
    }

    /// How many examples a model's prompts have, by its name in the cells.
    pub fn examples_of(&self, called: &str) -> usize {
        let adapted = self.adapters.iter().find(|adapted| adapted.called == called);
        adapted.and_then(|adapted| adapted.examples).unwrap_or(self.examples.n)
    }
}

impl Experiment {
    /// Whether a model decodes a format, by their names in the cells.
    pub(super) fn decodes(&self, called: &str, format: &str) -> bool {
        let adapted = self.adapters.iter().find(|adapted| adapted.called == called);
        adapted.is_none_or(|model| model.formats.is_empty() || model.formats.iter().any(|own| own == format))
    }

    /// Takes every model with this adapter, each once, in place of the adapters that the experiment has.
    pub(super) fn adapt(&mut self, adapter: &Path) {
        let mut adapters: Vec<Adapted> = Vec::new();
        for called in &self.models {
            let adapted = Adapted::new(self.model(called).0, adapter);
            if !adapters.contains(&adapted) {
                adapters.push(adapted);
            }
        }
        self.models = adapters.iter().map(|adapted| adapted.called.clone()).collect();
        self.adapters = adapters;
    }
}

/// A model as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WrittenModel {
    Plain(String),
    Adapted(Adapted),
}

impl WrittenModel {
    /// What it is called in the records.
    pub fn called(&self) -> &str {
        match self {
            WrittenModel::Plain(name) => name,
            WrittenModel::Adapted(adapted) => &adapted.called,
        }
    }

    /// The model with its adapter, if it has one.
    pub fn adapted(&self) -> Option<&Adapted> {
        match self {
            WrittenModel::Plain(_) => None,
            WrittenModel::Adapted(adapted) => Some(adapted),
        }
    }
}

impl<'de> Deserialize<'de> for WrittenModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            name: String,
            adapter: Option<PathBuf>,
            #[serde(rename = "as")]
            called: Option<String>,
            examples: Option<usize>,
            formats: Option<Vec<String>>,
        }
        struct Model;
        impl<'de> Visitor<'de> for Model {
            type Value = WrittenModel;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name or path of a model, or a table { name, adapter, as, examples, formats }")
            }

            fn visit_str<E>(self, name: &str) -> Result<WrittenModel, E> {
                Ok(WrittenModel::Plain(name.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WrittenModel, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                let Some(adapter) = table.adapter else {
                    return match (table.called, table.examples, table.formats) {
                        (None, None, None) => Ok(WrittenModel::Plain(table.name)),
                        _ => Err(serde::de::Error::custom(
                            "`as`, `examples` and `formats` belong to a model with an adapter: give `adapter`, too",
                        )),
                    };
                };
                let mut adapted = Adapted::new(&table.name, &adapter);
                adapted.called = table.called.unwrap_or(adapted.called);
                adapted.examples = table.examples;
                adapted.formats = table.formats.unwrap_or_default().iter().map(|format| format_name(format)).collect();
                Ok(WrittenModel::Adapted(adapted))
            }
        }
        deserializer.deserialize_any(Model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Overrides;

    fn experiment(models: &str) -> Result<Experiment, String> {
        let source = format!(
            "models=[{models}]\nformats=['json-list']\nlevels=['grounded']\nbudget=9\ncorpora=[{{name='mini'}}]\n\
             strategies.masked={{}}"
        );
        Experiment::parse("x.toml".as_ref(), &source).map_err(|error| error.to_string())
    }

    #[test]
    fn tuned_and_untuned_models_stand_side_by_side() {
        let adapter = "{ name = 'm', adapter = 'experiments/adapters/a', as = 'tuned', examples = 0 }, { name = 'm', adapter = 'runs/b/best' }";
        let experiment = experiment(&format!("'m', {adapter}")).unwrap();
        assert_eq!(experiment.models, ["m", "tuned", "m+b"]);
        assert_eq!(experiment.model("m"), ("m", None));
        assert_eq!(experiment.model("tuned"), ("m", Some(Path::new("experiments/adapters/a"))));
        let examples = ["m", "tuned", "m+b"].map(|called| experiment.examples_of(called));
        assert_eq!(examples, [3, 0, 3]);
        let written = serde_json::to_value(&experiment).unwrap();
        assert_eq!(written["adapters"][0]["examples"], 0);
        assert_eq!(written["adapters"][1], serde_json::json!({"called": "m+b", "model": "m"}));
        let one = experiment.clone().with(&Overrides { model: Some("n".into()), ..Overrides::default() });
        assert_eq!((one.models, one.adapters.len()), (vec!["n".to_string()], 0));
        let all = experiment.with(&Overrides { adapter: Some("c".into()), ..Overrides::default() });
        assert_eq!(all.models, ["m+c"], "each model once, the file's adapters replaced");
        assert_eq!(all.model("m+c"), ("m", Some(Path::new("c"))));
    }

    #[test]
    fn a_model_decodes_its_own_formats() {
        let source = "models=['m', {name='m', adapter='a', formats=['lines']}, {name='m', adapter='b', formats=['x/mine.gram', 'lines']}]\n\
             formats=['json-list', 'lines', 'x/mine.gram']\nlevels=['grounded']\nbudget=9\ncorpora=[{name='mini'}]\nstrategies.masked={}";
        let experiment = Experiment::parse("x.toml".as_ref(), source).unwrap();
        let cells = |experiment: &Experiment| -> Vec<String> {
            experiment.cells().iter().map(|cell| format!("{} {}", cell.model, cell.format)).collect()
        };
        let all = ["m json-list", "m lines", "m mine", "m+a lines", "m+b lines", "m+b mine"];
        assert_eq!(cells(&experiment), all);
        let only = Overrides { formats: Some(vec!["json-list".into()]), ..Overrides::default() };
        assert_eq!(cells(&experiment.with(&only)), ["m json-list"]);
    }

    #[test]
    fn settings_of_runs_without_adapters_are_as_before() {
        let written = serde_json::to_value(experiment("'m'").unwrap()).unwrap();
        assert!(written.get("adapters").is_none());
    }

    #[test]
    fn faults_have_their_place() {
        for (models, words) in [
            ("{ name = 'm', as = 'x' }", "`adapter`"),
            ("{ name = 'm', examples = 0 }", "`adapter`"),
            ("{ name = 'm', adapter = 'x', examples = 4 }", "3 at most"),
            ("{ name = 'm', adaptor = 'x' }", "adaptor"),
            ("{ name = 'm', formats = ['json-list'] }", "`adapter`"),
            ("{ name = 'm', adapter = 'x', formats = ['lines'] }", "`lines` is not among the `formats`"),
            ("'m', { name = 'n', adapter = 'x', as = 'm' }", "`m` is there twice"),
            ("7", "name or path of a model"),
        ] {
            let error = experiment(models).unwrap_err();
            assert!(error.starts_with("x.toml:1:") && error.contains(words), "{error}");
        }
    }
}
