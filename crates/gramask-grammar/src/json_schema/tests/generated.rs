//! Generated schemas against generated instances and against outputs of the grammar, by the validator.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::super::value::{Value, parse, quote};
use super::super::{JsonSchema, JsonSchemaErrorKind, JsonSchemaOptions};
use super::{recogniser, sample, validator};

/// A small schema, as text.
fn schemas() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("{\"type\":\"integer\"}".to_owned()),
        Just("{\"type\":\"null\"}".to_owned()),
        Just("{\"$ref\":\"#/$defs/d\"}".to_owned()),
        (-2..3i32, 0..3i32).prop_map(|(low, more)| format!("{{\"minimum\":{low},\"maximum\":{}}}", low + more)),
        (1..4u32).prop_map(|of| format!("{{\"type\":\"number\",\"multipleOf\":{}}}", f64::from(of) / 2.0)),
        Just("{\"exclusiveMinimum\":0,\"type\":[\"number\",\"string\"]}".to_owned()),
        (0..2u32, 1..3u32).prop_map(|(min, max)| format!("{{\"minLength\":{min},\"maxLength\":{max}}}")),
        "\\^?[ab]\\+?\\$?".prop_map(|pattern| format!("{{\"type\":\"string\",\"pattern\":{}}}", quote(&pattern))),
        proptest::collection::vec(constants(), 1..4).prop_map(|values| format!("{{\"enum\":[{}]}}", values.join(","))),
        constants().prop_map(|value| format!("{{\"const\":{value}}}")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let few = proptest::collection::vec(inner.clone(), 1..4);
        let keyword = prop_oneof![
            few.clone().prop_map(|all| format!("\"anyOf\":[{}]", all.join(","))),
            few.clone().prop_map(|all| format!("\"oneOf\":[{}]", all.join(","))),
            few.clone().prop_map(|all| format!("\"allOf\":[{}]", all.join(","))),
            inner.clone().prop_map(|one| format!("\"not\":{one}")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(one, then, or)| format!("\"if\":{one},\"then\":{then},\"else\":{or}")),
            (few.clone(), 0..8u32).prop_map(|(all, required)| {
                let members = ["a", "b", "c"].iter().zip(&all).map(|(name, one)| format!("\"{name}\":{one}"));
                let members: Vec<String> = members.collect();
                let names = ["a", "b", "c"].iter().enumerate().filter(|(bit, _)| required >> bit & 1 == 1);
                let names: Vec<String> = names.map(|(_, name)| format!("\"{name}\"")).collect();
                format!("\"properties\":{{{}}},\"required\":[{}]", members.join(","), names.join(","))
            }),
            inner.clone().prop_map(|one| format!("\"additionalProperties\":{one}")),
            (inner.clone(), "\\^?[abc]\\$?")
                .prop_map(|(one, pattern)| format!("\"patternProperties\":{{{}:{one}}}", quote(&pattern))),
            Just("\"propertyNames\":{\"enum\":[\"a\",\"c\"]}".to_owned()),
            (0..3u32).prop_map(|min| format!("\"minProperties\":{min}")),
            (0..3u32).prop_map(|max| format!("\"maxProperties\":{max}")),
            Just("\"dependentRequired\":{\"a\":[\"b\"]}".to_owned()),
            inner.clone().prop_map(|one| format!("\"items\":{one}")),
            few.prop_map(|all| format!("\"prefixItems\":[{}]", all.join(","))),
            (0..3u32).prop_map(|min| format!("\"minItems\":{min}")),
            (0..3u32).prop_map(|max| format!("\"maxItems\":{max}")),
            (inner, 0..3u32, 0..3u32).prop_map(|(one, min, more)| {
                format!("\"contains\":{one},\"minContains\":{min},\"maxContains\":{}", min + more)
            }),
            Just("\"uniqueItems\":true".to_owned()),
            Just("\"type\":[\"object\",\"array\",\"integer\"]".to_owned()),
            Just("\"type\":\"object\"".to_owned()),
            Just("\"type\":\"array\"".to_owned()),
        ];
        proptest::collection::vec(keyword, 1..4).prop_map(|keywords| {
            // A keyword stands once.
            let mut members: Vec<String> = Vec::new();
            for keyword in keywords {
                let name = keyword.split(':').next().unwrap_or_default().to_owned();
                if !members.iter().any(|other| other.starts_with(&name)) {
                    members.push(keyword);
                }
            }
            format!("{{{}}}", members.join(","))
        })
    })
}

fn constants() -> impl Strategy<Value = String> {
    let all =
        ["null", "true", "0", "1", "-1.5", "2", "\"\"", "\"a\"", "\"ab\"", "[]", "[1]", "{}", "{\"a\":1}", "[\"a\",1]"];
    proptest::sample::select(all.to_vec()).prop_map(str::to_owned)
}

fn instances() -> impl Strategy<Value = String> {
    constants().prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            (proptest::collection::vec(inner, 3), 0..8u32).prop_map(|(values, set)| {
                let members = ["a", "b", "c"].iter().zip(values).enumerate().filter(|(bit, _)| set >> bit & 1 == 1);
                let members: Vec<String> = members.map(|(_, (name, value))| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// A value with its members in every order.
fn orders(value: &Value) -> Vec<String> {
    let joined = |parts: Vec<Vec<String>>| {
        parts.into_iter().fold(vec![String::new()], |before, part| {
            let after = |text: &String| {
                part.iter()
                    .map(|more| format!("{text}{}{more}", if text.is_empty() { "" } else { "," }))
                    .collect::<Vec<_>>()
            };
            before.iter().flat_map(after).collect()
        })
    };
    match value {
        Value::Array(items) => {
            joined(items.iter().map(orders).collect()).into_iter().map(|items| format!("[{items}]")).collect()
        }
        Value::Object(members) => {
            let member = |(name, value): &(String, Value)| {
                orders(value).into_iter().map(|value| format!("{}:{value}", quote(name))).collect::<Vec<_>>()
            };
            let mut all = Vec::new();
            for order in permutations(members.len()) {
                let parts = order.iter().map(|place| member(&members[*place])).collect();
                all.extend(joined(parts).into_iter().map(|members| format!("{{{members}}}")));
            }
            all
        }
        other => vec![super::written(other, &[])],
    }
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    (0..count).fold(vec![Vec::new()], |shorter, last| {
        let insert = |order: &Vec<usize>| {
            (0..=order.len()).map(|at| [&order[..at], &[last], &order[at..]].concat()).collect::<Vec<_>>()
        };
        shorter.iter().flat_map(insert).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn the_grammar_has_the_valid_instances_and_no_others(
        schema in schemas(),
        shared in schemas(),
        instances in proptest::collection::vec(instances(), 12),
        seed in any::<u64>(),
    ) {
        // A definition that refers to itself in place is no schema.
        let shared = shared.replace("\"$ref\":\"#/$defs/d\"", "\"type\":\"boolean\"");
        let text = format!("{{\"allOf\":[{schema}],\"$defs\":{{\"d\":{shared}}}}}");
        let root = parse(&text).unwrap();
        let compiled = match JsonSchema::parse(&text).unwrap().grammar(&JsonSchemaOptions::default()) {
            Ok(compiled) => Some(compiled),
            Err(error) if error.kind == JsonSchemaErrorKind::NoInstance => None,
            Err(error) => {
                prop_assert!(error.kind != JsonSchemaErrorKind::Invalid, "{text}: {error}");
                return Ok(());
            }
        };
        for instance in instances {
            let value = parse(&instance).unwrap();
            let expected = validator::valid(&root, &root, &value);
            let accepts = |text: &String| {
                compiled.as_ref().is_some_and(|compiled| recogniser::accepts(&compiled.grammar, text.as_bytes()))
            };
            prop_assert_eq!(orders(&value).iter().any(accepts), expected, "{} {}", text, instance);
        }
        for step in 0..4 {
            let Some(compiled) = &compiled else { break };
            let Some(output) = sample::sample(&compiled.grammar, seed.wrapping_add(step)) else { continue };
            let output = String::from_utf8(output).unwrap();
            // A name that stands twice has its last value for most parsers.
            let Ok(value) = parse(&output) else { continue };
            prop_assert!(validator::valid(&root, &root, &value), "{} {}", text, output);
        }
    }
}

/// Otherwise the test above would hold for want of grammars.
#[test]
fn most_generated_schemas_are_enforced() {
    let mut runner = TestRunner::deterministic();
    let enforced = (0..300).filter(|_| {
        let schema = schemas().new_tree(&mut runner).unwrap().current();
        let text = format!("{{\"allOf\":[{schema}],\"$defs\":{{\"d\":{{\"type\":\"boolean\"}}}}}}");
        match JsonSchema::parse(&text).unwrap().grammar(&JsonSchemaOptions::default()) {
            Ok(_) => true,
            Err(error) => error.kind == JsonSchemaErrorKind::NoInstance,
        }
    });
    let enforced = enforced.count();
    assert!(enforced > 200, "{enforced} of 300");
}
