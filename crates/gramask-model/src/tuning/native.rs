//! The operations of the graph with their ways back as plain Rust, for the CPU.
//!
//! Recorded as tensor operations, one layer is some eighty of them, most of which only carry numbers from one end of the
//! memory to the other; and attention over a pack is mostly mask. Here a layer is nine operations, of which each knows
//! its own way back. `graph.rs` has the definitions; tests hold these to them.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::{Flex, FlexTensor};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension};
use burn::tensor::{Tensor, TensorData};
use gramask_kernels::cpu::each_chunk;
use rayon::prelude::*;

use super::attend::{Back, Probabilities, Scene};
use super::product::{Matrix, Target, multiply};
use crate::transformer::{dot, exp, fma, widest};

/// The native operations; see the functions below for what each does.
#[backend_extension(Autodiff, Flex)]
pub(super) trait TuningOps: Backend {
    fn normed(x: FloatTensor<Self>, weight: FloatTensor<Self>, epsilon: f64) -> FloatTensor<Self>;
    fn gated(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self>;
    fn attended(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        scene: Arc<Scene>,
    ) -> FloatTensor<Self>;
    fn adapted(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        scale: f64,
    ) -> FloatTensor<Self>;
    fn surprise(logits: FloatTensor<Self>, next: Arc<Vec<u32>>) -> FloatTensor<Self>;
}

/// Each row of `x` `[rows, width]` over its root mean square, times `weight` `[1, width]`.
pub(super) fn normed(x: Tensor<2>, weight: Tensor<2>, epsilon: f64) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::normed(x.into_dispatch(), weight.into_dispatch(), epsilon))
}

/// `silu(gate) * up`, all `[tokens, hidden]`.
pub(super) fn gated(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::gated(gate.into_dispatch(), up.into_dispatch()))
}

/// Attention within a pack, queries and keys not yet turned; shapes as in `graph.rs`.
pub(super) fn attended(q: Tensor<2>, k: Tensor<2>, v: Tensor<2>, scene: Arc<Scene>) -> Tensor<2> {
    let (q, k, v) = (q.into_dispatch(), k.into_dispatch(), v.into_dispatch());
    Tensor::from_dispatch(Dispatch::attended(q, k, v, scene))
}

/// `x W^T + scale (x A^T) B^T` for a frozen `W` `[out, in]`, `A` `[rank, in]` and `B` `[out, rank]`.
pub(super) fn adapted(x: Tensor<2>, weight: Tensor<2>, a: Tensor<2>, b: Tensor<2>, scale: f64) -> Tensor<2> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    let (a, b) = (a.into_dispatch(), b.into_dispatch());
    Tensor::from_dispatch(Dispatch::adapted(x, weight, a, b, scale))
}

/// The sum over the rows of minus the logarithm of the probability that `logits` `[rows, vocabulary]` give to `next`.
pub(super) fn surprise(logits: Tensor<2>, next: Arc<Vec<u32>>) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::surprise(logits.into_dispatch(), next))
}

fn contiguous(x: FlexTensor) -> FlexTensor {
    if x.is_contiguous() && x.layout().start_offset() == 0 { x } else { x.to_contiguous() }
}

fn dims(x: &FlexTensor) -> [usize; 2] {
    let shape = x.layout().shape();
    [shape[0], shape[1]]
}

fn numbers(x: &FlexTensor) -> &[f32] {
    let [rows, columns] = dims(x);
    &x.storage::<f32>()[..rows * columns]
}

fn tensor(data: Vec<f32>, shape: [usize; 2]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(data, shape))
}

#[inline(always)]
fn norm_body<const FMA: bool>(x: &[f32], weight: &[f32], epsilon: f64, out: &mut [f32]) {
    let scale = inverse_root::<FMA>(x, epsilon);
    for i in 0..out.len() {
        out[i] = x[i] * scale * weight[i];
    }
}
widest!(fn norm_row = norm_body(x: &[f32], weight: &[f32], epsilon: f64, out: &mut [f32]));

#[inline(always)]
fn inverse_root<const FMA: bool>(x: &[f32], epsilon: f64) -> f32 {
    let mean = f64::from(dot::<FMA>(x, x)) / x.len() as f64;
    (1.0 / (mean + epsilon).sqrt()) as f32
}

/// With `g = given * weight` and `s` the inverse root: `s (g - x s² mean(g x))`.
#[inline(always)]
fn norm_back_body<const FMA: bool>(x: &[f32], weight: &[f32], given: &[f32], epsilon: f64, out: &mut [f32]) {
    let scale = inverse_root::<FMA>(x, epsilon);
    for i in 0..out.len() {
        out[i] = given[i] * weight[i];
    }
    let pull = dot::<FMA>(out, x) / x.len() as f32 * scale * scale;
    for i in 0..out.len() {
        out[i] = scale * fma::<FMA>(-x[i], pull, out[i]);
    }
}
widest!(fn norm_row_back = norm_back_body(x: &[f32], weight: &[f32], given: &[f32], epsilon: f64, out: &mut [f32]));

#[inline(always)]
fn scaled_body<const FMA: bool>(x: &[f32], given: &[f32], epsilon: f64, sum: &mut [f32]) {
    let scale = inverse_root::<FMA>(x, epsilon);
    for i in 0..sum.len() {
        sum[i] = fma::<FMA>(x[i] * scale, given[i], sum[i]);
    }
}
widest!(fn norm_weight_back = scaled_body(x: &[f32], given: &[f32], epsilon: f64, sum: &mut [f32]));

#[inline(always)]
fn gate_body<const FMA: bool>(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for i in 0..out.len() {
        out[i] = gate[i] / (1.0 + exp::<FMA>(-gate[i])) * up[i];
    }
}
widest!(fn gate_row = gate_body(gate: &[f32], up: &[f32], out: &mut [f32]));

#[inline(always)]
fn gate_back_body<const FMA: bool>(gate: &[f32], up: &[f32], given: &[f32], d_gate: &mut [f32], d_up: &mut [f32]) {
    for i in 0..d_gate.len() {
        let sigmoid = 1.0 / (1.0 + exp::<FMA>(-gate[i]));
        let silu = gate[i] * sigmoid;
        d_up[i] = given[i] * silu;
        d_gate[i] = given[i] * up[i] * fma::<FMA>(silu, 1.0 - sigmoid, sigmoid);
    }
}
widest!(fn gate_row_back = gate_back_body(gate: &[f32], up: &[f32], given: &[f32], d_gate: &mut [f32], d_up: &mut [f32]));

/// The logits become probabilities; their maximum and the logarithm of their sum are given back through `log_sum`.
#[inline(always)]
fn probabilities_body<const FMA: bool>(row: &mut [f32], log_sum: &mut f64) {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0f64;
    for part in row.chunks_mut(256) {
        for x in part.iter_mut() {
            *x = exp::<FMA>(*x - highest);
        }
        sum += f64::from(part.iter().sum::<f32>());
    }
    let scale = (1.0 / sum) as f32;
    row.iter_mut().for_each(|x| *x *= scale);
    *log_sum = f64::from(highest) + sum.ln();
}
widest!(fn probabilities_row = probabilities_body(row: &mut [f32], log_sum: &mut f64));

fn norm_forward(x: &FlexTensor, weight: &FlexTensor, epsilon: f64) -> FlexTensor {
    let ([rows, width], data, weight) = (dims(x), numbers(x), numbers(weight));
    let mut out = vec![0.0; rows * width];
    each_chunk(&mut out, width, 4 * rows * width, |row, out| {
        norm_row(&data[row * width..][..width], weight, epsilon, out);
    });
    tensor(out, [rows, width])
}

fn gate_forward(gate: &FlexTensor, up: &FlexTensor) -> FlexTensor {
    let ([rows, width], gate, up) = (dims(gate), numbers(gate), numbers(up));
    let mut out = vec![0.0; rows * width];
    each_chunk(&mut out, width, 16 * rows * width, |row, out| {
        let at = row * width..(row + 1) * width;
        gate_row(&gate[at.clone()], &up[at], out);
    });
    tensor(out, [rows, width])
}

/// The result, and `x A^T`.
fn adapted_forward(
    x: &FlexTensor,
    weight: &FlexTensor,
    a: &FlexTensor,
    b: &FlexTensor,
    scale: f64,
) -> (FlexTensor, Vec<f32>) {
    let ([tokens, inputs], [out, _], [rank, _]) = (dims(x), dims(weight), dims(a));
    let (x, weight) = (Matrix::dense(numbers(x), tokens, inputs), Matrix::dense(numbers(weight), out, inputs));
    let (a, b) = (Matrix::dense(numbers(a), rank, inputs), Matrix::dense(numbers(b), out, rank));
    let (mut y, mut narrow) = (vec![0.0; tokens * out], vec![0.0; tokens * rank]);
    multiply(Target::new(&mut y, out), 1.0, x, weight.turned(), true);
    multiply(Target::new(&mut narrow, rank), 1.0, x, a.turned(), true);
    let slim = Matrix::dense(&narrow, tokens, rank);
    multiply(Target::sum(&mut y, out), scale as f32, slim, b.turned(), true);
    (tensor(y, [tokens, out]), narrow)
}

/// The sum, and its gradient by the logits.
fn surprise_forward(logits: &FlexTensor, next: &[u32]) -> (FlexTensor, Vec<f32>) {
    let [rows, width] = dims(logits);
    let logits = numbers(logits);
    let (mut back, mut each) = (logits.to_vec(), vec![0.0f64; rows]);
    let pairs = back.par_chunks_exact_mut(width.max(1)).zip(&mut each);
    pairs.enumerate().for_each(|(row, (back, each))| {
        let token = next[row] as usize;
        probabilities_row(back, each);
        *each -= f64::from(logits[row * width + token]);
        back[token] -= 1.0;
    });
    let sum = each.iter().sum::<f64>() as f32;
    (FlexTensor::from_data(TensorData::new(vec![sum], [1])), back)
}

impl TuningOps for Flex {
    fn normed(x: FlexTensor, weight: FlexTensor, epsilon: f64) -> FlexTensor {
        norm_forward(&contiguous(x), &contiguous(weight), epsilon)
    }

    fn gated(gate: FlexTensor, up: FlexTensor) -> FlexTensor {
        gate_forward(&contiguous(gate), &contiguous(up))
    }

    fn attended(q: FlexTensor, k: FlexTensor, v: FlexTensor, scene: Arc<Scene>) -> FlexTensor {
        let (q, k, v) = (contiguous(q), contiguous(k), contiguous(v));
        let (out, _) = scene.forward(numbers(&q), numbers(&k), numbers(&v));
        tensor(out, dims(&q))
    }

    fn adapted(x: FlexTensor, weight: FlexTensor, a: FlexTensor, b: FlexTensor, scale: f64) -> FlexTensor {
        let [x, weight, a, b] = [x, weight, a, b].map(contiguous);
        adapted_forward(&x, &weight, &a, &b, scale).0
    }

    fn surprise(logits: FlexTensor, next: Arc<Vec<u32>>) -> FlexTensor {
        surprise_forward(&contiguous(logits), &next).0
    }
}

/// The way back of [`normed`].
#[derive(Debug)]
struct Normed;

impl Backward<Flex, 2> for Normed {
    type State = (FlexTensor, FlexTensor, f64);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let given = contiguous(grads.consume::<Flex>(&ops.node));
        let ((x, weight, epsilon), [to_x, to_weight]) = (ops.state, ops.parents);
        let ([rows, width], given, x, weight) = (dims(&x), numbers(&given), numbers(&x), numbers(&weight));
        if let Some(node) = to_weight {
            let mut sum = vec![0.0; width];
            for (x, given) in x.chunks_exact(width).zip(given.chunks_exact(width)) {
                norm_weight_back(x, given, epsilon, &mut sum);
            }
            grads.register::<Flex>(node.id, tensor(sum, [1, width]));
        }
        if let Some(node) = to_x {
            let mut out = vec![0.0; rows * width];
            each_chunk(&mut out, width, 8 * rows * width, |row, out| {
                let at = row * width..(row + 1) * width;
                norm_row_back(&x[at.clone()], weight, &given[at], epsilon, out);
            });
            grads.register::<Flex>(node.id, tensor(out, [rows, width]));
        }
    }
}

/// The way back of [`gated`].
#[derive(Debug)]
struct Gated;

impl Backward<Flex, 2> for Gated {
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let given = contiguous(grads.consume::<Flex>(&ops.node));
        let ((gate, up), [to_gate, to_up]) = (ops.state, ops.parents);
        let ([rows, width], given, gate, up) = (dims(&gate), numbers(&given), numbers(&gate), numbers(&up));
        let (mut d_gate, mut d_up) = (vec![0.0; rows * width], vec![0.0; rows * width]);
        let pairs = d_gate.par_chunks_exact_mut(width).zip(d_up.par_chunks_exact_mut(width));
        pairs.enumerate().for_each(|(row, (d_gate, d_up))| {
            let at = row * width..(row + 1) * width;
            gate_row_back(&gate[at.clone()], &up[at.clone()], &given[at], d_gate, d_up);
        });
        for (node, back) in [(to_gate, d_gate), (to_up, d_up)] {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, tensor(back, [rows, width]));
            }
        }
    }
}

/// The way back of [`attended`].
#[derive(Debug)]
struct Attended;

impl Backward<Flex, 3> for Attended {
    type State = (FlexTensor, FlexTensor, FlexTensor, Arc<Scene>, Probabilities);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let given = contiguous(grads.consume::<Flex>(&ops.node));
        let (q, k, v, scene, kept) = ops.state;
        let Back { q: dq, k: dk, v: dv } =
            scene.backward(numbers(&q), numbers(&k), numbers(&v), &kept, numbers(&given));
        let shapes = [dims(&q), dims(&k), dims(&v)];
        for ((node, back), shape) in ops.parents.into_iter().zip([dq, dk, dv]).zip(shapes) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, tensor(back, shape));
            }
        }
    }
}

/// The way back of [`adapted`]; the frozen weight has none.
#[derive(Debug)]
struct Adapted;

impl Backward<Flex, 3> for Adapted {
    /// `x`, `W`, `A`, `B`, `x A^T`, and the scale.
    type State = ([FlexTensor; 4], Arc<Vec<f32>>, f64);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let given = contiguous(grads.consume::<Flex>(&ops.node));
        let ([x, weight, a, b], narrow, scale) = ops.state;
        let ([tokens, inputs], [out, _], [rank, _]) = (dims(&x), dims(&weight), dims(&a));
        let given = Matrix::dense(numbers(&given), tokens, out);
        let (x, weight) = (Matrix::dense(numbers(&x), tokens, inputs), Matrix::dense(numbers(&weight), out, inputs));
        let (a, b) = (Matrix::dense(numbers(&a), rank, inputs), Matrix::dense(numbers(&b), out, rank));
        let scale = scale as f32;
        let [to_x, to_a, to_b] = ops.parents;
        if let Some(node) = to_b {
            let mut back = vec![0.0; out * rank];
            let narrow = Matrix::dense(&narrow, tokens, rank);
            multiply(Target::new(&mut back, rank), scale, given.turned(), narrow, true);
            grads.register::<Flex>(node.id, tensor(back, [out, rank]));
        }
        let mut slim = vec![0.0; tokens * rank];
        multiply(Target::new(&mut slim, rank), scale, given, b, true);
        let slim = Matrix::dense(&slim, tokens, rank);
        if let Some(node) = to_a {
            let mut back = vec![0.0; rank * inputs];
            multiply(Target::new(&mut back, inputs), 1.0, slim.turned(), x, true);
            grads.register::<Flex>(node.id, tensor(back, [rank, inputs]));
        }
        if let Some(node) = to_x {
            let mut back = vec![0.0; tokens * inputs];
            multiply(Target::new(&mut back, inputs), 1.0, given, weight, true);
            multiply(Target::sum(&mut back, inputs), 1.0, slim, a, true);
            grads.register::<Flex>(node.id, tensor(back, [tokens, inputs]));
        }
    }
}

/// The way back of [`surprise`].
#[derive(Debug)]
struct Surprise;

impl Backward<Flex, 1> for Surprise {
    type State = (Arc<Vec<f32>>, [usize; 2]);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let given = contiguous(grads.consume::<Flex>(&ops.node));
        let factor = given.storage::<f32>().first().copied().unwrap_or_default();
        let (back, shape) = ops.state;
        let [node] = ops.parents;
        if let Some(node) = node {
            let back = Arc::unwrap_or_clone(back);
            let scaled = back.into_iter().map(|x| x * factor).collect();
            grads.register::<Flex>(node.id, tensor(scaled, shape));
        }
    }
}

impl<C: CheckpointStrategy> TuningOps for Autodiff<Flex, C> {
    fn normed(x: FloatTensor<Self>, weight: FloatTensor<Self>, epsilon: f64) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node()];
        let (x, weight) = (contiguous(x.into_primitive()), contiguous(weight.into_primitive()));
        let out = norm_forward(&x, &weight, epsilon);
        match Normed.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, weight, epsilon), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn gated(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [gate.node(), up.node()];
        let (gate, up) = (contiguous(gate.into_primitive()), contiguous(up.into_primitive()));
        let out = gate_forward(&gate, &up);
        match Gated.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((gate, up), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn attended(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        scene: Arc<Scene>,
    ) -> FloatTensor<Self> {
        let nodes = [q.node(), k.node(), v.node()];
        let [q, k, v] = [q, k, v].map(|x| contiguous(x.into_primitive()));
        let (out, kept) = scene.forward(numbers(&q), numbers(&k), numbers(&v));
        let out = tensor(out, dims(&q));
        match Attended.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((q, k, v, scene, kept), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn adapted(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        scale: f64,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), a.node(), b.node()];
        let [x, weight, a, b] = [x, weight, a, b].map(|x| contiguous(x.into_primitive()));
        let (out, narrow) = adapted_forward(&x, &weight, &a, &b, scale);
        match Adapted.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(([x, weight, a, b], Arc::new(narrow), scale), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn surprise(logits: FloatTensor<Self>, next: Arc<Vec<u32>>) -> FloatTensor<Self> {
        let nodes = [logits.node()];
        let logits = contiguous(logits.into_primitive());
        let (out, back) = surprise_forward(&logits, &next);
        match Surprise.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((Arc::new(back), dims(&logits)), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }
}
