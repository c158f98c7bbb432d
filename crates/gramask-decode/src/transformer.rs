//! The real model of the loop: a transformer, its cache, its tokenizer.

use std::ops::Range;
use std::sync::Arc;

use gramask_grammar::{Token, Vocabulary, VocabularyError};
use gramask_kernels::sampling::{MaskTable, SamplingError};
use gramask_model::cache::{Cache, CacheError, Segment};
use gramask_model::device::{Demand, DeviceFault, guard, is_flex, memory_of, name_of};
use gramask_model::tokenizer::Tokenizer;
use gramask_model::transformer::{ModelError, Transformer};

use crate::device::DeviceLogits;
use crate::model::{LanguageModel, LanguageModelError, Logits, LogitsHandle, Row, Select};
use crate::prompt_store::Saved;

/// A transformer with the cache of a run.
///
/// The weights are borrowed, so that several runs can share them. On a GPU tokens are sampled on the device, and masks stay on
/// the device once they have been used.
///
/// Every call goes through [`guard`]: what fails on the device is an error here, also where Burn panics.
#[derive(Debug)]
pub struct TransformerModel<'a> {
    transformer: &'a Transformer,
    cache: Option<Cache>,
    /// What the open cache takes, weights included.
    demand: Option<Demand>,
    /// Made when it is first needed.
    masks: Option<MaskTable>,
}

impl<'a> TransformerModel<'a> {
    /// The transformer, with no cache yet: [`LanguageModel::open`] makes it.
    pub fn new(transformer: &'a Transformer) -> Self {
        TransformerModel { transformer, cache: None, demand: None, masks: None }
    }

    /// Does something with the cache; before it is opened there is no slot.
    fn with_cache<T, E>(
        &mut self,
        slot: usize,
        work: impl FnOnce(&Transformer, &mut Cache) -> Result<T, E>,
    ) -> Result<T, LanguageModelError>
    where
        LanguageModelError: From<E>,
    {
        let (transformer, demand) = (self.transformer, self.demand);
        let cache = self.cache.as_mut().ok_or(LanguageModelError::Slot { slot, slots: 0 })?;
        let done = guard(transformer.device(), || work(transformer, cache));
        Ok(done.map_err(|fault| told(fault, demand))??)
    }
}

/// A fault with what was asked of the device's memory.
pub(crate) fn told(fault: DeviceFault, demand: Option<Demand>) -> DeviceFault {
    match demand {
        Some(demand) => fault.asking(demand),
        None => fault,
    }
}

impl LanguageModel for TransformerModel<'_> {
    fn vocabulary(&self) -> usize {
        self.transformer.config().vocabulary
    }

    fn context(&self) -> usize {
        self.transformer.config().context
    }

    fn open(&mut self, slots: usize, length: usize) -> Result<(), LanguageModelError> {
        let (config, device) = (self.transformer.config(), self.transformer.device());
        // The old cache goes first, so that memory need never hold two.
        (self.cache, self.demand) = (None, None);
        let weights = self.transformer.weight_bytes();
        let demand = Demand::of(config, weights, self.transformer.dtype().bytes(), slots, length);
        let memory = memory_of(device);
        // What cannot be is said before the device is brought down by it. A length beyond the context is the cache's to refuse.
        if length <= config.context && memory.is_some_and(|memory| demand.total() > memory) {
            let fault = DeviceFault::OutOfMemory {
                device: name_of(device),
                demand: Some(demand),
                memory,
                reason: "refused before it was tried".into(),
            };
            return Err(fault.into());
        }
        let cache = guard(device, || self.transformer.cache(slots, length));
        self.cache = Some(cache.map_err(|fault| fault.asking(demand))??);
        self.demand = Some(demand);
        Ok(())
    }

    fn append(&mut self, rows: &[Row<'_>], select: Select) -> Result<Logits, LanguageModelError> {
        let mut handle = self.append_on_device(rows, select)?;
        // The one place of a step where the host waits for the device.
        let all: Vec<usize> = (0..handle.rows()).collect();
        handle.fetch(&all)
    }

    fn samples_on_device(&self) -> bool {
        !is_flex(self.transformer.device())
    }

    /// On the CPU reading the weights takes as long as the arithmetic of some two rows, and a sequence's keys and values are
    /// read once for all of its rows, which is most of a row more (fitted to the times of passes over 1 and 16 sequences, and
    /// over prompts). A GPU waits for launches and memory up to some hundred rows.
    fn overhead(&self, sequences: usize) -> f64 {
        let sequences = sequences.max(1) as f64;
        match is_flex(self.transformer.device()) {
            true => 2.2 / sequences + 0.7,
            false => 100.0 / sequences,
        }
    }

    fn append_on_device(
        &mut self,
        rows: &[Row<'_>],
        select: Select,
    ) -> Result<Box<dyn LogitsHandle + '_>, LanguageModelError> {
        let slot = rows.first().map_or(0, |row| row.slot);
        // [rows or tokens, vocabulary]
        let logits = self.with_cache(slot, |transformer, cache| transformer.forward(cache, rows, select))?;
        Ok(Box::new(DeviceLogits::new(logits, &mut self.masks, self.demand)))
    }

    fn truncate(&mut self, slot: usize, length: usize) -> Result<(), LanguageModelError> {
        self.with_cache(slot, |_, cache| cache.truncate(slot, length))
    }

    fn copy(&mut self, from: usize, to: usize, length: usize) -> Result<(), LanguageModelError> {
        self.with_cache(from, |_, cache| cache.copy(from, to, length))
    }

    fn fork(&mut self, from: usize, to: usize, shared: usize, length: usize) -> Result<(), LanguageModelError> {
        self.with_cache(from, |_, cache| cache.copy_range(from, to, shared..length))
    }

    fn save(&mut self, slot: usize, positions: Range<usize>) -> Result<Option<Saved>, LanguageModelError> {
        let segment = self.with_cache(slot, |_, cache| cache.save(slot, positions))?;
        Ok(Some(Saved { positions: segment.positions(), bytes: segment.bytes(), state: Box::new(segment) }))
    }

    fn restore(&mut self, slot: usize, saved: &Saved) -> Result<(), LanguageModelError> {
        let segment: &Segment = saved.state.downcast_ref().ok_or(LanguageModelError::Foreign)?;
        self.with_cache(slot, |_, cache| cache.restore(slot, segment))
    }
}

impl From<DeviceFault> for LanguageModelError {
    fn from(fault: DeviceFault) -> Self {
        LanguageModelError::Device(Box::new(fault))
    }
}

impl From<SamplingError> for LanguageModelError {
    fn from(error: SamplingError) -> Self {
        LanguageModelError::Failed(Box::new(error))
    }
}

impl From<ModelError> for LanguageModelError {
    fn from(error: ModelError) -> Self {
        LanguageModelError::Failed(Box::new(error))
    }
}

impl From<CacheError> for LanguageModelError {
    fn from(error: CacheError) -> Self {
        LanguageModelError::Failed(Box::new(error))
    }
}

pub(crate) fn failed(message: String) -> LanguageModelError {
    LanguageModelError::Failed(message.into())
}

/// The tokens of a tokenizer.
///
/// # Errors
/// Where it has no end token.
pub fn vocabulary_of(tokenizer: &Tokenizer) -> Result<Arc<Vocabulary>, VocabularyError> {
    let tokens = (0..tokenizer.size() as u32).map(|token| {
        let special = tokenizer.is_special(token);
        // A special token writes no text; the vocabulary shows it by its name.
        let bytes = match special {
            true => tokenizer.token_text(token).unwrap_or_default().into_bytes(),
            false => tokenizer.token_bytes(token).to_vec(),
        };
        Token { bytes, special }
    });
    Vocabulary::new(tokens.collect(), tokenizer.end_tokens().to_vec())
}
