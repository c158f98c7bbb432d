//! Validators of tasks: they tell valid answers without the engine that made the masks.

use gramask_grammar::{Grammar, PlainOracle};
use serde_json::Value;

/// Tells whether an answer is valid.
#[derive(Debug)]
pub enum Validator {
    /// Of a JSON Schema, by the crate `jsonschema`. White space does not count.
    JsonSchema(Box<jsonschema::Validator>),
    /// Of a regular expression, by the crate `regex`.
    Regex(regex::Regex),
    /// One of these texts.
    Choice(Vec<String>),
    /// Of a grammar, by Earley's algorithm over its rules as they are written.
    Grammar(Grammar),
}

impl Validator {
    /// The validator of a JSON Schema.
    ///
    /// # Errors
    /// A text that is no JSON Schema.
    pub fn json_schema(schema: &str) -> Result<Validator, String> {
        let schema: Value = serde_json::from_str(schema).map_err(|error| error.to_string())?;
        let validator = jsonschema::options().should_validate_formats(true).build(&schema);
        Ok(Validator::JsonSchema(Box::new(validator.map_err(|error| error.to_string())?)))
    }

    /// The validator of a regular expression.
    ///
    /// # Errors
    /// A pattern that is no regular expression.
    pub fn regex(pattern: &str) -> Result<Validator, String> {
        let whole = regex::Regex::new(&format!(r"\A(?:{pattern})\z"));
        // A comment at the end of a pattern goes on to the end of the line.
        let whole = whole.or_else(|_| regex::Regex::new(&format!("\\A(?:{pattern}\n)\\z")));
        Ok(Validator::Regex(whole.map_err(|error| error.to_string())?))
    }

    /// Whether an answer is valid.
    pub fn accepts(&self, answer: &str) -> bool {
        match self {
            Validator::JsonSchema(validator) => {
                serde_json::from_str(answer).is_ok_and(|value: Value| validator.is_valid(&value))
            }
            Validator::Regex(regex) => regex.is_match(answer),
            Validator::Choice(texts) => texts.iter().any(|text| text == answer),
            Validator::Grammar(grammar) => {
                let mut oracle = PlainOracle::of(grammar);
                oracle.advance_bytes(answer.as_bytes()) && oracle.accepts()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validators_accept_what_is_valid() {
        let schema = Validator::json_schema(r#"{"type": "object", "required": ["a"]}"#).unwrap();
        assert!(schema.accepts("{ \"a\": 1 }") && !schema.accepts("{}") && !schema.accepts("{\"a\": 1"));
        let commented = Validator::regex("(?x) a b # the end").unwrap();
        assert!(commented.accepts("ab") && !commented.accepts("abc"));
        // Not leftmost-first: all of the answer is matched if that is possible.
        let either = Validator::regex("Gene|GeneProduct").unwrap();
        assert!(either.accepts("GeneProduct") && !either.accepts("GeneP"));
        assert!(Validator::regex("(").is_err() && Validator::json_schema("{\"type\": 1}").is_err());
    }
}
