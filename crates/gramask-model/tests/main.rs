//! The tests of the model crate, in one executable.

mod checkpoint_common;
mod checkpoint_folder;
mod checkpoint_gguf;
mod checkpoint_quants;
mod tokenizer;
mod tokenizer_chat;
mod transformer_blocks;
mod transformer_golden;
mod transformer_gpu;
mod transformer_tiny;
mod transformer_variants;
mod tuning;
mod tuning_adapters;
