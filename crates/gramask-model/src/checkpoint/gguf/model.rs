//! A model in a GGUF file: its configuration, and its tensors under Hugging Face's names.

use super::config::config;
use super::rope::ROPE_DIVISORS;
use super::vocabulary::{token_id, tokenizer};
use super::{GgufFile, GgufTensor, GgufValue};
use crate::chat::ChatTemplate;
use crate::checkpoint::dequantise::dequantise;
use crate::checkpoint::source::{Element, by_rows};
use crate::checkpoint::{
    BlockType, Checkpoint, CheckpointError, Family, ModelConfig, TensorSource, check_tensors, identity, names,
};
use half::f16;
use std::collections::BTreeMap;
use std::path::Path;

/// Opens a GGUF file as a checkpoint.
pub(in crate::checkpoint) fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let file = GgufFile::open(path)?;
    let mut notes = Vec::new();
    let config = config(&file, &mut notes)?;
    let tokenizer = tokenizer(&file, config.vocabulary, &mut notes)?;
    let chat = match file.metadata().get("tokenizer.chat_template").and_then(GgufValue::as_text) {
        None => None,
        Some(source) => {
            let template =
                ChatTemplate::new(source).map_err(|source| CheckpointError::Chat { path: path.to_owned(), source })?;
            let text = |key: &str| token_id(&file, key).and_then(|id| tokenizer.token_text(id));
            let (bos, eos) = (text("bos_token_id"), text("eos_token_id"));
            Some(template.with_tokens(bos.as_deref(), eos.as_deref()))
        }
    };
    let digest = identity::identity(file.parts());
    let tensors = GgufSource::new(file, &config);
    check_tensors(path, &config, &tensors)?;
    Ok(Checkpoint { config, tensors: Box::new(tensors), tokenizer, chat, digest, path: path.to_owned(), notes })
}

/// The tensors of a file under Hugging Face's names.
struct GgufSource {
    file: GgufFile,
    /// The index of each tensor in the file, and how many heads its rows are interleaved in.
    places: BTreeMap<String, (usize, Option<usize>)>,
}

impl GgufSource {
    fn new(file: GgufFile, config: &ModelConfig) -> GgufSource {
        let interleaved = |name: &str| match config.family {
            // The conversion to GGUF interleaves the two halves of each head for this architecture only.
            Family::Llama if name.contains(".q_proj.") => Some(config.heads),
            Family::Llama if name.contains(".k_proj.") => Some(config.kv_heads),
            _ => None,
        };
        let places = file.tensors().iter().enumerate().filter(|(_, tensor)| tensor.name != ROPE_DIVISORS);
        let places = places.map(|(index, tensor)| {
            let name = names::from_gguf(config.family, &tensor.name);
            let heads = interleaved(&name);
            (name, (index, heads))
        });
        GgufSource { places: places.collect(), file }
    }

    fn find(&self, name: &str) -> Option<(&GgufTensor, Option<usize>)> {
        let (index, heads) = self.places.get(name)?;
        Some((self.file.tensors().get(*index)?, *heads))
    }

    fn read<T: Element>(&self, name: &str) -> Result<Vec<T>, CheckpointError> {
        let (tensor, heads) = self.find(name).ok_or_else(|| CheckpointError::NoSuchTensor {
            path: self.file.path().to_owned(),
            tensor: name.to_owned(),
        })?;
        let (rows, columns) = match tensor.shape[..] {
            // The rows of a bias that are interleaved are its numbers.
            [numbers] if heads.is_some() => (numbers, 1),
            _ => (tensor.shape.iter().rev().skip(1).product(), tensor.shape.last().copied().unwrap_or(0)),
        };
        let row_bytes = columns / tensor.kind.block_weights() * tensor.kind.block_bytes();
        let bytes = self.file.tensor_bytes(tensor);
        Ok(by_rows(rows, columns, |row, weights| {
            let stored = heads.map_or(row, |heads| interleaved_row(row, rows / heads));
            dequantise(tensor.kind, &bytes[stored * row_bytes..][..row_bytes], weights);
        }))
    }
}

/// Where a GGUF file of the Llama architecture has a row of a query or key matrix, or a number of its bias.
///
/// Hugging Face rotates dimension `i` of a head together with `i + head_width / 2`, ggml `2 i` together with `2 i + 1`,
/// so the conversion moves row `half * head_width / 2 + i` of each head to `2 i + half`.
fn interleaved_row(row: usize, head_width: usize) -> usize {
    let (head, within) = (row / head_width, row % head_width);
    let (half, index) = (within / (head_width / 2), within % (head_width / 2));
    head * head_width + 2 * index + half
}

impl TensorSource for GgufSource {
    fn names(&self) -> Vec<String> {
        self.places.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.find(name).map(|(tensor, _)| tensor.shape.clone())
    }

    fn stored_as(&self, name: &str) -> Option<&'static str> {
        self.find(name).map(|(tensor, _)| tensor.kind.name())
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        self.read(name)
    }

    fn read_f16(&self, name: &str) -> Result<Vec<f16>, CheckpointError> {
        self.read(name)
    }

    fn read_blocks(&self, name: &str) -> Option<(BlockType, Vec<u8>)> {
        let (tensor, heads) = self.find(name)?;
        let (kind, bytes) = (tensor.kind, self.file.tensor_bytes(tensor));
        if kind.block_weights() == 1 {
            return None;
        }
        let Some(heads) = heads else {
            return Some((kind, bytes.to_vec()));
        };
        let rows: usize = tensor.shape.iter().rev().skip(1).product();
        let row_bytes = bytes.len() / rows.max(1);
        // Whole rows change places, so blocks stay what they are.
        let row = |row: usize| &bytes[interleaved_row(row, rows / heads) * row_bytes..][..row_bytes];
        Some((kind, (0..rows).flat_map(row).copied().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_where_the_conversion_put_them() {
        // Two heads of width 4: rows 0 1 2 3 of a head are stored as 0 2 1 3.
        let stored: Vec<usize> = (0..8).map(|row| interleaved_row(row, 4)).collect();
        assert_eq!(stored, [0, 2, 1, 3, 4, 6, 5, 7]);
        // Width 6: the halves 0 1 2 and 3 4 5 are shuffled into 0 3 1 4 2 5.
        let mut file = [usize::MAX; 6];
        (0..6).for_each(|row| file[interleaved_row(row, 6)] = row);
        assert_eq!(file, [0, 3, 1, 4, 2, 5]);
    }
}
