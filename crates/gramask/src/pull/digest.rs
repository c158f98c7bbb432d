//! SHA-256 of files and of folders.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::PullError;

/// The SHA-256 of some bytes, 64 hexadecimal digits.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes.as_ref()))
}

/// The SHA-256 of a file, 64 hexadecimal digits; reads it in pieces.
///
/// # Errors
/// When the file cannot be read.
pub fn sha256_file(path: &Path) -> Result<String, PullError> {
    let mut file = File::open(path).map_err(|source| PullError::io("open", path, source))?;
    let mut sink = Sha256Writer::new(io::sink());
    copy(&mut file, &mut sink).map_err(|source| PullError::io("read", path, source))?;
    Ok(sink.finish())
}

/// The digest of a checkpoint folder: see [`super::Model::digest`].
pub(super) fn sha256_folder(folder: &Path) -> Result<String, PullError> {
    let entries = std::fs::read_dir(folder).map_err(|source| PullError::io("list", folder, source))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|source| PullError::io("list", folder, source))?.file_name();
        let name = name.to_string_lossy().into_owned();
        if name.ends_with(".safetensors") || super::hub::SMALL_FILES.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.sort();
    sha256_files(names.iter().map(|name| folder.join(name)))
}

/// The SHA-256 of the lines `SHA-256 two spaces NAME` of some files, as `sha256sum` prints them.
pub(super) fn sha256_files(paths: impl IntoIterator<Item = PathBuf>) -> Result<String, PullError> {
    let mut lines = String::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        lines += &format!("{}  {name}\n", sha256_file(&path)?);
    }
    Ok(sha256_hex(lines))
}

/// Passes bytes on and digests them on the way.
pub(super) struct Sha256Writer<W> {
    inner: W,
    state: Sha256,
}

impl<W: Write> Sha256Writer<W> {
    pub(super) fn new(inner: W) -> Self {
        Sha256Writer { inner, state: Sha256::new() }
    }

    pub(super) fn finish(self) -> String {
        hex(&self.state.finalize())
    }
}

impl<W: Write> Write for Sha256Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.state.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// `io::copy` with a buffer that suits files of gigabytes.
pub(super) fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 18];
    let mut total = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(&buffer[..read])?;
        total += read as u64;
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_sha256sum() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        std::fs::write(&file, "abc").unwrap();
        assert_eq!(sha256_file(&file).unwrap(), sha256_hex("abc"));
        let of_folder = sha256_folder(folder.path()).unwrap();
        assert_eq!(of_folder, sha256_hex(format!("{}  config.json\n", sha256_hex("abc"))));
        std::fs::write(folder.path().join("notes.txt"), "not part of the model").unwrap();
        assert_eq!(sha256_folder(folder.path()).unwrap(), of_folder);
        std::fs::write(folder.path().join("special_tokens_map.json"), "{}").unwrap();
        assert_ne!(sha256_folder(folder.path()).unwrap(), of_folder, "it says which tokens begin and end a text");
        std::fs::remove_file(folder.path().join("special_tokens_map.json")).unwrap();
        std::fs::write(folder.path().join("model.safetensors"), "w").unwrap();
        assert_ne!(sha256_folder(folder.path()).unwrap(), of_folder);
        // Every file that decides outputs is in the digest.
        for name in super::super::hub::SMALL_FILES.into_iter().chain(["model-00001-of-00002.safetensors"]) {
            let before = sha256_folder(folder.path()).unwrap();
            std::fs::write(folder.path().join(name), format!("another {name}")).unwrap();
            assert_ne!(sha256_folder(folder.path()).unwrap(), before, "{name}");
        }
    }
}
