//! What the translation of a schema keeps: its parts by number, their shapes, and the steps that are left.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::document::{Document, NodeId};
use super::error::{JsonSchemaError, JsonSchemaErrorKind};
use super::shape::{Shape, Sub, SubId};
use super::value::Value;
use super::{Options, Warning};
use crate::regex::{Language, RegexError, Steps};

pub(super) type Result<T> = std::result::Result<T, JsonSchemaError>;

/// A schema may have this many parts, with those that come from combining others.
const MOST_PARTS: usize = 50_000;

/// Schemas that lead to others, in place or by what they require, are followed this deep. It keeps the stack small.
const DEEPEST: usize = 100;

pub(super) struct Compiler<'d> {
    pub document: Document<'d>,
    pub options: Options,
    pub steps: Steps,
    pub warnings: Vec<Warning>,
    subs: Vec<Sub>,
    numbers: FxHashMap<Sub, SubId>,
    shapes: FxHashMap<SubId, Rc<Shape>>,
    /// The parts whose shape is being made.
    pub(super) open: FxHashSet<SubId>,
    /// The schemas whose keywords are being read, the innermost last.
    pub reading: Vec<NodeId>,
    pub patterns: FxHashMap<&'d str, Language>,
    pub(super) empty: FxHashMap<SubId, bool>,
    pub(super) asking: FxHashSet<SubId>,
    pub(super) assumed: bool,
    /// How many shapes and questions are open.
    depth: usize,
    /// Whether a shape was asked for while it was being made.
    pub(super) cycle: bool,
    /// Whether an answer to "is it empty" rests on that.
    pub(super) unsure: bool,
}

impl<'d> Compiler<'d> {
    pub fn new(root: &'d Value, options: Options) -> Result<Compiler<'d>> {
        Ok(Compiler {
            document: Document::new(root, options.draft)?,
            options,
            steps: Steps::of(options.steps),
            warnings: Vec::new(),
            subs: vec![Sub::Any, Sub::Never],
            numbers: FxHashMap::default(),
            shapes: FxHashMap::default(),
            open: FxHashSet::default(),
            reading: Vec::new(),
            patterns: FxHashMap::default(),
            empty: FxHashMap::default(),
            asking: FxHashSet::default(),
            assumed: false,
            depth: 0,
            cycle: false,
            unsure: false,
        })
    }

    pub fn sub(&self, id: SubId) -> &Sub {
        &self.subs[id.0 as usize]
    }

    /// The pointer to the schema that is being read.
    pub fn here(&self) -> String {
        self.reading.last().map_or(String::new(), |node| self.document.node(*node).pointer.clone())
    }

    /// An automaton, or the error that says where it became too large.
    pub fn sized<T>(&self, made: std::result::Result<T, RegexError>) -> Result<T> {
        made.map_err(|_| {
            let limit = self.options.steps;
            let reason = format!("its automata take more than {limit} steps; bound or repeat less in it");
            JsonSchemaError::new(JsonSchemaErrorKind::TooLarge, self.here(), reason)
        })
    }

    pub fn too_large(&self, what: &str, most: usize) -> JsonSchemaError {
        let reason = format!("it has more than {most} {what}");
        JsonSchemaError::new(JsonSchemaErrorKind::TooLarge, self.here(), reason)
    }

    fn number(&mut self, sub: Sub) -> SubId {
        let fresh = SubId(self.subs.len() as u32);
        let id = *self.numbers.entry(sub.clone()).or_insert(fresh);
        if id == fresh {
            self.subs.push(sub);
        }
        id
    }

    /// What a schema allows.
    pub fn schema(&mut self, node: NodeId) -> SubId {
        match self.document.node(node).value {
            Value::Bool(true) => SubId::ANY,
            Value::Bool(false) => SubId::NEVER,
            Value::Object(members) if members.is_empty() => SubId::ANY,
            _ => self.number(Sub::Schema(node)),
        }
    }

    /// A schema within a schema, by its keyword and what stands below it.
    pub fn inner(&mut self, of: NodeId, value: &'d Value, parts: &[&str]) -> SubId {
        let node = self.document.child(of, value, parts);
        self.schema(node)
    }

    pub fn constant(&mut self, of: NodeId, value: &'d Value, parts: &[&str]) -> SubId {
        let node = self.document.child(of, value, parts);
        self.number(Sub::Constant(node))
    }

    pub fn not(&mut self, sub: SubId) -> SubId {
        match *self.sub(sub) {
            Sub::Any => SubId::NEVER,
            Sub::Never => SubId::ANY,
            Sub::Not(inner) => inner,
            _ => self.number(Sub::Not(sub)),
        }
    }

    /// The values of all.
    pub fn all(&mut self, subs: impl IntoIterator<Item = SubId>) -> SubId {
        let mut parts: Vec<SubId> = Vec::new();
        for sub in subs {
            match self.sub(sub) {
                Sub::Any => {}
                Sub::Never => return SubId::NEVER,
                Sub::And(inner) => parts.extend(inner.iter()),
                _ => parts.push(sub),
            }
        }
        // The order of the parts decides the order of properties. It is that of the document.
        parts.sort_unstable();
        parts.dedup();
        match parts.as_slice() {
            [] => SubId::ANY,
            [one] => *one,
            _ => self.number(Sub::And(parts.into())),
        }
    }

    pub fn both(&mut self, a: SubId, b: SubId) -> SubId {
        self.all([a, b])
    }

    /// The normal form of a part.
    pub fn shape(&mut self, id: SubId) -> Result<Rc<Shape>> {
        if let Some(shape) = self.shapes.get(&id) {
            return Ok(Rc::clone(shape));
        }
        if self.subs.len() > MOST_PARTS {
            return Err(self.too_large("parts", MOST_PARTS));
        }
        if !self.open.insert(id) {
            self.cycle = true;
            let reason = "it refers to itself without an array or an object in between, so that it says nothing";
            let pointer = match self.sub(id) {
                Sub::Schema(node) => self.document.node(*node).pointer.clone(),
                _ => self.here(),
            };
            return Err(JsonSchemaError::invalid(pointer, reason));
        }
        // What is asked within a shape must not rest on the assumptions of an outer question.
        let asked = (std::mem::take(&mut self.asking), std::mem::take(&mut self.assumed));
        let shape = self.deeper(|compiler| compiler.make_shape(id));
        (self.asking, self.assumed) = asked;
        self.open.remove(&id);
        self.unsure &= !self.open.is_empty();
        let shape = Rc::new(shape?);
        self.shapes.insert(id, Rc::clone(&shape));
        Ok(shape)
    }

    /// Follows a schema to another one.
    pub fn deeper<T>(&mut self, follow: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= DEEPEST {
            return Err(self.too_large("schemas that lead from one to the next", DEEPEST));
        }
        self.depth += 1;
        let found = follow(self);
        self.depth -= 1;
        found
    }

    fn make_shape(&mut self, id: SubId) -> Result<Shape> {
        Ok(match self.sub(id).clone() {
            Sub::Any => Shape::any(),
            Sub::Never => Shape::none(),
            Sub::Schema(node) => self.schema_shape(node)?,
            Sub::Constant(node) => self.constant_shape(node)?,
            Sub::Not(inner) => {
                let inner = self.shape(inner)?;
                self.complement(&Shape::any(), &inner)?
            }
            Sub::And(parts) => {
                let mut shape = Shape::any();
                for part in parts {
                    let part = self.shape(part)?;
                    shape = self.and(&shape, &part)?;
                }
                shape
            }
        })
    }
}
