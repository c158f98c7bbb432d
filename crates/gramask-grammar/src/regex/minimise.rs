//! The smallest DFA of a language, by the algorithm of A. Valmari and P. Lehtinen, "Efficient minimization of DFAs with
//! partial transition functions" (STACS 2008). It takes O(m log m) steps for m transitions.
//!
//! Two partitions refine each other. States of different blocks differ in a string. Transitions of different cords differ in
//! the class that they read or in the block that they lead to.

use super::{StateId, Table, incoming};

/// Merges equal states of a table in which a match can follow every state, and numbers them breadth first.
pub(super) fn minimise(table: Table) -> Table {
    let states = table.accepts.len();
    let (begin, before) = incoming(&table);
    let mut blocks = Partition::new(states);
    (0..states).filter(|state| table.accepts[*state]).for_each(|state| blocks.mark(state));
    blocks.split();
    // Transitions are numbered by their place in `before`, and first grouped by class.
    let mut cords = Partition::new(before.len());
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); table.columns];
    before.iter().enumerate().for_each(|(place, at)| readers[*at as usize % table.columns].push(place));
    for places in readers {
        places.into_iter().for_each(|place| cords.mark(place));
        cords.split();
    }
    let (mut block, mut cord) = (1, 0);
    while cord < cords.len() {
        for at in cords.range(cord) {
            blocks.mark(before[cords.elements[at] as usize] as usize / table.columns);
        }
        blocks.split();
        cord += 1;
        while block < blocks.len() {
            for at in blocks.range(block) {
                let state = blocks.elements[at] as usize;
                (begin[state]..begin[state + 1]).for_each(|place| cords.mark(place));
            }
            cords.split();
            block += 1;
        }
    }
    merged(&table, &blocks)
}

/// The table with one state for each block.
fn merged(table: &Table, blocks: &Partition) -> Table {
    let mut numbers = vec![StateId::DEAD; blocks.len()];
    let mut order = vec![StateId::START.index()];
    numbers[blocks.set_of[StateId::START.index()] as usize] = StateId::START;
    let (mut next, mut accepts) = (Vec::new(), Vec::new());
    while let Some(&state) = order.get(accepts.len()) {
        accepts.push(table.accepts[state]);
        for &target in table.row(state) {
            if target == StateId::DEAD {
                next.push(target);
                continue;
            }
            let number = &mut numbers[blocks.set_of[target.index()] as usize];
            if *number == StateId::DEAD {
                *number = StateId::new(order.len());
                order.push(target.index());
            }
            next.push(*number);
        }
    }
    Table { classes: table.classes, columns: table.columns, next, accepts }
}

/// Numbers in disjoint sets, of which some can be marked and then split off.
struct Partition {
    /// The numbers, set after set.
    elements: Vec<u32>,
    /// Where each number stands in `elements`.
    place: Vec<u32>,
    set_of: Vec<u32>,
    /// Where each set begins and ends in `elements`.
    first: Vec<u32>,
    past: Vec<u32>,
    /// How many numbers of each set are marked; they stand first.
    marked: Vec<u32>,
    /// The sets with marked numbers.
    touched: Vec<u32>,
}

impl Partition {
    /// One set of all numbers below `count`.
    fn new(count: usize) -> Partition {
        let all: Vec<u32> = (0..count as u32).collect();
        Partition {
            elements: all.clone(),
            place: all,
            set_of: vec![0; count],
            first: vec![0],
            past: vec![count as u32],
            marked: vec![0],
            touched: Vec::new(),
        }
    }

    fn len(&self) -> usize {
        self.first.len()
    }

    fn range(&self, set: usize) -> std::ops::Range<usize> {
        self.first[set] as usize..self.past[set] as usize
    }

    fn mark(&mut self, element: usize) {
        let set = self.set_of[element] as usize;
        let (from, to) = (self.place[element] as usize, (self.first[set] + self.marked[set]) as usize);
        if from < to {
            return;
        }
        self.elements.swap(from, to);
        self.place[self.elements[from] as usize] = from as u32;
        self.place[self.elements[to] as usize] = to as u32;
        if self.marked[set] == 0 {
            self.touched.push(set as u32);
        }
        self.marked[set] += 1;
    }

    /// Splits each set with marked and unmarked numbers in two. The smaller part is the new set.
    fn split(&mut self) {
        while let Some(set) = self.touched.pop() {
            let set = set as usize;
            let middle = self.first[set] + std::mem::take(&mut self.marked[set]);
            if middle == self.past[set] {
                continue;
            }
            let fresh = self.len() as u32;
            if middle - self.first[set] <= self.past[set] - middle {
                self.first.push(self.first[set]);
                self.past.push(middle);
                self.first[set] = middle;
            } else {
                self.first.push(middle);
                self.past.push(self.past[set]);
                self.past[set] = middle;
            }
            self.marked.push(0);
            for at in self.range(fresh as usize) {
                self.set_of[self.elements[at] as usize] = fresh;
            }
        }
    }
}
