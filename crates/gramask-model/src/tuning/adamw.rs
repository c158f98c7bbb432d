//! AdamW (Loshchilov and Hutter 2019, "Decoupled weight decay regularization", algorithm 2), clipping and the schedule.

use burn::tensor::Tensor;
use gramask_kernels::adamw::{Factors, Learnt, adamw, adamw_reference, sum_of_squares, sum_of_squares_reference};
use serde::{Deserialize, Serialize};

use super::TuningError;
use super::model::{Parameter, Tunable};

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
        let is_portable = model.is_portable();
        let squares = match is_portable {
            true => sum_of_squares_reference(&gradients),
            false => sum_of_squares(&gradients),
        };
        let squares = squares.map_err(|error| TuningError::Device { what: error.to_string() })?;
        let norm = squares.sqrt();
        let factors = self.begin(norm, rate)?;
        // Parameters and means are taken out, so that they are changed in place.
        let (parameters, means) = (model.parameters_mut(), std::mem::take(&mut self.means));
        let all = std::mem::take(parameters).into_iter().zip(gradients).zip(means);
        let step = |((Parameter { name, value }, gradient), (mean, square))| {
            let factors = factors.of(value.dims()[0]);
            let update = if is_portable { adamw_reference } else { adamw };
            let Learnt { value, mean, square } = update(Learnt { value, mean, square }, gradient, &factors);
            (Parameter { name, value }, (mean, square))
        };
        (*parameters, self.means) = all.map(step).unzip();
        Ok(norm)
    }

    /// Counts a step with gradients of this norm.
    fn begin(&mut self, norm: f64, rate: f64) -> Result<Update, TuningError> {
        if !norm.is_finite() {
            return Err(TuningError::NotFinite { what: "the gradients' norm" });
        }
        let AdamWSettings { beta1, beta2, clip, epsilon, weight_decay } = self.settings;
        self.steps += 1;
        let factors = Factors {
            scale: if norm > clip { clip / norm } else { 1.0 },
            beta1,
            beta2,
            unbias1: 1.0 - beta1.powi(self.steps as i32),
            unbias2: 1.0 - beta2.powi(self.steps as i32),
            epsilon,
            rate,
            kept: 1.0 - rate * weight_decay,
        };
        Ok(Update { factors })
    }
}

/// One step of the optimiser.
struct Update {
    /// Of matrices.
    factors: Factors,
}

impl Update {
    /// The factors of a parameter with so many rows: vectors have one, and no weight decay.
    fn of(&self, rows: usize) -> Factors {
        match rows {
            1 => Factors { kept: 1.0, ..self.factors },
            _ => self.factors,
        }
    }
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
