//! `gramask train`.

use std::path::PathBuf;

use anstyle::Style;
use clap::Args;
use indicatif::ProgressBar;

use super::shared::{TemplateArgs, bars, resolve, stop_at_ctrl_c};
use super::{CliError, DONE, STOPPED};
use crate::pull::Cache;
use crate::store::Manifest;
use crate::tune::{Mix, Overrides, Point, Prepared, Score, Tuning, Watch};

#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    /// The tuning file
    file: PathBuf,
    /// Where to compute: flex (the CPU), wgpu[:N] or cuda[:N]
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// The model to start from, in place of the file's
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// An adapter to go on from, in place of a fresh one
    #[arg(long, value_name = "PATH")]
    adapter: Option<PathBuf>,
    #[command(flatten)]
    template: TemplateArgs,
    /// The formats to learn, in place of the file's: names or paths, with commas between them
    #[arg(long, value_name = "FORMATS", value_delimiter = ',')]
    formats: Vec<String>,
    /// The corpus to learn from, in place of the file's: a name or a path, read as the file's first corpus is
    #[arg(long, value_name = "CORPUS")]
    corpus: Option<String>,
    /// Several formats: `one` of them for each document, drawn at random, or `all`
    #[arg(long, value_parser = ["one", "all"])]
    mix: Option<String>,
    /// Examples of one format that are computed together, in place of the file's
    #[arg(long, value_name = "N")]
    group: Option<usize>,
    /// How often each document is seen, in place of the file's
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// The seed, in place of the file's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The run's name, in place of the file's
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The training's folder [default: runs/NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write the examples and say what there is to do, without a step
    #[arg(long)]
    dry_run: bool,
}

impl TrainArgs {
    fn overrides(&self) -> Overrides {
        let list = (!self.formats.is_empty()).then(|| self.formats.clone());
        Overrides {
            name: self.name.clone(),
            device: self.device.clone(),
            model: self.model.clone(),
            adapter: self.adapter.clone(),
            template: self.template.variables(),
            formats: list,
            corpus: self.corpus.clone(),
            mix: self.mix.as_deref().map(|mix| if mix == "all" { Mix::All } else { Mix::One }),
            group: self.group,
            epochs: self.epochs,
            seed: self.seed,
        }
    }
}

/// Carries out a tuning file.
pub(super) fn train(args: TrainArgs) -> Result<u8, CliError> {
    let (tuning, source) = Tuning::read(&args.file)?;
    let tuning = tuning.with(args.overrides())?;
    let model = resolve(&tuning.model, &Cache::from_env()?)?;
    let folder = args.out.unwrap_or_else(|| PathBuf::from("runs").join(&tuning.name));
    let bar = bars::waiting("writing the examples");
    let prepared = Prepared::new(tuning, model, Manifest::date_of(&folder));
    bar.finish_and_clear();
    let prepared = prepared?;
    describe(&prepared);
    if args.dry_run {
        return Ok(DONE);
    }
    prepared.run_file(&source)?.claim(&folder)?;
    let validates = prepared.tuning.validation.is_some();
    let stop = stop_at_ctrl_c("stopping after this step")?;
    let mut line = Line::default();
    let complete = prepared.train(&folder, &mut line, &stop);
    line.clear();
    let complete = complete?;
    let at = folder.display();
    if !complete {
        anstream::eprintln!("stopped: the same command goes on where it was");
        return Ok(STOPPED);
    }
    let validation = if validates { " validation.csv," } else { "" };
    anstream::eprintln!("{at} has run.json, curve.csv,{validation} curve.svg, and the adapters best/ and last/");
    Ok(DONE)
}

/// Says how many examples and steps there are, and what was left out.
fn describe(prepared: &Prepared) {
    let (data, training) = (&prepared.data, &prepared.tuning.training);
    let examples: Vec<_> = data.examples.iter().flatten().flatten().collect();
    let steps = data.steps(training);
    let outputs: usize = examples.iter().map(|example| example.output.len()).sum();
    anstream::eprintln!(
        "{} examples in {} format(s), {:.1} output tokens each; {} steps of up to {}",
        examples.len(),
        data.examples.len(),
        outputs as f64 / examples.len().max(1) as f64,
        steps.len(),
        training.batch
    );
    for (count, what) in [
        (data.too_long, "example(s) have more tokens than `longest` and are left out"),
        (data.unwritable, "document(s) cannot be written in a format and are left out of it"),
        (data.unexpressed, "entities cannot be said in a format and are in none of its outputs"),
    ] {
        if count > 0 {
            anstream::eprintln!("note: {count} {what}");
        }
    }
}

/// The progress line.
#[derive(Default)]
struct Line {
    bar: Option<ProgressBar>,
    /// Tokens and seconds before this session.
    before: Option<(usize, f64)>,
    loss: Option<f64>,
}

impl Line {
    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Writes a line above the bar, or as it is where there is none to see.
    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) if !bar.is_hidden() => bar.println(text),
            _ => anstream::eprintln!("{text}"),
        }
    }
}

impl Watch for Line {
    fn begin(&mut self, made: usize, steps: usize) {
        self.bar = Some(bars::steps(steps, made));
    }

    fn step(&mut self, point: &Point) {
        let loss = self.loss.map_or(point.loss, |loss| loss + 0.1 * (point.loss - loss));
        self.loss = Some(loss);
        let (tokens, seconds) = *self.before.get_or_insert((point.tokens, point.seconds));
        let rate = (point.tokens - tokens) as f64 / (point.seconds - seconds).max(1e-9);
        let rate = if point.tokens > tokens { format!("{rate:.0}") } else { "?".into() };
        let message = format!("loss {loss:.3}, {rate} tokens/s");
        let Some(bar) = &self.bar else { return };
        bar.set_message(message.clone());
        bar.inc(1);
        // Where nobody watches the bar, a line now and then is what a log needs.
        if bar.is_hidden() && point.step.is_multiple_of(10) {
            self.say(&format!("step {} of {}: {message}", point.step, bar.length().unwrap_or_default()));
        }
    }

    fn validating(&mut self, step: usize) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("validating after step {step}"));
        }
    }

    fn validated(&mut self, scores: &[Score]) {
        let (faint, step) = (Style::new().dimmed(), scores.first().map_or(0, |score| score.step));
        let cells: Vec<String> = scores
            .iter()
            .map(|s| format!("{} {} F1 {:.3} ({:.0} % parse)", s.format, s.level, s.f1, 100.0 * s.parse_rate))
            .collect();
        self.say(&format!("{faint}after step {step}:{faint:#} {}", cells.join("; ")));
        // The validation's time is no step's.
        if let Some(bar) = &self.bar {
            bar.reset_eta();
        }
    }
}
