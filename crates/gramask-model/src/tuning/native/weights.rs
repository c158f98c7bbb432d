//! The weights as the native step multiplies them.
//!
//! Projections that have one input stand one after the other in one matrix: queries, keys and values are one product, and
//! so are gate and up. An adapter is added to the matrix once per step, `W + s B A`. Both products of a step with `W`
//! then need nothing of the adapter, which saves two passes over each result.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::product::{Matrix, Output, multiply};
use crate::checkpoint::ModelConfig;
use crate::tuning::{Lora, Target, TuningError};

/// Weights by name, on the host.
pub(in crate::tuning) type Host = BTreeMap<String, Arc<Vec<f32>>>;

/// What is learnt: each parameter's place in the list of gradients, and its value.
pub(super) struct Learnt<'a> {
    pub places: &'a HashMap<String, usize>,
    pub values: Vec<Arc<Vec<f32>>>,
}

/// Where weights come from.
pub(super) struct Source<'a> {
    pub frozen: &'a Host,
    pub learnt: Learnt<'a>,
    pub lora: Option<&'a Lora>,
    /// Whether the adapter is added to the weights. Dropout leaves out inputs of the adapter alone, and forbids it.
    pub merge: bool,
}

/// Some numbers, and their place among the parameters if they are learnt.
#[derive(Debug)]
pub(super) struct Vector {
    pub values: Arc<Vec<f32>>,
    pub place: Option<usize>,
}

/// A factor pair of an adapter: `A` `[rank, inputs]` and `B` `[outputs, rank]`.
#[derive(Debug)]
pub(super) struct Factors {
    pub a: Vector,
    pub b: Vector,
    pub rank: usize,
    pub scale: f32,
}

/// One projection within a [`Linear`].
#[derive(Debug)]
pub(super) struct Part {
    pub target: Target,
    /// Its outputs within those of the whole.
    pub rows: Range<usize>,
    pub factors: Option<Factors>,
    /// Its places among the parameters, where the weight itself is learnt.
    pub weight: Option<usize>,
    pub bias: Option<usize>,
}

/// Projections of one input, as one matrix.
#[derive(Debug)]
pub(super) struct Linear {
    pub inputs: usize,
    pub outputs: usize,
    /// `[outputs, inputs]`
    pub weight: Vec<f32>,
    /// `[outputs]`, or empty.
    pub bias: Vec<f32>,
    pub parts: Vec<Part>,
    /// Whether `weight` holds the adapter.
    pub merged: bool,
}

/// One layer.
#[derive(Debug)]
pub(super) struct Layer {
    pub attention_norm: Vector,
    pub qkv: Linear,
    /// Norms of each head's query and key (Qwen3).
    pub head_norms: Option<[Vector; 2]>,
    pub output: Linear,
    pub feed_norm: Vector,
    pub gate_up: Linear,
    pub down: Linear,
}

/// The whole model.
#[derive(Debug)]
pub(super) struct Weights {
    pub embedding: Vector,
    /// None where the embedding is the head.
    pub head: Option<Vector>,
    pub norm: Vector,
    pub layers: Vec<Layer>,
}

impl Source<'_> {
    fn vector(&self, name: &str) -> Result<Vector, TuningError> {
        let place = self.learnt.places.get(name).copied();
        let values = match place {
            Some(place) => self.learnt.values.get(place),
            None => self.frozen.get(name),
        };
        let values = values.ok_or_else(|| TuningError::missing(name))?.clone();
        Ok(Vector { values, place })
    }

    fn factors(&self, layer: usize, target: Target) -> Result<Option<Factors>, TuningError> {
        let Some(lora) = self.lora.filter(|lora| lora.targets.contains(&target)) else { return Ok(None) };
        let module = target.module(layer);
        Ok(Some(Factors {
            a: self.vector(&format!("{module}.lora_A.weight"))?,
            b: self.vector(&format!("{module}.lora_B.weight"))?,
            rank: lora.rank,
            scale: lora.scale() as f32,
        }))
    }

    /// The projections `targets` of a layer, which have one input.
    fn linear(&self, config: &ModelConfig, layer: usize, targets: &[Target]) -> Result<Linear, TuningError> {
        let inputs = targets.first().map_or(0, |target| target.shape(config)[1]);
        let outputs = targets.iter().map(|target| target.shape(config)[0]).sum();
        let mut linear = Linear {
            inputs,
            outputs,
            weight: Vec::with_capacity(outputs * inputs),
            bias: Vec::new(),
            parts: Vec::with_capacity(targets.len()),
            merged: self.merge,
        };
        let mut first = 0;
        for &target in targets {
            let [rows, _] = target.shape(config);
            let weight = self.vector(&format!("{}.weight", target.module(layer)))?;
            linear.weight.extend_from_slice(&weight.values);
            let bias =
                target.has_bias(config).then(|| self.vector(&format!("{}.bias", target.module(layer)))).transpose()?;
            linear.bias.extend(bias.iter().flat_map(|bias| bias.values.iter()));
            let factors = self.factors(layer, target)?;
            if let (Some(factors), true) = (&factors, self.merge) {
                let (a, b) = factors.matrices(rows, inputs);
                let part = Output::sum(&mut linear.weight[first * inputs..], inputs);
                multiply(part, factors.scale, b, a, false);
            }
            linear.parts.push(Part {
                target,
                rows: first..first + rows,
                factors,
                weight: weight.place,
                bias: bias.and_then(|bias| bias.place),
            });
            first += rows;
        }
        Ok(linear)
    }

    fn layer(&self, config: &ModelConfig, layer: usize) -> Result<Layer, TuningError> {
        let vector = |part: &str| self.vector(&format!("model.layers.{layer}.{part}"));
        let norms = ["self_attn.q_norm.weight", "self_attn.k_norm.weight"];
        Ok(Layer {
            attention_norm: vector("input_layernorm.weight")?,
            qkv: self.linear(config, layer, &[Target::QProj, Target::KProj, Target::VProj])?,
            head_norms: match config.qk_norm {
                true => Some([vector(norms[0])?, vector(norms[1])?]),
                false => None,
            },
            output: self.linear(config, layer, &[Target::OProj])?,
            feed_norm: vector("post_attention_layernorm.weight")?,
            gate_up: self.linear(config, layer, &[Target::GateProj, Target::UpProj])?,
            down: self.linear(config, layer, &[Target::DownProj])?,
        })
    }

    /// Puts all weights together.
    ///
    /// # Errors
    /// When the model lacks one.
    pub fn weights(&self, config: &ModelConfig) -> Result<Weights, TuningError> {
        let layers = (0..config.layers).into_par_iter().map(|layer| self.layer(config, layer));
        Ok(Weights {
            embedding: self.vector("model.embed_tokens.weight")?,
            head: match config.tied_head {
                true => None,
                false => Some(self.vector("lm_head.weight")?),
            },
            norm: self.vector("model.norm.weight")?,
            layers: layers.collect::<Result<_, _>>()?,
        })
    }
}

impl Factors {
    /// `A` and `B` as matrices, of a projection with so many outputs and inputs.
    pub fn matrices(&self, outputs: usize, inputs: usize) -> (Matrix<'_>, Matrix<'_>) {
        (Matrix::dense(&self.a.values, self.rank, inputs), Matrix::dense(&self.b.values, outputs, self.rank))
    }
}
