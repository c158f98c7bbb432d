//! Seeded numbers, and their way to a device and back.

use super::CheckError;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// A stream of numbers that follow from a seed: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Numbers {
        Numbers(seed.wrapping_mul(0xD134_2543_DE82_EF95))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// A number in `0..below`.
    pub fn below(&mut self, below: usize) -> usize {
        (self.bits() % below.max(1) as u64) as usize
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
            let set = (self.bits() >> 11) as f64 / (1u64 << 53) as f64;
            if set < share {
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
