//! The command line.
//!
//! Everything printed for programs goes to standard output (outputs, tables, lists), everything for people beside it
//! (progress, notes, errors) to standard error. Exit codes: 0 done; 1 an error; 2 wrong usage; 3 the run is done, but an
//! output broke a promise of its constraint; 130 stopped by Ctrl-C.

mod bars;
mod compare;
mod conform;
mod decode;
mod devices;
mod dry;
mod error;
mod grammar;
mod list;
mod mask;
mod merge;
mod progress;
mod pull;
mod report;
mod run;
mod trace;
mod train;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use error::CliError;

use crate::experiment::StrategyName;
use crate::run::Shard;

/// Done.
const DONE: u8 = 0;
/// An error.
const FAILED: u8 = 1;
/// An output broke a promise of its constraint.
const BROKEN: u8 = 3;
/// Stopped by Ctrl-C, as shells report it.
const STOPPED: u8 = 130;

/// Constrained decoding of biomedical named entities.
///
/// A language model reads a sentence and writes its named entities in one of many output formats; a grammar mask forbids
/// at every step the tokens that could not lead to a valid output.
#[derive(Debug, Parser)]
#[command(
    name = "gramask",
    version,
    max_term_width = 110,
    after_help = "\
Start with:
  gramask run experiments/quickstart.toml
  gramask decode --format json-list --text \"Naloxone reverses the antihypertensive effect of clonidine.\""
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Carry out an experiment file and print its table; goes on where it was stopped
    #[command(after_help = "\
The folder runs/NAME/ (or --out DIR) gets run.json (everything needed to repeat the run), records.jsonl (a line for each
document of each cell), scores.csv (the same without any text of a corpus) and summary.csv (a line for each cell). The same
command again goes on where the run was stopped, whatever stopped it; a folder holds one run, and other settings are refused.
docs/experiments.md says more of all of it.")]
    Run(RunArgs),
    /// Put the parts of a run together: its shards, or its sessions on several machines
    Merge(merge::MergeArgs),
    /// Compare cells of runs: whether they differ, and how much of it is parsing, copying, counting and recognition
    #[command(after_help = "\
Each cell is compared with the one of the same corpus that has what --against names and is like it otherwise: `none` (the
default) holds every masked cell against the unmasked one of its format, `json-list` every format against that one, `masked`
the other strategies against that one. docs/statistics.md says what is computed and how.")]
    Compare(compare::CompareArgs),
    /// Tune a model on a corpus, by an adapter or as a whole; goes on where it was stopped
    #[command(after_help = "\
The folder runs/NAME/ (or --out DIR) gets run.json (everything needed to repeat the training), state.safetensors (everything
needed to go on), curve.csv, validation.csv and curve.svg, and the adapters best/ and last/ in PEFT's layout. Ctrl-C stops
after the step at hand; the same command goes on exactly where it was. docs/tuning.md says what a tuning file holds.")]
    Train(train::TrainArgs),
    /// Decode one text and show its entities in colour
    #[command(after_help = "\
The labels and the examples of the prompt come from a corpus; --labels names other labels and leaves the examples out.
The strategies: at level none unconstrained, repair, retry, beam; at the others masked, lazy, jump, draft, beam, aligned-asap,
aligned-smc, free-then-masked. docs/strategies.md says what they do and which parameters they take.")]
    Decode(DecodeArgs),
    /// Make the report of a run, or of two: one page to read, with each figure as SVG and CSV beside it
    #[command(after_help = "\
The page needs no network and nothing beside it. It shows the run's figures and, unless --without-documents is given,
every document with its gold and predicted entities and, where the run was made with --trace, how each token of its output
came about. The documents are those of the corpora, whose licences may forbid to publish them.")]
    Report(report::ReportArgs),
    /// Show which tokens may follow behind the beginning of an output
    #[command(after_help = "\
Without --after the output has not begun. The level `grounded` holds all that refers to the text against it.")]
    Mask(mask::MaskArgs),
    /// Compare masks with those of the oracle, which tries every token byte by byte
    #[command(after_help = "\
At each state of the gold outputs, of walks drawn at random through the mask and, with --model or --records, of a model's
outputs, constraint and oracle must agree. A whole mask of the oracle takes as long as the vocabulary is large, so that whole
masks are compared at a sample of the states, unless --all-states is given. Exits with 1 where anything differs.")]
    Verify(verify::VerifyArgs),
    /// Bring a model, or a vocabulary without one, to the cache
    #[command(after_help = "\
The cache is $GRAMASK_CACHE, else the folder `gramask` in the user's cache folder. A model of the hub is checked against the
hub's SHA-256; HF_ENDPOINT names a mirror of the hub, HF_TOKEN the token for gated models. A download that broke goes on
where it broke. `gramask run` and `gramask decode` pull what they lack.")]
    Pull(PullArgs),
    /// Write a format over one document as a plain grammar, for other engines
    Grammar(grammar::GrammarArgs),
    /// List the formats that come with the program, each with an example
    Formats(list::FormatsArgs),
    /// List the devices that --device can name here, and the back ends that have none, with the reason
    Devices(devices::DevicesArgs),
    /// Test a device: kernels, models, caches, outputs and masks against references computed on the CPU
    #[command(after_help = conform::HELP)]
    Conform(conform::ConformArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The experiment file
    file: PathBuf,
    /// At most N documents of each corpus
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    limit: Option<usize>,
    /// Where to compute: flex (the CPU), wgpu[:N] or cuda[:N]; `gramask devices` lists them
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    #[command(flatten)]
    compute: devices::ComputeArgs,
    /// How many documents to decode at once
    #[arg(long, value_name = "B", value_parser = at_least_one)]
    batch: Option<usize>,
    /// One corpus at this path in place of those in the file: PubTator, CoNLL or JSON lines, or a folder of BRAT pairs
    #[arg(long, value_name = "PATH")]
    corpus: Option<PathBuf>,
    /// Leave out what is wrong in a corpus file and go on, in place of stopping at it
    #[arg(long)]
    skip_problems: bool,
    /// The run's folder [default: runs/NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// One model in place of those in the file: a name, ORGANISATION/NAME of the hub, a folder or a .gguf file
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// An adapter in PEFT's layout to merge into each model, in place of those in the file
    #[arg(long, value_name = "PATH")]
    adapter: Option<PathBuf>,
    /// These formats in place of those in the file, with commas between: names or paths
    #[arg(long, value_name = "A,B", value_delimiter = ',', num_args = 1..)]
    formats: Option<Vec<String>>,
    /// These levels in place of those in the file, with commas between
    #[arg(long, value_name = "A,B", value_delimiter = ',', num_args = 1.., value_parser = level)]
    levels: Option<Vec<gramask_grammar::Level>>,
    /// These strategies in place of those in the file, with commas between; their parameters are the file's, where it has them
    #[arg(long, value_name = "A,B", value_delimiter = ',', num_args = 1..)]
    strategies: Option<Vec<StrategyName>>,
    /// Write into each record what is known of each of its tokens
    #[arg(long)]
    trace: bool,
    /// Only print what would be done, and an estimate of the time
    #[arg(long)]
    dry_run: bool,
    /// Only this part of the documents, such as 3/16; `gramask merge` puts the parts together [the run's folder: runs/NAME-shards/03-of-16]
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// Leave out the documents of these scores.csv, of the same settings, each with its run.json beside it
    #[arg(long, value_name = "A,B", value_delimiter = ',', num_args = 1..)]
    done: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct DecodeArgs {
    /// The format: a name (`gramask formats` lists them) or the path of a .gram file
    #[arg(long, value_name = "FORMAT", default_value = "json-list")]
    format: String,
    /// The text
    #[arg(long, value_name = "TEXT")]
    text: String,
    /// The constraint: `none`, `syntax` (the output parses) or `grounded` (and it is true of the text)
    #[arg(long, value_name = "LEVEL", default_value = "grounded", value_parser = level)]
    level: gramask_grammar::Level,
    /// The strategy, with or without parameters: `lazy`, `beam = { k = 8 }` [default: masked; unconstrained at level none]
    #[arg(long, value_name = "STRATEGY")]
    strategy: Option<String>,
    /// Show what is known of each token
    #[arg(long)]
    trace: bool,
    /// The labels, with commas between; the prompt then has no examples
    #[arg(long, value_name = "A,B", value_delimiter = ',', conflicts_with = "corpus")]
    labels: Vec<String>,
    /// The corpus that labels and examples are taken from: a name or a path
    #[arg(long, value_name = "CORPUS", default_value = "mini")]
    corpus: String,
    /// How many examples the prompt has
    #[arg(long, value_name = "N", default_value_t = 3)]
    examples: usize,
    /// At most so many tokens beyond those of the output without entities
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = at_least_one)]
    budget: usize,
    /// 0 takes the likeliest token, 1 samples from the model's distribution
    #[arg(long, value_name = "T", default_value_t = 0.0, allow_negative_numbers = true)]
    temperature: f32,
    /// The seed of sampling
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// Where to compute: flex (the CPU), wgpu[:N] or cuda[:N]
    #[arg(long, value_name = "DEVICE", default_value = "flex")]
    device: String,
    #[command(flatten)]
    compute: devices::ComputeArgs,
    /// A name, ORGANISATION/NAME of the hub, a folder or a .gguf file
    #[arg(long, value_name = "MODEL", default_value = "smollm2-135m-instruct")]
    model: String,
    /// An adapter in PEFT's layout to merge into the model
    #[arg(long, value_name = "PATH")]
    adapter: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct PullArgs {
    /// A short name, ORGANISATION/NAME[@REVISION] or ORGANISATION/NAME/FILE.gguf; without it, the short names are listed
    model: Option<String>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".into()),
        Ok(number) => Ok(number),
        Err(_) => Err("must be a whole number, at least 1".into()),
    }
}

fn level(text: &str) -> Result<gramask_grammar::Level, gramask_grammar::UnknownLevel> {
    text.parse()
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => run::run(args),
        Command::Merge(args) => merge::merge(args),
        Command::Compare(args) => compare::compare(args),
        Command::Train(args) => train::train(args),
        Command::Decode(args) => decode::decode(args),
        Command::Report(args) => report::report(args),
        Command::Mask(args) => mask::mask(args),
        Command::Verify(args) => verify::verify(args),
        Command::Pull(args) => pull::pull(args),
        Command::Grammar(args) => grammar::grammar(args),
        Command::Formats(args) => list::formats(&args),
        Command::Devices(args) => devices::devices(&args),
        Command::Conform(args) => conform::conform(args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let style = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Red.into()));
            anstream::eprintln!("{style}error{style:#}: {error}");
            ExitCode::from(FAILED)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
