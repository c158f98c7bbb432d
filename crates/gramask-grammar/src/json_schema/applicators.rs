//! The keywords that combine schemas for the same value.

use std::rc::Rc;

use super::collections::require;
use super::compiler::{Compiler, Result};
use super::document::Draft;
use super::keywords::Reader;
use super::shape::{ObjectShape, Property, Shape, SubId};
use super::value::Value;

impl<'d> Compiler<'d> {
    /// What is left of a shape with the keywords that combine schemas.
    pub(super) fn applicators(&mut self, reader: Reader<'d>, mut shape: Shape) -> Result<Shape> {
        for keyword in ["$dynamicRef", "$recursiveRef"] {
            if reader.draft >= Draft::V2019 && reader.get(keyword).is_some() {
                return self.unsupported(reader, keyword, "its target depends on the way to it; use `$ref`");
            }
        }
        if let Some(reference) = reader.get("$ref") {
            let target = self.reference(reader, "$ref", reference)?;
            shape = self.with(&shape, target)?;
        }
        for schema in self.schemas(reader, "allOf")? {
            shape = self.with(&shape, schema)?;
        }
        if let Some(schema) = reader.get("not") {
            let schema = self.inner(reader.node, schema, &["not"]);
            let schema = self.shape(schema)?;
            shape = self.complement(&shape, &schema)?;
        }
        shape = self.dependencies(reader, shape)?;
        shape = self.condition(reader, shape)?;
        let any_of = self.schemas(reader, "anyOf")?;
        if !any_of.is_empty() {
            let mut either = Shape::none();
            for schema in any_of {
                let branch = self.with(&shape, schema)?;
                either = self.or(&either, &branch)?;
            }
            shape = either;
        }
        let one_of = self.schemas(reader, "oneOf")?;
        if !one_of.is_empty() {
            let (mut branches, mut whole) = (Vec::new(), Vec::new());
            for schema in one_of {
                branches.push(self.with(&shape, schema)?);
                whole.push(self.shape(schema)?);
            }
            shape = self.exactly_one(&branches, &whole).map_err(|mut error| {
                if error.pointer == self.here() {
                    error.pointer = self.pointer(reader, "oneOf");
                }
                error
            })?;
        }
        Ok(shape)
    }

    fn with(&mut self, shape: &Shape, schema: SubId) -> Result<Shape> {
        let other = self.shape(schema)?;
        self.and(shape, &other)
    }

    /// The schemas of a keyword that is an array of schemas.
    fn schemas(&mut self, reader: Reader<'d>, keyword: &str) -> Result<Vec<SubId>> {
        match reader.get(keyword) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) if !items.is_empty() => Ok(self.list(reader, keyword, items)),
            Some(other) => self.invalid(reader, keyword, "an array of at least one schema", other),
        }
    }

    /// `if`, `then` and `else`.
    fn condition(&mut self, reader: Reader<'d>, shape: Shape) -> Result<Shape> {
        let Some(condition) = reader.get("if").filter(|_| reader.draft >= Draft::Seven) else { return Ok(shape) };
        if !reader.has(&["then", "else"]) {
            return Ok(shape);
        }
        let condition = self.inner(reader.node, condition, &["if"]);
        let branch = |compiler: &mut Self, keyword: &str| {
            reader.get(keyword).map_or(SubId::ANY, |schema| compiler.inner(reader.node, schema, &[keyword]))
        };
        let (then, otherwise) = (branch(self, "then"), branch(self, "else"));
        let holds = self.with(&shape, condition)?;
        let yes = self.with(&holds, then)?;
        let condition = self.shape(condition)?;
        let fails = self.complement(&shape, &condition)?;
        let no = self.with(&fails, otherwise)?;
        self.or(&yes, &no)
    }

    /// `dependentRequired`, `dependentSchemas` and `dependencies`: if a member is there, then more is asked.
    fn dependencies(&mut self, reader: Reader<'d>, mut shape: Shape) -> Result<Shape> {
        for keyword in ["dependentRequired", "dependentSchemas", "dependencies"] {
            if keyword != "dependencies" && reader.draft < Draft::V2019 {
                continue;
            }
            for (name, value) in self.members(reader, keyword)? {
                if shape.objects.is_empty() {
                    return Ok(shape);
                }
                let absent =
                    Property { name: name.as_str().into(), value: SubId::NEVER, required: false, listed: false };
                let without = ObjectShape { named: vec![absent], ..ObjectShape::any() };
                let mut with = ObjectShape::any();
                require(&mut with, name);
                let mut then = Shape::any();
                if let Value::Array(_) = value
                    && keyword != "dependentSchemas"
                {
                    for other in self.names(&self.below(reader, keyword, name), value)? {
                        require(&mut with, other);
                    }
                } else if keyword == "dependentRequired" {
                    return self.invalid(reader, keyword, "an object of arrays of names", value);
                } else {
                    let schema = self.inner(reader.node, value, &[keyword, name]);
                    then = Shape::clone(&*self.shape(schema)?);
                }
                let there = self.and_objects(&shape.objects, &[Rc::new(with)])?;
                let there = self.and_objects(&there, &then.objects)?;
                let mut objects = self.and_objects(&shape.objects, &[Rc::new(without)])?;
                objects.extend(there);
                shape.objects = objects;
            }
        }
        Ok(shape)
    }
}
