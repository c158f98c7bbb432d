//! Documents and tokens per second of strategies, on the same weights, prompts and documents: a JSON line for each.
//!
//! ```text
//! cargo run --release -p gramask-benches --example strategy_speed -- \
//!     --corpus bc5cdr --limit 32 --batch 1,16 --formats inline-xml,json-list --strategies unconstrained,masked,jump,draft
//! ```
//!
//! Rounds alternate between the strategies, and the best of each counts (`--rounds`). `--weights`, `--budget`, `--level`,
//! `--most` and `--least` (of drafts) have defaults. The model is that of `gramask pull smollm2-135m-instruct`.
//!
//! So that another engine decodes the very same documents, `--export FILE` writes their prompts and budgets instead, as
//! JSON lines. `--read FILE` reads that engine's outputs (JSON lines of `format`, `document`, `ended`, `output`), counts
//! those that are of their format, and also decodes nothing. `--outputs FILE` writes ours in the same form.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use gramask::decode::{
    Chosen, Draft, Drafts, Examples, Jump, Layout, Lazy, Masked, NgramDraftModel, Prompt, Prompter, Prompting, Request,
    Retokenizer, Sampling, Settings, Strategy, TransformerModel, Unconstrained, decode, instruction, vocabulary_of,
};
use gramask::experiment::CorpusChoice;
use gramask::grammar::{Constraint, Format, Level, Program, Vocabulary};
use gramask::model::chat::ChatTemplate;
use gramask::model::checkpoint::Checkpoint;
use gramask::model::device::DeviceName;
use gramask::model::tokenizer::Tokenizer;
use gramask::model::transformer::{Transformer, WeightChoice};
use gramask::ner::Document;
use gramask::plan::PlannedCorpus;
use serde_json::{Value, json};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// What the command line says.
struct Options {
    given: HashMap<String, String>,
    level: Level,
    weights: WeightChoice,
    drafts: Drafts,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Fallible<Self> {
        let mut given: HashMap<String, String> = [
            ("corpus", "bc5cdr"),
            ("limit", "32"),
            ("batch", "1,16"),
            ("formats", "inline-xml,bio-words,json-list"),
            ("strategies", "unconstrained,masked,lazy,jump,draft"),
            ("rounds", "1"),
            ("weights", "f16"),
            ("level", "grounded"),
            ("budget", "128"),
            ("most", "24"),
            ("least", "price"),
            ("export", ""),
            ("read", ""),
            ("outputs", ""),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let arguments: Vec<String> = arguments.collect();
        for pair in arguments.chunks(2) {
            let option = match pair {
                [name, _] => name.strip_prefix("--").and_then(|name| given.get_mut(name)),
                _ => None,
            };
            match option {
                Some(option) => option.clone_from(&pair[1]),
                None => return Err(format!("{pair:?}: known are --NAME VALUE of {:?}", given.keys()).into()),
            }
        }
        let level = match given["level"].as_str() {
            "syntax" => Level::Syntax,
            "grounded" => Level::Grounded,
            other => return Err(format!("--level {other}: syntax or grounded").into()),
        };
        let weights: WeightChoice = given["weights"].parse()?;
        let drafts = Drafts {
            most: given["most"].parse()?,
            least_probability: match given["least"].as_str() {
                "price" => None,
                number => Some(number.parse()?),
            },
        };
        Ok(Options { given, level, weights, drafts })
    }

    fn list(&self, name: &str) -> Vec<String> {
        self.given[name].split(',').map(str::to_owned).collect()
    }

    /// The file that an option names, if it names one.
    fn file(&self, name: &str) -> Option<&Path> {
        Some(Path::new(&self.given[name])).filter(|path| !path.as_os_str().is_empty())
    }
}

/// A format with the prompts of all documents, each with its budget in tokens.
struct Prepared<'a> {
    format: String,
    program: Arc<Program>,
    /// What the examples answer.
    answers: Vec<Vec<u8>>,
    documents: Vec<(&'a Document, Prompt, usize)>,
}

impl<'a> Prepared<'a> {
    /// `budget` is what a document has beyond its shortest output.
    fn new(
        format: &str,
        corpus: &'a PlannedCorpus,
        tokenizer: &Tokenizer,
        chat: Option<&ChatTemplate>,
        budget: usize,
    ) -> Fallible<Self> {
        let program = Program::compile(&Format::named(format)?, &corpus.schema)?;
        let examples = Examples::write(&program, &corpus.examples)?.examples;
        let answers = examples.iter().map(|example| example.output.clone().into_bytes()).collect();
        let instruction = instruction(&corpus.schema, examples.len(), None)?;
        let prompter = Prompter::new(tokenizer, chat, Prompting { instruction, examples });
        let mut documents = Vec::new();
        for document in &corpus.documents {
            let prompt = prompter.build(document.text.as_str())?;
            let shortest = program.write(&document.text, &[])?.text;
            let budget = tokenizer.encode(&shortest, false).len() + 1 + budget;
            documents.push((document, prompt, budget));
        }
        Ok(Prepared { format: format.to_owned(), program, answers, documents })
    }

    fn export(&self, file: &mut impl Write) -> Fallible<()> {
        for (document, prompt, budget) in &self.documents {
            let line = json!({
                "format": self.format, "document": document.id, "budget": budget, "prompt": prompt.tokens,
            });
            writeln!(file, "{line}")?;
        }
        Ok(())
    }

    /// Reads another engine's outputs of this format: how many there are, how many ended, and how many of those are of the
    /// format. What did not end was cut off by the budget and can't be read.
    fn read(&self, outputs: &[Value]) -> Value {
        let texts: HashMap<&str, _> =
            (self.documents.iter()).map(|(document, ..)| (document.id.as_str(), &document.text)).collect();
        let (mut all, mut ended, mut read, mut unlike) = (0, 0, 0, Vec::new());
        for output in outputs.iter().filter(|output| output["format"] == self.format.as_str()) {
            all += 1;
            if output["ended"] != true {
                continue;
            }
            ended += 1;
            let (id, output) = (output["document"].as_str(), output["output"].as_str());
            match (id.and_then(|id| texts.get(id)), output) {
                (Some(text), Some(output)) => match self.program.read(text, output.as_bytes()) {
                    Ok(_) => read += 1,
                    Err(error) => unlike.push(format!("{}: {error}: {output}", id.unwrap_or_default())),
                },
                _ => unlike.push(format!("{id:?}: no such document, or no output")),
            }
        }
        json!({"format": self.format, "outputs": all, "ended": ended, "read": read, "unlike": unlike})
    }
}

/// What all runs share.
struct Bench {
    options: Options,
    transformer: Transformer,
    vocabulary: Arc<Vocabulary>,
    retokenizer: Retokenizer,
}

impl Bench {
    /// Decodes all documents once with a strategy. Gives the figures, and the outputs as `--outputs` writes them.
    fn run(&self, prepared: &Prepared, name: &str, batch: usize) -> Fallible<(Value, Vec<Value>)> {
        let ngrams = Arc::new(Mutex::new(NgramDraftModel::new(prepared.answers.iter().map(Vec::as_slice))));
        let prompts = (prepared.documents.iter()).map(|(_, prompt, _)| prompt.tokens.as_slice());
        let most = prepared.documents.iter().map(|(.., budget)| *budget).max();
        let layout = Layout::plan(batch, self.transformer.config().context, most, prompts);
        let requests = prepared.documents.iter().map(|(document, prompt, budget)| {
            let constraint = || {
                let (program, vocabulary) = (Arc::clone(&prepared.program), Arc::clone(&self.vocabulary));
                Constraint::new(program, &document.text, self.options.level, vocabulary).expect("a constraint")
            };
            let strategy: Box<dyn Strategy> = match name {
                "unconstrained" => Box::new(Unconstrained),
                "lazy" => Box::new(Lazy::new(constraint())),
                "jump" => Box::new(Jump::new(constraint(), self.retokenizer.clone())),
                "draft" => Box::new(Draft::new(
                    constraint(),
                    self.retokenizer.clone(),
                    self.options.drafts,
                    prompt.text.clone().into_bytes(),
                    Arc::clone(&ngrams),
                )),
                _ => Box::new(Masked::new(constraint())),
            };
            Request { id: document.id.clone(), prompt: prompt.tokens.clone(), budget: Some(*budget), strategy }
        });
        let mut model = TransformerModel::new(&self.transformer);
        let (mut forced, mut drafted, mut refused, mut outputs) = (0, 0, 0, Vec::new());
        let settings = Settings::new(layout, Sampling::greedy());
        let clock = Instant::now();
        let summary = decode(&mut model, &self.vocabulary, &settings, requests, |ended| {
            if let Ok(output) = ended.outcome {
                forced += output.count(Chosen::Forced);
                drafted += output.count(Chosen::Drafted);
                refused += output.effort.refused_drafts;
                outputs.push(json!({
                    "format": prepared.format, "document": ended.id, "ended": output.finish.is_complete(),
                    "output": output.text,
                }));
            }
            ControlFlow::Continue(())
        })?;
        let wall = clock.elapsed().as_secs_f64();
        let (documents, tokens) = (summary.outputs as f64, summary.output_tokens as f64);
        let ended = outputs.iter().filter(|output| output["ended"] == true).count();
        let line = json!({
            "engine": concat!("gramask ", env!("CARGO_PKG_VERSION")),
            "format": prepared.format, "level": self.options.given["level"], "strategy": name, "batch": batch,
            "weights": self.options.given["weights"], "documents": summary.outputs, "errors": summary.errors,
            "ended": ended, "documents_per_second": documents / wall, "tokens_per_second": tokens / wall,
            "decode_tokens_per_second": tokens / summary.decode.as_secs_f64(),
            "tokens": summary.output_tokens, "passes": summary.passes, "wall_s": wall,
            "prefill_s": summary.prefill.as_secs_f64(), "decode_s": summary.decode.as_secs_f64(),
            "choose_s": summary.choose.as_secs_f64(), "mask_s": summary.mask.as_secs_f64(),
            "forced": forced, "drafted": drafted, "refused_drafts": refused,
        });
        Ok((line, outputs))
    }

    /// All strategies on a format and batch, in alternating rounds: a line of figures for each, of its fastest round.
    fn rounds(&self, prepared: &Prepared, batch: usize, mut outputs: Option<&mut impl Write>) -> Fallible<()> {
        let mut best: HashMap<String, Value> = HashMap::new();
        for round in 0..self.options.given["rounds"].parse::<usize>()? {
            let mut strategies = self.options.list("strategies");
            if round % 2 == 1 {
                strategies.reverse();
            }
            for name in strategies {
                let (line, written) = self.run(prepared, &name, batch)?;
                if let Some(file) = &mut outputs {
                    for output in written {
                        writeln!(file, "{output}")?;
                    }
                }
                let wall = line["wall_s"].as_f64();
                if best.get(&name).is_none_or(|other| other["wall_s"].as_f64() > wall) {
                    best.insert(name, line);
                }
            }
        }
        for name in self.options.list("strategies") {
            writeln!(std::io::stdout(), "{}", best[&name])?;
        }
        Ok(())
    }
}

fn main() -> Fallible<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    let path =
        gramask_benches::model_path().ok_or("no model: `gramask pull smollm2-135m-instruct`, or GRAMASK_MODEL")?;
    let checkpoint = Checkpoint::open(&path)?;
    let choice = CorpusChoice {
        limit: Some(options.given["limit"].parse()?),
        ..CorpusChoice::named(&options.given["corpus"], "test")
    };
    let corpus = PlannedCorpus::read(&choice, 3, "train")?;
    let budget: usize = options.given["budget"].parse()?;
    let prepare = |format: &str| {
        let (tokenizer, chat) = (&checkpoint.tokenizer, checkpoint.chat.as_ref());
        Prepared::new(format, &corpus, tokenizer, chat, budget)
    };

    if let Some(path) = options.file("export") {
        let mut file = BufWriter::new(File::create(path)?);
        for format in options.list("formats") {
            prepare(&format)?.export(&mut file)?;
        }
        return Ok(file.flush()?);
    }
    if let Some(path) = options.file("read") {
        let lines: Vec<String> = BufReader::new(File::open(path)?).lines().collect::<Result<_, _>>()?;
        let outputs: Vec<Value> = (lines.iter()).map(|line| serde_json::from_str(line)).collect::<Result<_, _>>()?;
        for format in options.list("formats") {
            writeln!(std::io::stdout(), "{}", prepare(&format)?.read(&outputs))?;
        }
        return Ok(());
    }

    let transformer = Transformer::load(&checkpoint, &DeviceName::Flex.open()?, options.weights)?;
    let vocabulary = vocabulary_of(&checkpoint.tokenizer)?;
    let bench = Bench {
        transformer,
        retokenizer: Retokenizer::new(Arc::new(checkpoint.tokenizer.clone()), Arc::clone(&vocabulary)),
        vocabulary,
        options,
    };
    let mut outputs = match bench.options.file("outputs") {
        Some(path) => Some(BufWriter::new(File::create(path)?)),
        None => None,
    };
    for format in bench.options.list("formats") {
        let prepared = prepare(&format)?;
        for batch in bench.options.list("batch") {
            bench.rounds(&prepared, batch.parse()?, outputs.as_mut())?;
        }
    }
    if let Some(mut file) = outputs {
        file.flush()?;
    }
    Ok(())
}
