//! The command line program: see `gramask --help`.

use std::process::ExitCode;

/// After a run has kept and released prompts for a while, glibc's allocator searches long lists of free memory for every tensor of a
/// step. That took up to an eighth of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    gramask::cli::main()
}
