//! Arrays as rules.

use rustc_hash::FxHashMap;

use super::compiler::Result;
use super::emit::{Emitter, one_of, sequence};
use super::error::JsonSchemaError;
use super::numbers::Numbers;
use super::shape::{ArrayShape, Contains, Shape, SubId};
use crate::plain::{Expr, RuleId};

/// Arrays whose items are counted or remembered take this many rules at most.
const MOST_COUNTED: usize = 4000;

/// Items that are described one by one.
const MOST_PREFIX: usize = 500;

/// Items of an array without equal ones are one of so many values at most.
const MOST_VALUES: usize = 64;

impl Emitter<'_, '_> {
    /// An array, which is not empty as a set.
    pub fn array(&mut self, array: &ArrayShape) -> Result<Expr> {
        let mut array = array.clone();
        // An item that can't be ends the array before it.
        for index in 0..=array.prefix.len() {
            if self.compiler.is_empty(array.item(index))? {
                array.max = Some(array.max.map_or(index as u32, |max| max.min(index as u32)));
                break;
            }
        }
        let several = array.max.is_none_or(|max| max > 1);
        let items = match array.contains.as_slice() {
            [] if array.unique && several => self.unique(&array)?,
            [] => self.items(&array)?,
            [contains] if !(array.unique && several) => self.containing(&array, contains)?,
            _ => {
                let reason = "an array with `contains` twice, or with `uniqueItems`, needs a grammar that counts both";
                return Err(JsonSchemaError::unsupported(format!("{}/contains", self.compiler.here()), reason));
            }
        };
        Ok(sequence(vec![self.mark(false, "[", true), items, self.mark(true, "]", false)]))
    }

    fn after(&self, item: Expr) -> Expr {
        sequence(vec![self.comma(), item])
    }

    fn items(&mut self, array: &ArrayShape) -> Result<Expr> {
        let (min, length) = (array.min as usize, array.prefix.len());
        if length > MOST_PREFIX {
            return Err(self.compiler.too_large("items that are described one by one", MOST_PREFIX));
        }
        let end = array.max.map_or(usize::MAX, |max| max as usize);
        // From the last item back: what follows so many items.
        let mut rest = Expr::empty();
        if end > length {
            let item = self.value(array.rest)?;
            let (least, most) = (min.saturating_sub(length) as u32, array.max.map(|max| max - length as u32));
            if length > 0 {
                rest = self.after(item).repeat(least, most);
            } else {
                let more = self.after(item.clone()).repeat(least.saturating_sub(1), most.map(|most| most - 1));
                let some = sequence(vec![item, more]);
                return Ok(if least == 0 { some.optional() } else { some });
            }
        }
        for index in (0..length.min(end)).rev() {
            let item = self.value(array.prefix[index])?;
            let item = if index > 0 { self.after(item) } else { item };
            let whole = sequence(vec![item, rest]);
            rest = if index < min { whole } else { whole.optional() };
        }
        Ok(rest)
    }

    /// Arrays in which so many items are of a kind: a rule for each place and each number of such items before it.
    fn containing(&mut self, array: &ArrayShape, contains: &Contains) -> Result<Expr> {
        // From this place on all items are alike, and after so many of the kind all numbers are.
        let places = array.prefix.len().max(array.max.unwrap_or(array.min) as usize).max(1);
        let counts = contains.max.unwrap_or(contains.min) as usize;
        if places.saturating_mul(counts + 1) > MOST_COUNTED {
            return Err(self.compiler.too_large("rules that count items", MOST_COUNTED));
        }
        let others = self.compiler.not(contains.item);
        let rules: Vec<Vec<RuleId>> =
            (0..=places).map(|_| (0..=counts).map(|_| self.builder.declare("items")).collect()).collect();
        for place in 0..=places {
            for count in 0..=counts {
                let mut ways = Vec::new();
                if place >= array.min as usize && count >= contains.min as usize {
                    ways.push(Expr::empty());
                }
                if array.max.is_none_or(|max| place < max as usize) {
                    let next = (place + 1).min(places);
                    let item = array.item(place);
                    let (kind, other) = if contains.max.is_some() {
                        (self.compiler.both(item, contains.item), self.compiler.both(item, others))
                    } else if count < counts {
                        (self.compiler.both(item, contains.item), item)
                    } else {
                        (SubId::NEVER, item)
                    };
                    for (item, count) in [(kind, count + 1), (other, count)] {
                        if count <= counts && !self.compiler.is_empty(item)? {
                            let item = self.value(item)?;
                            let item = if place > 0 { self.after(item) } else { item };
                            ways.push(sequence(vec![item, Expr::Rule(rules[next][count])]));
                        }
                    }
                }
                self.builder.define(rules[place][count], one_of(ways));
            }
        }
        Ok(Expr::Rule(rules[0][0]))
    }

    /// Arrays without equal items, of which there are few: a rule for each set of values that were written.
    fn unique(&mut self, array: &ArrayShape) -> Result<Expr> {
        let mut values: Vec<Vec<u8>> = Vec::new();
        // For each place, the last one standing for all later ones, which values it may have.
        let mut allowed: Vec<u64> = Vec::new();
        for index in 0..=array.prefix.len() {
            let shape = self.compiler.shape(array.item(index))?;
            let found = match array.max {
                Some(max) if index >= max as usize => Some(Vec::new()),
                _ => self.few_values(&shape)?,
            };
            let mut set = 0;
            for value in found.ok_or_else(|| self.not_few())? {
                let place = values.iter().position(|known| *known == value).unwrap_or(values.len());
                if place == values.len() {
                    values.push(value);
                }
                if place >= MOST_VALUES {
                    return Err(self.not_few());
                }
                set |= 1 << place;
            }
            allowed.push(set);
        }
        let start = self.builder.declare("items");
        let mut rules: FxHashMap<u64, RuleId> = [(0, start)].into_iter().collect();
        let mut open = vec![0u64];
        while let Some(used) = open.pop() {
            let count = used.count_ones() as usize;
            let mut ways = Vec::new();
            if count >= array.min as usize {
                ways.push(Expr::empty());
            }
            let free = if array.max.is_some_and(|max| count >= max as usize) {
                0
            } else {
                allowed[count.min(allowed.len() - 1)] & !used
            };
            for place in (0..values.len()).filter(|place| free >> place & 1 == 1) {
                let next = used | 1 << place;
                let builder = &mut self.builder;
                let rule = *rules.entry(next).or_insert_with(|| {
                    open.push(next);
                    builder.declare("items")
                });
                let item = Expr::bytes(values[place].clone());
                let item = if count > 0 { self.after(item) } else { item };
                ways.push(sequence(vec![item, Expr::Rule(rule)]));
            }
            self.builder.define(rules[&used], one_of(ways));
            if rules.len() > MOST_COUNTED {
                return Err(self.not_few());
            }
        }
        Ok(Expr::Rule(start))
    }

    /// The values of a shape as they are written, if they are few and none is an array or an object.
    fn few_values(&mut self, shape: &Shape) -> Result<Option<Vec<Vec<u8>>>> {
        if !shape.arrays.is_empty() || !shape.objects.is_empty() || shape.numbers == Numbers::All {
            return Ok(None);
        }
        let mut values = Vec::new();
        for (is, word) in [(shape.null, "null"), (shape.booleans[0], "false"), (shape.booleans[1], "true")] {
            values.extend(is.then(|| word.as_bytes().to_vec()));
        }
        let numbers = shape.numbers.written(&mut self.compiler.steps);
        let Some(numbers) = self.compiler.sized(numbers)?.all_words(MOST_VALUES) else { return Ok(None) };
        let strings = shape.strings.language(&mut self.compiler.steps);
        let Some(strings) = self.compiler.sized(strings)?.all_words(MOST_VALUES) else { return Ok(None) };
        values.extend(numbers);
        let quoted = |word: Vec<u8>| super::value::quote(&String::from_utf8(word).expect("a text")).into_bytes();
        values.extend(strings.into_iter().map(quoted));
        Ok(Some(values))
    }

    fn not_few(&self) -> JsonSchemaError {
        let reason = format!(
            "a grammar remembers which items were written only for few values, with at most {MOST_COUNTED} sets of them; \
             use `enum` with fewer values for the items, or a smaller `maxItems`"
        );
        JsonSchemaError::unsupported(format!("{}/uniqueItems", self.compiler.here()), reason)
    }
}
