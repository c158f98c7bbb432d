//! A decoding step recorded once and replayed: a few hundred launches become one call.
//!
//! On CUDA the driver replays a recording (a "graph"). On WGPU the recorded launches are encoded again, without the tensor
//! library. Both replay the same launches on the same buffers. So everything that differs between steps must be in buffers
//! that stay: the tokens' ids, slots and positions, which are refreshed in place, the weights and the cache. A recording
//! belongs to one model, one cache and one number of rows, and is stored in the cache.
//!
//! Only decoding steps are recorded, in which every row has one new token.

use std::thread::{self, ThreadId};

use burn::backend::{Backend, BackendGraph, Dispatch};
use burn::tensor::Tensor;
use gramask_kernels::attention::fits_kernel;
use gramask_kernels::{TokenBatch, has_gpu_kernels};

use super::fused::Kernels;
use super::model::Transformer;
use super::step::Step;
use crate::cache::Cache;

/// Passes before the recording, as Burn's own `capture` makes them: kernels are compiled and tuned, and buffers are
/// allocated, before anything is recorded.
const WARM_UP: usize = 3;

/// A step of one model for so many rows.
#[derive(Debug)]
pub(crate) struct Recorded {
    model: u64,
    rows: usize,
    /// Recordings are replayed in the order of one thread's launches.
    thread: ThreadId,
    kernels: Kernels,
    batch: TokenBatch,
    /// Read by the recording, and kept for it. `[scopes]`
    _angles: Vec<Tensor<2>>,
    /// `None` where the device would not record; the step then runs as any other.
    graph: Option<(BackendGraph<Dispatch>, Tensor<2>)>,
}

impl Transformer {
    /// The step's logits `[rows, vocabulary]`, from a recording or from the passes that make one; `None` where the pass is
    /// not a decoding step or the device does not record.
    pub(super) fn replayed(
        &self,
        cache: &mut Cache,
        step: &Step,
        ids: &[usize],
        kernels: Kernels,
    ) -> Option<Tensor<2>> {
        let in_kernels = kernels.rotary && kernels.attention && has_gpu_kernels(&self.device);
        // Where the kernel does not fit the heads, attention reads positions on the host, which a recording would repeat.
        if !in_kernels || !fits_kernel(self.config.head_width) || step.spans.iter().any(|span| span.tokens != 1) {
            return None;
        }
        let (slots, positions) = step.slots_and_positions();
        let found = cache.take_recorded(|recorded| {
            let same = (recorded.model, recorded.rows, recorded.kernels) == (self.number, ids.len(), kernels);
            same && recorded.thread == thread::current().id()
        });
        let recorded = match found {
            Some(mut recorded) => {
                if recorded.graph.is_some() {
                    recorded.batch.refresh(ids, &slots, &positions);
                }
                recorded
            }
            None => self.record(cache, step, TokenBatch::new(ids, &slots, &positions, &self.device), kernels),
        };
        let logits = recorded.graph.as_ref().and_then(|(graph, logits)| {
            // SAFETY: the weights are this model's (by number) and keys and values this cache's, which holds the recording and
            // writes its tensors in place; batch, angles and logits are the recording's own. The thread is the one
            // that recorded, so all are used in the order of its launches.
            let done = unsafe { Dispatch::graph_replay(self.device.as_dispatch(), graph) };
            // The next replay overwrites the recording's logits, so the caller gets others.
            done.is_ok().then(|| logits.clone().mul_scalar(1.0))
        });
        cache.keep_recorded(recorded);
        logits
    }

    fn record(&self, cache: &mut Cache, step: &Step, batch: TokenBatch, kernels: Kernels) -> Recorded {
        let pass = self.pass(cache, &step.spans, kernels);
        let device = self.device.as_dispatch();
        // Each pass writes the same numbers to the same batch of the cache: as often as one likes.
        let mut graph = None;
        if Dispatch::graph_prepare(device).is_ok() {
            for _ in 0..WARM_UP {
                let logits = self.layers(cache, &batch, &pass, None);
                // Alive until all is done, so that the recorded pass finds the same buffers free.
                let _ = Dispatch::sync(device);
                drop(logits);
            }
            if Dispatch::graph_start_capture(device).is_ok() {
                let logits = self.layers(cache, &batch, &pass, None);
                graph = Dispatch::graph_stop_capture(device).ok().map(|graph| (graph, logits));
            }
        }
        Recorded {
            model: self.number,
            rows: batch.tokens(),
            thread: thread::current().id(),
            kernels,
            batch,
            _angles: pass.scopes.into_iter().map(|scoped| scoped.angles).collect(),
            graph,
        }
    }
}
