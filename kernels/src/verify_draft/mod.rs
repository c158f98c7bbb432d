//! Verification of drafted tokens: how far does a draft agree with the tokens that were chosen?

mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
mod reference;

pub use reference::verify_draft_reference;

use crate::sampling::SamplingError;
use crate::sampling::readback::read;
use burn::backend::tensor::IntTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Int, Tensor, TensorData};

/// The verification as an operation that each back end implements in its own way.
#[backend_extension(Cube: cfg(feature = "gpu"), Flex)]
pub(crate) trait VerifyOps: Backend {
    /// `tokens` `[choices]` and `drafts` `[batch, 2 + most]` in I32. The result is `[batch, 2]` in I32.
    fn verify_rows(tokens: IntTensor<Self>, drafts: IntTensor<Self>) -> IntTensor<Self>;
}

/// How far drafts agree with what was chosen, on the device. See [`Verified::read`].
#[derive(Clone, Debug)]
pub struct Verified {
    words: Tensor<2, Int>, // [batch, 2]
}

impl Verified {
    /// Fetches for each draft how many of its tokens were also chosen, and the token that was chosen after these; `None` if no token
    /// could be chosen.
    ///
    /// # Errors
    /// [`SamplingError::Device`] where the device fails.
    pub fn read(self) -> Result<Vec<(usize, Option<u32>)>, SamplingError> {
        let words = read(self.words)?;
        let token = |word: u32| (word != u32::MAX).then_some(word);
        let pairs = words.chunks_exact(2);
        Ok(pairs.map(|pair| (pair[0] as usize, token(pair[1]))).collect())
    }

    /// How many tokens of each draft are accepted, still on the device: `[batch]`.
    pub fn accepted(&self) -> Tensor<1, Int> {
        self.column(0)
    }

    /// The token after the accepted ones, still on the device: `[batch]`, -1 if no token could be chosen.
    pub fn next(&self) -> Tensor<1, Int> {
        self.column(1)
    }

    fn column(&self, column: usize) -> Tensor<1, Int> {
        let batch = self.words.dims()[0];
        let words = self.words.clone().slice([0..batch, column..column + 1]);
        words.reshape([batch])
    }
}

/// Accepts of each draft the longest head that agrees with what was chosen.
///
/// `tokens` has the tokens chosen for all drafts, draft after draft ([`Picks::tokens`](crate::sampling::Picks::tokens)):
/// for each draft one more than it has tokens. Choice `i` of a draft was made from the logits after its first `i` tokens,
/// so that it says something only if those were right, and is compared with token `i` of the draft.
///
/// # Shapes
/// - `tokens`: `[sum of the drafts' lengths + number of drafts]`
///
/// # Errors
/// [`SamplingError::Drafts`] where there are more choices or fewer.
pub fn verify_draft(tokens: Tensor<1, Int>, drafts: &[&[u32]]) -> Result<Verified, SamplingError> {
    let (choices, device) = (tokens.dims()[0], tokens.device());
    let drafts = packed(choices, drafts)?;
    let drafts = Tensor::<2, Int>::from_data(drafts, (&device, DType::I32));
    let tokens = match tokens.dtype() {
        DType::I32 => tokens,
        _ => tokens.cast(DType::I32),
    };
    let words = <Dispatch as VerifyOps>::verify_rows(
        tokens.without_autodiff().into_dispatch(),
        drafts.without_autodiff().into_dispatch(),
    );
    Ok(Verified { words: Tensor::from_dispatch(words) })
}

/// The drafts as `[batch, 2 + most]`: the number of the first choice, the length, and the tokens, with -2 after the last.
fn packed(choices: usize, drafts: &[&[u32]]) -> Result<TensorData, SamplingError> {
    let needed = drafts.iter().map(|draft| draft.len() + 1).sum();
    if choices != needed {
        return Err(SamplingError::Drafts { choices, needed });
    }
    let most = drafts.iter().map(|draft| draft.len()).max().unwrap_or(0);
    let mut words = Vec::with_capacity(drafts.len() * (2 + most));
    let mut first = 0;
    for (number, draft) in drafts.iter().enumerate() {
        words.extend([first, draft.len() as i32]);
        words.extend(draft.iter().map(|token| *token as i32));
        words.resize((number + 1) * (2 + most), -2);
        first += draft.len() as i32 + 1;
    }
    Ok(TensorData::new(words, [drafts.len(), 2 + most]))
}
