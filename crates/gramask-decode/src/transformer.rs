//! The real model behind the loop: a transformer, its cache, its tokenizer.

use gramask_kernels::choose::{ChooseError, MaskTable, TableUse};
use gramask_model::cache::{Cache, CacheError};
use gramask_model::device::is_flex;
use gramask_model::tokenizer::Tokenizer;
use gramask_model::transformer::{ModelError, Transformer};

use crate::device::{DeviceLogits, values};
use crate::model::{Behind, LanguageModel, LanguageModelError, Logits, Row, Select};
use crate::vocabulary::{TokenTable, TokenTableError};

/// A transformer with the cache of a run.
///
/// The weights are borrowed, so that several runs can share them. On a GPU tokens are chosen there, and masks that have been
/// used stay there.
#[derive(Debug)]
pub struct TransformerModel<'a> {
    transformer: &'a Transformer,
    cache: Option<Cache>,
    /// Made when it is first needed.
    masks: Option<MaskTable>,
}

impl<'a> TransformerModel<'a> {
    /// The transformer, with no cache yet: [`LanguageModel::open`] makes it.
    pub fn new(transformer: &'a Transformer) -> Self {
        TransformerModel {
            transformer,
            cache: None,
            masks: None,
        }
    }

    /// What the masks on the device were used for; nothing, if tokens are chosen on the host.
    pub fn mask_use(&self) -> TableUse {
        self.masks.as_ref().map(MaskTable::used).unwrap_or_default()
    }

    /// The cache; before it is opened there is no slot.
    fn cache(&mut self, slot: usize) -> Result<&mut Cache, LanguageModelError> {
        self.cache.as_mut().ok_or(LanguageModelError::Slot { slot, slots: 0 })
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
        let config = self.transformer.config();
        // The old cache goes first, so that memory need never hold two.
        self.cache = None;
        self.cache = Some(Cache::new(config, slots, length, self.transformer.device())?);
        Ok(())
    }

    fn append(&mut self, rows: &[Row<'_>], select: Select) -> Result<Logits, LanguageModelError> {
        let (transformer, width) = (self.transformer, self.vocabulary());
        let cache = self.cache(rows.first().map_or(0, |row| row.slot))?;
        let logits = transformer.forward(cache, rows, select)?; // [rows or tokens, vocabulary]
        // The one place of a step where the host waits for the device.
        Logits::new(values(logits)?, width)
    }

    fn chooses(&self) -> bool {
        !is_flex(self.transformer.device())
    }

    fn append_there(&mut self, rows: &[Row<'_>], select: Select) -> Result<Box<dyn Behind + '_>, LanguageModelError> {
        let transformer = self.transformer;
        let cache = self.cache(rows.first().map_or(0, |row| row.slot))?;
        let logits = transformer.forward(cache, rows, select)?; // [rows or tokens, vocabulary]
        Ok(Box::new(DeviceLogits::new(logits, &mut self.masks)))
    }

    fn truncate(&mut self, slot: usize, length: usize) -> Result<(), LanguageModelError> {
        Ok(self.cache(slot)?.truncate(slot, length)?)
    }

    fn copy(&mut self, from: usize, to: usize, length: usize) -> Result<(), LanguageModelError> {
        Ok(self.cache(from)?.copy(from, to, length)?)
    }

    fn fork(&mut self, from: usize, to: usize, shared: usize, length: usize) -> Result<(), LanguageModelError> {
        Ok(self.cache(from)?.copy_range(from, to, shared..length)?)
    }
}

impl From<ChooseError> for LanguageModelError {
    fn from(error: ChooseError) -> Self {
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

impl TokenTable {
    /// The tokens of a tokenizer.
    ///
    /// # Errors
    /// Where it knows no end token.
    pub fn of(tokenizer: &Tokenizer) -> Result<Self, TokenTableError> {
        let tokens = (0..tokenizer.size() as u32).map(|token| {
            let special = tokenizer.is_special(token);
            // A special token writes no text; the table shows it by its name.
            let bytes = match special {
                true => tokenizer.token_text(token).unwrap_or_default().into_bytes(),
                false => tokenizer.token_bytes(token).to_vec(),
            };
            (bytes, special)
        });
        TokenTable::new(tokens, tokenizer.end_tokens().to_vec())
    }
}
