//! Parsers that know nothing of format files: `serde_json`, `quick-xml`, `csv`, and, where there is no such crate, small
//! ones written after the syntax's own definition.

mod inline;
mod json;
mod lines;
mod markdown;
mod python;
mod yaml;

use gramask_ner::Schema;

/// What an output says, in the terms of its syntax.
#[derive(Debug, Default, PartialEq)]
pub struct Claims {
    /// Mentions: a label, the surfaces if they are written, and numbers by name.
    pub mentions: Vec<Mention>,
    /// The document as it is copied, if it is.
    pub copied: Option<String>,
    /// The words as they are copied; `None` where a word is passed in silence.
    pub words: Option<Vec<Option<String>>>,
}

/// One mention.
#[derive(Debug, Default, PartialEq)]
pub struct Mention {
    pub label: String,
    pub texts: Vec<String>,
    /// `start`, `end` in characters; `first`, `last` in words; `nth`; `from`, `to` in characters or words of the copy.
    pub numbers: Vec<(&'static str, usize)>,
}

impl Mention {
    /// A label alone.
    fn new(label: impl Into<String>) -> Self {
        Mention { label: label.into(), ..Mention::default() }
    }

    /// A text and its label.
    fn pair((text, label): (String, String)) -> Self {
        Mention { texts: vec![text], ..Mention::new(label) }
    }
}

/// Reads an output of the format `name`; the error says what is wrong with it.
pub fn claims(name: &str, schema: &Schema, output: &str) -> Result<Claims, String> {
    let only = &schema.labels()[0];
    let pairs = |pairs: Vec<(String, String)>| pairs.into_iter().map(Mention::pair).collect();
    let mentions = match name {
        "inline-xml" => return inline::xml(output),
        "inline-bracket" => return inline::bracket(output),
        "inline-mark" => return inline::mark(output, only),
        "bio-words" => {
            return inline::bio(output.split_terminator(' ').map(|unit| {
                let unit = unit.strip_suffix(')').ok_or("a unit without its end")?;
                let (word, tag) = unit.rsplit_once('(').ok_or("a unit without a tag")?;
                Ok((Some(word.to_owned()), tag.to_owned()))
            }));
        }
        "bio-tags" => return inline::bio(output.split_terminator(' ').map(|tag| Ok((None, tag.to_owned())))),
        "bio-lines" => return inline::bio(lines::rows(output)?.into_iter().map(lines::tagged)),
        "json-list" | "json-offsets" | "json-offsets-first" | "json-occurrence" | "json-parts" | "any-order" => {
            json::objects(output)?
        }
        "json-lines" => json::lines(output)?,
        "json-grouped" => json::grouped(output)?,
        "label-list" => json::list(output, only)?,
        "reasoned" => json::reasoned(output)?,
        "tuples" => pairs(python::tuples(output)?),
        "code" => pairs(python::objects(output)?),
        "yaml" => pairs(yaml::mappings(output)?),
        "markdown-table" => pairs(markdown::rows(output)?),
        "csv" => pairs(lines::records(output)?),
        "lines" => pairs(lines::rows(output)?.into_iter().map(lines::pair).collect::<Result<_, _>>()?),
        "raw-lines" => pairs(lines::raw(output)?),
        "sentences" => pairs(lines::rows(output)?.into_iter().map(lines::sentence).collect::<Result<_, _>>()?),
        "sel" => pairs(lines::spots(output)?),
        "offsets" => {
            let rows = lines::rows(output)?.into_iter();
            rows.map(lines::slice).collect::<Result<_, _>>()?
        }
        "word-index" => {
            let rows = lines::rows(output)?.into_iter();
            rows.map(lines::indices).collect::<Result<_, _>>()?
        }
        _ => Vec::new(),
    };
    Ok(Claims { mentions, ..Claims::default() })
}

/// Whether [`claims`] has a parser for the format. What `bio-words` copies at level `syntax` may hold blanks, for which the
/// splitter has no rule.
pub fn knows(name: &str, grounded: bool) -> bool {
    !matches!(
        name,
        "nth-if-needed"
            | "characters"
            | "inline-characters"
            | "parts-offsets"
            | "exactly-two"
            | "nested-words"
            | "at-signs"
    ) && (grounded || name != "bio-words")
}

/// A number without needless digits.
fn number(digits: &str) -> Result<usize, String> {
    match digits.parse() {
        Ok(number) if digits == format!("{number}") => Ok(number),
        _ => Err(format!("{digits:?} is no number")),
    }
}
