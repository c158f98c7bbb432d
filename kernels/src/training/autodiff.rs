//! The operations as Burn's graph of gradients sees them.

use super::gpu;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, backend_extension};
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

/// Operands as for the functions of this module, which have the same names.
#[backend_extension(Cube, Autodiff)]
pub trait TrainingOps: Backend {
    fn norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, epsilon: f64) -> FloatTensor<Self>;
    fn rotate(x: FloatTensor<Self>, cos: FloatTensor<Self>, sin: FloatTensor<Self>, scale: f64) -> FloatTensor<Self>;
    fn masked_softmax(scores: FloatTensor<Self>, mask: FloatTensor<Self>) -> FloatTensor<Self>;
    fn add_scaled(y: FloatTensor<Self>, z: FloatTensor<Self>, scale: f64) -> FloatTensor<Self>;
    fn gate(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl TrainingOps for CubeBackend {
    fn norm(x: CubeTensor, weight: CubeTensor, epsilon: f64) -> CubeTensor {
        gpu::norm(x, weight, epsilon)
    }

    fn rotate(x: CubeTensor, cos: CubeTensor, sin: CubeTensor, scale: f64) -> CubeTensor {
        gpu::rotate(x, [cos, sin], scale)
    }

    fn masked_softmax(scores: CubeTensor, mask: CubeTensor) -> CubeTensor {
        gpu::masked_softmax(scores, mask)
    }

    fn add_scaled(y: CubeTensor, z: CubeTensor, scale: f64) -> CubeTensor {
        gpu::add_scaled(y, z, scale)
    }

    fn gate(gate: CubeTensor, up: CubeTensor) -> CubeTensor {
        gpu::gate(gate, up)
    }
}

/// Registers an operation with what its backward pass needs.
macro_rules! record {
    ($operation:expr, $parents:expr, $state:expr, $out:expr) => {
        match $operation.prepare::<C>($parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish($state, $out),
            OpsKind::UnTracked(prep) => prep.finish($out),
        }
    };
}

impl<C: CheckpointStrategy> TrainingOps for Autodiff<CubeBackend, C> {
    fn norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, epsilon: f64) -> FloatTensor<Self> {
        let ((x, of_x), (weight, of_weight)) = (x.into_parts(), weight.into_parts());
        let out = gpu::norm(x.clone(), weight.clone(), epsilon);
        record!(Norm, [of_x, of_weight], (x, weight, epsilon), out)
    }

    fn rotate(x: FloatTensor<Self>, cos: FloatTensor<Self>, sin: FloatTensor<Self>, scale: f64) -> FloatTensor<Self> {
        let (x, of_x) = x.into_parts();
        let angles = [cos, sin].map(|angles| angles.into_primitive());
        let out = gpu::rotate(x, angles.clone(), scale);
        record!(Rotate, [of_x], (angles, scale), out)
    }

    fn masked_softmax(scores: FloatTensor<Self>, mask: FloatTensor<Self>) -> FloatTensor<Self> {
        let (scores, of_scores) = scores.into_parts();
        let out = gpu::masked_softmax(scores, mask.into_primitive());
        record!(Softmax, [of_scores], out.clone(), out)
    }

    fn add_scaled(y: FloatTensor<Self>, z: FloatTensor<Self>, scale: f64) -> FloatTensor<Self> {
        let ((y, of_y), (z, of_z)) = (y.into_parts(), z.into_parts());
        let out = gpu::add_scaled(y, z, scale);
        record!(AddScaled, [of_y, of_z], scale, out)
    }

    fn gate(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((gate, of_gate), (up, of_up)) = (gate.into_parts(), up.into_parts());
        let out = gpu::gate(gate.clone(), up.clone());
        record!(Gate, [of_gate, of_up], (gate, up), out)
    }
}

#[derive(Debug)]
struct Norm;

impl Backward<CubeBackend, 2> for Norm {
    type State = (CubeTensor, CubeTensor, f64);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<CubeBackend>(&ops.node);
        let ([of_x, of_weight], (x, weight, epsilon)) = (ops.parents, ops.state);
        let (by_x, roots) = gpu::norm_by_x(x.clone(), weight, gradient.clone(), epsilon);
        if let Some(parent) = of_x {
            gradients.register::<CubeBackend>(parent.id, by_x);
        }
        if let Some(parent) = of_weight {
            gradients.register::<CubeBackend>(parent.id, gpu::norm_by_weight(x, roots, gradient));
        }
    }
}

#[derive(Debug)]
struct Rotate;

impl Backward<CubeBackend, 1> for Rotate {
    type State = ([CubeTensor; 2], f64);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<CubeBackend>(&ops.node);
        let ([of_x], (angles, scale)) = (ops.parents, ops.state);
        if let Some(parent) = of_x {
            gradients.register::<CubeBackend>(parent.id, gpu::rotate_back(gradient, angles, scale));
        }
    }
}

#[derive(Debug)]
struct Softmax;

impl Backward<CubeBackend, 1> for Softmax {
    /// The probabilities.
    type State = CubeTensor;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<CubeBackend>(&ops.node);
        let ([of_scores], probabilities) = (ops.parents, ops.state);
        if let Some(parent) = of_scores {
            gradients.register::<CubeBackend>(parent.id, gpu::softmax_by_scores(probabilities, gradient));
        }
    }
}

#[derive(Debug)]
struct AddScaled;

impl Backward<CubeBackend, 2> for AddScaled {
    type State = f64;

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<CubeBackend>(&ops.node);
        let ([of_y, of_z], scale) = (ops.parents, ops.state);
        if let Some(parent) = of_z {
            let scaled = CubeBackend::float_mul_scalar(gradient.clone(), scale.into());
            gradients.register::<CubeBackend>(parent.id, scaled);
        }
        if let Some(parent) = of_y {
            gradients.register::<CubeBackend>(parent.id, gradient);
        }
    }
}

#[derive(Debug)]
struct Gate;

impl Backward<CubeBackend, 2> for Gate {
    type State = (CubeTensor, CubeTensor);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<CubeBackend>(&ops.node);
        let ([of_gate, of_up], (gate, up)) = (ops.parents, ops.state);
        let (by_gate, by_up) = gpu::gate_by_both(gate, up, gradient);
        if let Some(parent) = of_gate {
            gradients.register::<CubeBackend>(parent.id, by_gate);
        }
        if let Some(parent) = of_up {
            gradients.register::<CubeBackend>(parent.id, by_up);
        }
    }
}
