//! Calls into the engine: other threads of Python run meanwhile, Ctrl-C ends the wait, and a panic becomes an exception.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

use crate::errors::{Kind, error};

/// How often a wait looks for Ctrl-C.
const TICK: Duration = Duration::from_millis(20);

/// As deep as the main thread of most systems: formats nest.
const STACK: usize = 8 << 20;

/// Runs short work while other threads of Python may run.
///
/// # Errors
/// `InternalError` where the work panics.
pub fn apart<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    py.detach(|| catch_unwind(AssertUnwindSafe(work))).map_err(|panic| internal(&*panic))
}

/// Runs work that can take long, in a thread of its own. Ctrl-C ends the wait for it: the thread then goes on by itself, and
/// its result is dropped.
///
/// # Errors
/// `KeyboardInterrupt`, and `InternalError` where the work panics.
pub fn interruptible<T: Send + 'static>(py: Python<'_>, work: impl FnOnce() -> T + Send + 'static) -> PyResult<T> {
    let (sender, receiver) = mpsc::channel();
    let run = move || {
        // Nobody waits any more after Ctrl-C.
        let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
    };
    thread::Builder::new().stack_size(STACK).spawn(run)?;
    let receiver = Mutex::new(receiver);
    loop {
        let wait = || receiver.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(TICK);
        match py.detach(wait) {
            Ok(done) => return done.map_err(|panic| internal(&*panic)),
            Err(mpsc::RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(internal(&"the thread of a call ended")),
        }
    }
}

/// The exception for a panic.
fn internal(panic: &(dyn Any + Send)) -> PyErr {
    let words = panic.downcast_ref::<&str>().copied();
    let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    error(Kind::Internal, format!("this is a bug of gramask, please report it: {words}"))
}
