//! A model in training: what is frozen, what is learnt, and the gradients of what is learnt.

use std::collections::BTreeMap;

use burn::tensor::{DType, Device, Tensor, TensorData};
use half::f16;

use super::adapter::{Adapter, Pair};
use super::graph::{Draw, Graph, Plan, Tensors};
use super::pack::Pack;
use super::random::Random;
use super::{Lora, TuningError};
use crate::checkpoint::{CheckpointError, ModelConfig, TensorSource, check_tensors, expected_tensors};
use crate::device::is_flex;

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
    frozen: Tensors,
    parameters: Vec<Parameter>,
    native: bool,
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
    /// When the tensors cannot be read or are not those of the configuration, or the adapter's shape is out of range.
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
                let mut random = Random::new(&[seed, layer as u64, target as u64]);
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
        let mut model = Tunable::frozen(config, tensors, device)?;
        let frozen = std::mem::take(&mut model.frozen);
        let mut named: Vec<_> = frozen.into_iter().collect();
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        model.parameters = named.into_iter().map(|(name, value)| Parameter { name, value }).collect();
        Ok(model)
    }

    fn frozen(config: &ModelConfig, tensors: &dyn TensorSource, device: &Device) -> Result<Tunable, TuningError> {
        check_tensors("the model".as_ref(), config, tensors)?;
        let mut model = Tunable {
            config: config.clone(),
            device: device.clone().without_autodiff(),
            lora: None,
            frozen: Tensors::new(),
            parameters: Vec::new(),
            native: is_flex(&device.clone().without_autodiff()),
        };
        for (name, shape) in expected_tensors(config) {
            let data = tensors.read_f32(&name)?;
            let shape = match shape[..] {
                [rows, columns] => [rows, columns],
                _ => [1, data.len()],
            };
            let value = model.tensor(data, shape);
            model.frozen.insert(name, value);
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
        self.native = false;
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

    pub(super) fn parameters_mut(&mut self) -> &mut [Parameter] {
        &mut self.parameters
    }

    /// The loss of a pack, and the gradients of `weight` times the loss. `draw` addresses what dropout leaves out; an empty
    /// one leaves out nothing.
    ///
    /// # Errors
    /// When the device fails, or the loss is no number.
    pub fn gradients(&self, pack: &Pack, weight: f64, draw: &Draw) -> Result<Gradients, TuningError> {
        let lifted = self.parameters.iter().map(|p| (p.name.clone(), p.value.clone().autodiff().require_grad()));
        let learnt: Tensors = lifted.collect();
        let loss = self.graph(pack, &learnt, draw).loss(pack)?;
        let value = number(loss.clone().inner())?;
        if !value.is_finite() {
            return Err(TuningError::NotFinite { what: "the loss" });
        }
        let mut found = loss.mul_scalar(weight).backward();
        let gradients = self
            .parameters
            .iter()
            .map(|p| {
                let gradient = learnt.get(&p.name).and_then(|lifted| lifted.grad_remove(&mut found));
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
        let learnt = self.as_they_are();
        number(self.graph(pack, &learnt, &Draw::default()).loss(pack)?)
    }

    /// The logits where output tokens follow, without dropout: `[predictions, vocabulary]`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn logits(&self, pack: &Pack) -> Result<Tensor<2>, TuningError> {
        let learnt = self.as_they_are();
        self.graph(pack, &learnt, &Draw::default()).logits(pack)
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
        let parameter = moved.parameters.get_mut(number).ok_or_else(wrong)?;
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
        let learnt = self.parameters.iter().map(|p| (&p.name, &p.value));
        let all = self.frozen.iter().chain(learnt);
        let mut snapshot = Snapshot::default();
        for (name, value) in all {
            let [rows, columns] = value.dims();
            let shape = if rows == 1 { vec![columns] } else { vec![rows, columns] };
            snapshot.insert(name.clone(), shape, numbers(value.clone())?);
        }
        Ok(snapshot)
    }

    fn as_they_are(&self) -> Tensors {
        self.parameters.iter().map(|p| (p.name.clone(), p.value.clone())).collect()
    }

    fn graph<'a>(&'a self, pack: &Pack, learnt: &'a Tensors, draw: &'a Draw) -> Graph<'a> {
        Graph {
            config: &self.config,
            lora: self.lora.as_ref(),
            frozen: &self.frozen,
            learnt,
            device: &self.device,
            draw,
            plan: match self.native {
                true => Plan::native(pack, &self.config),
                false => Plan::portable(pack, &self.config, &self.device),
            },
        }
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
