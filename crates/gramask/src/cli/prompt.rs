//! `gramask prompt`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use clap::Args;
use gramask_decode::{Prompt, PromptError};
use gramask_grammar::{Format, Program, Vocabulary};
use gramask_ner::{Document, Schema, did_you_mean};
use serde::Serialize;

use super::shared::{CorpusArgs, TemplateArgs, note_problems, resolve, resolve_model, schema};
use super::{CliError, DONE};
use crate::experiment::{Experiment, Overrides, format_name};
use crate::plan::{Plan, PlannedCorpus};
use crate::pull::{Cache, sha256_hex};
use crate::runner::{Prompts, RunError};
use crate::store::WrittenPrompt;

pub(super) const HELP: &str = "\
The prompt is made as `run` and `decode` make it, and needs no weights. It goes to standard output, with the names of special tokens
in it, and a line break after it. What it belongs to and how many tokens it has goes to standard error.

  gramask prompt experiments/quickstart.toml
  gramask prompt experiments/quickstart.toml --format inline-xml --document mini-13:0 --json
  gramask prompt --model qwen3-0.6b --template enable_thinking=false --text \"Naloxone reverses clonidine.\"";

#[derive(Debug, Args)]
pub(super) struct PromptArgs {
    /// An experiment file: shows the prompt of a document in it
    #[arg(value_name = "EXPERIMENT", required_unless_present = "text", conflicts_with_all = ["text", "labels", "examples", "form", "columns", "rename"])]
    experiment: Option<PathBuf>,
    /// The text of a document, without an experiment file
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    text: Option<String>,
    /// The model: one of the experiment's by name; with --text any model [default: the first; smollm2-135m-instruct]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// The format: one of the experiment's by name; with --text any format [default: the first; json-list]
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// The corpus: one of the experiment's by name; with --text that of the labels and examples [default: the first; mini]
    #[arg(long, value_name = "CORPUS")]
    corpus: Option<String>,
    #[command(flatten)]
    reading: CorpusArgs,
    /// The labels, separated by commas; the prompt then has no examples
    #[arg(long, value_name = "A,B", value_delimiter = ',', conflicts_with = "corpus")]
    labels: Vec<String>,
    /// How many examples the prompt has [default: 3]
    #[arg(long, value_name = "N")]
    examples: Option<usize>,
    /// The document of the experiment, by its identifier [default: the first]
    #[arg(long, value_name = "ID", conflicts_with = "text")]
    document: Option<String>,
    /// All models, corpora and formats of the experiment that the other options do not exclude
    #[arg(long, conflicts_with = "text")]
    all: bool,
    #[command(flatten)]
    template: TemplateArgs,
    /// Print each prompt as a line of JSON: text, tokens, and the stretches of special tokens and of text
    #[arg(long)]
    json: bool,
}

/// A prompt to show, with what it belongs to.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    corpus: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<&'a str>,
    format: &'a str,
    /// The label of the pass, in formats with a pass for each label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pass: Option<&'a str>,
    /// The SHA-256 of the tokens of all passes, as the records of a run have it.
    sha256: &'a str,
    count: usize,
    #[serde(flatten)]
    prompt: &'a WrittenPrompt,
    pieces: Vec<Piece>,
}

/// A stretch of a prompt.
#[derive(Debug, Serialize)]
struct Piece {
    text: String,
    /// The special token, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    special: Option<u32>,
}

/// What a prompt belongs to.
struct Names<'a> {
    model: &'a str,
    corpus: Option<&'a str>,
    document: Option<&'a str>,
    format: &'a str,
}

/// What the prompts of a document are made of.
struct Asked<'a> {
    model: &'a str,
    corpus: Option<&'a str>,
    document: Option<&'a str>,
    format: &'a Format,
    schema: &'a Schema,
    examples: &'a [Document],
    instruction: Option<&'a str>,
    text: &'a str,
}

/// Shows the exact prompt of a text, or of a document of an experiment.
pub(super) fn prompt(args: PromptArgs) -> Result<u8, CliError> {
    match (&args.experiment, &args.text) {
        (Some(file), _) => of_experiment(&args, file),
        (None, text) => of_text(&args, text.as_deref().unwrap_or_default()),
    }
}

fn of_text(args: &PromptArgs, text: &str) -> Result<u8, CliError> {
    let format = Format::named(args.format.as_deref().unwrap_or("json-list"))?;
    let (schema, examples) = match args.labels.is_empty() {
        false => (schema(&args.labels)?, Vec::new()),
        true => {
            let choice = args.reading.choice(args.corpus.as_deref().unwrap_or("mini"), "train", None);
            let corpus = PlannedCorpus::read_for_prompt(&choice, args.examples.unwrap_or(3))?;
            note_problems(&corpus, None);
            (corpus.schema, corpus.examples)
        }
    };
    let name = args.model.as_deref().unwrap_or("smollm2-135m-instruct");
    let model = resolve(name, &Cache::from_env()?)?;
    let (prompts, vocabulary) = Prompts::open(&model, &args.template.variables())?;
    let asked = Asked {
        model: name,
        corpus: None,
        document: None,
        format: &format,
        schema: &schema,
        examples: &examples,
        instruction: None,
        text,
    };
    show(&asked.names(), &asked.prompts(&prompts)?, &vocabulary, args.json)?;
    Ok(DONE)
}

fn of_experiment(args: &PromptArgs, file: &Path) -> Result<u8, CliError> {
    let (experiment, _) = Experiment::read(file)?;
    let overrides = Overrides { template: args.template.variables(), ..Overrides::default() };
    let mut experiment = experiment.with(&overrides);
    experiment.models = chosen("model", args.model.as_deref(), &experiment.models, |name| name.clone())?;
    experiment.formats = chosen("format", args.format.as_deref(), &experiment.formats, |name| format_name(name))?;
    experiment.corpora = chosen("corpus", args.corpus.as_deref(), &experiment.corpora, |corpus| corpus.name.clone())?;
    let combined = combinations(&experiment);
    if let (Some((model, corpus, format)), false) = (combined.first().cloned(), args.all) {
        experiment.models = vec![model];
        experiment.corpora.retain(|choice| choice.name == corpus);
        experiment.formats.retain(|name| format_name(name) == format);
    }
    let of = combined.len();
    let plan = Plan::new(experiment)?;
    let cache = Cache::from_env()?;
    let mut opened: Option<(String, Prompts, Arc<Vocabulary>)> = None;
    for (name, corpus, format) in combinations(&plan.experiment) {
        let Some(corpus) = plan.corpus(&corpus) else { continue };
        let (_, prompts, vocabulary) = match &mut opened {
            Some(known) if known.0 == name => known,
            other => {
                let model = resolve_model(&plan.experiment, &name, &cache)?;
                let (prompts, vocabulary) = Prompts::open(&model, &plan.experiment.template_of(&name))?;
                other.insert((name.clone(), prompts, vocabulary))
            }
        };
        let document = document(corpus, args.document.as_deref())?;
        if let Some(task) = corpus.tasks.get(&document.id) {
            let made = prompts.conversations().conversation(&task.told(plan.experiment.instruction.as_deref()));
            let made = made.map_err(|source| RunError::Prompt { format: format.clone(), source })?;
            let of = Names { model: &name, corpus: Some(&corpus.name), document: Some(&document.id), format: &format };
            show(&of, &[(None, made)], vocabulary, args.json)?;
            continue;
        }
        let Some(format) = plan.format(&format) else { continue };
        let asked = Asked {
            model: &name,
            corpus: Some(&corpus.name),
            document: Some(&document.id),
            format,
            schema: &corpus.schema,
            examples: plan.examples_for(&name, corpus),
            instruction: plan.experiment.instruction.as_deref(),
            text: document.text.as_str(),
        };
        show(&asked.names(), &asked.prompts(prompts)?, vocabulary, args.json)?;
    }
    if of > 1 && !args.all {
        anstream::eprintln!(
            "note: this is the first of {of} combinations of model, corpus and format; --all shows all, --model, --corpus and --format \
             choose"
        );
    }
    Ok(DONE)
}

/// The combinations of model, corpus and format, by their names in the cells: those whose prompts differ.
fn combinations(experiment: &Experiment) -> Vec<(String, String, String)> {
    let mut found: Vec<(String, String, String)> = Vec::new();
    for cell in experiment.cells() {
        let names = (cell.model, cell.corpus, cell.format);
        if found.last() != Some(&names) {
            found.push(names);
        }
    }
    found
}

/// The items of an experiment's list that an option asks for.
fn chosen<T: Clone>(
    what: &'static str,
    asked: Option<&str>,
    items: &[T],
    name: impl Fn(&T) -> String,
) -> Result<Vec<T>, CliError> {
    let Some(asked) = asked else { return Ok(items.to_vec()) };
    let found: Vec<T> = items.iter().filter(|item| name(item) == asked).cloned().collect();
    match found.is_empty() {
        false => Ok(found),
        true => {
            let known: Vec<String> = items.iter().map(name).collect();
            let near = did_you_mean(asked, known.iter().map(String::as_str));
            let name = asked.to_owned();
            Err(CliError::NotInExperiment { what, name, known: known.join(", "), near })
        }
    }
}

/// The document of this identifier; without one, the first.
fn document<'a>(corpus: &'a PlannedCorpus, id: Option<&str>) -> Result<&'a Document, CliError> {
    let found = corpus.documents.iter().find(|document| id.is_none_or(|id| document.id == id));
    found.ok_or_else(|| CliError::NoSuchDocument {
        corpus: corpus.name.clone(),
        id: id.unwrap_or_default().to_owned(),
        first: corpus.documents.first().map_or(String::new(), |document| document.id.clone()),
        near: did_you_mean(id.unwrap_or_default(), corpus.documents.iter().map(|document| document.id.as_str())),
    })
}

impl Asked<'_> {
    fn names(&self) -> Names<'_> {
        Names { model: self.model, corpus: self.corpus, document: self.document, format: &self.format.name }
    }

    /// The prompts of all passes, each with its label where there are several.
    fn prompts(&self, prompts: &Prompts) -> Result<Vec<(Option<String>, Prompt)>, CliError> {
        let programs: Vec<Arc<Program>> = Program::passes(self.format, self.schema)?;
        let made = programs.iter().map(|program| {
            let prompt = prompts.prompter(program, self.examples, self.instruction)?.build(self.text)?;
            let label = program.schema().labels().first().filter(|_| programs.len() > 1);
            Ok((label.cloned(), prompt))
        });
        let made: Result<_, PromptError> = made.collect();
        Ok(made.map_err(|source| RunError::Prompt { format: self.format.name.clone(), source })?)
    }
}

/// Prints the prompts of all passes.
fn show(
    of: &Names<'_>,
    made: &[(Option<String>, Prompt)],
    vocabulary: &Vocabulary,
    json: bool,
) -> Result<(), CliError> {
    let tokens = made.iter().flat_map(|(_, prompt)| &prompt.tokens);
    let sha256 = sha256_hex(tokens.flat_map(|token| token.to_le_bytes()).collect::<Vec<u8>>());
    for (label, prompt) in made {
        let written = WrittenPrompt::of(prompt, vocabulary);
        let stretches = written.stretches(vocabulary);
        let pieces = stretches.into_iter().map(|stretch| Piece { text: stretch.text, special: stretch.special });
        let shown = Shown {
            model: of.model,
            corpus: of.corpus,
            document: of.document,
            format: of.format,
            pass: label.as_deref(),
            sha256: &sha256,
            count: written.tokens.len(),
            prompt: &written,
            pieces: pieces.collect(),
        };
        match json {
            true => anstream::println!("{}", serde_json::to_string(&shown)?),
            false => print(&shown),
        }
    }
    Ok(())
}

fn print(shown: &Shown<'_>) {
    let faint = Style::new().dimmed();
    let parts = [
        Some(("model", shown.model)),
        shown.corpus.map(|corpus| ("corpus", corpus)),
        Some(("format", shown.format)),
        shown.pass.map(|label| ("pass", label)),
        shown.document.map(|document| ("document", document)),
    ];
    let head: Vec<String> = parts.into_iter().flatten().map(|(what, name)| format!("{what} {name}")).collect();
    anstream::eprintln!("{faint}{}{faint:#}", head.join(", "));
    let mark = Style::new().fg_color(Some(AnsiColor::Cyan.into()));
    for piece in &shown.pieces {
        match piece.special {
            Some(_) => anstream::print!("{mark}{}{mark:#}", piece.text),
            None => anstream::print!("{}", piece.text),
        }
    }
    anstream::println!();
    let special: usize = shown.pieces.iter().filter(|piece| piece.special.is_some()).count();
    anstream::eprintln!("{faint}{} tokens, {special} of them special{faint:#}", shown.count);
}
