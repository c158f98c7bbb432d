//! TOML to an [`Experiment`].
//!
//! Every value that can be wrong in a way that TOML does not know of is read with its place, so that the message can point
//! at it. Names of corpora, formats and devices are checked by those who know them, before a run begins.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::Path;

use gramask_decode::Sampling;
use gramask_grammar::Level;
use serde::Deserialize;
use toml::Spanned;

use super::models::WrittenModel;
use super::tasks::WrittenTasks;
use super::template::{self, WrittenValue};
use super::{
    CorpusChoice, Examples, Experiment, ExperimentError, Folders, Strategies, StrategyName, TASK_FORMAT, TaskChoice,
    WrittenCorpus, format_name, read_text, read_toml, run_name,
};

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<Spanned<String>>,
    #[serde(default)]
    about: String,
    models: Spanned<Vec<Spanned<WrittenModel>>>,
    #[serde(default = "nothing")]
    formats: Spanned<Vec<Spanned<String>>>,
    levels: Spanned<Vec<Spanned<Level>>>,
    budget: Spanned<usize>,
    #[serde(default = "one")]
    batch: Spanned<usize>,
    #[serde(default = "flex")]
    device: String,
    weights: Option<String>,
    #[serde(default)]
    share_prompts: bool,
    canonical: Option<Spanned<bool>>,
    dtype: Option<String>,
    #[serde(default = "nothing")]
    corpora: Spanned<Vec<Spanned<WrittenCorpus>>>,
    #[serde(default)]
    tasks: Vec<Spanned<WrittenTasks>>,
    instruction: Option<Spanned<String>>,
    strategies: Spanned<Strategies>,
    #[serde(default)]
    examples: Examples,
    #[serde(default)]
    template: BTreeMap<String, WrittenValue>,
    sampling: Option<Spanned<WrittenSampling>>,
}

/// [`Sampling`], with several seeds in the place of one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSampling {
    temperature: Option<f32>,
    top_k: Option<usize>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    seed: Option<u64>,
    seeds: Option<Spanned<Vec<Spanned<u64>>>>,
}

impl WrittenSampling {
    fn sampling(&self) -> Sampling {
        let default = Sampling::greedy();
        Sampling {
            temperature: self.temperature.unwrap_or(default.temperature),
            top_k: self.top_k.unwrap_or(default.top_k),
            top_p: self.top_p.unwrap_or(default.top_p),
            min_p: self.min_p.unwrap_or(default.min_p),
            seed: self.seed.unwrap_or(default.seed),
        }
    }

    /// The seeds, where there are several.
    fn seeds(&self) -> Result<Vec<u64>, Located> {
        let Some(seeds) = &self.seeds else {
            return Ok(Vec::new());
        };
        if self.seed.is_some() {
            let message = "give one `seed`, or several `seeds`, and not both: each cell is run with each of the seeds";
            return Err((seeds.span(), message.into()));
        }
        filled(seeds, "seeds", "numbers such as [1, 2, 3], or one `seed`")?;
        unique(seeds.get_ref(), u64::to_string)?;
        Ok(seeds.get_ref().iter().map(|seed| *seed.get_ref()).collect())
    }
}

fn one() -> Spanned<usize> {
    Spanned::new(0..0, 1)
}

fn nothing<T>() -> Spanned<Vec<T>> {
    Spanned::new(0..0, Vec::new())
}

fn flex() -> String {
    "flex".into()
}

impl Experiment {
    /// Reads an experiment file.
    ///
    /// # Errors
    /// When it cannot be read, and with file, line and column for all that is wrong in it: the message says what would be
    /// right.
    pub fn read(path: &Path) -> Result<(Experiment, String), ExperimentError> {
        let source = read_text(path)?;
        Ok((Experiment::parse(path, &source)?, source))
    }

    /// Reads the text of an experiment file; `path` names it in messages, and the experiment where the text does not.
    ///
    /// # Errors
    /// As [`Experiment::read`].
    pub fn parse(path: &Path, source: &str) -> Result<Experiment, ExperimentError> {
        let written: Written = read_toml(path, source)?;
        written.check(path).map_err(|(span, message)| ExperimentError::wrong(path, source, span, message))
    }
}

impl Written {
    /// The experiment, or the first thing that is wrong with it.
    fn check(self, path: &Path) -> Result<Experiment, Located> {
        let name = run_name(path, self.name.as_ref())?;
        self.check_lists()?;
        self.check_strategies()?;
        self.check_numbers()?;
        let (sampling, seeds) = self.sampling()?;
        let corpora = self.corpora(path)?;
        let tasks = self.tasks(path, &corpora)?;
        let instruction = self.instruction()?;
        let models = values(self.models);
        let folders = Folders::of(path);
        let mut variants: Vec<_> = models.iter().filter_map(WrittenModel::variant).cloned().collect();
        for adapter in variants.iter_mut().filter_map(|variant| variant.adapter.as_mut()) {
            *adapter = folders.file.join(&*adapter);
        }
        let canonical = self.canonical.as_ref().is_some_and(|canonical| *canonical.get_ref());
        let experiment = Experiment {
            name,
            about: self.about,
            models: models.iter().map(|model| model.called().into()).collect(),
            variants,
            corpora,
            tasks,
            instruction,
            folders,
            formats: values(self.formats),
            levels: values(self.levels),
            strategies: self.strategies.into_inner(),
            examples: self.examples,
            template: template::variables(self.template),
            sampling,
            seeds,
            budget: self.budget.into_inner(),
            batch: self.batch.into_inner(),
            device: self.device,
            weights: self.weights,
            share_prompts: self.share_prompts,
            canonical,
            dtype: self.dtype,
        };
        let place = self.canonical.map_or(0..0, |canonical| canonical.span());
        experiment.check_canonical().map_err(|error| (place, error.to_string()))?;
        Ok(experiment)
    }

    /// Models, formats and levels: at least one of each, and none twice.
    fn check_lists(&self) -> Result<(), Located> {
        filled(&self.models, "models", "the name or path of a model")?;
        if self.tasks.is_empty() || !self.corpora.get_ref().is_empty() {
            filled(&self.formats, "formats", "the name of a format or the path of a .gram file")?;
        } else if let Some(format) = self.formats.get_ref().first() {
            let message =
                "tasks have grammars of their own, and there are no corpora: leave `formats` out, or add [[corpora]]";
            return Err((format.span(), message.into()));
        }
        filled(&self.levels, "levels", "`none`, `syntax` or `grounded`")?;
        unique(self.models.get_ref(), |model| model.called().into())?;
        for model in self.models.get_ref() {
            let (asked, most) = (model.get_ref().variant().and_then(|model| model.examples), self.examples.n);
            if let Some(asked) = asked.filter(|&asked| asked > most) {
                let message = format!(
                    "{asked} examples where [examples] has {most}: a model's prompts have {most} at most, set `n` there to more"
                );
                return Err((model.span(), message));
            }
            let own = model.get_ref().variant().map_or(&[][..], |model| &model.formats);
            let known =
                |name: &String| self.formats.get_ref().iter().any(|format| format_name(format.get_ref()) == *name);
            if let Some(unknown) = own.iter().find(|name| !known(name)) {
                let message =
                    format!("`{unknown}` is not among the `formats` of the experiment: add it there, or leave it out");
                return Err((model.span(), message));
            }
        }
        // Two formats of one name could not be told apart in the records.
        unique(self.formats.get_ref(), |format| format_name(format))?;
        unique(self.levels.get_ref(), |level| level.to_string())
    }

    /// Each level has a strategy, and each strategy a level.
    fn check_strategies(&self) -> Result<(), Located> {
        let strategies = self.strategies.get_ref();
        for level in self.levels.get_ref() {
            if strategies.of(*level.get_ref()).is_empty() {
                let fitting = || StrategyName::of(*level.get_ref());
                let (level_name, names) = (level.get_ref(), StrategyName::list(fitting()));
                let first = fitting().next().map_or("", StrategyName::as_str);
                let message = format!(
                    "level `{level_name}` goes with {names}: add one under [strategies], such as `{first} = {{}}`"
                );
                return Err((level.span(), message));
            }
        }
        for strategy in strategies.chosen() {
            let name = strategy.name();
            if !self.levels.get_ref().iter().any(|level| name.goes_with(*level.get_ref())) {
                let levels = match name.goes_with(Level::None) {
                    true => "`none`",
                    false => "`syntax` or `grounded`",
                };
                let message = format!("strategy `{name}` goes with {levels}: add that to `levels`, or leave it out");
                return Err((self.strategies.span(), message));
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), Located> {
        if *self.budget.get_ref() == 0 {
            let message =
                "a budget of 0 tokens leaves room for no output: give at least 1 (a short sentence needs 40 to 100)";
            return Err((self.budget.span(), message.into()));
        }
        if *self.batch.get_ref() == 0 {
            return Err((self.batch.span(), "a batch of 0 decodes nothing: give at least 1".into()));
        }
        Ok(())
    }

    /// How tokens are sampled, and with which seeds where there are several.
    fn sampling(&self) -> Result<(Sampling, Vec<u64>), Located> {
        let Some(given) = &self.sampling else {
            return Ok((Sampling::greedy(), Vec::new()));
        };
        let sampling = given.get_ref().sampling();
        sampling.validate().map_err(|error| (given.span(), error.to_string()))?;
        Ok((sampling, given.get_ref().seeds()?))
    }

    fn corpora(&self, path: &Path) -> Result<Vec<CorpusChoice>, Located> {
        if self.corpora.get_ref().is_empty() && self.tasks.is_empty() {
            return Err((
                self.corpora.span(),
                "`corpora` is empty: add [[corpora]] with a name or a path, or [[tasks]] with a path".into(),
            ));
        }
        let mut choices: Vec<CorpusChoice> = Vec::new();
        for corpus in self.corpora.get_ref() {
            let choice = corpus.get_ref().choice(path, "test");
            let choice = choice.map_err(|(at, message)| (at.unwrap_or(corpus.span()), message))?;
            if choices.iter().any(|other| other.name == choice.name) {
                let message = format!("two corpora are called `{}`: give one another name", choice.name);
                return Err((corpus.span(), message));
            }
            choices.push(choice);
        }
        Ok(choices)
    }
}

impl Written {
    /// The tasks; no two sets of documents have one name.
    fn tasks(&self, path: &Path, corpora: &[CorpusChoice]) -> Result<Vec<TaskChoice>, Located> {
        let mut choices: Vec<TaskChoice> = Vec::new();
        for tasks in &self.tasks {
            let choice = tasks.get_ref().choice(path)?;
            let mut names = corpora.iter().map(|corpus| &corpus.name).chain(choices.iter().map(|other| &other.name));
            if names.any(|name| *name == choice.name) {
                let message =
                    format!("`{}` is the name of other documents, too: give these tasks another `name`", choice.name);
                return Err((tasks.span(), message));
            }
            choices.push(choice);
        }
        if let Some(canonical) = self.canonical.as_ref().filter(|canonical| *canonical.get_ref() && !choices.is_empty())
        {
            let message = "`canonical` needs level `grounded`, which does not go with [[tasks]]: leave `canonical` out, or give the tasks \
                           an experiment of their own";
            return Err((canonical.span(), message.into()));
        }
        let levels = self.levels.get_ref();
        if !choices.is_empty() && levels.iter().all(|level| *level.get_ref() == Level::Grounded) {
            let message =
                "tasks refer to no document, so that level `grounded` does not go with them: add `none` or `syntax`";
            return Err((self.levels.span(), message.into()));
        }
        let repairs = self.strategies.get_ref().chosen().iter().any(|strategy| strategy.name().repairs());
        if repairs && !choices.is_empty() {
            let message =
                "strategy `repair` mends outputs that say entities: it does not go with [[tasks]], so leave it out";
            return Err((self.strategies.span(), message.into()));
        }
        let taken = self.formats.get_ref().iter().find(|format| format_name(format.get_ref()) == TASK_FORMAT);
        if let Some(format) = taken.filter(|_| !choices.is_empty()) {
            let message = format!("beside [[tasks]] no format can be called `{TASK_FORMAT}`: rename its file");
            return Err((format.span(), message));
        }
        Ok(choices)
    }

    fn instruction(&self) -> Result<Option<String>, Located> {
        let Some(instruction) = &self.instruction else { return Ok(None) };
        match instruction.get_ref().trim().is_empty() {
            true => Err((
                instruction.span(),
                "the instruction is empty: say what the model is to do, or leave it out".into(),
            )),
            false => Ok(Some(instruction.get_ref().clone())),
        }
    }
}

type Located = (Range<usize>, String);

fn filled<T>(list: &Spanned<Vec<Spanned<T>>>, name: &str, wanted: &str) -> Result<(), Located> {
    match list.get_ref().is_empty() {
        true => Err((list.span(), format!("`{name}` is empty: give {wanted}"))),
        false => Ok(()),
    }
}

fn unique<T>(list: &[Spanned<T>], name: impl Fn(&T) -> String) -> Result<(), Located> {
    let mut seen = HashSet::new();
    match list.iter().find(|item| !seen.insert(name(item.get_ref()))) {
        Some(twice) => Err((twice.span(), format!("`{}` is there twice: leave one out", name(twice.get_ref())))),
        None => Ok(()),
    }
}

fn values<T>(list: Spanned<Vec<Spanned<T>>>) -> Vec<T> {
    list.into_inner().into_iter().map(Spanned::into_inner).collect()
}

#[cfg(test)]
mod tests;
