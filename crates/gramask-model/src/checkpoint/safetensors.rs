//! Safetensors files: the length of a JSON header, the header, then the tensors' bytes.
//!
//! The header is read here and not by the `safetensors` crate alone, so that a truncated file names the tensor that it lacks. The
//! crate then checks all that remains (overlaps, gaps, overflow).

use super::CheckpointError;
use super::source::{self, Element, by_rows};
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::TensorInfo;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Header lengths beyond this are refused, as by the `safetensors` crate.
const LONGEST_HEADER: u64 = 100_000_000;
/// Elements converted in one go.
const CHUNK: usize = 1 << 14;

/// One tensor of a file.
struct Tensor {
    kind: Dtype,
    shape: Vec<usize>,
    start: usize,
    end: usize,
}

/// A mapped safetensors file whose header has been read and checked.
pub(super) struct SafetensorsFile {
    path: PathBuf,
    map: Mmap,
    tensors: BTreeMap<String, Tensor>,
}

impl SafetensorsFile {
    /// Maps a file and reads its header.
    pub fn open(path: &Path) -> Result<SafetensorsFile, CheckpointError> {
        let map = source::map_file(path)?;
        let size = map.len() as u64;
        let truncated = |what: &str, offset: u64, needed: u64| CheckpointError::TruncatedHeader {
            path: path.to_owned(),
            what: what.to_owned(),
            offset,
            needed,
            missing: needed - (size - offset),
        };
        let bad = |offset: u64, what: &str, found: String, expected: &str| CheckpointError::BadHeader {
            path: path.to_owned(),
            offset,
            what: what.to_owned(),
            found,
            expected: expected.to_owned(),
        };
        let Some(length) = map.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes)) else {
            return Err(truncated("the header's length", 0, 8));
        };
        if length > LONGEST_HEADER {
            let expected = format!("at most {LONGEST_HEADER}");
            return Err(bad(0, "the header's length", length.to_string(), &expected));
        }
        let data = 8 + length;
        let Some(header) = map.get(8..data as usize) else {
            return Err(truncated("the header", 8, length));
        };
        let header: BTreeMap<String, serde_json::Value> = serde_json::from_slice(header)
            .map_err(|error| bad(8, "the header", error.to_string(), "a JSON object of tensors"))?;
        let mut tensors = BTreeMap::new();
        for (name, info) in header.into_iter().filter(|(name, _)| name != "__metadata__") {
            let info: TensorInfo = serde_json::from_value(info).map_err(|error| {
                bad(8, &format!("tensor `{name}` in the header"), error.to_string(), "dtype, shape, data_offsets")
            })?;
            let (start, end) = info.data_offsets;
            let (start, end) = (data.saturating_add(start as u64), data.saturating_add(end as u64));
            if end > size {
                let (path, missing) = (path.to_owned(), end - size.max(start.min(end)));
                return Err(CheckpointError::TruncatedTensor { path, tensor: name, start, end, size, missing });
            }
            if !matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
                return Err(CheckpointError::UnknownTensorType {
                    path: path.to_owned(),
                    tensor: name,
                    found: format!("{:?}", info.dtype),
                    known: "F32, F16, BF16".to_owned(),
                });
            }
            let tensor = Tensor { kind: info.dtype, shape: info.shape, start: start as usize, end: end as usize };
            tensors.insert(name, tensor);
        }
        SafeTensors::read_metadata(&map).map_err(|error| {
            bad(8, "the header", error.to_string(), "tensors that cover the data without gap or overlap")
        })?;
        Ok(SafetensorsFile { path: path.to_owned(), map, tensors })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|tensor| tensor.shape.as_slice())
    }

    pub fn stored_as(&self, name: &str) -> Option<&'static str> {
        self.tensors.get(name).map(|tensor| match tensor.kind {
            Dtype::F16 => "F16",
            Dtype::BF16 => "BF16",
            _ => "F32",
        })
    }

    /// The bytes of a tensor as the file has them; `None` if there is no such tensor.
    pub fn stored_bytes(&self, name: &str) -> Option<&[u8]> {
        let tensor = self.tensors.get(name)?;
        self.map.get(tensor.start..tensor.end)
    }

    /// A tensor's elements, converted; `None` if there is no such tensor.
    pub fn read<T: Element>(&self, name: &str) -> Option<Vec<T>> {
        let tensor = self.tensors.get(name)?;
        let bytes = self.stored_bytes(name)?;
        let width = if tensor.kind == Dtype::F32 { 4 } else { 2 };
        let count = bytes.len() / width;
        // The shape does not matter to the conversion, so large tensors are cut into equal chunks for all cores.
        let chunks = count.div_ceil(CHUNK);
        let mut elements = by_rows(chunks, CHUNK, |chunk, out: &mut [f32]| {
            let bytes = &bytes[chunk * CHUNK * width..];
            match tensor.kind {
                Dtype::F16 => {
                    let pairs = bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32());
                    out.iter_mut().zip(pairs).for_each(|(out, value)| *out = value);
                }
                Dtype::BF16 => {
                    let pairs = bytes.chunks_exact(2).map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32());
                    out.iter_mut().zip(pairs).for_each(|(out, value)| *out = value);
                }
                _ => {
                    let fours = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                    out.iter_mut().zip(fours).for_each(|(out, value)| *out = value);
                }
            }
        });
        elements.truncate(count);
        Some(elements)
    }
}
