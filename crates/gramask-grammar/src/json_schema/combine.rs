//! Intersection, union and complement of shapes.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::compiler::{Compiler, Result};
use super::error::JsonSchemaError;
use super::shape::{ArrayShape, Contains, Needed, ObjectShape, Property, Rest, Shape, SubId};
use crate::regex::Language;

/// A schema may allow this many alternatives for objects, and so many for arrays.
const MOST_ALTERNATIVES: usize = 500;

impl Compiler<'_> {
    /// The values of both.
    pub fn and(&mut self, a: &Shape, b: &Shape) -> Result<Shape> {
        let numbers = a.numbers.and(&b.numbers, &mut self.steps);
        let strings = a.strings.and(&b.strings, &mut self.steps);
        Ok(Shape {
            null: a.null && b.null,
            booleans: [a.booleans[0] && b.booleans[0], a.booleans[1] && b.booleans[1]],
            numbers: self.sized(numbers)?,
            strings: self.sized(strings)?,
            arrays: self.and_arrays(&a.arrays, &b.arrays)?,
            objects: self.and_objects(&a.objects, &b.objects)?,
        })
    }

    /// The values of either.
    pub fn or(&mut self, a: &Shape, b: &Shape) -> Result<Shape> {
        let numbers = a.numbers.or(&b.numbers, &mut self.steps);
        let strings = a.strings.or(&b.strings, &mut self.steps);
        let mut shape = Shape {
            null: a.null || b.null,
            booleans: [a.booleans[0] || b.booleans[0], a.booleans[1] || b.booleans[1]],
            numbers: self.sized(numbers)?,
            strings: self.sized(strings)?,
            arrays: joined(&a.arrays, &b.arrays),
            objects: joined(&a.objects, &b.objects),
        };
        // Where one alternative is everything, the others add nothing.
        if shape.objects.iter().any(|object| **object == ObjectShape::any()) {
            shape.objects = vec![Rc::new(ObjectShape::any())];
        }
        if shape.arrays.iter().any(|array| **array == ArrayShape::any()) {
            shape.arrays = vec![Rc::new(ArrayShape::any())];
        }
        if shape.objects.len().max(shape.arrays.len()) > MOST_ALTERNATIVES {
            return Err(self.too_large("alternatives", MOST_ALTERNATIVES));
        }
        Ok(shape)
    }

    pub fn and_arrays(&mut self, a: &[Rc<ArrayShape>], b: &[Rc<ArrayShape>]) -> Result<Vec<Rc<ArrayShape>>> {
        let any = ArrayShape::any();
        match (a, b) {
            ([one], same) | (same, [one]) if **one == any => return Ok(same.to_vec()),
            _ => {}
        }
        let mut both: Vec<Rc<ArrayShape>> = Vec::new();
        for a in a {
            for b in b {
                let array = self.and_array(a, b);
                if array.max.is_none_or(|max| array.min <= max) && !both.iter().any(|known| **known == array) {
                    both.push(Rc::new(array));
                }
                if both.len() > MOST_ALTERNATIVES {
                    return Err(self.too_large("alternatives", MOST_ALTERNATIVES));
                }
            }
        }
        Ok(both)
    }

    fn and_array(&mut self, a: &ArrayShape, b: &ArrayShape) -> ArrayShape {
        let length = a.prefix.len().max(b.prefix.len());
        let prefix = (0..length).map(|index| self.both(a.item(index), b.item(index))).collect();
        let mut contains = a.contains.clone();
        contains.extend(b.contains.iter().filter(|other| !a.contains.contains(other)).cloned());
        let array = ArrayShape {
            prefix,
            rest: self.both(a.rest, b.rest),
            min: a.min.max(b.min),
            max: least(a.max, b.max),
            unique: a.unique || b.unique,
            contains,
        };
        tidy_array(array)
    }

    pub fn and_objects(&mut self, a: &[Rc<ObjectShape>], b: &[Rc<ObjectShape>]) -> Result<Vec<Rc<ObjectShape>>> {
        let any = ObjectShape::any();
        match (a, b) {
            ([one], same) | (same, [one]) if **one == any => return Ok(same.to_vec()),
            _ => {}
        }
        let mut both: Vec<Rc<ObjectShape>> = Vec::new();
        for a in a {
            for b in b {
                let object = self.and_object(a, b)?;
                if !is_visibly_empty(&object) && !both.iter().any(|known| **known == object) {
                    both.push(Rc::new(object));
                }
                if both.len() > MOST_ALTERNATIVES {
                    return Err(self.too_large("alternatives", MOST_ALTERNATIVES));
                }
            }
        }
        Ok(both)
    }

    pub fn and_object(&mut self, a: &ObjectShape, b: &ObjectShape) -> Result<ObjectShape> {
        let in_a: FxHashMap<&str, &Property> = a.named.iter().map(|property| (&*property.name, property)).collect();
        let in_b: FxHashMap<&str, &Property> = b.named.iter().map(|property| (&*property.name, property)).collect();
        let mut named: Vec<Property> = Vec::with_capacity(a.named.len() + b.named.len());
        // Those that `properties` lists come first, in the order in which they are listed first.
        for listed in [true, false] {
            for (property, in_other) in
                a.named.iter().map(|property| (property, &in_b)).chain(b.named.iter().map(|property| (property, &in_a)))
            {
                let name = &*property.name;
                let other = in_other.get(name);
                let is_listed = property.listed || other.is_some_and(|other| other.listed);
                // A member of both is taken where it is listed first.
                let taken_before = std::ptr::eq(in_other, &raw const in_a)
                    && other.is_some_and(|first| first.listed || !property.listed);
                let taken_later = std::ptr::eq(in_other, &raw const in_b)
                    && other.is_some_and(|second| second.listed && !property.listed);
                if is_listed != listed || taken_before || taken_later {
                    continue;
                }
                let unnamed = if std::ptr::eq(in_other, &raw const in_b) { b } else { a };
                let value = other.map_or_else(|| unnamed.other(name), |other| other.value);
                named.push(Property {
                    name: Rc::clone(&property.name),
                    value: self.both(property.value, value),
                    required: property.required || other.is_some_and(|other| other.required),
                    listed,
                });
            }
        }
        let mut rest: Vec<Rest> = Vec::new();
        for first in &a.rest {
            for second in &b.rest {
                let value = self.both(first.value, second.value);
                let names = match (&first.names, &second.names) {
                    (None, same) | (same, None) => same.clone(),
                    (Some(a), Some(b)) => {
                        let both = a.and(b, &mut self.steps);
                        Some(self.sized(both)?)
                    }
                };
                if value != SubId::NEVER && !names.as_ref().is_some_and(|names| names.is_empty()) {
                    rest.push(Rest { names, value });
                }
            }
        }
        let mut needed = a.needed.clone();
        needed.extend(b.needed.iter().filter(|other| !a.needed.contains(other)).cloned());
        Ok(ObjectShape { named, rest, min: a.min.max(b.min), max: least(a.max, b.max), needed })
    }

    /// The values of `within` that are not in `shape`. Types that `within` has not are not looked at.
    pub fn complement(&mut self, within: &Shape, shape: &Shape) -> Result<Shape> {
        let numbers = within.numbers.minus(&shape.numbers, &mut self.steps);
        let strings = within.strings.minus(&shape.strings, &mut self.steps);
        Ok(Shape {
            null: within.null && !shape.null,
            booleans: [within.booleans[0] && !shape.booleans[0], within.booleans[1] && !shape.booleans[1]],
            numbers: self.sized(numbers)?,
            strings: self.sized(strings)?,
            arrays: self.minus_arrays(&within.arrays, &shape.arrays)?,
            objects: self.minus_objects(&within.objects, &shape.objects)?,
        })
    }

    pub fn minus_arrays(
        &mut self,
        within: &[Rc<ArrayShape>],
        arrays: &[Rc<ArrayShape>],
    ) -> Result<Vec<Rc<ArrayShape>>> {
        let mut left = within.to_vec();
        for array in arrays {
            if left.is_empty() {
                break;
            }
            let others = self.other_arrays(array)?;
            left = self.and_arrays(&left, &others)?;
        }
        Ok(left)
    }

    /// The arrays that are not of a shape: those that break one of its demands.
    fn other_arrays(&mut self, array: &ArrayShape) -> Result<Vec<Rc<ArrayShape>>> {
        if array.unique {
            return Err(self.no_complement("arrays with two equal items"));
        }
        let mut others = Vec::new();
        if array.min > 0 {
            others.push(ArrayShape { max: Some(array.min - 1), ..ArrayShape::any() });
        }
        if let Some(max) = array.max {
            others.push(ArrayShape { min: max + 1, ..ArrayShape::any() });
        }
        for (index, item) in array.prefix.iter().enumerate() {
            let item = self.not(*item);
            let prefix = std::iter::repeat_n(SubId::ANY, index).chain([item]).collect();
            others.push(ArrayShape { prefix, min: index as u32 + 1, ..ArrayShape::any() });
        }
        let last = array.max.map(|max| (max as usize).saturating_sub(array.prefix.len()));
        match (array.rest, last) {
            (SubId::ANY, _) | (_, Some(0)) => {}
            (SubId::NEVER, _) => {
                others.push(ArrayShape { min: array.prefix.len() as u32 + 1, ..ArrayShape::any() });
            }
            // One of the items after the first ones is another.
            (rest, _) => {
                if !array.prefix.is_empty() {
                    return Err(self.no_complement("arrays whose later items are of another kind"));
                }
                let item = self.not(rest);
                let contains = vec![Contains { item, min: 1, max: None }];
                others.push(ArrayShape { contains, ..ArrayShape::any() });
            }
        }
        for contains in &array.contains {
            if contains.min > 0 {
                let fewer = Contains { max: Some(contains.min - 1), min: 0, item: contains.item };
                others.push(ArrayShape { contains: vec![fewer], ..ArrayShape::any() });
            }
            if let Some(max) = contains.max {
                let more = Contains { min: max + 1, max: None, item: contains.item };
                others.push(ArrayShape { contains: vec![more], ..ArrayShape::any() });
            }
        }
        Ok(others.into_iter().map(tidy_array).map(Rc::new).collect())
    }

    pub fn minus_objects(
        &mut self,
        within: &[Rc<ObjectShape>],
        objects: &[Rc<ObjectShape>],
    ) -> Result<Vec<Rc<ObjectShape>>> {
        let mut left = within.to_vec();
        for object in objects {
            if left.is_empty() {
                break;
            }
            if self.disjoint_objects(&left, std::slice::from_ref(object))? {
                continue;
            }
            let others = self.other_objects(object)?;
            left = self.and_objects(&left, &others)?;
            left = self.without_empty(left)?;
        }
        Ok(left)
    }

    /// Without alternatives that are empty or part of another.
    fn without_empty(&mut self, objects: Vec<Rc<ObjectShape>>) -> Result<Vec<Rc<ObjectShape>>> {
        let mut kept: Vec<Rc<ObjectShape>> = Vec::new();
        for object in objects {
            if self.is_empty_object(&object)? || kept.iter().any(|other| self.is_part(&object, other)) {
                continue;
            }
            kept.retain(|other| !self.is_part(other, &object));
            kept.push(object);
        }
        Ok(kept)
    }

    /// Whether each object of one shape is plainly of the other.
    fn is_part(&mut self, object: &ObjectShape, of: &ObjectShape) -> bool {
        if of.rest != object.rest && of.rest != ObjectShape::any().rest
            || of.min > object.min
            || of.max.is_some_and(|max| object.max.is_none_or(|own| own > max))
            || !of.needed.iter().all(|needed| object.needed.contains(needed))
        {
            return false;
        }
        let mut within = |value: SubId, of: SubId| value == of || self.both(value, of) == value;
        of.named.iter().all(|property| match object.named.iter().find(|own| own.name == property.name) {
            Some(own) => (own.required || !property.required) && within(own.value, property.value),
            None => !property.required && within(object.other(&property.name), property.value),
        }) && object.named.iter().all(|own| {
            of.named.iter().any(|property| property.name == own.name) || within(own.value, of.other(&own.name))
        })
    }

    /// The objects that are not of a shape: those that break one of its demands.
    fn other_objects(&mut self, object: &ObjectShape) -> Result<Vec<Rc<ObjectShape>>> {
        let mut others = self.other_members(object)?;
        let one = |name: &Rc<str>, value, required| {
            let named = vec![Property { name: Rc::clone(name), value, required, listed: false }];
            ObjectShape { named, ..ObjectShape::any() }
        };
        for property in &object.named {
            let other = self.not(property.value);
            if other != SubId::NEVER {
                others.push(one(&property.name, other, true));
            }
            if property.required {
                others.push(one(&property.name, SubId::NEVER, false));
            }
        }
        if object.min > 0 {
            others.push(ObjectShape { max: Some(object.min - 1), ..ObjectShape::any() });
        }
        if let Some(max) = object.max {
            others.push(ObjectShape { min: max + 1, ..ObjectShape::any() });
        }
        Ok(others.into_iter().map(Rc::new).collect())
    }

    /// The objects with a member that a shape has not: its name is none of those that are allowed, or its value is another.
    fn other_members(&mut self, object: &ObjectShape) -> Result<Vec<ObjectShape>> {
        let mut others = Vec::new();
        if object.rest == ObjectShape::any().rest && object.needed.is_empty() {
            return Ok(others);
        }
        let known = Language::words(object.named.iter().map(|property| &*property.name), &mut self.steps);
        let known = self.sized(known)?;
        let mut allowed = known.clone();
        for rest in &object.rest {
            let names = rest.names.clone().unwrap_or_else(Language::text);
            let more = allowed.or(&names, &mut self.steps);
            allowed = self.sized(more)?;
            let value = self.not(rest.value);
            if value != SubId::NEVER {
                let names = names.minus(&known, &mut self.steps);
                let needed = vec![Needed { names: self.sized(names)?, value }];
                others.push(ObjectShape { needed, ..ObjectShape::any() });
            }
        }
        let forbidden = allowed.complement(&mut self.steps);
        let forbidden = self.sized(forbidden)?;
        if !forbidden.is_empty() {
            let needed = vec![Needed { names: forbidden, value: SubId::ANY }];
            others.push(ObjectShape { needed, ..ObjectShape::any() });
        }
        for needed in &object.needed {
            // No member of these names, or each with another value.
            let rest = needed.names.complement(&mut self.steps);
            let mut rest = vec![Rest { names: Some(self.sized(rest)?), value: SubId::ANY }];
            let value = self.not(needed.value);
            if value != SubId::NEVER {
                rest.push(Rest { names: Some(needed.names.clone()), value });
            }
            others.push(ObjectShape { rest, ..ObjectShape::any() });
        }
        Ok(others)
    }

    /// The shapes with at most one member that is needed among those whose names are free. A needed member is one of the known
    /// ones, or free.
    pub fn ways(&mut self, object: &ObjectShape) -> Result<Vec<ObjectShape>> {
        let mut ways = vec![ObjectShape { needed: Vec::new(), ..object.clone() }];
        for needed in &object.needed {
            let mut next = Vec::new();
            for way in &ways {
                let fits = |property: &&Property| needed.names.contains(property.name.as_bytes());
                if way.named.iter().filter(fits).any(|property| property.required && needed.value == SubId::ANY) {
                    next.push(way.clone());
                    continue;
                }
                for index in (0..way.named.len()).filter(|index| fits(&&way.named[*index])) {
                    let mut known = way.clone();
                    known.named[index].required = true;
                    known.named[index].value = self.both(known.named[index].value, needed.value);
                    if !is_visibly_empty(&known) {
                        next.push(known);
                    }
                }
                if self.has_free(way, needed)? {
                    let mut free = way.clone();
                    free.needed.push(needed.clone());
                    next.push(free);
                }
            }
            if next.len() > MOST_ALTERNATIVES {
                return Err(self.too_large("alternatives", MOST_ALTERNATIVES));
            }
            ways = next;
        }
        Ok(ways)
    }

    /// Whether a needed member may be one of those whose names are free.
    fn has_free(&mut self, object: &ObjectShape, needed: &Needed) -> Result<bool> {
        let known = Language::words(object.named.iter().map(|property| &*property.name), &mut self.steps);
        let names = needed.names.minus(&self.sized(known)?, &mut self.steps);
        let names = self.sized(names)?;
        for rest in &object.rest {
            let both = match &rest.names {
                None => names.clone(),
                Some(free) => {
                    let both = free.and(&names, &mut self.steps);
                    self.sized(both)?
                }
            };
            let value = self.both(rest.value, needed.value);
            if !both.is_empty() && !self.is_empty(value)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub fn no_complement(&self, what: &str) -> JsonSchemaError {
        let reason = format!("it needs {what}, which no grammar here expresses; make the branches exclude each other");
        JsonSchemaError::unsupported(self.here(), reason)
    }

    /// The values of exactly one of these branches, of those within a shape. `whole` are the branches without that shape.
    pub fn exactly_one(&mut self, branches: &[Shape], whole: &[Rc<Shape>]) -> Result<Shape> {
        let mut shape = Shape::none();
        let one = |allows: &dyn Fn(&Shape) -> bool| branches.iter().filter(|branch| allows(branch)).count() == 1;
        shape.null = one(&|branch| branch.null);
        shape.booleans = [one(&|branch| branch.booleans[0]), one(&|branch| branch.booleans[1])];
        let (mut more_numbers, mut more_strings) = (shape.numbers.clone(), shape.strings.clone());
        for branch in branches {
            let steps = &mut self.steps;
            let numbers = (|| {
                let again = shape.numbers.and(&branch.numbers, steps)?;
                let fresh = branch.numbers.minus(&more_numbers, steps)?.minus(&again, steps)?;
                let kept = shape.numbers.minus(&again, steps)?;
                Ok((kept.or(&fresh, steps)?, more_numbers.or(&again, steps)?))
            })();
            let strings = (|| {
                let again = shape.strings.and(&branch.strings, steps)?;
                let fresh = branch.strings.minus(&more_strings, steps)?.minus(&again, steps)?;
                let kept = shape.strings.minus(&again, steps)?;
                Ok((kept.or(&fresh, steps)?, more_strings.or(&again, steps)?))
            })();
            (shape.numbers, more_numbers) = self.sized(numbers)?;
            (shape.strings, more_strings) = self.sized(strings)?;
        }
        for index in 0..branches.len() {
            let (mut arrays, mut objects) = (branches[index].arrays.clone(), branches[index].objects.clone());
            for other in (0..branches.len()).filter(|other| *other != index) {
                if !self.disjoint_arrays(&arrays, &branches[other].arrays)? {
                    arrays = self.minus_arrays(&arrays, &whole[other].arrays)?;
                }
                if !self.disjoint_objects(&objects, &branches[other].objects)? {
                    objects = self.minus_objects(&objects, &whole[other].objects)?;
                }
            }
            shape.arrays = joined(&shape.arrays, &arrays);
            shape.objects = joined(&shape.objects, &objects);
        }
        Ok(shape)
    }
}

/// Without limits that say nothing.
pub(super) fn tidy_array(mut array: ArrayShape) -> ArrayShape {
    // An item that can't be ends the array before it.
    let end = array.prefix.iter().position(|item| *item == SubId::NEVER);
    let end = end.or((array.rest == SubId::NEVER).then_some(array.prefix.len()));
    if let Some(end) = end {
        array.max = Some(array.max.map_or(end as u32, |max| max.min(end as u32)));
        array.rest = SubId::NEVER;
    }
    if let Some(max) = array.max {
        array.prefix.truncate(max as usize);
        if max as usize == array.prefix.len() {
            array.rest = SubId::NEVER;
        }
        array.unique &= max > 1;
    }
    while array.prefix.last() == Some(&array.rest) {
        array.prefix.pop();
    }
    array
}

pub(super) fn is_visibly_empty(object: &ObjectShape) -> bool {
    object.named.iter().any(|property| property.required && property.value == SubId::NEVER)
        || object.max.is_some_and(|max| (max as usize) < object.required() || max < object.min)
}

fn joined<T: PartialEq>(a: &[Rc<T>], b: &[Rc<T>]) -> Vec<Rc<T>> {
    let mut joined = a.to_vec();
    for other in b {
        if !joined.contains(other) {
            joined.push(Rc::clone(other));
        }
    }
    joined
}

fn least(a: Option<u32>, b: Option<u32>) -> Option<u32> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}
