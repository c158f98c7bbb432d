//! The engines that MaskBench compares: what each must be able to do.

use std::sync::Arc;

use gramask_grammar::json_schema::{JsonSchemaOptions, Whitespace};
use gramask_grammar::{CompiledGrammar, Constraint, Grammar, NetworkLimits, State, Vocabulary};
use llguidance::api::TopLevelGrammar;
use llguidance::earley::SlicedBiasComputer;
use llguidance::{Matcher, ParserFactory};
use toktrie::{ApproximateTokEnv, InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie};

use crate::vocabularies::Named;

/// An engine with a vocabulary.
pub trait Engine {
    /// Compiles a JSON Schema.
    fn compile(&mut self, schema: &str) -> Result<Box<dyn Walk>, String>;
}

/// A walk through the masks of a schema.
pub trait Walk {
    /// Goes back to the beginning.
    fn reset(&mut self);
    /// Computes the mask.
    fn mask(&mut self) -> Result<(), String>;
    /// Whether the last mask allows a token.
    fn allows(&self, token: u32) -> bool;
    /// Goes on by a token.
    fn advance(&mut self, token: u32) -> bool;
}

/// The engine of this name.
pub fn engine(name: &str, named: &Named) -> Result<Box<dyn Engine>, String> {
    match name {
        "gramask" => Ok(Box::new(Gramask(Arc::clone(&named.vocabulary)))),
        "llguidance" => Ok(Box::new(Llguidance::new(&named.vocabulary)?)),
        "xgrammar-rs" => xgrammar(named),
        other => Err(format!("there is no engine `{other}`: take gramask, llguidance or xgrammar-rs")),
    }
}

struct Gramask(Arc<Vocabulary>);

impl Engine for Gramask {
    fn compile(&mut self, schema: &str) -> Result<Box<dyn Walk>, String> {
        // A blank after each comma and colon, as the instances have it.
        let options = JsonSchemaOptions { whitespace: Whitespace::Any { most: 1 }, ..JsonSchemaOptions::default() };
        let grammar = Grammar::from_json_schema(schema, &options).map_err(|errors| errors.to_string())?;
        let compiled =
            CompiledGrammar::compile(&grammar, &NetworkLimits::default()).map_err(|error| error.to_string())?;
        let constraint = Constraint::of_grammar(&compiled, Arc::clone(&self.0)).map_err(|error| error.to_string())?;
        let state = constraint.start();
        Ok(Box::new(Ours { constraint, state, row: vec![0; self.0.words()] }))
    }
}

struct Ours {
    constraint: Constraint,
    state: State,
    row: Vec<u32>,
}

impl Walk for Ours {
    fn reset(&mut self) {
        self.state = self.constraint.start();
    }

    fn mask(&mut self) -> Result<(), String> {
        // Into memory of the caller, as the others do.
        self.constraint.copy_mask(self.state, &mut self.row);
        Ok(())
    }

    fn allows(&self, token: u32) -> bool {
        self.row[token as usize / 32] >> (token % 32) & 1 == 1
    }

    fn advance(&mut self, token: u32) -> bool {
        match self.constraint.advance(self.state, token) {
            Some(state) => {
                self.state = state;
                true
            }
            None => false,
        }
    }
}

struct Llguidance {
    factory: ParserFactory,
}

impl Llguidance {
    fn new(vocabulary: &Vocabulary) -> Result<Llguidance, String> {
        let text = |id: u32| match vocabulary.text(id) {
            Some(text) => text.to_vec(),
            // What can't stand in an output begins with a byte that stands in no text.
            None => [&[TokTrie::SPECIAL_TOKEN_MARKER], format!("<{id}>").as_bytes()].concat(),
        };
        let words: Vec<Vec<u8>> = (0..vocabulary.len() as u32).map(text).collect();
        let info = TokRxInfo::new(words.len() as u32, vocabulary.ends()[0]);
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(TokTrie::from(&info, &words)));
        let slices = SlicedBiasComputer::json_slices();
        let mut factory = ParserFactory::new(&environment, InferenceCapabilities::default(), &slices)
            .map_err(|error| error.to_string())?;
        factory.quiet();
        Ok(Llguidance { factory })
    }
}

impl Engine for Llguidance {
    fn compile(&mut self, schema: &str) -> Result<Box<dyn Walk>, String> {
        let schema = serde_json::from_str(schema).map_err(|error| error.to_string())?;
        let matcher = Matcher::new(self.factory.create_parser(TopLevelGrammar::from_json_schema(schema)));
        match matcher.get_error() {
            Some(error) => Err(error.lines().next().unwrap_or_default().to_owned()),
            None => Ok(Box::new(Theirs { matcher, mask: SimpleVob::new() })),
        }
    }
}

struct Theirs {
    matcher: Matcher,
    mask: SimpleVob,
}

impl Walk for Theirs {
    fn reset(&mut self) {
        // A matcher that can't go back stays in error, and says so at the next mask.
        let _ = self.matcher.reset();
    }

    fn mask(&mut self) -> Result<(), String> {
        self.mask = self.matcher.compute_mask_or_eos().map_err(|error| error.to_string())?;
        Ok(())
    }

    fn allows(&self, token: u32) -> bool {
        self.mask.is_allowed(token)
    }

    fn advance(&mut self, token: u32) -> bool {
        self.matcher.consume_token(token).is_ok()
    }
}

#[cfg(feature = "engines")]
fn xgrammar(named: &Named) -> Result<Box<dyn Engine>, String> {
    Ok(Box::new(crate::xgrammar_rs::Xgrammar::new(&named.vocabulary)?))
}

#[cfg(not(feature = "engines"))]
fn xgrammar(_: &Named) -> Result<Box<dyn Engine>, String> {
    Err("xgrammar-rs is not compiled in: build with `--features engines`".into())
}
