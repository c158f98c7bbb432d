//! Masks that live on the device.
//!
//! A step of a batch needs one mask for each sequence. Most of them have been needed before, by another document in the same
//! state of its format, or by this one. So masks are kept in a table on the device, and what a step sends is the number of a row
//! for each sequence, 4 bytes. A mask is known by its contents, so that no one need agree on names.

use super::error::SamplingError;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use std::collections::HashMap;

/// A row of a [`MaskTable`], or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MaskRow(u32);

impl MaskRow {
    /// No constraint: every token is allowed.
    pub const FREE: MaskRow = MaskRow(u32::MAX);

    /// A row by its number, as [`MaskTable::rows`] hands them out.
    pub const fn new(row: u32) -> Self {
        MaskRow(row)
    }

    /// Its number; `u32::MAX` for [`MaskRow::FREE`].
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// What a table has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableUse {
    /// Masks that were asked for.
    pub asked: u64,
    /// Masks that were sent to the device, because the table did not have them.
    pub sent: u64,
    /// Masks that made room for others.
    pub evicted: u64,
}

/// Masks on a device: `capacity` rows of one bit for each token. Each is sent once, and kept until its row is needed for
/// another; the row that was not asked for the longest goes first.
#[derive(Debug)]
pub struct MaskTable {
    rows: Tensor<2, Int>, // [capacity, words]
    words: usize,
    kept: Vec<Kept>,
    by_hash: HashMap<u64, Vec<u32>>,
    step: u64,
    used: TableUse,
    device: Device,
}

/// The mask of a row, to know it by: hashes alone could confuse two.
#[derive(Clone, Debug, Default)]
struct Kept {
    mask: Box<[u32]>,
    hash: u64,
    /// The step in which it was last asked for; 0: the row is free.
    asked: u64,
}

impl MaskTable {
    /// An empty table of `capacity` rows (at least 1) for a vocabulary. It takes `capacity * vocabulary / 8` bytes on the
    /// device and, as rows come in, on the host.
    pub fn new(capacity: usize, vocabulary: usize, device: &Device) -> Self {
        let (capacity, words) = (capacity.max(1), vocabulary.div_ceil(32));
        MaskTable {
            rows: Tensor::zeros([capacity, words], (device, DType::I32)),
            words,
            kept: Vec::with_capacity(capacity),
            by_hash: HashMap::new(),
            step: 0,
            used: TableUse::default(),
            device: device.clone(),
        }
    }

    /// The number of rows.
    pub fn capacity(&self) -> usize {
        self.rows.dims()[0]
    }

    /// What it has done so far.
    pub fn used(&self) -> TableUse {
        self.used
    }

    /// The table itself, `[capacity, words]`.
    pub(super) fn tensor(&self) -> Tensor<2, Int> {
        self.rows.clone()
    }

    /// The rows of the masks of one step, `None` being [`MaskRow::FREE`]; sends those that the table lacks. The rows hold
    /// until the next call; later ones may give them to others. A mask with fewer words than the vocabulary needs does not
    /// allow the tokens it has no bit for.
    ///
    /// # Errors
    /// [`SamplingError::Full`] where the masks need more rows than the table has; then the table is as before, but for rows
    /// that have made room.
    pub fn rows<'m>(
        &mut self,
        masks: impl IntoIterator<Item = Option<&'m [u32]>>,
    ) -> Result<Vec<MaskRow>, SamplingError> {
        self.step += 1;
        let mut new: Vec<u32> = Vec::new();
        let mut numbers = Vec::new();
        for mask in masks {
            let Some(mask) = mask else {
                numbers.push(MaskRow::FREE);
                continue;
            };
            self.used.asked += 1;
            let mask = &mask[..mask.len().min(self.words)];
            let hash = hash(mask);
            let row = match self.find(mask, hash) {
                Some(row) => row,
                None => match self.make_room() {
                    Some(row) => {
                        self.put(row, mask, hash);
                        new.push(row);
                        row
                    }
                    None => {
                        // What was not sent must not be found later.
                        new.into_iter().for_each(|row| self.forget(row));
                        return Err(SamplingError::Full { capacity: self.capacity() });
                    }
                },
            };
            self.kept[row as usize].asked = self.step;
            numbers.push(MaskRow(row));
        }
        self.send(new);
        Ok(numbers)
    }

    fn find(&self, mask: &[u32], hash: u64) -> Option<u32> {
        let rows = self.by_hash.get(&hash)?.iter();
        rows.copied().find(|&row| *self.kept[row as usize].mask == *mask)
    }

    /// A row for a new mask: one never used, or the one that was not asked for the longest, unless this step needs it.
    fn make_room(&mut self) -> Option<u32> {
        if self.kept.len() < self.capacity() {
            self.kept.push(Kept::default());
            return Some(self.kept.len() as u32 - 1);
        }
        let rows = self.kept.iter().enumerate();
        let (row, oldest) = rows.min_by_key(|(_, kept)| kept.asked)?;
        if oldest.asked == self.step {
            return None;
        }
        self.used.evicted += u64::from(oldest.asked > 0);
        self.forget(row as u32);
        Some(row as u32)
    }

    fn put(&mut self, row: u32, mask: &[u32], hash: u64) {
        self.kept[row as usize] = Kept { mask: mask.into(), hash, asked: self.step };
        self.by_hash.entry(hash).or_default().push(row);
    }

    fn forget(&mut self, row: u32) {
        let kept = std::mem::take(&mut self.kept[row as usize]);
        if let Some(rows) = self.by_hash.get_mut(&kept.hash) {
            rows.retain(|other| *other != row);
            if rows.is_empty() {
                self.by_hash.remove(&kept.hash);
            }
        }
    }

    /// Sends rows to the device; neighbouring rows go together.
    fn send(&mut self, mut rows: Vec<u32>) {
        rows.sort_unstable();
        self.used.sent += rows.len() as u64;
        for run in rows.chunk_by(|a, b| a + 1 == *b) {
            let Some(&first) = run.first() else { continue };
            let mut words = Vec::with_capacity(run.len() * self.words);
            for (number, &row) in run.iter().enumerate() {
                words.extend(self.kept[row as usize].mask.iter().map(|word| *word as i32));
                words.resize((number + 1) * self.words, 0);
            }
            let first = first as usize;
            let data = TensorData::new(words, [run.len(), self.words]);
            let values = Tensor::<2, Int>::from_data(data, (&self.device, DType::I32));
            // The table is taken out, so that the device changes it in place.
            let table = std::mem::replace(&mut self.rows, Tensor::empty([1, 1], (&self.device, DType::I32)));
            self.rows = table.slice_assign([first..first + run.len(), 0..self.words], values);
        }
    }
}

/// Multiplies and rotates, two words at a time. Not for untrusted input: it only spares comparisons.
fn hash(mask: &[u32]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let pairs = mask.chunks(2).map(|pair| {
        let high = pair.get(1).copied().unwrap_or(0);
        u64::from(high) << 32 | u64::from(pair[0])
    });
    pairs.fold(mask.len() as u64, |hash, pair| (hash.rotate_left(5) ^ pair).wrapping_mul(FACTOR))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(table: &MaskTable, row: MaskRow) -> Vec<i32> {
        let row = row.number() as usize;
        let all = table.tensor().slice([row..row + 1, 0..table.words]);
        all.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn masks_are_sent_once_and_found_again() {
        let mut table = MaskTable::new(3, 70, &Device::flex());
        let (a, b): ([u32; 3], [u32; 2]) = ([1, u32::MAX, 5], [7, 8]);
        let rows = table.rows([Some(&a[..]), None, Some(&b[..]), Some(&a[..])]).unwrap();
        assert_eq!(rows[1], MaskRow::FREE);
        assert_eq!(rows[0], rows[3]);
        assert_eq!(words(&table, rows[0]), [1, -1, 5]);
        assert_eq!(words(&table, rows[2]), [7, 8, 0]);
        let again = table.rows([Some(&b[..]), Some(&a[..])]).unwrap();
        assert_eq!(again, [rows[2], rows[0]]);
        assert_eq!(table.used(), TableUse { asked: 5, sent: 2, evicted: 0 });
    }

    #[test]
    fn the_row_asked_for_longest_ago_makes_room() {
        let mut table = MaskTable::new(2, 32, &Device::flex());
        let first = table.rows([Some(&[1u32][..])]).unwrap();
        table.rows([Some(&[2u32][..])]).unwrap();
        table.rows([Some(&[1u32][..])]).unwrap();
        let third = table.rows([Some(&[3u32][..])]).unwrap();
        assert_ne!(third, first);
        assert_eq!(words(&table, third[0]), [3]);
        assert_eq!(words(&table, first[0]), [1]);
        assert_eq!(table.used().evicted, 1);
        assert_eq!(table.rows([Some(&[1u32][..])]).unwrap(), first);
        assert_eq!(table.used().sent, 3);
    }

    #[test]
    fn a_step_that_needs_too_many_rows_is_refused_and_leaves_no_trace() {
        let mut table = MaskTable::new(2, 32, &Device::flex());
        let many = [1u32, 2, 3].map(|word| [word]);
        let error = table.rows(many.iter().map(|mask| Some(&mask[..]))).unwrap_err();
        assert_eq!(error, SamplingError::Full { capacity: 2 });
        // None of them is mistaken for a mask of the table.
        for mask in &many {
            let rows = table.rows([Some(&mask[..])]).unwrap();
            assert_eq!(words(&table, rows[0]), [mask[0] as i32]);
        }
    }
}
