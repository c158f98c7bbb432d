//! `docs/columns.md`: the columns of the files, as the tables of this module have them.

use std::fmt::Write;

use super::{COLUMNS, NAMES, SCORE_COLUMNS};

/// The page, in Markdown.
pub fn columns_page() -> String {
    let mut page = String::from(
        "# Columns of `summary.csv` and `scores.csv`\n\n\
         Look up here what a column means. `summary.csv` has a line for each cell, `scores.csv` a line for each document of each \
         cell. This page is written from the program's own table of columns.\n\n\
         ```sh\n\
         cut -d, -f3-10 runs/quickstart/summary.csv   # format, level, strategy, documents, parse rate, precision, recall, F1\n\
         ```\n\n\
         ## `summary.csv`\n\n\
         Shares and scores go from 0 to 1, and have six digits after the point. An empty field is not known. Of a cell with several \
         seeds the figures are those of all its outputs; precision, recall and F1 are means over the seeds.\n\n\
         | column | unit | meaning | table | report |\n|---|---|---|---|---|\n",
    );
    for name in &NAMES {
        let _ = writeln!(page, "| `{0}` | name | {1} | {0} | {0} |", name.name, name.meaning);
    }
    for column in COLUMNS {
        let title = |head: Option<super::Head>| head.map_or("-".into(), |head| one_line(head.title));
        let (unit, table, report) = (column.unit.words(), title(column.terminal), title(column.report));
        let _ = writeln!(page, "| `{}` | {unit} | {} | {table} | {report} |", column.name, column.meaning);
    }
    page += "\n## `scores.csv`\n\n\
             The first columns name the cell (`model`, `corpus`, `format`, `level`, `strategy`, `seed`) and the `document`. No column \
             holds text of a corpus or of an output.\n\n\
             | column | meaning |\n|---|---|\n";
    for (name, meaning) in SCORE_COLUMNS {
        let _ = writeln!(page, "| `{}` | {meaning} |", name.trim_end_matches('_'));
    }
    page
}

/// A title of several lines in one: a hyphen at the end of a line joins two halves of a word.
fn one_line(title: &str) -> String {
    title.replace("-\n", "-").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_the_columns_of_the_program() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/columns.md");
        let page = columns_page();
        if std::env::var_os("GRAMASK_WRITE_DOCS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert!(
            written == page,
            "docs/columns.md is not up to date: GRAMASK_WRITE_DOCS=1 cargo test -p gramask columns"
        );
    }
}
