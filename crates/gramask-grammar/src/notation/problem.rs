//! The problems that a format file can have.

use super::ast::Terminal;

/// How often a `~` may repeat at most, times those around it in the same rule.
pub const MAX_REPEAT: u32 = 1000;
/// How many rules a format file may have at most.
pub const MAX_RULES: usize = 1000;
/// How many operations the rules may have at most, once repeats and rules that don't hold themselves are written out.
pub const MAX_OPERATIONS: usize = 100_000;
/// How many bytes the shortest output may have at most.
pub const MAX_SHORTEST: usize = 100_000;
/// How deep parentheses and brackets may nest at most.
pub const MAX_DEPTH: usize = 100;

/// What is wrong. [`Problem::help`] says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the messages explain the fields
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
    #[error("unexpected `{}`", gramask_ner::visible(&found.to_string()))]
    UnexpectedCharacter { found: char },
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
    BadEscape { escape: String },
    /// `""` where text is to be written.
    #[error("this string is empty")]
    EmptyString,
    /// Flags after a string or a regex.
    #[error("flags (`{flags}`) are not supported")]
    Flags { flags: String },
    /// A part of Lark's notation that format files don't have.
    #[error("{what} is not supported")]
    NotSupported {
        what: &'static str,
        /// What to write in its place.
        instead: &'static str,
    },

    /// Something else was expected here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What would be right.
        expected: String,
        found: String,
    },
    /// A rule that does not begin its line.
    #[error("the rule `{name}` does not begin at the start of the line")]
    IndentedRule { name: String },
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
    EmptyRule { name: String },
    /// `*`, `+`, `?` or `~` without anything before it.
    #[error("`{operator}` has nothing to repeat")]
    NothingToRepeat { operator: &'static str },
    /// Two repeat operators in a row.
    #[error("`{operator}` repeats a repeat")]
    DoubleRepeat { operator: &'static str },
    /// `~5..2`.
    #[error("the minimum of this repeat, {min}, is above its maximum, {max}")]
    RepeatReversed { min: u32, max: u32 },
    /// `~0`.
    #[error("repeated 0 times, this writes nothing")]
    RepeatZero,
    /// A repeat beyond [`MAX_REPEAT`].
    #[error("a repeat of {given} is over the limit of {MAX_REPEAT}")]
    RepeatTooLarge { given: String },
    /// Parentheses beyond [`MAX_DEPTH`].
    #[error("brackets nest deeper than {MAX_DEPTH}")]
    TooDeep,
    /// Rules beyond [`MAX_RULES`].
    #[error("there are {given} rules; the limit is {MAX_RULES}")]
    TooManyRules { given: usize },

    /// A directive that there is not.
    #[error("unknown directive `%{name}`")]
    UnknownDirective { name: String },
    /// A directive with a wrong value.
    #[error("`%{directive}` {}", value(found))]
    DirectiveValue {
        directive: &'static str,
        /// What stands where the value should be, or after it; none if nothing does.
        found: Option<String>,
        expected: &'static str,
    },
    /// A directive that was given before.
    #[error("`%{directive}` is given twice")]
    DirectiveTwice {
        directive: &'static str,
        /// The line of the first one.
        first_line: usize,
    },
    /// A terminal that there is not.
    #[error("unknown terminal `@{name}`")]
    UnknownTerminal { name: String },
    /// A rule that is used and not defined.
    #[error("there is no rule `{name}`")]
    UndefinedRule {
        name: String,
        /// A rule with nearly that name.
        near: Option<String>,
    },
    /// A rule that was defined before.
    #[error("the rule `{name}` is defined twice")]
    RuleTwice {
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
    UnusedRule { name: String },
    /// A regex with a mistake.
    #[error("this is not a regex: {reason}")]
    BadRegex {
        /// What the regex parser says.
        reason: String,
    },
    /// A regex whose automaton takes too long to compile.
    #[error("to compile the regexes up to this one takes more than {limit} steps")]
    RegexTooLarge { limit: usize },
    /// A shortest output beyond [`MAX_SHORTEST`].
    #[error("the shortest that this rule can write has {given} bytes; the limit is {MAX_SHORTEST}")]
    ShortestTooLong {
        /// How many there are.
        given: String,
    },
    /// Rules or repeats beyond [`MAX_OPERATIONS`].
    #[error("written out, this has {given} operations; the limit is {MAX_OPERATIONS}")]
    TooManyOperations {
        /// How many there are.
        given: String,
    },
    /// A regex that matches the empty string.
    #[error("this regex matches the empty string")]
    EmptyRegex,
    /// A regex that matches nothing at all.
    #[error("this regex matches nothing")]
    HopelessRegex,
    /// A regex with `^`, `$`, `\b` or the like.
    #[error("this regex has an assertion (`^`, `$`, `\\b` and the like)")]
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
    #[error("the repeated part can be empty, so the repeat could go on without writing anything")]
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
    /// `@each` that one output can hold more than once.
    #[error("`@each` can be written more than once in one output")]
    EachTwice,
    /// An entity's terminal outside `entity`.
    #[error("`{terminal}` outside an entity")]
    OutsideEntity {
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

fn value(found: &Option<String>) -> String {
    found.as_ref().map_or("lacks a value".to_owned(), |found| format!("does not take {found}"))
}

fn arrows(cycle: &[String]) -> String {
    cycle.join(" -> ")
}
