//! The parameters of strategies: names, defaults, ranges and help.
//!
//! A strategy declares each parameter as a constant. It lists the constants in its definition, and reads a value with the same
//! constant. So name, type and default cannot differ between the places. Ranges are checked while a value is read: the error then
//! has the value's place in the file.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

/// A whole number from 1 to a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Count {
    /// The name in files.
    pub name: &'static str,
    /// The value where none is given.
    pub default: usize,
    /// The greatest allowed value.
    pub most: usize,
    /// What the number counts.
    pub help: &'static str,
}

/// A number within a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// The name in files.
    pub name: &'static str,
    /// The value where none is given.
    pub default: f64,
    /// The lower end of the range.
    pub least: Least,
    /// The greatest allowed value.
    pub most: f64,
    /// What the number does.
    pub help: &'static str,
}

/// The lower end of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Least {
    /// This value is allowed.
    From(f64),
    /// Only greater values are allowed.
    Above(f64),
}

/// A switch that is off by default.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flag {
    /// The name in files.
    pub name: &'static str,
    /// What it switches on.
    pub help: &'static str,
}

/// A text that is not empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Text {
    /// The name in files.
    pub name: &'static str,
    /// The value where none is given.
    pub default: &'static str,
    /// What the text is for.
    pub help: &'static str,
}

/// The declaration of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Parameter {
    /// A whole number.
    Count(Count),
    /// A number.
    Number(Number),
    /// A switch.
    Flag(Flag),
    /// A text.
    Text(Text),
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a [`Count`].
    Count(usize),
    /// Of a [`Number`].
    Number(f64),
    /// Of a [`Flag`].
    Flag(bool),
    /// Of a [`Text`].
    Text(String),
}

impl Parameter {
    /// The name in files.
    pub fn name(&self) -> &'static str {
        match self {
            Parameter::Count(Count { name, .. })
            | Parameter::Number(Number { name, .. })
            | Parameter::Flag(Flag { name, .. })
            | Parameter::Text(Text { name, .. }) => name,
        }
    }

    /// What it does, in Markdown.
    pub fn help(&self) -> &'static str {
        match self {
            Parameter::Count(Count { help, .. })
            | Parameter::Number(Number { help, .. })
            | Parameter::Flag(Flag { help, .. })
            | Parameter::Text(Text { help, .. }) => help,
        }
    }

    /// The value where none is given.
    pub fn default(&self) -> Value {
        match self {
            Parameter::Count(count) => Value::Count(count.default),
            Parameter::Number(number) => Value::Number(number.default),
            Parameter::Flag(_) => Value::Flag(false),
            Parameter::Text(text) => Value::Text(text.default.into()),
        }
    }

    /// The default and the allowed values, such as `4; 1 to 64`.
    pub fn default_and_range(&self) -> String {
        match self {
            Parameter::Count(Count { default, most, .. }) => format!("{default}; 1 to {most}"),
            Parameter::Number(Number { default, least, most, .. }) => match least {
                Least::From(least) => format!("{default}; {least} to {most}"),
                Least::Above(least) => format!("{default}; above {least} to {most}"),
            },
            Parameter::Flag(_) => "false".into(),
            Parameter::Text(Text { default, .. }) => format!("{default:?}; not empty"),
        }
    }

    /// Checks a whole number. It is signed, so that a negative number gets the same message.
    fn check_count(count: &Count, value: i64) -> Result<usize, String> {
        let Count { name, most, help, .. } = count;
        match usize::try_from(value) {
            Ok(value) if (1..=*most).contains(&value) => Ok(value),
            _ => Err(format!("`{name}` is {value}, but must be 1 to {most}: {help}")),
        }
    }

    fn check_number(number: &Number, value: f64) -> Result<f64, String> {
        let Number { name, least, most, help, .. } = number;
        let (enough, from) = match least {
            Least::From(least) => (value >= *least, format!("at least {least}")),
            Least::Above(least) => (value > *least, format!("above {least}")),
        };
        match enough && value <= *most {
            true => Ok(value),
            false => Err(format!("`{name}` is {value}, but must be {from} and at most {most}: {help}")),
        }
    }

    fn check_text(text: &Text, value: String) -> Result<String, String> {
        let Text { name, default, help } = text;
        match value.is_empty() {
            false => Ok(value),
            true => Err(format!("`{name}` is empty, but must be {help}, such as {default:?}")),
        }
    }
}

/// Reads a value and checks its range.
impl<'de> DeserializeSeed<'de> for Parameter {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        let value = match &self {
            Parameter::Count(count) => Parameter::check_count(count, i64::deserialize(from)?).map(Value::Count),
            Parameter::Number(number) => Parameter::check_number(number, f64::deserialize(from)?).map(Value::Number),
            Parameter::Flag(_) => Ok(Value::Flag(bool::deserialize(from)?)),
            Parameter::Text(text) => Parameter::check_text(text, String::deserialize(from)?).map(Value::Text),
        };
        value.map_err(D::Error::custom)
    }
}

/// The values of all parameters of a strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSet {
    values: Vec<(&'static str, Value)>, // in the order of the declarations
}

impl ParameterSet {
    pub(super) fn defaults(parameters: &[Parameter]) -> Self {
        ParameterSet { values: parameters.iter().map(|parameter| (parameter.name(), parameter.default())).collect() }
    }

    /// Reads the table of a strategy's parameters.
    pub(super) fn read<'de, D: Deserializer<'de>>(
        strategy: &'static str,
        parameters: &'static [Parameter],
        from: D,
    ) -> Result<Self, D::Error> {
        from.deserialize_map(Table { strategy, parameters })
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The value of a parameter.
    pub fn count(&self, parameter: &Count) -> usize {
        match self.get(parameter.name) {
            Some(Value::Count(value)) => *value,
            _ => parameter.default,
        }
    }

    /// The value of a parameter.
    pub fn number(&self, parameter: &Number) -> f64 {
        match self.get(parameter.name) {
            Some(Value::Number(value)) => *value,
            _ => parameter.default,
        }
    }

    /// Whether a switch is on.
    pub fn flag(&self, parameter: &Flag) -> bool {
        matches!(self.get(parameter.name), Some(Value::Flag(true)))
    }

    /// The value of a parameter.
    pub fn text<'a>(&'a self, parameter: &'a Text) -> &'a str {
        match self.get(parameter.name) {
            Some(Value::Text(value)) => value,
            _ => parameter.default,
        }
    }
}

impl Serialize for ParameterSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len()))?;
        for (name, value) in &self.values {
            match value {
                Value::Count(value) => map.serialize_entry(name, value)?,
                Value::Number(value) => map.serialize_entry(name, value)?,
                Value::Flag(value) => map.serialize_entry(name, value)?,
                Value::Text(value) => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

/// Reads a table of parameters.
struct Table {
    strategy: &'static str,
    parameters: &'static [Parameter],
}

impl<'de> Visitor<'de> for Table {
    type Value = ParameterSet;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the parameters of `{}`, or {{}} for their defaults", self.strategy)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ParameterSet, A::Error> {
        let mut set = ParameterSet::defaults(self.parameters);
        let mut given = vec![false; self.parameters.len()];
        while let Some(index) = map.next_key_seed(Key(&self))? {
            let value = map.next_value_seed(self.parameters[index])?;
            if std::mem::replace(&mut given[index], true) {
                return Err(A::Error::custom(format!("`{}` is given twice", self.parameters[index].name())));
            }
            set.values[index].1 = value;
        }
        Ok(set)
    }
}

/// Reads the name of a parameter as its index.
struct Key<'a>(&'a Table);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<usize, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a parameter of `{}`", self.0.strategy)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        let Table { strategy, parameters } = self.0;
        parameters.iter().position(|parameter| parameter.name() == name).ok_or_else(|| {
            let known: Vec<String> = parameters.iter().map(|parameter| format!("`{}`", parameter.name())).collect();
            E::custom(match known.is_empty() {
                true => format!("`{strategy}` has no parameter `{name}`: it takes none"),
                false => format!("`{strategy}` has no parameter `{name}`: it takes {}", known.join(", ")),
            })
        })
    }
}
