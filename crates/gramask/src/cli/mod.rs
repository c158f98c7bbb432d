//! The command line.
//!
//! Results go to standard output (outputs, tables, lists). Progress, notes and errors go to standard error. Exit codes: 0 done; 1 an
//! error, or a run in which a cell decoded nothing; 2 wrong usage; 3 the run is done, but an output broke a promise of its
//! constraint; 130 stopped by Ctrl-C.

mod compare;
mod conform;
mod decode;
mod devices;
mod error;
mod export;
mod formats;
mod grammar;
mod inspect;
mod mask;
mod merge;
mod prompt;
mod pull;
mod report;
mod run;
mod shared;
mod train;
mod verify;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use error::CliError;

/// Done.
const DONE: u8 = 0;
/// An error.
const FAILED: u8 = 1;
/// The arguments are wrong.
const WRONG_USAGE: u8 = 2;
/// An output broke a promise of its constraint.
const BROKEN: u8 = 3;
/// Stopped by Ctrl-C, as shells report it.
const STOPPED: u8 = 130;

/// Constrained decoding of biomedical named entities.
///
/// A language model reads a sentence and writes its named entities in one of many output formats. At every step a grammar
/// mask forbids the tokens that cannot lead to a valid output.
#[derive(Debug, Parser)]
#[command(
    name = "gramask",
    version,
    max_term_width = 110,
    after_help = "\
Start with:
  gramask run quickstart
  gramask decode --format json-list --text \"Naloxone reverses the antihypertensive effect of clonidine.\""
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Carry out an experiment file and print its table; continues a run that was stopped
    #[command(after_help = run::HELP)]
    Run(run::RunArgs),
    /// Merge the parts of a run: its shards, or its sessions on several machines
    Merge(merge::MergeArgs),
    /// Compare cells of runs: whether they differ, and how much is due to parsing, copying, counting and recognition
    #[command(after_help = compare::HELP)]
    Compare(compare::CompareArgs),
    /// Tune a model on a corpus, with an adapter or as a whole; continues a training that was stopped
    #[command(after_help = "\
The folder runs/NAME/ (or --out DIR) gets run.json (what is needed to repeat the training), state.safetensors (what is needed
to continue it), curve.csv, validation.csv and curve.svg, and the adapters best/ and last/ in PEFT's layout. Ctrl-C stops after
the current step. The same command then continues exactly there. docs/tuning.md explains the tuning file.")]
    Train(train::TrainArgs),
    /// Decode one text and show its entities in colour
    #[command(after_help = decode::help())]
    Decode(decode::DecodeArgs),
    /// Show the exact prompt of a text, or of a document of an experiment
    #[command(after_help = prompt::HELP)]
    Prompt(prompt::PromptArgs),
    /// Say what a model or a corpus holds, and what each format cannot express of a corpus
    #[command(after_help = inspect::HELP)]
    Inspect(inspect::InspectArgs),
    /// Make the report of a run, or of two: one HTML page, and each figure as SVG and CSV
    #[command(after_help = report::HELP)]
    Report(report::ReportArgs),
    /// Write the predicted entities of a run in a corpus's form, in the offsets of the corpus's documents
    #[command(after_help = "\
Each cell becomes one file, or one folder for brat. The corpus must be at hand as the run saw it, because records hold no text
of it. docs/corpora.md describes the forms.")]
    Export(export::ExportArgs),
    /// Show which tokens may follow the beginning of an output
    #[command(after_help = mask::HELP)]
    Mask(mask::MaskArgs),
    /// Compare masks with the oracle, which tries every token byte by byte
    #[command(after_help = verify::HELP)]
    Verify(verify::VerifyArgs),
    /// Download a model, or only a vocabulary, to the cache
    #[command(after_help = pull::HELP)]
    Pull(pull::PullArgs),
    /// Check a grammar file, or write a format over one document as a plain grammar for other engines
    Grammar(grammar::GrammarArgs),
    /// List the formats that come with the program, each with an example
    Formats(formats::FormatsArgs),
    /// List the devices that --device can name, and the back ends without a device, with the reason
    Devices(devices::DevicesArgs),
    /// Test a device: compare kernels, models, caches, outputs and masks with references computed on the CPU
    #[command(after_help = conform::HELP)]
    Conform(conform::ConformArgs),
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    ExitCode::from(main_from(std::env::args_os()))
}

/// Runs the program with these arguments, the first of which is its name, and returns the exit code. For hosts that are
/// not the program itself, such as an interpreter.
pub fn main_from(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let code = match Cli::try_parse_from(arguments) {
        Ok(cli) => done(cli.command),
        Err(error) => {
            // `--help` is such an error, too. A closed pipe is no reason to fail.
            let _ = error.print();
            u8::try_from(error.exit_code()).unwrap_or(WRONG_USAGE)
        }
    };
    // Only the end of a program of Rust's own does this without being asked.
    let _ = std::io::stdout().flush();
    code
}

/// Carries out a command.
fn done(command: Command) -> u8 {
    let done = match command {
        Command::Run(args) => run::run(args),
        Command::Merge(args) => merge::merge(args),
        Command::Compare(args) => compare::compare(args),
        Command::Train(args) => train::train(args),
        Command::Decode(args) => decode::decode(args),
        Command::Prompt(args) => prompt::prompt(args),
        Command::Inspect(args) => inspect::inspect(args),
        Command::Report(args) => report::report(args),
        Command::Export(args) => export::export(args),
        Command::Mask(args) => mask::mask(args),
        Command::Verify(args) => verify::verify(args),
        Command::Pull(args) => pull::pull(args),
        Command::Grammar(args) => grammar::grammar(args),
        Command::Formats(args) => formats::formats(&args),
        Command::Devices(args) => devices::devices(&args),
        Command::Conform(args) => conform::conform(args),
    };
    done.unwrap_or_else(|error| {
        let style = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Red.into()));
        anstream::eprintln!("{style}error{style:#}: {error}");
        FAILED
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_host_gets_the_exit_code() {
        let code = |arguments: &[&str]| main_from(arguments.iter().map(OsString::from));
        assert_eq!(code(&["gramask", "--version"]), DONE);
        assert_eq!(code(&["gramask", "no-such-command"]), WRONG_USAGE);
        assert_eq!(code(&["gramask", "run", "no-such-file.toml"]), FAILED);
    }
}
