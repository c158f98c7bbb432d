//! The logits of one position, on the host or on the device.
//!
//! A strategy samples from both in the same way. On the host the sampler works on the logits. On the device the token was
//! sampled before the step, under the mask and with the draw that the strategy had asked for
//! ([`Strategy::sample_requests`](crate::Strategy::sample_requests)). Where the strategy could not take that token, another was
//! sampled in a second round ([`Strategy::sample_again`](crate::Strategy::sample_again)). The logits are fetched only if the
//! strategy reads them.

use std::borrow::Cow;

use gramask_grammar::Mask;
use gramask_kernels::sampling::Sampling;

use crate::model::Sampled;
use crate::sampler::{Basis, Choice, Sampler};
use crate::strategy::StepError;

/// Fetches one of a document's rows of logits from the device.
pub(crate) type Fetch<'a> = dyn Fn(usize) -> Result<Vec<f32>, StepError> + Sync + 'a;

/// The tokens that were sampled on the device for one document, one for each row of its logits.
#[derive(Clone, Copy)]
pub(crate) struct DeviceSamples<'a> {
    pub samples: &'a [Sampled],
    /// The samples of the second round. Their rows ascend.
    pub again: &'a [SampledAgain],
    pub fetch: &'a Fetch<'a>,
}

/// A token that was sampled in the second round.
pub(crate) struct SampledAgain {
    pub row: usize,
    /// The mask under which it was sampled.
    pub mask: Option<Box<[u32]>>,
    pub sample: Sampled,
}

impl SampledAgain {
    /// Whether its mask refuses a token.
    pub fn refuses(&self, token: u32) -> bool {
        self.mask.as_ref().is_some_and(|mask| !Mask::Row(mask).contains(token))
    }
}

/// A token that was sampled on the device from one row of logits.
#[derive(Clone, Copy)]
pub struct DeviceSample<'a> {
    /// The token, or why there is none.
    pub sample: Sampled,
    /// The samples of the second round from this row.
    pub(crate) again: &'a [SampledAgain],
    row: usize,
    fetch: &'a Fetch<'a>,
}

impl<'a> DeviceSamples<'a> {
    /// The sample of a row.
    pub fn get(&self, row: usize) -> Option<DeviceSample<'a>> {
        let sample = *self.samples.get(row)?;
        let from = self.again.partition_point(|again| again.row < row);
        let to = self.again.partition_point(|again| again.row <= row);
        Some(DeviceSample { sample, again: &self.again[from..to], row, fetch: self.fetch })
    }
}

impl<'a> DeviceSample<'a> {
    /// What was sampled from this row in the second round: one sample for each request of
    /// [`Strategy::sample_again`](crate::Strategy::sample_again), in their order.
    pub fn again(&self) -> impl ExactSizeIterator<Item = Sampled> + 'a {
        self.again.iter().map(|again| again.sample)
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
    /// What the device sampled in the second round, if it did.
    pub(crate) fn sampled_again(&self) -> &'a [SampledAgain] {
        match self {
            RowLogits::Host(_) => &[],
            RowLogits::Device(device) => device.again,
        }
    }

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
    Device(DeviceBasis),
}

/// What a sample from the device rests on: two tokens, which may be one.
pub(crate) struct DeviceBasis {
    tokens: [u32; 2],
    pub is_drawn: bool,
}

impl RowBasis {
    pub fn get<'s>(&'s self, sampler: &'s Sampler) -> Basis<'s> {
        match self {
            RowBasis::Host => sampler.basis(),
            RowBasis::Device(basis) => basis.get(),
        }
    }
}

impl DeviceBasis {
    /// For settings that `is_presampled` allows. It is the basis that [`Sampler::basis`] has for the same choice.
    pub fn of(choice: &Choice, sampling: &Sampling) -> Self {
        let is_drawn = !sampling.is_greedy();
        let second = if is_drawn && sampling.min_p > 0.0 { choice.best } else { choice.token };
        DeviceBasis { tokens: [choice.token, second], is_drawn }
    }

    pub fn get(&self) -> Basis<'_> {
        match self.is_drawn {
            true => Basis::Drawn(&self.tokens),
            false => Basis::Tokens(&self.tokens),
        }
    }
}
