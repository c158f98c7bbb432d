//! The logits of one position, on the host or on the device.
//!
//! A strategy samples from both in the same way. On the host the sampler works on the logits. On the device the token was
//! sampled before the step, under the mask and with the draw that the strategy had asked for
//! ([`Strategy::sample_requests`](crate::Strategy::sample_requests)), and the logits are fetched only if they are needed.

use std::borrow::Cow;

use gramask_kernels::sampling::NoChoice;

use crate::sampler::{Basis, Choice, Sampler};
use crate::strategy::StepError;

/// Fetches one of a document's rows of logits from the device.
pub(crate) type Fetch<'a> = dyn Fn(usize) -> Result<Vec<f32>, StepError> + Sync + 'a;

/// The tokens that were sampled on the device for one document, one for each row of its logits.
#[derive(Clone, Copy)]
pub(crate) struct DeviceSamples<'a> {
    pub samples: &'a [Result<Choice, NoChoice>],
    pub fetch: &'a Fetch<'a>,
}

/// A token that was sampled on the device from one row of logits.
#[derive(Clone, Copy)]
pub struct DeviceSample<'a> {
    /// The token, or why there is none.
    pub sample: Result<Choice, NoChoice>,
    row: usize,
    fetch: &'a Fetch<'a>,
}

impl<'a> DeviceSamples<'a> {
    /// The sample of a row.
    pub fn get(&self, row: usize) -> Option<DeviceSample<'a>> {
        let sample = *self.samples.get(row)?;
        Some(DeviceSample { sample, row, fetch: self.fetch })
    }
}

/// One row of logits.
#[derive(Clone, Copy)]
pub enum RowLogits<'a> {
    /// The logits themselves, `[vocabulary]`.
    Host(&'a [f32]),
    /// What was sampled from them on the device.
    Device(DeviceSample<'a>),
}

impl<'a> RowLogits<'a> {
    /// The logits, `[vocabulary]`; fetched from the device if they are there.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn logits(&self) -> Result<Cow<'a, [f32]>, StepError> {
        match self {
            RowLogits::Host(logits) => Ok(Cow::Borrowed(logits)),
            RowLogits::Device(device) => (device.fetch)(device.row).map(Cow::Owned),
        }
    }
}

/// What a choice from a row of logits rests on, wherever it was made.
pub(crate) enum RowBasis {
    /// The sampler knows.
    Host,
    /// These two tokens, which may be one, and whether they were drawn.
    Device([u32; 2], bool),
}

impl RowBasis {
    /// The basis of a sample from the device, for settings that [`is_presampled`] allows. It is the one that
    /// [`Sampler::basis`] has for the same choice.
    pub fn of_device(choice: &Choice, sampler: &Sampler) -> Self {
        let sampling = sampler.sampling();
        let is_drawn = !sampling.is_greedy();
        let second = if is_drawn && sampling.min_p > 0.0 { choice.best } else { choice.token };
        RowBasis::Device([choice.token, second], is_drawn)
    }

    pub fn get<'s>(&'s self, sampler: &'s Sampler) -> Basis<'s> {
        match self {
            RowBasis::Host => sampler.basis(),
            RowBasis::Device(tokens, true) => Basis::Drawn(tokens),
            RowBasis::Device(tokens, false) => Basis::Tokens(tokens),
        }
    }
}
