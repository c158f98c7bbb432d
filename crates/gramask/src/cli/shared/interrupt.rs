//! Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::{CliError, STOPPED};

/// Becomes true at the first Ctrl-C; at the second the program ends at once.
pub fn stop_at_ctrl_c(what: &'static str) -> Result<Arc<AtomicBool>, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = stop.clone();
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(STOPPED));
        }
        anstream::eprintln!("{what}; press Ctrl-C again to end at once");
    })?;
    Ok(stop)
}
