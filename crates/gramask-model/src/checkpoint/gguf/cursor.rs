//! Bounds-checked reading of a header, with errors that say where.

use crate::checkpoint::CheckpointError;
use std::path::Path;

/// A place in the bytes of a file.
pub(super) struct Cursor<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(path: &'a Path, bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { path, bytes, position: 0 }
    }

    pub fn path(&self) -> &'a Path {
        self.path
    }

    /// Bytes from the start of the file.
    pub fn position(&self) -> u64 {
        self.position as u64
    }

    /// The file's size in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn left(&self) -> u64 {
        (self.bytes.len() - self.position) as u64
    }

    /// An error at a byte offset.
    pub fn bad(&self, offset: u64, what: &str, found: String, expected: &str) -> CheckpointError {
        CheckpointError::BadHeader {
            path: self.path.to_owned(),
            offset,
            what: what.to_owned(),
            found,
            expected: expected.to_owned(),
        }
    }

    fn truncated(&self, what: &str, needed: u64) -> CheckpointError {
        CheckpointError::TruncatedHeader {
            path: self.path.to_owned(),
            what: what.to_owned(),
            offset: self.position(),
            needed,
            missing: needed.saturating_sub(self.left()),
        }
    }

    /// The next bytes.
    pub fn bytes(&mut self, length: u64, what: &str) -> Result<&'a [u8], CheckpointError> {
        if length > self.left() {
            return Err(self.truncated(what, length));
        }
        let bytes = &self.bytes[self.position..][..length as usize];
        self.position += length as usize;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], CheckpointError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N as u64, what)?);
        Ok(array)
    }

    pub fn u32(&mut self, what: &str) -> Result<u32, CheckpointError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub fn u64(&mut self, what: &str) -> Result<u64, CheckpointError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A length and as many bytes of UTF-8.
    pub fn text(&mut self, what: &str) -> Result<String, CheckpointError> {
        let length = self.u64(what)?;
        let at = self.position();
        let bytes = self.bytes(length, what)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => {
                let at = at + error.valid_up_to() as u64;
                let found = format!(
                    "`{}`",
                    bytes[error.valid_up_to()..]
                        .iter()
                        .take(4)
                        .map(|b| format!("{b:02x}"))
                        .collect::<Vec<_>>()
                        .join(" ")
                );
                Err(self.bad(at, what, found, "UTF-8"))
            }
        }
    }

    /// Checks that so many items can be in the rest of the file at all. `offset` is where the count was read.
    pub fn check_count(&self, offset: u64, what: &str, count: u64, least_bytes: u64) -> Result<(), CheckpointError> {
        let most = self.left() / least_bytes;
        if count > most {
            return Err(self.bad(
                offset,
                what,
                count.to_string(),
                &format!("at most {most}, for which the file has room"),
            ));
        }
        Ok(())
    }
}
