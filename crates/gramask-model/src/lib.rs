//! The decoder-only transformer in Burn: checkpoints, tokenizers, chat templates, key/value cache.

pub mod cache;
pub mod chat;
pub mod checkpoint;
pub mod device;
pub mod tokenizer;
pub mod transformer;
