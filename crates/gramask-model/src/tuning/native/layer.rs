//! One layer, forward and backward.

use super::attention::Scene;
use super::gradients::Sums;
use super::linear::Applied;
use super::rows;
use super::weights::{Layer, Linear, Vector};
use crate::tuning::dropout::Dropout;

/// What the forward pass of a layer keeps for the way back. Buffers keep their memory from pass to pass.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The layer's input: `[tokens, width]`
    pub x: Vec<f32>,
    /// After the first norm: `[tokens, width]`
    attention_input: Vec<f32>,
    /// `[tokens, (heads + 2 * kv_heads) * head_width]`
    qkv: Vec<f32>,
    /// The same with normalised heads, in models that do so.
    heads: Vec<f32>,
    /// For each block and key head, see [`Scene::forward`].
    probabilities: Vec<Vec<f32>>,
    /// What attention gives, in the rows that go on: `[rows, heads * head_width]`
    mixed: Vec<f32>,
    /// After attention was added: `[rows, width]`
    middle: Vec<f32>,
    /// After the second norm: `[rows, width]`
    feed_input: Vec<f32>,
    /// `[rows, 2 * hidden]`
    gate_up: Vec<f32>,
    /// `[rows, hidden]`
    gated: Vec<f32>,
}

/// What is the same in all layers of a pass.
pub(super) struct Pass<'a> {
    pub scene: &'a Scene,
    pub epsilon: f64,
    pub dropout: Option<Dropout<'a>>,
    /// Tokens of the pack.
    pub tokens: usize,
}

/// A layer at its place in a pass.
pub(super) struct Placed<'a> {
    pub pass: &'a Pass<'a>,
    pub layer: &'a Layer,
    pub number: usize,
    /// The tokens that go on after attention; None: all. In the last layer only those that an output token follows.
    pub only: Option<&'a [usize]>,
}

/// Temporary buffers, the same for all layers.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    wide: Vec<f32>,
    mixed: Vec<f32>,
    middle: Vec<f32>,
    hidden: Vec<f32>,
}

/// A buffer of this length; what it holds is not said.
pub(super) fn sized(buffer: &mut Vec<f32>, length: usize) -> &mut [f32] {
    buffer.resize(length, 0.0);
    buffer
}

impl Placed<'_> {
    fn rows(&self) -> usize {
        self.only.map_or(self.pass.tokens, <[usize]>::len)
    }

    /// A linear layer of all tokens.
    fn all<'l>(&'l self, linear: &'l Linear) -> Applied<'l> {
        let &Pass { tokens, dropout, .. } = self.pass;
        Applied { linear, layer: self.number, rows: tokens, only: None, tokens, dropout }
    }

    /// A linear layer of the tokens that go on after attention.
    fn some<'l>(&'l self, linear: &'l Linear) -> Applied<'l> {
        Applied { rows: self.rows(), only: self.only, ..self.all(linear) }
    }

    /// Reads `kept.x`; writes the layer's result into `out`, `[rows, width]`.
    pub fn forward(&self, kept: &mut Kept, out: &mut Vec<f32>, scratch: &mut Scratch) {
        let (Pass { scene, epsilon, tokens, .. }, layer) = (self.pass, self.layer);
        let (rows, width) = (self.rows(), layer.qkv.inputs);
        let input = sized(&mut kept.attention_input, tokens * width);
        rows::norm(&kept.x, &layer.attention_norm.values, *epsilon, input);
        let qkv = sized(&mut kept.qkv, tokens * layer.qkv.outputs);
        self.all(&layer.qkv).forward(input, qkv, false);
        let heads = match &layer.head_norms {
            None => &*qkv,
            Some(norms) => {
                let heads = sized(&mut kept.heads, qkv.len());
                heads.copy_from_slice(qkv);
                each_head(norms, scene, layer.qkv.outputs, heads, |norm, at, heads| {
                    rows::norm(&qkv[at], &norm.values, *epsilon, heads);
                });
                &*heads
            }
        };
        let all = match self.only {
            None => &mut kept.mixed,
            Some(_) => &mut scratch.mixed,
        };
        scene.forward(heads, &mut kept.probabilities, sized(all, tokens * layer.output.inputs));
        let middle = sized(&mut kept.middle, rows * width);
        match self.only {
            None => middle.copy_from_slice(&kept.x),
            Some(only) => {
                gather(&kept.x, only, width, middle);
                let mixed = sized(&mut kept.mixed, rows * layer.output.inputs);
                gather(&scratch.mixed, only, layer.output.inputs, mixed);
            }
        }
        self.some(&layer.output).forward(&kept.mixed, middle, true);
        let input = sized(&mut kept.feed_input, rows * width);
        rows::norm(middle, &layer.feed_norm.values, *epsilon, input);
        let gate_up = sized(&mut kept.gate_up, rows * layer.gate_up.outputs);
        self.some(&layer.gate_up).forward(input, gate_up, false);
        let gated = sized(&mut kept.gated, rows * layer.down.inputs);
        rows::gate(gate_up, layer.down.inputs, gated);
        let out = sized(out, rows * width);
        out.copy_from_slice(middle);
        self.some(&layer.down).forward(gated, out, true);
    }

    /// `stream` is the gradient of the layer's result, `[rows, width]`, and becomes that of its input, `[tokens, width]`.
    /// `first`: nothing that is learnt comes before this layer, so that its input needs no gradient.
    pub fn backward(
        &self,
        kept: &mut Kept,
        stream: &mut Vec<f32>,
        first: bool,
        scratch: &mut Scratch,
        sums: &mut Sums,
    ) {
        let (&Pass { scene, epsilon, tokens, .. }, layer) = (self.pass, self.layer);
        let (rows, width) = (self.rows(), layer.qkv.inputs);
        let hidden = sized(&mut scratch.hidden, rows * layer.down.inputs);
        self.some(&layer.down).backward(&kept.gated, stream, Some(hidden), sums);
        rows::gate_back(hidden, layer.down.inputs, &mut kept.gate_up);
        let back = sized(&mut scratch.middle, rows * width);
        self.some(&layer.gate_up).backward(&kept.feed_input, &kept.gate_up, Some(back), sums);
        norm_back(&layer.feed_norm, &kept.middle, back, epsilon, stream, sums);
        let mixed = sized(&mut scratch.mixed, rows * layer.output.inputs);
        self.some(&layer.output).backward(&kept.mixed, stream, Some(mixed), sums);
        if let Some(only) = self.only {
            *stream = scattered(stream, only, width, tokens);
            scratch.mixed = scattered(mixed, only, layer.output.inputs, tokens);
        }
        let heads = match layer.head_norms {
            None => &kept.qkv,
            Some(_) => &kept.heads,
        };
        let qkv = sized(&mut scratch.wide, tokens * layer.qkv.outputs);
        scene.backward(heads, &kept.probabilities, &scratch.mixed, qkv);
        if let Some(norms) = &layer.head_norms {
            each_head(norms, scene, layer.qkv.outputs, qkv, |norm, at, back| {
                let given = back.to_vec();
                back.fill(0.0);
                norm_back(norm, &kept.qkv[at], &given, epsilon, back, sums);
            });
        }
        let back = (!first).then(|| sized(&mut scratch.middle, tokens * width));
        let qkv = &scratch.wide;
        self.all(&layer.qkv).backward(&kept.attention_input, qkv, back, sums);
        if !first {
            norm_back(&layer.attention_norm, &kept.x, &scratch.middle, epsilon, stream, sums);
        }
    }
}

/// Adds the gradient of a norm's input to `stream`, and that of its weight, if it is learnt, to its sum.
pub(super) fn norm_back(norm: &Vector, x: &[f32], given: &[f32], epsilon: f64, stream: &mut [f32], sums: &mut Sums) {
    if let Some(place) = norm.place {
        rows::norm_weight_back(x, given, epsilon, sums.of(place));
    }
    rows::norm_back(x, &norm.values, given, epsilon, stream);
}

/// Calls with the norm of queries or keys and the place of the heads that it concerns, for each token.
fn each_head(
    [query, key]: &[Vector; 2],
    scene: &Scene,
    stride: usize,
    heads: &mut [f32],
    mut call: impl FnMut(&Vector, std::ops::Range<usize>, &mut [f32]),
) {
    let (queries, keys) = scene.columns();
    for (token, row) in heads.chunks_exact_mut(stride).enumerate() {
        for (norm, columns) in [(query, queries.clone()), (key, keys.clone())] {
            let at = token * stride + columns.start..token * stride + columns.end;
            call(norm, at, &mut row[columns]);
        }
    }
}

/// Copies some rows.
pub(super) fn gather(from: &[f32], rows: &[usize], width: usize, to: &mut [f32]) {
    for (&row, to) in rows.iter().zip(to.chunks_exact_mut(width)) {
        to.copy_from_slice(&from[row * width..][..width]);
    }
}

/// Puts rows at their places among zeros.
fn scattered(from: &[f32], rows: &[usize], width: usize, all: usize) -> Vec<f32> {
    let mut out = vec![0.0; all * width];
    for (&row, from) in rows.iter().zip(from.chunks_exact(width)) {
        out[row * width..][..width].copy_from_slice(from);
    }
    out
}
