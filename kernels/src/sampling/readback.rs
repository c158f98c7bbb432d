//! The rows of 32-bit words that go to the device, and the read-back.

use super::draw::Draw;
use super::error::NoChoice;
use super::error::SamplingError;
use super::fixed_point::{UNUSABLE, logit};
use super::numeric::Moments;
use super::pick::{Found, Pick, Summed};
use super::table::MaskRow;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// How many tokens a part of a row has. A row is cut into parts so that a batch of one keeps a whole GPU busy; the parts
/// are the same whatever the batch, so that the sums over them are, too.
pub(crate) const PART: usize = 8192;

/// The parts of a vocabulary.
pub(crate) fn parts(vocabulary: usize) -> usize {
    vocabulary.div_ceil(PART)
}

/// Words of a row that goes to the device: the mask's row, and where something is drawn the words of document and position,
/// low ones first.
pub(crate) const DRAW_WORDS: usize = 5;

/// The rows that go to the device, `[batch, 1]` or `[batch, DRAW_WORDS]`.
pub(crate) fn steps(rows: &[MaskRow], draws: Option<&[Draw]>, device: &Device) -> Tensor<2, Int> {
    let width = if draws.is_some() { DRAW_WORDS } else { 1 };
    let mut words = Vec::with_capacity(rows.len() * width);
    for (i, row) in rows.iter().enumerate() {
        words.push(row.number() as i32);
        if let Some(&Draw { document, position }) = draws.and_then(|draws| draws.get(i)) {
            let halves = [document, document >> 32, position, position >> 32];
            words.extend(halves.map(|half| half as u32 as i32));
        }
    }
    Tensor::from_data(TensorData::new(words, [rows.len(), width]), (device, DType::I32))
}

/// Words of a row that comes back, before the ranks: the token (`u32::MAX`: none), the likeliest allowed token, the token's
/// key; the greatest key, the sum and the product of the allowed tokens, and of all; how many tokens are allowed, and how many
/// of these have NaN. Then for each part of the row how many of its tokens are likelier than the token.
pub(crate) const FIELDS: usize = 11;
/// In place of a token: there is none.
pub(crate) const NO_TOKEN: u32 = u32::MAX;

/// The choices of a batch, on the device. See [`Picks::read`].
#[derive(Clone, Debug)]
pub struct Picks {
    words: Tensor<2, Int>, // [batch, FIELDS + parts]
}

impl Picks {
    pub(crate) fn new(words: Tensor<2, Int>) -> Self {
        Picks { words }
    }

    /// Fetches the choices: one read-back for the batch, and the only time that the host waits.
    ///
    /// # Errors
    /// [`SamplingError::Device`] where the device fails.
    pub fn read(self) -> Result<Vec<Result<Pick, NoChoice>>, SamplingError> {
        let width = self.words.dims()[1];
        let words = read(self.words)?;
        Ok(words.chunks_exact(width).map(row).collect())
    }

    /// The tokens alone, still on the device: `[batch]`, -1 where there is no token to choose.
    pub fn tokens(&self) -> Tensor<1, Int> {
        let batch = self.words.dims()[0];
        self.words.clone().slice([0..batch, 0..1]).reshape([batch])
    }
}

/// The words of a tensor.
pub(crate) fn read(words: Tensor<2, Int>) -> Result<Vec<u32>, SamplingError> {
    let failed = |message: String| SamplingError::Device { message };
    let data = words.try_into_data().map_err(|error| failed(error.to_string()))?;
    let words =
        data.try_into_vec::<i32>().map_err(|error| failed(format!("choices are not 32-bit integers: {error:?}")))?;
    Ok(words.into_iter().map(|word| word as u32).collect())
}

fn row(words: &[u32]) -> Result<Pick, NoChoice> {
    let (fields, ranks) = words.split_at(FIELDS);
    let summed = |at: usize| Summed {
        max: match fields[at] {
            UNUSABLE => f32::NEG_INFINITY,
            key => logit(key),
        },
        moments: Moments {
            sum: f64::from(f32::from_bits(fields[at + 1])),
            product: f64::from(f32::from_bits(fields[at + 2])),
        },
    };
    if fields[0] == NO_TOKEN {
        return Err(NoChoice { allowed: fields[9] as usize, nan: fields[10] as usize });
    }
    Ok(Found {
        token: fields[0],
        best: fields[1],
        logit: logit(fields[2]),
        kept: summed(3),
        whole: summed(6),
        rank: ranks.iter().sum(),
    }
    .pick())
}
