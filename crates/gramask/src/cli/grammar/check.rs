//! `gramask grammar check`.

mod plain;

use std::sync::Arc;

use anstyle::Style;
use clap::Args;
use gramask_grammar::docs::{Example, words};
use gramask_grammar::notation::{MAX_DEPTH, MAX_REPEAT, MAX_RULES};
use gramask_grammar::{Constraint, Format, GrammarFacts, Level, Program, ProgramSize};
use gramask_ner::visible;
use serde::Serialize;

use crate::cli::shared::schema;
use crate::cli::{CliError, DONE};
use crate::pull::NamedVocabulary;

pub(super) const HELP: &str = "\
A mistake in the file is named with its line and column. docs/grammars.md explains the syntaxes of plain grammars: .gram without
@terminals, .lark and .gbnf. docs/formats-meaning.md explains formats.

  gramask grammar check grammars/json-list.gram
  gramask grammar check sums.lark
  gramask grammar check mine.gram --labels Gene,Variant --json";

/// So many characters of the shortest output are shown.
const LONGEST: usize = 200;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// A .gram, .lark or .gbnf file, or the name of a format that comes with the program
    #[arg(value_name = "FILE")]
    file: String,
    /// The labels to compile it for, separated by commas
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "Chemical,Disease")]
    labels: Vec<String>,
    /// Print the facts as JSON
    #[arg(long)]
    json: bool,
}

/// What a format is.
#[derive(Debug, Serialize)]
struct Checked {
    name: String,
    about: String,
    /// `format`.
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
    expresses: [&'static str; 3],
    /// What its directives say.
    directives: Vec<(&'static str, String)>,
    /// The operations of the compiled program, of one pass.
    operations: usize,
    regexes: usize,
    regex_bytes: usize,
    /// The shortest output of the first pass over the sentence.
    shortest: String,
    /// The sentence.
    sentence: String,
}

/// Compiles a grammar file and says what it is.
pub(super) fn check(args: &CheckArgs) -> Result<u8, CliError> {
    if let Some(grammar) = plain::read(&args.file)? {
        return plain::show(&grammar, args.json);
    }
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
    let GrammarFacts { rules, recursion, terminals, labels, .. } = format.facts();
    let text = Example::plain().text;
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
    let mut said = vec![
        ("escape", directives.escape.to_string()),
        ("order", format!("{:?}", directives.order).to_lowercase()),
        ("boundaries", format!("{:?}", directives.boundaries).to_lowercase()),
    ];
    said.extend(directives.pass_label.then(|| ("pass", "label".to_owned())));
    said.extend(directives.syntax.map(|syntax| ("syntax", syntax.name().to_owned())));
    Ok(Checked {
        name: format.name.clone(),
        about: format.description.clone(),
        kind: "format",
        language: if recursion.is_some() { "context-free" } else { "regular" },
        recursion,
        rules,
        terminals: terminals.iter().map(ToString::to_string).collect(),
        labels: labels.then_some(schema),
        passes: programs.len(),
        expresses: words(format.expresses()),
        directives: said,
        operations: size.operations,
        regexes: size.regexes,
        regex_bytes: size.regex_bytes,
        shortest,
        sentence: text.as_str().to_owned(),
    })
}

/// The facts for people.
fn lines(checked: &Checked) -> Vec<(&'static str, String)> {
    let language = language(checked.recursion.as_deref());
    let labels = match &checked.labels {
        Some(labels) => format!("those of a schema (compiled for {})", labels.join(", ")),
        None => "none: its outputs say no label".into(),
    };
    let terminals = checked.terminals.join(", ");
    let mut lines = vec![
        ("language", language),
        ("rules", checked.rules.to_string()),
        ("terminals", terminals),
        ("labels", labels),
    ];
    if checked.passes > 1 {
        lines.push(("passes", format!("{}, one for each label", checked.passes)));
    }
    let [nested, discontinuous, positions] = checked.expresses;
    lines.push(("expresses", format!("nested: {nested}; discontinuous: {discontinuous}; positions: {positions}")));
    let directives: Vec<String> = checked.directives.iter().map(|(name, value)| format!("{name} {value}")).collect();
    lines.push(("directives", directives.join(", ")));
    let regexes = regexes(checked.regexes, checked.regex_bytes);
    lines.push(("program", format!("{} operations, {regexes}", checked.operations)));
    let of = ", for the sentence of `gramask formats`";
    lines.push(("shortest", shortest(&checked.shortest) + of));
    lines.push(("limits", format!("{MAX_RULES} rules, {MAX_REPEAT} counted repeats, brackets {MAX_DEPTH} deep")));
    let slack = Constraint::SLACK;
    lines.push(("", format!("at level syntax, {slack} characters, words and entities more than the document")));
    lines
}

/// Whether it is regular, and the way from a rule back to itself.
fn language(recursion: Option<&[String]>) -> String {
    match recursion {
        Some(cycle) => format!("context-free: a rule holds itself ({})", cycle.join(" -> ")),
        None => "regular: no rule holds itself".into(),
    }
}

/// Regular expressions and their memory.
fn regexes(count: usize, bytes: usize) -> String {
    match count {
        0 => "no regular expression".into(),
        count => format!("{count} regular expression(s) in {} KB", bytes.div_ceil(1000)),
    }
}

/// The shortest output, as far as it fits, and its length.
fn shortest(output: &str) -> String {
    let dots = if output.chars().count() > LONGEST { " ..." } else { "" };
    let shown: String = output.chars().take(LONGEST).collect();
    let bytes = match output.len() {
        1 => "1 byte".to_owned(),
        bytes => format!("{bytes} bytes"),
    };
    format!("`{}{dots}`, {bytes}", visible(&shown))
}
