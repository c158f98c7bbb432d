//! The command line program: see `gramask --help`.

use std::process::ExitCode;

/// The system's allocator searches long lists of free memory for every tensor of a step once a run has kept prompts, and
/// releases them, for a while: up to an eighth of the time, measured with glibc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    gramask::cli::main()
}
