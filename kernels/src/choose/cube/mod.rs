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

mod cut;
mod finish;
mod scan;
mod simple;
mod wide;

use super::ChooseOps;
use super::settings::Reckoning;
use super::wire::{FIELDS as ROW_FIELDS, PART as PART_TOKENS, parts};
use burn::backend::TensorMetadata;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
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
const MOST_PARTS: usize = super::integer::MOST_TOKENS / PART_TOKENS;
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

impl ChooseOps for CubeBackend {
    fn choose_rows(
        logits: FloatTensor<Self>,
        table: IntTensor<Self>,
        steps: IntTensor<Self>,
        reckoning: Option<Reckoning>,
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
        let weighed = scratch(&logits, if reckoning.is_some() { batch * count * WEIGHED as usize } else { 1 });
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
            let is_cut = reckoning.is_some_and(|reckoning| reckoning.most != u32::MAX || reckoning.share.is_some());
            if let Some(reckoning) = reckoning {
                if is_cut {
                    let (a, b, c) = row();
                    cut::cut::launch_unchecked(
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
                        reckoning.most,
                        reckoning.share.unwrap_or(0),
                        reckoning.units_per_logit,
                        many,
                        reckoning.most != u32::MAX,
                        reckoning.share.is_some(),
                        dtype,
                    );
                }
                let (a, b, c) = row();
                finish::weigh::launch_unchecked(
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
                    reckoning.units_per_logit,
                    reckoning.least_weight as u32,
                    (reckoning.least_weight >> 32) as u32,
                    few,
                    is_cut,
                    dtype,
                );
            }
            let (a, b, c) = row();
            let seed = reckoning.map_or(0, |reckoning| reckoning.seed);
            let least = reckoning.map_or(0, |reckoning| reckoning.least_weight);
            finish::finish::launch_unchecked(
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
                reckoning.map_or(0.0, |reckoning| reckoning.units_per_logit),
                least as u32,
                (least >> 32) as u32,
                seed as u32,
                (seed >> 32) as u32,
                few,
                reckoning.is_some(),
                is_cut,
                dtype,
            );
            simple::rank::launch_unchecked(
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

    fn mask_rows(logits: FloatTensor<Self>, table: IntTensor<Self>, steps: IntTensor<Self>) -> FloatTensor<Self> {
        let rows = Rows::new(logits, table, steps);
        let (client, device) = (rows.logits.client.clone(), rows.logits.device.clone());
        let dtype = type_of(&rows.logits);
        let (shape, kind) = (rows.logits.shape().clone(), rows.logits.dtype);
        let out = empty_device_contiguous_dtype(client.clone(), device, shape, kind);
        let count = rows.batch * rows.vocabulary as usize;
        if count == 0 {
            return out;
        }
        let dim = CubeDim::new(&client, count);
        let cubes = calculate_cube_count_elemwise(&client, count, dim);
        // SAFETY: as above; a unit beyond the output ends at once.
        unsafe {
            simple::mask::launch_unchecked(
                &client,
                cubes,
                dim,
                rows.logits.into_buffer_arg(),
                rows.table.into_buffer_arg(),
                rows.steps.into_buffer_arg(),
                out.clone().into_buffer_arg(),
                rows.vocabulary,
                rows.words,
                dtype,
            );
        }
        out
    }

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
            simple::verify::launch_unchecked(
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
