//! The passes of a format over a document: one, or one per label.

use std::sync::Arc;

use gramask_ner::{Entity, Schema, Text};

use crate::format::Format;
use crate::program::{CompileError, Program};
use crate::write::{Reason, WriteError};

impl Program {
    /// The format's programs for a schema: one, or, where it has `%pass label`, one for each label, in schema order. What all
    /// of them say together is what is said of a document.
    ///
    /// ```
    /// use gramask_grammar::{Format, Program};
    /// use gramask_ner::Schema;
    ///
    /// let schema = Schema::new(["Chemical", "Disease"]);
    /// let passes = Program::passes(&Format::named("label-list")?, &schema)?;
    /// assert_eq!(passes[1].schema().labels(), ["Disease"]);
    /// assert_eq!(Program::passes(&Format::named("json-list")?, &schema)?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Program::compile`].
    pub fn passes(format: &Format, schema: &Schema) -> Result<Vec<Arc<Program>>, CompileError> {
        if !format.grammar.directives.pass_label || schema.is_empty() {
            return Ok(vec![Program::compile(format, schema)?]);
        }
        let labels = schema.labels().iter();
        labels.map(|label| Program::compile(format, &Schema::new([label.as_str()]))).collect()
    }

    /// What the outputs of all passes leave unsaid of these entities: what no pass can say, and why.
    ///
    /// # Errors
    /// As [`Program::write`], of the first pass that can't be written.
    pub fn unexpressed(
        passes: &[Arc<Program>],
        text: &Text,
        entities: &[Entity],
    ) -> Result<Vec<(Entity, Reason)>, WriteError> {
        let mut left: Vec<(Entity, Reason)> = Vec::new();
        for program in passes {
            let unexpressed = program.write(text, entities)?.unexpressed;
            // An entity of another label has its own pass.
            left.extend(unexpressed.into_iter().filter(|(_, reason)| *reason != Reason::Label));
        }
        let known = |entity: &Entity| passes.iter().any(|pass| pass.schema().index(&entity.label).is_some());
        let unknown = entities.iter().filter(|entity| !known(entity));
        left.extend(unknown.map(|entity| (entity.clone(), Reason::Label)));
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_pass_says_is_left_once() {
        let text = Text::new("a b c");
        let entities = [Entity::new("X", 0, 3), Entity::new("X", 2, 3), Entity::new("Y", 2, 3), Entity::new("Z", 4, 5)];
        let left = |name: &str| {
            let passes = Program::passes(&Format::named(name).unwrap(), &Schema::new(["X", "Y"])).unwrap();
            Program::unexpressed(&passes, &text, &entities).unwrap()
        };
        let (nested, unknown) = (Reason::Nested, Reason::Label);
        assert_eq!(left("json-list"), [(entities[3].clone(), unknown)]);
        assert_eq!(left("inline-mark"), [(entities[1].clone(), nested), (entities[3].clone(), unknown)]);
    }
}
