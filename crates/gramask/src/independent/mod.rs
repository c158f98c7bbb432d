//! Reading outputs with parsers that know nothing of this program's grammars.
//!
//! A constraint and a reader that come from one grammar file can be wrong in the same way. So what a constraint let through is
//! read once more, by somebody else's parser of that syntax where the format names one (`%syntax json`: `serde_json`), else by
//! a small parser of it that shares no code with the grammar.

mod lines;
mod literal;
mod markdown;
mod tags;
mod xml;
mod yaml;

use gramask_grammar::Format;
use gramask_grammar::notation::ast::Syntax;

/// Whether an independent parser reads the output; `None` where there is none for the format.
pub fn reads(format: &Format, output: &str) -> Option<bool> {
    check(format.grammar.directives.syntax, &format.name, output)
}

fn check(syntax: Option<Syntax>, name: &str, output: &str) -> Option<bool> {
    match syntax {
        Some(Syntax::Json) => Some(is_json(output)),
        Some(Syntax::Jsonl) => Some(lines::every_line(output, is_json)),
        Some(Syntax::Xml) => Some(xml::is_content(output)),
        Some(Syntax::Python) => Some(literal::is_python(output)),
        Some(Syntax::Csv) => Some(is_csv(output)),
        Some(Syntax::Yaml) => Some(yaml::is_list(output)),
        Some(Syntax::Markdown) => Some(markdown::is_table(output)),
        None => match name {
            "bio-words" => Some(tags::is_tagged_words(output)),
            "bio-tags" => Some(tags::is_tags(output)),
            "bio-lines" => Some(tags::is_columns(output)),
            "inline-bracket" => Some(tags::is_bracketed(output)),
            "inline-mark" => Some(tags::is_marked(output)),
            "lines" => Some(lines::every_line(output, lines::is_pair)),
            "offsets" => Some(lines::every_line(output, lines::is_slice)),
            "word-index" => Some(lines::every_line(output, lines::is_span)),
            "sentences" => Some(lines::every_line(output, lines::is_sentence)),
            "sel" => Some(lines::is_sel(output)),
            _ => None,
        },
    }
}

fn is_json(output: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(output).is_ok()
}

/// Whether every record has as many fields as the first, and quotes stand as in RFC 4180 (the reader takes any).
fn is_csv(output: &str) -> bool {
    csv::ReaderBuilder::new().has_headers(false).from_reader(output.as_bytes()).records().all(|record| record.is_ok())
        && quotes_fit(output)
}

/// Whether quotes open fields, are doubled inside them, and close them before a comma, a line break or the end.
fn quotes_fit(output: &str) -> bool {
    let mut rest = output;
    loop {
        if let Some(mut inside) = rest.strip_prefix('"') {
            rest = loop {
                let Some((_, behind)) = inside.split_once('"') else {
                    return false;
                };
                match behind.strip_prefix('"') {
                    Some(doubled) => inside = doubled,
                    None => break behind,
                }
            };
            if !rest.is_empty() && !rest.starts_with([',', '\r', '\n']) {
                return false;
            }
        }
        let Some(at) = rest.find([',', '\r', '\n']) else {
            return !rest.contains('"');
        };
        if rest[..at].contains('"') {
            return false;
        }
        rest = &rest[at + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every format that comes with the program has an independent parser, which reads what the writer writes.
    #[test]
    fn every_format_is_read() {
        use gramask_grammar::docs::Example;
        for name in Format::builtin() {
            let format = Format::named(name).unwrap();
            for example in [Example::plain(), Example::hard()] {
                for (_, output) in example.write(&format).unwrap().outputs {
                    assert_eq!(reads(&format, &output), Some(true), "{name}: {output}");
                    // What was cut off is refused where a rest has no meaning of its own.
                    let cut = &output[..output.len() - 1];
                    let bounded =
                        !matches!(name, "bio-lines" | "bio-tags" | "inline-bracket" | "inline-mark" | "inline-xml")
                            && !matches!(name, "lines" | "offsets" | "word-index");
                    assert!(!bounded || reads(&format, cut) == Some(false), "{name}: {cut}");
                }
            }
        }
    }

    #[test]
    fn the_syntax_of_the_format_decides() {
        let json = |output| check(Some(Syntax::Json), "x", output);
        assert_eq!(
            (json("[]"), json("[] "), json("[],"), json("[\"\\x\"]")),
            (Some(true), Some(true), Some(false), Some(false))
        );
        assert_eq!(check(Some(Syntax::Csv), "x", "a,\"b,c\"\nd,e\n"), Some(true));
        assert_eq!(check(Some(Syntax::Csv), "x", "\"\"\"a\"\"\",b\r\n,\"\"\nc,\"\n\""), Some(true));
        for bad in ["a,b\nc\n", "a,\"b", "a,b\"", "a,\"b\"c", "\"a\"\",b"] {
            assert_eq!(check(Some(Syntax::Csv), "x", bad), Some(false), "{bad}");
        }
        assert_eq!(check(None, "bio-tags", "O"), Some(true));
        assert_eq!(check(None, "mine", "O"), None);
    }
}
