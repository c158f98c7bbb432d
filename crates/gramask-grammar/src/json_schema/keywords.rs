//! The keywords of a schema, read one after the other into a shape.

use std::rc::Rc;

use super::combine::is_visibly_empty;
use super::compiler::{Compiler, Result};
use super::decimal::Decimal;
use super::document::{Draft, NodeId};
use super::error::{JsonSchemaError, join};
use super::numbers::{Bound, Numbers};
use super::pattern::{self, PatternError};
use super::shape::{ArrayShape, ObjectShape, Property, Shape, SubId};
use super::strings::Strings;
use super::value::Value;
use super::{Formats, Unknown, Warning, format};
use crate::regex::Language;

/// A schema that is read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'d> {
    pub node: NodeId,
    pub value: &'d Value,
    pub draft: Draft,
}

/// Keywords that say nothing about which instances are valid.
const ANNOTATIONS: [&str; 26] = [
    "$anchor",
    "$comment",
    "$defs",
    "$dynamicAnchor",
    "$id",
    "$recursiveAnchor",
    "$schema",
    "$vocabulary",
    "comment",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "default",
    "definitions",
    "deprecated",
    "deprecationMessage",
    "description",
    "enumDescriptions",
    "example",
    "examples",
    "id",
    "markdownDescription",
    "media",
    "readOnly",
    "title",
    "writeOnly",
];

/// Keywords that are enforced, or refused where they can't be.
const ENFORCED: [&str; 43] = [
    "$dynamicRef",
    "$recursiveRef",
    "$ref",
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "required",
    "then",
    "type",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
];

impl<'d> Reader<'d> {
    pub fn get(&self, keyword: &str) -> Option<&'d Value> {
        self.value.get(keyword)
    }

    pub fn has(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.get(keyword).is_some())
    }
}

impl<'d> Compiler<'d> {
    /// What a schema of the document allows.
    pub(super) fn schema_shape(&mut self, node: NodeId) -> Result<Shape> {
        self.reading.push(node);
        let place = self.document.node(node);
        let reader = Reader { node, value: place.value, draft: place.draft };
        let shape = match place.value {
            Value::Bool(true) => Ok(Shape::any()),
            Value::Bool(false) => Ok(Shape::none()),
            Value::Object(_) => self.keywords(reader),
            other => {
                let reason = format!("a schema is an object or a boolean, not {}", other.kind());
                Err(JsonSchemaError::invalid(place.pointer.clone(), reason))
            }
        };
        self.reading.pop();
        shape
    }

    fn keywords(&mut self, reader: Reader<'d>) -> Result<Shape> {
        if reader.draft <= Draft::Seven
            && let Some(reference) = reader.get("$ref")
        {
            let target = self.reference(reader, "$ref", reference)?;
            return Ok(Shape::clone(&*self.shape(target)?));
        }
        self.note_unknown(reader)?;
        let mut shape = self.types(reader)?;
        if let Some(values) = self.values(reader)? {
            shape = self.and(&shape, &values)?;
        }
        if !shape.numbers.is_none() {
            let numbers = self.number_keywords(reader)?;
            let both = shape.numbers.and(&numbers, &mut self.steps);
            shape.numbers = self.sized(both)?;
        }
        if shape.strings != Strings::none() {
            let strings = self.string_keywords(reader)?;
            let both = shape.strings.and(&strings, &mut self.steps);
            shape.strings = self.sized(both)?;
        }
        if !shape.arrays.is_empty()
            && let Some(array) = self.array_keywords(reader)?
        {
            let array = Shape { arrays: vec![Rc::new(array)], ..Shape::any() };
            shape = self.and(&shape, &array)?;
        }
        if !shape.objects.is_empty()
            && let Some(object) = self.object_keywords(reader)?
        {
            let objects = if is_visibly_empty(&object) { Vec::new() } else { vec![Rc::new(object)] };
            shape = self.and(&shape, &Shape { objects, ..Shape::any() })?;
        }
        self.applicators(reader, shape)
    }

    /// An unknown keyword is an annotation by the standard. It may be a mistyped one, so that it is never silent.
    fn note_unknown(&mut self, reader: Reader<'d>) -> Result<()> {
        let Value::Object(members) = reader.value else { return Ok(()) };
        for (keyword, _) in members {
            let keyword = keyword.as_str();
            if ENFORCED.contains(&keyword) || ANNOTATIONS.contains(&keyword) || keyword.starts_with("x-") {
                continue;
            }
            let pointer = join(&self.document.node(reader.node).pointer, keyword);
            if self.options.unknown == Unknown::Refuse {
                let reason = format!("`{keyword}` is no keyword; remove it, or name it `x-{keyword}`");
                return Err(JsonSchemaError::unsupported(pointer, reason));
            }
            self.warnings.push(Warning { pointer, reason: format!("`{keyword}` is no keyword, and is ignored") });
        }
        Ok(())
    }

    pub(super) fn pointer(&self, reader: Reader<'d>, keyword: &str) -> String {
        join(&self.document.node(reader.node).pointer, keyword)
    }

    pub(super) fn invalid<T>(&self, reader: Reader<'d>, keyword: &str, expected: &str, found: &Value) -> Result<T> {
        let reason = format!("`{keyword}` is {expected}, not {}", found.kind());
        Err(JsonSchemaError::invalid(self.pointer(reader, keyword), reason))
    }

    pub(super) fn unsupported<T>(&self, reader: Reader<'d>, keyword: &str, reason: impl Into<String>) -> Result<T> {
        Err(JsonSchemaError::unsupported(self.pointer(reader, keyword), reason))
    }

    fn types(&mut self, reader: Reader<'d>) -> Result<Shape> {
        let Some(value) = reader.get("type") else { return Ok(Shape::any()) };
        let names: Vec<&Value> = match value {
            Value::Array(names) => names.iter().collect(),
            one => vec![one],
        };
        let mut shape = Shape::none();
        let any = Shape::any();
        for name in names {
            match name.as_str() {
                Some("null") => shape.null = true,
                Some("boolean") => shape.booleans = [true; 2],
                Some("number") => shape.numbers = Numbers::All,
                Some("integer") if shape.numbers != Numbers::All => shape.numbers = Numbers::integers(),
                Some("integer") => {}
                Some("string") => shape.strings = Strings::all(),
                Some("array") => shape.arrays.clone_from(&any.arrays),
                Some("object") => shape.objects.clone_from(&any.objects),
                Some(other) => {
                    let reason =
                        format!("`{other}` is no type; null, boolean, number, integer, string, array and object are");
                    return Err(JsonSchemaError::invalid(self.pointer(reader, "type"), reason));
                }
                None => return self.invalid(reader, "type", "the name of a type, or an array of names", name),
            }
        }
        Ok(shape)
    }

    /// The values of `enum` and `const`.
    fn values(&mut self, reader: Reader<'d>) -> Result<Option<Shape>> {
        let mut found = match reader.get("enum") {
            Some(Value::Array(values)) => {
                let values: Vec<(&Value, String)> =
                    values.iter().enumerate().map(|(index, value)| (value, index.to_string())).collect();
                let parts: Vec<(&Value, Vec<&str>)> =
                    values.iter().map(|(value, index)| (*value, vec!["enum", index.as_str()])).collect();
                Some(self.listed(reader.node, &parts)?)
            }
            Some(other) => return self.invalid(reader, "enum", "an array", other),
            None => None,
        };
        if let Some(value) = reader.get("const") {
            let one = self.listed(reader.node, &[(value, vec!["const"])])?;
            found = Some(match found {
                Some(others) => self.and(&others, &one)?,
                None => one,
            });
        }
        Ok(found)
    }

    /// The one value at a place.
    pub(super) fn constant_shape(&mut self, node: NodeId) -> Result<Shape> {
        self.reading.push(node);
        let value = self.document.node(node).value;
        let shape = self.listed(node, &[(value, Vec::new())]);
        self.reading.pop();
        shape
    }

    /// These values, each with its place below a node.
    fn listed(&mut self, node: NodeId, values: &[(&'d Value, Vec<&str>)]) -> Result<Shape> {
        let mut shape = Shape::none();
        let (mut numbers, mut strings) = (Vec::new(), Vec::new());
        for (value, parts) in values {
            let below = |part: &str| parts.iter().map(|part| (*part).to_owned()).chain([part.to_owned()]).collect();
            match value {
                Value::Null => shape.null = true,
                Value::Bool(value) => shape.booleans[usize::from(*value)] = true,
                Value::Number(number) => numbers.push(number),
                Value::String(text) => strings.push(text.as_str()),
                Value::Array(items) => {
                    let mut prefix = Vec::new();
                    for (index, item) in items.iter().enumerate() {
                        let place: Vec<String> = below(&index.to_string());
                        prefix.push(self.constant_at(node, item, &place));
                    }
                    let length = items.len() as u32;
                    let rest = SubId::NEVER;
                    let array = ArrayShape { prefix, rest, min: length, max: Some(length), ..ArrayShape::any() };
                    shape.arrays.push(Rc::new(array));
                }
                Value::Object(members) => {
                    let mut named = Vec::new();
                    for (name, value) in members {
                        let place: Vec<String> = below(name);
                        let value = self.constant_at(node, value, &place);
                        named.push(Property { name: name.as_str().into(), value, required: true, listed: true });
                    }
                    shape.objects.push(Rc::new(ObjectShape { named, rest: Vec::new(), ..ObjectShape::any() }));
                }
            }
        }
        let numbers = Numbers::values(numbers.into_iter(), &mut self.steps);
        shape.numbers = self.sized(numbers)?;
        let strings = Language::words(strings, &mut self.steps);
        shape.strings = Strings::of(self.sized(strings)?);
        Ok(shape)
    }

    fn constant_at(&mut self, node: NodeId, value: &'d Value, place: &[String]) -> SubId {
        let parts: Vec<&str> = place.iter().map(String::as_str).collect();
        self.constant(node, value, &parts)
    }

    /// A number of things: an integer that is not negative.
    pub(super) fn count(&self, reader: Reader<'d>, keyword: &str) -> Result<Option<u32>> {
        let Some(value) = reader.get(keyword) else { return Ok(None) };
        let Value::Number(number) = value else { return self.invalid(reader, keyword, "a number", value) };
        if number.negative || !number.is_integer() {
            let reason = format!("`{keyword}` is an integer of 0 or more, not {number}");
            return Err(JsonSchemaError::invalid(self.pointer(reader, keyword), reason));
        }
        match number.to_u32() {
            Some(count) if count < u32::MAX => Ok(Some(count)),
            // No output is that long: as an upper bound it says nothing.
            _ if keyword.starts_with("max") => Ok(None),
            _ => self.unsupported(reader, keyword, format!("{number} is more than any output can have")),
        }
    }

    fn number_keywords(&mut self, reader: Reader<'d>) -> Result<Numbers> {
        let (low, also_low) = self.bounds(reader, "minimum", "exclusiveMinimum")?;
        let (high, also_high) = self.bounds(reader, "maximum", "exclusiveMaximum")?;
        let mut numbers = Numbers::All;
        for (low, high) in [(low, high), (also_low, also_high)] {
            let range = Numbers::between(low.as_ref(), high.as_ref(), &mut self.steps);
            let both = numbers.and(&self.sized(range)?, &mut self.steps);
            numbers = self.sized(both)?;
        }
        let Some(value) = reader.get("multipleOf") else { return Ok(numbers) };
        let Value::Number(of) = value else { return self.invalid(reader, "multipleOf", "a number", value) };
        if of.negative || of.is_zero() {
            let reason = format!("`multipleOf` is a number above 0, not {of}");
            return Err(JsonSchemaError::invalid(self.pointer(reader, "multipleOf"), reason));
        }
        let Ok(multiples) = Numbers::multiples(of, &mut self.steps) else {
            let limit = self.options.steps;
            return self.unsupported(
                reader,
                "multipleOf",
                format!(
                    "multiples of {of} need an automaton of more than {limit} steps; take a number with fewer digits"
                ),
            );
        };
        let both = numbers.and(&multiples, &mut self.steps);
        self.sized(both)
    }

    /// The bound of a keyword and of its exclusive form, which is a boolean in draft 4.
    fn bounds(&self, reader: Reader<'d>, keyword: &str, exclusive: &str) -> Result<(Option<Bound>, Option<Bound>)> {
        let number = |name: &str| match reader.get(name) {
            None | Some(Value::Bool(_)) => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number.clone())),
            Some(other) => self.invalid(reader, name, "a number", other),
        };
        if let Some(found @ Value::Bool(_)) = reader.get(keyword) {
            return self.invalid(reader, keyword, "a number", found);
        }
        let included = reader.get(exclusive) != Some(&Value::Bool(true));
        let bound = |at: Option<Decimal>, included| at.map(|at| Bound { at, included });
        Ok((bound(number(keyword)?, included), bound(number(exclusive)?, false)))
    }

    fn string_keywords(&mut self, reader: Reader<'d>) -> Result<Strings> {
        let min = self.count(reader, "minLength")?.unwrap_or(0);
        let mut strings = Strings::length(min, self.count(reader, "maxLength")?);
        match reader.get("pattern") {
            None => {}
            Some(Value::String(text)) => {
                let language = self.pattern(reader, "pattern", text)?;
                let both = strings.and(&Strings::of(language), &mut self.steps);
                strings = self.sized(both)?;
            }
            Some(other) => return self.invalid(reader, "pattern", "a string", other),
        }
        let name = match reader.get("format") {
            Some(Value::String(name)) if self.options.formats == Formats::Enforce => name,
            Some(other) if other.as_str().is_none() => return self.invalid(reader, "format", "a string", other),
            _ => return Ok(strings),
        };
        let meaning = format::meaning(name, &mut self.steps);
        match self.sized(meaning)? {
            format::Meaning::Language(language) => {
                let both = strings.and(&language, &mut self.steps);
                self.sized(both)
            }
            format::Meaning::Refused => self.unsupported(
                reader,
                "format",
                format!("the format `{name}` has no automaton here; give a `pattern`"),
            ),
            format::Meaning::Unknown => {
                let pointer = self.pointer(reader, "format");
                let reason = format!("JSON Schema defines no format `{name}`, and it is ignored");
                self.warnings.push(Warning { pointer, reason });
                Ok(strings)
            }
        }
    }

    /// The strings in which a pattern is found.
    pub(super) fn pattern(&mut self, reader: Reader<'d>, keyword: &str, text: &'d str) -> Result<Language> {
        if let Some(known) = self.patterns.get(text) {
            return Ok(known.clone());
        }
        match pattern::language(text, &mut self.steps) {
            Ok(language) => {
                self.patterns.insert(text, language.clone());
                Ok(language)
            }
            Err(PatternError::Refused(what)) => {
                self.unsupported(reader, keyword, format!("the pattern has {what}, which is not supported here"))
            }
            Err(PatternError::TooLarge) => {
                let made = Err(crate::regex::RegexError::TooLarge);
                self.sized(made)
            }
        }
    }
}
