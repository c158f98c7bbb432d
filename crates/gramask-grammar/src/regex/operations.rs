//! Operations on regular languages.

use super::{Language, RegexError, StateId, Steps};

/// Where two automata stand; [`StateId::DEAD`] is an automaton that has stopped.
type Pair = (StateId, StateId);

impl Language {
    /// The strings of both.
    ///
    /// # Errors
    /// This operation and all below fail where they take more than the steps that are left.
    pub fn and(&self, other: &Language, steps: &mut Steps) -> Result<Language, RegexError> {
        if self == other {
            return Ok(self.clone());
        }
        self.product(other, steps, |a, b| a && b)
    }

    /// The strings of either.
    pub fn or(&self, other: &Language, steps: &mut Steps) -> Result<Language, RegexError> {
        if self == other || other.is_empty() {
            return Ok(self.clone());
        }
        if self.is_empty() {
            return Ok(other.clone());
        }
        self.product(other, steps, |a, b| a || b)
    }

    /// The strings of this language that the other does not have.
    pub fn minus(&self, other: &Language, steps: &mut Steps) -> Result<Language, RegexError> {
        if self.is_empty() || other.is_empty() {
            return Ok(self.clone());
        }
        self.product(other, steps, |a, b| a && !b)
    }

    /// All texts that it does not have.
    pub fn complement(&self, steps: &mut Steps) -> Result<Language, RegexError> {
        Language::text().minus(self, steps)
    }

    /// Whether no string belongs to both.
    pub fn is_disjoint(&self, other: &Language, steps: &mut Steps) -> Result<bool, RegexError> {
        Ok(self.and(other, steps)?.is_empty())
    }

    /// Whether each string of this language belongs to the other.
    pub fn is_within(&self, other: &Language, steps: &mut Steps) -> Result<bool, RegexError> {
        Ok(self == other || self.minus(other, steps)?.is_empty())
    }

    fn product(
        &self,
        other: &Language,
        steps: &mut Steps,
        keep: fn(bool, bool) -> bool,
    ) -> Result<Language, RegexError> {
        let classes = joint(self.classes(), other.classes());
        let on = |language: &Language, state: StateId, byte: u8| match state {
            StateId::DEAD => StateId::DEAD,
            state => language.next(state, byte).unwrap_or(StateId::DEAD),
        };
        let ends = |language: &Language, state: StateId| state != StateId::DEAD && language.accepts(state);
        let (needs_first, needs_second) = (!keep(false, true), !keep(true, false));
        let next = |&(first, second): &Pair, byte: u8| {
            let pair = (on(self, first, byte), on(other, second, byte));
            let lost = needs_first && pair.0 == StateId::DEAD || needs_second && pair.1 == StateId::DEAD;
            (!lost && pair != (StateId::DEAD, StateId::DEAD)).then_some(pair)
        };
        let accepts = |&(first, second): &Pair| keep(ends(self, first), ends(other, second));
        Language::explore(classes, (StateId::START, StateId::START), steps, next, accepts)
    }

    /// A string of this language, then one of the other.
    pub fn then(&self, other: &Language, steps: &mut Steps) -> Result<Language, RegexError> {
        if self.is_empty() || other.is_empty() {
            return Ok(Language::none());
        }
        let enter = |first: StateId, mut second: Vec<StateId>| {
            if first != StateId::DEAD && self.accepts(first) {
                second.push(StateId::START);
            }
            second.sort_unstable();
            second.dedup();
            (first, second)
        };
        let next = |(first, second): &(StateId, Vec<StateId>), byte: u8| {
            let first = match *first {
                StateId::DEAD => StateId::DEAD,
                first => self.next(first, byte).unwrap_or(StateId::DEAD),
            };
            let second: Vec<StateId> = second.iter().filter_map(|state| other.next(*state, byte)).collect();
            (first != StateId::DEAD || !second.is_empty()).then(|| enter(first, second))
        };
        let accepts = |(_, second): &(StateId, Vec<StateId>)| second.iter().any(|state| other.accepts(*state));
        let classes = joint(self.classes(), other.classes());
        Language::explore(classes, enter(StateId::START, Vec::new()), steps, next, accepts)
    }

    /// Any number of its strings, one after the other.
    pub fn star(&self, steps: &mut Steps) -> Result<Language, RegexError> {
        // At the beginning the set is empty, which stands for a whole number of strings.
        let from = |set: &[StateId]| if set.is_empty() { vec![StateId::START] } else { set.to_vec() };
        let next = |set: &Vec<StateId>, byte: u8| {
            let mut to: Vec<StateId> = from(set).iter().filter_map(|state| self.next(*state, byte)).collect();
            if to.iter().any(|state| self.accepts(*state)) {
                to.push(StateId::START);
            }
            to.sort_unstable();
            to.dedup();
            (!to.is_empty()).then_some(to)
        };
        let accepts = |set: &Vec<StateId>| set.is_empty() || set.iter().any(|state| self.accepts(*state));
        Language::explore(*self.classes(), Vec::new(), steps, next, accepts)
    }

    /// So many of its strings at least and at most, one after the other.
    pub fn repeat(&self, min: u32, max: Option<u32>, steps: &mut Steps) -> Result<Language, RegexError> {
        let empty = Language::words([""], steps)?;
        let mut rest = match max {
            None => self.star(steps)?,
            Some(max) if max < min => return Ok(Language::none()),
            Some(max) => {
                let mut tail = empty.clone();
                for _ in min..max {
                    tail = empty.or(&self.then(&tail, steps)?, steps)?;
                }
                tail
            }
        };
        for _ in 0..min {
            rest = self.then(&rest, steps)?;
        }
        Ok(rest)
    }
}

/// The coarsest classes of bytes that refine both.
pub(crate) fn joint(first: &[u8; 256], second: &[u8; 256]) -> [u8; 256] {
    let mut numbers = rustc_hash::FxHashMap::default();
    let mut classes = [0; 256];
    for byte in 0..256 {
        let fresh = numbers.len();
        classes[byte] = *numbers.entry((first[byte], second[byte])).or_insert(fresh) as u8;
    }
    classes
}
