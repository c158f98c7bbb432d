//! A model in training: what is frozen, what is learnt, and the gradients of what is learnt.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{DType, Device, Tensor, TensorData};
use half::f16;

use super::adapter::{Adapter, Pair};
use super::dropout::{Draw, Dropout};
use super::graph::{Graph, Plan, Tensors};
use super::native::{self, Host, Native};
use super::pack::Pack;
use super::{Lora, TuningError};
use crate::checkpoint::{CheckpointError, Family, ModelConfig, TensorSource, check_tensors, expected_tensors};
use crate::device::is_flex;
use gramask_random::Rng;

/// Something that is learnt.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name in the checkpoint, or, of an adapter, the module's with `.lora_A.weight` or `.lora_B.weight`.
    pub name: String,
    /// Its value, `[out, in]`; a vector is `[1, n]`.
    pub value: Tensor<2>,
}

/// A model in training, in `f32` on one device.
#[derive(Clone, Debug)]
pub struct Tunable {
    config: ModelConfig,
    device: Device,
    lora: Option<Lora>,
    parameters: Vec<Parameter>,
    engine: Engine,
}

/// What computes a step, and the frozen weights where it reads them.
#[derive(Clone, Debug)]
enum Engine {
    /// Burn's tensor operations, on any device.
    Burn(Tensors),
    /// Native code, on the CPU.
    Native { frozen: Host, native: Box<Native> },
}

/// All weights of a model at one moment of its training.
#[derive(Clone, Debug, Default)]
pub struct Snapshot(BTreeMap<String, (Vec<usize>, Vec<f32>)>);

impl Snapshot {
    /// Adds a tensor, or replaces it.
    pub(super) fn insert(&mut self, name: String, shape: Vec<usize>, values: Vec<f32>) {
        self.0.insert(name, (shape, values));
    }
}

impl TensorSource for Snapshot {
    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.0.get(name).map(|(shape, _)| shape.clone())
    }

    fn stored_as(&self, name: &str) -> Option<&'static str> {
        self.0.get(name).map(|_| "F32")
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        let found = self.0.get(name).map(|(_, values)| values.clone());
        found.ok_or_else(|| CheckpointError::NoSuchTensor { path: "the model in training".into(), tensor: name.into() })
    }

    fn read_f16(&self, name: &str) -> Result<Vec<f16>, CheckpointError> {
        Ok(self.read_f32(name)?.into_iter().map(f16::from_f32).collect())
    }
}

/// The loss of a pack and its gradients.
#[derive(Debug)]
pub struct Gradients {
    /// The sum over the output's tokens of the negative logarithm of each one's probability.
    pub loss: f64,
    /// One for each parameter, in order, of the loss times the weight that was asked for.
    pub gradients: Vec<Tensor<2>>,
}

impl Gradients {
    /// No loss, and gradients of zero.
    pub fn none(model: &Tunable) -> Gradients {
        Gradients { loss: 0.0, gradients: model.parameters.iter().map(|p| p.value.zeros_like()).collect() }
    }

    /// The sums of both.
    #[must_use]
    pub fn plus(self, other: Gradients) -> Gradients {
        let pairs = self.gradients.into_iter().zip(other.gradients);
        Gradients { loss: self.loss + other.loss, gradients: pairs.map(|(a, b)| a + b).collect() }
    }
}

impl Tunable {
    /// A model whose weights are frozen, with a fresh adapter beside them: `A` is uniform in `±1 / sqrt(in)`, `B` is zero,
    /// so that the model says at first what it said before (as in PEFT).
    ///
    /// # Errors
    /// When the tensors cannot be read or are not those of the configuration, the adapter's shape is out of range, or the
    /// model has a part that training does not compute.
    pub fn with_adapter(
        config: &ModelConfig,
        tensors: &dyn TensorSource,
        lora: Lora,
        seed: u64,
        device: &Device,
    ) -> Result<Tunable, TuningError> {
        lora.validate()?;
        let mut model = Tunable::frozen(config, tensors, device)?;
        for layer in 0..config.layers {
            for &target in &lora.targets {
                let ([out, inputs], module) = (target.shape(config), target.module(layer));
                let mut random = Rng::at(&[seed, layer as u64, target as u64]);
                let bound = 1.0 / (inputs as f64).sqrt();
                let a = (0..lora.rank * inputs).map(|_| ((2.0 * random.unit() - 1.0) * bound) as f32).collect();
                model.learn(format!("{module}.lora_A.weight"), a, [lora.rank, inputs]);
                model.learn(format!("{module}.lora_B.weight"), vec![0.0; out * lora.rank], [out, lora.rank]);
            }
        }
        model.lora = Some(lora);
        Ok(model)
    }

    /// A model whose weights are frozen, with an adapter to go on from.
    ///
    /// # Errors
    /// As [`Tunable::with_adapter`]; when the adapter does not have all of its targets in every layer.
    pub fn from_adapter(
        config: &ModelConfig,
        tensors: &dyn TensorSource,
        adapter: &Adapter,
        device: &Device,
    ) -> Result<Tunable, TuningError> {
        adapter.check(config)?;
        let lora = &adapter.lora;
        let mut model = Tunable::frozen(config, tensors, device)?;
        for layer in 0..config.layers {
            for &target in &lora.targets {
                let ([out, inputs], module) = (target.shape(config), target.module(layer));
                let Pair { a, b } = adapter.pair(layer, target).ok_or_else(|| TuningError::File {
                    path: adapter.path.clone(),
                    message: format!(
                        "nothing for `{module}`: to go on with an adapter, it must have every target in every layer"
                    ),
                })?;
                if a.len() != lora.rank * inputs {
                    return Err(TuningError::File {
                        path: adapter.path.clone(),
                        message: format!(
                            "`{module}` has rank {}, others {}: to go on with an adapter, all ranks must be the same",
                            a.len() / inputs,
                            lora.rank
                        ),
                    });
                }
                model.learn(format!("{module}.lora_A.weight"), a.clone(), [lora.rank, inputs]);
                model.learn(format!("{module}.lora_B.weight"), b.clone(), [out, lora.rank]);
            }
        }
        model.lora = Some(lora.clone());
        Ok(model)
    }

    /// A model of which all weights are learnt.
    ///
    /// # Errors
    /// When the tensors cannot be read or are not those of the configuration.
    pub fn whole(config: &ModelConfig, tensors: &dyn TensorSource, device: &Device) -> Result<Tunable, TuningError> {
        let mut model = Tunable::empty(config, device);
        let mut names = expected_tensors(config);
        names.sort();
        refuse_what_is_not_implemented(config)?;
        check_tensors("the model".as_ref(), config, tensors)?;
        for (name, shape) in names {
            let data = tensors.read_f32(&name)?;
            let shape = matrix_shape(&shape, data.len());
            model.learn(name, data, shape);
        }
        Ok(model)
    }

    /// A model without weights.
    fn empty(config: &ModelConfig, device: &Device) -> Tunable {
        let device = device.clone().without_autodiff();
        let engine = match is_flex(&device) {
            true => Engine::Native { frozen: Host::new(), native: Box::default() },
            false => Engine::Burn(Tensors::new()),
        };
        Tunable { config: config.clone(), device, lora: None, parameters: Vec::new(), engine }
    }

    fn frozen(config: &ModelConfig, tensors: &dyn TensorSource, device: &Device) -> Result<Tunable, TuningError> {
        refuse_what_is_not_implemented(config)?;
        check_tensors("the model".as_ref(), config, tensors)?;
        let mut model = Tunable::empty(config, device);
        for (name, shape) in expected_tensors(config) {
            let data = tensors.read_f32(&name)?;
            let shape = matrix_shape(&shape, data.len());
            match &mut model.engine {
                Engine::Native { frozen, .. } => {
                    frozen.insert(name, Arc::new(data));
                }
                Engine::Burn(frozen) => {
                    let value = Tensor::from_data(TensorData::new(data, shape), (&model.device, DType::F32));
                    frozen.insert(name, value);
                }
            }
        }
        Ok(model)
    }

    fn learn(&mut self, name: String, data: Vec<f32>, shape: [usize; 2]) {
        let value = self.tensor(data, shape);
        self.parameters.push(Parameter { name, value });
    }

    pub(super) fn tensor(&self, data: Vec<f32>, shape: [usize; 2]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(data, shape), (&self.device, DType::F32))
    }

    /// Computes everything in Burn's tensor operations, also on the CPU, where native code is the default.
    ///
    /// The results are the same up to rounding, and slower; tests compare the two.
    pub fn without_native_code(mut self) -> Self {
        if let Engine::Native { frozen, .. } = &self.engine {
            let shapes = expected_tensors(&self.config);
            let tensors = shapes.into_iter().filter_map(|(name, shape)| {
                let values = frozen.get(&name)?;
                let value = self.tensor(values.to_vec(), matrix_shape(&shape, values.len()));
                Some((name, value))
            });
            self.engine = Engine::Burn(tensors.collect());
        }
        self
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The adapter's shape, if an adapter is what is learnt.
    pub fn lora(&self) -> Option<&Lora> {
        self.lora.as_ref()
    }

    /// What is learnt.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Whether tensor operations alone compute the steps, also where there are kernels: see
    /// [`Tunable::without_native_code`].
    pub(super) fn is_portable(&self) -> bool {
        matches!(self.engine, Engine::Burn(_)) && is_flex(&self.device)
    }

    pub(super) fn parameters_mut(&mut self) -> &mut Vec<Parameter> {
        if let Engine::Native { native, .. } = &mut self.engine {
            native.forget_weights();
        }
        &mut self.parameters
    }

    /// The loss of a pack, and the gradients of `weight` times the loss. `draw` addresses what dropout leaves out; an empty
    /// one leaves out nothing.
    ///
    /// # Errors
    /// When the device fails, or the loss is no number.
    pub fn gradients(&self, pack: &Pack, weight: f64, draw: &Draw) -> Result<Gradients, TuningError> {
        let dropout = self.dropout(draw);
        let finite = |loss: f64| match loss.is_finite() {
            true => Ok(loss),
            false => Err(TuningError::NotFinite { what: "the loss" }),
        };
        let frozen = match &self.engine {
            Engine::Burn(frozen) => frozen,
            Engine::Native { frozen, native } => {
                let (loss, sums) = native.gradients(&self.on_host(frozen), pack, weight, dropout)?;
                let loss = finite(loss)?;
                let pairs = self.parameters.iter().zip(sums);
                let gradients = pairs.map(|(p, sum)| self.tensor(sum, p.value.dims())).collect();
                return Ok(Gradients { loss, gradients });
            }
        };
        let recorded = self.parameters.iter().map(|p| (p.name.clone(), p.value.clone().autodiff().require_grad()));
        let learnt: Tensors = recorded.collect();
        let loss = self.graph(frozen, pack, &learnt, dropout).loss(pack)?;
        let value = finite(number(loss.clone().inner())?)?;
        let mut found = loss.mul_scalar(weight).backward();
        let gradients = self
            .parameters
            .iter()
            .map(|p| {
                let gradient = learnt.get(&p.name).and_then(|recorded| recorded.grad_remove(&mut found));
                gradient.unwrap_or_else(|| p.value.zeros_like())
            })
            .collect();
        Ok(Gradients { loss: value, gradients })
    }

    /// The loss of a pack alone, without dropout.
    ///
    /// # Errors
    /// When the device fails.
    pub fn loss(&self, pack: &Pack) -> Result<f64, TuningError> {
        match &self.engine {
            Engine::Native { frozen, native } => native.loss(&self.on_host(frozen), pack),
            Engine::Burn(frozen) => number(self.graph(frozen, pack, &self.as_they_are(), None).loss(pack)?),
        }
    }

    /// The logits where output tokens follow, without dropout: `[predictions, vocabulary]`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn logits(&self, pack: &Pack) -> Result<Tensor<2>, TuningError> {
        match &self.engine {
            Engine::Native { frozen, native } => {
                let logits = native.logits(&self.on_host(frozen), pack)?;
                Ok(self.tensor(logits, [pack.predictions.len(), self.config.vocabulary]))
            }
            Engine::Burn(frozen) => self.graph(frozen, pack, &self.as_they_are(), None).logits(pack),
        }
    }

    /// The same model with one parameter moved along a direction: for checks of gradients.
    ///
    /// # Errors
    /// [`TuningError::Setting`] when there is no such parameter or the direction has another size.
    pub fn with_moved(&self, number: usize, direction: &[f32], step: f32) -> Result<Tunable, TuningError> {
        let wrong = || TuningError::Setting {
            what: "direction",
            given: format!("{} numbers for parameter {number}", direction.len()),
            right: "one number for each of a parameter's",
        };
        let mut moved = self.clone();
        let parameter = moved.parameters_mut().get_mut(number).ok_or_else(wrong)?;
        let dims = parameter.value.dims();
        if dims[0] * dims[1] != direction.len() {
            return Err(wrong());
        }
        let direction = self.tensor(direction.to_vec(), dims);
        parameter.value = parameter.value.clone() + direction.mul_scalar(step);
        Ok(moved)
    }

    /// The weights of a model that is learnt as a whole, as a checkpoint has them.
    ///
    /// # Errors
    /// When the device fails.
    pub fn tensors(&self) -> Result<Snapshot, TuningError> {
        let mut snapshot = Snapshot::default();
        for Parameter { name, value } in &self.parameters {
            let [rows, columns] = value.dims();
            let shape = if rows == 1 { vec![columns] } else { vec![rows, columns] };
            snapshot.insert(name.clone(), shape, numbers(value.clone())?);
        }
        Ok(snapshot)
    }

    fn as_they_are(&self) -> Tensors {
        self.parameters.iter().map(|p| (p.name.clone(), p.value.clone())).collect()
    }

    fn dropout<'a>(&self, draw: &'a Draw) -> Option<Dropout<'a>> {
        let probability = self.lora.as_ref().map_or(0.0, |lora| lora.dropout);
        (probability > 0.0 && !draw.0.is_empty()).then_some(Dropout { probability, draw })
    }

    fn on_host<'a>(&'a self, frozen: &'a Host) -> native::Model<'a> {
        native::Model { config: &self.config, frozen, parameters: &self.parameters, lora: self.lora.as_ref() }
    }

    fn graph<'a>(
        &'a self,
        frozen: &'a Tensors,
        pack: &Pack,
        learnt: &'a Tensors,
        dropout: Option<Dropout<'a>>,
    ) -> Graph<'a> {
        Graph {
            config: &self.config,
            lora: self.lora.as_ref(),
            frozen,
            learnt,
            device: &self.device,
            dropout,
            plan: Plan::new(pack, &self.config, &self.device),
        }
    }
}

/// Refuses what neither [`graph`](super::graph) nor [`native`] computes.
fn refuse_what_is_not_implemented(config: &ModelConfig) -> Result<(), TuningError> {
    let refuse = |what| Err(TuningError::Model { what });
    match config {
        ModelConfig { family: Family::Gemma3, .. } => refuse("models of the family Gemma 3"),
        ModelConfig { sliding_window: Some(_), .. } => refuse("layers with a sliding window"),
        _ => Ok(()),
    }
}

/// A tensor's shape as a matrix: `[out, in]`, of a vector `[1, n]`.
fn matrix_shape(shape: &[usize], numbers: usize) -> [usize; 2] {
    match *shape {
        [rows, columns] => [rows, columns],
        _ => [1, numbers],
    }
}

/// The one number of a tensor.
pub(super) fn number(tensor: Tensor<1>) -> Result<f64, TuningError> {
    let values = numbers(tensor)?;
    Ok(values.first().map_or(f64::NAN, |&value| f64::from(value)))
}

/// A tensor's numbers, row-major.
pub(super) fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, TuningError> {
    let failed = |what: String| TuningError::Device { what };
    let data = tensor.try_into_data().map_err(|error| failed(error.to_string()))?;
    data.try_into_vec::<f32>().map_err(|error| failed(format!("numbers are not f32: {error:?}")))
}
