//! JSON, read by `serde_json`.

use serde_json::Value;

use super::Mention;

fn parse(output: &str) -> Result<Value, String> {
    serde_json::from_str(output).map_err(|error| error.to_string())
}

/// A list of objects.
pub fn objects(output: &str) -> Result<Vec<Mention>, String> {
    parse(output)?.as_array().ok_or("no list")?.iter().map(object).collect()
}

/// An object per line, and nothing around it.
pub fn lines(output: &str) -> Result<Vec<Mention>, String> {
    let lines = output.split('\n').filter(|_| !output.is_empty());
    lines.map(|line| object(&parse(line)?)).collect()
}

fn object(object: &Value) -> Result<Mention, String> {
    let mut mention = Mention::new(object["label"].as_str().ok_or("no label")?);
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
pub fn grouped(output: &str) -> Result<Vec<Mention>, String> {
    let mut mentions = Vec::new();
    for (label, texts) in parse(output)?.as_object().ok_or("no object")? {
        let of_label = |text| Mention::pair((text, label.clone()));
        mentions.extend(strings(texts)?.into_iter().map(of_label));
    }
    Ok(mentions)
}

/// A list of texts of one label.
pub fn list(output: &str, label: &str) -> Result<Vec<Mention>, String> {
    let mention = |text| Mention::pair((text, label.to_owned()));
    Ok(strings(&parse(output)?)?.into_iter().map(mention).collect())
}

/// A reason, then pairs.
pub fn reasoned(output: &str) -> Result<Vec<Mention>, String> {
    let value = parse(output)?;
    let why = value["why"].as_str().ok_or("no reason")?;
    if !why.ends_with('.') || why.len() > 40 {
        return Err(format!("the reason is {why:?}"));
    }
    let rows = value["entities"].as_array().ok_or("no list")?.iter();
    rows.map(|row| match strings(row)?.as_slice() {
        [text, label] => Ok(Mention::pair((text.clone(), label.clone()))),
        _ => Err("no pair".into()),
    })
    .collect()
}

fn strings(value: &Value) -> Result<Vec<String>, String> {
    let items = value.as_array().ok_or("no list")?.iter();
    let strings = items.map(|text| text.as_str().map(str::to_owned));
    strings.collect::<Option<_>>().ok_or("no string".into())
}
