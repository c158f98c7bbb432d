//! `gramask grammar`.

mod check;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use gramask_grammar::{ExpandLimits, Format, Level, Program, expand};
use gramask_ner::Text;

use super::shared::{at_least_one, level, schema};
use super::{CliError, DONE};

/// The most characters of a regular expression.
const LONGEST_REGEX: usize = 10_000_000;

#[derive(Debug, Args)]
pub(super) struct GrammarArgs {
    #[command(subcommand)]
    command: GrammarCommand,
}

#[derive(Debug, Subcommand)]
enum GrammarCommand {
    /// Write a format over one document as a plain grammar, for other engines
    #[command(after_help = "\
The grammar has no @terminals and accepts what the format accepts for this document. Comments at its head name the
exceptions. At level `grounded` it grows fast with the document, so give it a short sentence.")]
    Expand(ExpandArgs),
    /// Compile a grammar file and say what it is
    #[command(after_help = check::HELP)]
    Check(check::CheckArgs),
}

#[derive(Debug, Args)]
struct ExpandArgs {
    /// The format: a name (`gramask formats` lists them) or the path of a .gram file
    #[arg(long, value_name = "FORMAT", default_value = "json-list")]
    format: String,
    /// The labels, separated by commas
    #[arg(long, value_name = "A,B", value_delimiter = ',', alias = "schema", default_value = "Chemical,Disease")]
    labels: Vec<String>,
    /// The document
    #[arg(long, value_name = "TEXT", required_unless_present = "document_file", allow_hyphen_values = true)]
    document: Option<String>,
    /// The file whose whole text is the document
    #[arg(long, value_name = "PATH", conflicts_with = "document")]
    document_file: Option<PathBuf>,
    /// `syntax` (the output parses) or `grounded` (it parses and is true of the document)
    #[arg(long, value_name = "LEVEL", default_value = "grounded", value_parser = level)]
    level: Level,
    /// The notation of the grammar
    #[arg(long, value_enum, value_name = "NOTATION", default_value = "lark")]
    to: Notation,
    /// The most rules, before equal ones are merged
    #[arg(long, value_name = "N", default_value_t = ExpandLimits::default().rules, value_parser = at_least_one)]
    rules: usize,
}

/// The notations of other engines.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Notation {
    /// Lark, as llguidance reads it
    Lark,
    /// The EBNF of XGrammar
    Xgrammar,
    /// KBNF
    Kbnf,
    /// One regular expression, as outlines-core reads it
    Regex,
}

/// Carries out one of the commands for grammars.
pub(super) fn grammar(args: GrammarArgs) -> Result<u8, CliError> {
    match args.command {
        GrammarCommand::Expand(args) => expanded(args),
        GrammarCommand::Check(args) => check::check(&args),
    }
}

/// Prints a plain grammar.
fn expanded(args: ExpandArgs) -> Result<u8, CliError> {
    let format = Format::named(&args.format)?;
    let program = Program::compile(&format, &schema(&args.labels)?)?;
    let document = match (args.document, args.document_file) {
        (Some(document), _) => document,
        (None, Some(path)) => std::fs::read_to_string(&path).map_err(|source| CliError::Document { path, source })?,
        (None, None) => String::new(),
    };
    let limits = ExpandLimits { rules: args.rules, ..ExpandLimits::default() };
    let plain = expand(&program, &Text::new(document), args.level, limits)?;
    let text = match args.to {
        Notation::Lark => plain.to_lark(),
        Notation::Xgrammar => plain.to_xgrammar()?,
        Notation::Kbnf => plain.to_kbnf(),
        Notation::Regex => {
            // No comment can stand in it.
            for left_out in plain.approximations() {
                anstream::eprintln!("note: {left_out}");
            }
            plain.to_regex(LONGEST_REGEX)? + "\n"
        }
    };
    anstream::print!("{text}");
    Ok(DONE)
}
