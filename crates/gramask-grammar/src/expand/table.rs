//! All places of a program, and the rules that follow from them.
//!
//! A program without calls has a finite number of places, and each is a rule. A called rule (an entity in an entity) has its
//! own places for each way to begin it. Its caller goes on from each way in which it can end. Callers and endings are found
//! in any order, so both are kept (tabulation).

use std::collections::{HashMap, HashSet};

use super::plain::{Alternative, Piece};
use super::steps::{Place, Step, Steps};

/// Consecutive places: one way to begin the start rule or a called one.
#[derive(Default)]
struct Section {
    first: usize,
    endings: Vec<Place>,
    /// Places that call it, and where they stand.
    callers: Vec<(usize, Place)>,
}

enum Edge {
    Write(Piece, usize),
    /// Runs a section to one of its endings.
    Call(usize, usize, usize),
    End(usize),
}

struct Node {
    section: usize,
    edges: Vec<Edge>,
}

pub(super) struct Table {
    nodes: Vec<Node>,
    sections: Vec<Section>,
}

/// The table while it is filled.
struct Filling {
    table: Table,
    numbers: HashMap<(usize, Place), usize>,
    sections: HashMap<Place, usize>,
    open: Vec<(usize, Place)>,
}

impl Table {
    /// Visits every place; `None` where there are more than `limit`.
    pub fn fill(steps: &mut Steps<'_>, limit: usize) -> Option<Table> {
        let mut filling = Filling {
            table: Table { nodes: Vec::new(), sections: Vec::new() },
            numbers: HashMap::new(),
            sections: HashMap::new(),
            open: Vec::new(),
        };
        filling.section(steps.start());
        while let Some((number, place)) = filling.open.pop() {
            if filling.table.nodes.len() > limit {
                return None;
            }
            let section = filling.table.nodes[number].section;
            for step in steps.from(&place) {
                match step {
                    Step::Write(piece, next) => {
                        let next = filling.node(section, next);
                        filling.table.nodes[number].edges.push(Edge::Write(piece, next));
                    }
                    Step::Call(begin, caller) => {
                        let called = filling.section(begin);
                        filling.table.sections[called].callers.push((number, caller.clone()));
                        for ending in 0..filling.table.sections[called].endings.len() {
                            filling.connect(steps, number, &caller, called, ending);
                        }
                    }
                    Step::End(place) => filling.end(steps, number, section, place),
                }
            }
        }
        Some(filling.table)
    }

    /// The rules of all that the start needs, the start first; `None` where there are more than `limit`.
    pub fn rules(&self, limit: usize) -> Option<Vec<Vec<Alternative>>> {
        let endings = self.reachable_endings();
        let mut numbers: HashMap<(usize, usize), usize> = HashMap::new();
        let mut wanted: Vec<(usize, usize)> = Vec::new();
        let mut rules: Vec<Vec<Alternative>> = Vec::new();
        let mut number = |wanted: &mut Vec<(usize, usize)>, node: usize, ending: usize| {
            *numbers.entry((node, ending)).or_insert_with(|| {
                wanted.push((node, ending));
                wanted.len() - 1
            })
        };
        number(&mut wanted, self.sections[0].first, 0);
        while rules.len() < wanted.len() {
            if rules.len() > limit {
                return None;
            }
            let (node, ending) = wanted[rules.len()];
            let mut alternatives = Vec::new();
            for edge in &self.nodes[node].edges {
                match edge {
                    Edge::End(found) if *found == ending => {
                        alternatives.push(Alternative { pieces: Vec::new(), next: None })
                    }
                    Edge::Write(piece, next) if endings[*next].contains(&ending) => alternatives.push(Alternative {
                        pieces: vec![piece.clone()],
                        next: Some(number(&mut wanted, *next, ending)),
                    }),
                    Edge::Call(section, inner, next) if endings[*next].contains(&ending) => {
                        let called = number(&mut wanted, self.sections[*section].first, *inner);
                        alternatives.push(Alternative {
                            pieces: vec![Piece::Rule(called)],
                            next: Some(number(&mut wanted, *next, ending)),
                        });
                    }
                    _ => {}
                }
            }
            rules.push(alternatives);
        }
        Some(rules)
    }

    /// For each place the endings of its section that it can come to.
    fn reachable_endings(&self) -> Vec<HashSet<usize>> {
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        let mut endings: Vec<HashSet<usize>> = vec![HashSet::new(); self.nodes.len()];
        let mut open: Vec<(usize, usize)> = Vec::new();
        for (number, node) in self.nodes.iter().enumerate() {
            for edge in &node.edges {
                match edge {
                    Edge::Write(_, next) | Edge::Call(_, _, next) => before[*next].push(number),
                    Edge::End(ending) => open.push((number, *ending)),
                }
            }
        }
        while let Some((node, ending)) = open.pop() {
            if endings[node].insert(ending) {
                open.extend(before[node].iter().map(|&before| (before, ending)));
            }
        }
        endings
    }
}

impl Filling {
    fn section(&mut self, begin: Place) -> usize {
        if let Some(&section) = self.sections.get(&begin) {
            return section;
        }
        let section = self.table.sections.len();
        self.sections.insert(begin.clone(), section);
        self.table.sections.push(Section::default());
        self.table.sections[section].first = self.node(section, begin);
        section
    }

    fn node(&mut self, section: usize, place: Place) -> usize {
        let next = self.table.nodes.len();
        let number = *self.numbers.entry((section, place.clone())).or_insert(next);
        if number == next {
            self.table.nodes.push(Node { section, edges: Vec::new() });
            self.open.push((number, place));
        }
        number
    }

    /// The section ends at node `number` so.
    fn end(&mut self, steps: &Steps<'_>, number: usize, section: usize, place: Place) {
        let endings = &mut self.table.sections[section].endings;
        let known = endings.iter().position(|known| *known == place);
        let ending = known.unwrap_or_else(|| {
            endings.push(place);
            endings.len() - 1
        });
        self.table.nodes[number].edges.push(Edge::End(ending));
        if known.is_none() {
            for (caller, place) in self.table.sections[section].callers.clone() {
                self.connect(steps, caller, &place, section, ending);
            }
        }
    }

    fn connect(&mut self, steps: &Steps<'_>, number: usize, caller: &Place, called: usize, ending: usize) {
        let next = steps.resume(caller, &self.table.sections[called].endings[ending]);
        let section = self.table.nodes[number].section;
        let next = self.node(section, next);
        self.table.nodes[number].edges.push(Edge::Call(called, ending, next));
    }
}
