//! A model without weights, and what runs with it need.

use std::sync::Arc;

use gramask::decode::LanguageModel;
use gramask::decode::mock::{MockModel, MockTokenizer};
use gramask::experiment::Cell;
use gramask::runner::{Backbone, Engine, RunError, Watch};
use gramask::store::{Journal, Record};

/// Gives each cell a mock of its own: every token is as likely as any other.
pub struct Mocks;

impl Backbone for Mocks {
    fn language_model(&mut self) -> Box<dyn LanguageModel + '_> {
        Box::new(MockModel::uniform(4096))
    }
}

/// An engine of a backbone whose tokens are bytes.
pub fn engine_of(name: &str, backbone: impl Backbone + 'static) -> Result<Engine, RunError> {
    let vocabulary = MockModel::uniform(4096).tokens().clone();
    let tokenizer = Arc::new(MockTokenizer::default());
    Ok(Engine::new(name.into(), Box::new(backbone), vocabulary, tokenizer, None))
}

/// An engine of mocks.
pub fn engine(name: &str) -> Result<Engine, RunError> {
    engine_of(name, Mocks)
}

/// Nobody watches.
pub struct Nobody;

impl Watch for Nobody {
    fn cell(&mut self, _: &Cell, _: usize, _: usize) {}
    fn record(&mut self, _: &Record) {}
}

/// What the records say, times left out, in an order that sessions do not change.
pub fn sayings(journal: &Journal) -> Vec<String> {
    let mut sayings: Vec<String> = journal
        .records()
        .iter()
        .map(|record| {
            let mut record = record.clone();
            record.times = Default::default();
            serde_json::to_string(&record).unwrap()
        })
        .collect();
    sayings.sort();
    sayings
}
