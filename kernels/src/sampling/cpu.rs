//! The operations on the CPU back end.

use super::SamplingOps;
use super::chooser::Chooser;
use super::draw::Draw;
use super::error::NoChoice;
use super::fixed_point::key;
use super::pick::Summed;
use super::readback::{DRAW_WORDS, FIELDS, NO_TOKEN, parts};
use super::settings::FixedPoint;
use burn::tensor::{DType, TensorData};
use burn_flex::{Flex, FlexTensor};
use rayon::prelude::*;

/// From so many logits on, rows go to several threads.
const WORTH_A_THREAD: usize = 64 * 1024;

/// The words of an integer tensor, unsigned.
pub(crate) fn words(tensor: &FlexTensor) -> Vec<u32> {
    let tensor = tensor.to_contiguous();
    match tensor.dtype() {
        DType::U32 => tensor.storage::<u32>().to_vec(),
        _ => tensor.storage::<i32>().iter().map(|word| *word as u32).collect(),
    }
}

/// The masks of a batch.
struct Rows {
    table: Vec<u32>,
    width: usize,
}

impl Rows {
    fn new(table: &FlexTensor) -> Self {
        Rows { width: table.layout().shape()[1], table: words(table) }
    }

    /// The mask of a row number; `None`: no constraint.
    fn get(&self, row: u32) -> Option<&[u32]> {
        let start = row as usize * self.width;
        self.table.get(start..start + self.width)
    }
}

impl SamplingOps for Flex {
    fn choose_rows(
        logits: FlexTensor,
        table: FlexTensor,
        steps: FlexTensor,
        fixed_point: Option<FixedPoint>,
    ) -> FlexTensor {
        let logits = logits.to_contiguous();
        let [batch, vocabulary] = [logits.layout().shape()[0], logits.layout().shape()[1]];
        let (masks, steps) = (Rows::new(&table), words(&steps));
        let step_words = if fixed_point.is_some() { DRAW_WORDS } else { 1 };
        let width = FIELDS + parts(vocabulary);
        let mut out = vec![0i32; batch * width];
        let work = |((row, step), out): ((&[f32], &[u32]), &mut [i32])| {
            let mut chooser = Chooser::with(fixed_point);
            choose(&mut chooser, row, masks.get(step[0]), step, out);
        };
        let values = logits.storage::<f32>();
        if batch > 1 && batch * vocabulary >= WORTH_A_THREAD {
            let rows = values.par_chunks_exact(vocabulary).zip(steps.par_chunks_exact(step_words));
            rows.zip(out.par_chunks_exact_mut(width)).for_each(work);
        } else {
            let rows = values.chunks_exact(vocabulary).zip(steps.chunks_exact(step_words));
            rows.zip(out.chunks_exact_mut(width)).for_each(work);
        }
        FlexTensor::from_data(TensorData::new(out, [batch, width]))
    }
}

/// Chooses for one row and writes what comes back of it.
fn choose(chooser: &mut Chooser, logits: &[f32], mask: Option<&[u32]>, step: &[u32], out: &mut [i32]) {
    let draw = match *step {
        [_, a, b, c, d] => {
            Draw { document: u64::from(a) | u64::from(b) << 32, position: u64::from(c) | u64::from(d) << 32 }
        }
        // Nothing is drawn.
        _ => Draw { document: 0, position: 0 },
    };
    match chooser.find(logits, mask, draw) {
        Ok(found) => {
            let token = [found.token, found.best, key(found.logit)];
            out[..3].copy_from_slice(&token.map(|word| word as i32));
            put(found.kept, &mut out[3..6]);
            put(found.whole, &mut out[6..9]);
            out[FIELDS] = found.rank as i32;
        }
        Err(NoChoice { allowed, nan }) => {
            out[0] = NO_TOKEN as i32;
            out[9..11].copy_from_slice(&[allowed as i32, nan as i32]);
        }
    }
}

fn put(summed: Summed, out: &mut [i32]) {
    let Summed { max, moments } = summed;
    let words = [key(max), (moments.sum as f32).to_bits(), (moments.product as f32).to_bits()];
    out.copy_from_slice(&words.map(|word| word as i32));
}
