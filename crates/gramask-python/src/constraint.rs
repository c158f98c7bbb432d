//! Constraints and their states.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, TryLockError};

use gramask::grammar::{self, Mask, tokens_of};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use rustc_hash::FxHashMap;

use crate::border::apart;
use crate::errors::{Kind, error};
use crate::memory::{Rows, int32};
use crate::vocabulary::Vocabulary;

/// The engine of a constraint, and by which way each state was reached first.
pub struct Engine {
    pub constraint: grammar::Constraint,
    origins: FxHashMap<grammar::State, (grammar::State, Step)>,
}

/// What leads from a state to the next one.
#[derive(Clone)]
enum Step {
    Token(u32),
    Bytes(Vec<u8>),
}

/// Shared with the threads of a batch.
pub type Shared = Arc<Mutex<Engine>>;

/// Says at each state which tokens may follow. `Format.constraint` and `Grammar.constraint` make one.
///
/// One constraint serves any number of sequences over the same document, and keeps what it computed. Its methods can be called
/// from several threads; they take turns. A pickle holds the recipe (format, labels, text, level, vocabulary) and no masks.
#[pyclass(frozen, module = "gramask", weakref)]
pub struct Constraint {
    engine: Shared,
    vocabulary: Py<Vocabulary>,
    /// The format or the grammar, and the arguments that its method `constraint` was called with.
    recipe: Recipe,
}

/// How to make a constraint again.
pub struct Recipe {
    /// The object with a method `constraint`.
    pub maker: Py<PyAny>,
    /// In words, for displays.
    pub name: String,
    /// The document's text; none for a plain grammar.
    pub text: Option<String>,
    pub labels: Vec<String>,
    pub level: grammar::Level,
}

/// Where a sequence is. Immutable, hashable, and as small as a pointer and a number, so that a beam or a way back costs nothing.
///
/// States of one constraint are equal if they allow the same outputs to follow. A pickle holds the constraint's recipe and the
/// bytes that lead to the state; unpickled together, states share one constraint again.
#[pyclass(frozen, module = "gramask", weakref)]
pub struct State {
    owner: Py<Constraint>,
    inner: grammar::State,
}

/// Locks an engine. After a panic its tables can't be trusted any more.
pub fn lock<'a>(engine: &'a Mutex<Engine>) -> Result<std::sync::MutexGuard<'a, Engine>, &'static str> {
    engine.lock().map_err(|_| "an earlier call to this constraint failed: make it again")
}

impl Constraint {
    pub fn new(constraint: grammar::Constraint, vocabulary: Py<Vocabulary>, recipe: Recipe) -> Constraint {
        let engine = Engine { constraint, origins: FxHashMap::default() };
        Constraint { engine: Arc::new(Mutex::new(engine)), vocabulary, recipe }
    }

    /// Works on the engine while other threads of Python may run.
    fn work<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Engine) -> T + Send) -> PyResult<T> {
        let engine = &self.engine;
        let done = apart(py, || lock(engine).map(|mut engine| work(&mut engine)))?;
        done.map_err(|why| error(Kind::Internal, why))
    }

    /// Work of less than a microsecond, for which other threads need not be let in.
    fn glance<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Engine) -> T + Send) -> PyResult<T> {
        match self.engine.try_lock() {
            Ok(mut engine) => Ok(work(&mut engine)),
            Err(TryLockError::WouldBlock) => self.work(py, work),
            Err(TryLockError::Poisoned(_)) => self.work(py, work),
        }
    }

    /// The engine's state of a state of this constraint.
    fn own(slf: &Bound<'_, Self>, state: &State) -> PyResult<grammar::State> {
        match state.owner.is(slf) {
            true => Ok(state.inner),
            false => Err(PyValueError::new_err("this state belongs to another constraint")),
        }
    }

    fn state(slf: &Bound<'_, Self>, inner: grammar::State) -> State {
        State { owner: slf.clone().unbind(), inner }
    }
}

impl Engine {
    fn advance(&mut self, state: grammar::State, token: u32) -> Option<grammar::State> {
        let next = self.constraint.advance(state, token)?;
        self.reached(next, state, || Step::Token(token));
        Some(next)
    }

    fn reached(&mut self, next: grammar::State, from: grammar::State, step: impl FnOnce() -> Step) {
        if next != self.constraint.start() {
            self.origins.entry(next).or_insert_with(|| (from, step()));
        }
    }

    /// The bytes that lead to a state, and whether an end token came after them.
    fn path(&self, mut state: grammar::State) -> (Vec<u8>, bool) {
        let ended = state == grammar::Constraint::ENDED;
        let (mut parts, vocabulary) = (Vec::new(), self.constraint.vocabulary());
        while let Some((from, step)) = self.origins.get(&state) {
            parts.push(match step {
                Step::Token(token) => vocabulary.text(*token).unwrap_or_default(),
                Step::Bytes(bytes) => bytes,
            });
            state = *from;
        }
        (parts.into_iter().rev().flatten().copied().collect(), ended)
    }

    /// The mask as a bit row, within a budget if there is one.
    pub fn fill(&mut self, state: grammar::State, budget: Option<usize>, row: &mut [u32]) {
        let words = self.constraint.vocabulary().words();
        let (row, rest) = row.split_at_mut(words);
        rest.fill(0);
        match budget {
            Some(budget) => row.copy_from_slice(self.constraint.mask_within(state, budget)),
            None => self.constraint.copy_mask(state, row),
        }
    }

    fn allowed(&mut self, state: grammar::State, budget: Option<usize>) -> Vec<u32> {
        if let Some(budget) = budget {
            return tokens_of(self.constraint.mask_within(state, budget)).collect();
        }
        match self.constraint.allowed(state) {
            Mask::Row(row) => tokens_of(row).collect(),
            Mask::Few(ids) => {
                let mut ids = ids.to_vec();
                ids.sort_unstable();
                ids
            }
        }
    }
}

#[pymethods]
impl Constraint {
    /// The state before the first token.
    fn start(slf: &Bound<'_, Self>) -> PyResult<State> {
        let start = slf.get().glance(slf.py(), |engine| engine.constraint.start())?;
        Ok(Self::state(slf, start))
    }

    /// The ids of the tokens that may follow, ascending, as int32. With a budget, only those after which `budget - 1` more tokens
    /// are enough to complete and end the output. An end token is among them exactly if the output is complete.
    #[pyo3(signature = (state, *, budget=None))]
    fn allowed<'py>(slf: &Bound<'py, Self>, state: &State, budget: Option<usize>) -> PyResult<Bound<'py, PyAny>> {
        let inner = Self::own(slf, state)?;
        let ids = slf.get().work(slf.py(), |engine| engine.allowed(inner, budget))?;
        int32(slf.py(), &ids)
    }

    /// Writes the mask of `allowed` into `row` in place: bit `i` of word `w` stands for token `32 * w + i`, the layout of xgrammar
    /// and llguidance. `row` is a NumPy array or a PyTorch tensor of the CPU, int32 or uint32, of at least `vocabulary.words`
    /// words. Words beyond the vocabulary become 0.
    #[pyo3(signature = (state, row, *, budget=None))]
    fn fill_mask(slf: &Bound<'_, Self>, state: &State, row: &Bound<'_, PyAny>, budget: Option<usize>) -> PyResult<()> {
        let inner = Self::own(slf, state)?;
        let rows = Rows::of(row, slf.get().vocabulary.get().inner.words())?;
        if rows.count != 1 {
            return Err(PyTypeError::new_err(format!("{} rows for one state: give one row, or use Batch", rows.count)));
        }
        slf.get().work(slf.py(), |engine| {
            // SAFETY: `rows` keeps the array, and no other slice of it exists here.
            engine.fill(inner, budget, unsafe { rows.row(0) });
        })
    }

    /// The mask of `allowed` as an object to look at: `Mask`.
    #[pyo3(signature = (state, *, budget=None))]
    fn mask<'py>(
        slf: &Bound<'py, Self>,
        state: &Bound<'py, State>,
        budget: Option<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let ids = Self::allowed(slf, state.get(), budget)?;
        slf.py().import("gramask._mask")?.getattr("Mask")?.call1((slf, state, ids))
    }

    /// Whether a token may follow. Cheaper than a mask.
    fn allows(slf: &Bound<'_, Self>, state: &State, token: u32) -> PyResult<bool> {
        let inner = Self::own(slf, state)?;
        slf.get().glance(slf.py(), |engine| engine.advance(inner, token).is_some())
    }

    /// The state after a token. Raises TokenError if the token may not follow.
    fn advance(slf: &Bound<'_, Self>, state: &State, token: u32) -> PyResult<State> {
        let inner = Self::own(slf, state)?;
        match slf.get().glance(slf.py(), |engine| engine.advance(inner, token))? {
            Some(next) => Ok(Self::state(slf, next)),
            None => Err(Self::refused(slf, inner, token)?),
        }
    }

    /// The state after these bytes, whatever tokens write them. Raises TokenError where they leave the language.
    fn advance_bytes(slf: &Bound<'_, Self>, state: &State, output: Output) -> PyResult<State> {
        let (inner, bytes) = (Self::own(slf, state)?, output.bytes());
        let next = slf.get().work(slf.py(), |engine| {
            let mut at = inner;
            for (offset, byte) in bytes.iter().enumerate() {
                at = engine.constraint.advance_bytes(at, &[*byte]).ok_or((offset, *byte, at))?;
            }
            if !bytes.is_empty() {
                engine.reached(at, inner, || Step::Bytes(bytes.clone()));
            }
            Ok(at)
        })?;
        match next {
            Ok(next) => Ok(Self::state(slf, next)),
            Err((offset, byte, at)) => {
                let could = slf.get().work(slf.py(), |engine| continuations(&mut engine.constraint, at))?;
                let byte = byte.escape_ascii();
                Err(error(Kind::Token, format!("byte {offset}, `{byte}`, leaves the language: there could be {could}")))
            }
        }
    }

    /// The text that must follow, while only one continuation is possible; empty if there is a choice. A character of which only
    /// some bytes are forced is left out; see `forced_bytes`.
    fn forced_text(slf: &Bound<'_, Self>, state: &State) -> PyResult<String> {
        let inner = Self::own(slf, state)?;
        let (bytes, _) = slf.get().work(slf.py(), |engine| engine.constraint.forced(inner))?;
        let whole = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        };
        Ok(whole.to_owned())
    }

    /// The bytes that must follow, and the state after them.
    fn forced_bytes<'py>(slf: &Bound<'py, Self>, state: &State) -> PyResult<(Bound<'py, PyBytes>, State)> {
        let inner = Self::own(slf, state)?;
        let (bytes, next) = slf.get().work(slf.py(), |engine| {
            let (bytes, next) = engine.constraint.forced(inner);
            if !bytes.is_empty() {
                engine.reached(next, inner, || Step::Bytes(bytes.clone()));
            }
            (bytes, next)
        })?;
        Ok((PyBytes::new(slf.py(), &bytes), Self::state(slf, next)))
    }

    /// The shortest completion of the output.
    fn shortest_rest<'py>(slf: &Bound<'py, Self>, state: &State) -> PyResult<Bound<'py, PyBytes>> {
        let inner = Self::own(slf, state)?;
        let rest = slf.get().work(slf.py(), |engine| engine.constraint.shortest_rest(inner))?;
        Ok(PyBytes::new(slf.py(), &rest))
    }

    /// Whether the output may end here. After an end token it is True as well.
    fn is_complete(slf: &Bound<'_, Self>, state: &State) -> PyResult<bool> {
        let inner = Self::own(slf, state)?;
        let ended = inner == grammar::Constraint::ENDED;
        Ok(ended || slf.get().glance(slf.py(), |engine| engine.constraint.accepts(inner))?)
    }

    /// Whether an end token was written, so that nothing may follow.
    fn is_ended(slf: &Bound<'_, Self>, state: &State) -> PyResult<bool> {
        Ok(Self::own(slf, state)? == grammar::Constraint::ENDED)
    }

    /// A number of tokens that is enough to complete and end the output, end token included; 0 after an end token, and None if the
    /// tokens can't complete it. It falls by one with each token of the shortest completion.
    fn tokens_to_finish(slf: &Bound<'_, Self>, state: &State) -> PyResult<Option<usize>> {
        let inner = Self::own(slf, state)?;
        if inner == grammar::Constraint::ENDED {
            return Ok(Some(0));
        }
        let tokens = slf.get().work(slf.py(), |engine| engine.constraint.tokens_to_finish(inner))?;
        Ok((tokens != usize::MAX).then_some(tokens))
    }

    /// The vocabulary of the masks.
    #[getter]
    fn vocabulary<'py>(&self, py: Python<'py>) -> Bound<'py, Vocabulary> {
        self.vocabulary.bind(py).clone()
    }

    /// `syntax` or `grounded`.
    #[getter]
    fn level(&self) -> &'static str {
        self.recipe.level.name()
    }

    /// The document's text; None for a plain grammar.
    #[getter]
    fn text(&self) -> Option<&str> {
        self.recipe.text.as_deref()
    }

    /// The labels.
    #[getter]
    fn labels(&self) -> Vec<String> {
        self.recipe.labels.clone()
    }

    /// The format or the grammar.
    #[getter]
    fn grammar<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.recipe.maker.bind(py).clone()
    }

    /// How many states were visited, and how many masks are kept.
    #[getter]
    fn visited(&self, py: Python<'_>) -> PyResult<(usize, usize)> {
        self.work(py, |engine| engine.constraint.visited())
    }

    fn __repr__(&self) -> String {
        let Recipe { name, level, .. } = &self.recipe;
        format!("<gramask.Constraint of {name} at level {level}>")
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let Recipe { maker, text, labels, level, .. } = &slf.get().recipe;
        let fields = pyo3::types::PyDict::new(py);
        fields.set_item("vocabulary", &slf.get().vocabulary)?;
        let make = maker.bind(py).getattr("constraint")?;
        if let Some(text) = text {
            fields.set_item("text", text)?;
            fields.set_item("labels", labels)?;
            fields.set_item("level", level.name())?;
        }
        let partial = py.import("functools")?.getattr("partial")?;
        Ok((partial.call((make,), Some(&fields))?, PyTuple::empty(py)))
    }
}

impl Constraint {
    /// The exception for a token that may not follow: which one, and what may.
    fn refused(slf: &Bound<'_, Self>, state: grammar::State, token: u32) -> PyResult<PyErr> {
        let vocabulary = &slf.get().vocabulary.get().inner;
        if state == grammar::Constraint::ENDED {
            return Ok(error(Kind::Token, format!("token {token} follows an end token: the output is over")));
        }
        let could = slf.get().work(slf.py(), |engine| continuations(&mut engine.constraint, state))?;
        let written = match vocabulary.token(token) {
            None => format!("it is outside the vocabulary of {} ids", vocabulary.len()),
            Some(token) if token.special => format!("`{}` is a special token", token.bytes.escape_ascii()),
            Some(token) => format!("it writes `{}`", token.bytes.escape_ascii()),
        };
        Ok(error(Kind::Token, format!("token {token} may not follow: {written}, and there could be {could}")))
    }
}

/// What may follow a state, in words.
fn continuations(constraint: &mut grammar::Constraint, state: grammar::State) -> String {
    let (forced, _) = constraint.forced(state);
    let end = constraint.accepts(state);
    if !forced.is_empty() {
        return format!("`{}`", forced.escape_ascii());
    }
    let bytes: Vec<u8> = constraint.next_bytes(state).into_iter().map(|(byte, _)| byte).collect();
    let mut words: Vec<String> = bytes.iter().take(12).map(|byte| format!("`{}`", byte.escape_ascii())).collect();
    if bytes.len() > words.len() {
        words.push(format!("{} other bytes", bytes.len() - words.len()));
    }
    if end {
        words.push("the end".into());
    }
    match words.is_empty() {
        true => "nothing: the output is over".into(),
        false => words.join(", "),
    }
}

/// A text, or its bytes.
pub enum Output {
    Text(String),
    Bytes(Vec<u8>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Output {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Output> {
        if let Ok(text) = object.extract() {
            return Ok(Output::Text(text));
        }
        let wrong = |_| PyTypeError::new_err("expected a str, without lone surrogates, or bytes");
        object.extract().map(Output::Bytes).map_err(wrong)
    }
}

impl Output {
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Output::Text(text) => text.into_bytes(),
            Output::Bytes(bytes) => bytes,
        }
    }
}

impl State {
    /// The engine of the constraint, and the state in it.
    pub fn parts(&self) -> (Shared, grammar::State, usize) {
        let owner = self.owner.get();
        (Arc::clone(&owner.engine), self.inner, owner.vocabulary.get().inner.words())
    }

    /// The state of the same constraint after a token; None if it may not follow.
    pub fn after(&self, py: Python<'_>, token: u32) -> PyResult<State> {
        Constraint::advance(self.owner.bind(py), self, token)
    }
}

#[pymethods]
impl State {
    /// The constraint that the state belongs to.
    #[getter]
    fn constraint<'py>(&self, py: Python<'py>) -> Bound<'py, Constraint> {
        self.owner.bind(py).clone()
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        let other = other.cast::<State>();
        other.is_ok_and(|other| other.get().owner.is(&self.owner) && other.get().inner == self.inner)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.owner.as_ptr() as usize, self.inner).hash(&mut hasher);
        hasher.finish()
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (path, ended) = self.owner.get().work(py, |engine| engine.path(self.inner))?;
        let shown = String::from_utf8_lossy(&path[path.len().saturating_sub(40)..]).escape_debug().to_string();
        let (dots, ended) = (if path.len() > 40 { "..." } else { "" }, if ended { ", ended" } else { "" });
        Ok(format!("<gramask.State after `{dots}{shown}`{ended}>"))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let state = slf.get();
        let (path, ended) = state.owner.get().work(py, |engine| engine.path(state.inner))?;
        let make = py.import("gramask._gramask")?.getattr("restore_state")?;
        let fields = (state.owner.bind(py), PyBytes::new(py, &path), ended).into_pyobject(py)?;
        Ok((make, fields))
    }
}

/// The state of a pickle.
#[pyfunction]
pub fn restore_state(constraint: &Bound<'_, Constraint>, path: Vec<u8>, ended: bool) -> PyResult<State> {
    let start = Constraint::start(constraint)?;
    let state = Constraint::advance_bytes(constraint, &start, Output::Bytes(path))?;
    match ended {
        true => {
            let end = constraint.get().vocabulary.get().inner.ends().first().copied().unwrap_or(u32::MAX);
            Constraint::advance(constraint, &state, end)
        }
        false => Ok(state),
    }
}
