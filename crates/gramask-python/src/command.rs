//! The command line program.

use std::ffi::OsString;

use pyo3::prelude::*;

use crate::border::apart;

/// Runs the command line program; the first argument is its name. Returns the exit code.
#[pyfunction]
pub fn main(py: Python<'_>, arguments: Vec<OsString>) -> PyResult<u8> {
    apart(py, || gramask::cli::main_from(arguments))
}
