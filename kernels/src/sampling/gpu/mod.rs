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
mod weigh;

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

/// A choice: its operands, and the memory that its launches share.
struct Choice {
    rows: Rows,
    fixed_point: Option<FixedPoint>,
    client: Client,
    dtype: cubecl::ir::ElemType,
    parts: usize,
    /// Units of most cubes, and of those of `cut`.
    few: u32,
    many: u32,
    scanned: CubeTensor,
    weighed: CubeTensor,
    cuts: CubeTensor,
    out: CubeTensor,
}

impl Choice {
    fn new(rows: Rows, fixed_point: Option<FixedPoint>) -> Self {
        let (client, device) = (rows.logits.client.clone(), rows.logits.device.clone());
        let (parts, batch) = (parts(rows.vocabulary as usize), rows.batch);
        let out = Shape::new([batch, ROW_FIELDS + parts]);
        Choice {
            dtype: type_of(&rows.logits),
            // `finish` has 12 words for each unit, and some for each part; `cut` has 6.
            few: units(&client, 256, 56),
            many: units(&client, 1024, 24),
            scanned: scratch(&rows.logits, batch * parts * SCANNED as usize),
            weighed: scratch(&rows.logits, if fixed_point.is_some() { batch * parts * WEIGHED as usize } else { 1 }),
            cuts: scratch(&rows.logits, batch * CUT as usize),
            out: empty_device_contiguous_dtype(client.clone(), device, out, DType::I32),
            rows,
            fixed_point,
            client,
            parts,
        }
    }

    /// Whether top-k or top-p cut.
    fn is_cut(&self) -> bool {
        self.fixed_point.is_some_and(|fixed_point| fixed_point.most != u32::MAX || fixed_point.share.is_some())
    }

    fn by_part(&self) -> CubeCount {
        CubeCount::Static(self.parts as u32, self.rows.batch as u32, 1)
    }

    fn by_row(&self) -> CubeCount {
        CubeCount::Static(self.rows.batch as u32, 1, 1)
    }

    // The kernels below index with row, part and token numbers that they bound by the shapes given to them, which are those of
    // the buffers. The rows of the table were checked.

    fn scan(&self) {
        let Rows { logits, table, steps, vocabulary, words, stride, .. } = self.rows.clone();
        // SAFETY: as said above.
        unsafe {
            scan::scan::launch_unchecked(
                &self.client,
                self.by_part(),
                CubeDim::new_1d(self.few),
                logits.into_buffer_arg(),
                table.into_buffer_arg(),
                steps.into_buffer_arg(),
                self.scanned.clone().into_buffer_arg(),
                vocabulary,
                words,
                stride,
                self.parts as u32,
                self.few,
                self.dtype,
            );
        }
    }

    fn cut(&self, fixed_point: &FixedPoint) {
        let Rows { logits, table, steps, vocabulary, words, stride, .. } = self.rows.clone();
        // SAFETY: as said above.
        unsafe {
            thresholds::cut::launch_unchecked(
                &self.client,
                self.by_row(),
                CubeDim::new_1d(self.many),
                logits.into_buffer_arg(),
                table.into_buffer_arg(),
                steps.into_buffer_arg(),
                self.scanned.clone().into_buffer_arg(),
                self.cuts.clone().into_buffer_arg(),
                vocabulary,
                words,
                stride,
                self.parts as u32,
                fixed_point.most,
                fixed_point.share.unwrap_or(0),
                fixed_point.units_per_logit,
                self.many,
                fixed_point.most != u32::MAX,
                fixed_point.share.is_some(),
                self.dtype,
            );
        }
    }

    fn weigh(&self, fixed_point: &FixedPoint) {
        let Rows { logits, table, steps, vocabulary, words, stride, .. } = self.rows.clone();
        // SAFETY: as said above.
        unsafe {
            weigh::weigh::launch_unchecked(
                &self.client,
                self.by_part(),
                CubeDim::new_1d(self.few),
                logits.into_buffer_arg(),
                table.into_buffer_arg(),
                steps.into_buffer_arg(),
                self.scanned.clone().into_buffer_arg(),
                self.cuts.clone().into_buffer_arg(),
                self.weighed.clone().into_buffer_arg(),
                vocabulary,
                words,
                stride,
                self.parts as u32,
                fixed_point.units_per_logit,
                fixed_point.least_weight as u32,
                (fixed_point.least_weight >> 32) as u32,
                self.few,
                self.is_cut(),
                self.dtype,
            );
        }
    }

    fn finish(&self) {
        let Rows { logits, table, steps, vocabulary, words, stride, .. } = self.rows.clone();
        let seed = self.fixed_point.map_or(0, |fixed_point| fixed_point.seed);
        let least = self.fixed_point.map_or(0, |fixed_point| fixed_point.least_weight);
        // SAFETY: as said above.
        unsafe {
            draw::finish::launch_unchecked(
                &self.client,
                self.by_row(),
                CubeDim::new_1d(self.few),
                logits.into_buffer_arg(),
                table.into_buffer_arg(),
                steps.into_buffer_arg(),
                self.scanned.clone().into_buffer_arg(),
                self.cuts.clone().into_buffer_arg(),
                self.weighed.clone().into_buffer_arg(),
                self.out.clone().into_buffer_arg(),
                vocabulary,
                words,
                stride,
                self.parts as u32,
                self.fixed_point.map_or(0.0, |fixed_point| fixed_point.units_per_logit),
                least as u32,
                (least >> 32) as u32,
                seed as u32,
                (seed >> 32) as u32,
                self.few,
                self.fixed_point.is_some(),
                self.is_cut(),
                self.dtype,
            );
        }
    }

    fn rank(&self) {
        // SAFETY: as said above.
        unsafe {
            rank::rank::launch_unchecked(
                &self.client,
                self.by_part(),
                CubeDim::new_1d(self.few),
                self.rows.logits.clone().into_buffer_arg(),
                self.out.clone().into_buffer_arg(),
                self.rows.vocabulary,
                self.parts as u32,
                self.few,
                self.dtype,
            );
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
        let choice = Choice::new(Rows::new(logits, table, steps), fixed_point);
        if choice.rows.batch == 0 {
            return choice.out;
        }
        choice.scan();
        if let Some(fixed_point) = &choice.fixed_point {
            if choice.is_cut() {
                choice.cut(fixed_point);
            }
            choice.weigh(fixed_point);
        }
        choice.finish();
        choice.rank();
        choice.out
    }
}
