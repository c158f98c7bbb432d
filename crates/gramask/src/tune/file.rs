//! Tuning files: which model learns to write which corpora in which formats, and how.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gramask_grammar::Level;
use gramask_model::tuning::{AdamWSettings, Lora, Scratch};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::experiment::{
    CorpusChoice, ExperimentError, Folders, TemplateVariables, WrittenCorpus, WrittenValue, format_name, read_text,
    read_toml, run_name, variables,
};

/// A tuning file, read and checked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tuning {
    /// The run's folder is named after it; the file's name where the file gives none.
    pub name: String,
    /// One sentence for people.
    pub about: String,
    /// The model to start from: a name or a path.
    pub model: String,
    /// A model of this shape, with random weights and the tokens of `model`, in its place.
    pub scratch: Option<Scratch>,
    /// An adapter to go on from, in place of a fresh one.
    pub adapter: Option<PathBuf>,
    /// The folders that relative paths are relative to.
    #[serde(skip)]
    pub folders: Folders,
    /// Variables of the model's chat template.
    #[serde(skip_serializing_if = "TemplateVariables::is_empty")]
    pub template: TemplateVariables,
    /// Names of shipped formats, or paths of `.gram` files.
    pub formats: Vec<String>,
    /// The documents to learn from.
    pub corpora: Vec<CorpusChoice>,
    /// `flex`, `wgpu`, `cuda:1`, ...
    pub device: String,
    /// The adapter's shape; none where all weights are learnt.
    pub lora: Option<Lora>,
    /// How it is learnt.
    pub training: Training,
    /// The optimiser.
    pub optimiser: AdamWSettings,
    /// How it is tested on the way.
    pub validation: Option<Validation>,
}

/// How documents become steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Training {
    /// How often each document is seen; in one format drawn at random, or in each.
    pub epochs: usize,
    /// Ends earlier, after so many steps; the schedule ends with it.
    pub steps: Option<usize>,
    /// Several formats: `one` of them for each document and epoch, drawn at random, or `all`.
    pub mix: Mix,
    /// Examples of a step.
    pub batch: usize,
    /// Examples of one format that are computed together, so that their common beginning is computed once.
    pub group: usize,
    /// The most tokens computed together; a group that has more is cut.
    pub tokens: usize,
    /// Examples of which prompt and output have more tokens are left out, and counted.
    pub longest: usize,
    /// The highest learning rate.
    pub rate: f64,
    /// The learning rate at the end, as a share of the highest.
    pub floor: f64,
    /// How many steps it rises.
    pub warm_up: usize,
    /// Of the order of documents, the formats drawn, the first weights and what dropout leaves out.
    pub seed: u64,
    /// The state is written every so many steps, for the training to go on from.
    pub save: usize,
}

impl Default for Training {
    fn default() -> Self {
        Training {
            epochs: 1,
            steps: None,
            mix: Mix::One,
            batch: 16,
            group: 8,
            tokens: 1024,
            longest: 512,
            rate: 3e-4,
            floor: 0.1,
            warm_up: 20,
            seed: 1,
            save: 20,
        }
    }
}

/// Which formats a document is seen in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mix {
    /// One for each epoch, drawn at random.
    #[default]
    One,
    /// All of them, in each epoch.
    All,
}

/// How the model is tested on the way: documents of the first corpus are decoded in all formats, and the best is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Validation {
    /// The split.
    pub split: String,
    /// How many of its documents.
    pub limit: usize,
    /// After every so many steps, and at the end.
    pub every: usize,
    /// The levels. The last one decides which model is the best.
    pub levels: Vec<Level>,
    /// At most so many tokens of an output, beyond those of the output without entities.
    pub budget: usize,
    /// How many documents are decoded at once.
    pub batch: usize,
}

impl Default for Validation {
    fn default() -> Self {
        Validation {
            split: "dev".into(),
            limit: 32,
            every: 100,
            levels: vec![Level::None, Level::Grounded],
            budget: 96,
            batch: 8,
        }
    }
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<Spanned<String>>,
    #[serde(default)]
    about: String,
    model: String,
    scratch: Option<Spanned<Scratch>>,
    adapter: Option<PathBuf>,
    #[serde(default)]
    template: BTreeMap<String, WrittenValue>,
    formats: Spanned<Vec<String>>,
    corpora: Spanned<Vec<Spanned<WrittenCorpus>>>,
    device: Option<String>,
    lora: Option<Spanned<Lora>>,
    weights: Option<Spanned<Weights>>,
    #[serde(default)]
    training: Option<Spanned<Training>>,
    #[serde(default)]
    optimiser: AdamWSettings,
    validation: Option<Spanned<Validation>>,
}

/// What is learnt where it is no adapter.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Weights {
    All,
}

impl Tuning {
    /// Reads a tuning file; returns its text, too.
    ///
    /// # Errors
    /// When it cannot be read, and with file, line and column for all that is wrong in it.
    pub fn read(path: &Path) -> Result<(Tuning, String), ExperimentError> {
        let source = read_text(path)?;
        Ok((Tuning::parse(path, &source)?, source))
    }

    /// Reads the text of a tuning file; `path` names it in messages, and the run where the text does not.
    ///
    /// # Errors
    /// As [`Tuning::read`].
    pub fn parse(path: &Path, source: &str) -> Result<Tuning, ExperimentError> {
        let wrong = |span: Range<usize>, message: String| ExperimentError::wrong(path, source, span, message);
        let written: Written = read_toml(path, source)?;
        let name = run_name(path, written.name.as_ref()).map_err(|(at, message)| wrong(at, message))?;
        if !each_once(written.formats.get_ref()) {
            let message = "`formats` names one format at least, and each once".into();
            return Err(wrong(written.formats.span(), message));
        }
        let scratch = match written.scratch {
            None => None,
            Some(scratch) => {
                let span = scratch.span();
                let scratch = scratch.into_inner();
                scratch.validate().map_err(|error| wrong(span.clone(), error.to_string()))?;
                if written.weights.is_none() {
                    return Err(wrong(span, "of a model from scratch all is learnt: add `weights = \"all\"`".into()));
                }
                Some(scratch)
            }
        };
        let lora = match (&written.lora, &written.weights) {
            (Some(lora), None) => {
                let lora = lora.clone();
                let span = lora.span();
                let lora = lora.into_inner();
                lora.validate().map_err(|error| wrong(span, error.to_string()))?;
                Some(lora)
            }
            (None, Some(weights)) => {
                let Weights::All = weights.get_ref();
                None
            }
            (Some(_), Some(weights)) => {
                let message = "either [lora] or `weights = \"all\"`: an adapter leaves the weights as they are".into();
                return Err(wrong(weights.span(), message));
            }
            (None, None) => Some(Lora::default()),
        };
        let mut corpora = Vec::new();
        for corpus in written.corpora.get_ref() {
            let choice = corpus.get_ref().choice(path, "train");
            corpora.push(choice.map_err(|(at, message)| wrong(at.unwrap_or(corpus.span()), message))?);
        }
        if corpora.is_empty() {
            let message = "`corpora` is empty: add [[corpora]] with a name or a path".into();
            return Err(wrong(written.corpora.span(), message));
        }
        let training = written.training.unwrap_or(Spanned::new(0..0, Training::default()));
        let span = training.span();
        let training = training.into_inner();
        training.check().map_err(|message| wrong(span, message))?;
        let validation = match written.validation {
            None => None,
            Some(validation) => {
                let span = validation.span();
                let validation = validation.into_inner();
                validation.check().map_err(|message| wrong(span, message))?;
                Some(validation)
            }
        };
        Ok(Tuning {
            name,
            about: written.about,
            model: written.model,
            scratch,
            adapter: written.adapter,
            folders: Folders::of(path),
            template: variables(written.template),
            formats: written.formats.into_inner(),
            corpora,
            device: written.device.unwrap_or_else(|| "flex".into()),
            lora,
            training,
            optimiser: written.optimiser,
            validation,
        })
    }
}

/// Whether there is a format, and none twice.
pub(super) fn each_once(formats: &[String]) -> bool {
    let names: Vec<String> = formats.iter().map(|format| format_name(format)).collect();
    !names.is_empty() && !(1..names.len()).any(|i| names[..i].contains(&names[i]))
}

impl Training {
    fn check(&self) -> Result<(), String> {
        let counts = [
            ("epochs", self.epochs),
            ("steps", self.steps.unwrap_or(1)),
            ("batch", self.batch),
            ("group", self.group),
            ("tokens", self.tokens),
            ("longest", self.longest),
            ("save", self.save),
        ];
        if let Some((name, _)) = counts.into_iter().find(|&(_, count)| count == 0) {
            return Err(format!("`{name}` is 0: give at least 1"));
        }
        if !(self.rate.is_finite() && self.rate > 0.0) {
            return Err(format!("`rate` is {}: give a number above 0, such as 3e-4", self.rate));
        }
        if !(0.0..=1.0).contains(&self.floor) {
            return Err(format!("`floor` is {}: it is a share of `rate`, 0 to 1", self.floor));
        }
        Ok(())
    }
}

impl Validation {
    fn check(&self) -> Result<(), String> {
        let counts = [
            ("limit", self.limit),
            ("every", self.every),
            ("budget", self.budget),
            ("batch", self.batch),
            ("levels", self.levels.len()),
        ];
        match counts.into_iter().find(|&(_, count)| count == 0) {
            Some((name, _)) => Err(format!("`{name}` is 0 or empty: give at least 1")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "model = \"smollm2-135m-instruct\"\nformats = [\"json-list\", \"inline-xml\"]\n\
        [[corpora]]\nname = \"bc5cdr\"\n[lora]\nrank = 4\n[training]\nrate = 1e-3\nsteps = 10\n[validation]\nlimit = 8\n";

    #[test]
    fn what_is_not_given_has_its_default() {
        let tuning = Tuning::parse("tune-x.toml".as_ref(), GOOD).unwrap();
        assert_eq!((tuning.name.as_str(), tuning.device.as_str()), ("tune-x", "flex"));
        assert_eq!(tuning.corpora[0].split, "train");
        let lora = tuning.lora.unwrap();
        assert_eq!((lora.rank, lora.targets.len()), (4, 7));
        assert_eq!((tuning.training.rate, tuning.training.batch), (1e-3, 16));
        assert_eq!(tuning.optimiser.epsilon, 1e-8);
        assert_eq!(tuning.validation.unwrap().split, "dev");
        let whole = Tuning::parse("x.toml".as_ref(), &GOOD.replace("[lora]\nrank = 4\n", "")).unwrap();
        assert_eq!(whole.lora, Some(Lora::default()));
        assert!(tuning.template.is_empty());
        let set =
            Tuning::parse("x.toml".as_ref(), &format!("template = {{ enable_thinking = false }}\n{GOOD}")).unwrap();
        assert_eq!(set.template["enable_thinking"], false);
        let all = format!("weights = \"all\"\n{}", GOOD.replace("[lora]\nrank = 4\n", ""));
        assert_eq!(Tuning::parse("x.toml".as_ref(), &all).unwrap().lora, None);
    }

    #[test]
    fn faults_have_their_place() {
        for (from, to, line, words) in [
            ("rank = 4", "rank = 0", 5, "1 to 1024"),
            ("rate = 1e-3", "rate = 0", 7, "above 0"),
            ("\"inline-xml\"", "\"x/json-list.gram\"", 2, "each once"),
            ("name = \"bc5cdr\"", "split = \"dev\"", 3, "a corpus needs"),
            ("limit = 8", "limit = 0", 10, "at least 1"),
            ("rank = 4", "rang = 4", 6, "rank"),
            ("model =", "weights = \"all\"\nmodel =", 1, "either"),
            (
                "model =",
                "scratch = { layers = 1, width = 8, heads = 3, kv_heads = 1, hidden = 8 }\nmodel =",
                1,
                "`heads`",
            ),
            ("model =", "scratch = { layers = 1, width = 8, heads = 2, kv_heads = 1, hidden = 8 }\nmodel =", 1, "all"),
        ] {
            let error = Tuning::parse("x.toml".as_ref(), &GOOD.replace(from, to)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("x.toml:{line}:")) && error.contains(words), "{to}: {error}");
        }
    }
}
