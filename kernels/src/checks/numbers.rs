//! Seeded numbers, and their way to a device and back.

use super::CheckError;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use gramask_random::Rng;

/// Random inputs of the checks.
#[derive(Clone, Debug)]
pub struct Numbers(Rng);

impl Numbers {
    /// The inputs of a seed.
    pub fn new(seed: u64) -> Numbers {
        Numbers(Rng::at(&[seed]))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next()
    }

    /// A number in `0..below`.
    pub fn below(&mut self, below: usize) -> usize {
        self.0.below(below)
    }

    /// Numbers between -`size` and `size`. Up to some millions of them are all different.
    pub fn floats(&mut self, count: usize, size: f32) -> Vec<f32> {
        let unit = |bits: u64| (bits >> 40) as f32 / (1u64 << 24) as f32;
        (0..count).map(|_| size * (2.0 * unit(self.bits()) - 1.0)).collect()
    }

    /// The words of a mask over `vocabulary` tokens, which allows each token with probability `share`.
    pub fn mask(&mut self, vocabulary: usize, share: f64) -> Vec<u32> {
        let mut words = vec![0u32; vocabulary.div_ceil(32)];
        for token in 0..vocabulary {
            if self.0.unit() < share {
                words[token / 32] |= 1 << (token % 32);
            }
        }
        words
    }
}

/// Puts numbers on a device, in 32 bits.
pub fn upload<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), (device, DType::F32))
}

/// Puts whole numbers on a device.
pub fn upload_integers<const D: usize>(values: &[i32], shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), (device, DType::I32))
}

/// The numbers of a tensor of this device, on the host.
///
/// # Errors
/// [`CheckError::Read`] if the device fails.
pub fn floats_of<const D: usize>(device: &Device, tensor: Tensor<D>) -> Result<Vec<f32>, CheckError> {
    let data = tensor.try_into_data().map_err(|error| CheckError::Read(device.clone(), error))?;
    Ok(data.iter::<f32>().collect())
}
