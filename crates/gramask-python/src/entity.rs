//! Entities.

use gramask::ner;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

/// A label and the fragments of a text that bear it.
///
/// Offsets count characters as Python does (code points); a fragment is `text[start:end]`. `Entity(label, fragments=[(0, 6),
/// (19, 25)])` makes a discontinuous entity. Entities are immutable, and equal if label and fragments are.
///
/// Wherever the package takes an entity, it also takes a tuple `(label, start, end)` or `(label, [(start, end), ...])`, or a
/// dictionary with `label`, and `start` and `end` or `fragments`.
#[pyclass(frozen, eq, hash, module = "gramask")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Entity {
    inner: ner::Entity,
}

/// Fragments from numbers, sorted.
fn entity(label: String, fragments: Vec<(usize, usize)>) -> PyResult<ner::Entity> {
    if fragments.is_empty() {
        return Err(PyValueError::new_err(format!("entity `{label}` has no fragment: give start and end")));
    }
    if let Some((start, end)) = fragments.iter().find(|(start, end)| start >= end) {
        return Err(PyValueError::new_err(format!(
            "entity `{label}`: fragment {start}..{end} is empty or reversed: start must be below end"
        )));
    }
    let fragments = fragments.into_iter().map(|(start, end)| ner::Fragment::new(start, end)).collect();
    Ok(ner::Entity::discontinuous(label, fragments))
}

#[pymethods]
impl Entity {
    #[new]
    #[pyo3(signature = (label, start=None, end=None, *, fragments=None))]
    fn new(
        label: String,
        start: Option<usize>,
        end: Option<usize>,
        fragments: Option<Vec<(usize, usize)>>,
    ) -> PyResult<Entity> {
        let fragments = match (start, end, fragments) {
            (Some(start), Some(end), None) => vec![(start, end)],
            (None, None, Some(fragments)) => fragments,
            _ => return Err(PyTypeError::new_err("an entity takes `start` and `end`, or `fragments` alone")),
        };
        Ok(Entity { inner: entity(label, fragments)? })
    }

    /// The label.
    #[getter]
    fn label(&self) -> &str {
        &self.inner.label
    }

    /// The fragments as `(start, end)`, left to right.
    #[getter]
    fn fragments<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.inner.fragments.iter().map(|fragment| (fragment.start, fragment.end)))
    }

    /// The first character of the first fragment.
    #[getter]
    fn start(&self) -> usize {
        self.inner.start()
    }

    /// One past the last character of the last fragment.
    #[getter]
    fn end(&self) -> usize {
        self.inner.end()
    }

    /// The entity's text in its document, fragments joined by a space.
    fn text(&self, document: &str) -> PyResult<String> {
        let text = ner::Text::new(document);
        let of = |fragment: &ner::Fragment| {
            text.slice(*fragment).map(str::to_owned).ok_or_else(|| {
                let length = text.len();
                PyValueError::new_err(format!("fragment {fragment} lies outside the document of {length} characters"))
            })
        };
        Ok(self.inner.fragments.iter().map(of).collect::<PyResult<Vec<_>>>()?.join(" "))
    }

    fn __repr__(&self) -> String {
        let label = python_string(&self.inner.label);
        match self.inner.fragments[..] {
            [fragment] => format!("Entity({label}, {}, {})", fragment.start, fragment.end),
            ref fragments => {
                let fragments: Vec<String> =
                    fragments.iter().map(|fragment| format!("({}, {})", fragment.start, fragment.end)).collect();
                format!("Entity({label}, fragments=[{}])", fragments.join(", "))
            }
        }
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let partial = py.import("functools")?.getattr("partial")?;
        let fields = PyDict::new(py);
        fields.set_item("fragments", slf.get().fragments(py)?)?;
        let class: Bound<'py, PyType> = slf.get_type();
        Ok((partial.call((class,), Some(&fields))?, PyTuple::new(py, [slf.get().label()])?))
    }
}

/// A string as Python writes it, near enough for a display.
pub fn python_string(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"))
}

/// The entity that an object stands for.
fn from_object(object: &Bound<'_, PyAny>) -> PyResult<ner::Entity> {
    if let Ok(known) = object.cast::<Entity>() {
        return Ok(known.get().inner.clone());
    }
    if let Ok((label, start, end)) = object.extract::<(String, usize, usize)>() {
        return entity(label, vec![(start, end)]);
    }
    if let Ok((label, fragments)) = object.extract::<(String, Vec<(usize, usize)>)>() {
        return entity(label, fragments);
    }
    if let Ok(fields) = object.cast::<PyDict>()
        && let Some(label) = fields.get_item("label")?
    {
        let label: String = label.extract()?;
        if let Some(fragments) = fields.get_item("fragments")? {
            let pairs = fragments.try_iter()?.map(|fragment| pair(&fragment?)).collect::<PyResult<Vec<_>>>()?;
            return entity(label, pairs);
        }
        if let (Some(start), Some(end)) = (fields.get_item("start")?, fields.get_item("end")?) {
            return entity(label, vec![(start.extract()?, end.extract()?)]);
        }
    }
    let shown = object.repr().map_or_else(|_| "this object".into(), |shown| shown.to_string());
    Err(PyTypeError::new_err(format!(
        "{shown} is no entity: give gramask.Entity(label, start, end), a tuple (label, start, end) or (label, [(start, end), \
         ...]), or a dictionary with `label`, and `start` and `end` or `fragments`"
    )))
}

/// `(start, end)`, or a dictionary with both, as records of a run have it.
fn pair(fragment: &Bound<'_, PyAny>) -> PyResult<(usize, usize)> {
    match fragment.cast::<PyDict>() {
        Ok(fields) => match (fields.get_item("start")?, fields.get_item("end")?) {
            (Some(start), Some(end)) => Ok((start.extract()?, end.extract()?)),
            _ => Err(PyTypeError::new_err("a fragment is (start, end), or a dictionary with `start` and `end`")),
        },
        Err(_) => fragment.extract(),
    }
}

/// The entities of an iterable.
pub fn entities(objects: &Bound<'_, PyAny>) -> PyResult<Vec<ner::Entity>> {
    objects.try_iter()?.map(|object| from_object(&object?)).collect()
}

/// Entities for Python.
pub fn to_python<'py>(py: Python<'py>, entities: &[ner::Entity]) -> PyResult<Vec<Bound<'py, PyAny>>> {
    entities.iter().map(|inner| Entity { inner: inner.clone() }.into_bound_py_any(py)).collect()
}
