//! The training itself: steps, states and validations, in one folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gramask_grammar::Format;
use gramask_model::checkpoint::Checkpoint;
use gramask_model::device::DeviceName;
use gramask_model::tuning::{AdamW, Adapter, Draw, Gradients, Precision, Schedule, Tunable, read_state, write_state};
use serde_json::{Map, Value, json};

use super::curve::{self, Point, Score};
use super::data::{Data, Example, packs};
use super::error::TuneError;
use super::file::{Tuning, Validation};
use super::validate::{merit, plan, validate};
use crate::experiment::format_path;
use crate::plan::{Placement, Plan, PlannedCorpus};
use crate::pull::{Model, sha256_file, sha256_hex};
use crate::runner::{Engine, Prompts};
use crate::store::{CorpusProblem, Manifest, day_of, machine, versions};

/// Who wants to know how a training goes on.
pub trait Watch {
    /// It begins or goes on: so many of so many steps are made.
    fn begin(&mut self, made: usize, steps: usize);
    /// A step is made.
    fn step(&mut self, point: &Point);
    /// A validation begins.
    fn validating(&mut self, step: usize);
    /// A validation is done.
    fn validated(&mut self, scores: &[Score]);
}

/// A training with all its names looked up, and its examples written.
#[derive(Debug)]
pub struct Prepared {
    /// The tuning file.
    pub tuning: Tuning,
    /// What is learnt from.
    pub data: Data,
    model: Model,
    checkpoint: Checkpoint,
    adapter: Option<Adapter>,
    corpora: Vec<PlannedCorpus>,
    formats: Vec<Format>,
    device: DeviceName,
    validation: Option<(Validation, Plan)>,
    /// When the training began.
    date: String,
    /// Midnight of its day, which prompts tell.
    day: u64,
    /// Whether prompts can depend on the time.
    dated: bool,
}

impl Prepared {
    /// Looks up all names and writes all examples. `date` is the start of the training, as [`now`] writes it. Prompts tell its day,
    /// if the chat template asks for the time.
    ///
    /// # Errors
    /// The first unknown name; a corpus, format, model or adapter with a fault; no example to learn from.
    pub fn new(tuning: Tuning, model: Model, date: String) -> Result<Prepared, TuneError> {
        let device: DeviceName = tuning.device.parse()?;
        device.open()?;
        let formats = tuning
            .formats
            .iter()
            .map(|name| Format::named(&format_path(&tuning.folders.formats, name)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut corpora = Vec::new();
        for choice in &tuning.corpora {
            corpora.push(PlannedCorpus::read(choice, 0, "train")?);
        }
        let validation = match &tuning.validation {
            None => None,
            Some(validation) => Some((validation.clone(), plan(&tuning, validation)?)),
        };
        let checkpoint = open(&model, &tuning)?;
        let adapter = match (&tuning.adapter, &tuning.lora) {
            (None, _) => None,
            (Some(_), None) => return Err(TuneError::AdapterOfWhole),
            (Some(folder), Some(_)) => {
                let adapter = Adapter::read(&tuning.folders.models.join(folder))?;
                adapter.check(&checkpoint.config)?;
                Some(adapter)
            }
        };
        let tokenizer = Arc::new(checkpoint.tokenizer.clone());
        let prompts = Prompts::new(tokenizer, checkpoint.chat.clone());
        let prompts = prompts.with_variables(&model.name, &tuning.template).map_err(TuneError::Template)?;
        let day = day_of(&date)?;
        let prompts = prompts.at(day);
        let dated = prompts.tell_time();
        let data = Data::new(&tuning, &checkpoint, &prompts, &corpora, &formats)?;
        Ok(Prepared {
            tuning,
            data,
            model,
            checkpoint,
            adapter,
            corpora,
            formats,
            device,
            validation,
            date,
            day,
            dated,
        })
    }

    /// Everything needed to repeat the training, for `run.json`. `source` is the tuning file, word for word.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn run_file(&self, source: &str) -> Result<Manifest, TuneError> {
        let mut choices = serde_json::to_value(&self.tuning).unwrap_or_default();
        if let Value::Object(choices) = &mut choices {
            for key in ["name", "about", "device"] {
                choices.remove(key);
            }
        }
        let digests = |pairs: Vec<(String, String)>| -> Map<String, Value> {
            pairs.into_iter().map(|(name, digest)| (name, digest.into())).collect()
        };
        let formats = self.formats.iter().map(|f| (f.name.clone(), sha256_hex(&f.source)));
        let corpora = self.corpora.iter().map(|c| (c.name.clone(), c.digest.clone()));
        let adapter = match &self.adapter {
            None => Value::Null,
            Some(adapter) => sha256_file(&adapter.path)?.into(),
        };
        let settings = json!({
            "gramask": env!("CARGO_PKG_VERSION"),
            "tuning": choices,
            "device": self.device.to_string(),
            "model_sha256": digests(vec![(self.model.name.clone(), self.model.digest()?)]),
            "adapter_sha256": adapter,
            "format_sha256": digests(formats.collect()),
            "corpus_sha256": digests(corpora.collect()),
        });
        let manifest = Manifest {
            name: self.tuning.name.clone(),
            date: self.date.clone(),
            versions: versions(),
            machine: machine(),
            experiment: source.into(),
            overrides: json!({}),
            settings,
            shard: None,
            folder: self.tuning.folders.file.clone(),
            problems: CorpusProblem::of(&self.corpora),
        };
        Ok(if self.dated { manifest.with_day_in_prompts() } else { manifest })
    }

    /// Trains, or goes on where the folder's state was written. Where `stop` becomes true, the step at hand is made and the
    /// state is written. Returns whether all is done.
    ///
    /// # Errors
    /// When the device fails, a number is no number any more, or a file cannot be read or written.
    pub fn train(&self, folder: &Path, watch: &mut dyn Watch, stop: &AtomicBool) -> Result<bool, TuneError> {
        let training = &self.tuning.training;
        let steps = self.data.steps(training);
        let schedule =
            Schedule { peak: training.rate, floor: training.floor, warm_up: training.warm_up, steps: steps.len() };
        let mut model = self.tunable()?;
        let mut optimiser = AdamW::new(self.tuning.optimiser, &model);
        let files = Files::of(folder);
        if files.state.exists() {
            read_state(&files.state, &mut model, &mut optimiser)?;
        }
        let mut points: Vec<Point> = curve::read(&files.curve)?;
        points.retain(|point| point.step <= optimiser.steps());
        let mut scores: Vec<Score> = curve::read(&files.scores)?;
        watch.begin(optimiser.steps(), steps.len());
        loop {
            let made = optimiser.steps();
            if let Some((validation, _)) = &self.validation {
                let due = made > 0 && (made.is_multiple_of(validation.every) || made == steps.len());
                if due && !scores.iter().any(|score| score.step == made) {
                    watch.validating(made);
                    let Some(found) = self.validate(&model, folder, made, stop)? else {
                        return Ok(false);
                    };
                    let best = scores.chunk_by(|a, b| a.step == b.step).map(|s| merit(s, validation));
                    if merit(&found, validation) > best.fold(f64::NEG_INFINITY, f64::max) {
                        self.keep(&model, &files.best)?;
                    }
                    watch.validated(&found);
                    scores.extend(found);
                    curve::write(&files.scores, &scores)?;
                    curve::draw(&files.plot, &points, &scores)?;
                }
            }
            let Some(groups) = steps.get(made) else { break };
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let clock = Instant::now();
            let (gradients, tokens, outputs) = self.gradients(&model, groups, made)?;
            let rate = schedule.rate(made);
            let norm = optimiser.step(&mut model, gradients.gradients, rate)?;
            let last = points.last();
            let point = Point {
                step: made + 1,
                examples: last.map_or(0, |p| p.examples) + groups.iter().map(Vec::len).sum::<usize>(),
                output_tokens: last.map_or(0, |p| p.output_tokens) + outputs,
                tokens: last.map_or(0, |p| p.tokens) + tokens,
                loss: gradients.loss / outputs as f64,
                rate,
                norm,
                seconds: last.map_or(0.0, |p| p.seconds) + clock.elapsed().as_secs_f64(),
            };
            watch.step(&point);
            points.push(point);
            let validates = self.validation.as_ref().is_some_and(|(v, _)| (made + 1).is_multiple_of(v.every));
            let saves = (made + 1).is_multiple_of(training.save) || made + 1 == steps.len() || validates;
            if saves || stop.load(Ordering::Relaxed) {
                // The curve first: of a state whose curve is longer, the rest is cut off.
                curve::write(&files.curve, &points)?;
                write_state(&files.state, &model, &optimiser, &[])?;
                curve::draw(&files.plot, &points, &scores)?;
                // A whole model is written as often as it is asked for, and no oftener.
                if model.lora().is_some() || stop.load(Ordering::Relaxed) || made + 1 == steps.len() {
                    self.keep(&model, &files.last)?;
                }
            }
        }
        if self.validation.is_none() {
            self.keep(&model, &files.best)?;
        }
        Ok(true)
    }

    fn tunable(&self) -> Result<Tunable, TuneError> {
        let device = self.device.open()?;
        let (config, tensors) = (&self.checkpoint.config, &*self.checkpoint.tensors);
        Ok(match (&self.adapter, &self.tuning.lora) {
            (Some(adapter), _) => Tunable::from_adapter(config, tensors, adapter, &device)?,
            (None, Some(lora)) => {
                Tunable::with_adapter(config, tensors, lora.clone(), self.tuning.training.seed, &device)?
            }
            (None, None) => Tunable::whole(config, tensors, &device)?,
        })
    }

    /// The gradients of a step, how many tokens were computed, and how many output tokens were learnt from.
    fn gradients(
        &self,
        model: &Tunable,
        groups: &[Vec<&Example>],
        step: usize,
    ) -> Result<(Gradients, usize, usize), TuneError> {
        let training = &self.tuning.training;
        let outputs: usize = groups.iter().flatten().map(|example| example.output.len()).sum();
        let mut sum: Option<Gradients> = None;
        let (mut tokens, mut number) = (0, 0);
        for group in groups {
            for pack in packs(group, training.tokens)? {
                let draw = Draw(vec![training.seed, step as u64, number]);
                let gradients = model.gradients(&pack, 1.0 / outputs as f64, &draw)?;
                tokens += pack.len();
                number += 1;
                sum = Some(match sum {
                    None => gradients,
                    Some(sum) => sum.plus(gradients),
                });
            }
        }
        let sum = sum.unwrap_or_else(|| Gradients::none(model));
        Ok((sum, tokens, outputs))
    }

    fn validate(
        &self,
        model: &Tunable,
        folder: &Path,
        step: usize,
        stop: &AtomicBool,
    ) -> Result<Option<Vec<Score>>, TuneError> {
        let Some((_, plan)) = &self.validation else {
            return Ok(Some(Vec::new()));
        };
        let (checkpoint, weights) = match model.lora() {
            Some(_) => (Adapter::of(model, None)?.merge(Checkpoint::open(&self.model.path)?)?, None),
            None => (self.learnt(model)?, Some("f16")),
        };
        let placement = Placement { weights: weights.map(str::to_owned), ..Placement::on(self.device) };
        let engine = Engine::of(&self.model.name, checkpoint, &placement)?.with_variables(&self.tuning.template)?;
        let engine = engine.at(self.day);
        let folder = folder.join("validation").join(format!("{step:06}"));
        validate(plan, engine, &folder, step, stop)
    }

    /// Writes what is learnt: an adapter, or a whole model as a checkpoint's folder.
    fn keep(&self, model: &Tunable, folder: &Path) -> Result<(), TuneError> {
        if model.lora().is_some() {
            Adapter::of(model, Some(self.model.name.clone()))?.write(folder, Precision::F16)?;
        } else {
            self.learnt(model)?.write(folder, false)?;
        }
        Ok(())
    }

    /// The model as it is now, all of whose weights are learnt.
    fn learnt(&self, model: &Tunable) -> Result<Checkpoint, TuneError> {
        let Checkpoint { config, tokenizer, chat, digest, path, .. } = &self.checkpoint;
        Ok(Checkpoint {
            config: config.clone(),
            tensors: Box::new(model.tensors()?),
            tokenizer: tokenizer.clone(),
            chat: chat.clone(),
            digest: digest.clone(),
            path: path.clone(),
            notes: Vec::new(),
        })
    }
}

/// The checkpoint to start from.
fn open(model: &Model, tuning: &Tuning) -> Result<Checkpoint, TuneError> {
    let checkpoint = Checkpoint::open(&model.path)?;
    Ok(match &tuning.scratch {
        None => checkpoint,
        Some(scratch) => scratch.checkpoint(checkpoint, tuning.training.seed)?,
    })
}

/// The files of a training's folder.
struct Files {
    state: PathBuf,
    curve: PathBuf,
    scores: PathBuf,
    plot: PathBuf,
    best: PathBuf,
    last: PathBuf,
}

impl Files {
    fn of(folder: &Path) -> Files {
        Files {
            state: folder.join("state.safetensors"),
            curve: folder.join("curve.csv"),
            scores: folder.join("validation.csv"),
            plot: folder.join("curve.svg"),
            best: folder.join("best"),
            last: folder.join("last"),
        }
    }
}
