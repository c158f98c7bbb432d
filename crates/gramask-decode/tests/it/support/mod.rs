//! What the tests of the batch loop share.

pub mod formats;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use gramask_decode::mock::{MockConstraint, MockModel, byte_vocabulary};
use gramask_decode::{Ended, Layout, Masked, Output, Request, RequestError, Sampling, Settings, Summary, decode};

/// Tokens of the mock that are longer than a byte.
pub const LONGER: [&str; 5] = ["[a", ",b", "]", "aa", "b]"];

/// A text as the mock tokenizes it.
pub fn bytes(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

/// Masked decoding under a list of texts.
pub fn masked(texts: &[&str]) -> Masked<MockConstraint> {
    Masked::new(MockConstraint::new(byte_vocabulary(&LONGER), texts))
}

/// Settings with slots of 64 positions.
pub fn settings(slots: usize, prefix: &[u32], sampling: Sampling) -> Settings {
    Settings::new(Layout { slots, hypotheses: 1, length: 64, prefix: prefix.to_vec() }, sampling)
}

/// Decodes, and gives the outcomes by number.
pub fn collect(
    model: &mut MockModel,
    settings: &Settings,
    requests: Vec<Request>,
) -> (BTreeMap<usize, Result<Output, RequestError>>, Summary) {
    let vocabulary = model.tokens().clone();
    let mut all = BTreeMap::new();
    let summary = decode(model, &vocabulary, settings, requests, |Ended { index, outcome, .. }| {
        assert!(all.insert(index, outcome).is_none(), "request {index} ended twice");
        ControlFlow::Continue(())
    });
    (all, summary.unwrap())
}
