//! Logits that stay on the device, where tokens are sampled from them.

use burn::tensor::{DType, FloatDType, Int, Tensor, TensorData};
use gramask_kernels::sampling::{MaskTable, Masks, Sampling, SamplingError, mask_argmax, mask_softmax_sample};
use gramask_model::device::{Demand, DeviceFault, guard};

use crate::model::{LanguageModelError, Logits, LogitsHandle, SampleRequest, Sampled};
use crate::random::Draw;
use crate::sampler::Choice;
use crate::transformer::{failed, told};

/// The most masks that are kept on the device, unless one step needs more.
const MOST_MASKS: usize = 1024;
/// The most bytes that these masks take.
const MASK_BYTES: usize = 256 << 20;

/// Logits on a device, and the masks that have been used on it.
#[derive(Debug)]
pub struct DeviceLogits<'m> {
    logits: Tensor<2>, // [rows, vocabulary]
    masks: &'m mut Option<MaskTable>,
    /// What an error reports if the device runs out of memory.
    demand: Option<Demand>,
}

impl<'m> DeviceLogits<'m> {
    /// The logits of a pass, `[rows, vocabulary]`. The table outlives them. It is made when it is first needed, and made again for
    /// a step that needs more rows.
    pub fn new(logits: Tensor<2>, masks: &'m mut Option<MaskTable>, demand: Option<Demand>) -> Self {
        DeviceLogits { logits, masks, demand }
    }

    /// Works on the device. A fault of the device is an error, even if Burn panics.
    fn guarded<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, LanguageModelError>,
    ) -> Result<T, LanguageModelError> {
        let (device, demand) = (self.logits.device(), self.demand);
        guard(&device, || work(self)).map_err(|fault| told(fault, demand))?
    }

    /// Turns an error of the kernels into one of the model. What the device reports is a fault of the device.
    fn refused(&self, error: SamplingError) -> LanguageModelError {
        match error {
            SamplingError::Device { message } => {
                told(DeviceFault::of(&self.logits.device(), &message), self.demand).into()
            }
            other => other.into(),
        }
    }

    /// Some of the rows, in this order.
    fn select(&self, rows: &[usize]) -> Result<Tensor<2>, LanguageModelError> {
        let [all, _] = self.logits.dims();
        if let Some(&row) = rows.iter().find(|row| **row >= all) {
            return Err(LanguageModelError::NoRow { row, rows: all });
        }
        if rows.len() == all && rows.iter().enumerate().all(|(number, row)| number == *row) {
            return Ok(self.logits.clone());
        }
        let device = self.logits.device();
        let rows: Vec<i32> = rows.iter().map(|row| *row as i32).collect();
        let shape = [rows.len()];
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, shape), (&device, DType::I32));
        Ok(self.logits.clone().select(0, rows))
    }
}

impl LogitsHandle for DeviceLogits<'_> {
    fn rows(&self) -> usize {
        self.logits.dims()[0]
    }

    fn sample(
        &mut self,
        requests: &[(usize, SampleRequest)],
        sampling: &Sampling,
    ) -> Result<Vec<Sampled>, LanguageModelError> {
        self.guarded(|on_device| on_device.sample_rows(requests, sampling))
    }

    fn fetch(&mut self, rows: &[usize]) -> Result<Logits, LanguageModelError> {
        self.guarded(|on_device| {
            let logits = on_device.select(rows)?;
            let (width, device) = (logits.dims()[1], logits.device());
            let logits = match logits.dtype() {
                DType::F32 => logits,
                _ => logits.cast(FloatDType::F32),
            };
            let read = logits.try_into_data();
            let data = read.map_err(|error| told(DeviceFault::of_execution(&device, &error), on_device.demand))?;
            let values = data.try_into_vec::<f32>();
            Logits::new(values.map_err(|error| failed(format!("logits are not f32: {error:?}")))?, width)
        })
    }
}

impl DeviceLogits<'_> {
    fn sample_rows(
        &mut self,
        requests: &[(usize, SampleRequest)],
        sampling: &Sampling,
    ) -> Result<Vec<Sampled>, LanguageModelError> {
        let rows: Vec<usize> = requests.iter().map(|(row, _)| *row).collect();
        let logits = self.select(&rows)?; // [requests, vocabulary]
        let (vocabulary, device) = (logits.dims()[1], logits.device());
        let masks = requests.iter().filter(|(_, request)| request.mask.is_some()).count();
        let held = self.masks.as_ref().map_or(0, MaskTable::capacity);
        if masks > held || held == 0 {
            let fit = MASK_BYTES / vocabulary.div_ceil(32).max(1) / 4;
            let capacity = fit.clamp(1, MOST_MASKS).max(masks);
            *self.masks = Some(MaskTable::new(capacity, vocabulary, &device));
        }
        let Some(table) = self.masks.as_mut() else {
            return Err(failed("there is no mask table".to_owned()));
        };
        let rows = table.rows(requests.iter().map(|(_, request)| request.mask.as_deref()))?;
        let masks = Masks::Table(table, &rows);
        let picks = match sampling.is_greedy() {
            true => mask_argmax(logits, masks)?,
            false => {
                let draws: Vec<Draw> = requests.iter().map(|(_, request)| request.draw).collect();
                mask_softmax_sample(logits, masks, sampling, &draws)?
            }
        };
        // The one place of a step where the host waits for the device.
        let read = picks.read().map_err(|error| self.refused(error))?;
        Ok(read.into_iter().map(|pick| pick.map(Choice::from)).collect())
    }
}
