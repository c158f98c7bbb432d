//! `gramask grammar check`.

use std::sync::Arc;

use anstyle::Style;
use clap::Args;
use gramask_grammar::docs::{Example, words};
use gramask_grammar::notation::{MAX_DEPTH, MAX_REPEAT, MAX_RULES};
use gramask_grammar::{Constraint, Format, GrammarFacts, Level, Program, ProgramSize};
use gramask_ner::{Text, visible};
use serde::Serialize;

use crate::cli::shared::schema;
use crate::cli::{CliError, DONE};
use crate::pull::NamedVocabulary;

pub(super) const HELP: &str = "\
A mistake in the file is named with its line and column. docs/formats-meaning.md explains the notation.

  gramask grammar check grammars/json-list.gram
  gramask grammar check mine.gram --labels Gene,Variant --json";

/// So many characters of the shortest output are shown.
const LONGEST: usize = 200;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// A .gram file, or the name of a format that comes with the program
    #[arg(value_name = "FILE")]
    file: String,
    /// The labels to compile it for, separated by commas
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "Chemical,Disease")]
    labels: Vec<String>,
    /// Print the facts as JSON
    #[arg(long)]
    json: bool,
}

/// What a grammar is.
#[derive(Debug, Serialize)]
struct Checked {
    name: String,
    about: String,
    /// `format` or `plain grammar`.
    kind: &'static str,
    /// `regular` or `context-free`.
    language: &'static str,
    /// A rule that holds itself, with the rules between.
    recursion: Option<Vec<String>>,
    rules: usize,
    /// The terminals that refer to the document and to entities.
    terminals: Vec<String>,
    /// The labels that it was compiled for; none where it says no labels.
    labels: Option<Vec<String>>,
    /// One for the whole document, or one for each label.
    passes: usize,
    /// What it can say of entities: nested, discontinuous, positions.
    expresses: Option<[&'static str; 3]>,
    /// What its directives say.
    directives: Vec<(&'static str, String)>,
    /// The operations of the compiled program, of one pass.
    operations: usize,
    regexes: usize,
    regex_bytes: usize,
    /// The shortest output of the first pass over the sentence.
    shortest: String,
    /// The sentence; none for a plain grammar.
    sentence: Option<String>,
}

/// Compiles a grammar file and says what it is.
pub(super) fn check(args: &CheckArgs) -> Result<u8, CliError> {
    let format = Format::named(&args.file)?;
    let schema = schema(&args.labels)?;
    let programs = Program::passes(&format, &schema)?;
    let checked = facts(&format, &programs)?;
    if args.json {
        anstream::println!("{}", serde_json::to_string_pretty(&checked)?);
        return Ok(DONE);
    }
    let (head, faint) = (Style::new().bold(), Style::new().dimmed());
    anstream::println!("{head}{}{head:#} is a {}", checked.name, checked.kind);
    for line in checked.about.lines() {
        anstream::println!("  {faint}{line}{faint:#}");
    }
    for (name, value) in lines(&checked) {
        anstream::println!("  {name:<11} {value}");
    }
    Ok(DONE)
}

fn facts(format: &Format, programs: &[Arc<Program>]) -> Result<Checked, CliError> {
    let GrammarFacts { rules, recursion, terminals, labels, plain } = format.facts();
    let text = if plain { Text::new("") } else { Example::plain().text };
    let (mut size, mut shortest) = (ProgramSize { operations: 0, regexes: 0, regex_bytes: 0 }, String::new());
    if let Some(program) = programs.first() {
        size = program.size();
        let vocabulary = NamedVocabulary::bytes()?.vocabulary;
        let mut constraint = Constraint::new(program.clone(), &text, Level::Grounded, vocabulary)?;
        let start = constraint.start();
        shortest = String::from_utf8_lossy(&constraint.shortest_rest(start)).into_owned();
    }
    let schema: Vec<String> = programs.iter().flat_map(|program| program.schema().labels().to_vec()).collect();
    let directives = &format.grammar.directives;
    let mut said = vec![("escape", directives.escape.to_string())];
    if !plain {
        said.push(("order", format!("{:?}", directives.order).to_lowercase()));
        said.push(("boundaries", format!("{:?}", directives.boundaries).to_lowercase()));
    }
    said.extend(directives.pass_label.then(|| ("pass", "label".to_owned())));
    said.extend(directives.syntax.map(|syntax| ("syntax", syntax.name().to_owned())));
    Ok(Checked {
        name: format.name.clone(),
        about: format.description.clone(),
        kind: if plain { "plain grammar" } else { "format" },
        language: if recursion.is_some() { "context-free" } else { "regular" },
        recursion,
        rules,
        terminals: terminals.iter().map(ToString::to_string).collect(),
        labels: labels.then_some(schema),
        passes: programs.len(),
        expresses: (!plain).then(|| words(format.expresses())),
        directives: said,
        operations: size.operations,
        regexes: size.regexes,
        regex_bytes: size.regex_bytes,
        shortest,
        sentence: (!plain).then(|| text.as_str().to_owned()),
    })
}

/// The facts for people.
fn lines(checked: &Checked) -> Vec<(&'static str, String)> {
    let language = match &checked.recursion {
        Some(cycle) => format!("context-free: a rule holds itself ({})", cycle.join(" -> ")),
        None => "regular: no rule holds itself".into(),
    };
    let labels = match &checked.labels {
        Some(labels) => format!("those of a schema (compiled for {})", labels.join(", ")),
        None => "none: its outputs say no label".into(),
    };
    let terminals = match checked.terminals.as_slice() {
        [] => "none: nothing in it refers to a document".into(),
        some => some.join(", "),
    };
    let mut lines = vec![
        ("language", language),
        ("rules", checked.rules.to_string()),
        ("terminals", terminals),
        ("labels", labels),
    ];
    if checked.passes > 1 {
        lines.push(("passes", format!("{}, one for each label", checked.passes)));
    }
    if let Some([nested, discontinuous, positions]) = checked.expresses {
        lines.push(("expresses", format!("nested: {nested}; discontinuous: {discontinuous}; positions: {positions}")));
    }
    let directives: Vec<String> = checked.directives.iter().map(|(name, value)| format!("{name} {value}")).collect();
    lines.push(("directives", directives.join(", ")));
    let regexes = match checked.regexes {
        0 => "no regular expression".into(),
        count => format!("{count} regular expression(s) in {} KB", checked.regex_bytes.div_ceil(1000)),
    };
    lines.push(("program", format!("{} operations, {regexes}", checked.operations)));
    let cut = checked.shortest.chars().count() > LONGEST;
    let shown: String = checked.shortest.chars().take(LONGEST).collect();
    let of = if checked.sentence.is_some() { ", for the sentence of `gramask formats`" } else { "" };
    let bytes = match checked.shortest.len() {
        1 => "1 byte".to_owned(),
        bytes => format!("{bytes} bytes"),
    };
    let dots = if cut { " ..." } else { "" };
    lines.push(("shortest", format!("`{}{dots}`, {bytes}{of}", visible(&shown))));
    lines.push(("limits", format!("{MAX_RULES} rules, {MAX_REPEAT} counted repeats, brackets {MAX_DEPTH} deep")));
    if checked.sentence.is_some() {
        let slack = Constraint::SLACK;
        let free = format!("at level syntax, {slack} characters, words and entities more than the document");
        lines.push(("", free));
    }
    lines
}
