//! `gramask merge`.

use std::path::PathBuf;

use clap::Args;

use super::CliError;
use super::shared::report_problems;
use crate::report::tables::{summary_table, write_summary};
use crate::runner::{RunError, merge as merge_runs};

#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// The folder of the merged run; it may be new, or hold a part already
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// The folders of the parts
    #[arg(value_name = "PART", required = true)]
    parts: Vec<PathBuf>,
}

/// Merges the parts of a run and prints its table.
pub(super) fn merge(args: MergeArgs) -> Result<u8, CliError> {
    let merged = merge_runs(&args.out, &args.parts)?;
    write_summary(&args.out, &merged.rows).map_err(RunError::from)?;
    anstream::println!("{}", summary_table(&merged.rows));
    anstream::eprintln!("{} has {} record(s), {} of them new", args.out.display(), merged.records.len(), merged.new);
    if let Some(wanted) = merged.wanted.filter(|&wanted| wanted > merged.scored) {
        anstream::eprintln!(
            "{} of {wanted} outputs are missing: finish the parts and merge again, or run the experiment in {}",
            wanted - merged.scored,
            args.out.display()
        );
    }
    Ok(report_problems(&merged.rows, &merged.records))
}
