//! What can be wrong with a format file, and what would be right.

use super::ast::Terminal;
use super::report::nearest;

/// The directives and what may follow each of them.
pub(super) const DIRECTIVES: [(&str, &str); 5] = [
    ("escape", "`none`, `json`, `xml`, `csv` or `backslash \"CHARACTERS\"`"),
    ("order", "`document` or `any`"),
    ("pass", "`label`"),
    ("boundaries", "`words` or `characters`"),
    ("syntax", "`json`, `xml`, `python`, `csv`, `yaml` or `markdown`"),
];

/// How often a `~` may repeat at most.
pub const MAX_REPEAT: u32 = 1000;
/// How many rules a format file may have at most.
pub const MAX_RULES: usize = 1000;
/// How deep parentheses and brackets may nest at most.
pub const MAX_DEPTH: usize = 100;

/// What is wrong. [`Problem::help`] says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file can't be read.
    #[error("the file can't be read: {reason}")]
    Unreadable {
        /// What the operating system says.
        reason: String,
    },
    /// The file is not UTF-8.
    #[error("this is not UTF-8: byte {value:#04x} at offset {offset}")]
    NotUtf8 {
        /// Where, in bytes.
        offset: usize,
        /// The byte.
        value: u8,
    },
    /// Neither a built-in format nor a file.
    #[error("there is no format `{name}`")]
    UnknownFormat {
        /// What was asked for.
        name: String,
        /// The built-in formats.
        known: Vec<&'static str>,
    },

    /// A character that begins nothing.
    #[error("unexpected `{}`", found.escape_debug())]
    UnexpectedCharacter {
        /// The character.
        found: char,
    },
    /// `@` without a name.
    #[error("`@` without the name of a terminal")]
    LoneAt,
    /// `%` without a name.
    #[error("`%` without the name of a directive")]
    LonePercent,
    /// A string in single quotes.
    #[error("strings are not written in single quotes")]
    SingleQuote,
    /// A comment that begins with `#`.
    #[error("unexpected `#`")]
    HashComment,
    /// A string that its line does not close.
    #[error("this string has no closing quote")]
    UnterminatedString,
    /// A regex that its line does not close.
    #[error("this regex has no closing slash")]
    UnterminatedRegex,
    /// An escape that strings don't have.
    #[error("`{escape}` is not an escape of a string")]
    BadEscape {
        /// The escape, as written.
        escape: String,
    },
    /// `""` where text is to be written.
    #[error("this string is empty")]
    EmptyString,
    /// Flags behind a string or a regex.
    #[error("flags (`{flags}`) are not supported")]
    Flags {
        /// The flags.
        flags: String,
    },
    /// A part of Lark's notation that format files don't have.
    #[error("{what} is not supported")]
    NotSupported {
        /// The part.
        what: &'static str,
        /// What to write in its place.
        instead: &'static str,
    },

    /// Something else was expected here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What would be right.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A rule that does not begin its line.
    #[error("the rule `{name}` does not begin at the start of the line")]
    IndentedRule {
        /// Its name.
        name: String,
    },
    /// A parenthesis or bracket that is never closed.
    #[error("this `{open}` is never closed")]
    Unclosed {
        /// `(` or `[`.
        open: char,
    },
    /// A parenthesis or bracket that was never opened.
    #[error("this `{close}` was never opened")]
    Unopened {
        /// `)` or `]`.
        close: char,
    },
    /// `()` or `[]`.
    #[error("there is nothing in these brackets")]
    EmptyGroup,
    /// A rule without an expression.
    #[error("the rule `{name}` has no expression")]
    EmptyRule {
        /// Its name.
        name: String,
    },
    /// `*`, `+`, `?` or `~` without anything before it.
    #[error("`{operator}` has nothing to repeat")]
    NothingToRepeat {
        /// The operator.
        operator: &'static str,
    },
    /// Two repeat operators in a row.
    #[error("`{operator}` repeats what is a repeat already")]
    DoubleRepeat {
        /// The second operator.
        operator: &'static str,
    },
    /// `~5..2`.
    #[error("a repeat of at least {min} and at most {max}")]
    RepeatReversed {
        /// The first number.
        min: u32,
        /// The second number.
        max: u32,
    },
    /// `~0`.
    #[error("repeated 0 times, this writes nothing")]
    RepeatZero,
    /// A repeat beyond [`MAX_REPEAT`].
    #[error("a repeat of {given} is over the limit of {MAX_REPEAT}")]
    RepeatTooLarge {
        /// The number.
        given: String,
    },
    /// Parentheses beyond [`MAX_DEPTH`].
    #[error("brackets nest deeper than {MAX_DEPTH}")]
    TooDeep,
    /// Rules beyond [`MAX_RULES`].
    #[error("there are {given} rules; the limit is {MAX_RULES}")]
    TooManyRules {
        /// How many.
        given: usize,
    },

    /// A directive that there is not.
    #[error("unknown directive `%{name}`")]
    UnknownDirective {
        /// Its name.
        name: String,
    },
    /// A directive with a wrong value.
    #[error("`%{directive}` is followed by {found}")]
    DirectiveValue {
        /// The directive.
        directive: &'static str,
        /// What stands behind it.
        found: String,
        /// The values it has.
        expected: &'static str,
    },
    /// A directive that was given before.
    #[error("`%{directive}` is given twice")]
    DirectiveTwice {
        /// The directive.
        directive: &'static str,
        /// The line of the first one.
        first_line: usize,
    },
    /// A terminal that there is not.
    #[error("unknown terminal `@{name}`")]
    UnknownTerminal {
        /// Its name.
        name: String,
    },
    /// A rule that is used and not defined.
    #[error("there is no rule `{name}`")]
    UndefinedRule {
        /// Its name.
        name: String,
        /// A rule with nearly that name.
        near: Option<String>,
    },
    /// A rule that was defined before.
    #[error("the rule `{name}` is defined twice")]
    RuleTwice {
        /// Its name.
        name: String,
        /// The line of the first one.
        first_line: usize,
    },
    /// No rule `start`.
    #[error("there is no rule `start`")]
    MissingStart {
        /// A rule with nearly that name.
        near: Option<String>,
    },
    /// A rule that `start` does not reach.
    #[error("the rule `{name}` is never used")]
    UnusedRule {
        /// Its name.
        name: String,
    },
    /// A regex with a mistake.
    #[error("this is not a regex: {reason}")]
    BadRegex {
        /// What the regex parser says.
        reason: String,
    },
    /// A regex that matches the empty string.
    #[error("this regex matches the empty string")]
    EmptyRegex,
    /// A regex that matches nothing at all.
    #[error("this regex matches nothing")]
    HopelessRegex,
    /// A regex with `^`, `$`, `\b` or the like.
    #[error("this regex looks around itself (`^`, `$`, `\\b` and the like)")]
    LookAround,
    /// A rule that begins with itself.
    #[error("left recursion: {}", arrows(cycle))]
    LeftRecursion {
        /// The rules, the first one again at the end.
        cycle: Vec<String>,
    },
    /// A rule without a finite output.
    #[error("the rule `{}` never comes to an end: {}", cycle[0], arrows(cycle))]
    DerivesNothing {
        /// The rules, the first one again at the end.
        cycle: Vec<String>,
    },
    /// `*` or `+` over what may be empty.
    #[error("what this repeats can be empty, so it could go round without writing")]
    EmptyLoop,

    /// `@each` over a rule that has no use for a label.
    #[error("`@each` without labels: the rule `{rule}` writes neither `@label` nor an entity")]
    EachWithoutLabel {
        /// The rule given to `@each`.
        rule: String,
    },
    /// `@each` where the label is fixed already.
    #[error("`@each` {place}, where the label is settled already")]
    EachInside {
        /// Inside what.
        place: &'static str,
    },
    /// An entity's terminal outside `entity`.
    #[error("`{terminal}` outside an entity")]
    OutsideEntity {
        /// The terminal.
        terminal: Terminal,
        /// The rule that holds it.
        rule: String,
        /// Whether that rule is used inside an entity as well.
        also_inside: bool,
    },
    /// `@copy` and `@text` in one file.
    #[error("`{later}` in a format that has `{earlier}`")]
    Mixed {
        /// The terminal that came first.
        earlier: Terminal,
        /// Its line.
        first_line: usize,
        /// The one that does not go with it.
        later: Terminal,
    },
    /// An entity whose label nothing says.
    #[error("the rule `entity` can be written without saying its label")]
    EntityWithoutLabel,
    /// An entity whose place nothing says.
    #[error("the rule `entity` can be written without saying where it is")]
    EntityWithoutFragment {
        /// Whether the format copies the document.
        cursor: bool,
    },
    /// An entity inside an entity in a format that lists them.
    #[error("an entity inside an entity: {}", arrows(cycle))]
    NestedReference {
        /// The rules, the first one again at the end.
        cycle: Vec<String>,
    },
}

fn arrows(cycle: &[String]) -> String {
    cycle.join(" -> ")
}

/// "did you mean `x`? " where there is a near name, else nothing.
fn did_you_mean(sign: &str, near: Option<&str>) -> String {
    near.map_or(String::new(), |near| format!("did you mean `{sign}{near}`? "))
}

impl Problem {
    /// What would be right, where the message alone does not say it.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Problem::Unreadable { .. } => "give the path of a readable .gram file".to_owned(),
            Problem::NotUtf8 { .. } => "save the file as UTF-8".to_owned(),
            Problem::UnknownFormat { name, known } => {
                let near = did_you_mean("", nearest(name, known.iter().copied()));
                format!("{near}The formats are {}; or give the path of a .gram file", known.join(", "))
            }
            Problem::UnexpectedCharacter { .. } => "text that the format writes stands in double quotes".to_owned(),
            Problem::LoneAt => format!("the terminals are {}", terminals()),
            Problem::LonePercent => format!("the directives are {}", directives()),
            Problem::SingleQuote => "write \"...\", with \\\" for a quote inside".to_owned(),
            Problem::HashComment => "a comment begins with `//`; text that the format writes stands in double quotes".to_owned(),
            Problem::UnterminatedString => "close it with `\"` on the same line; inside, a quote is `\\\"` and a line break `\\n`".to_owned(),
            Problem::UnterminatedRegex => "close it with `/` on the same line; inside, a slash is `\\/`".to_owned(),
            Problem::BadEscape { .. } => "the escapes are \\\" \\\\ \\n \\t \\r \\x41 \\u0041 and \\u{1f600}; a backslash is `\\\\`".to_owned(),
            Problem::EmptyString => "leave it out, or write `[ ]` or `?` around what may be missing".to_owned(),
            Problem::Flags { .. } => "write a regex with the flag inside, such as /(?i)yes/".to_owned(),
            Problem::NotSupported { instead, .. } => (*instead).to_owned(),
            Problem::IndentedRule { .. } => "an indented line goes on with the rule above it; move the name to the first column".to_owned(),
            Problem::Unclosed { open: '[' } => "add the `]`; a bracket that the format writes stands in quotes: \"[\"".to_owned(),
            Problem::Unclosed { .. } => "add the `)`; a parenthesis that the format writes stands in quotes: \"(\"".to_owned(),
            Problem::Unopened { close } => format!("remove it; if the format is to write it, put it in quotes: \"{close}\""),
            Problem::EmptyGroup => "put an expression there, or remove them".to_owned(),
            Problem::EmptyRule { .. } => "write what it stands for behind the colon, or remove the rule and its uses".to_owned(),
            Problem::NothingToRepeat { operator } => {
                format!("write it behind what it repeats; if the format is to write it, put it in quotes: \"{operator}\"")
            }
            Problem::DoubleRepeat { .. } => "one operator says it all: `*` any number, `+` at least one, `?` at most one".to_owned(),
            Problem::RepeatReversed { min, max } => format!("write the smaller number first: `~{max}..{min}`"),
            Problem::RepeatZero => "remove it".to_owned(),
            Problem::RepeatTooLarge { .. } => "`*` and `+` repeat without bound".to_owned(),
            Problem::TooDeep => "give the inner part a rule of its own".to_owned(),
            Problem::UnknownDirective { name } => {
                let near = did_you_mean("%", nearest(name, DIRECTIVES.iter().map(|(name, _)| *name)));
                format!("{near}The directives are {}", directives())
            }
            Problem::DirectiveValue { expected, .. } => format!("its values are {expected}"),
            Problem::DirectiveTwice { first_line, .. } => format!("it is given on line {first_line}; remove one of the two"),
            Problem::UnknownTerminal { name } => {
                let names = Terminal::ALL.iter().map(|terminal| terminal.name()).chain(["each"]);
                format!("{}The terminals are {}", did_you_mean("@", nearest(name, names)), terminals())
            }
            Problem::UndefinedRule { near, name } => {
                let near = did_you_mean("", near.as_deref());
                format!("{near}Define it with `{name}: ...`, or put it in quotes if the format is to write it")
            }
            Problem::RuleTwice { first_line, .. } => {
                format!("it is defined on line {first_line}; write alternatives of one rule with `|`")
            }
            Problem::MissingStart { near: Some(near) } => format!("did you mean `{near}`? The output is what `start` writes"),
            Problem::MissingStart { near: None } => "the output is what `start` writes: add `start: ...`".to_owned(),
            Problem::UnusedRule { .. } => "nothing that `start` leads to uses it; use it or remove it".to_owned(),
            Problem::EmptyRegex => "let it match at least one character, and write `?` or `*` behind it where it may be missing".to_owned(),
            Problem::HopelessRegex => "remove it".to_owned(),
            Problem::LookAround => "it always matches whole where it stands: remove the assertion".to_owned(),
            Problem::LeftRecursion { cycle } => {
                format!("`{}` comes back to itself before anything is written; write a list as `item (\",\" item)*`", cycle[0])
            }
            Problem::DerivesNothing { .. } => "give it an alternative that does not lead back to it".to_owned(),
            Problem::EmptyLoop => "remove the `*` or `+`, or the inner `?`, `*` or empty alternative".to_owned(),
            Problem::EachWithoutLabel { .. } => "write `@label` or use `entity` in that rule; `@each` writes it once per label".to_owned(),
            Problem::EachInside { .. } => "use `@each` once, outside all entities, in a format without `%pass label`".to_owned(),
            Problem::OutsideEntity { terminal: Terminal::Label, .. } => {
                "only `entity`, rules under `@each`, and formats with `%pass label` have a label".to_owned()
            }
            Problem::OutsideEntity { also_inside: true, rule, .. } => {
                format!("`{rule}` is used inside and outside `entity`; it may be used inside only")
            }
            Problem::OutsideEntity { .. } => "move it to the rule `entity`, or to a rule that only `entity` uses".to_owned(),
            Problem::Mixed { first_line, .. } => format!(
                "a format either passes over the document (@copy @word @skip) or refers to it (@text @start @end @first @last @nth); line {first_line} has the other kind"
            ),
            Problem::EntityWithoutLabel => {
                "let every way of writing it hold `@label`, or use it under `@each` or with `%pass label`".to_owned()
            }
            Problem::EntityWithoutFragment { cursor: true } => {
                "let every way of writing it pass over the document: @copy, @word or @skip".to_owned()
            }
            Problem::EntityWithoutFragment { cursor: false } => {
                "let every way of writing it hold `@text`, or `@start` and `@end`, or `@first` and `@last`; or @copy, @word or @skip in a format that passes over the document".to_owned()
            }
            Problem::NestedReference { .. } => {
                "entities nest only in formats that pass over the document with @copy or @word".to_owned()
            }
            Problem::TooManyRules { .. } | Problem::BadRegex { .. } | Problem::Expected { .. } => return None,
        };
        Some(help)
    }
}

fn terminals() -> String {
    let names = Terminal::ALL.iter().map(|terminal| terminal.to_string());
    names
        .chain(["@each(rule, \",\")".to_owned()])
        .collect::<Vec<_>>()
        .join(" ")
}

fn directives() -> String {
    DIRECTIVES
        .iter()
        .map(|(name, _)| format!("%{name}"))
        .collect::<Vec<_>>()
        .join(" ")
}
