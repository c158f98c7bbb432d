//! GGUF files: a header of metadata and tensor descriptions, then the tensors' bytes.
//!
//! Layout of versions 2 and 3, little-endian (the specification is `docs/gguf.md` of the ggml project): magic `GGUF`, version,
//! number of tensors, number of metadata entries. Then come the entries, and per tensor its name, dimensions (innermost first),
//! type and offset. After padding to the alignment comes the data that the offsets count from.
//!
//! A count or length in a corrupt header can be any number. So every read is checked against the file's size, and every count
//! against the bytes that so many items need at least. Memory is allocated only in proportion to the size of the file.

mod config;
mod cursor;
mod model;
mod rope;
mod split;
mod value;
mod vocabulary;

pub(super) use model::open;
pub use split::gguf_parts;
pub use value::GgufValue;

use super::dequantise::BlockType;
use super::{CheckpointError, source};
use cursor::Cursor;
use memmap2::Mmap;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The description of one tensor in a GGUF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GgufTensor {
    /// The tensor's name, GGUF's own (`blk.0.attn_q.weight`).
    pub name: String,
    /// The shape, outermost dimension first: `[out, in]` for matrices. The file has it the other way round.
    pub shape: Vec<usize>,
    /// How the elements are stored.
    pub kind: BlockType,
    /// The part of the model that the data is in, from 0; a model in one file has one part.
    pub part: usize,
    /// First byte of the data in the file of that part.
    pub start: usize,
    /// One past the last byte of the data in that file.
    pub end: usize,
}

/// A GGUF file whose header has been read and checked, memory-mapped, with the other parts of its model if it is split.
pub struct GgufFile {
    /// The files, at least one.
    parts: Vec<(PathBuf, Mmap)>,
    /// Of the first part.
    metadata: BTreeMap<String, GgufValue>,
    /// Of all parts.
    tensors: Vec<GgufTensor>,
}

impl std::fmt::Debug for GgufFile {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("GgufFile").field("path", &self.path()).field("tensors", &self.tensors.len()).finish()
    }
}

/// The alignment of tensors in files that don't say.
const DEFAULT_ALIGNMENT: u64 = 32;
/// ggml has tensors of at most this many dimensions.
const MOST_DIMENSIONS: u32 = 4;

impl GgufFile {
    /// Maps a file and reads its header. If it is one of several parts of a model, the others are opened as well.
    ///
    /// # Errors
    /// A [`CheckpointError`] with the byte offset, the name of the tensor, or the part that is at fault.
    pub fn open(path: &Path) -> Result<GgufFile, CheckpointError> {
        split::join(GgufFile::open_one(path)?)
    }

    /// Maps a file and reads its header.
    fn open_one(path: &Path) -> Result<GgufFile, CheckpointError> {
        let map = source::map_file(path)?;
        let mut cursor = Cursor::new(path, &map);
        let (tensor_count, metadata_count) = read_preamble(&mut cursor)?;
        let metadata = read_metadata(&mut cursor, metadata_count)?;
        let alignment = alignment(path, &metadata)?;
        let tensors = read_tensors(&mut cursor, tensor_count, alignment)?;
        Ok(GgufFile { parts: vec![(path.to_owned(), map)], metadata, tensors })
    }

    /// Takes over the files and tensors of the next part.
    fn append(&mut self, part: GgufFile) {
        let first = self.parts.len();
        self.parts.extend(part.parts);
        self.tensors.extend(part.tensors.into_iter().map(|tensor| GgufTensor { part: first + tensor.part, ..tensor }));
    }

    /// The path of the file, or of the first part.
    pub fn path(&self) -> &Path {
        self.parts.first().map_or(Path::new(""), |(path, _)| path)
    }

    /// The path and all bytes of the file, or of each part.
    pub fn parts(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        self.parts.iter().map(|(path, map)| (path.as_path(), &map[..]))
    }

    /// The metadata, by key.
    pub fn metadata(&self) -> &BTreeMap<String, GgufValue> {
        &self.metadata
    }

    /// The tensors, in the order of the file or of the parts.
    pub fn tensors(&self) -> &[GgufTensor] {
        &self.tensors
    }

    /// The stored bytes of a tensor of this file.
    pub fn tensor_bytes(&self, tensor: &GgufTensor) -> &[u8] {
        self.parts.get(tensor.part).and_then(|(_, map)| map.get(tensor.start..tensor.end)).unwrap_or_default()
    }
}

/// Reads magic, version and counts.
fn read_preamble(cursor: &mut Cursor<'_>) -> Result<(u64, u64), CheckpointError> {
    let magic = cursor.bytes(4, "the magic number")?;
    if magic != b"GGUF" {
        let found = format!("`{}`", magic.escape_ascii());
        return Err(cursor.bad(0, "the magic number", found, "`GGUF`"));
    }
    let version = cursor.u32("the version")?;
    if !(2..=3).contains(&version) {
        // A big-endian file has the bytes of its version the other way round.
        let found = if (1..=3).contains(&version.swap_bytes()) {
            format!("{}, big-endian", version.swap_bytes())
        } else {
            version.to_string()
        };
        return Err(cursor.bad(4, "the version", found, "2 or 3, little-endian"));
    }
    let tensors_at = cursor.position();
    let tensors = cursor.u64("the number of tensors")?;
    let entries_at = cursor.position();
    let entries = cursor.u64("the number of metadata entries")?;
    // An empty name, no dimension, a type and an offset; an empty key, a type and one byte.
    cursor.check_count(tensors_at, "the number of tensors", tensors, 24)?;
    cursor.check_count(entries_at, "the number of metadata entries", entries, 13)?;
    Ok((tensors, entries))
}

fn read_metadata(cursor: &mut Cursor<'_>, count: u64) -> Result<BTreeMap<String, GgufValue>, CheckpointError> {
    let mut metadata = BTreeMap::new();
    for index in 0..count {
        let at = cursor.position();
        let key = cursor.text(&format!("the key of metadata entry {index}"))?;
        let value = value::read(cursor, &key)?;
        if metadata.contains_key(&key) {
            return Err(cursor.bad(at, "a metadata key", format!("`{key}` a second time"), "each key once"));
        }
        metadata.insert(key, value);
    }
    Ok(metadata)
}

fn alignment(path: &Path, metadata: &BTreeMap<String, GgufValue>) -> Result<u64, CheckpointError> {
    const KEY: &str = "general.alignment";
    match metadata.get(KEY) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(GgufValue::Unsigned(alignment)) if alignment.is_power_of_two() && *alignment <= 1 << 30 => Ok(*alignment),
        Some(other) => Err(CheckpointError::BadSetting {
            path: path.to_owned(),
            key: KEY.to_owned(),
            found: other.to_string(),
            expected: "a power of two".to_owned(),
        }),
    }
}

/// What the header says of a tensor, before its place in the file is known.
struct Described {
    name: String,
    shape: Vec<usize>,
    kind: BlockType,
    offset: u64,
    bytes: u64,
}

fn read_tensors(cursor: &mut Cursor<'_>, count: u64, alignment: u64) -> Result<Vec<GgufTensor>, CheckpointError> {
    let mut described = Vec::new();
    let mut seen: HashMap<String, u64> = HashMap::new();
    for index in 0..count {
        let at = cursor.position();
        let tensor = read_description(cursor, index, alignment)?;
        if seen.insert(tensor.name.clone(), at).is_some() {
            let found = format!("`{}` a second time", tensor.name);
            return Err(cursor.bad(at, "the name of a tensor", found, "each name once"));
        }
        described.push(tensor);
    }
    let size = cursor.size();
    let data = u128::from(cursor.position()).next_multiple_of(u128::from(alignment));
    let mut tensors = Vec::with_capacity(described.len());
    for Described { name, shape, kind, offset, bytes } in described {
        let start = data + u128::from(offset);
        let end = start + u128::from(bytes);
        if end > u128::from(size) {
            return Err(CheckpointError::TruncatedTensor {
                path: cursor.path().to_owned(),
                tensor: name,
                start: saturate(start),
                end: saturate(end),
                size,
                missing: saturate(end - u128::from(size).max(start)),
            });
        }
        // Both fit: they are no larger than the file, which is mapped into memory.
        tensors.push(GgufTensor { name, shape, kind, part: 0, start: start as usize, end: end as usize });
    }
    Ok(tensors)
}

fn saturate(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn read_description(cursor: &mut Cursor<'_>, index: u64, alignment: u64) -> Result<Described, CheckpointError> {
    let name = cursor.text(&format!("the name of tensor {index}"))?;
    let of_tensor = |what: &str| format!("the {what} of tensor `{name}`");
    let at = cursor.position();
    let dimensions = cursor.u32(&of_tensor("number of dimensions"))?;
    if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
        let what = of_tensor("number of dimensions");
        return Err(cursor.bad(at, &what, dimensions.to_string(), "1 to 4"));
    }
    let mut shape = Vec::new();
    let mut weights = 1_u64;
    for _ in 0..dimensions {
        let at = cursor.position();
        let dimension = cursor.u64(&of_tensor("shape"))?;
        let product = weights.checked_mul(dimension).filter(|&product| product <= 1 << 48 && product > 0);
        weights = product.ok_or_else(|| {
            cursor.bad(at, &of_tensor("shape"), format!("the dimension {dimension}"), "1 to 2^48 elements in all")
        })?;
        shape.push(dimension as usize);
    }
    let code = cursor.u32(&of_tensor("type"))?;
    let kind = BlockType::from_code(code).ok_or_else(|| CheckpointError::UnknownTensorType {
        path: cursor.path().to_owned(),
        tensor: name.clone(),
        found: type_name(code),
        known: BlockType::ALL.map(BlockType::name).join(", "),
    })?;
    if shape[0] % kind.block_weights() != 0 {
        let found = format!("rows of {} elements", shape[0]);
        let expected = format!("a multiple of {}, the block of {}", kind.block_weights(), kind.name());
        return Err(cursor.bad(at, &of_tensor("shape"), found, &expected));
    }
    let offset_at = cursor.position();
    let offset = cursor.u64(&of_tensor("offset"))?;
    if !offset.is_multiple_of(alignment) {
        let expected = format!("a multiple of {alignment}, the alignment");
        return Err(cursor.bad(offset_at, &of_tensor("offset"), offset.to_string(), &expected));
    }
    shape.reverse();
    // No overflow: at most 2^48 weights of at most 4 bytes.
    let bytes = weights / kind.block_weights() as u64 * kind.block_bytes() as u64;
    Ok(Described { name, shape, kind, offset, bytes })
}

/// The name of a tensor type that is not implemented.
fn type_name(code: u32) -> String {
    let name = match code {
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        15 => "Q8_K",
        16..=23 | 29 => "an IQ type",
        24..=27 => "an integer type",
        28 => "F64",
        34 | 35 => "a TQ type",
        39 => "MXFP4",
        _ => return format!("code {code}"),
    };
    format!("{name} (code {code})")
}
