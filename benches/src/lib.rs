//! Criterion benches: masks, kernels, decoding, loading.
