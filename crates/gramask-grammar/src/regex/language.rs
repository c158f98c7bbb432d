//! Regular languages as values.
//!
//! A [`Language`] is the smallest DFA of its strings in a canonical form: states are numbered breadth first, classes of bytes
//! by their first byte. So two languages are equal exactly if their tables are, and a language can be the key of a map.
//!
//! ```text
//! pattern, words, states ─ Language ─ and, or, minus, then, star, repeat ─ Language ─ Regex
//! ```
//!
//! Each operation takes steps from an allowance, and fails where the allowance is used up.

use std::hash::Hash;
use std::sync::{Arc, LazyLock};

use rustc_hash::FxHashMap;

use super::{Regex, RegexError, StateId, Steps, Table, distances, minimise, nfa, subsets};

/// A set of byte strings that a finite automaton recognises.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Language(Arc<Table>);

/// All valid UTF-8.
static TEXT: LazyLock<Language> =
    LazyLock::new(|| Language::pattern("(?s:.)*", &mut Steps::new()).expect("the automaton of UTF-8 is small"));

impl Language {
    /// No string at all.
    pub fn none() -> Language {
        Language(Arc::new(Table { classes: [0; 256], columns: 1, next: vec![StateId::DEAD], accepts: vec![false] }))
    }

    /// All texts, which are the strings of valid UTF-8.
    pub fn text() -> Language {
        TEXT.clone()
    }

    /// The strings that a regex matches as a whole. `\A` and `\z` hold where the string begins and ends.
    ///
    /// # Errors
    /// A pattern that is not a regex, or that takes too many steps.
    pub fn pattern(pattern: &str, steps: &mut Steps) -> Result<Language, RegexError> {
        Language::from_table(subsets::determinise(&nfa(pattern)?, steps)?, steps)
    }

    /// Exactly these strings.
    ///
    /// # Errors
    /// More letters than steps.
    pub fn words<W: AsRef<[u8]>>(
        words: impl IntoIterator<Item = W>,
        steps: &mut Steps,
    ) -> Result<Language, RegexError> {
        let words: Vec<W> = words.into_iter().collect();
        let mut tree: Vec<(Vec<(u8, u32)>, bool)> = vec![(Vec::new(), false)];
        let mut classes = [0u8; 256];
        let mut columns = 1;
        for word in &words {
            steps.take(word.as_ref().len())?;
            let mut node = 0;
            for &byte in word.as_ref() {
                if classes[usize::from(byte)] == 0 {
                    // No word of a text holds all 256 bytes.
                    columns = (columns + 1).min(256);
                    classes[usize::from(byte)] = (columns - 1) as u8;
                }
                node = match tree[node].0.iter().find(|(letter, _)| *letter == byte) {
                    Some((_, next)) => *next as usize,
                    None => {
                        let next = tree.len();
                        tree[node].0.push((byte, next as u32));
                        tree.push((Vec::new(), false));
                        next
                    }
                };
            }
            tree[node].1 = true;
        }
        steps.take(tree.len() * columns / 8)?;
        let mut next = vec![StateId::DEAD; tree.len() * columns];
        for (node, (letters, _)) in tree.iter().enumerate() {
            for (byte, to) in letters {
                next[node * columns + usize::from(classes[usize::from(*byte)])] = StateId(*to);
            }
        }
        let accepts = tree.iter().map(|(_, ends)| *ends).collect();
        Language::from_table(Table { classes, columns, next, accepts }, steps)
    }

    /// The language of an automaton whose states are values. Bytes of one class must lead to the same states.
    ///
    /// # Errors
    /// More states than steps.
    pub fn explore<S: Clone + Eq + Hash>(
        classes: [u8; 256],
        start: S,
        steps: &mut Steps,
        mut next: impl FnMut(&S, u8) -> Option<S>,
        accepts: impl Fn(&S) -> bool,
    ) -> Result<Language, RegexError> {
        let columns = classes.iter().max().map_or(0, |last| usize::from(*last) + 1);
        let mut letters = vec![0u8; columns];
        (0..=255u8).rev().for_each(|byte| letters[usize::from(classes[usize::from(byte)])] = byte);
        let mut numbers: FxHashMap<S, u32> = [(start.clone(), 0)].into_iter().collect();
        let mut states = vec![start];
        let mut table = Table { classes, columns, next: Vec::new(), accepts: Vec::new() };
        while let Some(state) = states.get(table.accepts.len()).cloned() {
            steps.take(1 + columns)?;
            table.accepts.push(accepts(&state));
            for &letter in &letters {
                table.next.push(match next(&state, letter) {
                    None => StateId::DEAD,
                    Some(target) => {
                        let fresh = states.len() as u32;
                        let number = *numbers.entry(target.clone()).or_insert(fresh);
                        if number == fresh {
                            states.push(target);
                        }
                        StateId(number)
                    }
                });
            }
        }
        Language::from_table(table, steps)
    }

    /// The canonical form of a table.
    fn from_table(table: Table, steps: &mut Steps) -> Result<Language, RegexError> {
        steps.take(table.next.len() / 2)?;
        Ok(match alive(&table) {
            None => Language::none(),
            Some(table) => Language(Arc::new(numbered(&minimise::minimise(table)))),
        })
    }

    /// The automaton, for a language with at least one string.
    pub fn to_regex(&self, name: impl Into<String>) -> Option<Regex> {
        if self.is_empty() {
            return None;
        }
        Some(Regex { pattern: name.into(), distance: distances(&self.0), table: Table::clone(&self.0) })
    }

    /// Whether no string belongs to it.
    pub fn is_empty(&self) -> bool {
        self.0.accepts.len() == 1 && !self.0.accepts[0]
    }

    /// Whether the string belongs to it.
    pub fn contains(&self, bytes: &[u8]) -> bool {
        let mut state = Some(StateId::START);
        for &byte in bytes {
            state = state.and_then(|state| self.next(state, byte));
        }
        state.is_some_and(|state| self.accepts(state))
    }

    pub(crate) fn next(&self, state: StateId, byte: u8) -> Option<StateId> {
        let next = self.0.row(state.index())[usize::from(self.0.classes[usize::from(byte)])];
        (next != StateId::DEAD).then_some(next)
    }

    pub(crate) fn accepts(&self, state: StateId) -> bool {
        self.0.accepts[state.index()]
    }

    pub(crate) fn classes(&self) -> &[u8; 256] {
        &self.0.classes
    }

    pub(crate) fn states(&self) -> usize {
        self.0.accepts.len()
    }

    /// All strings, shortest first, or `None` where they are more than `most`.
    pub fn all_words(&self, most: usize) -> Option<Vec<Vec<u8>>> {
        let mut words = Vec::new();
        let mut open = vec![(StateId::START, Vec::new())];
        while !open.is_empty() {
            let mut longer = Vec::new();
            for (state, word) in open {
                if self.accepts(state) {
                    words.push(word.clone());
                }
                for byte in 0..=255 {
                    if let Some(next) = self.next(state, byte) {
                        longer.push((next, [word.as_slice(), &[byte]].concat()));
                    }
                }
            }
            // A word follows each open one.
            if words.len() + longer.len() > most {
                return None;
            }
            open = longer;
        }
        Some(words)
    }

    /// The least and the greatest number of characters of its texts. The second is `None` where no text is the longest.
    pub fn lengths(&self) -> (u32, Option<u32>) {
        let states = self.states();
        let mut shortest = vec![u32::MAX; states];
        shortest[0] = 0;
        // Levels of equal length; bytes within a character cost nothing.
        let mut open = std::collections::VecDeque::from([0usize]);
        while let Some(state) = open.pop_front() {
            for (byte, next) in self.edges(state) {
                let cost = shortest[state] + u32::from(begins_character(byte));
                if cost < shortest[next] {
                    shortest[next] = cost;
                    open.push_back(next);
                }
            }
        }
        let least = (0..states).filter(|state| self.0.accepts[*state]).map(|state| shortest[state]).min().unwrap_or(0);
        (least, self.longest())
    }

    /// Whether a text of so many characters belongs to it.
    pub fn has_length(&self, min: u32, max: Option<u32>) -> bool {
        let (least, greatest) = self.lengths();
        let max = max.unwrap_or(u32::MAX).min(greatest.unwrap_or(u32::MAX));
        if self.is_empty() || max < min || max < least {
            return false;
        }
        if min <= least {
            return true;
        }
        // The states after each number of characters, until one of enough characters can still be finished in time.
        let mut finish = vec![u32::MAX; self.states()];
        (0..self.states()).filter(|state| self.0.accepts[*state]).for_each(|state| finish[state] = 0);
        loop {
            let mut changed = false;
            for state in (0..self.states()).rev() {
                let ways =
                    self.edges(state).map(|(byte, next)| finish[next].saturating_add(begins_character(byte).into()));
                let best = ways.min().unwrap_or(u32::MAX).min(finish[state]);
                changed |= std::mem::replace(&mut finish[state], best) != best;
            }
            if !changed {
                break;
            }
        }
        let mut here = vec![0];
        for count in 0..=max {
            if count >= min && here.iter().any(|state: &usize| finish[*state] <= max - count) {
                return true;
            }
            let begins = |state: &usize| {
                self.edges(*state).filter(|(byte, _)| begins_character(*byte)).map(|(_, next)| next).collect::<Vec<_>>()
            };
            let mut next: Vec<usize> = here.iter().flat_map(begins).collect();
            // The bytes within a character follow at once.
            let mut at = 0;
            while at < next.len() {
                for (byte, on) in self.edges(next[at]) {
                    if !begins_character(byte) && !next.contains(&on) {
                        next.push(on);
                    }
                }
                at += 1;
            }
            next.sort_unstable();
            next.dedup();
            here = next;
        }
        false
    }

    /// The length in characters of the longest text, if the automaton has no loop.
    fn longest(&self) -> Option<u32> {
        let states = self.states();
        let mut entering = vec![0u32; states];
        (0..states).for_each(|state| self.edges(state).for_each(|(_, next)| entering[next] += 1));
        let mut length = vec![0u32; states];
        let mut open = if entering[0] == 0 { vec![0usize] } else { Vec::new() };
        let (mut visited, mut longest) = (0, 0);
        while let Some(state) = open.pop() {
            visited += 1;
            if self.0.accepts[state] {
                longest = longest.max(length[state]);
            }
            for (byte, next) in self.edges(state) {
                length[next] = length[next].max(length[state] + u32::from(begins_character(byte)));
                entering[next] -= 1;
                if entering[next] == 0 {
                    open.push(next);
                }
            }
        }
        (visited == states).then_some(longest)
    }

    /// One byte of each class that leads on from a state, and where to. Bytes that begin a character never share a class with
    /// bytes within one, in languages of texts.
    fn edges(&self, state: usize) -> impl Iterator<Item = (u8, usize)> + '_ {
        let mut seen = [false; 256];
        (0..=255u8).filter_map(move |byte| {
            let class = usize::from(self.0.classes[usize::from(byte)]);
            if std::mem::replace(&mut seen[class], true) {
                return None;
            }
            self.next(StateId::new(state), byte).map(|next| (byte, next.index()))
        })
    }
}

fn begins_character(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

/// The table of the states that can be reached and from which a match can follow; `None` where the start is not such a state.
fn alive(table: &Table) -> Option<Table> {
    let distance = distances(table);
    if distance[0] == u32::MAX {
        return None;
    }
    if !distance.contains(&u32::MAX) {
        return Some(table.clone());
    }
    let mut kept = vec![StateId::DEAD; distance.len()];
    let living = (0..distance.len()).filter(|state| distance[*state] != u32::MAX);
    living.clone().enumerate().for_each(|(number, state)| kept[state] = StateId::new(number));
    let target = |next: &StateId| if *next == StateId::DEAD { StateId::DEAD } else { kept[next.index()] };
    Some(Table {
        classes: table.classes,
        columns: table.columns,
        next: living.clone().flat_map(|state| table.row(state).iter().map(target)).collect(),
        accepts: living.map(|state| table.accepts[state]).collect(),
    })
}

/// Merges equal columns, and numbers columns by their first byte and states breadth first.
fn numbered(table: &Table) -> Table {
    let states = table.accepts.len();
    let mut columns: FxHashMap<Vec<StateId>, u8> = FxHashMap::default();
    let mut sources = Vec::new();
    let mut number_of = vec![None; table.columns];
    let mut classes = [0; 256];
    for (new, old) in classes.iter_mut().zip(&table.classes) {
        let class = usize::from(*old);
        *new = *number_of[class].get_or_insert_with(|| {
            let column: Vec<StateId> = (0..states).map(|state| table.row(state)[class]).collect();
            *columns.entry(column).or_insert_with(|| {
                sources.push(class);
                (sources.len() - 1) as u8
            })
        });
    }
    let mut numbers = vec![StateId::DEAD; states];
    numbers[0] = StateId::START;
    let mut order = vec![0];
    let (mut next, mut accepts) = (Vec::with_capacity(states * sources.len()), Vec::with_capacity(states));
    while let Some(&state) = order.get(accepts.len()) {
        accepts.push(table.accepts[state]);
        for &class in &sources {
            let target = table.row(state)[class];
            if target != StateId::DEAD && numbers[target.index()] == StateId::DEAD {
                numbers[target.index()] = StateId::new(order.len());
                order.push(target.index());
            }
            next.push(if target == StateId::DEAD { target } else { numbers[target.index()] });
        }
    }
    Table { classes, columns: sources.len(), next, accepts }
}
