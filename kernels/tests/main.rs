//! The tests of the kernels, in one executable.

#![allow(clippy::print_stdout, reason = "tests say what they skip")]

mod attention;
mod checks;
mod fused;
mod linear;
mod sampling;
mod support;
mod weight_blocks;
