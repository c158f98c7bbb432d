//! CSV, read by the crate `csv`.

use serde_json::Value;

/// The records as arrays of strings.
pub fn records(output: &str) -> Result<Value, String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(output.as_bytes());
    let mut records: Vec<Value> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        records.push(record.iter().collect());
    }
    check_quotes(output)?;
    Ok(records.into())
}

/// The reader takes quotes wherever they stand. In RFC 4180 a quote opens a field, is doubled inside a quoted field, and
/// closes the field before a comma, a line break or the end.
fn check_quotes(output: &str) -> Result<(), String> {
    let mut rest = output;
    loop {
        if let Some(mut inside) = rest.strip_prefix('"') {
            rest = loop {
                let (_, after) = inside.split_once('"').ok_or("a quoted field has no closing quote")?;
                match after.strip_prefix('"') {
                    Some(doubled) => inside = doubled,
                    None => break after,
                }
            };
            if !rest.is_empty() && !rest.starts_with([',', '\r', '\n']) {
                return Err("text follows the closing quote of a field".into());
            }
        }
        let end = rest.find([',', '\r', '\n']);
        if rest[..end.unwrap_or(rest.len())].contains('"') {
            return Err("a quote stands in a field without quotes around it".into());
        }
        match end {
            Some(end) => rest = &rest[end + 1..],
            None => return Ok(()),
        }
    }
}
