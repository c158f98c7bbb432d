//! Prompts that were kept give the outputs that computed ones give.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use crate::support::{LONGER, bytes, masked, settings};
use gramask_decode::mock::{MockModel, byte_vocabulary};
use gramask_decode::{
    Beam, Ended, LanguageModel, LanguageModelError, Output, PromptStore, Request, Sampling, Saved, Settings, Summary,
    TransformerModel, Unconstrained, decode_with, vocabulary_of,
};
use gramask_grammar::Vocabulary;
use gramask_model::checkpoint::Checkpoint;
use gramask_model::device::DeviceName;
use gramask_model::transformer::{Transformer, WeightType};

const TEXTS: [&str; 4] = ["[]", "[a,b]", "[ab,ba,b]", "[bb,a,aaaa]"];
const ROOM: usize = 1 << 30;

fn run<M: LanguageModel>(
    model: &mut M,
    vocabulary: &Vocabulary,
    settings: &Settings,
    store: Option<&mut PromptStore>,
    requests: Vec<Request>,
) -> (BTreeMap<usize, Output>, Summary) {
    let mut all = BTreeMap::new();
    let on_end = |Ended { index, outcome, .. }: Ended| {
        all.insert(index, outcome.unwrap());
        ControlFlow::Continue(())
    };
    let summary = decode_with(model, vocabulary, settings, store, requests, on_end).unwrap();
    (all, summary)
}

/// Nine prompts, of which two are equal and two are the prefix and a single token.
fn requests(strategy: usize) -> Vec<Request> {
    let endings = ["aardvark", "b", "aardvark", "cat", "d", "eel", "fox", "gnu", "hare"];
    let all = endings.iter().enumerate().map(|(i, ending)| {
        let prompt = bytes(&format!("instruction: {ending}"));
        let id = format!("doc-{i}");
        match strategy {
            0 => Request::new(id, prompt, Some(12), Unconstrained),
            1 => Request::new(id, prompt, Some(12), masked(&TEXTS)),
            _ => Request::new(id, prompt, Some(12), Beam::unconstrained(3)),
        }
    });
    all.collect()
}

#[test]
fn stored_prompts_change_no_output_and_are_not_computed_again() {
    let mut model = MockModel::hashed(byte_vocabulary(&LONGER), 64);
    let tokens = model.tokens().clone();
    let prefix = bytes("instruction: ");
    let mut store = PromptStore::new(ROOM);
    for (round, (strategy, slots, hypotheses)) in [(0, 4, 1), (1, 2, 1), (2, 3, 3), (0, 1, 1)].into_iter().enumerate() {
        let mut settings = settings(slots, &prefix, Sampling::at(1.0, 3));
        settings.layout.hypotheses = hypotheses;
        let (wanted, plain) = run(&mut model, &tokens, &settings, None, requests(strategy));
        let before = model.appended;
        let (outputs, summary) = run(&mut model, &tokens, &settings, Some(&mut store), requests(strategy));
        for (index, output) in &outputs {
            assert_eq!((&output.text, &output.tokens), (&wanted[index].text, &wanted[index].tokens));
        }
        assert_eq!(store.len(), 6, "the equal ones count once, and two add nothing to the prefix");
        assert_eq!((plain.restored_tokens, summary.outputs), (0, 9));
        if round > 0 {
            let stored: usize = requests(0).iter().map(|r| r.prompt.len() - prefix.len() - 1).sum();
            assert_eq!(summary.restored_tokens, stored);
            let computed: usize = outputs.values().map(|output| output.positions.computed).sum();
            assert_eq!(model.appended - before, computed + prefix.len());
            for output in outputs.values() {
                let kept = output.positions.restored > 0;
                assert_eq!(output.times.restored.is_zero(), !kept);
            }
        }
    }
}

#[test]
fn a_store_without_room_keeps_nothing() {
    let mut model = MockModel::hashed(byte_vocabulary(&LONGER), 64);
    let tokens = model.tokens().clone();
    let mut store = PromptStore::new(7 * 4);
    let settings = settings(2, &bytes("instruction: "), Sampling::greedy());
    for _ in 0..2 {
        let (outputs, _) = run(&mut model, &tokens, &settings, Some(&mut store), requests(1));
        assert_eq!(outputs.len(), 9);
        assert!(store.bytes() <= 7 * 4);
    }
}

#[test]
fn a_model_refuses_what_another_saved() {
    let mut model = MockModel::uniform(8);
    model.open(1, 8).unwrap();
    let foreign = Saved { positions: 0..1, bytes: 1, state: Box::new("another's") };
    assert!(matches!(model.restore(0, &foreign), Err(LanguageModelError::Foreign)));
}

/// A real transformer: the logits after a restored prompt are those after a computed one, up to rounding, in a cache of
/// another shape, too.
#[test]
fn a_transformer_goes_on_from_a_restored_prompt() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gramask-model/tests/fixtures/tiny-llama.gguf");
    let checkpoint = Checkpoint::open(&path).unwrap();
    let device = DeviceName::Flex.open().unwrap();
    let transformer = Transformer::load(&checkpoint, &device, WeightType::F32).unwrap();
    let mut model = TransformerModel::new(&transformer);
    let vocabulary = vocabulary_of(&checkpoint.tokenizer).unwrap();
    let prompts: Vec<Vec<u32>> =
        (0..6u32).map(|i| (0..9 + i).map(|t| if t < 4 { t + 5 } else { (t * 7 + i * 3) % 200 }).collect()).collect();
    let requests = || {
        let all = prompts.iter().enumerate();
        all.map(|(i, prompt)| Request::new(format!("{i}"), prompt.clone(), Some(8), Unconstrained)).collect::<Vec<_>>()
    };
    let mut settings = settings(3, &prompts[0][..4], Sampling::greedy());
    let (wanted, _) = run(&mut model, &vocabulary, &settings, None, requests());
    let mut store = PromptStore::new(ROOM);
    for slots in [3, 2, 6] {
        settings.layout.slots = slots;
        settings.layout.length = 30 + slots;
        let (outputs, summary) = run(&mut model, &vocabulary, &settings, Some(&mut store), requests());
        assert_eq!(summary.restored_tokens > 0, slots != 3, "from the second round on");
        for (index, output) in outputs {
            for (a, b) in output.tokens.iter().zip(&wanted[&index].tokens) {
                let (a, b) = (a.scores.unwrap().log_probability, b.scores.unwrap().log_probability);
                assert!((a - b).abs() < 1e-4, "{a} and {b} in document {index} of {slots} slots");
            }
            assert_eq!(output.text, wanted[&index].text);
        }
    }
}
