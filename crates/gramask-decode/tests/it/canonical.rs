//! Decoding in the tokens that a tokenizer of the crate `tokenizers` itself produces.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use gramask_decode::mock::MockModel;
use gramask_decode::{
    BuildError, Layout, NgramDraftModel, PromptTokenizer, Request, Retokenizer, Sampling, Settings, StrategyBuilder,
    StrategyChoice, StrategyName, StrategyTask, TokenConstraint, decode,
};
use gramask_grammar::{Canonical, Constraint, Format, Level, Program, Token, Vocabulary};
use gramask_ner::{Entity, Schema, Text};
use tokenizers::Tokenizer;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

const DOCUMENTS: [&str; 3] = ["Aspirin causes asthma.", "It's  12 mg [IL-2],\n\"é\" & asthma", ""];

/// Byte pairs after GPT-2's pre-tokenizer, trained on a few outputs.
struct Trained(Tokenizer);

impl PromptTokenizer for Trained {
    fn encode(&self, text: &str, _parse_special: bool) -> Vec<u32> {
        self.0.encode_fast(text, false).unwrap().get_ids().to_vec()
    }

    fn is_special(&self, _token: u32) -> bool {
        false
    }

    fn opening(&self) -> Option<u32> {
        None
    }
}

fn programs() -> Vec<Arc<Program>> {
    let schema = Schema::new(["Chemical", "Disease"]);
    let first = |name| Program::passes(&Format::named(name).unwrap(), &schema).unwrap().swap_remove(0);
    Format::builtin().map(first).collect()
}

/// An output with an entity at every other word.
fn sample(program: &Arc<Program>, text: &Text) -> String {
    let labels = program.schema().labels();
    let words = text.words().iter().enumerate().step_by(2);
    let entities: Vec<Entity> =
        words.map(|(i, word)| Entity::new(labels[i / 2 % labels.len()].as_str(), word.start, word.end)).collect();
    program.write(text, &entities).unwrap().text
}

fn trained() -> (Arc<Trained>, Arc<Vocabulary>) {
    let texts = programs().into_iter().flat_map(|program| DOCUMENTS.map(|text| sample(&program, &Text::new(text))));
    let trainer = BpeTrainer::builder()
        .vocab_size(500)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .show_progress(false);
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    tokenizer.train(&mut TrainerWrapper::from(trainer.build()), texts).unwrap();
    let size = tokenizer.get_vocab_size(false) as u32;
    assert!(size > 400, "{size} tokens");
    let mut tokens: Vec<Token> = (0..size).map(|id| Token::new(bytes(&tokenizer.id_to_token(id).unwrap()))).collect();
    tokens.push(Token::special("<end>"));
    (Arc::new(Trained(tokenizer)), Vocabulary::new(tokens, vec![size]).unwrap())
}

/// GPT-2's characters as bytes: printable characters stand for themselves, the others follow from 256 on.
fn bytes(token: &str) -> Vec<u8> {
    let printable = |byte: &u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let others: Vec<u32> = (0..256).filter(|byte| !printable(byte)).collect();
    token.chars().map(|c| others.get((c as usize).wrapping_sub(256)).map_or(c as u8, |&byte| byte as u8)).collect()
}

#[test]
fn every_output_has_the_tokens_of_its_text() {
    let (tokenizer, vocabulary) = trained();
    let prompt: Vec<u32> = tokenizer.encode("decode: ", false);
    let ngrams = Arc::new(Mutex::new(NgramDraftModel::new([])));
    let (mut outputs, mut differ) = (0, 0);
    for (strategy, sampling) in [
        ("masked", Sampling::greedy()),
        ("masked", Sampling::at(1.0, 1)),
        ("lazy", Sampling { top_k: 3, ..Sampling::at(2.0, 2) }),
        ("beam", Sampling::greedy()),
        ("aligned-smc", Sampling::at(1.0, 3)),
    ] {
        let choice = StrategyChoice::from(strategy.parse::<StrategyName>().unwrap());
        for canonical in [true, false] {
            let builder =
                StrategyBuilder { vocabulary: vocabulary.clone(), tokenizer: tokenizer.clone(), sampling, canonical };
            let mut requests = Vec::new();
            for program in programs() {
                for document in DOCUMENTS {
                    let (text, level) = (Text::new(document), Level::Grounded);
                    let task = StrategyTask { program: &program, text: &text, level, prompt: "", ngrams: &ngrams };
                    let mut strategy = builder.build(&choice, task).unwrap();
                    let budget = Some(strategy.least_budget() + 3 * requests.len() % 20);
                    let id = program.format().name.clone();
                    requests.push(Request { id, prompt: prompt.clone(), budget, strategy });
                }
            }
            let layout = Layout { slots: 8, hypotheses: choice.hypotheses(), length: 1024, prefix: prompt.clone() };
            let mut model = MockModel::hashed(vocabulary.clone(), 1024);
            decode(&mut model, &vocabulary, &Settings::new(layout, sampling), requests, |ended| {
                let output = ended.outcome.unwrap_or_else(|error| panic!("{strategy} {}: {error}", ended.id));
                let mut tokens: Vec<u32> = output.tokens.iter().map(|record| record.token).collect();
                assert_eq!(tokens.pop(), Some(vocabulary.ends()[0]));
                let same = tokens == tokenizer.encode(&output.text, false);
                assert!(same || !canonical, "{strategy} {}: {tokens:?}: {}", ended.id, output.text);
                outputs += usize::from(canonical);
                differ += usize::from(!same);
                ControlFlow::Continue(())
            })
            .unwrap();
        }
    }
    assert_eq!(outputs, 5 * 24 * DOCUMENTS.len());
    assert!(differ > outputs / 10, "without the option many outputs have other tokens: {differ} of {outputs}");
}

/// What a writer writes is allowed in the tokens of its text.
#[test]
fn written_outputs_are_allowed() {
    let (tokenizer, vocabulary) = trained();
    let retokenizer = Retokenizer::new(tokenizer.clone(), vocabulary.clone());
    for program in programs() {
        for document in DOCUMENTS {
            let text = Text::new(document);
            let output = sample(&program, &text);
            let place = format!("{}: {output}", program.format().name);
            let constraint = Constraint::new(program.clone(), &text, Level::Grounded, vocabulary.clone()).unwrap();
            let mut canonical = Canonical::new(constraint, retokenizer.clone()).unwrap();
            let mut at = canonical.start();
            for token in tokenizer.encode(&output, false) {
                let mask = TokenConstraint::mask(&mut canonical, at);
                assert!(mask[token as usize / 32] >> (token % 32) & 1 == 1, "{place}: {token} is refused");
                at = canonical.advance(at, token).unwrap();
            }
            assert!(canonical.accepts(at), "{place}");
        }
    }
}

#[test]
fn what_cannot_be_canonical_is_refused() {
    let check = |strategy: &str, level| {
        let choice = StrategyChoice::from(strategy.parse::<StrategyName>().unwrap());
        choice.check_canonical(level).map_err(|error| error.to_string())
    };
    assert_eq!(check("masked", Level::Grounded), Ok(()));
    assert!(check("unconstrained", Level::None).unwrap_err().contains("level `none`"));
    assert!(check("masked", Level::Syntax).unwrap_err().contains("level `grounded`"));
    for strategy in ["jump", "draft", "free-then-masked"] {
        let error = check(strategy, Level::Grounded).unwrap_err();
        assert!(error.contains(strategy) && error.contains("`masked`"), "{error}");
    }
    // A tokenizer that changes the text: no output has canonical tokens.
    struct Upper;
    impl PromptTokenizer for Upper {
        fn encode(&self, text: &str, _: bool) -> Vec<u32> {
            text.to_uppercase().bytes().map(|byte| u32::from(byte) + 1).collect()
        }
        fn is_special(&self, _: u32) -> bool {
            false
        }
        fn opening(&self) -> Option<u32> {
            None
        }
    }
    let (_, vocabulary) = trained();
    let (program, text) = (programs().swap_remove(0), Text::new("a"));
    let ngrams = Arc::new(Mutex::new(NgramDraftModel::new([])));
    let builder =
        StrategyBuilder { vocabulary, tokenizer: Arc::new(Upper), sampling: Sampling::greedy(), canonical: true };
    let task = StrategyTask { program: &program, text: &text, level: Level::Grounded, prompt: "", ngrams: &ngrams };
    let built = builder.build(&StrategyChoice::from(StrategyName::MASKED), task);
    assert!(matches!(built, Err(BuildError::Canonical(_))));
}
