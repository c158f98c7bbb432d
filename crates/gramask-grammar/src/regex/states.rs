//! A regex from the states of an automaton, its own or given ones.

use std::collections::HashMap;

use super::{Regex, StateId, Table, trimmed};

impl Regex {
    /// The language of an automaton whose first state is the start: for each state the state after each byte, and whether it
    /// accepts. `None` where it accepts nothing. The pattern is for messages.
    pub fn from_states(pattern: String, next: &[[Option<u32>; 256]], accepts: Vec<bool>) -> Option<Regex> {
        let mut numbers: HashMap<Vec<Option<u32>>, u8> = HashMap::new();
        let mut classes = [0; 256];
        for (byte, class) in classes.iter_mut().enumerate() {
            let column: Vec<Option<u32>> = next.iter().map(|row| row[byte]).collect();
            let fresh = numbers.len();
            *class = *numbers.entry(column).or_insert(fresh as u8);
        }
        let columns = numbers.len();
        let byte_of: Vec<usize> =
            (0..columns).filter_map(|class| classes.iter().position(|found| usize::from(*found) == class)).collect();
        let state = |next: Option<u32>| next.map_or(StateId::DEAD, StateId);
        let rows = next.iter().flat_map(|row| byte_of.iter().map(|byte| state(row[*byte])));
        let table = trimmed(Table { classes, columns, next: rows.collect(), accepts }).ok()?;
        Some(Regex::of_table(pattern, table))
    }

    /// The matches of which no shorter beginning is a match.
    pub fn shortest_matches(&self, pattern: &str) -> Regex {
        let mut table = self.table.clone();
        for state in (0..table.accepts.len()).filter(|state| self.table.accepts[*state]) {
            table.next[state * table.columns..][..table.columns].fill(StateId::DEAD);
        }
        Regex::of_table(pattern.to_owned(), trimmed(table).expect("a shortest match is left"))
    }
}
