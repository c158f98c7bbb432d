//! llguidance: an Earley parser over lexemes, with slices of the vocabulary that are allowed as a whole.

use std::sync::Arc;

use gramask_grammar::{Plain, Vocabulary};
use llguidance::api::TopLevelGrammar;
use llguidance::earley::SlicedBiasComputer;
use llguidance::{Matcher, ParserFactory};
use toktrie::{ApproximateTokEnv, InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie};

use crate::peer::{Engine, Walker};

/// With which slices.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Slices {
    /// Those that it comes with, made for JSON.
    General,
    /// Made for the format's free text.
    Tuned,
}

pub struct Llguidance {
    environment: TokEnv,
    general: ParserFactory,
    slices: Slices,
}

impl Llguidance {
    pub fn new(vocabulary: &Vocabulary, slices: Slices) -> Result<Llguidance, String> {
        let text = |id: u32| match vocabulary.text(id) {
            Some(text) => text.to_vec(),
            // What can't stand in an output begins with a byte that stands in no text.
            None => [&[TokTrie::SPECIAL_TOKEN_MARKER], format!("<{id}>").as_bytes()].concat(),
        };
        let words: Vec<Vec<u8>> = (0..vocabulary.len() as u32).map(text).collect();
        let info = TokRxInfo::new(words.len() as u32, vocabulary.ends()[0]);
        // Not canonical: the mask of all tokenisations is asked for, as from everyone else.
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(TokTrie::from(&info, &words)));
        let regexes = match slices {
            Slices::General => SlicedBiasComputer::general_slices(),
            Slices::Tuned => Vec::new(),
        };
        let general = factory(&environment, &regexes)?;
        Ok(Llguidance { environment, general, slices })
    }
}

fn factory(environment: &TokEnv, regexes: &[String]) -> Result<ParserFactory, String> {
    let mut factory = ParserFactory::new(environment, InferenceCapabilities::default(), regexes)
        .map_err(|error| error.to_string())?;
    factory.quiet();
    // As far as it goes: it is told when time is up, not by these.
    let limits = factory.limits_mut();
    limits.initial_lexer_fuel = 100_000_000;
    limits.step_lexer_fuel = 100_000_000;
    limits.step_max_items = 10_000_000;
    limits.max_items_in_row = 1_000_000;
    limits.max_grammar_size = 50_000_000;
    limits.max_lexer_states = 10_000_000;
    limits.verbose_errors = false;
    Ok(factory)
}

impl Engine for Llguidance {
    fn prepare(&mut self, free: &str) -> Result<(), String> {
        if self.slices == Slices::Tuned {
            let regexes = [format!("{free}{{1,10}}"), format!("{free}{{1,30}}"), format!("{free}+")];
            self.general = factory(&self.environment, &regexes)?;
        }
        Ok(())
    }

    fn print(&self, plain: &Plain) -> Result<String, String> {
        Ok(plain.to_lark())
    }

    fn compile(&self, grammar: &str) -> Result<Box<dyn Walker>, String> {
        let grammar = TopLevelGrammar::from_lark(grammar.to_string());
        let parser = self.general.create_parser(grammar);
        let matcher = Matcher::new(parser);
        match matcher.get_error() {
            Some(error) => Err(error.lines().next().unwrap_or_default().to_string()),
            None => Ok(Box::new(At { matcher, mask: SimpleVob::new() })),
        }
    }
}

struct At {
    matcher: Matcher,
    mask: SimpleVob,
}

impl Walker for At {
    fn reset(&mut self) {
        // A matcher that can't go back stays in error, and says so at the next mask.
        let _ = self.matcher.reset();
    }

    fn mask(&mut self) -> Result<(), String> {
        self.mask = self.matcher.compute_mask_or_eos().map_err(|error| error.to_string())?;
        Ok(())
    }

    fn row(&self, row: &mut [u32]) {
        for (to, from) in row.iter_mut().zip(self.mask.as_slice()) {
            *to = *from;
        }
    }

    fn advance(&mut self, token: u32) -> bool {
        self.matcher.consume_token(token).is_ok()
    }
}
