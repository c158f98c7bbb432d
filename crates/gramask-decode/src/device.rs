//! Logits that stay on their device, where tokens are chosen from them.

use burn::tensor::{DType, FloatDType, Int, Tensor, TensorData};
use gramask_kernels::sampling::{MaskTable, Masks, NoPick, Pick, SamplingError, mask_argmax, mask_softmax_sample};
use gramask_model::device::{Demand, DeviceFault, guard};

use crate::model::{Ask, Behind, LanguageModelError, Logits};
use crate::random::Draw;
use crate::sampling::Sampling;
use crate::transformer::{failed, told};

/// The most masks that are kept on the device, unless one step needs more.
const MOST_MASKS: usize = 1024;
/// The most bytes that these take.
const MASK_BYTES: usize = 256 << 20;

/// Logits on a device, and the masks that have been used there.
#[derive(Debug)]
pub struct DeviceLogits<'m> {
    logits: Tensor<2>, // [rows, vocabulary]
    masks: &'m mut Option<MaskTable>,
    /// What is told of a device that runs out of memory.
    demand: Option<Demand>,
}

impl<'m> DeviceLogits<'m> {
    /// The logits of a pass, `[rows, vocabulary]`. The table, which outlives them, is made when it is first needed, and
    /// anew for a step that needs more rows.
    pub fn new(logits: Tensor<2>, masks: &'m mut Option<MaskTable>, demand: Option<Demand>) -> Self {
        DeviceLogits { logits, masks, demand }
    }

    /// Does something on the device; a fault of it is an error, also where Burn panics.
    fn guarded<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, LanguageModelError>,
    ) -> Result<T, LanguageModelError> {
        let (device, demand) = (self.logits.device(), self.demand);
        guard(&device, || work(self)).map_err(|fault| told(fault, demand))?
    }

    /// An error of the kernels; what the device says is a fault of it.
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

impl Behind for DeviceLogits<'_> {
    fn rows(&self) -> usize {
        self.logits.dims()[0]
    }

    fn choose(
        &mut self,
        asks: &[(usize, Ask)],
        sampling: &Sampling,
    ) -> Result<Vec<Result<Pick, NoPick>>, LanguageModelError> {
        self.guarded(|there| there.pick(asks, sampling))
    }

    fn fetch(&mut self, rows: &[usize]) -> Result<Logits, LanguageModelError> {
        self.guarded(|there| {
            let logits = there.select(rows)?;
            let (width, device) = (logits.dims()[1], logits.device());
            let logits = match logits.dtype() {
                DType::F32 => logits,
                _ => logits.cast(FloatDType::F32),
            };
            let read = logits.try_into_data();
            let data = read.map_err(|error| told(DeviceFault::of_execution(&device, &error), there.demand))?;
            let values = data.try_into_vec::<f32>();
            Logits::new(values.map_err(|error| failed(format!("logits are not f32: {error:?}")))?, width)
        })
    }
}

impl DeviceLogits<'_> {
    fn pick(
        &mut self,
        asks: &[(usize, Ask)],
        sampling: &Sampling,
    ) -> Result<Vec<Result<Pick, NoPick>>, LanguageModelError> {
        let rows: Vec<usize> = asks.iter().map(|(row, _)| *row).collect();
        let logits = self.select(&rows)?; // [asks, vocabulary]
        let (vocabulary, device) = (logits.dims()[1], logits.device());
        let masks = asks.iter().filter(|(_, ask)| ask.mask.is_some()).count();
        let held = self.masks.as_ref().map_or(0, MaskTable::capacity);
        if masks > held || held == 0 {
            let fit = MASK_BYTES / vocabulary.div_ceil(32).max(1) / 4;
            let capacity = fit.clamp(1, MOST_MASKS).max(masks);
            *self.masks = Some(MaskTable::new(capacity, vocabulary, &device));
        }
        let Some(table) = self.masks.as_mut() else {
            return Err(failed("there is no mask table".to_owned()));
        };
        let rows = table.rows(asks.iter().map(|(_, ask)| ask.mask.as_deref()))?;
        let masks = Masks::Table(table, &rows);
        let picks = match sampling.drawing() {
            None => mask_argmax(logits, masks)?,
            Some(drawing) => {
                let draws: Vec<Draw> = asks.iter().map(|(_, ask)| ask.draw).collect();
                mask_softmax_sample(logits, masks, &drawing, &draws)?
            }
        };
        // The one place of a step where the host waits for the device.
        picks.read().map_err(|error| self.refused(error))
    }
}
