//! Traces: what is known of each token of an output, one by one.

use gramask_decode::Chosen;
use serde::{Deserialize, Serialize};

/// One token of an output. Unknown values are `null`: the model is not asked about forced tokens, and a strategy that checks only
/// the chosen token computes no mask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceToken {
    /// The pass that wrote the token, from 0, in formats with a pass for each label.
    #[serde(skip_serializing_if = "is_first", default)]
    pub pass: usize,
    /// The token.
    pub token: u32,
    /// The text of the token. Bytes that are no complete character are shown as U+FFFD.
    pub text: String,
    /// How the token was chosen: `sampled`, `forced` or `drafted`.
    pub chosen: Chosen,
    /// The natural logarithm of the token's probability under the model, before mask and temperature.
    pub log_probability: Option<f64>,
    /// The probability that the mask removed at this step, by the grammar and by the budget.
    pub removed: Option<f64>,
    /// The part of it that the budget removed, of tokens that the grammar allows. Left out where the budget removed nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub removed_by_budget: Option<f64>,
    /// The entropy of the model's distribution at this step, in nats.
    pub entropy: Option<f64>,
    /// The entropy of the renormalised distribution after the mask, in nats.
    pub entropy_after: Option<f64>,
    /// The number of tokens with a higher probability.
    pub rank: Option<u32>,
    /// Whether the mask refused the model's most likely token.
    pub changed_best: Option<bool>,
    /// The most likely token, if the mask refused it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub wanted: Option<WantedToken>,
    /// The number of tokens that the grammar allowed at this step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub allowed: Option<usize>,
    /// The text that the constraint forced at this step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub forced_text: Option<String>,
}

/// The model's most likely token, which the mask refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WantedToken {
    /// The token.
    pub token: u32,
    /// Its text.
    pub text: String,
    /// The natural logarithm of its probability under the model.
    pub log_probability: f64,
    /// Whether the grammar allows it, so that only the budget refused it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub by_budget: bool,
}

fn is_first(pass: &usize) -> bool {
    *pass == 0
}
