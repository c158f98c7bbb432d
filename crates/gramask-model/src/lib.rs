//! The decoder-only transformer in Burn: checkpoints, tokenizers, chat templates, key/value cache.
