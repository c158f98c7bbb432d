//! The tests of decoding: one module for each subject, in one executable.

mod aligned;
mod batch;
mod beam;
mod budget;
mod canonical;
mod distribution;
mod formats;
mod masked;
mod moves;
mod multi_token;
mod on_device;
mod prompt;
mod prompt_store;
mod retry;
mod sampler;
mod support;
mod transformer;
