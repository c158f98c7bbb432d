//! A regex from the states of an automaton, its own or given ones.

use std::collections::HashMap;

use super::{MOST_TO_MINIMISE, Regex, StateId, Table, distances, minimise, trimmed};

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
        let mut table = trimmed(Table { classes, columns, next: rows.collect(), accepts }).ok()?;
        if table.next.len() <= MOST_TO_MINIMISE {
            table = minimise::minimise(table);
        }
        Some(Regex { pattern, distance: distances(&table), table })
    }

    /// The matches of which no shorter beginning is a match.
    pub fn shortest_matches(&self, pattern: &str) -> Regex {
        let mut table = Table {
            classes: self.table.classes,
            columns: self.table.columns,
            next: self.table.next.clone(),
            accepts: self.table.accepts.clone(),
        };
        for state in (0..table.accepts.len()).filter(|state| self.table.accepts[*state]) {
            table.next[state * table.columns..][..table.columns].fill(StateId::DEAD);
        }
        let mut table = trimmed(table).expect("a shortest match is left");
        if table.next.len() <= MOST_TO_MINIMISE {
            table = minimise::minimise(table);
        }
        Regex { pattern: pattern.to_owned(), distance: distances(&table), table }
    }
}
