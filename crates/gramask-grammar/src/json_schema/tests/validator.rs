//! A validator by the book, which shares nothing with the translation but the JSON parser.

use super::super::decimal::Decimal;
use super::super::value::Value;

/// Whether an instance is valid under a schema, which may refer to `#/$defs/NAME` of the root.
pub fn valid(root: &Value, schema: &Value, instance: &Value) -> bool {
    let Value::Object(keywords) = schema else { return *schema == Value::Bool(true) };
    keywords.iter().all(|(keyword, value)| holds(root, schema, keyword, value, instance))
}

fn list(value: &Value) -> &[Value] {
    if let Value::Array(items) = value { items } else { panic!("an array: {value:?}") }
}

fn count(value: &Value) -> usize {
    if let Value::Number(number) = value { number.to_string().parse().unwrap() } else { panic!("a number: {value:?}") }
}

fn float(number: &Decimal) -> f64 {
    number.to_string().parse().unwrap()
}

fn holds(root: &Value, schema: &Value, keyword: &str, value: &Value, instance: &Value) -> bool {
    let ok = |schema: &Value, instance: &Value| valid(root, schema, instance);
    match keyword {
        "type" => match value {
            Value::Array(names) => names.iter().any(|name| is_type(name, instance)),
            name => is_type(name, instance),
        },
        "enum" => list(value).iter().any(|value| value.equals(instance)),
        "const" => value.equals(instance),
        "allOf" => list(value).iter().all(|schema| ok(schema, instance)),
        "anyOf" => list(value).iter().any(|schema| ok(schema, instance)),
        "oneOf" => list(value).iter().filter(|schema| ok(schema, instance)).count() == 1,
        "not" => !ok(value, instance),
        "if" => {
            let then = if ok(value, instance) { "then" } else { "else" };
            schema.get(then).is_none_or(|then| ok(then, instance))
        }
        "$ref" => {
            let name = value.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
            ok(root.get("$defs").unwrap().get(name).unwrap(), instance)
        }
        _ => match instance {
            Value::Number(number) => holds_for_number(keyword, value, number),
            Value::String(text) => holds_for_string(keyword, value, text),
            Value::Array(items) => holds_for_array(root, schema, keyword, value, items),
            Value::Object(members) => holds_for_object(root, schema, keyword, value, members),
            _ => true,
        },
    }
}

fn is_type(name: &Value, instance: &Value) -> bool {
    match (name.as_str().unwrap(), instance) {
        ("null", Value::Null)
        | ("boolean", Value::Bool(_))
        | ("number", Value::Number(_))
        | ("string", Value::String(_))
        | ("array", Value::Array(_))
        | ("object", Value::Object(_)) => true,
        ("integer", Value::Number(number)) => number.is_integer(),
        _ => false,
    }
}

fn holds_for_number(keyword: &str, value: &Value, number: &Decimal) -> bool {
    let Value::Number(bound) = value else { return true };
    let (number, bound) = (float(number), float(bound));
    match keyword {
        "minimum" => number >= bound,
        "maximum" => number <= bound,
        "exclusiveMinimum" => number > bound,
        "exclusiveMaximum" => number < bound,
        "multipleOf" => (number / bound).fract() == 0.0,
        _ => true,
    }
}

fn found(pattern: &Value, text: &str) -> bool {
    regex_automata::meta::Regex::new(pattern.as_str().unwrap()).unwrap().is_match(text)
}

fn holds_for_string(keyword: &str, value: &Value, text: &str) -> bool {
    match keyword {
        "minLength" => text.chars().count() >= count(value),
        "maxLength" => text.chars().count() <= count(value),
        "pattern" => found(value, text),
        _ => true,
    }
}

fn holds_for_array(root: &Value, schema: &Value, keyword: &str, value: &Value, items: &[Value]) -> bool {
    match keyword {
        "minItems" => items.len() >= count(value),
        "maxItems" => items.len() <= count(value),
        "prefixItems" => list(value).iter().zip(items).all(|(schema, item)| valid(root, schema, item)),
        "items" => {
            let first = schema.get("prefixItems").map_or(0, |prefix| list(prefix).len());
            items.iter().skip(first).all(|item| valid(root, value, item))
        }
        "contains" => {
            let matching = items.iter().filter(|item| valid(root, value, item)).count();
            matching >= schema.get("minContains").map_or(1, count)
                && schema.get("maxContains").is_none_or(|max| matching <= count(max))
        }
        "uniqueItems" => {
            *value == Value::Bool(false)
                || items.iter().enumerate().all(|(place, item)| !items[..place].iter().any(|other| other.equals(item)))
        }
        _ => true,
    }
}

fn holds_for_object(root: &Value, schema: &Value, keyword: &str, value: &Value, members: &[(String, Value)]) -> bool {
    let has = |name: &str| members.iter().any(|(own, _)| own == name);
    match (keyword, value) {
        ("required", value) => list(value).iter().all(|name| has(name.as_str().unwrap())),
        ("minProperties", value) => members.len() >= count(value),
        ("maxProperties", value) => members.len() <= count(value),
        ("propertyNames", value) => members.iter().all(|(name, _)| valid(root, value, &Value::String(name.clone()))),
        ("dependentRequired", Value::Object(names)) => names
            .iter()
            .all(|(name, others)| !has(name) || list(others).iter().all(|other| has(other.as_str().unwrap()))),
        ("properties", value) => {
            members.iter().all(|(name, member)| value.get(name).is_none_or(|schema| valid(root, schema, member)))
        }
        ("patternProperties", Value::Object(patterns)) => members.iter().all(|(name, member)| {
            let fits = |pattern: &str| found(&Value::String(pattern.to_owned()), name);
            patterns.iter().all(|(pattern, schema)| !fits(pattern) || valid(root, schema, member))
        }),
        ("additionalProperties", value) => members.iter().all(|(name, member)| {
            let listed = schema.get("properties").is_some_and(|properties| properties.get(name).is_some());
            let fits = |pattern: &str| found(&Value::String(pattern.to_owned()), name);
            let matched = match schema.get("patternProperties") {
                Some(Value::Object(patterns)) => patterns.iter().any(|(pattern, _)| fits(pattern)),
                _ => false,
            };
            listed || matched || valid(root, value, member)
        }),
        _ => true,
    }
}
