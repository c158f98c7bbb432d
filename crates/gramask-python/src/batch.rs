//! Masks of many states at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use gramask::grammar;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use rayon::prelude::*;

use crate::border::apart;
use crate::constraint::{Shared, State, lock};
use crate::errors::{Kind, error};
use crate::memory::Rows;

/// So many masks are made between two looks at Ctrl-C: at most some tenths of a second.
const AT_ONCE: usize = 256;

/// Fills the masks of many states, in threads, without holding the interpreter's lock.
///
/// States of different constraints are worked on at the same time; states of one constraint take turns, since they share what was
/// computed. `threads` defaults to the number of processors. After a fork, the child makes its own threads.
#[pyclass(frozen, module = "gramask")]
pub struct Batch {
    threads: usize,
    pool: Mutex<Pool>,
}

/// Threads, and the process that they run in: a fork has none of them.
struct Pool {
    threads: Arc<rayon::ThreadPool>,
    process: u32,
}

impl Pool {
    /// 0 is rayon's own choice.
    fn new(threads: usize) -> PyResult<Pool> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let threads = Arc::new(pool.map_err(|source| error(Kind::Internal, source))?);
        Ok(Pool { threads, process: std::process::id() })
    }
}

impl Batch {
    /// The threads of this process.
    fn pool(&self) -> PyResult<Arc<rayon::ThreadPool>> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.process != std::process::id() {
            let before = std::mem::replace(&mut *pool, Pool::new(self.threads)?);
            // It would wait for threads that are not there.
            std::mem::forget(before);
        }
        Ok(Arc::clone(&pool.threads))
    }
}

/// A state to make a mask of: its place in the batch, the state, and the budget.
type Task = (usize, grammar::State, Option<usize>);

#[pymethods]
impl Batch {
    #[new]
    #[pyo3(signature = (threads=None))]
    fn new(threads: Option<usize>) -> PyResult<Batch> {
        if threads == Some(0) {
            return Err(PyValueError::new_err("threads must be at least 1"));
        }
        let threads = threads.unwrap_or(0);
        Ok(Batch { threads, pool: Mutex::new(Pool::new(threads)?) })
    }

    /// Writes the mask of `states[i]` into `rows[i]`, as `Constraint.fill_mask` does. `rows` has two dimensions, and at least as
    /// many rows as there are states. `budgets` is one number for all states, or one for each.
    #[pyo3(signature = (states, rows, *, budgets=None))]
    fn fill_masks(
        &self,
        py: Python<'_>,
        states: Vec<PyRef<'_, State>>,
        rows: &Bound<'_, PyAny>,
        budgets: Option<Budgets>,
    ) -> PyResult<()> {
        let parts: Vec<_> = states.iter().map(|state| state.parts()).collect();
        let rows = Rows::of(rows, parts.iter().map(|(_, _, words)| *words).max().unwrap_or(0))?;
        if rows.count < parts.len() {
            let (rows, states) = (rows.count, parts.len());
            return Err(PyValueError::new_err(format!("{rows} rows for {states} states: give a row for each state")));
        }
        let budgets = Budgets::each(budgets, parts.len())?;
        let pool = self.pool()?;
        for (first, chunk) in parts.chunks(AT_ONCE).enumerate() {
            let mut groups: HashMap<*const (), (Shared, Vec<Task>)> = HashMap::new();
            for (place, (engine, state, _)) in chunk.iter().enumerate() {
                let place = first * AT_ONCE + place;
                let group =
                    groups.entry(Arc::as_ptr(engine).cast()).or_insert_with(|| (Arc::clone(engine), Vec::new()));
                group.1.push((place, *state, budgets[place]));
            }
            let groups: Vec<_> = groups.into_values().collect();
            let done = apart(py, || {
                pool.install(|| groups.par_iter().map(|(engine, tasks)| fill(engine, tasks, &rows)).collect())
            })?;
            let done: Result<Vec<()>, &'static str> = done;
            done.map_err(|why| error(Kind::Internal, why))?;
            py.check_signals()?;
        }
        Ok(())
    }

    /// The states after one token each. Raises TokenError at the first token that may not follow.
    fn advance(&self, py: Python<'_>, states: Vec<PyRef<'_, State>>, tokens: Vec<u32>) -> PyResult<Vec<State>> {
        if states.len() != tokens.len() {
            let (states, tokens) = (states.len(), tokens.len());
            return Err(PyValueError::new_err(format!("{tokens} tokens for {states} states: give one for each state")));
        }
        states.iter().zip(tokens).map(|(state, token)| state.after(py, token)).collect()
    }

    /// The number of threads.
    #[getter]
    fn threads(&self) -> PyResult<usize> {
        Ok(self.pool()?.current_num_threads())
    }

    fn __repr__(&self) -> PyResult<String> {
        Ok(format!("<gramask.Batch of {} threads>", self.threads()?))
    }
}

/// Fills the rows of the states of one constraint.
fn fill(engine: &Shared, tasks: &[Task], rows: &Rows) -> Result<(), &'static str> {
    let mut engine = lock(engine)?;
    for &(place, state, budget) in tasks {
        // SAFETY: each state has a row of its own.
        engine.fill(state, budget, unsafe { rows.row(place) });
    }
    Ok(())
}

/// One budget, or one for each state.
enum Budgets {
    One(usize),
    Each(Vec<usize>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Budgets {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Budgets> {
        if let Ok(budget) = object.extract() {
            return Ok(Budgets::One(budget));
        }
        let wrong = |_| PyTypeError::new_err("expected a number of tokens, or a list with one for each state");
        object.extract().map(Budgets::Each).map_err(wrong)
    }
}

impl Budgets {
    fn each(budgets: Option<Budgets>, count: usize) -> PyResult<Vec<Option<usize>>> {
        match budgets {
            None => Ok(vec![None; count]),
            Some(Budgets::One(budget)) => Ok(vec![Some(budget); count]),
            Some(Budgets::Each(budgets)) if budgets.len() == count => Ok(budgets.into_iter().map(Some).collect()),
            Some(Budgets::Each(budgets)) => {
                let budgets = budgets.len();
                Err(PyValueError::new_err(format!("{budgets} budgets for {count} states: give one, or one for each")))
            }
        }
    }
}
