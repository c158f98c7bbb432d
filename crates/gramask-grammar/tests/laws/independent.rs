//! Parsers that know nothing of format files: `serde_json`, `quick-xml`, `csv`, and some lines of their own where there is
//! no such crate.

use gramask_ner::Schema;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;

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

/// Reads an output of the format `name`; the error says what is wrong with it.
pub fn claims(name: &str, schema: &Schema, output: &str) -> Result<Claims, String> {
    let json = || serde_json::from_str::<Value>(output).map_err(|error| error.to_string());
    let list = |mentions| {
        Ok(Claims {
            mentions,
            ..Claims::default()
        })
    };
    match name {
        "json-list" | "json-offsets" | "offsets-first" | "nth" | "any-order" | "json-parts" => list(objects(&json()?)?),
        "json-grouped" => {
            let mut mentions = Vec::new();
            for (label, texts) in json()?.as_object().ok_or("no object")? {
                for text in strings(texts)? {
                    mentions.push(Mention {
                        label: label.clone(),
                        texts: vec![text],
                        numbers: vec![],
                    });
                }
            }
            list(mentions)
        }
        "pass" => {
            let mention = |text| Mention {
                label: schema.labels()[0].clone(),
                texts: vec![text],
                numbers: vec![],
            };
            list(strings(&json()?)?.into_iter().map(mention).collect())
        }
        "reasoned" => {
            let value = json()?;
            let why = value["why"].as_str().ok_or("no reason")?;
            if !why.ends_with('.') || why.len() > 40 {
                return Err(format!("the reason is {why:?}"));
            }
            list(pairs(value["entities"].as_array().ok_or("no list")?)?)
        }
        "tuples" => {
            let rows = Python { rest: output }.tuples()?;
            let mention = |(text, label)| Mention {
                label,
                texts: vec![text],
                numbers: vec![],
            };
            list(rows.into_iter().map(mention).collect())
        }
        "csv" => {
            let mut reader = csv::ReaderBuilder::new().from_reader(output.as_bytes());
            let mut mentions = Vec::new();
            if reader.headers().map_err(|error| error.to_string())? != vec!["text", "label"] {
                return Err("the header is wrong".into());
            }
            for record in reader.records() {
                let record = record.map_err(|error| error.to_string())?;
                mentions.push(Mention {
                    label: record[1].into(),
                    texts: vec![record[0].into()],
                    numbers: vec![],
                });
            }
            list(mentions)
        }
        "lines" => {
            let mut mentions = Vec::new();
            for line in output.split_terminator('\n') {
                let (label, text) = line.split_once(": ").ok_or("a line without a colon")?;
                mentions.push(Mention {
                    label: label.into(),
                    texts: vec![text.into()],
                    numbers: vec![],
                });
            }
            if output.is_empty() || output.ends_with('\n') {
                list(mentions)
            } else {
                Err("an open line".into())
            }
        }
        "word-numbers" => {
            let mut mentions = Vec::new();
            for row in output.split(';').filter(|_| !output.is_empty()) {
                let (numbers, label) = row.split_once(':').ok_or("no colon")?;
                let (first, last) = numbers.split_once('-').ok_or("no hyphen")?;
                let numbers = vec![("first", number(first)?), ("last", number(last)?)];
                mentions.push(Mention {
                    label: label.into(),
                    texts: vec![],
                    numbers,
                });
            }
            list(mentions)
        }
        "inline-xml" => xml(output),
        "inline-bracket" => bracket(output),
        "bio-words" => bio(output.split_terminator(' ').map(|unit| {
            let unit = unit.strip_suffix(')').ok_or("a unit without its end")?;
            let (word, tag) = unit.rsplit_once('(').ok_or("a unit without a tag")?;
            Ok((Some(word.to_owned()), tag.to_owned()))
        })),
        "bio-tags" => bio(output.split_terminator(' ').map(|tag| Ok((None, tag.to_owned())))),
        _ => Ok(Claims::default()),
    }
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

fn number(digits: &str) -> Result<usize, String> {
    match digits.parse() {
        Ok(number) if digits == format!("{number}") => Ok(number),
        _ => Err(format!("{digits:?} is no number")),
    }
}

fn strings(value: &Value) -> Result<Vec<String>, String> {
    let strings = value
        .as_array()
        .ok_or("no list")?
        .iter()
        .map(|text| text.as_str().map(str::to_owned));
    strings.collect::<Option<_>>().ok_or("no string".into())
}

fn pairs(rows: &[Value]) -> Result<Vec<Mention>, String> {
    rows.iter()
        .map(|row| match strings(row)?.as_slice() {
            [text, label] => Ok(Mention {
                label: label.clone(),
                texts: vec![text.clone()],
                numbers: vec![],
            }),
            _ => Err("no pair".into()),
        })
        .collect()
}

fn objects(value: &Value) -> Result<Vec<Mention>, String> {
    let object = |object: &Value| {
        let mut mention = Mention {
            label: object["label"].as_str().ok_or("no label")?.into(),
            ..Mention::default()
        };
        match &object["parts"] {
            Value::Null => mention.texts.extend(object["text"].as_str().map(str::to_owned)),
            parts => mention.texts = strings(parts)?,
        }
        for name in ["start", "end", "nth"] {
            mention
                .numbers
                .extend(object[name].as_u64().map(|value| (name, value as usize)));
        }
        Ok(mention)
    };
    value.as_array().ok_or("no list")?.iter().map(object).collect()
}

/// Python's literals, as far as lists of pairs of strings need them.
struct Python<'a> {
    rest: &'a str,
}

impl Python<'_> {
    fn take(&mut self, text: &str) -> Result<(), String> {
        self.rest = self
            .rest
            .strip_prefix(text)
            .ok_or_else(|| format!("expected {text:?} at {:?}", self.rest))?;
        Ok(())
    }

    fn string(&mut self) -> Result<String, String> {
        self.take("\"")?;
        let mut text = String::new();
        loop {
            let c = self.rest.chars().next().ok_or("an open string")?;
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '"' => return Ok(text),
                '\n' | '\0' => return Err("a bare control character".into()),
                '\\' => {
                    let escaped = self.rest.chars().next().ok_or("an open escape")?;
                    self.rest = &self.rest[escaped.len_utf8()..];
                    text.push(match escaped {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        '"' | '\\' | '\'' => escaped,
                        'u' => {
                            let digits = self.rest.get(..4).ok_or("a short escape")?;
                            self.rest = &self.rest[4..];
                            u32::from_str_radix(digits, 16)
                                .ok()
                                .and_then(char::from_u32)
                                .ok_or("no character")?
                        }
                        _ => return Err(format!("\\{escaped} stands for itself")),
                    });
                }
                c => text.push(c),
            }
        }
    }

    fn tuples(&mut self) -> Result<Vec<(String, String)>, String> {
        let mut rows = Vec::new();
        self.take("[")?;
        while self.take("]").is_err() {
            if !rows.is_empty() {
                self.take(", ")?;
            }
            self.take("(")?;
            let text = self.string()?;
            self.take(", ")?;
            rows.push((text, self.string()?));
            self.take(")")?;
        }
        if self.rest.is_empty() {
            Ok(rows)
        } else {
            Err(format!("{:?} behind the end", self.rest))
        }
    }
}

fn xml(output: &str) -> Result<Claims, String> {
    let whole = format!("<root>{output}</root>");
    let mut reader = Reader::from_str(&whole);
    reader.config_mut().check_end_names = true;
    let (mut claims, mut copied, mut open) = (Claims::default(), String::new(), Vec::new());
    let mut closed_root = false;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) => open.push((name(tag.name().as_ref())?, copied.chars().count())),
            Event::End(tag) => {
                let (label, from) = open.pop().ok_or("nothing is open")?;
                if name(tag.name().as_ref())? != label {
                    return Err("another tag closes".into());
                }
                closed_root = open.is_empty();
                if !closed_root {
                    let numbers = vec![("from", from), ("to", copied.chars().count())];
                    claims.mentions.push(Mention {
                        label,
                        texts: vec![],
                        numbers,
                    });
                }
            }
            Event::Text(text) => copied.push_str(&text),
            Event::GeneralRef(reference) => {
                let c = match reference.resolve_char_ref().map_err(|error| error.to_string())? {
                    Some(c) => c,
                    None => match &*reference {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        other => return Err(format!("&{other};")),
                    },
                };
                copied.push(c);
            }
            Event::Eof => break,
            other => return Err(format!("{other:?}")),
        }
    }
    claims.copied = Some(copied);
    if closed_root && open.is_empty() {
        Ok(claims)
    } else {
        Err("tags are open".into())
    }
}

fn name(name: &str) -> Result<String, String> {
    match name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.is_empty() {
        true => Ok(name.to_owned()),
        false => Err(format!("the tag {name:?}")),
    }
}

fn bracket(output: &str) -> Result<Claims, String> {
    let (mut claims, mut copied, mut open) = (Claims::default(), String::new(), Vec::new());
    let mut rest = output.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(c @ ('[' | ']' | '|' | '\\')) => copied.push(c),
                other => return Err(format!("a backslash before {other:?}")),
            },
            '[' => open.push(copied.chars().count()),
            '|' => {
                let (begin, label) = (open.pop().ok_or("nothing is open")?, rest.as_str().split(']').next());
                let label = label.and_then(|label| label.strip_prefix(' ')).ok_or("no label")?;
                // The blank before the bar is not the document's.
                copied.pop().filter(|c| *c == ' ').ok_or("no blank before the bar")?;
                // The blank, the label and the bracket.
                let behind = rest.as_str().get(label.len() + 2..).ok_or("no bracket")?;
                rest = behind.chars();
                let numbers = vec![("from", begin), ("to", copied.chars().count())];
                claims.mentions.push(Mention {
                    label: label.into(),
                    texts: vec![],
                    numbers,
                });
            }
            ']' => return Err("nothing to close".into()),
            c => copied.push(c),
        }
    }
    claims.copied = Some(copied);
    if open.is_empty() {
        Ok(claims)
    } else {
        Err("brackets are open".into())
    }
}

/// A word (or none) and its tag at a time.
fn bio(units: impl Iterator<Item = Result<(Option<String>, String), String>>) -> Result<Claims, String> {
    let (mut mentions, mut words): (Vec<Mention>, Vec<_>) = (Vec::new(), Vec::new());
    let mut inside: Option<String> = None;
    for unit in units {
        let (word, tag) = unit?;
        words.push(word);
        inside = match tag.split_once('-') {
            None if tag == "O" => None,
            Some(("B", label)) => {
                let numbers = vec![("from", words.len() - 1), ("to", words.len())];
                mentions.push(Mention {
                    label: label.into(),
                    texts: vec![],
                    numbers,
                });
                Some(label.to_owned())
            }
            Some(("I", label)) if inside.as_deref() == Some(label) => {
                if let Some(mention) = mentions.last_mut() {
                    mention.numbers[1].1 = words.len();
                }
                inside
            }
            _ => return Err(format!("the tag {tag}")),
        };
    }
    Ok(Claims {
        mentions,
        copied: None,
        words: Some(words),
    })
}
