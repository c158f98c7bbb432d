//! The schemas of a document, and what a reference leads to.

use rustc_hash::FxHashMap;

use super::error::{JsonSchemaError, join};
use super::uri;
use super::value::Value;

/// The versions of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Draft {
    /// Draft 4.
    Four,
    /// Draft 6.
    Six,
    /// Draft 7.
    Seven,
    /// 2019-09.
    V2019,
    /// 2020-12.
    V2020,
}

/// A place in the document, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId(u32);

/// A value of the document that is used as a schema or as a constant.
pub(super) struct Node<'d> {
    pub value: &'d Value,
    pub pointer: String,
    pub draft: Draft,
    /// What references are relative to.
    base: usize,
}

/// All schemas of a document.
pub(super) struct Document<'d> {
    nodes: Vec<Node<'d>>,
    by_address: FxHashMap<*const Value, NodeId>,
    bases: Vec<String>,
    /// The schemas with an identifier.
    resources: FxHashMap<String, NodeId>,
    anchors: FxHashMap<(usize, &'d str), NodeId>,
}

/// Where keywords hold schemas.
const ONE: [&str; 12] = [
    "additionalItems",
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
const LIST: [&str; 5] = ["allOf", "anyOf", "items", "oneOf", "prefixItems"];
const MAP: [&str; 6] = ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

impl<'d> Document<'d> {
    pub const ROOT: NodeId = NodeId(0);

    /// Finds all schemas of a document.
    pub fn new(root: &'d Value, draft: Draft) -> Result<Document<'d>, JsonSchemaError> {
        let mut document = Document {
            nodes: Vec::new(),
            by_address: FxHashMap::default(),
            bases: vec![String::new()],
            resources: [(String::new(), Document::ROOT)].into_iter().collect(),
            anchors: FxHashMap::default(),
        };
        document.add(root, String::new(), draft, 0)?;
        Ok(document)
    }

    pub fn node(&self, id: NodeId) -> &Node<'d> {
        &self.nodes[id.0 as usize]
    }

    /// Adds a schema and all schemas within it.
    fn add(&mut self, value: &'d Value, pointer: String, draft: Draft, base: usize) -> Result<NodeId, JsonSchemaError> {
        let draft = match value.get("$schema") {
            Some(name) => draft_named(name, &pointer)?,
            None => draft,
        };
        let id = NodeId(self.nodes.len() as u32);
        let base = self.named(value, id, draft, base);
        self.nodes.push(Node { value, pointer: pointer.clone(), draft, base });
        self.by_address.insert(value, id);
        let Value::Object(members) = value else { return Ok(id) };
        for (keyword, inner) in members {
            let keyword = keyword.as_str();
            match inner {
                Value::Array(items) if LIST.contains(&keyword) => {
                    for (index, item) in items.iter().enumerate() {
                        self.add(item, format!("{pointer}/{keyword}/{index}"), draft, base)?;
                    }
                }
                Value::Object(members) if MAP.contains(&keyword) => {
                    for (name, inner) in members.iter().filter(|(_, inner)| is_schema(inner)) {
                        self.add(inner, join(&format!("{pointer}/{keyword}"), name), draft, base)?;
                    }
                }
                _ if ONE.contains(&keyword) && is_schema(inner) => {
                    self.add(inner, format!("{pointer}/{keyword}"), draft, base)?;
                }
                _ => {}
            }
        }
        Ok(id)
    }

    /// Takes down the names of a schema, and returns the base within it.
    fn named(&mut self, value: &'d Value, id: NodeId, draft: Draft, base: usize) -> usize {
        // Until draft 7 all keywords beside `$ref` are ignored.
        if draft <= Draft::Seven && value.get("$ref").is_some() {
            return base;
        }
        let keyword = if draft == Draft::Four { "id" } else { "$id" };
        let mut inner = base;
        if let Some(name) = value.get(keyword).and_then(Value::as_str) {
            let (absolute, fragment) = uri::resolve(&self.bases[base], name);
            if !name.starts_with('#') {
                self.bases.push(absolute.clone());
                self.resources.insert(absolute, id);
                inner = self.bases.len() - 1;
            }
            if !fragment.is_empty() && draft <= Draft::Seven {
                self.anchors.insert((inner, fragment), id);
            }
        }
        for keyword in ["$anchor", "$dynamicAnchor"] {
            if let Some(name) = value.get(keyword).and_then(Value::as_str)
                && draft >= Draft::V2019
            {
                self.anchors.insert((inner, name), id);
            }
        }
        inner
    }

    /// A part of a schema, by the keyword and the names or numbers below it.
    pub fn child(&mut self, of: NodeId, value: &'d Value, parts: &[&str]) -> NodeId {
        if let Some(id) = self.by_address.get(&std::ptr::from_ref(value)) {
            return *id;
        }
        let parent = self.node(of);
        let (draft, base) = (parent.draft, parent.base);
        let pointer = parts.iter().fold(parent.pointer.clone(), |pointer, part| join(&pointer, part));
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Node { value, pointer, draft, base });
        self.by_address.insert(value, id);
        id
    }

    /// The schema that a reference leads to.
    pub fn resolve(&mut self, from: NodeId, keyword: &str, reference: &str) -> Result<NodeId, JsonSchemaError> {
        let node = self.node(from);
        let pointer = join(&node.pointer, keyword);
        let (absolute, fragment) = uri::resolve(&self.bases[node.base], reference);
        let Some(&resource) = self.resources.get(&absolute) else {
            return Err(JsonSchemaError::unsupported(
                pointer,
                format!("`{reference}` leads outside the document; put that schema into `$defs` and refer to it there"),
            ));
        };
        let lost = || JsonSchemaError::invalid(&pointer, format!("`{reference}` leads to no schema of the document"));
        let fragment = uri::decoded(fragment).ok_or_else(lost)?;
        if fragment.is_empty() {
            return Ok(resource);
        }
        if !fragment.starts_with('/') {
            let base = self.node(resource).base;
            let anchor = self.anchors.iter().find(|((at, name), _)| *at == base && **name == *fragment);
            return anchor.map(|(_, id)| *id).ok_or_else(lost);
        }
        let mut at = resource;
        let mut value = self.node(resource).value;
        let mut parts: Vec<String> = Vec::new();
        for part in fragment[1..].split('/') {
            let part = part.replace("~1", "/").replace("~0", "~");
            value = match value {
                Value::Object(_) => value.get(&part),
                Value::Array(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => None,
            }
            .ok_or_else(lost)?;
            parts.push(part);
            if let Some(known) = self.by_address.get(&std::ptr::from_ref(value)) {
                at = *known;
                parts.clear();
            }
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Ok(if parts.is_empty() { at } else { self.child(at, value, &parts) })
    }
}

fn is_schema(value: &Value) -> bool {
    matches!(value, Value::Object(_) | Value::Bool(_))
}

/// The draft of a `$schema`.
fn draft_named(name: &Value, pointer: &str) -> Result<Draft, JsonSchemaError> {
    let text = name.as_str().unwrap_or_default();
    let plain = text.trim_end_matches('#').trim_start_matches("http://").trim_start_matches("https://");
    Ok(match plain {
        "json-schema.org/draft-04/schema" => Draft::Four,
        "json-schema.org/draft-06/schema" => Draft::Six,
        "json-schema.org/draft-07/schema" | "json-schema.org/schema" => Draft::Seven,
        "json-schema.org/draft/2019-09/schema" => Draft::V2019,
        "json-schema.org/draft/2020-12/schema" => Draft::V2020,
        _ => {
            return Err(JsonSchemaError::unsupported(
                join(pointer, "$schema"),
                format!("`{text}` is no known draft; 2020-12, 2019-09, draft-07, draft-06 and draft-04 are"),
            ));
        }
    })
}
