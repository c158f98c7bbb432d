//! `gramask formats` and `gramask devices`.

use anstyle::Style;
use gramask_grammar::{Format, Program};
use gramask_ner::{Entity, Schema, Text};

use super::{CliError, DONE};

/// Lists the formats, each with what it says of itself and the example sentence written in it.
pub(super) fn formats() -> Result<u8, CliError> {
    let text = Text::new("Naloxone reverses clonidine [1].");
    let schema = Schema::new(["Chemical", "Disease"]);
    let entities = [Entity::new("Chemical", 0, 8), Entity::new("Chemical", 18, 27)];
    let (bold, faint) = (Style::new().bold(), Style::new().dimmed());
    anstream::println!("{faint}The sentence `{}` with two entities:{faint:#}\n", text.as_str());
    for name in Format::builtin() {
        let format = Format::named(name)?;
        let program = Program::compile(&format, &schema)?;
        let written = program.write(&text, &entities)?;
        let about = format.description.lines().next().unwrap_or_default();
        anstream::println!("{bold}{name}{bold:#}  {faint}{about}{faint:#}");
        anstream::println!("  {}\n", written.text);
    }
    Ok(DONE)
}

/// Lists the devices.
pub(super) fn devices() -> Result<u8, CliError> {
    for device in gramask_model::device::available() {
        anstream::println!("{device}");
    }
    for (feature, compiled) in [("wgpu", cfg!(feature = "wgpu")), ("cuda", cfg!(feature = "cuda"))] {
        if !compiled {
            anstream::eprintln!("no {feature}: this program was built without `--features {feature}`");
        }
    }
    Ok(DONE)
}
