//! Masking, sampling and matrix kernels: CubeCL for every GPU, a native path for the CPU.
//!
//! # What this crate is for
//! A language model that decodes one token at a time multiplies a few rows of activations (one per sequence of the
//! batch) by every weight it has. That product decides how fast it decodes, and general matrix libraries are made for
//! square problems: on the CPU they leave it on one core, or are slower by a multiple as soon as there are two rows.
//! This crate has the operations that decoding needs and Burn lacks, each as one function on Burn's tensors that picks
//! the best way for the tensor's device, beside a reference in plain tensor operations that tests compare it with.
//!
//! # Nouns
//! - [`Weight`]: the weight `[out, in]` of a linear layer, resident on a device, in a [`WeightType`]: floats, or the
//!   blocks of a quantised file as they are;
//! - [`linear`]: activations times a weight;
//! - [`decode_attention`]: new tokens attend to their own sequence's keys and values in a shared cache;
//! - [`sampling`]: one token of each row of logits, under masks: the same one on every device;
//! - [`model`]: what a transformer does around and in its products, each in one launch on a GPU;
//! - [`cpu::Level`]: which vector instructions the native path uses. It is found out at run time: one binary serves
//!   AVX-512, AVX2, NEON and plain processors.
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
