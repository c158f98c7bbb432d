//! What the values of `syntax_check` say, for JSON and for the syntaxes whose rows are a text and a label.

use gramask_grammar::notation::ast::Syntax;
use gramask_grammar::syntax_check;
use serde_json::Value;

use super::Mention;

/// A text and its label.
type Pair = (String, String);

/// The output as an independent parser of its syntax reads it.
pub fn parse(syntax: Syntax, output: &str) -> Result<Value, String> {
    syntax_check::parse(syntax, output).map_err(|error| error.to_string())
}

fn array(value: &Value) -> Result<&[Value], String> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| format!("no list: {value}"))
}

fn string(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("no string: {value}"))
}

fn strings(value: &Value) -> Result<Vec<String>, String> {
    array(value)?.iter().map(string).collect()
}

/// A list of objects.
pub fn objects(list: &Value) -> Result<Vec<Mention>, String> {
    array(list)?.iter().map(object).collect()
}

fn object(object: &Value) -> Result<Mention, String> {
    let mut mention = Mention::new(string(&object["label"])?);
    match &object["parts"] {
        Value::Null => mention.texts.extend(object["text"].as_str().map(str::to_owned)),
        parts => mention.texts = strings(parts)?,
    }
    for (name, known) in [("start", "start"), ("end", "end"), ("occurrence", "nth")] {
        let value = object[name].as_u64().map(|value| (known, value as usize));
        mention.numbers.extend(value);
    }
    Ok(mention)
}

/// An object with a list per label.
pub fn grouped(groups: &Value) -> Result<Vec<Mention>, String> {
    let mut mentions = Vec::new();
    for (label, texts) in groups.as_object().ok_or("no object")? {
        let of_label = |text| Mention::pair((text, label.clone()));
        mentions.extend(strings(texts)?.into_iter().map(of_label));
    }
    Ok(mentions)
}

/// A list of texts of one label.
pub fn list(list: &Value, label: &str) -> Result<Vec<Mention>, String> {
    let mention = |text| Mention::pair((text, label.to_owned()));
    Ok(strings(list)?.into_iter().map(mention).collect())
}

/// A reason, then pairs.
pub fn reasoned(value: &Value) -> Result<Vec<Mention>, String> {
    let why = string(&value["why"])?;
    if !why.ends_with('.') || why.len() > 40 {
        return Err(format!("the reason is {why:?}"));
    }
    Ok(pairs(&value["entities"])?.into_iter().map(Mention::pair).collect())
}

/// A list of lists, each of a text and a label.
pub fn pairs(list: &Value) -> Result<Vec<Pair>, String> {
    let pair = |row: &Value| match strings(row)?.as_slice() {
        [text, label] => Ok((text.clone(), label.clone())),
        row => Err(format!("{} cells", row.len())),
    };
    array(list)?.iter().map(pair).collect()
}

/// Python's `result = [Label(mention="text"), ...]`.
pub fn calls(value: &Value) -> Result<Vec<Pair>, String> {
    let mut pairs = Vec::new();
    for call in array(&value["result"])? {
        match call.as_object().map(|call| call.iter().collect::<Vec<_>>()).as_deref() {
            Some([(label, arguments)]) => pairs.push((string(&arguments["mention"])?, (*label).clone())),
            _ => return Err(format!("no call: {call}")),
        }
    }
    Ok(pairs)
}

/// CSV below the head `text,label`.
pub fn records(list: &Value) -> Result<Vec<Pair>, String> {
    let mut pairs = pairs(list)?;
    match pairs.is_empty() || pairs[0] != ("text".to_owned(), "label".to_owned()) {
        true => Err("the head is wrong".into()),
        false => Ok(pairs.split_off(1)),
    }
}

/// The rows of the only block of a Markdown document, a table, below the head `text`, `label`. A cell is text and no markup.
pub fn table(blocks: &Value) -> Result<Vec<Pair>, String> {
    let [table] = array(blocks)? else {
        return Err(format!("not one block: {blocks}"));
    };
    let mut rows = Vec::new();
    for row in array(&table["table"])? {
        let cell = |cell: &Value| match strings(&cell["cell"])?.as_slice() {
            [text] => Ok(Value::from(text.clone())),
            parts => Err(format!("{} parts in one cell", parts.len())),
        };
        rows.push(array(&row["row"])?.iter().map(cell).collect::<Result<Vec<_>, _>>()?);
    }
    records(&rows.into())
}
