//! A short digest that tells checkpoints apart without reading all of their bytes.

use std::path::Path;

use gramask_random::Fnv;

/// Bytes hashed at the start of each file; covers most headers.
const HEAD: usize = 1 << 16;
/// Number of samples hashed after the start, evenly spread.
const SAMPLES: usize = 256;
/// Bytes of each sample.
const SAMPLE: usize = 1 << 10;

/// The identity of some files: `fnv64:` and 16 hexadecimal digits.
///
/// It covers each file's name and size, its first 64 KiB, and 256 samples of 1 KiB spread evenly over the rest, so that
/// it costs a millisecond and tells apart what differs in practice: another model, another quantisation, other weights
/// after training. It is **not** cryptographic: files that were made to collide, or that differ in a few bytes between
/// the samples, have the same identity.
pub(super) fn identity<'a>(files: impl IntoIterator<Item = (&'a Path, &'a [u8])>) -> String {
    let mut hash = Fnv::new();
    for (path, bytes) in files {
        hash.write(path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default().as_bytes());
        hash.write(&(bytes.len() as u64).to_le_bytes());
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD));
        hash.write(head);
        if rest.len() <= SAMPLES * SAMPLE {
            hash.write(rest);
        } else {
            for sample in 0..SAMPLES {
                // From the first byte after the head to the file's last byte.
                let start = (rest.len() - SAMPLE) as u128 * sample as u128 / (SAMPLES - 1) as u128;
                hash.write(&rest[start as usize..][..SAMPLE]);
            }
        }
    }
    format!("fnv64:{:016x}", hash.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_size_first_and_last_byte_count() {
        let bytes = vec![7_u8; 1 << 20];
        let of = |name: &str, bytes: &[u8]| identity([(Path::new(name), bytes)]);
        let whole = of("a", &bytes);
        assert_eq!(whole, of("folder/a", &bytes));
        assert_ne!(whole, of("b", &bytes));
        assert_ne!(whole, of("a", &bytes[1..]));
        for at in [0, HEAD, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] = 8;
            assert_ne!(whole, of("a", &changed), "byte {at}");
        }
    }
}
