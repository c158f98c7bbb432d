//! Rows of packed masks in memory of others: NumPy arrays and PyTorch tensors of the CPU.
//!
//! The stable ABI has no buffers before Python 3.11. NumPy's `__array_interface__` says the same, and PyTorch's `numpy()`
//! shares the memory of a tensor.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// Rows of 32-bit words that belong to an object of Python. The object must be kept while the rows are in use.
pub struct Rows {
    start: *mut u32,
    /// How many rows there are.
    pub count: usize,
    /// The words of each row.
    pub words: usize,
    /// From one row to the next, in words.
    stride: isize,
    /// What keeps the memory: the object, or the array that shares it.
    _owner: Py<PyAny>,
}

// SAFETY: a pointer to memory that a Python object keeps; who uses it from several threads takes different rows.
unsafe impl Send for Rows {}
// SAFETY: as above.
unsafe impl Sync for Rows {}

const EXPECTED: &str =
    "expected a writable, contiguous NumPy array or PyTorch tensor of the CPU, of type int32 or uint32";

impl Rows {
    /// The memory of an array of one dimension (one row) or two (a row for each).
    ///
    /// # Errors
    /// `TypeError` for anything else, `ValueError` for rows with fewer than `needed` words.
    pub fn of(array: &Bound<'_, PyAny>, needed: usize) -> PyResult<Rows> {
        let owner = owner(array)?;
        let interface = owner.getattr("__array_interface__").map_err(|_| wrong(array, "it is no array"))?;
        let interface = interface.cast_into::<PyDict>()?;
        let field = |name: &str| {
            interface.get_item(name)?.ok_or_else(|| PyTypeError::new_err(format!("__array_interface__ has no {name}")))
        };
        let kind: String = field("typestr")?.extract()?;
        let native = if cfg!(target_endian = "little") { '<' } else { '>' };
        if !["i4", "u4"].iter().any(|word| kind == format!("{native}{word}")) {
            return Err(wrong(array, &format!("its type is {kind}")));
        }
        let (address, read_only): (usize, bool) = field("data")?.extract()?;
        if read_only {
            return Err(wrong(array, "it is read-only"));
        }
        let shape: Vec<usize> = field("shape")?.cast_into::<PyTuple>()?.extract()?;
        let strides: Option<Vec<isize>> = match interface.get_item("strides")? {
            Some(strides) => strides.extract()?,
            None => None,
        };
        let (count, words) = match shape[..] {
            [words] => (1, words),
            [count, words] => (count, words),
            _ => return Err(wrong(array, &format!("it has {} dimensions", shape.len()))),
        };
        if words < needed {
            return Err(PyValueError::new_err(format!(
                "a row has {words} words of 32 bits, and a mask of this vocabulary needs {needed}: give rows of at least \
                 {needed} words (`vocabulary.words`)"
            )));
        }
        let stride = match strides.as_deref() {
            None => words as isize,
            Some([.., last]) if *last != 4 && words > 1 => return Err(wrong(array, "its rows are not contiguous")),
            Some([first, _]) if first % 4 != 0 => return Err(wrong(array, "its rows are not aligned")),
            Some([first, _]) => first / 4,
            Some(_) => words as isize,
        };
        if count > 1 && stride.unsigned_abs() < words {
            return Err(wrong(array, "its rows overlap"));
        }
        if address % 4 != 0 {
            return Err(wrong(array, "it is not aligned"));
        }
        Ok(Rows { start: address as *mut u32, count, words, stride, _owner: owner.unbind() })
    }

    /// A row.
    ///
    /// # Safety
    /// No other slice of the same row may be in use, and the owner must not free or move its memory meanwhile.
    #[allow(clippy::mut_from_ref, reason = "the memory is not part of this value")]
    pub unsafe fn row(&self, index: usize) -> &mut [u32] {
        assert!(index < self.count, "row {index} of {}", self.count);
        // SAFETY: the array's shape and strides put `words` words at this address; the caller sees to the rest.
        unsafe { std::slice::from_raw_parts_mut(self.start.offset(index as isize * self.stride), self.words) }
    }
}

/// The array itself, or the NumPy array that shares a tensor's memory.
fn owner<'py>(array: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if !array.hasattr("data_ptr")? {
        return Ok(array.clone());
    }
    array.call_method0("numpy").map_err(|source| wrong(array, &source.value(array.py()).to_string()))
}

fn wrong(array: &Bound<'_, PyAny>, why: &str) -> PyErr {
    let kind = array.get_type().name().map_or_else(|_| "this object".into(), |name| name.to_string());
    PyTypeError::new_err(format!("{EXPECTED}; in this {kind}: {why}"))
}

/// A NumPy array of int32 with these numbers.
pub fn int32<'py>(py: Python<'py>, numbers: &[u32]) -> PyResult<Bound<'py, PyAny>> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
    // A bytearray is writable, so that the array is as well.
    let bytes = pyo3::types::PyByteArray::new(py, &bytes);
    py.import("numpy")?.call_method1("frombuffer", (bytes, "int32"))
}
