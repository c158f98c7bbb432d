//! `%json {...}`: the instances of a JSON Schema as a part of a rule.

use std::sync::Arc;

use super::super::error::Fault;
use super::super::grammar::Grammar;
use crate::byte_set::ByteSet;
use crate::json_schema::JsonSchemaOptions;
use crate::notation::ast::Span;
use crate::plain::{Builder, Expr, PlainGrammar, PlainOracle, RuleId};

/// The bytes that a value of JSON can begin with.
const BEGINNINGS: &[u8] = b"{[\"ntf-0123456789";
/// The bytes that can continue a number which is complete without them. All other values end with their last byte.
const NUMBER_GOES_ON: &[u8] = b"0123456789.eE";

/// The instances of a JSON Schema.
#[derive(Debug)]
pub(super) struct Json {
    plain: Arc<PlainGrammar>,
    /// The bytes that an instance can begin with.
    pub first: ByteSet,
    /// The bytes that some complete instance may go on with.
    pub onward: ByteSet,
}

impl Json {
    /// Compiles a schema. White space is compact.
    pub fn new(schema: &str, span: Span, warnings: &mut Vec<Fault>) -> Result<Json, Fault> {
        check_options(schema, span)?;
        let grammar = Grammar::from_json_schema(schema, &JsonSchemaOptions::default());
        let grammar = grammar.map_err(|refused| {
            let messages: Vec<String> = refused.errors.into_iter().map(|error| error.message).collect();
            Fault::new(span, messages.join("; "))
        })?;
        warnings.extend(grammar.warnings().iter().map(|warning| Fault::new(span, warning.message.clone())));
        let begins = |byte: &u8| PlainOracle::new(grammar.plain()).advance_bytes(&[*byte]);
        let first = set(BEGINNINGS.iter().copied().filter(begins));
        let number = first.iter().any(|byte| byte == b'-' || byte.is_ascii_digit());
        let onward = if number { set(NUMBER_GOES_ON.iter().copied()) } else { ByteSet::default() };
        Ok(Json { plain: Arc::clone(grammar.plain()), first, onward })
    }

    /// Adds the rules of the instances to a grammar, and returns the rule of a whole instance.
    pub fn define(&self, builder: &mut Builder) -> RuleId {
        let rules: Vec<RuleId> = self.plain.rules().iter().map(|rule| builder.declare(rule.name.clone())).collect();
        for (rule, id) in self.plain.rules().iter().zip(&rules) {
            builder.define(*id, renumbered(&rule.body, &rules));
        }
        rules[self.plain.start().index()]
    }
}

fn set(bytes: impl Iterator<Item = u8>) -> ByteSet {
    let mut set = ByteSet::default();
    bytes.for_each(|byte| set.insert(byte));
    set
}

/// The same expression with other numbers of rules.
fn renumbered(expr: &Expr, rules: &[RuleId]) -> Expr {
    let all = |parts: &[Expr]| parts.iter().map(|part| renumbered(part, rules)).collect();
    match expr {
        Expr::Rule(rule) => Expr::Rule(rules[rule.index()]),
        Expr::Sequence(parts) => Expr::Sequence(all(parts)),
        Expr::Choice(parts) => Expr::Choice(all(parts)),
        Expr::Repeat { body, min, max } => renumbered(body, rules).repeat(*min, *max),
        Expr::Bytes(_) | Expr::Regular(_) | Expr::Special(_) => expr.clone(),
    }
}

/// Refuses what llguidance reads in the member `x-guidance`, unless it says what is done here anyhow.
fn check_options(schema: &str, span: Span) -> Result<(), Fault> {
    let value: serde_json::Value = serde_json::from_str(schema).unwrap_or_default();
    match value.get("x-guidance") {
        Some(options) if *options != serde_json::json!({ "whitespace_flexible": false }) => {
            Err(Fault::new(span, "the options at `/x-guidance` are not supported")
                .help("leave them out, or write {\"whitespace_flexible\": false}: an instance has no white space"))
        }
        _ => Ok(()),
    }
}
