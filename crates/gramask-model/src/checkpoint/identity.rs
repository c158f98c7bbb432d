//! A short digest that tells checkpoints apart without reading all of their bytes.

use std::path::Path;

/// Bytes hashed at the start of each file; covers most headers.
const HEAD: usize = 1 << 16;
/// Number of samples hashed after the start, evenly spread.
const SAMPLES: usize = 256;
/// Bytes of each sample.
const SAMPLE: usize = 1 << 10;

/// The 64-bit FNV-1a hash.
struct Fnv(u64);

impl Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// The identity of some files: `fnv64:` and 16 hexadecimal digits.
///
/// It covers each file's name and size, its first 64 KiB, and 256 samples of 1 KiB spread evenly over the rest, so that
/// it costs a millisecond and tells apart what differs in practice: another model, another quantisation, other weights
/// after training. It is **not** cryptographic: files that were made to collide, or that differ in a few bytes between
/// the samples, have the same identity.
pub(super) fn identity<'a>(files: impl IntoIterator<Item = (&'a Path, &'a [u8])>) -> String {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
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
    format!("fnv64:{:016x}", hash.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        hash.write(b"foobar");
        assert_eq!(hash.0, 0x8594_4171_f739_67e8);
    }

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
