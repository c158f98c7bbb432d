//! The tokens of a forward pass and their places in the cache, on the host and on the device.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// The tokens of a pass: their ids, the slot of the cache that each belongs to, and the position in it.
///
/// The device's copy is one tensor `[3, tokens]` (ids, slots, positions), so that a step uploads once. Kernels read that
/// one; the references in plain operations, which must know shapes beforehand, the host's.
#[derive(Clone, Debug)]
pub struct TokenBatch {
    device: Tensor<2, Int>,
    ids: Vec<usize>,
    slots: Vec<usize>,
    positions: Vec<usize>,
}

impl TokenBatch {
    /// Uploads the tokens. The lists are equally long.
    pub fn new(ids: &[usize], slots: &[usize], positions: &[usize], device: &Device) -> Self {
        let numbers = Self::numbers(ids, slots, positions);
        // In one dimension, so that no device spaces the rows out.
        let all = Tensor::<1, Int>::from_data(TensorData::new(numbers, [3 * ids.len()]), (device, DType::I32));
        Self {
            device: all.reshape([3, ids.len()]),
            ids: ids.to_vec(),
            slots: slots.to_vec(),
            positions: positions.to_vec(),
        }
    }

    fn numbers(ids: &[usize], slots: &[usize], positions: &[usize]) -> Vec<i32> {
        let all = ids.iter().chain(slots).chain(positions);
        all.map(|number| *number as i32).collect()
    }

    /// Puts as many other tokens in the place of these, in the same memory of the device: what was recorded with these
    /// places is replayed with those.
    pub fn refresh(&mut self, ids: &[usize], slots: &[usize], positions: &[usize]) {
        if ids.len() != self.tokens() || !cfg!(feature = "gpu") || !crate::has_gpu_kernels(&self.device.device()) {
            *self = Self::new(ids, slots, positions, &self.device.device());
            return;
        }
        #[cfg(feature = "gpu")]
        self.device.inplace(|places| gpu::write(places, Self::numbers(ids, slots, positions)));
        (self.ids, self.slots, self.positions) = (ids.to_vec(), slots.to_vec(), positions.to_vec());
    }

    /// Tokens of the pass.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// The device's copy, `[3, tokens]`: ids, slots, positions.
    pub fn on_device(&self) -> Tensor<2, Int> {
        self.device.clone()
    }

    /// The tokens' ids.
    pub fn ids(&self) -> &[usize] {
        &self.ids
    }

    /// The tokens' slots.
    pub fn slots(&self) -> &[usize] {
        &self.slots
    }

    /// The tokens' positions.
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }
}

#[cfg(feature = "gpu")]
mod gpu {
    use burn::backend::tensor::IntTensor;
    use burn::backend::{Backend, Dispatch, backend_extension};
    use burn::tensor::{Bytes, Int, Tensor};
    use burn_cubecl::CubeBackend;

    #[backend_extension(Cube)]
    pub trait WriteOps: Backend {
        fn write(tensor: IntTensor<Self>, numbers: Vec<i32>) -> IntTensor<Self>;
    }

    pub fn write(tensor: Tensor<2, Int>, numbers: Vec<i32>) -> Tensor<2, Int> {
        Tensor::from_dispatch(<Dispatch as WriteOps>::write(tensor.into_dispatch(), numbers))
    }

    impl WriteOps for CubeBackend {
        fn write(tensor: IntTensor<Self>, numbers: Vec<i32>) -> IntTensor<Self> {
            tensor.client.write(&tensor.handle, Bytes::from_elems(numbers));
            tensor
        }
    }
}
