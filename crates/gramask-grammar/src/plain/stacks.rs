//! Sets of stacks, as numbered nodes of a graph without cycles.
//!
//! While a rule is read, a stack says which rules called it, and at which state of the network each of them goes on. An
//! ambiguous beginning has several stacks at once, and their number can grow exponentially. So a set of stacks is one *node*:
//!
//! ```text
//! node = whether the empty stack is in the set, and for each state on top the node of what stands below it
//!
//!   "((" in s: "(" s ")" | "(" s "]" | "x"        {2 ─► {2 ─► {∅}}}        where state 2 goes on with ")" or "]"
//! ```
//!
//! A node is a deterministic automaton that reads stacks from the top. Equal nodes have the same number. A position of the
//! output is a node too: the state that reads next stands on top. So equal positions have the same number, in whatever way
//! they were reached.
//!
//! # Returns are made when a state is put on top
//!
//! If a state may end its rule, its callers may go on at once. So [`Stacks::put`], which puts a state on top of a set, unites the
//! result with the set itself. If a state can only end its rule, it is not put there at all. Hence a tail call pushes
//! nothing, and no node ever waits for a return.
//!
//! # The sizes
//!
//! Let `n` be the length of the output, and `R` and `Q` the numbers of rules and states.
//!
//! All callers of a rule at one place of the output become one node, as in a graph-structured stack. So a step adds at most `R`
//! nodes that stand below others, however many stacks they stand for. What stands at the same state is united, so that a node
//! has at most `Q` entries.
//!
//! *If at each place each state has one node below it, without a union below the top*, the work of a step depends on the grammar
//! alone, and not on `n`. That holds in grammars that are read from left to right without a choice of what was called where:
//! LR grammars, also if their alternatives begin alike. It holds in a right recursive rule that may end at each depth too. There the
//! union with what stands below is the node of the step before, with one entry more.
//!
//! *In general* a union goes down as far as both nodes have common states. Unions are remembered, so that each pair of nodes is
//! united once. Languages of stacks can be made whose deterministic automaton is exponential. So the pairs that a step may
//! unite below the top are limited ([`Stacks::UNIONS`]). Beyond, both entries are kept side by side. The set is the same then, and
//! equal sets may have different numbers. Hence a step adds at most `R + UNIONS` nodes that stand below others, and after `n` steps a
//! node has at most `Q n (R + UNIONS)` entries. Time and memory are polynomial for all grammars.

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};

use super::network::{Network, StateId};

/// A set of stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct StackId(u32);

impl StackId {
    /// No stack.
    pub const NONE: StackId = StackId(0);
    /// The empty stack alone: below is nothing that this matcher knows.
    pub const BOTTOM: StackId = StackId(1);

    pub fn index(self) -> usize {
        self.0 as usize
    }

    pub fn number(self) -> u32 {
        self.0
    }

    pub fn of(number: u32) -> StackId {
        StackId(number)
    }
}

/// A state on top, and what stands below it.
pub(crate) type Entry = (StateId, StackId);

#[derive(Clone, Copy, Debug)]
struct Node {
    begin: u32,
    length: u32,
    /// The next node with the same hash.
    same: StackId,
    /// The empty stack is in the set.
    bottom: bool,
    /// The bytes and special tokens that empty one of the stacks, at least.
    rest: u32,
}

/// All nodes of a matcher.
#[derive(Debug)]
pub(crate) struct Stacks {
    nodes: Vec<Node>,
    entries: Vec<Entry>,
    numbers: FxHashMap<u64, StackId>,
    unions: FxHashMap<(StackId, StackId), StackId>,
    /// How many pairs of nodes may still be united in this step.
    allowance: usize,
}

impl Stacks {
    /// How many pairs of nodes a step may unite.
    pub const UNIONS: usize = 1 << 16;

    pub fn new() -> Stacks {
        let node = Node { begin: 0, length: 0, same: StackId::NONE, bottom: false, rest: u32::MAX };
        Stacks {
            nodes: vec![node, Node { bottom: true, rest: 0, ..node }],
            entries: Vec::new(),
            numbers: FxHashMap::default(),
            unions: FxHashMap::default(),
            allowance: Stacks::UNIONS,
        }
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The states on top, and what stands below each.
    pub fn entries(&self, node: StackId) -> &[Entry] {
        let node = &self.nodes[node.index()];
        &self.entries[node.begin as usize..(node.begin + node.length) as usize]
    }

    /// Whether the empty stack is in the set.
    pub fn has_bottom(&self, node: StackId) -> bool {
        self.nodes[node.index()].bottom
    }

    /// The bytes and special tokens that empty one of the stacks, at least; `u32::MAX` for no stack.
    pub fn rest(&self, node: StackId) -> u32 {
        self.nodes[node.index()].rest
    }

    /// Begins a step, which may unite so many nodes.
    pub fn begin_step(&mut self, unions: usize) {
        self.allowance = unions;
    }

    /// The stacks with `state` on top of those of `below`, and where its rule may end, those of `below` too.
    pub fn put(&mut self, network: &Network, state: StateId, below: StackId) -> StackId {
        match (network.goes_on(state), network.accepts(state)) {
            (false, _) => below,
            (true, false) => self.number(network, false, &[(state, below)]),
            (true, true) => {
                let on_top = self.number(network, false, &[(state, below)]);
                self.union(network, on_top, below)
            }
        }
    }

    /// The node with these entries, which are sorted and distinct.
    fn number(&mut self, network: &Network, bottom: bool, entries: &[Entry]) -> StackId {
        if entries.is_empty() {
            return if bottom { StackId::BOTTOM } else { StackId::NONE };
        }
        let mut hasher = FxHasher::default();
        (bottom, entries).hash(&mut hasher);
        let hash = hasher.finish();
        let first = self.numbers.get(&hash).copied().unwrap_or(StackId::NONE);
        let mut at = first;
        while at != StackId::NONE {
            if self.has_bottom(at) == bottom && self.entries(at) == entries {
                return at;
            }
            at = self.nodes[at.index()].same;
        }
        let rests = entries.iter().map(|(state, below)| network.rest(*state).saturating_add(self.rest(*below)));
        let rest = if bottom { 0 } else { rests.min().unwrap_or(u32::MAX) };
        let number = StackId(self.nodes.len() as u32);
        self.nodes.push(Node {
            begin: self.entries.len() as u32,
            length: entries.len() as u32,
            same: first,
            bottom,
            rest,
        });
        self.entries.extend_from_slice(entries);
        self.numbers.insert(hash, number);
        number
    }

    /// The union of two sets, if it is known.
    fn known_union(&self, a: StackId, b: StackId) -> Option<StackId> {
        match (a, b) {
            (StackId::NONE, other) | (other, StackId::NONE) => Some(other),
            _ if a == b => Some(a),
            _ => self.unions.get(&(a.min(b), a.max(b))).copied(),
        }
    }

    /// The union of two sets. What stands below a common state is united first, without recursion, since stacks can be deep.
    pub fn union(&mut self, network: &Network, a: StackId, b: StackId) -> StackId {
        if let Some(known) = self.known_union(a, b) {
            return known;
        }
        let mut open = vec![(a, b)];
        let mut united = StackId::NONE;
        while let Some(&(a, b)) = open.last() {
            if let Some(known) = self.known_union(a, b) {
                united = known;
                open.pop();
                continue;
            }
            let waiting = open.len();
            let entries = self.merge(a, b, &mut open);
            if open.len() == waiting {
                let bottom = self.has_bottom(a) || self.has_bottom(b);
                united = self.number(network, bottom, &entries);
                self.unions.insert((a.min(b), a.max(b)), united);
                open.pop();
            }
        }
        united
    }

    /// The entries of a union. Unions that it needs and that are not known are added to `open`.
    fn merge(&mut self, a: StackId, b: StackId, open: &mut Vec<(StackId, StackId)>) -> Vec<Entry> {
        let mut allowance = self.allowance;
        let (mut left, mut right) = (self.entries(a), self.entries(b));
        let mut merged: Vec<Entry> = Vec::with_capacity(left.len() + right.len());
        while let (Some(&(x, below_x)), Some(&(y, below_y))) = (left.first(), right.first()) {
            if x != y {
                let smaller = if x < y { &mut left } else { &mut right };
                merged.push(smaller[0]);
                *smaller = &smaller[1..];
                continue;
            }
            let (these, those) = (same_state(left), same_state(right));
            match self.known_union(below_x, below_y) {
                Some(below) if these + those == 2 => merged.push((x, below)),
                None if these + those == 2 && allowance > 0 => {
                    allowance -= 1;
                    open.push((below_x, below_y));
                }
                _ => {
                    let begin = merged.len();
                    merged.extend_from_slice(&left[..these]);
                    merged.extend_from_slice(&right[..those]);
                    merged[begin..].sort_unstable();
                }
            }
            (left, right) = (&left[these..], &right[those..]);
        }
        merged.extend_from_slice(left);
        merged.extend_from_slice(right);
        merged.dedup();
        self.allowance = allowance;
        merged
    }

    /// The union of states on top of sets, and of sets as they are. `entries` need not be sorted.
    pub fn gather(&mut self, network: &Network, entries: &mut [Entry]) -> StackId {
        if let [(state, below)] = entries[..] {
            return self.put(network, state, below);
        }
        entries.sort_unstable();
        let mut all = StackId::NONE;
        for &(state, below) in entries.iter() {
            let one = self.put(network, state, below);
            all = self.union(network, all, one);
        }
        all
    }
}

/// How many entries at the front have the same state.
fn same_state(entries: &[Entry]) -> usize {
    entries.iter().take_while(|(state, _)| *state == entries[0].0).count()
}
