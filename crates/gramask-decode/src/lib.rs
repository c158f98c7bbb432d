//! Batch loop, sampler, strategies and traces.
