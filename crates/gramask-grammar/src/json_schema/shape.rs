//! The normal form of a schema: what it allows of each type.
//!
//! The six types of JSON have no value in common. So a set of values is a set for each type, and intersections, unions and
//! complements are made type by type. Numbers and strings are languages, which are closed under all of them. Arrays and
//! objects are unions of simple shapes, whose parts are schemas again ([`SubId`]) and are looked at only when needed.

use std::rc::Rc;

use super::document::NodeId;
use super::numbers::Numbers;
use super::strings::Strings;
use crate::regex::Language;

/// A set of values, by its number: a schema of the document, or made of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SubId(pub u32);

impl SubId {
    /// All values.
    pub const ANY: SubId = SubId(0);
    /// No value.
    pub const NEVER: SubId = SubId(1);
}

/// What a [`SubId`] stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sub {
    Any,
    Never,
    /// The values that a schema allows.
    Schema(NodeId),
    /// The one value that stands at a place.
    Constant(NodeId),
    Not(SubId),
    /// Sorted; at least two.
    And(Box<[SubId]>),
}

/// What is allowed of each type.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shape {
    pub null: bool,
    /// `false` and `true`.
    pub booleans: [bool; 2],
    pub numbers: Numbers,
    pub strings: Strings,
    /// One of these.
    pub arrays: Vec<Rc<ArrayShape>>,
    /// One of these.
    pub objects: Vec<Rc<ObjectShape>>,
}

impl Shape {
    pub fn any() -> Shape {
        Shape {
            null: true,
            booleans: [true; 2],
            numbers: Numbers::All,
            strings: Strings::all(),
            arrays: vec![Rc::new(ArrayShape::any())],
            objects: vec![Rc::new(ObjectShape::any())],
        }
    }

    pub fn none() -> Shape {
        Shape {
            null: false,
            booleans: [false; 2],
            numbers: Numbers::none(),
            strings: Strings::none(),
            arrays: Vec::new(),
            objects: Vec::new(),
        }
    }
}

/// Arrays: the first items one by one, then any number of equal ones.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ArrayShape {
    pub prefix: Vec<SubId>,
    /// The items after those.
    pub rest: SubId,
    pub min: u32,
    pub max: Option<u32>,
    /// Whether no two items may be equal.
    pub unique: bool,
    pub contains: Vec<Contains>,
}

/// How many items must be of a kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Contains {
    pub item: SubId,
    pub min: u32,
    pub max: Option<u32>,
}

impl ArrayShape {
    pub fn any() -> ArrayShape {
        ArrayShape { prefix: Vec::new(), rest: SubId::ANY, min: 0, max: None, unique: false, contains: Vec::new() }
    }

    /// What an item must be.
    pub fn item(&self, index: usize) -> SubId {
        self.prefix.get(index).copied().unwrap_or(self.rest)
    }
}

/// Objects: members with these names in this order, then members with other names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ObjectShape {
    pub named: Vec<Property>,
    /// Other members by sets of names, which are disjoint. A name in none of them is forbidden.
    pub rest: Vec<Rest>,
    /// How many members at least and at most.
    pub min: u32,
    pub max: Option<u32>,
    /// For each of these there must be a member, whatever its name.
    pub needed: Vec<Needed>,
}

/// A member whose name is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Property {
    pub name: Rc<str>,
    pub value: SubId,
    pub required: bool,
    /// Whether `properties` lists it. Others are only required, and come after the listed ones.
    pub listed: bool,
}

/// A member with a name of a set and such a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Needed {
    pub names: Language,
    pub value: SubId,
}

/// Members with names of a set, apart from those of [`ObjectShape::named`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rest {
    /// All names if absent.
    pub names: Option<Language>,
    pub value: SubId,
}

impl ObjectShape {
    pub fn any() -> ObjectShape {
        let rest = vec![Rest { names: None, value: SubId::ANY }];
        ObjectShape { named: Vec::new(), rest, min: 0, max: None, needed: Vec::new() }
    }

    /// What a member of this name must be, if it is none of [`ObjectShape::named`].
    pub fn other(&self, name: &str) -> SubId {
        let fits = |rest: &&Rest| rest.names.as_ref().is_none_or(|names| names.contains(name.as_bytes()));
        self.rest.iter().find(fits).map_or(SubId::NEVER, |rest| rest.value)
    }

    /// How many members must be there.
    pub fn required(&self) -> usize {
        self.named.iter().filter(|property| property.required).count()
    }
}
