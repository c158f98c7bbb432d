//! Verification of drafts on a GPU.

#![allow(clippy::assign_op_pattern, reason = "the notation of kernels")]

use super::VerifyOps;
use burn::backend::TensorMetadata;
use burn::backend::tensor::IntTensor;
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

/// The longest agreeing head of each draft, and the choice after it. A unit is one draft.
#[cube(launch_unchecked)]
fn verify_kernel(tokens: &[u32], drafts: &[u32], out: &mut [u32], batch: u32, width: u32) {
    let draft = ABSOLUTE_POS as u32;
    if draft >= batch {
        terminate!();
    }
    let from = (draft * width) as usize;
    let first = drafts[from];
    let length = drafts[from + 1usize];
    let mut accepted = 0u32;
    let mut agrees = true;
    let mut at = 0u32;
    while at < length {
        if drafts[from + (2u32 + at) as usize] != tokens[(first + at) as usize] {
            agrees = false;
        }
        if agrees {
            accepted += 1u32;
        }
        at += 1u32;
    }
    out[(2u32 * draft) as usize] = accepted;
    out[(2u32 * draft + 1u32) as usize] = tokens[(first + accepted) as usize];
}

impl VerifyOps for CubeBackend {
    fn verify_rows(tokens: IntTensor<Self>, drafts: IntTensor<Self>) -> IntTensor<Self> {
        let (tokens, drafts) = (into_contiguous(tokens), into_contiguous(drafts));
        let (client, device) = (tokens.client.clone(), tokens.device.clone());
        let (batch, width) = (drafts.shape()[0], drafts.shape()[1]);
        let out = empty_device_contiguous_dtype(client.clone(), device, Shape::new([batch, 2]), DType::I32);
        if batch == 0 {
            return out;
        }
        let dim = CubeDim::new(&client, batch);
        let cubes = calculate_cube_count_elemwise(&client, batch, dim);
        // SAFETY: `verify_draft` has made the drafts' rows so that all their choices lie in `tokens`; a unit beyond the
        // output ends at once.
        unsafe {
            verify_kernel::launch_unchecked(
                &client,
                cubes,
                dim,
                tokens.into_buffer_arg(),
                drafts.into_buffer_arg(),
                out.clone().into_buffer_arg(),
                batch as u32,
                width as u32,
            );
        }
        out
    }
}
