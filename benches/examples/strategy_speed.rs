//! Documents and tokens per second of strategies, on the same weights, prompts and documents: a JSON line for each.
//!
//! ```text
//! cargo run --release -p gramask-benches --example strategy_speed -- \
//!     --corpus bc5cdr --limit 32 --batch 1,16 --formats inline-xml,json-list --strategies unconstrained,masked,jump,draft
//! ```
//!
//! Rounds alternate between the strategies, and the best of each counts (`--rounds`). `--weights`, `--budget`, `--level`,
//! `--most` and `--least` (of drafts) have defaults. The model is that of `gramask pull smollm2-135m-instruct`.

use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use gramask::decode::{
    Chosen, Cutter, Draft, Drafts, Examples, Habits, Jump, Layout, Lazy, Masked, Prompter, Prompting, Request,
    Sampling, Settings, Strategy, TokenTable, TransformerModel, Unconstrained, decode, instruction,
};
use gramask::experiment::{CorpusChoice, OnProblem, Unit};
use gramask::grammar::{Constraint, Format, Level, Program};
use gramask::model::checkpoint::Checkpoint;
use gramask::model::device::DeviceName;
use gramask::model::transformer::{Transformer, WeightType};
use gramask::run::PlannedCorpus;

fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let mut options: HashMap<&str, &str> = HashMap::from([
        ("corpus", "bc5cdr"),
        ("limit", "32"),
        ("batch", "1,16"),
        ("formats", "inline-xml,bio-words,json-list"),
        ("strategies", "unconstrained,masked,lazy,jump,draft"),
        ("rounds", "1"),
        ("weights", "f16"),
        ("level", "grounded"),
        ("budget", "128"),
        ("most", "16"),
        ("least", "0.2"),
    ]);
    for pair in given.chunks(2) {
        match pair {
            [name, value] if options.contains_key(name.trim_start_matches("--")) => {
                options.insert(name.trim_start_matches("--"), value);
            }
            _ => return Err(format!("{pair:?}: known are --NAME VALUE of {:?}", options.keys()).into()),
        }
    }
    let list = |name: &str| -> Vec<String> { options[name].split(',').map(str::to_owned).collect() };
    let path =
        gramask_benches::model_path().ok_or("no model: `gramask pull smollm2-135m-instruct`, or GRAMASK_MODEL")?;
    let weights = match options["weights"] {
        "f32" => WeightType::F32,
        "f16" => WeightType::F16,
        other => return Err(format!("--weights {other}: f32 or f16").into()),
    };
    let checkpoint = Checkpoint::open(&path)?;
    let transformer = Transformer::load(&checkpoint, &DeviceName::Flex.open()?, weights)?;
    let Checkpoint { tokenizer, chat, .. } = checkpoint;
    let table = Arc::new(TokenTable::of(&tokenizer)?);
    let vocabulary = table.vocabulary()?;
    let tokenizer = Arc::new(tokenizer);
    let cutter = Cutter::new(tokenizer.clone(), Arc::clone(&table));
    let choice = CorpusChoice {
        name: options["corpus"].into(),
        path: None,
        split: "test".into(),
        unit: Unit::Sentence,
        limit: Some(options["limit"].parse()?),
        on_problem: OnProblem::Skip,
    };
    let corpus = PlannedCorpus::read(&choice, 3, "train")?;
    let level = match options["level"] {
        "syntax" => Level::Syntax,
        _ => Level::Grounded,
    };
    let drafts = Drafts {
        most: options["most"].parse()?,
        least_probability: options["least"].parse()?,
    };
    let budget: usize = options["budget"].parse()?;

    for format in list("formats") {
        let program = Program::compile(&Format::named(&format)?, &corpus.schema)?;
        let examples = Examples::write(&program, &corpus.examples)?.examples;
        let outputs: Vec<Vec<u8>> = examples
            .iter()
            .map(|example| example.output.clone().into_bytes())
            .collect();
        let instruction = instruction(&corpus.schema, examples.len(), None)?;
        let prompter = Prompter::new(&*tokenizer, chat.as_ref(), Prompting { instruction, examples });
        let mut prepared = Vec::new();
        for document in &corpus.documents {
            let prompt = prompter.build(document.text.as_str())?;
            let shortest = program.write(&document.text, &[])?.text;
            let budget = tokenizer.encode(&shortest, false).len() + 1 + budget;
            prepared.push((document, prompt, budget));
        }
        for batch in list("batch") {
            let batch: usize = batch.parse()?;
            let mut best: HashMap<String, serde_json::Value> = HashMap::new();
            for round in 0..options["rounds"].parse::<usize>()? {
                let mut strategies = list("strategies");
                if round % 2 == 1 {
                    strategies.reverse();
                }
                for name in strategies {
                    let habits = Arc::new(Mutex::new(Habits::new(outputs.iter().map(Vec::as_slice))));
                    let prompts = prepared.iter().map(|(_, prompt, _)| prompt.tokens.as_slice());
                    let most = prepared.iter().map(|(.., budget)| *budget).max();
                    let layout = Layout::plan(batch, transformer.config().context, most, prompts);
                    let requests = prepared.iter().map(|(document, prompt, budget)| {
                        let constraint =
                            || Constraint::new(Arc::clone(&program), &document.text, level, Arc::clone(&vocabulary));
                        let strategy: Box<dyn Strategy> = match name.as_str() {
                            "unconstrained" => Box::new(Unconstrained),
                            "lazy" => Box::new(Lazy::new(constraint().expect("a constraint"))),
                            "jump" => Box::new(Jump::new(constraint().expect("a constraint"), cutter.clone())),
                            "draft" => Box::new(Draft::new(
                                constraint().expect("a constraint"),
                                cutter.clone(),
                                drafts,
                                prompt.text.clone().into_bytes(),
                                Arc::clone(&habits),
                            )),
                            _ => Box::new(Masked::new(constraint().expect("a constraint"))),
                        };
                        Request {
                            id: document.id.clone(),
                            prompt: prompt.tokens.clone(),
                            budget: Some(*budget),
                            strategy,
                        }
                    });
                    let mut model = TransformerModel::new(&transformer);
                    let (mut forced, mut drafted, mut refused) = (0, 0, 0);
                    let clock = Instant::now();
                    let settings = Settings::new(layout, Sampling::greedy());
                    let summary = decode(&mut model, &table, &settings, requests, |ended| {
                        if let Ok(output) = ended.outcome {
                            forced += output.count(Chosen::Forced);
                            drafted += output.count(Chosen::Drafted);
                            refused += output.effort.refused_drafts;
                        }
                        ControlFlow::Continue(())
                    })?;
                    let wall = clock.elapsed().as_secs_f64();
                    let (documents, tokens) = (summary.outputs as f64, summary.output_tokens as f64);
                    let line = serde_json::json!({
                        "format": format, "level": options["level"], "strategy": name, "batch": batch,
                        "weights": options["weights"], "documents": summary.outputs, "errors": summary.errors,
                        "documents_per_second": documents / wall, "tokens_per_second": tokens / wall,
                        "decode_tokens_per_second": tokens / summary.decode.as_secs_f64(),
                        "tokens": summary.output_tokens, "passes": summary.passes, "wall_s": wall,
                        "prefill_s": summary.prefill.as_secs_f64(), "decode_s": summary.decode.as_secs_f64(),
                        "choose_s": summary.choose.as_secs_f64(), "mask_s": summary.mask.as_secs_f64(),
                        "forced": forced, "drafted": drafted, "refused_drafts": refused,
                    });
                    let better = best
                        .get(&name)
                        .is_none_or(|other| other["wall_s"].as_f64() > Some(wall));
                    if better {
                        best.insert(name, line);
                    }
                }
            }
            for name in list("strategies") {
                writeln!(std::io::stdout(), "{}", best[&name])?;
            }
        }
    }
    Ok(())
}
