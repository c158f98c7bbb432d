//! AdamW (Loshchilov and Hutter 2019, "Decoupled weight decay regularization", algorithm 2), clipping and the schedule.

use burn::tensor::{DType, Tensor, TensorData};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::TuningError;
use super::model::{Parameter, Tunable, number, numbers};
use crate::transformer::widest;

/// The settings of the optimiser. Learning rates are in [`Schedule`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWSettings {
    /// How slowly the mean of the gradients follows.
    pub beta1: f64,
    /// How slowly the mean of their squares follows.
    pub beta2: f64,
    /// Added to the square root, against division by zero.
    pub epsilon: f64,
    /// How much of each matrix is taken away per unit of learning rate; nothing of norms and biases.
    pub weight_decay: f64,
    /// Gradients whose norm, over all parameters, is greater are scaled down to it.
    pub clip: f64,
}

impl Default for AdamWSettings {
    fn default() -> Self {
        AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, clip: 1.0 }
    }
}

/// The optimiser with its memory of earlier gradients.
#[derive(Clone, Debug)]
pub struct AdamW {
    settings: AdamWSettings,
    /// How many steps were made.
    pub(super) steps: usize,
    /// For each parameter, the means of gradients and of squared gradients.
    pub(super) means: Vec<(Tensor<2>, Tensor<2>)>,
}

impl AdamW {
    /// An optimiser that has seen no gradient yet.
    pub fn new(settings: AdamWSettings, model: &Tunable) -> AdamW {
        let zeros = |value: &Tensor<2>| (value.zeros_like(), value.zeros_like());
        AdamW { settings, steps: 0, means: model.parameters().iter().map(|p| zeros(&p.value)).collect() }
    }

    /// How many steps were made.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// One step with these gradients, one for each parameter. Returns the gradients' norm before clipping.
    ///
    /// # Errors
    /// [`TuningError::NotFinite`]; then nothing has changed.
    pub fn step(&mut self, model: &mut Tunable, gradients: Vec<Tensor<2>>, rate: f64) -> Result<f64, TuningError> {
        let norm = if model.is_native() {
            let gradients: Vec<Vec<f32>> = gradients.into_iter().map(numbers).collect::<Result<_, _>>()?;
            let norm = norm_on_host(&gradients);
            let update = self.begin(norm, rate)?;
            let parameters = model.parameters_mut().iter_mut();
            for ((parameter, gradient), means) in parameters.zip(&gradients).zip(&mut self.means) {
                update.on_host(parameter, gradient, means)?;
            }
            norm
        } else {
            let squares: Vec<_> = gradients.iter().map(|g| g.clone().square().sum()).collect();
            let norm = number(Tensor::cat(squares, 0).sum())?.sqrt();
            let update = self.begin(norm, rate)?;
            let parameters = model.parameters_mut().iter_mut();
            for ((parameter, gradient), means) in parameters.zip(gradients).zip(&mut self.means) {
                update.on_device(parameter, gradient, means);
            }
            norm
        };
        Ok(norm)
    }

    /// Counts a step with gradients of this norm.
    fn begin(&mut self, norm: f64, rate: f64) -> Result<Update, TuningError> {
        if !norm.is_finite() {
            return Err(TuningError::NotFinite { what: "the gradients' norm" });
        }
        let AdamWSettings { beta1, beta2, clip, .. } = self.settings;
        self.steps += 1;
        Ok(Update {
            settings: self.settings,
            rate,
            scale: if norm > clip { clip / norm } else { 1.0 },
            unbias1: 1.0 - beta1.powi(self.steps as i32),
            unbias2: 1.0 - beta2.powi(self.steps as i32),
        })
    }
}

/// One step of the optimiser.
struct Update {
    settings: AdamWSettings,
    rate: f64,
    /// Of the gradients.
    scale: f64,
    unbias1: f64,
    unbias2: f64,
}

impl Update {
    /// The share of a parameter that weight decay leaves.
    fn kept(&self, parameter: &Parameter) -> f64 {
        match parameter.value.dims()[0] {
            1 => 1.0,
            _ => 1.0 - self.rate * self.settings.weight_decay,
        }
    }

    /// The definition, in tensor operations.
    fn on_device(&self, parameter: &mut Parameter, gradient: Tensor<2>, (first, second): &mut (Tensor<2>, Tensor<2>)) {
        let AdamWSettings { beta1, beta2, epsilon, .. } = self.settings;
        let gradient = gradient.mul_scalar(self.scale);
        *first = first.clone().mul_scalar(beta1) + gradient.clone().mul_scalar(1.0 - beta1);
        *second = second.clone().mul_scalar(beta2) + gradient.square().mul_scalar(1.0 - beta2);
        let root = second.clone().div_scalar(self.unbias2).sqrt().add_scalar(epsilon);
        let change = first.clone().div_scalar(self.unbias1) / root;
        parameter.value = parameter.value.clone().mul_scalar(self.kept(parameter)) - change.mul_scalar(self.rate);
    }

    /// The same in one pass over the numbers, on all cores.
    fn on_host(
        &self,
        parameter: &mut Parameter,
        gradient: &[f32],
        (first, second): &mut (Tensor<2>, Tensor<2>),
    ) -> Result<(), TuningError> {
        /// Numbers of one task.
        const CHUNK: usize = 1 << 15;
        let (shape, device) = (parameter.value.dims(), parameter.value.device());
        let factors = Factors {
            scale: self.scale as f32,
            beta1: self.settings.beta1 as f32,
            beta2: self.settings.beta2 as f32,
            unbias1: (1.0 / self.unbias1) as f32,
            unbias2: (1.0 / self.unbias2) as f32,
            epsilon: self.settings.epsilon as f32,
            rate: self.rate as f32,
            kept: self.kept(parameter) as f32,
        };
        // A copy of each handle, so that an error leaves all as it was.
        let tensors = [parameter.value.clone(), first.clone(), second.clone()];
        let [value, mean, square] = tensors.map(numbers);
        let (mut value, mut mean, mut square) = (value?, mean?, square?);
        let chunks = value.par_chunks_mut(CHUNK).zip(mean.par_chunks_mut(CHUNK)).zip(square.par_chunks_mut(CHUNK));
        chunks.zip(gradient.par_chunks(CHUNK)).for_each(|(((value, mean), square), gradient)| {
            update_chunk(&factors, gradient, value, mean, square);
        });
        let tensor = |numbers: Vec<f32>| Tensor::from_data(TensorData::new(numbers, shape), (&device, DType::F32));
        (*first, *second, parameter.value) = (tensor(mean), tensor(square), tensor(value));
        Ok(())
    }
}

/// What all numbers of a parameter are updated with.
struct Factors {
    scale: f32,
    beta1: f32,
    beta2: f32,
    unbias1: f32,
    unbias2: f32,
    epsilon: f32,
    rate: f32,
    kept: f32,
}

#[inline(always)]
fn update_body<const FMA: bool>(
    f: &Factors,
    gradient: &[f32],
    value: &mut [f32],
    mean: &mut [f32],
    square: &mut [f32],
) {
    let count = value.len();
    let (gradient, mean, square) = (&gradient[..count], &mut mean[..count], &mut square[..count]);
    for i in 0..count {
        let g = gradient[i] * f.scale;
        mean[i] = mean[i] * f.beta1 + g * (1.0 - f.beta1);
        square[i] = square[i] * f.beta2 + g * g * (1.0 - f.beta2);
        let change = mean[i] * f.unbias1 / ((square[i] * f.unbias2).sqrt() + f.epsilon);
        value[i] = value[i] * f.kept - f.rate * change;
    }
}
widest!(fn update_chunk = update_body(f: &Factors, gradient: &[f32], value: &mut [f32], mean: &mut [f32], square: &mut [f32]));

/// The Euclidean norm of all gradients together.
fn norm_on_host(gradients: &[Vec<f32>]) -> f64 {
    let of_one = |gradient: &Vec<f32>| -> f64 {
        let parts = gradient.par_chunks(1 << 12).map(|part| f64::from(part.iter().map(|x| x * x).sum::<f32>()));
        // In order: the sum is the same with every number of threads.
        parts.collect::<Vec<_>>().iter().sum()
    };
    gradients.iter().map(of_one).sum::<f64>().sqrt()
}

/// The learning rate over the steps: up in a line, then down along half a cosine (Loshchilov and Hutter 2017, "SGDR",
/// equation 5, without restarts).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The highest rate.
    pub peak: f64,
    /// The rate at the end, as a share of the highest.
    pub floor: f64,
    /// How many steps it rises.
    pub warm_up: usize,
    /// How many steps there are.
    pub steps: usize,
}

impl Schedule {
    /// The rate of a step, from 0.
    ///
    /// ```
    /// use gramask_model::tuning::Schedule;
    /// let schedule = Schedule { peak: 1.0, floor: 0.1, warm_up: 2, steps: 12 };
    /// assert_eq!([0, 1, 2, 7, 12].map(|step| schedule.rate(step)), [0.5, 1.0, 1.0, 0.55, 0.1]);
    /// ```
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warm_up {
            return self.peak * (step + 1) as f64 / self.warm_up as f64;
        }
        let rest = self.steps.saturating_sub(self.warm_up).max(1) as f64;
        let done = ((step - self.warm_up) as f64 / rest).min(1.0);
        let height = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        self.peak * (self.floor + (1.0 - self.floor) * height)
    }
}
