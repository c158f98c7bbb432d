//! What would be right in place of what is wrong.

use super::ast::Terminal;
use super::problem::Problem;
use super::report::nearest;

/// The directives and what may follow each of them.
pub(super) const DIRECTIVES: [(&str, &str); 5] = [
    ("escape", "`none`, `json`, `xml`, `csv`, `yaml`, `markdown` or `backslash \"CHARACTERS\"`"),
    ("order", "`document` or `any`"),
    ("pass", "`label`"),
    ("boundaries", "`words` or `characters`"),
    ("syntax", "`json`, `jsonl`, `xml`, `python`, `csv`, `yaml` or `markdown`"),
];

/// `rest`, behind "did you mean `x`?" where there is a near name.
fn did_you_mean(sign: &str, near: Option<&str>, rest: &str) -> String {
    let Some(near) = near else { return rest.to_owned() };
    let first: String = rest.chars().take(1).flat_map(char::to_uppercase).collect();
    format!("did you mean `{sign}{near}`? {first}{}", rest.chars().skip(1).collect::<String>())
}

impl Problem {
    /// What would be right, where the message alone does not say it.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Problem::Unreadable { .. } => "give the path of a readable .gram file".to_owned(),
            Problem::NotUtf8 { .. } => "save the file as UTF-8".to_owned(),
            Problem::UnknownFormat { name, known } => {
                let rest = format!("the formats are {}; or give the path of a .gram file", known.join(", "));
                did_you_mean("", nearest(name, known.iter().copied()), &rest)
            }
            Problem::UnexpectedCharacter { .. } => "text that the format writes stands in double quotes".to_owned(),
            Problem::LoneAt => format!("the terminals are {}", terminals()),
            Problem::LonePercent => format!("the directives are {}", directives()),
            Problem::SingleQuote => "write \"...\", with \\\" for a quote inside".to_owned(),
            Problem::HashComment => {
                "a comment begins with `//`; text that the format writes stands in double quotes".to_owned()
            }
            Problem::UnterminatedString => {
                "close it with `\"` on the same line; inside, a quote is `\\\"` and a line break `\\n`".to_owned()
            }
            Problem::UnterminatedRegex => "close it with `/` on the same line; inside, a slash is `\\/`".to_owned(),
            Problem::BadEscape { .. } => {
                "the escapes are \\\" \\\\ \\n \\t \\r \\x41 \\u0041 and \\u{1f600}; a backslash is `\\\\`".to_owned()
            }
            Problem::EmptyString => "leave it out, or write `[ ]` or `?` around what may be missing".to_owned(),
            Problem::Flags { .. } => {
                "remove them; what a flag says can stand inside a regex, such as /(?i)yes/".to_owned()
            }
            Problem::NotSupported { instead, .. } => (*instead).to_owned(),
            Problem::IndentedRule { .. } => {
                "an indented line goes on with the rule above it; move the name to the first column".to_owned()
            }
            Problem::Unclosed { open: '[' } => {
                "add the `]`; a bracket that the format writes stands in quotes: \"[\"".to_owned()
            }
            Problem::Unclosed { .. } => {
                "add the `)`; a parenthesis that the format writes stands in quotes: \"(\"".to_owned()
            }
            Problem::Unopened { close } => format!(
                "remove it; if the format is to write it, put it in quotes: \
             \"{close}\""
            ),
            Problem::EmptyGroup => "put an expression there, or remove them".to_owned(),
            Problem::EmptyRule { .. } => {
                "write what it stands for behind the colon, or remove the rule and its uses".to_owned()
            }
            Problem::NothingToRepeat { operator } => {
                format!(
                    "write it behind what it repeats; if the format is to write it, put it in quotes: \
                 \"{operator}\""
                )
            }
            Problem::DoubleRepeat { .. } => {
                "one operator says it all: `*` any number, `+` at least one, `?` at most one".to_owned()
            }
            Problem::RepeatReversed { min, max } => format!("write the smaller number first: `~{max}..{min}`"),
            Problem::RepeatZero => "remove it".to_owned(),
            Problem::RepeatTooLarge { .. } => "`*` and `+` repeat without bound".to_owned(),
            Problem::TooDeep => "give the inner part a rule of its own".to_owned(),
            Problem::UnknownDirective { name } => {
                let near = nearest(name, DIRECTIVES.iter().map(|(name, _)| *name));
                did_you_mean("%", near, &format!("the directives are {}", directives()))
            }
            Problem::DirectiveValue { expected, found, .. } => {
                let found = found.as_deref().unwrap_or_default().trim_matches('`');
                let words = expected.split('`').skip(1).step_by(2);
                let values = words.filter(|word| !word.contains(' ') && *word != found);
                did_you_mean("", nearest(found, values), &format!("its values are {expected}"))
            }
            Problem::DirectiveTwice { first_line, .. } => format!(
                "it is given on line {first_line}; remove one of \
             the two"
            ),
            Problem::UnknownTerminal { name } => {
                let names = Terminal::ALL.iter().map(|terminal| terminal.name()).chain(["each"]);
                did_you_mean("@", nearest(name, names), &format!("the terminals are {}", terminals()))
            }
            Problem::UndefinedRule { near, name } => {
                let rest = format!("define it with `{name}: ...`, or put it in quotes if the format is to write it");
                did_you_mean("", near.as_deref(), &rest)
            }
            Problem::RuleTwice { first_line, .. } => {
                format!("it is defined on line {first_line}; write alternatives of one rule with `|`")
            }
            Problem::MissingStart { near: Some(near) } => format!(
                "the output is what `start` writes: rename \
             `{near}`, if that is meant"
            ),
            Problem::MissingStart { near: None } => "the output is what `start` writes: add `start: ...`".to_owned(),
            Problem::UnusedRule { .. } => "nothing that `start` leads to uses it; use it or remove it".to_owned(),
            Problem::EmptyRegex => {
                "let it match at least one character, and write `?` or `*` behind it where it may be \
                 missing"
                    .to_owned()
            }
            Problem::RegexTooLarge { .. } => "repeat less in it, or use ASCII classes such as [0-9] for \\d".to_owned(),
            Problem::HopelessRegex => "remove it".to_owned(),
            Problem::LookAround => "it always matches whole where it stands: remove the assertion".to_owned(),
            Problem::LeftRecursion { cycle } => {
                format!(
                    "`{}` comes back to itself before anything is written; write a list as `item (\",\" \
                 item)*`",
                    cycle[0]
                )
            }
            Problem::DerivesNothing { .. } => "give it an alternative that does not lead back to it".to_owned(),
            Problem::EmptyLoop => "remove the `*` or `+`, or the inner `?`, `*` or empty alternative".to_owned(),
            Problem::EachWithoutLabel { .. } => {
                "write `@label` or use `entity` in that rule; `@each` writes it once per label".to_owned()
            }
            Problem::EachTwice => {
                "each label has one place in the output: write it once, and repeat inside the rule".to_owned()
            }
            Problem::EachInside { .. } => {
                "use `@each` once, outside all entities, in a format without `%pass label`".to_owned()
            }
            Problem::OutsideEntity { terminal: Terminal::Label, .. } => {
                "only `entity`, rules under `@each`, and formats with `%pass label` have a label".to_owned()
            }
            Problem::OutsideEntity { also_inside: true, rule, .. } => {
                format!("`{rule}` is used inside and outside `entity`; it may be used inside only")
            }
            Problem::OutsideEntity { .. } => {
                "move it to the rule `entity`, or to a rule that only `entity` uses".to_owned()
            }
            Problem::Mixed { first_line, .. } => format!(
                "a format either passes over the document (@copy @word @skip) or refers to it (@text @start @end \
                 @first @last @nth); line {first_line} has the other kind"
            ),
            Problem::EntityWithoutLabel => {
                "let every way of writing it hold `@label`, or use it under `@each` or with `%pass label`".to_owned()
            }
            Problem::EntityWithoutFragment { cursor: true } => {
                "let every way of writing it pass over the document: @copy, @word or @skip".to_owned()
            }
            Problem::EntityWithoutFragment { cursor: false } => {
                "let every way of writing it hold `@text`, or `@start` and `@end`, or `@first` and `@last`; or \
                 @copy, @word or @skip in a format that passes over the document"
                    .to_owned()
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
    names.chain(["@each(rule, \",\")".to_owned()]).collect::<Vec<_>>().join(" ")
}

fn directives() -> String {
    DIRECTIVES.iter().map(|(name, _)| format!("%{name}")).collect::<Vec<_>>().join(" ")
}
