//! What is recorded of each token of an output.

use serde::{Deserialize, Serialize};

use crate::sampler::Choice;

/// How a token of an output was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Chosen {
    /// Chosen from the model's logits.
    Sampled,
    /// Part of the only possible text, appended without asking the model.
    Forced,
    /// Proposed without the model, and confirmed by it.
    Drafted,
}

/// What the model thought of a token, before mask, temperature and filters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The natural logarithm of its probability.
    pub log_probability: f64,
    /// The entropy of the model's distribution at this step, in nats.
    pub entropy: f64,
    /// How many tokens the model thought likelier; 0 for the likeliest.
    pub rank: u32,
    /// What the mask did at this step; `None` if no mask was computed because the token alone was checked.
    pub mask: Option<MaskScores>,
}

/// What a mask did to the model's distribution at one step.
///
/// The mask is the one that was applied: the tokens that the grammar allows, without those that the budget refuses. What the
/// budget did is also told apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskScores {
    /// The natural logarithm of the probability that the model gave to the allowed tokens together; 0 without a mask.
    ///
    /// It is a logarithm, since a removed mass near 1 has too few digits; see [`MaskScores::removed_mass`].
    pub kept_log_mass: f64,
    /// The entropy of the model's distribution over the allowed tokens, in nats.
    pub entropy: f64,
    /// Whether the model's likeliest token was refused, so that greedy decoding takes another.
    pub changed_best: bool,
    /// That token, if it was refused.
    pub wanted: Option<Wanted>,
    /// What the budget refused; `None` if the mask of the grammar was applied alone.
    pub budget: Option<BudgetScores>,
}

/// What the budget refused at one step, of the tokens that the grammar allows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetScores {
    /// The natural logarithm of the probability that the model gave to the tokens that the grammar allows together. At least
    /// [`MaskScores::kept_log_mass`].
    pub grammar_log_mass: f64,
    /// Whether the budget refused the model's likeliest token, which the grammar allows.
    pub changed_best: bool,
    /// Whether the budget refused a token that would have been taken without it: the likeliest token that the grammar allows, or
    /// the token that was drawn first.
    pub squeezed: bool,
}

/// The model's likeliest token, which the mask refused.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// The token; of equally likely ones the first.
    pub token: u32,
    /// The natural logarithm of its probability.
    pub log_probability: f64,
}

impl MaskScores {
    /// The probability mass that the mask removed, from 0 to 1: by the grammar and by the budget together.
    pub fn removed_mass(&self) -> f64 {
        -self.kept_log_mass.exp_m1()
    }

    /// The part of [`MaskScores::removed_mass`] that the budget removed: of tokens that the grammar allows.
    pub fn removed_by_budget(&self) -> f64 {
        self.budget.map_or(0.0, |budget| budget.grammar_log_mass.exp() - self.kept_log_mass.exp())
    }

    /// Whether the budget refused a token that would have been taken without it.
    pub fn squeezed(&self) -> bool {
        self.budget.is_some_and(|budget| budget.squeezed)
    }

    /// Whether the budget refused the model's likeliest token, which the grammar allows.
    pub fn changed_best_by_budget(&self) -> bool {
        self.budget.is_some_and(|budget| budget.changed_best)
    }
}

/// One token of an output.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The token.
    pub token: u32,
    /// How it was chosen.
    pub chosen: Chosen,
    /// The model's scores; `None` for forced text, for which the model was not asked.
    pub scores: Option<Scores>,
}

impl TokenRecord {
    /// The record of a choice.
    pub fn new(choice: Choice, chosen: Chosen) -> Self {
        TokenRecord { token: choice.token, chosen, scores: Some(choice.scores) }
    }

    /// A token without scores: the model has not been asked, or not yet.
    pub fn unscored(token: u32, chosen: Chosen) -> Self {
        TokenRecord { token, chosen, scores: None }
    }

    /// What the mask did at its step, if known.
    pub fn mask(&self) -> Option<&MaskScores> {
        self.scores.as_ref()?.mask.as_ref()
    }

    /// The probability mass that the mask removed at its step, if known.
    pub fn removed_mass(&self) -> Option<f64> {
        self.mask().map(MaskScores::removed_mass)
    }
}
