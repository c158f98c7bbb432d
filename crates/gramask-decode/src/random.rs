//! Numbers that stand for documents and prompts.

pub use gramask_kernels::sampling::Draw;
use gramask_random::Fnv;

/// The number that stands for a document in its draws: the 64-bit FNV-1a hash of its id.
pub fn document_number(id: &str) -> u64 {
    Fnv::hash(id.as_bytes())
}

/// A 128-bit FNV-1a digest of tokens (little-endian), in hexadecimal: tells prompts apart, not cryptographic.
pub fn digest(tokens: &[u32]) -> String {
    let hash = tokens
        .iter()
        .flat_map(|token| token.to_le_bytes())
        .fold(0x6C62_272E_07BB_0142_62B8_2175_6295_C58D_u128, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013B)
        });
    format!("{hash:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_have_their_published_values() {
        assert_eq!(document_number("foobar"), 0x8594_4171_F739_67E8);
        assert_eq!(digest(&[]), "6c62272e07bb014262b821756295c58d");
        assert_ne!(digest(&[1, 2]), digest(&[2, 1]));
    }
}
