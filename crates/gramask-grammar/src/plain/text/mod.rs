//! Parts of free text: what a state in free text can write, as a small difference from a text that is known.
//!
//! The part of a state in free text holds most of the vocabulary. A walk over the trie would take a millisecond for each such
//! state, and there are many: each character of a text of limited length is a state of its own, and so is each letter of a
//! member's name. But nearly all of their tokens are those of a plain text without limits. So a part is made in one of
//! these ways:
//!
//! ```text
//! the state loops      the tokens that stay in the loop, known for the vocabulary, and a walk from where they leave it
//! another state loops  the part of that state, and a walk where the two go different ways     ("na" of `name`, a first letter)
//! none loops           the part of a text that was folded into a loop, and a walk where the two differ within a token
//! ```
//!
//! | file | what it has |
//! |---|---|
//! | `builder.rs` | a part while it is made: bits and exits |
//! | `looping.rs` | the tokens that stay in a loop |
//! | `difference.rs` | the walk over the places at which two positions differ |
//! | `position.rs` | where a network is in a text |
//! | `exact.rs` | a walk over the trie, near the end of a text, and in the midst of a token |
//! | `chain.rs` | texts of limited length |
//! | `automaton.rs` | a text as an automaton of its own, folded into a loop, and its part |
//! | `agreement.rs` | how many bytes two automata agree for |
//!
//! A reference is only a place to start from. The walk of a difference gives the exact part from any of them.

mod agreement;
mod automaton;
mod builder;
mod chain;
mod difference;
mod exact;
mod looping;
mod position;

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use agreement::Agreement;
use automaton::TextAutomaton;
pub(super) use builder::{PartBuilder, Written, kept};
use chain::{Chain, Link};
use difference::TextPairs;
pub(super) use difference::{Nodes, differ};
use exact::Exact;
use looping::LoopTokens;
use position::NotText;
pub(super) use position::{Position, main_target};

use super::network::{CallId, Network};
use crate::Vocabulary;
use crate::byte_set::ByteSet;
use crate::text_loops::TextLoops;
use crate::vocabulary::Place;

/// So many texts are kept for all grammars of a vocabulary.
const MOST_TEXTS: usize = 64;

/// So many sets of loops are kept for all grammars of a vocabulary.
const MOST_LOOPS: usize = 64;

/// A text can begin with other bytes than one that it is compared with, but not with more than so many.
const MOST_OTHER_BYTES: usize = 8;

/// A text is compared with so many others.
const MOST_CANDIDATES: usize = 3;

/// A text in a loop, and its part.
#[derive(Debug)]
pub(crate) struct Text {
    number: usize,
    automaton: TextAutomaton,
    /// The bytes that it can begin with.
    bytes: ByteSet,
    part: Written,
    /// The parts of its other states.
    inner: Mutex<FxHashMap<u16, Written>>,
}

impl Text {
    /// What can be written from a state on.
    fn part(&self, vocabulary: &Vocabulary, state: u16) -> Written {
        if state == 0 {
            return self.part.clone();
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.entry(state).or_insert_with(|| self.automaton.part(vocabulary, state)).clone()
    }
}

/// What the grammars of a vocabulary share.
#[derive(Debug, Default)]
pub(crate) struct TextStore {
    texts: Mutex<(usize, Vec<Arc<Text>>)>,
    loops: Mutex<FxHashMap<TextLoops, Arc<LoopTokens>>>,
}

impl TextStore {
    /// The tokens that stay in a loop.
    pub fn loop_tokens(&self, vocabulary: &Vocabulary, loops: &TextLoops) -> Arc<LoopTokens> {
        let mut all = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(loops) {
            return Arc::clone(known);
        }
        let made = Arc::new(LoopTokens::find(vocabulary, loops));
        if all.len() < MOST_LOOPS {
            all.insert(*loops, Arc::clone(&made));
        }
        made
    }

    fn texts(&self) -> Vec<Arc<Text>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// A text with its number and its part, and whether it was not known.
    fn text(&self, vocabulary: &Vocabulary, automaton: TextAutomaton, bytes: ByteSet) -> (Arc<Text>, bool) {
        if let Some(known) = self.texts().into_iter().find(|known| known.automaton == automaton) {
            return (known, false);
        }
        let part = automaton.part(vocabulary, 0);
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let text = Arc::new(Text { number: texts.0, automaton, bytes, part, inner: Mutex::default() });
        texts.0 += 1;
        if texts.1.len() < MOST_TEXTS {
            texts.1.push(Arc::clone(&text));
        }
        (text, true)
    }
}

/// The texts that the states of one grammar were compared with.
#[derive(Debug, Default)]
pub(super) struct Texts {
    used: Vec<Arc<Text>>,
    chains: Vec<Chain>,
    /// By the number of the text.
    agreements: FxHashMap<usize, Agreement>,
    /// Whether a rule is a text, as far as is known.
    is_text: FxHashMap<CallId, bool>,
    exact: Exact,
    /// How many texts were walked here, for tests.
    pub walked: usize,
}

impl Texts {
    /// What a position in a text can write below these places; `None` where the network is no text there.
    pub fn part(
        &mut self,
        vocabulary: &Vocabulary,
        network: &Network,
        places: &[Place],
        position: Position,
    ) -> Option<Written> {
        let rule = network.rule_of(position.outer);
        if !*self.is_text.entry(rule).or_insert_with(|| is_text(network, rule)) {
            return None;
        }
        let part = match places {
            [0] => self.text_part(vocabulary, network, position),
            places => self.exact.part(vocabulary, network, places, position),
        };
        if part.is_err() {
            self.is_text.insert(rule, false);
        }
        part.ok()
    }

    fn text_part(
        &mut self,
        vocabulary: &Vocabulary,
        network: &Network,
        position: Position,
    ) -> Result<Written, NotText> {
        if let Some(part) = self.in_chain(vocabulary, network, position)? {
            return Ok(part);
        }
        let main = position.main_successor(network)?.ok_or(NotText)?;
        if main.main_successor(network)? == Some(main) {
            // The text that it becomes after most bytes, or is already.
            let (automaton, _) = TextAutomaton::folded(network, main)?;
            let text = self.text(vocabulary, automaton, main.bytes(network));
            if main == position {
                return Ok(text.part(vocabulary, 0));
            }
            return match self.beside(vocabulary, network, position, &text)? {
                Some(part) => Ok(part),
                None => self.exact.part(vocabulary, network, &[0], position),
            };
        }
        let bytes = position.bytes(network);
        for text in self.candidates(vocabulary, &bytes) {
            if let Some(part) = self.beside(vocabulary, network, position, &text)? {
                return Ok(part);
            }
        }
        let (automaton, _) = TextAutomaton::folded(network, position)?;
        let text = self.text(vocabulary, automaton, bytes);
        match self.beside(vocabulary, network, position, &text)? {
            Some(part) => Ok(part),
            None => self.exact.part(vocabulary, network, &[0], position),
        }
    }

    fn text(&mut self, vocabulary: &Vocabulary, automaton: TextAutomaton, bytes: ByteSet) -> Arc<Text> {
        let (text, fresh) = vocabulary.texts().text(vocabulary, automaton, bytes);
        self.walked += usize::from(fresh);
        text
    }

    /// The part of a position in a chain, or of the state before one; `None` for other positions.
    fn in_chain(
        &mut self,
        vocabulary: &Vocabulary,
        network: &Network,
        position: Position,
    ) -> Result<Option<Written>, NotText> {
        let longest = vocabulary.longest();
        let Some((link, next)) = Link::of(network, position.outer) else { return Ok(None) };
        let run = link.run(network, position.outer, longest + 1);
        // What must have a character first differs from what follows.
        let (first, link) = match Link::of(network, next) {
            Some((after, _)) if after.run(network, next, longest + 1) >= run => (next, after),
            _ => (position.outer, link),
        };
        // The text goes round by the call, not by bytes that are read beside it.
        let after = network.call_edges(first).first().map(|call| Position::of(call.next));
        let first = Position::of(first);
        if first.main_successor(network)? != after {
            return Ok(None);
        }
        let number = match self.chains.iter().position(|chain| chain.link == link) {
            Some(number) => number,
            None => {
                let chain = self.chain(vocabulary, network, link, first)?;
                self.chains.push(chain);
                self.chains.len() - 1
            }
        };
        let chain = &mut self.chains[number];
        let text = Arc::clone(&chain.text);
        if let Some(&begin) = chain.states.get(&position.inner) {
            let known = text.part(vocabulary, begin);
            let start = (Some(position), begin);
            let mut same = |pair, bytes| chain.holds(network, pair, bytes, longest);
            if same(start, longest) {
                return Ok(Some(known));
            }
            let mut pairs = TextPairs::new(network, &text.automaton, start, same);
            if let Some(part) = differ(&mut pairs, vocabulary, &known) {
                return Ok(Some(part));
            }
        }
        self.exact.part(vocabulary, network, &[0], position).map(Some)
    }

    /// The chain that begins at a state, with the text that it becomes without a limit.
    fn chain(
        &mut self,
        vocabulary: &Vocabulary,
        network: &Network,
        link: Link,
        first: Position,
    ) -> Result<Chain, NotText> {
        let (automaton, numbers) = TextAutomaton::folded(network, first)?;
        let text = self.text(vocabulary, automaton, first.bytes(network));
        let inside = |(position, number): (Position, u16)| {
            (position == first || position.inner.is_some()).then_some((position.inner, number))
        };
        Ok(Chain::new(link, text, numbers.into_iter().filter_map(inside).collect()))
    }

    /// The part of a position, from that of a text; `None` where they differ too much.
    fn beside(
        &mut self,
        vocabulary: &Vocabulary,
        network: &Network,
        position: Position,
        text: &Arc<Text>,
    ) -> Result<Option<Written>, NotText> {
        let agreement = self.agreements.entry(text.number).or_default();
        let longest = vocabulary.longest();
        agreement.explore(network, &text.automaton, position, longest)?;
        let same = |pair, bytes| agreement.holds(pair, bytes) == Some(true);
        let start = (Some(position), 0);
        let part = match same(start, longest) {
            true => Some(text.part.clone()),
            false => differ(&mut TextPairs::new(network, &text.automaton, start, same), vocabulary, &text.part),
        };
        if part.is_some() && !self.used.iter().any(|known| known.number == text.number) {
            self.used.push(Arc::clone(text));
        }
        Ok(part)
    }

    /// Known texts that begin with nearly the same bytes, the nearest first.
    fn candidates(&self, vocabulary: &Vocabulary, bytes: &ByteSet) -> Vec<Arc<Text>> {
        let others = |text: &Text| text.bytes.without(bytes).len() + bytes.without(&text.bytes).len();
        let mut found: Vec<Arc<Text>> = self.used.clone();
        found.extend(vocabulary.texts().texts());
        found.retain(|text| others(text) <= MOST_OTHER_BYTES);
        found.sort_by_key(|text| (others(text), text.number));
        found.dedup_by_key(|text| text.number);
        found.truncate(MOST_CANDIDATES);
        found
    }
}

/// Whether a rule calls no rule, or only one that calls none: that of a character.
fn is_text(network: &Network, rule: CallId) -> bool {
    let mut called = None;
    for state in network.states_of(rule) {
        for call in network.call_edges(state) {
            if *called.get_or_insert(call.rule) != call.rule {
                return false;
            }
        }
    }
    called.is_none_or(|rule| network.states_of(rule).all(|state| network.call_edges(state).is_empty()))
}
