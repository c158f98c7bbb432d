//! YAML 1.2, read by `saphyr-parser`.

use saphyr_parser::{Event, Parser, StrInput};
use serde_json::{Map, Value};

use super::DEEPEST;

/// The only document of the output. Scalars are strings, whatever their style; an alias is null.
pub fn document(output: &str) -> Result<Value, String> {
    let mut events = Events { parser: Parser::new_from_str(output) };
    events.next()?; // the start of the stream
    if events.next()? == Event::StreamEnd {
        return Err("there is no document".into());
    }
    let first = events.next()?;
    let value = events.value(first, DEEPEST)?;
    events.next()?; // the end of the document
    match events.next()? {
        Event::StreamEnd => Ok(value),
        _ => Err("there is a second document".into()),
    }
}

struct Events<'a> {
    parser: Parser<'a, StrInput<'a>>,
}

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<Event<'a>, String> {
        match self.parser.next_event() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("the document ends too early".into()),
        }
    }

    /// The value that begins with this event.
    fn value(&mut self, first: Event<'a>, depth: usize) -> Result<Value, String> {
        let depth = depth.checked_sub(1).ok_or("collections are nested too deeply")?;
        match first {
            Event::Scalar(text, ..) => Ok(text.into_owned().into()),
            Event::Alias(_) => Ok(Value::Null),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => return Ok(items.into()),
                        item => items.push(self.value(item, depth)?),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut entries = Map::new();
                loop {
                    let key = match self.next()? {
                        Event::MappingEnd => return Ok(entries.into()),
                        key => self.value(key, depth)?,
                    };
                    // A key that is a collection goes by its JSON.
                    let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                    let first = self.next()?;
                    let value = self.value(first, depth)?;
                    if entries.insert(key.clone(), value).is_some() {
                        return Err(format!("the key `{key}` stands twice in one mapping"));
                    }
                }
            }
            other => Err(format!("a value is expected, and not {other:?}")),
        }
    }
}
