//! A checkpoint's tensors with an adapter added: `W + scale * B * A` for each target.

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use super::TuningError;
use super::adapter::{Adapter, Pair};
use crate::checkpoint::{BlockType, Checkpoint, CheckpointError, TensorSource};

/// A model's tensors with an adapter merged into them.
struct Merged {
    base: Box<dyn TensorSource + Send + Sync>,
    adapter: Adapter,
}

impl Adapter {
    /// The checkpoint with this adapter merged into its weights. Tensors that the adapter leaves alone are as they were, blocks
    /// included; the others are floats, which [`WeightChoice::Stored`](crate::transformer::WeightChoice::Stored) keeps in
    /// `f16`.
    ///
    /// # Errors
    /// As [`Adapter::check`].
    pub fn merge(self, checkpoint: Checkpoint) -> Result<Checkpoint, TuningError> {
        self.check(&checkpoint.config)?;
        let merged = Merged { base: checkpoint.tensors, adapter: self };
        Ok(Checkpoint { tensors: Box::new(merged), ..checkpoint })
    }
}

impl TensorSource for Merged {
    fn names(&self) -> Vec<String> {
        self.base.names()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.base.shape(name)
    }

    fn stored_as(&self, name: &str) -> Option<&'static str> {
        match self.adapter.of_tensor(name) {
            Some(_) => Some(BlockType::F16.name()),
            None => self.base.stored_as(name),
        }
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        let mut weight = self.base.read_f32(name)?;
        if let Some(pair) = self.adapter.of_tensor(name) {
            add(&mut weight, pair, self.adapter.rank_of(pair), self.adapter.lora.scale());
        }
        Ok(weight)
    }

    fn read_f16(&self, name: &str) -> Result<Vec<f16>, CheckpointError> {
        if self.adapter.of_tensor(name).is_none() {
            return self.base.read_f16(name);
        }
        let merged = self.read_f32(name)?;
        let mut rounded = vec![f16::ZERO; merged.len()];
        rounded.convert_from_f32_slice(&merged);
        Ok(rounded)
    }

    fn read_blocks(&self, name: &str) -> Option<(BlockType, Vec<u8>)> {
        match self.adapter.of_tensor(name) {
            Some(_) => None,
            None => self.base.read_blocks(name),
        }
    }
}

/// Adds `scale * B * A` to a matrix `[out, in]`.
fn add(weight: &mut [f32], pair: &Pair, rank: usize, scale: f64) {
    let inputs = pair.a.len() / rank.max(1);
    let rows = weight.par_chunks_exact_mut(inputs.max(1)).zip(pair.b.par_chunks_exact(rank.max(1)));
    rows.for_each(|(row, b)| {
        let mut sum = vec![0.0f64; row.len()];
        for (&b, a) in b.iter().zip(pair.a.chunks_exact(inputs)) {
            sum.iter_mut().zip(a).for_each(|(sum, &a)| *sum += f64::from(b) * f64::from(a));
        }
        row.iter_mut().zip(&sum).for_each(|(w, sum)| *w += (scale * sum) as f32);
    });
}
