//! The help that is printed below an error: what would be right.

use gramask_ner::nearest;

use super::ast::Terminal;
use super::problem::Problem;

/// The directives and what may follow each of them.
pub(super) const DIRECTIVES: [(&str, &str); 5] = [
    ("escape", "`none`, `json`, `xml`, `csv`, `yaml`, `markdown` or `backslash \"CHARACTERS\"`"),
    ("order", "`document` or `any`"),
    ("pass", "`label`"),
    ("boundaries", "`words` or `characters`"),
    ("syntax", "`json`, `jsonl`, `xml`, `python`, `csv`, `yaml` or `markdown`"),
];

/// `rest`, after "did you mean `x`?" where there is a near name.
fn did_you_mean(sign: &str, near: Option<&str>, rest: &str) -> String {
    let Some(near) = near else { return rest.to_owned() };
    let first: String = rest.chars().take(1).flat_map(char::to_uppercase).collect();
    format!("did you mean `{sign}{near}`? {first}{}", rest.chars().skip(1).collect::<String>())
}

impl Problem {
    /// What would be right, where the message alone does not say it.
    pub fn help(&self) -> Option<String> {
        let fixed = self.help_with_notation().or_else(|| self.help_with_meaning());
        fixed.map(str::to_owned).or_else(|| self.help_with_names())
    }

    /// For mistakes of notation: characters, tokens and expressions.
    fn help_with_notation(&self) -> Option<&'static str> {
        Some(match self {
            Problem::Unreadable { .. } => "give the path of a readable .gram file",
            Problem::NotUtf8 { .. } => "save the file as UTF-8",
            Problem::UnexpectedCharacter { .. } => "text that the format writes stands in double quotes",
            Problem::SingleQuote => "write \"...\", with \\\" for a quote inside",
            Problem::HashComment => "a comment begins with `//`; text that the format writes stands in double quotes",
            Problem::UnterminatedString => {
                "close it with `\"` on the same line; inside, a quote is `\\\"` and a line break `\\n`"
            }
            Problem::UnterminatedRegex => "close it with `/` on the same line; inside, a slash is `\\/`",
            Problem::BadEscape { .. } => {
                "the escapes are \\\" \\\\ \\n \\t \\r \\x41 \\u0041 and \\u{1f600}; a backslash is `\\\\`"
            }
            Problem::EmptyString => "leave it out, or write `[ ]` or `?` around what may be missing",
            Problem::Flags { .. } => "remove them; what a flag says can stand inside a regex, such as /(?i)yes/",
            Problem::NotSupported { instead, .. } => instead,
            Problem::IndentedRule { .. } => {
                "an indented line goes on with the rule above it; move the name to the first column"
            }
            Problem::Unclosed { open: '[' } => "add the `]`; a bracket that the format writes stands in quotes: \"[\"",
            Problem::Unclosed { .. } => "add the `)`; a parenthesis that the format writes stands in quotes: \"(\"",
            Problem::EmptyGroup => "put an expression there, or remove them",
            Problem::EmptyRule { .. } => "write what it stands for after the colon, or remove the rule and its uses",
            Problem::DoubleRepeat { .. } => {
                "one operator says it all: `*` any number, `+` at least one, `?` at most one"
            }
            Problem::RepeatZero => "remove it",
            Problem::RepeatTooLarge { .. } => "`*` and `+` repeat without bound",
            Problem::TooDeep => "give the inner part a rule of its own",
            Problem::MissingStart { near: None } => "the output is what `start` writes: add `start: ...`",
            _ => return None,
        })
    }

    /// For grammars that mean nothing, or nothing that a format may mean.
    fn help_with_meaning(&self) -> Option<&'static str> {
        Some(match self {
            Problem::UnusedRule { .. } => "nothing that `start` leads to uses it; use it or remove it",
            Problem::EmptyRegex => {
                "let it match at least one character, and write `?` or `*` after it where it may be \
                 missing"
            }
            Problem::RegexTooLarge { .. } => "repeat less in it, or use ASCII classes such as [0-9] for \\d",
            Problem::ShortestTooLong { .. } => "give it an alternative that writes less",
            Problem::TooManyOperations { .. } => {
                "repeat less, or use fewer rules that use others several times: each use of a rule is written out, unless \
                 the rule can hold itself"
            }
            Problem::HopelessRegex => "remove it",
            Problem::LookAround => "it always matches whole where it stands: remove the assertion",
            Problem::DerivesNothing { .. } => "give it an alternative that does not lead back to it",
            Problem::EmptyLoop => "remove the `*` or `+`, or the inner `?`, `*` or empty alternative",
            Problem::EachWithoutLabel { .. } => {
                "write `@label` or use `entity` in that rule; `@each` writes it once per label"
            }
            Problem::EachTwice => "each label has one place in the output: write it once, and repeat inside the rule",
            Problem::EachInside { .. } => "use `@each` once, outside all entities, in a format without `%pass label`",
            Problem::OutsideEntity { terminal: Terminal::Label, .. } => {
                "only `entity`, rules under `@each`, and formats with `%pass label` have a label"
            }
            Problem::OutsideEntity { also_inside: false, .. } => {
                "move it to the rule `entity`, or to a rule that only `entity` uses"
            }
            Problem::EntityWithoutLabel => {
                "let every way of writing it hold `@label`, or use it under `@each` or with `%pass label`"
            }
            Problem::EntityWithoutFragment { cursor: true } => {
                "let every way of writing it pass over the document: @copy, @word or @skip"
            }
            Problem::EntityWithoutFragment { cursor: false } => {
                "let every way of writing it hold `@text`, or `@start` and `@end`, or `@first` and `@last`; or \
                 @copy, @word or @skip in a format that passes over the document"
            }
            Problem::NestedReference { .. } => {
                "entities nest only in formats that pass over the document with @copy or @word"
            }
            _ => return None,
        })
    }

    /// Where the help names what was written.
    fn help_with_names(&self) -> Option<String> {
        Some(match self {
            Problem::UnknownFormat { name, known } => {
                let rest = format!("the formats are {}; or give the path of a .gram file", known.join(", "));
                did_you_mean("", nearest(name, known.iter().copied()), &rest)
            }
            Problem::LoneAt => format!("the terminals are {}", terminals()),
            Problem::LonePercent => format!("the directives are {}", directives()),
            Problem::Unopened { close } => format!(
                "remove it; if the format is to write it, put it in quotes: \
             \"{close}\""
            ),
            Problem::NothingToRepeat { operator } => {
                format!(
                    "write it after what it repeats; if the format is to write it, put it in quotes: \
                 \"{operator}\""
                )
            }
            Problem::RepeatReversed { min, max } => format!("write the smaller number first: `~{max}..{min}`"),
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
            Problem::LeftRecursion { cycle } => {
                format!(
                    "`{}` comes back to itself before anything is written; write a list as `item (\",\" \
                 item)*`",
                    cycle[0]
                )
            }
            Problem::OutsideEntity { also_inside: true, rule, .. } => {
                format!("`{rule}` is used inside and outside `entity`; it may be used inside only")
            }
            Problem::Mixed { first_line, .. } => format!(
                "a format either passes over the document (@copy @word @skip) or refers to it (@text @start @end \
                 @first @last @nth); line {first_line} has the other kind"
            ),
            _ => return None,
        })
    }
}

fn terminals() -> String {
    let names = Terminal::ALL.iter().map(|terminal| terminal.to_string());
    names.chain(["@each(rule, \",\")".to_owned()]).collect::<Vec<_>>().join(" ")
}

fn directives() -> String {
    DIRECTIVES.iter().map(|(name, _)| format!("%{name}")).collect::<Vec<_>>().join(" ")
}
