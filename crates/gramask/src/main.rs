//! The command line program: see `gramask --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gramask::cli::main()
}
