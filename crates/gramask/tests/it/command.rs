//! The program as a user calls it.

use std::process::{Command, Output};

/// Runs the program with an empty cache and without colours.
pub fn gramask(args: &[&str]) -> Output {
    let cache = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_gramask"))
        .args(args)
        .env("GRAMASK_CACHE", cache.path())
        .env("NO_COLOR", "1")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}
