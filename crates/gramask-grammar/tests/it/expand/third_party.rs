//! llguidance over a vocabulary of ours.

use std::collections::BTreeSet;
use std::sync::Arc;

use gramask_grammar::{Token, Vocabulary};
use gramask_random::Rng;
use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie};

/// Every byte that UTF-8 has, pieces cut out of `sources` anywhere, each once, and one end token.
///
/// No byte 0xff: toktrie marks special tokens with it.
pub fn vocabulary(rng: &mut Rng, sources: &[&[u8]], pieces: usize) -> Arc<Vocabulary> {
    let mut texts: BTreeSet<Vec<u8>> = (0..=0xf4u8).map(|byte| vec![byte]).collect();
    for _ in 0..pieces {
        let source = *rng.pick(sources);
        if source.len() >= 2 {
            let begin = rng.below(source.len() - 1);
            let length = 2 + rng.below(9);
            texts.insert(source[begin..source.len().min(begin + length)].to_vec());
        }
    }
    let end = texts.len() as u32;
    let tokens = texts.into_iter().map(Token::new).chain([Token::special("<end>")]);
    Vocabulary::new(tokens.collect(), vec![end]).unwrap()
}

pub struct Peers {
    factory: ParserFactory,
}

impl Peers {
    pub fn new(vocabulary: &Vocabulary) -> Peers {
        Peers::with_slices(vocabulary, &[])
    }

    /// With slices of the vocabulary, as regexes, which are allowed as a whole.
    pub fn with_slices(vocabulary: &Vocabulary, slices: &[String]) -> Peers {
        let size = vocabulary.len() as u32;
        let words: Vec<Vec<u8>> =
            (0..size).map(|id| vocabulary.text(id).map_or(b"\xff<end>".to_vec(), <[u8]>::to_vec)).collect();
        let info = TokRxInfo {
            vocab_size: size,
            tok_eos: size - 1,
            tok_bos: None,
            tok_pad: None,
            tok_unk: None,
            tok_end_of_turn: None,
        };
        // Approximate is: whose tokens are not forced, since they may not be the tokenizer's.
        let env: TokEnv = Arc::new(ApproximateTokEnv::new(TokTrie::from(&info, &words)));
        let mut factory = ParserFactory::new(&env, InferenceCapabilities::default(), slices).unwrap();
        factory.quiet();
        let limits = factory.limits_mut();
        limits.initial_lexer_fuel = 100_000_000;
        limits.step_lexer_fuel = 100_000_000;
        limits.max_items_in_row = 1_000_000;
        limits.step_max_items = 100_000_000;
        limits.max_lexer_states = 10_000_000;
        limits.max_grammar_size = 100_000_000;
        Peers { factory }
    }

    pub fn start(&mut self, lark: &str) -> Peer {
        let parser = self.factory.create_parser(TopLevelGrammar::from_lark(lark.to_owned()));
        let matcher = Matcher::new(parser);
        if let Some(error) = matcher.get_error() {
            panic!("llguidance refuses the grammar: {error}\n{lark}");
        }
        Peer(matcher)
    }
}

pub struct Peer(Matcher);

impl Peer {
    pub fn mask(&mut self, size: usize) -> Vec<u32> {
        // Where only the end can follow it has stopped already.
        let mask = self.0.compute_mask_or_eos().expect("llguidance has a mask");
        (0..size.div_ceil(32))
            .map(|word| {
                let bit =
                    |bit: usize| u32::from(word * 32 + bit < size && mask.is_allowed((word * 32 + bit) as u32)) << bit;
                (0..32).map(bit).sum()
            })
            .collect()
    }

    /// Computes a mask, and says whether it has a token.
    pub fn computes(&mut self, token: u32) -> bool {
        self.0.compute_mask_or_eos().expect("llguidance has a mask").is_allowed(token)
    }

    pub fn advance(&mut self, token: u32) {
        self.0.consume_token(token).expect("llguidance takes an allowed token");
    }
}
