//! What may follow: a bit row where many tokens may, a list where few may.

use std::sync::Arc;

/// The tokens of a bit row, ascending.
///
/// ```
/// assert!(gramask_grammar::tokens_of(&[0b101, 1]).eq([0, 2, 32]));
/// ```
pub fn tokens_of(row: &[u32]) -> impl Iterator<Item = u32> {
    row.iter().enumerate().flat_map(|(word, &bits)| {
        let ones = |bits: u32| std::iter::successors(Some(bits), |bits| Some(bits & bits.wrapping_sub(1)));
        ones(bits).take_while(|&bits| bits != 0).map(move |bits| 32 * word as u32 + bits.trailing_zeros())
    })
}

/// The tokens that may come next.
#[derive(Clone, Copy, Debug)]
pub enum Mask<'a> {
    /// Bit `i` of word `w` stands for token `32 w + i`.
    Row(&'a [u32]),
    /// Token ids, each once.
    Few(&'a [u32]),
}

impl Mask<'_> {
    /// Whether a token may come next.
    pub fn contains(&self, token: u32) -> bool {
        match self {
            Mask::Row(row) => row.get(token as usize / 32).is_some_and(|word| word >> (token % 32) & 1 == 1),
            Mask::Few(ids) => ids.contains(&token),
        }
    }

    /// How many tokens may come next.
    pub fn count(&self) -> usize {
        match self {
            Mask::Row(row) => row.iter().map(|word| word.count_ones() as usize).sum(),
            Mask::Few(ids) => ids.len(),
        }
    }

    /// Whether nothing may come next. That is so only after an end token.
    pub fn is_empty(&self) -> bool {
        match self {
            Mask::Row(row) => row.iter().all(|word| *word == 0),
            Mask::Few(ids) => ids.is_empty(),
        }
    }

    /// Writes the mask into a bit row, which has [`Vocabulary::words`](crate::Vocabulary::words) words.
    pub fn copy_to(&self, row: &mut [u32]) {
        match self {
            Mask::Row(from) => row.copy_from_slice(from),
            Mask::Few(ids) => {
                row.fill(0);
                ids.iter().for_each(|id| set_bit(row, *id));
            }
        }
    }
}

/// Sets a token's bit.
pub(crate) fn set_bit(row: &mut [u32], id: u32) {
    row[id as usize / 32] |= 1 << (id % 32);
}

/// A mask that is kept. States with the same mask share it.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    Row(Arc<[u32]>),
    Few(Arc<[u32]>),
}

impl Kept {
    pub fn mask(&self) -> Mask<'_> {
        match self {
            Kept::Row(row) => Mask::Row(row),
            Kept::Few(ids) => Mask::Few(ids),
        }
    }
}
