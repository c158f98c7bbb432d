//! The real model behind the loop: a transformer, its cache, its tokenizer.

use gramask_model::cache::{Cache, CacheError};
use gramask_model::tokenizer::Tokenizer;
use gramask_model::transformer::{ModelError, Transformer};

use crate::model::{LanguageModel, LanguageModelError, Logits, Row, Select};
use crate::vocabulary::{TokenTable, TokenTableError};

/// A transformer with the cache of a run.
///
/// The weights are borrowed, so that several runs can share them.
#[derive(Debug)]
pub struct TransformerModel<'a> {
    transformer: &'a Transformer,
    cache: Option<Cache>,
}

impl<'a> TransformerModel<'a> {
    /// The transformer, with no cache yet: [`LanguageModel::open`] makes it.
    pub fn new(transformer: &'a Transformer) -> Self {
        TransformerModel {
            transformer,
            cache: None,
        }
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
        // The old cache goes first, so that memory need never hold two.
        self.cache = None;
        self.cache = Some(self.transformer.cache(slots, length)?);
        Ok(())
    }

    fn append(&mut self, rows: &[Row<'_>], select: Select) -> Result<Logits, LanguageModelError> {
        let (transformer, width) = (self.transformer, self.vocabulary());
        let cache = self.cache(rows.first().map_or(0, |row| row.slot))?;
        let logits = transformer.forward(cache, rows, select)?; // [rows or tokens, vocabulary]
        // The one place of a step where the host waits for the device.
        let data = logits.try_into_data().map_err(|error| failed(error.to_string()))?;
        let values = data
            .try_into_vec::<f32>()
            .map_err(|error| failed(format!("logits are not f32: {error:?}")))?;
        Logits::new(values, width)
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

fn failed(message: String) -> LanguageModelError {
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
