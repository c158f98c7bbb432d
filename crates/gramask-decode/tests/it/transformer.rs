//! The loop over real transformers: a tiny random one always, SmolLM2-135M-Instruct where it has been pulled
//! (`$GRAMASK_MODEL`, else where `gramask pull smollm2-135m-instruct` puts it).

#![allow(clippy::print_stdout)] // says when it is skipped

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gramask_decode::{
    Examples, LanguageModel, LanguageModelError, Layout, Masked, Output, Prompter, Prompting, Request, Row, SampleOn,
    Sampling, Select, Settings, TokenRecord, TransformerModel, Unconstrained, decode, instruction, vocabulary_of,
};
use gramask_grammar::{Constraint, Format, Level, Program, Vocabulary};
use gramask_model::checkpoint::Checkpoint;
use gramask_model::device::{DeviceName, available};
use gramask_model::transformer::{Transformer, WeightType};
use gramask_ner::{Document, Entity, Schema, Text};

const TEXTS: [&str; 5] = [
    "Lithium caused tremor in two patients.",
    "No drug was given.",
    "Aspirin and ibuprofen may cause gastric ulcer.",
    "Heparin-induced thrombocytopenia is rare.",
    "Seizures followed the dose of cocaine.",
];

fn load(path: &Path) -> (Checkpoint, Transformer) {
    let checkpoint = Checkpoint::open(path).unwrap();
    let device = DeviceName::Flex.open().unwrap();
    let transformer = Transformer::load(&checkpoint, &device, WeightType::F32).unwrap();
    (checkpoint, transformer)
}

fn tiny() -> (Checkpoint, Transformer) {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../gramask-model/tests/fixtures/tiny-llama.gguf"))
}

fn smollm2() -> Option<(Checkpoint, Transformer)> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let file = "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";
    let cached = || Some(set("GRAMASK_CACHE").or_else(|| Some(user()?.join("gramask")))?.join(file));
    let path = set("GRAMASK_MODEL").or_else(cached).filter(|path| path.is_file());
    if path.is_none() {
        println!("skipped: SmolLM2-135M-Instruct is not there; pull it or set GRAMASK_MODEL");
    }
    path.map(|path| load(&path))
}

fn run(
    transformer: &Transformer,
    vocabulary: &Vocabulary,
    settings: &Settings,
    requests: Vec<Request>,
) -> BTreeMap<String, Output> {
    let mut outputs = BTreeMap::new();
    let mut model = TransformerModel::new(transformer);
    decode(&mut model, vocabulary, settings, requests, |ended| {
        outputs.insert(ended.id, ended.outcome.unwrap());
        ControlFlow::Continue(())
    })
    .unwrap();
    outputs
}

#[test]
fn a_cache_of_slots() {
    let (_, transformer) = tiny();
    let mut model = TransformerModel::new(&transformer);
    assert!(matches!(model.truncate(0, 0), Err(LanguageModelError::Slot { slot: 0, slots: 0 })));
    let beyond = model.context() + 1;
    assert!(matches!(model.open(1, beyond), Err(LanguageModelError::Failed(_))));
    model.open(2, 16).unwrap();
    let whole = model.append(&[Row { slot: 0, tokens: &[5, 6, 7, 8] }], Select::All).unwrap();
    assert_eq!((whole.rows(), whole.width()), (4, model.vocabulary()));
    // The same tokens in two parts, after a copied prefix.
    model.copy(0, 1, 2).unwrap();
    model.truncate(0, 2).unwrap();
    let rows = [Row { slot: 1, tokens: &[7, 8] }, Row { slot: 0, tokens: &[7] }];
    let parts = model.append(&rows, Select::Last).unwrap();
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
    assert!(close(parts.row(0).unwrap(), whole.row(3).unwrap()));
    assert!(close(parts.row(1).unwrap(), whole.row(2).unwrap()));
    assert!(!close(parts.row(1).unwrap(), whole.row(3).unwrap()));
    let alien = model.append(&[Row { slot: 0, tokens: &[u32::MAX >> 1] }], Select::Last).unwrap_err();
    assert!(alien.to_string().starts_with("the model failed: row 0, token 0"), "{alien}");
}

/// A fork that does not copy the prompt again continues as its source, in a slot that went another way before.
#[test]
fn forked_hypotheses_go_on_from_their_source() {
    let (_, transformer) = tiny();
    let mut model = TransformerModel::new(&transformer);
    model.open(3, 16).unwrap();
    let mut last = |tokens: &[(usize, &[u32])], before: &dyn Fn(&mut TransformerModel<'_>)| {
        before(&mut model);
        let rows: Vec<Row<'_>> = tokens.iter().map(|&(slot, tokens)| Row { slot, tokens }).collect();
        let logits = model.append(&rows, Select::Last).unwrap();
        (0..rows.len()).map(|row| logits.row(row).unwrap().to_vec()).collect::<Vec<_>>()
    };
    last(&[(0, &[5, 6, 7])], &|_| {});
    last(&[(0, &[1]), (1, &[2])], &|model| model.fork(0, 1, 0, 3).unwrap());
    last(&[(0, &[3, 3]), (1, &[4])], &|_| {});
    // Slot 1 gives up its own two tokens for slot 0's three.
    let forked = last(&[(0, &[8]), (1, &[9])], &|model| model.fork(0, 1, 3, 6).unwrap());
    let whole = last(&[(2, &[5, 6, 7, 1, 3, 3, 9])], &|_| {});
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
    assert!(close(&forked[1], &whole[0]) && !close(&forked[0], &whole[0]));
}

/// With random weights no two logits are near enough for rounding to turn a choice.
#[test]
fn the_batch_changes_nothing_over_a_tiny_transformer() {
    let (checkpoint, transformer) = tiny();
    let vocabulary = vocabulary_of(&checkpoint.tokenizer).unwrap();
    assert_eq!(vocabulary.len(), transformer.config().vocabulary);
    let prompts: Vec<Vec<u32>> =
        (0..9).map(|i| checkpoint.tokenizer.encode(&format!("the same head {i}"), false)).collect();
    for sampling in [Sampling::greedy(), Sampling { top_p: 0.95, ..Sampling::at(1.0, 3) }] {
        let make = || {
            let all = prompts.iter().enumerate();
            all.map(|(i, prompt)| Request::new(format!("{i}"), prompt.clone(), Some(12), Unconstrained)).collect()
        };
        let plan = |slots| {
            let context = transformer.config().context;
            Settings::new(Layout::plan(slots, context, Some(12), prompts.iter().map(Vec::as_slice)), sampling)
        };
        let mut alone = plan(1);
        assert!(!alone.layout.prefix.is_empty());
        alone.layout.prefix.clear();
        let tokens = |outputs: BTreeMap<String, Output>| -> Vec<Vec<u32>> {
            outputs.values().map(|output| output.tokens.iter().map(|record| record.token).collect()).collect()
        };
        let wanted = tokens(run(&transformer, &vocabulary, &alone, make()));
        for slots in [1, 2, 9] {
            assert_eq!(tokens(run(&transformer, &vocabulary, &plan(slots), make())), wanted, "{slots} slots");
        }
    }
}

/// On the CPU, and on what wgpu finds: the device's own choices are those of the host from the device's logits.
#[test]
fn tokens_are_the_same_wherever_they_are_chosen() {
    for name in available() {
        let device = name.open().unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gramask-model/tests/fixtures/tiny-llama.gguf");
        let checkpoint = Checkpoint::open(&path).unwrap();
        let transformer = Transformer::load(&checkpoint, &device, WeightType::F32).unwrap();
        let vocabulary = vocabulary_of(&checkpoint.tokenizer).unwrap();
        let program = Program::compile(&Format::named("tuples").unwrap(), &Schema::new(["A", "B"])).unwrap();
        let constraint = |number: usize| {
            let (program, vocabulary) = (Arc::clone(&program), Arc::clone(&vocabulary));
            Constraint::new(program, &Text::new(TEXTS[number]), Level::Grounded, vocabulary).unwrap()
        };
        let prompts: Vec<Vec<u32>> = TEXTS.map(|text| checkpoint.tokenizer.encode(text, false)).into();
        let requests = || {
            let all = prompts.iter().enumerate();
            all.map(|(number, prompt)| {
                let mut constraint = constraint(number);
                let budget = constraint.tokens_to_finish(constraint.start()) + number;
                match number % 2 {
                    0 => Request::new(format!("{number}"), prompt.clone(), Some(budget), Masked::new(constraint)),
                    _ => Request::new(format!("{number}"), prompt.clone(), Some(budget), Unconstrained),
                }
            })
            .collect()
        };
        for sampling in [Sampling::greedy(), Sampling::at(1.0, 3)] {
            let context = transformer.config().context;
            let layout = Layout::plan(3, context, None, prompts.iter().map(Vec::as_slice));
            let with = |sample_on| Settings { sample_on, ..Settings::new(layout.clone(), sampling) };
            let host = run(&transformer, &vocabulary, &with(SampleOn::Host), requests());
            for choosing in [SampleOn::Device, SampleOn::Auto] {
                let there = run(&transformer, &vocabulary, &with(choosing), requests());
                for (id, wanted) in &host {
                    let tokens = |output: &Output| -> Vec<(u32, Option<u32>)> {
                        let records = output.tokens.iter();
                        records.map(|record| (record.token, record.scores.map(|scores| scores.rank))).collect()
                    };
                    assert_eq!(tokens(&there[id]), tokens(wanted), "{name}, document {id}, {choosing:?}");
                    for (got, wanted) in there[id].tokens.iter().zip(&wanted.tokens) {
                        let mass = |record: &TokenRecord| record.mask().unwrap().kept_log_mass;
                        assert!((mass(got) - mass(wanted)).abs() < 1e-4, "{name}: {got:?} for {wanted:?}");
                    }
                }
            }
        }
    }
}

/// Few-shot prompts through the model's own template, masked in four families of formats.
#[test]
fn smollm2_writes_what_reads() {
    let Some((checkpoint, transformer)) = smollm2() else {
        return;
    };
    let vocabulary = vocabulary_of(&checkpoint.tokenizer).unwrap();
    let schema = Schema::new(["Chemical", "Disease"]);
    let shots = [
        Document::new("a", "Naloxone reversed the hypotension.")
            .with_entities(vec![Entity::new("Chemical", 0, 8), Entity::new("Disease", 22, 33)]),
        Document::new("b", "The study was small.").with_entities(vec![]),
    ];
    for name in ["json-list", "inline-xml", "tuples", "bio-tags"] {
        let program = Program::compile(&Format::named(name).unwrap(), &schema).unwrap();
        let examples = Examples::write(&program, &shots).unwrap().examples;
        let instruction = instruction(&schema, examples.len(), None).unwrap();
        let prompting = Prompting { instruction, examples };
        let prompter = Prompter::new(&checkpoint.tokenizer, checkpoint.chat.as_ref(), prompting);
        let prompts: Vec<Vec<u32>> = TEXTS.iter().map(|text| prompter.build(text).unwrap().tokens).collect();
        let layout = Layout::plan(3, transformer.config().context, Some(96), prompts.iter().map(Vec::as_slice));
        assert!(layout.prefix.len() > 100, "the instruction and the examples are shared");
        let settings = Settings::new(layout, Sampling::greedy());
        let requests = |masked: bool| -> Vec<Request> {
            let one = |(number, prompt): (usize, &Vec<u32>)| {
                let (id, text) = (format!("{number}"), Text::new(TEXTS[number]));
                let (program, vocabulary) = (Arc::clone(&program), Arc::clone(&vocabulary));
                match masked {
                    true => {
                        let constraint = Constraint::new(program, &text, Level::Grounded, vocabulary).unwrap();
                        Request::new(id, prompt.clone(), Some(96), Masked::new(constraint))
                    }
                    false => Request::new(id, prompt.clone(), Some(24), Unconstrained),
                }
            };
            prompts.iter().enumerate().map(one).collect()
        };
        let masked = run(&transformer, &vocabulary, &settings, requests(true));
        let free = run(&transformer, &vocabulary, &settings, requests(false));
        for (id, output) in &masked {
            let text = Text::new(TEXTS[id.parse::<usize>().unwrap()]);
            let reading = program.read(&text, output.text.as_bytes()).unwrap();
            assert!(reading.problems.is_empty() && output.finish.is_complete(), "{name}: {}", output.text);
            // Where the model would have kept to the format by itself, the mask changes nothing.
            let untouched = output.tokens.iter().zip(&free[id].tokens).take_while(|(a, b)| a.token == b.token).count();
            let first = output.tokens.get(untouched).or(output.tokens.last()).unwrap();
            assert!(untouched == output.tokens.len() || first.mask().unwrap().kept_log_mass < 0.0);
        }
    }
}
