//! JSON Schemas against instances: by hand, the official suite, MaskBench, and generated ones.
#![allow(clippy::print_stdout, reason = "tests say what is not tested")]

mod generated;
mod keywords;
mod maskbench;
mod recogniser;
mod sample;
mod suite;
mod validator;

use std::path::PathBuf;

use gramask_ner::corpus::data_folder;

use super::value::{Value, quote};
use super::{JsonSchema, JsonSchemaError, JsonSchemaOptions};

/// A folder of test data, if it is there; else a line says so.
fn data(name: &str) -> Option<PathBuf> {
    let found = data_folder(name);
    if found.is_none() {
        println!("{name} is not in the folder of GRAMASK_DATA: it is not tested");
    }
    found
}

fn accepts(schema: &str, instance: &str) -> bool {
    let schema = JsonSchema::parse(schema).unwrap();
    let compiled = schema.grammar(&JsonSchemaOptions::default()).unwrap_or_else(|error| panic!("{error}"));
    recogniser::accepts(&compiled.grammar, instance.as_bytes())
}

fn refused(schema: &str) -> JsonSchemaError {
    let made = JsonSchema::parse(schema).and_then(|schema| schema.grammar(&JsonSchemaOptions::default()));
    made.map(|_| ()).expect_err(schema)
}

/// A value as an output writes it: compact, numbers without exponent, members in one of the orders of the schema.
fn written(value: &Value, orders: &[Vec<String>]) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quote(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| written(item, orders)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let mut members: Vec<&(String, Value)> = members.iter().collect();
            let overlap = |order: &&Vec<String>| members.iter().filter(|(name, _)| order.contains(name)).count();
            let mut by_overlap: Vec<&Vec<String>> = orders.iter().collect();
            by_overlap.sort_by_key(|order| std::cmp::Reverse(overlap(order)));
            let names: Vec<&String> = by_overlap.into_iter().flatten().collect();
            members.sort_by_key(|(name, _)| names.iter().position(|known| *known == name).unwrap_or(usize::MAX));
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{}:{}", quote(name), written(value, orders))).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

/// The orders in which the schemas within a value name the members of an object.
fn orders(schema: &Value) -> Vec<Vec<String>> {
    let mut orders = Vec::new();
    let mut open = vec![schema];
    while let Some(schema) = open.pop() {
        match schema {
            Value::Object(members) => {
                let mut order: Vec<String> = Vec::new();
                let mut add = |name: &str| order.push(name.to_owned());
                if let Some(Value::Object(properties)) = schema.get("properties") {
                    properties.iter().for_each(|(name, _)| add(name));
                }
                if let Some(Value::Array(required)) = schema.get("required") {
                    required.iter().filter_map(Value::as_str).for_each(add);
                }
                orders.push(order);
                // The members of constants have an order too.
                orders.push(members.iter().map(|(name, _)| name.clone()).collect());
                open.extend(members.iter().rev().map(|(_, value)| value));
            }
            Value::Array(items) => open.extend(items.iter().rev()),
            _ => {}
        }
    }
    orders
}
