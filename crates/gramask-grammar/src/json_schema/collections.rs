//! The keywords for arrays and for objects.

use super::compiler::{Compiler, Result};
use super::document::Draft;
use super::error::{JsonSchemaError, join};
use super::keywords::Reader;
use super::shape::{ArrayShape, Contains, ObjectShape, Property, Rest, SubId};
use super::value::Value;

impl<'d> Compiler<'d> {
    pub(super) fn array_keywords(&mut self, reader: Reader<'d>) -> Result<Option<ArrayShape>> {
        const ALL: [&str; 7] =
            ["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "unevaluatedItems"];
        if !reader.has(&ALL) {
            return Ok(None);
        }
        let mut array = ArrayShape::any();
        self.items(reader, &mut array)?;
        array.min = self.count(reader, "minItems")?.unwrap_or(0);
        array.max = self.count(reader, "maxItems")?;
        array.unique = match reader.get("uniqueItems") {
            None => false,
            Some(Value::Bool(unique)) => *unique,
            Some(other) => return self.invalid(reader, "uniqueItems", "a boolean", other),
        };
        if let Some(value) = reader.get("contains")
            && reader.draft != Draft::Four
        {
            let item = self.inner(reader.node, value, &["contains"]);
            let counts = reader.draft >= Draft::V2019;
            let min = if counts { self.count(reader, "minContains")? } else { None }.unwrap_or(1);
            let max = if counts { self.count(reader, "maxContains")? } else { None };
            if min > 0 || max.is_some() {
                array.contains.push(Contains { item, min, max });
            }
        }
        match reader.get("unevaluatedItems") {
            None | Some(Value::Bool(true)) => {}
            Some(_) if reader.draft < Draft::V2019 => {}
            Some(value) => {
                if reader.has(&["allOf", "anyOf", "oneOf", "if", "$ref", "contains", "not", "dependentSchemas"]) {
                    let reason = "it depends on which branches hold; write `items` in each branch";
                    return self.unsupported(reader, "unevaluatedItems", reason);
                }
                let evaluated = reader.has(&["additionalItems"]) && reader.draft == Draft::V2019
                    || reader.get("items").is_some_and(|items| !matches!(items, Value::Array(_)));
                if !evaluated {
                    array.rest = self.inner(reader.node, value, &["unevaluatedItems"]);
                }
            }
        }
        // An item that can't be ends the array before it.
        Ok(Some(super::combine::tidy_array(array)))
    }

    fn items(&mut self, reader: Reader<'d>, array: &mut ArrayShape) -> Result<()> {
        if let Some(value) = reader.get("prefixItems")
            && reader.draft >= Draft::V2020
        {
            let Value::Array(items) = value else { return self.invalid(reader, "prefixItems", "an array", value) };
            array.prefix = self.list(reader, "prefixItems", items);
        }
        match reader.get("items") {
            None => {}
            Some(Value::Array(items)) => {
                // 2020-12 has `prefixItems` for this. With a `$schema` that says so, the meaning is not clear.
                if reader.draft >= Draft::V2020
                    && self.document.node(super::document::Document::ROOT).value.get("$schema").is_some()
                {
                    let reason = "an array of schemas is called `prefixItems` since 2020-12";
                    return Err(JsonSchemaError::invalid(self.pointer(reader, "items"), reason));
                }
                array.prefix = self.list(reader, "items", items);
                if let Some(value) = reader.get("additionalItems") {
                    array.rest = self.inner(reader.node, value, &["additionalItems"]);
                }
            }
            Some(value) => array.rest = self.inner(reader.node, value, &["items"]),
        }
        Ok(())
    }

    /// The schemas of a list.
    pub(super) fn list(&mut self, reader: Reader<'d>, keyword: &str, items: &'d [Value]) -> Vec<SubId> {
        let inner = |(index, item): (usize, &'d Value)| self.inner(reader.node, item, &[keyword, &index.to_string()]);
        items.iter().enumerate().map(inner).collect()
    }

    /// The members of a keyword that is an object.
    pub(super) fn members(&self, reader: Reader<'d>, keyword: &str) -> Result<&'d [(String, Value)]> {
        match reader.get(keyword) {
            None => Ok(&[]),
            Some(Value::Object(members)) => Ok(members),
            Some(other) => self.invalid(reader, keyword, "an object", other),
        }
    }

    /// The names of a keyword that is an array of names.
    pub(super) fn names(&self, pointer: &str, value: &'d Value) -> Result<Vec<&'d str>> {
        let names = match value {
            Value::Array(names) => names.iter().map(Value::as_str).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        names.ok_or_else(|| {
            JsonSchemaError::invalid(
                pointer,
                format!("names in an array of strings are expected, not {}", value.kind()),
            )
        })
    }

    pub(super) fn object_keywords(&mut self, reader: Reader<'d>) -> Result<Option<ObjectShape>> {
        const ALL: [&str; 8] = [
            "properties",
            "patternProperties",
            "additionalProperties",
            "unevaluatedProperties",
            "propertyNames",
            "required",
            "minProperties",
            "maxProperties",
        ];
        if !reader.has(&ALL) {
            return Ok(None);
        }
        let others = match reader.get("additionalProperties") {
            Some(value) => self.inner(reader.node, value, &["additionalProperties"]),
            None => self.unevaluated_properties(reader)?,
        };
        let mut patterns = Vec::new();
        for (pattern, value) in self.members(reader, "patternProperties")? {
            let language = self.pattern(reader, "patternProperties", pattern)?;
            patterns.push((language, self.inner(reader.node, value, &["patternProperties", pattern])));
        }
        let mut object = ObjectShape { rest: self.partition(&patterns, others)?, ..ObjectShape::any() };
        for (name, value) in self.members(reader, "properties")? {
            let own = self.inner(reader.node, value, &["properties", name]);
            let matching = patterns.iter().filter(|(language, _)| language.contains(name.as_bytes()));
            let value = self.all(matching.map(|(_, value)| *value).chain([own]));
            object.named.push(Property { name: name.as_str().into(), value, required: false, listed: true });
        }
        // In draft 3 and in mistaken schemas `required` is a boolean, which says nothing here.
        if let Some(value) = reader.get("required") {
            for name in self.names(&self.pointer(reader, "required"), value)? {
                require(&mut object, name);
            }
        }
        self.property_names(reader, &mut object)?;
        object.min = self.count(reader, "minProperties")?.unwrap_or(0);
        object.max = self.count(reader, "maxProperties")?;
        Ok(Some(object))
    }

    /// The members that no other keyword looks at, if that can be told from this schema alone.
    fn unevaluated_properties(&mut self, reader: Reader<'d>) -> Result<SubId> {
        match reader.get("unevaluatedProperties") {
            None | Some(Value::Bool(true)) => Ok(SubId::ANY),
            Some(_) if reader.draft < Draft::V2019 => Ok(SubId::ANY),
            Some(value) => {
                if reader.has(&["allOf", "anyOf", "oneOf", "if", "$ref", "not", "dependentSchemas"]) {
                    let reason = "it depends on which branches hold; write `additionalProperties` in each branch";
                    return self.unsupported(reader, "unevaluatedProperties", reason);
                }
                Ok(self.inner(reader.node, value, &["unevaluatedProperties"]))
            }
        }
    }

    /// The sets of names that the same patterns match, with what their members must be.
    fn partition(&mut self, patterns: &[(crate::regex::Language, SubId)], others: SubId) -> Result<Vec<Rest>> {
        // Names and the values of the patterns that match them.
        let mut sets: Vec<(Option<crate::regex::Language>, Vec<SubId>)> = vec![(None, Vec::new())];
        for (language, value) in patterns {
            let mut finer = Vec::new();
            for (names, values) in sets {
                let names = names.unwrap_or_else(crate::regex::Language::text);
                let (both, rest) = (names.and(language, &mut self.steps), names.minus(language, &mut self.steps));
                let (both, rest) = (self.sized(both)?, self.sized(rest)?);
                if !both.is_empty() {
                    finer.push((Some(both), values.iter().copied().chain([*value]).collect()));
                }
                if !rest.is_empty() {
                    finer.push((Some(rest), values));
                }
            }
            sets = finer;
        }
        let mut rest = Vec::new();
        for (names, values) in sets {
            let value = if values.is_empty() { others } else { self.all(values) };
            if value != SubId::NEVER {
                rest.push(Rest { names, value });
            }
        }
        Ok(rest)
    }

    fn property_names(&mut self, reader: Reader<'d>, object: &mut ObjectShape) -> Result<()> {
        let Some(value) = reader.get("propertyNames").filter(|_| reader.draft != Draft::Four) else { return Ok(()) };
        let names = self.inner(reader.node, value, &["propertyNames"]);
        let names = self.shape(names)?.strings.clone();
        if names.is_all() {
            return Ok(());
        }
        for property in object.named.iter_mut().filter(|property| !names.contains(&property.name)) {
            property.value = SubId::NEVER;
        }
        let language = names.language(&mut self.steps);
        let language = self.sized(language)?;
        for rest in &mut object.rest {
            let both = match &rest.names {
                None => language.clone(),
                Some(names) => {
                    let both = names.and(&language, &mut self.steps);
                    self.sized(both)?
                }
            };
            rest.names = Some(both);
        }
        object.rest.retain(|rest| !rest.names.as_ref().is_some_and(crate::regex::Language::is_empty));
        Ok(())
    }

    /// What a reference leads to.
    pub(super) fn reference(&mut self, reader: Reader<'d>, keyword: &str, value: &'d Value) -> Result<SubId> {
        let Some(text) = value.as_str() else { return self.invalid(reader, keyword, "a string", value) };
        let node = self.document.resolve(reader.node, keyword, text)?;
        Ok(self.schema(node))
    }

    pub(super) fn below(&self, reader: Reader<'d>, keyword: &str, name: &str) -> String {
        join(&self.pointer(reader, keyword), name)
    }
}

/// A member that must be there.
pub(super) fn require(object: &mut ObjectShape, name: &str) {
    match object.named.iter_mut().find(|property| &*property.name == name) {
        Some(property) => property.required = true,
        None => {
            let value = object.other(name);
            object.named.push(Property { name: name.into(), value, required: true, listed: false });
        }
    }
}
