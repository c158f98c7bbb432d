//! The tokens that may follow where few may: threads walk the trie, without a DFA.
//!
//! Held to a document, an output can nearly always go on in a handful of ways, and each state is visited once or twice. A DFA
//! would number every state between two bytes. Here threads step from node to node of the trie and are forgotten. The walk
//! visits the same nodes and makes the same steps as the DFA, except for two shortcuts that don't change the result.
//!
//! - Bytes that all threads must write are followed at once, for as long as no operation ends.
//! - An operation that could end or go on is not ended where no token follows its end and going on is possible.

use super::mask::set_bit;
use crate::Vocabulary;
use crate::automaton::{Automaton, Thread};
use crate::byte_set::ByteSet;
use crate::liveness::Follow;
use crate::matcher::Matcher;
use crate::vocabulary::Place;

/// What a walk keeps of the tokens that it finds.
pub(super) trait Found {
    /// Whether [`Found::tokens`] gets all threads after the tokens.
    const ALL_THREADS: bool;

    /// Tokens that live threads can write. They stand there once they have passed so many known bytes.
    fn tokens(&mut self, ids: &[u32], automaton: &Automaton, threads: &[Thread], passed: u32);
}

/// The tokens alone.
impl Found for Vec<u32> {
    const ALL_THREADS: bool = false;

    fn tokens(&mut self, ids: &[u32], _: &Automaton, _: &[Thread], _: u32) {
        self.extend_from_slice(ids);
    }
}

/// Tokens with the live threads after them.
#[derive(Debug, Default)]
pub(super) struct Places {
    ids: Vec<u32>,
    threads: Vec<Thread>,
    /// Where the tokens and the threads of each place end.
    ends: Vec<(usize, usize)>,
}

impl Places {
    pub fn clear(&mut self) {
        self.ids.clear();
        self.threads.clear();
        self.ends.clear();
    }

    /// The tokens of each place, and the threads, sorted and distinct.
    pub fn iter(&self) -> impl Iterator<Item = (&[u32], &[Thread])> {
        let mut from = (0, 0);
        self.ends.iter().map(move |&to| {
            let (ids, threads) = std::mem::replace(&mut from, to);
            (&self.ids[ids..to.0], &self.threads[threads..to.1])
        })
    }
}

impl Found for Places {
    const ALL_THREADS: bool = true;

    fn tokens(&mut self, ids: &[u32], automaton: &Automaton, threads: &[Thread], passed: u32) {
        if ids.is_empty() {
            return;
        }
        let begin = self.threads.len();
        self.threads.extend_from_slice(threads);
        let added = &mut self.threads[begin..];
        if passed > 0 {
            added.iter_mut().for_each(|thread| automaton.pass(thread, passed));
        }
        added.sort_unstable();
        let mut distinct = begin;
        for at in begin..self.threads.len() {
            if at == begin || self.threads[at] != self.threads[distinct - 1] {
                self.threads[distinct] = self.threads[at];
                distinct += 1;
            }
        }
        self.threads.truncate(distinct);
        self.ids.extend_from_slice(ids);
        self.ends.push((self.ids.len(), distinct));
    }
}

/// Room for the threads on the path from the root to a node.
#[derive(Debug, Default)]
pub(super) struct TrieWalk {
    arena: Vec<Thread>,
    fresh: Vec<Thread>,
    /// Continuations of surfaces on the path: the byte, its place in the trie, and the thread after it.
    on: Vec<(u8, Place, Thread)>,
    /// The tokens that [`TrieWalk::tokens`] found.
    pub found: Vec<u32>,
}

impl TrieWalk {
    /// Finds the tokens that live threads can write, in the order of their bytes.
    pub fn tokens(&mut self, matcher: &mut Matcher, vocabulary: &Vocabulary, threads: &[Thread]) {
        let mut found = std::mem::take(&mut self.found);
        found.clear();
        self.walk(matcher, vocabulary, threads, &mut found);
        self.found = found;
    }

    /// Finds the tokens that live threads can write.
    pub fn walk(&mut self, matcher: &mut Matcher, vocabulary: &Vocabulary, threads: &[Thread], found: &mut impl Found) {
        self.arena.clear();
        self.arena.extend_from_slice(threads);
        self.visit(matcher, vocabulary, 0, 0, found);
    }

    /// The threads from `from` on in the arena stand at `place`.
    fn visit<F: Found>(
        &mut self,
        matcher: &mut Matcher,
        vocabulary: &Vocabulary,
        mut place: Place,
        from: usize,
        found: &mut F,
    ) {
        let until = self.arena.len();
        let common = common_bytes(&matcher.automaton, &self.arena[from..]);
        if common > 0 {
            let known = matcher.automaton.known(&self.arena[from]);
            for (passed, &byte) in (1..).zip(known.iter().take(common)) {
                let Some(kid) = vocabulary.kid(place, byte) else { return };
                place = kid;
                found.tokens(vocabulary.ids_at(place), &matcher.automaton, &self.arena[from..], passed);
            }
            self.arena[from..].iter_mut().for_each(|thread| matcher.automaton.pass(thread, common as u32));
        }
        let (bytes, kids) = vocabulary.kids(place);
        if bytes.is_empty() {
            return;
        }
        if from + 1 == until && matcher.automaton.is_surface(&self.arena[from]) {
            return self.visit_surfaces(matcher, vocabulary, place, from, found);
        }
        let mut next = ByteSet::default();
        self.arena[from..].iter().for_each(|thread| matcher.automaton.next_bytes(thread, &mut next));
        for (&byte, &kid) in bytes.iter().zip(kids) {
            if !next.contains(byte) {
                continue;
            }
            self.step_all(matcher, from, until, byte);
            self.go_on(matcher, vocabulary, kid, until, found);
        }
    }

    /// Steps the threads `from..until` of the arena; the live ones are put after them.
    fn step_all(&mut self, matcher: &mut Matcher, from: usize, until: usize, byte: u8) {
        for at in from..until {
            matcher.step(self.arena[at], byte, &mut self.fresh);
            for thread in self.fresh.drain(..) {
                if matcher.is_live(thread) {
                    self.arena.push(thread);
                }
            }
        }
    }

    /// Goes on from `place` with the threads from `from` on, and drops them.
    fn go_on<F: Found>(
        &mut self,
        matcher: &mut Matcher,
        vocabulary: &Vocabulary,
        place: Place,
        from: usize,
        found: &mut F,
    ) {
        if self.arena.len() > from {
            found.tokens(vocabulary.ids_at(place), &matcher.automaton, &self.arena[from..], 0);
            self.visit(matcher, vocabulary, place, from, found);
            self.arena.truncate(from);
        }
    }

    /// The thread `at`, the last of the arena, writes a surface: what it writes next is read off the document.
    fn visit_surfaces<F: Found>(
        &mut self,
        matcher: &mut Matcher,
        vocabulary: &Vocabulary,
        place: Place,
        at: usize,
        found: &mut F,
    ) {
        let thread = self.arena[at];
        let begin = self.on.len();
        matcher.automaton.surfaces_on(&thread, |byte, on| {
            if let Some(kid) = vocabulary.kid(place, byte) {
                self.on.push((byte, kid, on));
            }
        });
        for number in begin..self.on.len() {
            let (byte, kid, on) = self.on[number];
            let ends = match matcher.automaton.follow(&thread) {
                Follow::Few(bytes) => F::ALL_THREADS || bytes.iter().any(|byte| vocabulary.kid(kid, *byte).is_some()),
                Follow::Any => true,
            };
            if !ends && matcher.is_surely_live(&on) {
                self.arena.push(on);
            } else {
                self.step_all(matcher, at, at + 1, byte);
            }
            self.go_on(matcher, vocabulary, kid, at + 1, found);
        }
        self.on.truncate(begin);
    }

    /// Steps live threads through `bytes`. [`TrieWalk::threads`] has the live threads after them, sorted and distinct.
    pub fn pass(&mut self, matcher: &mut Matcher, threads: &[Thread], mut bytes: &[u8]) {
        self.arena.clear();
        self.arena.extend_from_slice(threads);
        while !bytes.is_empty() && !self.arena.is_empty() {
            let common = common_bytes(&matcher.automaton, &self.arena);
            if common > 0 {
                let known = matcher.automaton.known(&self.arena[0]);
                let length = common.min(bytes.len());
                if known[..length] != bytes[..length] {
                    self.arena.clear();
                    return;
                }
                self.arena.iter_mut().for_each(|thread| matcher.automaton.pass(thread, length as u32));
                bytes = &bytes[length..];
                continue;
            }
            for at in 0..self.arena.len() {
                matcher.step(self.arena[at], bytes[0], &mut self.fresh);
            }
            self.fresh.sort_unstable();
            self.fresh.dedup();
            self.fresh.retain(|thread| matcher.is_live(*thread));
            std::mem::swap(&mut self.arena, &mut self.fresh);
            self.fresh.clear();
            bytes = &bytes[1..];
        }
        self.arena.sort_unstable();
    }

    /// The result of [`TrieWalk::pass`].
    pub fn threads(&self) -> &[Thread] {
        &self.arena
    }

    /// The tokens that were found as a bit row, if that is shorter than the list.
    pub fn row(&self, vocabulary: &Vocabulary) -> Option<Vec<u32>> {
        (self.found.len() > vocabulary.words()).then(|| {
            let mut row = vec![0; vocabulary.words()];
            self.found.iter().for_each(|id| set_bit(&mut row, *id));
            row
        })
    }
}

/// How many bytes all threads must write before any operation ends.
fn common_bytes(automaton: &Automaton, threads: &[Thread]) -> usize {
    let Some((first, others)) = threads.split_first() else {
        return 0;
    };
    let run = automaton.known(first);
    let mut length = run.len();
    for other in others {
        let known = automaton.known(other);
        length = length.min(known.len());
        length = run.iter().zip(known).take(length).take_while(|(a, b)| a == b).count();
        if length < 2 {
            break;
        }
    }
    // The last byte of an operation is left to a real step.
    let shortest = threads.iter().map(|thread| automaton.known(thread).len()).min().unwrap_or(0);
    length.min(shortest.saturating_sub(1))
}
