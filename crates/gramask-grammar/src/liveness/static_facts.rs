//! Facts about a program that hold for every document: from which operations an output can surely be completed.
//!
//! [`Liveness::quick_check`](super::Liveness::quick_check) decides from them whether a thread is live.

use crate::byte_set::ByteSet;
use crate::delimiters::Tail;
use crate::escape::Unit;
use crate::notation::ast::Terminal;
use crate::program::{Op, Program};

/// There is no such number.
const NEVER: u32 = u32::MAX;

/// Facts about each operation of a program.
#[derive(Debug)]
pub(crate) struct StaticFacts {
    /// Cursor formats, outside all entities: from so many moves of the cursor on, the output can end after exactly as many,
    /// whatever their number, without another entity. [`NEVER`] where that is not so.
    pub outside: Vec<u32>,
    /// The same inside an entity, to the place after it.
    pub inside: Vec<u32>,
    /// Inside an entity: it can end before the cursor moves again.
    pub now: Vec<bool>,
    /// The largest of `outside` after an entity that no call surrounds.
    pub after_entity: u32,
    /// List formats: the output can end without another entity.
    pub ends: Vec<bool>,
    /// List formats: an entity comes next, with the same label context, whichever alternative is taken.
    pub opens: Vec<bool>,
    /// List formats: after every entity the output can end.
    pub ends_after_entity: bool,
    /// The views that must be written of an entity tell it from all others, if the format has positions at all.
    pub identifies: bool,
    /// How many `@text` must still be written in the entity.
    pub texts: Vec<u32>,
    /// The bytes that can be written next once an operation is done, and perhaps some more.
    pub follow: Vec<Follow>,
    /// Entities have one fragment.
    pub single: bool,
    /// Some character can be written as free text without coming nearer to a delimiter.
    pub plain: bool,
    /// A character that was begun with this byte or a greater one can always be completed; with any where there is no
    /// delimiter, with one beyond ASCII where delimiters are ASCII.
    pub completes: Option<u8>,
}

impl StaticFacts {
    pub fn new(program: &Program) -> StaticFacts {
        let facts = Facts(program);
        let numbers = 0..program.ops.len();
        let closes = || numbers.clone().filter(|pc| matches!(program.ops[*pc], Op::Close));
        let outside = facts.from(|op| matches!(op, Op::Accept));
        let inside_sets = facts.moves(|op| matches!(op, Op::Close));
        let inside = facts.lasting(&inside_sets);
        let ends = facts.reach(|op| matches!(op, Op::Accept));
        // Where a rule calls itself, the frames say what comes after an entity.
        let calls = || numbers.clone().filter(|pc| matches!(program.ops[*pc], Op::Call(_)));
        let flat = closes().filter(|pc| !matches!(program.ops[*pc + 1], Op::Return));
        let after_entity = flat.map(|pc| outside[pc + 1]);
        StaticFacts {
            now: inside_sets.first().cloned().unwrap_or_default(),
            after_entity: after_entity.max().unwrap_or(0),
            ends_after_entity: calls().next().is_none() && closes().all(|pc| ends[pc + 1]),
            opens: facts.opens(),
            identifies: facts.identifies(),
            texts: facts.least(&[Terminal::Text]),
            follow: facts.follow(),
            single: !program.format().discontinuous(),
            plain: has_plain_unit(program),
            completes: match (program.delimiters.is_empty(), program.delimiters.is_ascii()) {
                (true, _) => Some(0),
                (false, true) => Some(0x80),
                (false, false) => None,
            },
            outside,
            inside,
            ends,
        }
    }
}

/// What can be written next.
#[derive(Debug)]
pub(crate) enum Follow {
    Few(Vec<u8>),
    Any,
}

struct Facts<'a>(&'a Program);

impl Facts<'_> {
    /// Sets each value to `at(pc)`, which reads the values of later operations, until nothing changes.
    fn fixed_point<T: PartialEq + Copy>(&self, start: T, at: impl Fn(&[T], usize) -> T) -> Vec<T> {
        let mut values = vec![start; self.0.ops.len()];
        loop {
            let mut changed = false;
            for pc in (0..values.len()).rev() {
                let value = at(&values, pc);
                changed |= value != values[pc];
                values[pc] = value;
            }
            if !changed {
                return values;
            }
        }
    }

    /// From where an operation of a kind can be reached without another entity.
    fn reach(&self, goal: impl Fn(&Op) -> bool) -> Vec<bool> {
        self.fixed_point(false, |reached, pc| match &self.0.ops[pc] {
            op if goal(op) => true,
            Op::Split(targets) => targets.iter().any(|target| reached[target.index()]),
            Op::Jump(target) => reached[target.index()],
            Op::Open | Op::Call(_) | Op::Return | Op::Accept => false,
            _ => reached[pc + 1],
        })
    }

    /// For 0, 1, 2, .. moves of the cursor the operations from which exactly as many lead to `goal`, up to the first set that
    /// was there before, which is the last one.
    fn moves(&self, goal: impl Fn(&Op) -> bool) -> Vec<Vec<bool>> {
        let mut sets: Vec<Vec<bool>> = Vec::new();
        loop {
            let set = self.fixed_point(false, |reached, pc| match &self.0.ops[pc] {
                op if goal(op) => sets.is_empty(),
                Op::Split(targets) => targets.iter().any(|target| reached[target.index()]),
                Op::Jump(target) => reached[target.index()],
                Op::Terminal(kind) if kind.is_cursor() => sets.last().is_some_and(|before| before[pc + 1]),
                Op::Open | Op::Close | Op::Call(_) | Op::Return | Op::Accept => false,
                _ => reached[pc + 1],
            });
            let again = sets.contains(&set);
            sets.push(set);
            if again {
                return sets;
            }
        }
    }

    /// From which number of moves on each operation is in all sets.
    fn lasting(&self, sets: &[Vec<bool>]) -> Vec<u32> {
        let last = sets.len() - 1;
        let cycle = sets.iter().position(|set| *set == sets[last]).unwrap_or(last);
        let lasting = |pc: usize| match (0..last).rev().find(|number| !sets[*number][pc]) {
            Some(missing) if missing >= cycle => NEVER,
            Some(missing) => missing as u32 + 1,
            None => 0,
        };
        (0..self.0.ops.len()).map(lasting).collect()
    }

    fn from(&self, goal: impl Fn(&Op) -> bool) -> Vec<u32> {
        self.lasting(&self.moves(goal))
    }

    /// From where every way leads to an entity before anything else than literals and labels.
    fn opens(&self) -> Vec<bool> {
        self.fixed_point(true, |opens, pc| match &self.0.ops[pc] {
            Op::Open => true,
            Op::Split(targets) => targets.iter().all(|target| opens[target.index()]),
            Op::Jump(target) => opens[target.index()],
            Op::Literal(_) => opens[pc + 1],
            _ => false,
        })
    }

    /// How often one of `kinds` must be written before the entity ends.
    fn least(&self, kinds: &[Terminal]) -> Vec<u32> {
        let mut least = vec![NEVER; self.0.ops.len()];
        loop {
            let mut changed = false;
            for pc in (0..least.len()).rev() {
                let value = match &self.0.ops[pc] {
                    Op::Close => 0,
                    Op::Split(targets) => targets.iter().map(|target| least[target.index()]).min().unwrap_or(NEVER),
                    Op::Jump(target) => least[target.index()],
                    Op::Accept | Op::Return => NEVER,
                    Op::Terminal(kind) if kinds.contains(kind) => least[pc + 1].saturating_add(1),
                    _ => least[pc + 1],
                };
                changed |= value < least[pc];
                least[pc] = value.min(least[pc]);
            }
            if !changed {
                return least;
            }
        }
    }

    fn follow(&self) -> Vec<Follow> {
        let first = self.fixed_point(ByteSet::default(), |first, pc| {
            let mut bytes = ByteSet::default();
            match &self.0.ops[pc] {
                Op::Literal(literal) => literal.first().into_iter().for_each(|byte| bytes.insert(*byte)),
                Op::Split(targets) => targets.iter().for_each(|target| bytes.union(&first[target.index()])),
                Op::Jump(target) => bytes = first[target.index()],
                Op::Open | Op::Close | Op::Label(_) => bytes = first[pc + 1],
                Op::Accept => {}
                _ => bytes = ByteSet::ALL,
            }
            bytes
        });
        let follow = |pc: usize| {
            let bytes = first.get(pc + 1).copied().unwrap_or_default();
            let listed: Vec<u8> = (0..=255).filter(|byte| bytes.contains(*byte)).collect();
            if listed.len() < 8 { Follow::Few(listed) } else { Follow::Any }
        };
        (0..first.len()).map(follow).collect()
    }

    /// Whether the views that every entity has are enough to tell it from all others.
    fn identifies(&self) -> bool {
        use Terminal::{End, First, Last, Nth, Start, Text};
        let (text, start, end) = (self.least(&[Text]), self.least(&[Start, First]), self.least(&[End, Last]));
        let nth = self.least(&[Nth]);
        let identified = |pc: usize| {
            let (text, start, end, nth) = (text[pc] > 0, start[pc] > 0, end[pc] > 0, nth[pc] > 0);
            start && end || text && (start || end || nth)
        };
        let opens = |(pc, op): (usize, &Op)| matches!(op, Op::Open).then_some(pc + 1);
        !self.0.positions || self.0.ops.iter().enumerate().filter_map(opens).all(identified)
    }
}

/// Whether some character can always be written as free text without coming nearer to a delimiter.
fn has_plain_unit(program: &Program) -> bool {
    (0..=255u8).any(|byte| {
        matches!(program.escape().unit(&[byte]), Unit::Whole(_))
            && program.delimiters.step(Tail::NONE, byte) == Some(Tail::NONE)
    })
}
