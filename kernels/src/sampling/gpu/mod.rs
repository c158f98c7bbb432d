//! The kernels in CubeCL, for every GPU.
//!
//! A row of logits is cut into parts of [`PART`] tokens, so that a batch of one keeps many cubes busy. A choice is these
//! launches, of which the first alone reads memory that no cache is likely to hold:
//!
//! | kernel | cubes | what it finds |
//! |---|---|---|
//! | `scan` | row x part | maxima, sums of exponentials, numbers of tokens |
//! | `cut` | row | where top-k and top-p cut; left out without them |
//! | `weigh` | row x part | the sum of the weights that are left; left out if nothing is drawn |
//! | `finish` | row | the sums over parts; the part, and in it the token, that the random number points at |
//! | `rank` | row x part | how many tokens are likelier than the chosen one |
//!
//! The parts do not depend on the batch. So neither do the scores, whose sums are of floats.

// Kernels take their operands one by one, and the kernel language has no assignment with an operation to an element.
#![allow(clippy::assign_op_pattern, clippy::too_many_arguments)]

mod arithmetic;
mod draw;
mod rank;
mod scan;
mod thresholds;

use super::SamplingOps;
use super::readback::{FIELDS as ROW_FIELDS, PART as PART_TOKENS, parts};
use super::settings::FixedPoint;
use burn::backend::TensorMetadata;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// Words that `scan` leaves of a part: the greatest key of the allowed tokens, the first token that has it, the sum of the
/// exponentials and their product sum (floats); greatest key, sum and product of the others; how many tokens are allowed,
/// and how many of them have NaN.
const SCANNED: u32 = 9;
/// Words that `weigh` leaves of a part: the weights above the cut, in two words, and how many tokens lie on the cut.
const WEIGHED: u32 = 3;
/// Words that `cut` leaves of a row: all tokens above a key stay, and of those that have it so many, the first ones.
const CUT: u32 = 2;
/// The most parts of a row.
const MOST_PARTS: usize = super::fixed_point::MOST_TOKENS / PART_TOKENS;
/// The tokens of a part.
const PART: u32 = PART_TOKENS as u32;
/// The fields of a row of the result.
const FIELDS: u32 = ROW_FIELDS as u32;
/// Bit rows without a zero, and the number of the row that stands for no constraint.
const ALL_ONES: u32 = 0xFFFF_FFFF;
/// The key of what cannot be chosen.
const UNUSABLE: u32 = 0;

/// The units of a cube, a power of two for the sums' trees, where each needs so many bytes of shared memory.
fn units(client: &Client, most: u32, bytes: usize) -> u32 {
    let hardware = &client.properties().hardware;
    let room = u32::try_from(hardware.max_shared_memory_size / bytes).unwrap_or(u32::MAX);
    let most = hardware.max_units_per_cube.min(most).min(room);
    1 << most.max(1).ilog2()
}

/// A row of words on the device of a tensor.
fn scratch(like: &CubeTensor, words: usize) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, Shape::new([words]), DType::I32)
}

fn type_of(tensor: &CubeTensor) -> cubecl::ir::ElemType {
    burn::backend::cubecl::dtype_to_storage_type(tensor.dtype)
}

/// The operands that most kernels share.
#[derive(Clone)]
struct Rows {
    logits: CubeTensor,
    table: CubeTensor,
    steps: CubeTensor,
    batch: usize,
    vocabulary: u32,
    words: u32,
    stride: u32,
}

impl Rows {
    fn new(logits: CubeTensor, table: CubeTensor, steps: CubeTensor) -> Self {
        let (logits, table, steps) = (into_contiguous(logits), into_contiguous(table), into_contiguous(steps));
        Rows {
            batch: logits.shape()[0],
            vocabulary: logits.shape()[1] as u32,
            words: table.shape()[1] as u32,
            stride: steps.shape()[1] as u32,
            logits,
            table,
            steps,
        }
    }
}

impl SamplingOps for CubeBackend {
    fn choose_rows(
        logits: FloatTensor<Self>,
        table: IntTensor<Self>,
        steps: IntTensor<Self>,
        fixed_point: Option<FixedPoint>,
    ) -> IntTensor<Self> {
        let rows = Rows::new(logits, table, steps);
        let Rows { logits, table, steps, batch, vocabulary, words, stride } = rows.clone();
        let (client, dtype) = (logits.client.clone(), type_of(&logits));
        let count = parts(vocabulary as usize);
        // `finish` has 12 words for each unit, and some for each part; `cut` has 6.
        let (few, many) = (units(&client, 256, 56), units(&client, 1024, 24));
        let by_part = CubeCount::Static(count as u32, batch as u32, 1);
        let by_row = CubeCount::Static(batch as u32, 1, 1);
        let scanned = scratch(&logits, batch * count * SCANNED as usize);
        let weighed = scratch(&logits, if fixed_point.is_some() { batch * count * WEIGHED as usize } else { 1 });
        let cuts = scratch(&logits, batch * CUT as usize);
        let width = ROW_FIELDS + count;
        let out = empty_device_contiguous_dtype(
            client.clone(),
            logits.device.clone(),
            Shape::new([batch, width]),
            DType::I32,
        );
        if batch == 0 {
            return out;
        }
        let row =
            || (logits.clone().into_buffer_arg(), table.clone().into_buffer_arg(), steps.clone().into_buffer_arg());
        // SAFETY: the kernels index with row, part and token numbers that they bound by the shapes given here, which are
        // those of the buffers; the rows of the table were checked.
        unsafe {
            let (a, b, c) = row();
            scan::scan::launch_unchecked(
                &client,
                by_part.clone(),
                CubeDim::new_1d(few),
                a,
                b,
                c,
                scanned.clone().into_buffer_arg(),
                vocabulary,
                words,
                stride,
                count as u32,
                few,
                dtype,
            );
            let is_cut =
                fixed_point.is_some_and(|fixed_point| fixed_point.most != u32::MAX || fixed_point.share.is_some());
            if let Some(fixed_point) = fixed_point {
                if is_cut {
                    let (a, b, c) = row();
                    thresholds::cut::launch_unchecked(
                        &client,
                        by_row.clone(),
                        CubeDim::new_1d(many),
                        a,
                        b,
                        c,
                        scanned.clone().into_buffer_arg(),
                        cuts.clone().into_buffer_arg(),
                        vocabulary,
                        words,
                        stride,
                        count as u32,
                        fixed_point.most,
                        fixed_point.share.unwrap_or(0),
                        fixed_point.units_per_logit,
                        many,
                        fixed_point.most != u32::MAX,
                        fixed_point.share.is_some(),
                        dtype,
                    );
                }
                let (a, b, c) = row();
                draw::weigh::launch_unchecked(
                    &client,
                    by_part.clone(),
                    CubeDim::new_1d(few),
                    a,
                    b,
                    c,
                    scanned.clone().into_buffer_arg(),
                    cuts.clone().into_buffer_arg(),
                    weighed.clone().into_buffer_arg(),
                    vocabulary,
                    words,
                    stride,
                    count as u32,
                    fixed_point.units_per_logit,
                    fixed_point.least_weight as u32,
                    (fixed_point.least_weight >> 32) as u32,
                    few,
                    is_cut,
                    dtype,
                );
            }
            let (a, b, c) = row();
            let seed = fixed_point.map_or(0, |fixed_point| fixed_point.seed);
            let least = fixed_point.map_or(0, |fixed_point| fixed_point.least_weight);
            draw::finish::launch_unchecked(
                &client,
                by_row,
                CubeDim::new_1d(few),
                a,
                b,
                c,
                scanned.into_buffer_arg(),
                cuts.into_buffer_arg(),
                weighed.into_buffer_arg(),
                out.clone().into_buffer_arg(),
                vocabulary,
                words,
                stride,
                count as u32,
                fixed_point.map_or(0.0, |fixed_point| fixed_point.units_per_logit),
                least as u32,
                (least >> 32) as u32,
                seed as u32,
                (seed >> 32) as u32,
                few,
                fixed_point.is_some(),
                is_cut,
                dtype,
            );
            rank::rank::launch_unchecked(
                &client,
                by_part,
                CubeDim::new_1d(few),
                logits.clone().into_buffer_arg(),
                out.clone().into_buffer_arg(),
                vocabulary,
                count as u32,
                few,
                dtype,
            );
        }
        out
    }
}
