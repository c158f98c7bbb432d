//! Steps of a network over sets of stacks.
//!
//! A position is a node of [`Stacks`]: the states that read next, each on top of the callers of its rule. A step by a byte
//! follows the transitions that read it, and the calls of rules that can begin with it. All that call the same rule here
//! become one node below its start. Rules are entered in the order of their ranks, so that each one is entered once.

use std::sync::Arc;

use super::network::{CallId, Network, StateId};
use super::stacks::{Entry, StackId, Stacks};
use crate::byte_set::ByteSet;
use crate::completions::Letter;
use crate::text_loops::TextLoops;

/// A network, the sets of stacks so far, and the steps between them.
#[derive(Debug)]
pub(crate) struct Machine {
    network: Arc<Network>,
    step: Step,
    /// For each node the place of its table of steps.
    table_of: Vec<u32>,
    /// By byte; [`UNKNOWN`] where a step was not made yet.
    tables: Vec<[u32; 256]>,
    /// For each table how often it was asked for, and then the texts that lead to the node itself.
    loops: Vec<Loops>,
}

#[derive(Debug)]
enum Loops {
    Asked(u32),
    Known(Box<TextLoops>),
}

const UNKNOWN: u32 = u32::MAX;

/// After so many visits of a walk, the texts that lead from a node to itself are worth finding.
const OFTEN: u32 = 64;

/// The place of a node's table of steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table(u32);

impl Machine {
    pub fn new(network: Arc<Network>) -> Machine {
        Machine::with_unions(network, Stacks::UNIONS)
    }

    /// A machine in which a step may unite so many pairs of nodes.
    pub fn with_unions(network: Arc<Network>, unions: usize) -> Machine {
        let step = Step { stacks: Stacks::new(), unions, reached: Vec::new(), calls: Vec::new() };
        Machine { network, step, table_of: Vec::new(), tables: Vec::new(), loops: Vec::new() }
    }

    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    pub fn stacks(&self) -> &Stacks {
        &self.step.stacks
    }

    /// The position before the first byte.
    pub fn start(&mut self) -> StackId {
        let start = self.network.rule(self.network.start()).start;
        let start = self.alone(start);
        match self.network.nullable() {
            true => self.step.stacks.union(&self.network, start, StackId::BOTTOM),
            false => start,
        }
    }

    /// A state that is called by nobody knows whom.
    pub fn alone(&mut self, state: StateId) -> StackId {
        self.step.stacks.put(&self.network, state, StackId::BOTTOM)
    }

    /// Whether all rules may have ended.
    pub fn accepts(&self, node: StackId) -> bool {
        self.stacks().has_bottom(node)
    }

    /// The position after a byte; [`StackId::NONE`] where the byte can't follow.
    pub fn step(&mut self, node: StackId, byte: u8) -> StackId {
        let network = &*self.network;
        let read = |step: &mut Step, state, below| {
            let edges = network.byte_edges(state).iter().filter(|edge| edge.first <= byte && byte <= edge.last);
            step.reached.extend(edges.map(|edge| (edge.next, below)));
        };
        self.step.enter(network, node, read, |rule| network.rule(rule).first.contains(byte));
        self.step.gather(network)
    }

    /// The position after a byte that a state above what is not known reads itself, and not a rule that it calls.
    pub(super) fn step_alone(&mut self, state: StateId, byte: u8) -> StackId {
        let edges = self.network.byte_edges(state).iter().filter(|edge| edge.first <= byte && byte <= edge.last);
        self.step.stacks.begin_step(self.step.unions);
        self.step.reached.extend(edges.map(|edge| (edge.next, StackId::BOTTOM)));
        self.step.gather(&self.network)
    }

    /// The states of a position, and the starts of the rules that they call, each with what stands below it.
    pub(super) fn readers(&mut self, node: StackId) -> Vec<Entry> {
        let mut found = Vec::new();
        self.step.enter(&self.network, node, |_, state, below| found.push((state, below)), |_| true);
        found
    }

    /// The position after bytes.
    pub fn pass(&mut self, mut node: StackId, bytes: &[u8]) -> StackId {
        for &byte in bytes {
            if node == StackId::NONE {
                break;
            }
            node = self.step(node, byte);
        }
        node
    }

    /// The position after a special token, by its number in the network.
    pub fn step_special(&mut self, node: StackId, special: u32) -> StackId {
        let network = &*self.network;
        let read = |step: &mut Step, state, below| {
            let edges = network.special_edges(state).iter().filter(|edge| edge.special == special);
            step.reached.extend(edges.map(|edge| (edge.next, below)));
        };
        self.step.enter(network, node, read, |_| true);
        self.step.gather(network)
    }

    /// The special tokens that may come next, by their numbers in the network, ascending.
    pub fn next_specials(&mut self, node: StackId) -> Vec<u32> {
        let (network, mut found) = (&*self.network, Vec::new());
        if network.specials().is_empty() {
            return found;
        }
        let read = |_: &mut Step, state, _| {
            found.extend(network.special_edges(state).iter().map(|edge| edge.special));
        };
        self.step.enter(network, node, read, |_| true);
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The bytes that can come next.
    pub fn next_bytes(&self, node: StackId) -> ByteSet {
        let mut bytes = ByteSet::default();
        for &(state, _) in self.stacks().entries(node) {
            bytes.union(&self.network.bytes(state));
            self.network.call_edges(state).iter().for_each(|call| bytes.union(&self.network.rule(call.rule).first));
        }
        bytes
    }

    /// The table of a node's steps.
    pub(super) fn table(&mut self, node: StackId) -> Table {
        if self.table_of.len() <= node.index() {
            self.table_of.resize(self.step.stacks.len(), UNKNOWN);
        }
        let table = &mut self.table_of[node.index()];
        if *table == UNKNOWN {
            *table = self.tables.len() as u32;
            self.tables.push([UNKNOWN; 256]);
            self.loops.push(Loops::Asked(0));
        }
        Table(*table)
    }

    /// As [`Machine::step`], where the answer is kept in the node's table.
    pub(super) fn step_in(&mut self, node: StackId, table: Table, byte: u8) -> StackId {
        let known = self.tables[table.0 as usize][usize::from(byte)];
        if known != UNKNOWN {
            return StackId::of(known);
        }
        let class = self.network.classes()[usize::from(byte)];
        let next = match class == byte {
            true => self.step(node, byte),
            false => self.step_in(node, table, class),
        };
        self.tables[table.0 as usize][usize::from(byte)] = next.number();
        next
    }

    /// The texts that lead from a node to itself; none before they are worth finding.
    pub(super) fn loops(&mut self, node: StackId, table: Table) -> TextLoops {
        match &mut self.loops[table.0 as usize] {
            Loops::Known(loops) => return **loops,
            Loops::Asked(times) if *times < OFTEN => {
                *times += 1;
                return TextLoops::default();
            }
            Loops::Asked(_) => {}
        }
        let mut loops = self.find_loops(node);
        // The rule can't end in the midst of a character. Where it can end, these places matter.
        if self.accepts(node) {
            loops = loops.without_characters();
        }
        self.loops[table.0 as usize] = Loops::Known(Box::new(loops));
        loops
    }

    /// The texts that lead from a node to itself.
    pub(super) fn find_loops(&mut self, node: StackId) -> TextLoops {
        TextLoops::find(node, |node, byte| {
            let table = self.table(node);
            Some(self.step_in(node, table, byte)).filter(|next| *next != StackId::NONE)
        })
    }

    /// The entry of a node whose stacks can be emptied by the shortest string; `None` where the empty string does.
    pub(super) fn nearest_entry(&self, node: StackId) -> Option<Entry> {
        let stacks = self.stacks();
        let rest = |&(state, below): &Entry| self.network.rest(state).saturating_add(stacks.rest(below));
        let nearest = stacks.entries(node).iter().copied().min_by_key(rest);
        nearest.filter(|_| !stacks.has_bottom(node))
    }
}

/// The sets of stacks, and room for one step.
#[derive(Debug)]
struct Step {
    stacks: Stacks,
    /// How many pairs of nodes a step may unite.
    unions: usize,
    /// The states after a step, before they are put on their stacks.
    reached: Vec<Entry>,
    /// The rules that are called in a step, and what stands below their starts.
    calls: Vec<(CallId, StackId)>,
}

impl Step {
    /// Calls `read` with each state that reads next and what stands below it: the states of a position, and the starts of the
    /// rules that they call and that pass the test.
    fn enter(
        &mut self,
        network: &Network,
        node: StackId,
        mut read: impl FnMut(&mut Step, StateId, StackId),
        test: impl Fn(CallId) -> bool,
    ) {
        self.stacks.begin_step(self.unions);
        for at in 0..self.stacks.entries(node).len() {
            let (state, below) = self.stacks.entries(node)[at];
            read(self, state, below);
            self.call(network, state, below, &test);
        }
        // A rule is entered after all that can begin with it.
        while let Some(at) = (0..self.calls.len()).max_by_key(|at| network.rank(self.calls[*at].0)) {
            let (rule, below) = self.calls.swap_remove(at);
            let start = network.rule(rule).start;
            read(self, start, below);
            self.call(network, start, below, &test);
        }
    }

    /// Notes the calls of a state.
    fn call(&mut self, network: &Network, state: StateId, below: StackId, test: &impl Fn(CallId) -> bool) {
        for call in network.call_edges(state).iter().filter(|call| test(call.rule)) {
            let callers = self.stacks.put(network, call.next, below);
            match self.calls.iter().position(|(rule, _)| *rule == call.rule) {
                Some(at) => self.calls[at].1 = self.stacks.union(network, self.calls[at].1, callers),
                None => self.calls.push((call.rule, callers)),
            }
        }
    }

    /// The position of the states that were reached.
    fn gather(&mut self, network: &Network) -> StackId {
        let next = self.stacks.gather(network, &mut self.reached);
        self.reached.clear();
        next
    }
}

/// The first step of a shortest string.
#[derive(Clone, Copy, Debug)]
pub(super) enum Nearest {
    /// A letter, and the state after it.
    Letter(Letter, StateId),
    /// A rule by its start, and the state after what it stands for.
    Call(StateId, StateId),
    /// The rule may end.
    End,
}

impl Network {
    /// The first step of the shortest string from a state to the end of its rule.
    pub(super) fn nearest(&self, state: StateId) -> Nearest {
        let rest = self.rest(state);
        if rest == 0 {
            return Nearest::End;
        }
        let nearer = |next: StateId| self.rest(next).saturating_add(1) == rest;
        let byte = self.byte_edges(state).iter().filter(|edge| nearer(edge.next));
        if let Some((byte, next)) = byte.map(|edge| (preferred(edge.first, edge.last), edge.next)).min_by_key(order) {
            return Nearest::Letter(Letter::Byte(byte), next);
        }
        if let Some(edge) = self.special_edges(state).iter().find(|edge| nearer(edge.next)) {
            return Nearest::Letter(Letter::Special(edge.special), edge.next);
        }
        let length = |rule| self.rule(rule).shortest;
        let mut calls = self.call_edges(state).iter();
        match calls.find(|call| self.rest(call.next).saturating_add(length(call.rule)) == rest) {
            Some(call) => Nearest::Call(self.rule(call.rule).start, call.next),
            None => Nearest::End,
        }
    }
}

/// The byte of a range that people write first.
fn preferred(first: u8, last: u8) -> u8 {
    let ranges = [(b'a', b'z'), (b'0', b'9'), (b' ', b'~')];
    let found = ranges.iter().find(|(from, to)| first.max(*from) <= last.min(*to));
    found.map_or(first, |(from, _)| first.max(*from))
}

/// Letters come before digits, and digits before other characters.
fn order((byte, _): &(u8, StateId)) -> (u8, u8) {
    let kind = match byte {
        b'a'..=b'z' => 0,
        b'0'..=b'9' => 1,
        b' '..=b'~' => 2,
        _ => 3,
    };
    (kind, *byte)
}
