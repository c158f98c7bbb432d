//! A device under test beside its reference, and seeded numbers for both.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use gramask_model::device::{DeviceFault, Dtype};

use super::check::Failure;
use super::tolerance::Tolerances;
use crate::pull::Model;

/// A device under test, beside the one that references are computed on.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The device under test.
    pub device: Device,
    /// Where references are computed.
    pub reference: Device,
    /// What models are computed in.
    pub float_type: Dtype,
    /// What the device has.
    pub float_types: Vec<Dtype>,
    /// How far apart the two may be.
    pub tolerances: Tolerances,
    /// Whether cases are fewer and smaller.
    pub quick: bool,
    /// A model to compute beside the seeded ones.
    pub model: Option<Model>,
}

impl Pair {
    /// Computes the same on both, and brings it to the host: the device's, then the reference's.
    pub(super) fn both<const D: usize>(&self, work: impl Fn(&Device) -> Tensor<D>) -> Result<[Vec<f32>; 2], Failure> {
        Ok([floats_of(&self.device, work(&self.device))?, floats_of(&self.reference, work(&self.reference))?])
    }
}

/// A tensor's numbers on the host.
pub(super) fn floats_of<const D: usize>(device: &Device, tensor: Tensor<D>) -> Result<Vec<f32>, Failure> {
    let data = tensor.try_into_data().map_err(|error| DeviceFault::of_execution(device, &error))?;
    Ok(data.iter::<f32>().collect())
}

/// Whole numbers of a tensor on the host.
pub(super) fn integers_of<const D: usize>(device: &Device, tensor: Tensor<D, Int>) -> Result<Vec<i64>, Failure> {
    let data = tensor.try_into_data().map_err(|error| DeviceFault::of_execution(device, &error))?;
    Ok(data.iter::<i64>().collect())
}

/// Puts numbers on a device, in 32 bits.
pub(super) fn upload<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), (device, DType::F32))
}

/// Puts whole numbers on a device.
pub(super) fn upload_integers<const D: usize>(values: &[i32], shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), (device, DType::I32))
}

/// A stream of numbers that follow from a seed: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub(super) struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Numbers {
        Numbers(seed.wrapping_mul(0xD134_2543_DE82_EF95))
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// A number of `0..below`.
    pub fn below(&mut self, below: usize) -> usize {
        (self.bits() % below.max(1) as u64) as usize
    }

    /// Numbers between -`size` and `size`, all different from each other where there are no more than some millions.
    pub fn floats(&mut self, count: usize, size: f32) -> Vec<f32> {
        let unit = |bits: u64| (bits >> 40) as f32 / (1u64 << 24) as f32;
        (0..count).map(|_| size * (2.0 * unit(self.bits()) - 1.0)).collect()
    }

    /// Mask words over `vocabulary` tokens, each token set with probability `share`.
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
