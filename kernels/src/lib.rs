//! Masking, sampling and matrix kernels: CubeCL for every GPU, a native path for the CPU.
