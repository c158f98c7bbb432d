//! Variables of chat templates: `template = { enable_thinking = false }` in a file, `--template enable_thinking=false` on the
//! command line.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Variables of a chat template, by name.
pub type TemplateVariables = BTreeMap<String, Value>;

/// A value in a file: all that TOML has but dates, which are no values of a template.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub(crate) struct WrittenValue(pub Value);

impl TryFrom<toml::Value> for WrittenValue {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        json(value).map(WrittenValue)
    }
}

/// The variables of a table in a file.
pub(crate) fn variables(written: BTreeMap<String, WrittenValue>) -> TemplateVariables {
    written.into_iter().map(|(name, value)| (name, value.0)).collect()
}

fn json(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Boolean(is) => is.into(),
        toml::Value::Float(number) => match serde_json::Number::from_f64(number) {
            Some(number) => number.into(),
            None => return Err(format!("{number} is no value of a template: give a finite number")),
        },
        toml::Value::Datetime(date) => {
            return Err(format!("a date is no value of a template: write it in quotes, \"{date}\""));
        }
        toml::Value::Array(items) => items.into_iter().map(json).collect::<Result<Vec<_>, _>>()?.into(),
        toml::Value::Table(fields) => {
            let fields = fields.into_iter().map(|(name, value)| Ok((name, json(value)?)));
            Value::Object(fields.collect::<Result<_, String>>()?)
        }
    })
}

/// Reads a variable as the command line has it, `NAME=VALUE`. `true`, `false` and numbers are what they are in TOML, and so is
/// what begins with a quote or a bracket. Any other value is a text.
///
/// # Errors
/// In words, where there is no name or no value, or a quote or bracket does not close.
///
/// ```
/// use gramask::experiment::parse_variable;
/// assert_eq!(parse_variable("enable_thinking=false")?, ("enable_thinking".into(), false.into()));
/// assert_eq!(parse_variable("date_string=26 Jul 2026")?.1, "26 Jul 2026");
/// assert!(parse_variable("enable_thinking").is_err());
/// # Ok::<(), String>(())
/// ```
pub fn parse_variable(text: &str) -> Result<(String, Value), String> {
    let is_name = |name: &str| {
        name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let parts = text.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
    let Some((name, value)) = parts.filter(|(name, _)| !name.is_empty() && is_name(name)) else {
        return Err("must be NAME=VALUE, such as enable_thinking=false".into());
    };
    let read = || -> Option<toml::Value> {
        let mut table: toml::Table = format!("value = {value}").parse().ok()?;
        table.remove("value")
    };
    let value = match value.chars().next() {
        None => Value::String(String::new()),
        Some('"' | '\'' | '[' | '{') => match read() {
            Some(value) => json(value)?,
            None => {
                return Err(format!("the value of `{name}` begins like a text, a list or a table and does not end"));
            }
        },
        Some(_) => match read() {
            Some(value @ (toml::Value::Boolean(_) | toml::Value::Integer(_) | toml::Value::Float(_))) => json(value)?,
            _ => Value::String(value.to_owned()),
        },
    };
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_the_command_line_are_what_they_look_like() {
        for (text, value) in [
            ("x=true", json!(true)),
            ("x = -3", json!(-3)),
            ("x=0.5", json!(0.5)),
            ("x=", json!("")),
            ("x=2026-07-26", json!("2026-07-26")),
            ("x=True", json!("True")),
            ("x=\"false\"", json!("false")),
            ("x=['a', 2]", json!(["a", 2])),
            ("x={a=1}", json!({"a": 1})),
            ("x=a=b", json!("a=b")),
        ] {
            assert_eq!(parse_variable(text), Ok(("x".to_string(), value)), "{text}");
        }
        for wrong in ["x", "=1", "x y=1", "x=[1", "x=\"a", "1x=2", "x=[2026-07-26]", "x=inf"] {
            assert!(parse_variable(wrong).is_err(), "{wrong}");
        }
    }
}
