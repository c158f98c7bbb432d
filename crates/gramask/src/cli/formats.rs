//! `gramask formats`.

use anstyle::Style;
use clap::Args;
use gramask_grammar::docs::{self, Example};
use gramask_grammar::{Format, Nested};

use super::{CliError, DONE};

#[derive(Debug, Args)]
pub(super) struct FormatsArgs {
    /// Print the documentation page in Markdown: the grammar of each format, its origin, and a hard example
    #[arg(long)]
    markdown: bool,
}

/// Lists the formats, each with its summary, what it can express, and an example.
pub(super) fn formats(args: &FormatsArgs) -> Result<u8, CliError> {
    if args.markdown {
        anstream::print!("{}", docs::page()?);
        return Ok(DONE);
    }
    let example = Example::plain();
    let (bold, faint) = (Style::new().bold(), Style::new().dimmed());
    let count = example.entities.len();
    anstream::println!("{faint}The sentence `{}` with {count} entities:{faint:#}", example.text.as_str());
    for name in Format::builtin() {
        let format = Format::named(name)?;
        let (what, _) = format.summary();
        anstream::println!("\n{bold}{name}{bold:#}  {what}");
        anstream::println!("  {faint}{}{faint:#}", abilities(&format));
        for (label, output) in example.write(&format)?.outputs {
            let label = label.map_or(String::new(), |label| format!("{faint}{label}:{faint:#} "));
            anstream::println!("  {label}{}", output.replace('\n', "\n  "));
        }
    }
    Ok(DONE)
}

/// What a format can express and how it is written, in a line.
fn abilities(format: &Format) -> String {
    let directives = &format.grammar.directives;
    let expresses = format.expresses();
    let nested = match expresses.nested {
        Nested::No => None,
        Nested::OtherLabels => Some("nested (of different labels)"),
        Nested::Yes => Some("nested"),
    };
    let can: Vec<&str> =
        [nested, expresses.discontinuous.then_some("discontinuous"), expresses.positions.then_some("positions")]
            .into_iter()
            .flatten()
            .collect();
    let mut line = format!("expresses {}; escape {}", can.join(", "), directives.escape);
    if let Some(syntax) = directives.syntax {
        line += &format!("; is {}", syntax.name());
    }
    if directives.pass_label {
        line += "; a pass for each label";
    }
    line
}
