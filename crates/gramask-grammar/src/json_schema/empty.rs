//! Which shapes have no value, and which have none in common.
//!
//! A schema that refers to itself has a value only if one of its values can be finished. While a schema is asked, it is
//! assumed to have none. That answer holds for the schema that was asked first, and is kept only for it.

use std::rc::Rc;

use super::compiler::{Compiler, Result};
use super::shape::{ArrayShape, ObjectShape, SubId};

/// Finite sets of names are counted up to here.
const MOST_NAMES: usize = 1000;

impl Compiler<'_> {
    /// Whether a part certainly has no value.
    pub fn is_empty(&mut self, sub: SubId) -> Result<bool> {
        match sub {
            SubId::ANY => return Ok(false),
            SubId::NEVER => return Ok(true),
            _ => {}
        }
        if let Some(known) = self.empty.get(&sub) {
            return Ok(*known);
        }
        if !self.asking.insert(sub) {
            self.assumed = true;
            return Ok(true);
        }
        let outermost = self.asking.len() == 1;
        let before = std::mem::replace(&mut self.assumed, false);
        let empty = self.deeper(|compiler| compiler.has_no_value(sub));
        self.asking.remove(&sub);
        let empty = empty?;
        // "It has a value" was shown without assumptions, since these only take values away.
        if !self.unsure && (!empty || !self.assumed || outermost) {
            self.empty.insert(sub, empty);
        }
        self.assumed = !outermost && (before || self.assumed && empty);
        Ok(empty)
    }

    fn has_no_value(&mut self, sub: SubId) -> Result<bool> {
        let within = !self.open.is_empty();
        let shape = match self.shape(sub) {
            // Its shape is just being made, and asks whether it is empty itself. It may have a value.
            Err(_) if within && std::mem::take(&mut self.cycle) => {
                self.unsure = true;
                return Ok(false);
            }
            shape => shape?,
        };
        if shape.null || shape.booleans != [false; 2] || !shape.numbers.is_none() || !shape.strings.is_none() {
            return Ok(false);
        }
        for array in &shape.arrays {
            if !self.is_empty_array(array)? {
                return Ok(false);
            }
        }
        for object in &shape.objects {
            if !self.is_empty_object(object)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub fn is_empty_array(&mut self, array: &ArrayShape) -> Result<bool> {
        if array.max.is_some_and(|max| max < array.min) {
            return Ok(true);
        }
        let needed = (array.min as usize).min(array.prefix.len() + 1);
        for index in 0..needed {
            if self.is_empty(array.item(index))? {
                return Ok(true);
            }
        }
        for contains in array.contains.iter().filter(|contains| contains.min > 0) {
            if array.max == Some(0) || contains.max.is_some_and(|max| max < contains.min) {
                return Ok(true);
            }
            let mut possible = false;
            for index in 0..=array.prefix.len() {
                let item = self.both(array.item(index), contains.item);
                possible = possible || !self.is_empty(item)?;
            }
            if !possible {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub fn is_empty_object(&mut self, object: &ObjectShape) -> Result<bool> {
        if object.needed.is_empty() {
            return self.is_empty_way(object);
        }
        for way in self.ways(object)? {
            if !self.is_empty_way(&way)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_empty_way(&mut self, object: &ObjectShape) -> Result<bool> {
        if super::combine::is_visibly_empty(object) {
            return Ok(true);
        }
        for property in object.named.iter().filter(|property| property.required) {
            if self.is_empty(property.value)? {
                return Ok(true);
            }
        }
        Ok(object.min as usize > object.required() && self.most_members(object)?.is_some_and(|most| most < object.min))
    }

    /// The greatest number of members, if it is bounded by the names.
    pub fn most_members(&mut self, object: &ObjectShape) -> Result<Option<u32>> {
        let mut most = 0;
        for property in &object.named {
            most += u32::from(!self.is_empty(property.value)?);
        }
        for rest in &object.rest {
            if self.is_empty(rest.value)? {
                continue;
            }
            let words = rest.names.as_ref().and_then(|names| names.all_words(MOST_NAMES));
            let Some(words) = words else { return Ok(None) };
            let is_named = |word: &Vec<u8>| object.named.iter().any(|property| property.name.as_bytes() == *word);
            most += words.iter().filter(|word| !is_named(word)).count() as u32;
        }
        Ok(Some(most))
    }

    /// Whether no array is certainly of both.
    pub fn disjoint_arrays(&mut self, a: &[Rc<ArrayShape>], b: &[Rc<ArrayShape>]) -> Result<bool> {
        for a in a {
            for b in b {
                let both = self.and_arrays(std::slice::from_ref(a), std::slice::from_ref(b))?;
                for array in both {
                    if !self.is_empty_array(&array)? {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Whether no object is certainly of both.
    pub fn disjoint_objects(&mut self, a: &[Rc<ObjectShape>], b: &[Rc<ObjectShape>]) -> Result<bool> {
        for a in a {
            for b in b {
                if !self.disjoint_object(a, b)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn disjoint_object(&mut self, a: &ObjectShape, b: &ObjectShape) -> Result<bool> {
        // A member that one needs and the other can't have is found without looking at the rest.
        for (one, other) in [(a, b), (b, a)] {
            for property in one.named.iter().filter(|property| property.required) {
                let there = other.named.iter().find(|there| there.name == property.name);
                let value = there.map_or_else(|| other.other(&property.name), |there| there.value);
                let both = self.both(property.value, value);
                if self.is_empty(both)? {
                    return Ok(true);
                }
            }
        }
        let counted = |object: &ObjectShape| object.min > 0 || object.max.is_some() || !object.needed.is_empty();
        if !counted(a) && !counted(b) {
            return Ok(false);
        }
        let both = self.and_object(a, b)?;
        self.is_empty_object(&both)
    }
}
