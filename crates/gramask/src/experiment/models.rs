//! The models of an experiment: a name, or a table
//! `{ name = "...", adapter = "path", as = "name in the records", examples = 0, formats = ["lines"], template = { ... } }`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::template::{self, TemplateVariables, WrittenValue};
use super::{Experiment, Overrides, format_name};

/// A model with an adapter merged into it, with other examples or with other variables of its chat template, under a name of
/// its own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelVariant {
    /// What it is called in cells and records.
    pub called: String,
    /// The model: a name or a path.
    pub model: String,
    /// The adapter's folder. What is in it decides the outputs, and is digested apart; where it lies does not.
    #[serde(skip)]
    pub adapter: Option<PathBuf>,
    /// How many of the experiment's examples its prompts have; all where none is given. A model that was tuned without
    /// examples is asked without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examples: Option<usize>,
    /// Those of the experiment's formats that it decodes, by name; all where none is given. So adapters that were tuned on
    /// different formats stand in one experiment, and each is decoded in its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<String>,
    /// Variables of its chat template, beside those of the experiment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub template: TemplateVariables,
}

impl ModelVariant {
    /// A model under this name.
    fn of(model: &str, called: &str) -> ModelVariant {
        ModelVariant {
            called: called.into(),
            model: model.into(),
            adapter: None,
            examples: None,
            formats: Vec::new(),
            template: TemplateVariables::new(),
        }
    }

    /// A model with an adapter, called after both.
    pub fn adapted(model: &str, adapter: &Path) -> ModelVariant {
        let called = format!("{model}+{}", label(adapter));
        ModelVariant { adapter: Some(adapter.into()), ..ModelVariant::of(model, &called) }
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
        match self.variant(called) {
            Some(variant) => (&variant.model, variant.adapter.as_deref()),
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
        self.variant(called).and_then(|variant| variant.examples).unwrap_or(self.examples.n)
    }

    /// The variables of a model's chat template, by its name in the cells: its own, and the experiment's.
    pub fn template_of(&self, called: &str) -> TemplateVariables {
        let mut variables = self.template.clone();
        variables.extend(self.variant(called).map(|variant| variant.template.clone()).unwrap_or_default());
        variables
    }

    /// Whether a model decodes a format, by their names in the cells.
    pub fn decodes(&self, called: &str, format: &str) -> bool {
        let own = self.variant(called).map_or(&[][..], |variant| &variant.formats);
        own.is_empty() || own.iter().any(|own| own == format)
    }

    fn variant(&self, called: &str) -> Option<&ModelVariant> {
        self.variants.iter().find(|variant| variant.called == called)
    }

    /// Takes every model with this adapter, each once, in place of the adapters that the experiment has.
    pub(super) fn adapt(&mut self, adapter: &Path) {
        let mut variants: Vec<ModelVariant> = Vec::new();
        for called in &self.models {
            let adapted = match self.variant(called) {
                // The name tells a variant without an adapter from the model itself.
                Some(variant) if variant.adapter.is_none() => ModelVariant {
                    called: format!("{called}+{}", label(adapter)),
                    adapter: Some(adapter.into()),
                    ..variant.clone()
                },
                _ => ModelVariant::adapted(self.model(called).0, adapter),
            };
            if !variants.contains(&adapted) {
                variants.push(adapted);
            }
        }
        self.models = variants.iter().map(|variant| variant.called.clone()).collect();
        self.variants = variants;
    }

    /// Sets variables of the chat template for all models.
    pub(super) fn set_template(&mut self, overrides: &Overrides) {
        for (name, value) in &overrides.template {
            self.variants.iter_mut().for_each(|variant| drop(variant.template.remove(name)));
            self.template.insert(name.clone(), value.clone());
        }
    }
}

/// A model as written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum WrittenModel {
    Plain(String),
    Variant(ModelVariant),
}

impl WrittenModel {
    /// What it is called in the records.
    pub fn called(&self) -> &str {
        match self {
            WrittenModel::Plain(name) => name,
            WrittenModel::Variant(variant) => &variant.called,
        }
    }

    /// What the table says beside the model's name, if it says anything.
    pub fn variant(&self) -> Option<&ModelVariant> {
        match self {
            WrittenModel::Plain(_) => None,
            WrittenModel::Variant(variant) => Some(variant),
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
            template: Option<BTreeMap<String, WrittenValue>>,
        }
        struct Model;
        impl<'de> Visitor<'de> for Model {
            type Value = WrittenModel;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "the name or path of a model, or a table { name, adapter, as, examples, formats, template }",
                )
            }

            fn visit_str<E>(self, name: &str) -> Result<WrittenModel, E> {
                Ok(WrittenModel::Plain(name.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WrittenModel, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                let Table { name, adapter, called, examples, formats, template } = table;
                let variant = match &adapter {
                    None => ModelVariant::of(&name, &name),
                    Some(adapter) => ModelVariant::adapted(&name, adapter),
                };
                let called = called.unwrap_or_else(|| variant.called.clone());
                let formats = formats.unwrap_or_default().iter().map(|format| format_name(format)).collect();
                let template = template.map(template::variables).unwrap_or_default();
                let variant = ModelVariant { called, examples, formats, template, ..variant };
                Ok(match variant == ModelVariant::of(&name, &name) {
                    true => WrittenModel::Plain(name),
                    false => WrittenModel::Variant(variant),
                })
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
        assert_eq!((one.models, one.variants.len()), (vec!["n".to_string()], 0));
        let all = experiment.with(&Overrides { adapter: Some("c".into()), ..Overrides::default() });
        assert_eq!(all.models, ["m+c"], "each model once, the file's adapters replaced");
        assert_eq!(all.model("m+c"), ("m", Some(Path::new("c"))));
    }

    #[test]
    fn one_model_can_be_asked_in_several_ways() {
        let variants = "'m', { name = 'm', as = 'thinks', template = { enable_thinking = true } }, \
            { name = 'm', as = 'zero', examples = 0 }, { name = 'n' }";
        let experiment = experiment(variants).unwrap();
        assert_eq!(experiment.models, ["m", "thinks", "zero", "n"]);
        assert_eq!((experiment.model("thinks"), experiment.model("n")), (("m", None), ("n", None)));
        assert_eq!(experiment.examples_of("zero"), 0);
        assert_eq!(experiment.template_of("thinks")["enable_thinking"], true);
        assert!(experiment.template_of("m").is_empty());
        let written = serde_json::to_value(&experiment).unwrap();
        let thinks = serde_json::json!({"called": "thinks", "model": "m", "template": {"enable_thinking": true}});
        assert_eq!(written["adapters"][0], thinks);

        let adapted = experiment.clone().with(&Overrides { adapter: Some("c".into()), ..Overrides::default() });
        assert_eq!(adapted.models, ["m+c", "thinks+c", "zero+c", "n+c"]);
        assert_eq!(adapted.template_of("thinks+c")["enable_thinking"], true);
        let template = TemplateVariables::from([("enable_thinking".into(), false.into()), ("x".into(), 1.into())]);
        let set = experiment.with(&Overrides { template: template.clone(), ..Overrides::default() });
        assert_eq!((set.template_of("thinks"), set.template_of("m")), (template.clone(), template), "for all models");
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
        assert!(written.get("adapters").is_none() && written.get("template").is_none());
    }

    #[test]
    fn faults_have_their_place() {
        for (models, words) in [
            ("{ name = 'm', template = { d = 2026-07-26 } }", "in quotes, \"2026-07-26\""),
            ("{ name = 'm', template = 3 }", "a map"),
            ("{ name = 'm', adapter = 'x', examples = 4 }", "3 at most"),
            ("{ name = 'm', adaptor = 'x' }", "adaptor"),
            ("{ name = 'm', adapter = 'x', formats = ['lines'] }", "`lines` is not among the `formats`"),
            ("'m', { name = 'n', adapter = 'x', as = 'm' }", "`m` is there twice"),
            ("7", "name or path of a model"),
        ] {
            let error = experiment(models).unwrap_err();
            assert!(error.starts_with("x.toml:1:") && error.contains(words), "{error}");
        }
    }
}
