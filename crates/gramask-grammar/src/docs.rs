//! Makes the page `docs/formats.md` from the format files.
//!
//! The head comment of a file describes the format, its grammar shows what it can express, and the writer makes the examples.
//! So the page can't differ from the program, and a test compares them.

use std::fmt::Write;

use gramask_ner::{Entity, Fragment, Schema, Text};

use crate::format::{Expresses, Format, Nested};
use crate::notation::FormatErrors;
use crate::program::{CompileError, Program};
use crate::write::{Reason, WriteError};

/// A made-up sentence with its entities.
#[derive(Debug, Clone)]
pub struct Example {
    /// What it is there for.
    pub about: &'static str,
    /// The sentence.
    pub text: Text,
    /// The labels.
    pub schema: Schema,
    /// The entities, in order.
    pub entities: Vec<Entity>,
}

impl Example {
    /// A sentence that every format can write down.
    pub fn plain() -> Example {
        Example {
            about: "The plain sentence",
            text: Text::new("Naloxone reverses clonidine hypotension."),
            schema: Schema::new(["Chemical", "Disease"]),
            entities: vec![
                Entity::new("Chemical", 0, 8),
                Entity::new("Chemical", 18, 27),
                Entity::new("Disease", 28, 39),
            ],
        }
    }

    /// A sentence with what is hard: marks of every kind, a nested entity, a discontinuous one, a text that stands twice.
    pub fn hard() -> Example {
        Example {
            about: "The hard sentence",
            text: Text::new("Liver and kidney failure [3] need p53 (\"TP53\": <a|b> & #1_*), not p53."),
            schema: Schema::new(["Disease", "Gene"]),
            entities: vec![
                Entity::discontinuous("Disease", vec![Fragment::new(0, 5), Fragment::new(17, 24)]),
                Entity::new("Disease", 10, 24),
                Entity::new("Gene", 34, 60),
                Entity::new("Gene", 40, 44),
                Entity::new("Gene", 66, 69),
            ],
        }
    }

    /// Writes the example in a format.
    ///
    /// # Errors
    /// A format that can't be compiled for the example's schema, or has no output about its sentence.
    pub fn write(&self, format: &Format) -> Result<Shown, PageError> {
        let passes = Program::passes(format, &self.schema)?;
        let mut shown =
            Shown { outputs: Vec::new(), unexpressed: Program::unexpressed(&passes, &self.text, &self.entities)? };
        for pass in &passes {
            let label = format.grammar.directives.pass_label.then(|| pass.schema().labels()[0].clone());
            shown.outputs.push((label, pass.write(&self.text, &self.entities)?.text));
        }
        Ok(shown)
    }

    /// What an entity covers: its text, fragments with ` ... ` between.
    pub fn surface(&self, entity: &Entity) -> String {
        let parts = entity.fragments.iter().map(|part| self.text.slice(*part).unwrap_or_default());
        parts.collect::<Vec<_>>().join(" ... ")
    }
}

/// An example as a format writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// The output, or, in a `%pass label` format, the output of each label.
    pub outputs: Vec<(Option<String>, String)>,
    /// What the outputs do not say.
    pub unexpressed: Vec<(Entity, Reason)>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// A format file is wrong.
    #[error(transparent)]
    Format(#[from] FormatErrors),
    /// A format does not go with an example's labels.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// An example has no output in a format.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The page, in Markdown.
///
/// # Errors
/// What is wrong with a format that comes with Gramask; a test sees to it that nothing is.
pub fn page() -> Result<String, PageError> {
    let examples = [Example::plain(), Example::hard()];
    let formats: Vec<Format> = Format::builtin().map(Format::named).collect::<Result<_, _>>()?;
    let mut page = String::from(HEAD);
    page.push_str("| format | what it writes | nested | discontinuous | positions | passes | also read as |\n");
    page.push_str("|---|---|---|---|---|---|---|\n");
    for format in &formats {
        let (name, (what, _)) = (&format.name, format.summary());
        let [nested, discontinuous, positions] = words(format.expresses());
        let passes = if format.grammar.directives.pass_label { "one per label" } else { "one" };
        let syntax = format.grammar.directives.syntax.map_or("", |syntax| syntax.name());
        line(
            &mut page,
            format_args!(
                "| [{name}](#{name}) | {what} | {nested} | {discontinuous} | {positions} | {passes} | {syntax} |"
            ),
        );
    }
    line(&mut page, format_args!("\n## The examples"));
    for example in &examples {
        line(&mut page, format_args!("\n`{}`\n", example.text.as_str()));
        for entity in &example.entities {
            let places = entity.fragments.iter().map(|part| format!("{}..{}", part.start, part.end));
            let places = places.collect::<Vec<_>>().join(" and ");
            let surface = example.surface(entity);
            line(&mut page, format_args!("- {} `{surface}`, {places}", entity.label));
        }
    }
    for format in &formats {
        section(&mut page, format, &examples)?;
    }
    Ok(page)
}

const HEAD: &str = "\
# The formats

<!-- Made from grammars/*.gram: `gramask formats --markdown > docs/formats.md`. A test compares. -->

This page shows every format that comes with Gramask, its grammar, and what it writes for two sentences. It helps you to choose a
format, and to write your own.

An example: `json-list` writes the first sentence below as

```text
[{\"text\":\"Naloxone\",\"label\":\"Chemical\"},{\"text\":\"clonidine\",\"label\":\"Chemical\"},{\"text\":\"hypotension\",\"label\":\"Disease\"}]
```

A format is a language that writes down the entities of a document. It is one file in `grammars/`, from which the mask, the
reader, the writer and this page follow. [formats-meaning.md](formats-meaning.md) says what `@terminals` and `%directives` mean.

Most formats come from the literature on generative named entity recognition. Here they are exact. Where a paper leaves open how a
bracket or a quote of the document is written, the file says it. So every output reads back as what was written. No format lets a
model write white space, or anything else, without end. Each has one way to write a given set of entities, and every repetition
passes a word of the document or names another entity.

How much the format matters is an open question. Epron, Coulet and Alam (LREC 2026, arXiv 2604.25920) compare 12 formats on
biomedical corpora, with models of up to about a billion parameters. They find some formats consistently better.

- *Nested*: entities inside each other can be written.
- *Discontinuous*: an entity can have several fragments.
- *Positions*: the output says which of several occurrences of a text is meant.
- *Also read as*: parsers of this syntax read every output too.

What a format can't express is counted by every run, and never dropped in silence.

";

fn section(page: &mut String, format: &Format, examples: &[Example]) -> Result<(), PageError> {
    let (what, example) = format.summary();
    line(page, format_args!("\n## {}\n", format.name));
    match example {
        Some(example) => line(page, format_args!("{what}: `{example}`")),
        None => line(page, format_args!("{what}")),
    }
    let about = format.description.split_once('\n').map_or("", |(_, about)| about.trim());
    let (about, expresses) = match about.find("Expresses: ") {
        Some(at) => about.split_at(at),
        None => (about, ""),
    };
    for paragraph in [about.trim(), expresses].iter().filter(|text| !text.is_empty()) {
        line(page, format_args!("\n{paragraph}"));
    }
    let comment = |line: &&str| line.starts_with("//") || line.is_empty();
    let rules: Vec<&str> = format.source.lines().skip_while(comment).collect();
    line(page, format_args!("\n```lark\n{}\n```", rules.join("\n")));
    for example in examples {
        let shown = example.write(format)?;
        for (label, output) in &shown.outputs {
            let pass = label.as_ref().map_or(String::new(), |label| format!(", the pass of {label}"));
            line(page, format_args!("\n{}{pass}:\n\n```text\n{output}\n```", example.about));
        }
        if !shown.unexpressed.is_empty() {
            line(page, format_args!("\nNot said, or not exactly:\n"));
        }
        for (entity, reason) in &shown.unexpressed {
            let surface = example.surface(entity);
            line(page, format_args!("- {} `{surface}`: {reason}", entity.label));
        }
    }
    Ok(())
}

/// What is expressed, in words for a table.
pub fn words(expresses: Expresses) -> [&'static str; 3] {
    let yes = |yes| if yes { "yes" } else { "no" };
    let nested = match expresses.nested {
        Nested::No => "no",
        Nested::OtherLabels => "other labels",
        Nested::Yes => "yes",
    };
    [nested, yes(expresses.discontinuous), yes(expresses.positions)]
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string can't fail.
    let _ = writeln!(page, "{text}");
}
