//! Objects as rules.
//!
//! Members come in a fixed order, each at most once; then come those whose names are not known. Where the numbers of members
//! are not limited, one flat expression says it: up to the first member that must be there, each optional one brings its
//! comma with it, and after it each one brings the comma before it.

use std::collections::BTreeSet;

use super::compiler::Result;
use super::emit::{Emitter, one_of, sequence};
use super::error::JsonSchemaError;
use super::shape::{Needed, ObjectShape, Property, Rest, SubId};
use super::value::quote;
use crate::plain::Expr;
use crate::regex::Language;

/// Objects whose members are counted take this many rules at most.
const MOST_COUNTED: usize = 5000;

/// So many names of members that are not in `properties` are written one by one, where their number matters.
const MOST_LISTED: usize = 64;

/// From so many members on, each one is a rule.
const MANY_MEMBERS: usize = 16;

/// A member, or any number of members.
#[derive(Clone)]
enum Slot {
    One { member: Expr, required: bool },
    Many(Expr),
}

impl Emitter<'_, '_> {
    /// Objects of a shape, which is not empty as a set.
    pub fn objects(&mut self, object: &ObjectShape) -> Result<Vec<Expr>> {
        let mut ways = Vec::new();
        for way in self.compiler.ways(object)? {
            if !self.compiler.is_empty_object(&way)? {
                ways.push(self.object(way)?);
            }
        }
        Ok(ways)
    }

    /// An object with at most one member that is needed among those whose names are free.
    fn object(&mut self, mut object: ObjectShape) -> Result<Expr> {
        if let Some(needed) = object.needed.pop() {
            return self.needing(object, &needed);
        }
        self.list_names(&mut object)?;
        let mut slots = self.known(&object)?;
        if let Some(many) = self.others(&object)? {
            slots.push(Slot::Many(many));
        }
        let members = self.members(&slots, object.min, object.max)?;
        Ok(sequence(vec![self.mark(false, "{", true), members, self.mark(true, "}", false)]))
    }

    /// An object that has at least one of the members whose names are free. It stands after the known ones, where it may be
    /// any of them: a copy of its name later on does no harm, since only its presence is asked for.
    fn needing(&mut self, object: ObjectShape, needed: &Needed) -> Result<Expr> {
        if !object.needed.is_empty() || needed.value != SubId::ANY || object.min > 1 || object.max.is_some() {
            return Err(self.compiler.no_complement("objects of which two members are counted"));
        }
        let mut slots = self.known(&object)?;
        let mut asked = object.clone();
        asked.rest = Vec::new();
        for rest in &object.rest {
            let names = match &rest.names {
                None => needed.names.clone(),
                Some(names) => {
                    let both = names.and(&needed.names, &mut self.compiler.steps);
                    self.compiler.sized(both)?
                }
            };
            asked.rest.push(Rest { names: Some(names), value: rest.value });
        }
        let Some(asked) = self.others(&asked)? else { return Ok(Expr::Choice(Vec::new())) };
        if let Some(many) = self.others(&object)? {
            slots.push(Slot::Many(many.clone()));
            slots.push(Slot::One { member: asked, required: true });
            slots.push(Slot::Many(many));
        }
        let members = self.first_required(&slots);
        Ok(sequence(vec![self.mark(false, "{", true), members, self.mark(true, "}", false)]))
    }

    /// The members with known names.
    fn known(&mut self, object: &ObjectShape) -> Result<Vec<Slot>> {
        let mut slots = Vec::new();
        for property in &object.named {
            if self.compiler.is_empty(property.value)? {
                continue;
            }
            let member = sequence(vec![
                Expr::bytes(quote(&property.name)),
                self.mark(true, ":", true),
                self.value(property.value)?,
            ]);
            slots.push(Slot::One { member: self.member(object, member), required: property.required });
        }
        Ok(slots)
    }

    /// A member, as a rule of its own in objects with many members. Where the names are read in place, each place in the order
    /// of the members has states for the letters of all names that can still come.
    fn member(&mut self, object: &ObjectShape, member: Expr) -> Expr {
        match object.named.len() >= MANY_MEMBERS {
            true => Expr::Rule(self.builder.rule("member", member)),
            false => member,
        }
    }

    /// Members with names that are not known.
    fn others(&mut self, object: &ObjectShape) -> Result<Option<Expr>> {
        let mut kinds = Vec::new();
        let taken: BTreeSet<&str> = object.named.iter().map(|property| &*property.name).collect();
        for Rest { names, value } in &object.rest {
            if self.compiler.is_empty(*value)? {
                continue;
            }
            let name = match names {
                None => Some(self.name_except(&taken)?),
                Some(names) => {
                    let steps = &mut self.compiler.steps;
                    let free = Language::words(&taken, steps).and_then(|taken| names.minus(&taken, steps));
                    let free = self.compiler.sized(free)?;
                    self.names(free)?
                }
            };
            if let Some(name) = name {
                let value = self.value(*value)?;
                kinds.push(sequence(vec![name, self.mark(true, ":", true), value]));
            }
        }
        Ok(if kinds.is_empty() { None } else { Some(self.member(object, one_of(kinds))) })
    }

    /// Names that can be listed become members of their own, where the least number of members rests on them. Otherwise a
    /// name could stand twice, and count once.
    fn list_names(&mut self, object: &mut ObjectShape) -> Result<()> {
        if object.min as usize <= object.required() + 1 {
            return Ok(());
        }
        let mut listed = Vec::new();
        for rest in &object.rest {
            let Some(words) = rest.names.as_ref().and_then(|names| names.all_words(MOST_LISTED)) else {
                let reason = format!(
                    "`minProperties` of {} needs several members whose names are free, and a grammar can't tell whether \
                     two of them are the same; name them in `properties`",
                    object.min
                );
                return Err(JsonSchemaError::unsupported(format!("{}/minProperties", self.compiler.here()), reason));
            };
            for word in words {
                let name = String::from_utf8(word).expect("names are texts");
                if !object.named.iter().any(|property| *property.name == *name) {
                    listed.push(Property { name: name.into(), value: rest.value, required: false, listed: false });
                }
            }
        }
        object.named.extend(listed);
        object.rest.clear();
        Ok(())
    }

    /// Members of which one must be there.
    fn first_required(&self, slots: &[Slot]) -> Expr {
        let first = slots.iter().position(|slot| matches!(slot, Slot::One { required: true, .. }));
        first.map_or(Expr::Choice(Vec::new()), |first| self.around(slots, first))
    }

    /// What stands between the braces.
    fn members(&mut self, slots: &[Slot], min: u32, max: Option<u32>) -> Result<Expr> {
        let first = slots.iter().position(|slot| matches!(slot, Slot::One { required: true, .. }));
        let required = slots.iter().filter(|slot| matches!(slot, Slot::One { required: true, .. })).count() as u32;
        let has_many = matches!(slots.last(), Some(Slot::Many(_)));
        let max = max.filter(|max| has_many || (*max as usize) < slots.len());
        if max.is_none() {
            match first {
                Some(first) if min <= required => return Ok(self.around(slots, first)),
                None if slots.is_empty() => return Ok(Expr::empty()),
                None if min == 0 => return Ok(self.at_least_one(slots).optional()),
                None if min == 1 => return Ok(self.at_least_one(slots)),
                _ => {}
            }
        }
        self.counted(slots, min, max)
    }

    /// The members around one that must be there.
    fn around(&self, slots: &[Slot], first: usize) -> Expr {
        let mut parts = Vec::new();
        for slot in &slots[..first] {
            parts.push(match slot {
                Slot::One { member, .. } => sequence(vec![member.clone(), self.comma()]).optional(),
                Slot::Many(member) => sequence(vec![member.clone(), self.comma()]).repeat(0, None),
            });
        }
        if let Slot::One { member, .. } = &slots[first] {
            parts.push(member.clone());
        }
        parts.push(self.later(&slots[first + 1..]));
        sequence(parts)
    }

    /// Members after others.
    fn later(&self, slots: &[Slot]) -> Expr {
        let after = |member: &Expr| sequence(vec![self.comma(), member.clone()]);
        let each = |slot: &Slot| match slot {
            Slot::One { member, required: true } => after(member),
            Slot::One { member, required: false } => after(member).optional(),
            Slot::Many(member) => after(member).repeat(0, None),
        };
        sequence(slots.iter().map(each).collect())
    }

    /// One or more of optional members. Halves keep the expression small: each member stands in it as often as it is halved.
    fn at_least_one(&self, slots: &[Slot]) -> Expr {
        match slots {
            [Slot::One { member, .. }] => member.clone(),
            [Slot::Many(member)] => sequence(vec![member.clone(), self.later(slots)]),
            _ => {
                let (left, right) = slots.split_at(slots.len() / 2);
                let begun = sequence(vec![self.at_least_one(left), self.later(right)]);
                one_of(vec![begun, self.at_least_one(right)])
            }
        }
    }

    /// Members whose number is limited: a rule for each place and each number of members before it.
    fn counted(&mut self, slots: &[Slot], min: u32, max: Option<u32>) -> Result<Expr> {
        let (ones, many) = match slots.split_last() {
            Some((Slot::Many(member), ones)) => (ones, Some(member)),
            _ => (slots, None),
        };
        let counts = ones.len().min(max.unwrap_or(min).max(min) as usize) + 1;
        if ones.len().saturating_mul(counts) > MOST_COUNTED {
            return Err(self.compiler.too_large("rules that count its members", MOST_COUNTED));
        }
        // Without an upper bound all counts from the lower one on are alike.
        let next = |count: usize| if max.is_none() { (count + 1).min(counts - 1) } else { count + 1 };
        let mut rest: Vec<Option<Expr>> = (0..counts).map(|count| self.last(many, count as u32, min, max)).collect();
        for slot in ones.iter().rev() {
            let Slot::One { member, required } = slot else { continue };
            let mut before = Vec::with_capacity(counts);
            for count in 0..counts {
                let fits = max.is_none_or(|max| (count as u32) < max) && next(count) < counts;
                let taken = rest.get(next(count)).filter(|_| fits).and_then(Option::as_ref).map(|rest| {
                    let comma = if count > 0 { self.comma() } else { Expr::empty() };
                    sequence(vec![comma, member.clone(), rest.clone()])
                });
                let skipped = rest[count].clone().filter(|_| !required);
                let ways: Vec<Expr> = taken.into_iter().chain(skipped).collect();
                before.push((!ways.is_empty()).then(|| Expr::Rule(self.builder.rule("members", one_of(ways)))));
            }
            rest = before;
        }
        Ok(rest.swap_remove(0).unwrap_or(Expr::Choice(Vec::new())))
    }

    /// The members whose names are free, after so many others.
    fn last(&self, many: Option<&Expr>, before: u32, min: u32, max: Option<u32>) -> Option<Expr> {
        let least = min.saturating_sub(before);
        let Some(member) = many else { return (least == 0).then(Expr::empty) };
        let most = match max {
            Some(max) => Some(max.checked_sub(before)?),
            None => None,
        };
        if most == Some(0) {
            return (least == 0).then(Expr::empty);
        }
        let after = sequence(vec![self.comma(), member.clone()]);
        if before > 0 {
            return Some(after.repeat(least, most));
        }
        let more = after.repeat(least.saturating_sub(1), most.map(|most| most - 1));
        let some = sequence(vec![member.clone(), more]);
        Some(if least == 0 { some.optional() } else { some })
    }
}
