//! What outputs say, without this crate's grammars and reader: from the values of `syntax_check` where the format names a
//! syntax, and else by small parsers written after the format's description.

mod inline;
mod lines;
mod values;

use gramask_grammar::notation::ast::Syntax;
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

impl Claims {
    /// How many characters of the document are copied so far.
    fn copied_length(&self) -> usize {
        self.copied.as_ref().map_or(0, |copied| copied.chars().count())
    }
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
    let parse = |syntax| values::parse(syntax, output);
    let mentions = match name {
        "inline-xml" => return inline::xml(&parse(Syntax::Xml)?),
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
            values::objects(&parse(Syntax::Json)?)?
        }
        "json-lines" => values::objects(&parse(Syntax::Jsonl)?)?,
        "yaml" => values::objects(&parse(Syntax::Yaml)?)?,
        "json-grouped" => values::grouped(&parse(Syntax::Json)?)?,
        "label-list" => values::list(&parse(Syntax::Json)?, only)?,
        "reasoned" => values::reasoned(&parse(Syntax::Json)?)?,
        "tuples" => pairs(values::pairs(&parse(Syntax::Python)?)?),
        "code" => pairs(values::calls(&parse(Syntax::Python)?)?),
        "markdown-table" => pairs(values::table(&parse(Syntax::Markdown)?)?),
        "csv" => pairs(values::records(&parse(Syntax::Csv)?)?),
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
