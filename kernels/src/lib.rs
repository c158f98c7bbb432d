//! The kernels of the transformer, of sampling and of the optimiser: CubeCL for every GPU, vector code for the CPU.
//!
//! Decoding multiplies a few rows of activations (one per sequence of the batch) by every weight of the model, for each token.
//! General matrix libraries are made for square problems. On the CPU they run such a product on one core, and on a GPU the
//! small operations between two products cost more time to start than to compute. This crate has the operations that
//! decoding needs. Each is one function on Burn's tensors that selects the kernel for the tensor's device.
//!
//! # One folder per operation
//! | folder | operation |
//! |---|---|
//! | [`mod@linear`] | activations times a weight |
//! | [`attention`] | attention of new tokens over the cache |
//! | [`norm`] | RMSNorm, alone or after a residual sum |
//! | [`rotary`] | rotary positions, and the write of keys and values into the cache |
//! | [`swiglu`] | the gate of the feed-forward layer |
//! | [`cache_copy`] | copies from one slot of the cache to another |
//! | [`sampling`] | one token of each row of logits, under masks: the same token on every device |
//! | [`verify_draft`] | how far a draft agrees with the sampled tokens |
//! | [`training`] | what a training step computes between its products, with gradients |
//! | [`adamw`] | a step of the optimiser |
//!
//! The same four files are in each folder. `mod` has the function and its documentation. `reference` has the definition in plain
//! tensor operations, which runs on every device. `cpu` has vector code for Burn's back end `flex`, and `gpu` has CubeCL. [`cpu`]
//! and `gpu.rs` at the top have what these files share. [`checks`] compares each kernel with its reference.
//!
//! # Nouns
//! - [`Weight`]: the weight `[out, in]` of a linear layer on a device, stored as a [`WeightType`]: floats, or the blocks of a
//!   quantised file without a change;
//! - [`TokenBatch`]: the tokens of a forward pass with their slots and positions, on the host and on the device. GPU kernels
//!   read slots and positions on the device, so all decoding steps of a batch size are the same sequence of launches. A
//!   step can therefore be recorded once and replayed;
//! - [`cpu::Level`]: the vector instructions of this processor, which are detected at run time. One binary serves AVX-512,
//!   AVX2, NEON and plain processors.
//!
//! Sums are in 32 bits, whatever the type of the operands.
//!
//! # Example
//! ```
//! use burn::tensor::{Device, Tensor};
//! use gramask_kernels::{Weight, WeightType, linear};
//!
//! # fn main() -> Result<(), gramask_kernels::KernelError> {
//! let device = Device::flex();
//! // Two outputs of three inputs each, as a checkpoint stores them: [out, in].
//! let weight = Weight::new(vec![1.0, 2.0, 3.0, 0.5, 0.0, -1.0], 2, 3, WeightType::F16, &device)?;
//! let x = Tensor::<2>::from_floats([[1.0, 1.0, 1.0], [0.0, 2.0, 4.0]], &device);
//!
//! let y = linear(x, &weight); // [2, 2]
//! assert_eq!(y.to_data().try_to_vec::<f32>().unwrap(), [6.0, -0.5, 16.0, -4.0]);
//! assert_eq!(weight.bytes(), 12);
//! # Ok(())
//! # }
//! ```

pub mod adamw;
pub mod attention;
pub mod cache_copy;
pub mod checks;
pub mod cpu;
mod error;
#[cfg(feature = "gpu")]
mod gpu;
pub mod linear;
pub mod norm;
pub mod rotary;
pub mod sampling;
pub mod swiglu;
mod token_batch;
pub mod training;
pub mod verify_draft;
mod weight;

pub use error::KernelError;
pub use linear::linear;
pub use token_batch::TokenBatch;
pub use weight::{Weight, WeightType};

use burn::tensor::Device;

/// True for devices that the GPU kernels of this crate are compiled in for, outside of training.
pub fn has_gpu_kernels(device: &Device) -> bool {
    #[cfg(feature = "gpu")]
    {
        use burn::backend::DispatchDevice;
        !device.is_autodiff() && matches!(device.as_dispatch(), DispatchDevice::Cube(_))
    }
    #[cfg(not(feature = "gpu"))]
    {
        let _ = device;
        false
    }
}
