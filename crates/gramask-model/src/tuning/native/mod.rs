//! The training step as plain Rust, for the CPU.
//!
//! The same step as [`graph`](super::graph) records and Burn differentiates, with each operation's gradient written out. Three
//! things make it faster. All buffers keep their memory from step to step. Projections of one input are one matrix product, with
//! the adapter added to the weights ([`weights`]). No product is computed that no gradient needs. The last layer goes on after
//! attention only where an output token follows. The first layer's input has no gradient while the embedding is frozen. Tests
//! hold each gradient to the recorded one and to finite differences.
//!
//! | file | what it holds |
//! |---|---|
//! | `weights.rs` | weights put together, with the adapter added |
//! | `layer.rs` | one layer, forward and backward, in the order of its equations |
//! | `linear.rs`, `attention.rs`, `rows.rs` | the operations of a layer |
//! | `product.rs`, `shared.rs`, `gradients.rs` | matrix products, and where results go |

mod attention;
mod gradients;
mod layer;
mod linear;
mod product;
mod rows;
mod shared;
mod weights;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use attention::Scene;
use gradients::Sums;
use layer::{Kept, Pass, Placed, Scratch, gather, norm_back, sized};
use product::{Matrix, Output, multiply};
pub(super) use weights::Host;
use weights::{Learnt, Source, Weights};

use super::dropout::Dropout;
use super::model::{Parameter, numbers};
use super::pack::Pack;
use super::{Lora, TuningError};
use crate::checkpoint::ModelConfig;

/// Weights and buffers that are kept from one pass to the next.
#[derive(Debug, Default)]
pub(super) struct Native(Mutex<State>);

impl Clone for Native {
    /// A fresh one: the clone's parameters may become others.
    fn clone(&self) -> Self {
        Native::default()
    }
}

#[derive(Debug, Default)]
struct State {
    /// As long as no parameter has changed.
    weights: Option<Weights>,
    merged: bool,
    layers: Vec<Kept>,
    scratch: Scratch,
    /// Between layers: `[rows, width]`
    stream: Vec<f32>,
    /// The result of the last layer, and after its norm: `[predictions, width]`
    last: Vec<f32>,
    normed: Vec<f32>,
    /// `[predictions, vocabulary]`
    logits: Vec<f32>,
}

/// A model as a pass reads it.
pub(super) struct Model<'a> {
    pub config: &'a ModelConfig,
    pub frozen: &'a Host,
    pub parameters: &'a [Parameter],
    pub lora: Option<&'a Lora>,
}

impl Native {
    /// The parameters have changed.
    pub fn forget_weights(&mut self) {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).weights = None;
    }

    /// The sum of the negative log-probabilities of the pack's predictions, and the gradients of `weight` times it.
    ///
    /// # Errors
    /// When a weight is missing, or cannot be read.
    pub fn gradients(
        &self,
        model: &Model<'_>,
        pack: &Pack,
        weight: f64,
        dropout: Option<Dropout<'_>>,
    ) -> Result<(f64, Vec<Vec<f32>>), TuningError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let packed = Packed::new(pack, model.config, dropout);
        state.forward(model, &packed)?;
        let loss = rows::cross_entropy(&mut state.logits, &pack.predictions, weight as f32);
        if !loss.is_finite() {
            return Ok((loss, Vec::new()));
        }
        Ok((loss, state.backward(model, &packed)?))
    }

    /// The loss alone, without dropout.
    ///
    /// # Errors
    /// As [`gradients`](Native::gradients).
    pub fn loss(&self, model: &Model<'_>, pack: &Pack) -> Result<f64, TuningError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.forward(model, &Packed::new(pack, model.config, None))?;
        Ok(rows::cross_entropy(&mut state.logits, &pack.predictions, 1.0))
    }

    /// `[predictions, vocabulary]`, without dropout.
    ///
    /// # Errors
    /// As [`gradients`](Native::gradients).
    pub fn logits(&self, model: &Model<'_>, pack: &Pack) -> Result<Vec<f32>, TuningError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.forward(model, &Packed::new(pack, model.config, None))?;
        Ok(state.logits.clone())
    }
}

/// A pack, and what both directions of a pass read of it.
struct Packed<'a> {
    pack: &'a Pack,
    scene: Scene,
    /// The tokens that an output token follows.
    at: Vec<usize>,
    dropout: Option<Dropout<'a>>,
}

impl<'a> Packed<'a> {
    fn new(pack: &'a Pack, config: &ModelConfig, dropout: Option<Dropout<'a>>) -> Packed<'a> {
        let at = pack.predictions.iter().map(|&(at, _)| at).collect();
        Packed { pack, scene: Scene::new(pack, config), at, dropout }
    }

    fn pass(&self, config: &ModelConfig) -> Pass<'_> {
        let &Packed { pack, ref scene, dropout, .. } = self;
        Pass { scene, epsilon: config.norm_epsilon, dropout, tokens: pack.len() }
    }
}

impl Model<'_> {
    fn weights(&self, merge: bool) -> Result<Weights, TuningError> {
        let places: HashMap<String, usize> =
            self.parameters.iter().enumerate().map(|(place, p)| (p.name.clone(), place)).collect();
        let values = self.parameters.iter().map(|p| Ok(Arc::new(numbers(p.value.clone())?)));
        let values = values.collect::<Result<_, TuningError>>()?;
        let learnt = Learnt { places: &places, values };
        Source { frozen: self.frozen, learnt, lora: self.lora, merge }.weights(self.config)
    }
}

impl State {
    /// Fills `logits`, and keeps what the way back needs.
    fn forward(&mut self, model: &Model<'_>, packed: &Packed<'_>) -> Result<(), TuningError> {
        let merge = packed.dropout.is_none();
        if self.weights.is_none() || self.merged != merge {
            // The old ones first: both would not be needed at once.
            self.weights = None;
            self.weights = Some(model.weights(merge)?);
            self.merged = merge;
        }
        let Some(weights) = &self.weights else { return Ok(()) };
        let (width, epsilon) = (model.config.width, model.config.norm_epsilon);
        let (pass, at) = (packed.pass(model.config), &packed.at);
        self.layers.resize_with(weights.layers.len(), Kept::default);
        let ids: Vec<usize> = packed.pack.tokens.iter().map(|&id| id as usize).collect();
        gather(&weights.embedding.values, &ids, width, sized(&mut self.stream, ids.len() * width));
        for (number, (layer, kept)) in weights.layers.iter().zip(&mut self.layers).enumerate() {
            std::mem::swap(&mut kept.x, &mut self.stream);
            let only = (number + 1 == weights.layers.len()).then_some(&at[..]);
            Placed { pass: &pass, layer, number, only }.forward(kept, &mut self.stream, &mut self.scratch);
        }
        std::mem::swap(&mut self.last, &mut self.stream);
        let normed = sized(&mut self.normed, at.len() * width);
        rows::norm(&self.last, &weights.norm.values, epsilon, normed);
        let (head, vocabulary) = (weights.head(), model.config.vocabulary);
        let logits = sized(&mut self.logits, at.len() * vocabulary);
        let head = Matrix::dense(head, vocabulary, width).transposed();
        multiply(Output::new(logits, vocabulary), 1.0, Matrix::dense(normed, at.len(), width), head, true);
        Ok(())
    }

    /// The gradients, where `logits` has become that of the logits.
    fn backward(&mut self, model: &Model<'_>, packed: &Packed<'_>) -> Result<Vec<Vec<f32>>, TuningError> {
        let Some(weights) = &self.weights else { return Ok(Vec::new()) };
        let (width, epsilon, vocabulary) = (model.config.width, model.config.norm_epsilon, model.config.vocabulary);
        let mut sums = Sums::zeros(model.parameters.iter().map(|p| p.value.dims().iter().product()));
        let (pass, at) = (packed.pass(model.config), &packed.at);
        let given = Matrix::dense(&self.logits, at.len(), vocabulary);
        let place = weights.head.as_ref().unwrap_or(&weights.embedding).place;
        if let Some(sum) = place.map(|place| sums.of(place)) {
            let normed = Matrix::dense(&self.normed, at.len(), width);
            multiply(Output::sum(sum, width), 1.0, given.transposed(), normed, true);
        }
        let back = sized(&mut self.normed, at.len() * width);
        multiply(Output::new(back, width), 1.0, given, Matrix::dense(weights.head(), vocabulary, width), true);
        self.stream.clear();
        self.stream.resize(at.len() * width, 0.0);
        norm_back(&weights.norm, &self.last, back, epsilon, &mut self.stream, &mut sums);
        for (number, (layer, kept)) in weights.layers.iter().zip(&mut self.layers).enumerate().rev() {
            let only = (number + 1 == weights.layers.len()).then_some(&at[..]);
            let first = number == 0 && weights.embedding.place.is_none();
            let placed = Placed { pass: &pass, layer, number, only };
            placed.backward(kept, &mut self.stream, first, &mut self.scratch, &mut sums);
        }
        if let Some(sum) = weights.embedding.place.map(|place| sums.of(place)) {
            for (&id, given) in packed.pack.tokens.iter().zip(self.stream.chunks_exact(width)) {
                let row = &mut sum[id as usize * width..][..width];
                row.iter_mut().zip(given).for_each(|(sum, g)| *sum += g);
            }
        }
        Ok(sums.into_inner())
    }
}

impl Weights {
    /// The matrix of the logits: `[vocabulary, width]`
    fn head(&self) -> &[f32] {
        &self.head.as_ref().unwrap_or(&self.embedding).values
    }
}
