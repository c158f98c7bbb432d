//! Reading outputs with parsers that know nothing of this program's grammars.
//!
//! A constraint and a reader that come from one grammar file can be wrong in the same way. So what a constraint let through is
//! read once more, by somebody else's parser of that syntax where the format names one (`%syntax json`: `serde_json`), else by
//! a few lines that share no code with the grammar.

mod literal;
mod tags;
mod xml;

use gramask_grammar::Format;
use gramask_grammar::notation::ast::Syntax;

/// Whether an independent parser reads the output; `None` where there is none for the format.
pub fn reads(format: &Format, output: &str) -> Option<bool> {
    check(format.grammar.directives.syntax, &format.name, output)
}

fn check(syntax: Option<Syntax>, name: &str, output: &str) -> Option<bool> {
    match syntax {
        Some(Syntax::Json) => Some(serde_json::from_str::<serde_json::Value>(output).is_ok()),
        Some(Syntax::Xml) => Some(xml::is_content(output)),
        Some(Syntax::Python) => Some(literal::is_literal(output)),
        Some(Syntax::Csv) => Some(is_csv(output)),
        Some(Syntax::Yaml | Syntax::Markdown) => None,
        None => match name {
            "bio-words" => Some(tags::is_tagged_words(output)),
            "bio-tags" => Some(tags::is_tags(output)),
            "inline-bracket" => Some(tags::is_bracketed(output)),
            _ => None,
        },
    }
}

/// Whether every record has as many fields as the first.
fn is_csv(output: &str) -> bool {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(output.as_bytes())
        .records()
        .all(|record| record.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntax_of_the_format_decides() {
        let json = |output| check(Some(Syntax::Json), "x", output);
        assert_eq!(
            (json("[]"), json("[] "), json("[],"), json("[\"\\x\"]")),
            (Some(true), Some(true), Some(false), Some(false))
        );
        assert_eq!(check(Some(Syntax::Csv), "x", "a,\"b,c\"\nd,e\n"), Some(true));
        assert_eq!(check(Some(Syntax::Csv), "x", "a,b\nc\n"), Some(false));
        assert_eq!(check(None, "bio-tags", "O"), Some(true));
        assert_eq!(check(None, "mine", "O"), None);
    }
}
