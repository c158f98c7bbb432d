//! `gramask report`.

use std::path::PathBuf;

use clap::Args;

use super::{CliError, DONE};
use crate::report::{Options, compare, single};

pub(super) const HELP: &str = "\
The page needs no network and no other file. It shows the figures of the run and every document with its gold and predicted
entities. If the run was made with --trace, it also shows how each token was chosen. The licences of most corpora forbid to
publish their documents: --without-documents leaves them out.";

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The folder of a run: runs/NAME
    #[arg(value_name = "RUN", required_unless_present = "compare")]
    run: Option<PathBuf>,
    /// Compare two runs on the cells and documents that both have; differences are B minus A
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with = "run")]
    compare: Option<Vec<PathBuf>>,
    /// The folder of the report [default: RUN/report; for a comparison B/report-against-A]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Leave out all texts of documents and outputs, so that the report may be published
    #[arg(long)]
    without_documents: bool,
}

/// Makes a report.
pub(super) fn report(args: ReportArgs) -> Result<u8, CliError> {
    let options = Options { documents: !args.without_documents, ..Options::default() };
    let (report, folder) = match (args.run, args.compare.as_deref()) {
        (_, Some([a, b])) => {
            let name = a.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
            let folder = b.join(format!("report-against-{}", name.unwrap_or("another".into())));
            (compare(a, b, options)?, folder)
        }
        // The command line has one or the other.
        (run, _) => {
            let run = run.unwrap_or_default();
            (single(&run, options)?, run.join("report"))
        }
    };
    let path = report.write(&args.out.unwrap_or(folder))?;
    for note in &report.page.notes {
        anstream::eprintln!("note: {note}");
    }
    anstream::eprintln!("{} The figures are beside the page, as SVG and CSV.", report.page.documents_note);
    anstream::println!("{}", path.display());
    Ok(DONE)
}
