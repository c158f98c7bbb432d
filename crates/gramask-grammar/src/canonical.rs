//! Only the tokens that the tokenizer itself would have taken.
//!
//! A constraint allows any tokens that write a valid output: `na` `loxone` as well as `nal` `oxone`. In training a
//! model saw one cut of each text, the *canonical* one, and the others are noise to it (Vieira et al., "Language Models
//! over Canonical Byte-Pair Encodings", arXiv 2506.07956). [`Canonical`] narrows a constraint to that cut.
//!
//! In three steps from the obvious:
//!
//! 1. A token may follow if *some* valid output's cut begins with the tokens so far and this one. That output is a
//!    witness, and the proof needs no theory of tokenizers: only their answer for one text.
//! 2. A good guess at a witness is the shortest rest of the output. Where it fails, because its first bytes melt into
//!    the token before it, other continuations are tried, breadth first.
//! 3. A witness proves every place on its way, so each is remembered with the tokens that are left. A place that was
//!    once allowed has a proven place behind it: the mask is never empty, whatever was searched and however long.
//!
//! For byte-pair encodings without a pre-tokenizer ([`BytePairs`]) more is known: a sequence is canonical exactly if
//! each pair of neighbours is, as the paper shows. The history is then one token, the search prunes by pairs, it ends,
//! and the mask is exact.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{Constraint, State, Vocabulary};

/// How a tokenizer cuts texts. Any `FnMut(&[u8]) -> Vec<u32>` is one.
pub trait Tokenise {
    /// The tokens of a text, without any marks around it. The text is UTF-8 unless [`Tokenise::settled`] lets it begin
    /// inside a character.
    fn encode(&mut self, text: &[u8]) -> Vec<u32>;

    /// How many of these tokens, from the first, may be forgotten: whatever follows, a text is cut into `tokens` and
    /// more exactly if its rest is so without the forgotten ones (given that they were the beginning of some text's
    /// cut, and that neighbours are [`Tokenise::adjacent`]). Fewer is always right, and slower; 0 forgets nothing.
    fn settled(&mut self, tokens: &[u32]) -> usize {
        let _ = tokens;
        0
    }

    /// `false` only where no text is ever cut into `first` and right behind it `second`.
    fn adjacent(&mut self, first: u32, second: u32) -> bool {
        let _ = (first, second);
        true
    }
}

impl<F: FnMut(&[u8]) -> Vec<u32>> Tokenise for F {
    fn encode(&mut self, text: &[u8]) -> Vec<u32> {
        self(text)
    }
}

/// Why a constraint can't be held to a tokenizer's cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// No output was found whose cut is made of the vocabulary's tokens.
    #[error(
        "the tokenizer cuts `{text}`, the shortest output, into tokens {tokens:?}, which write something else or may \
         not follow; take the vocabulary of this tokenizer, and no normaliser, prefix or mark around a text"
    )]
    Foreign {
        /// The shortest output.
        text: String,
        /// Its tokens.
        tokens: Vec<u32>,
    },
    /// A byte without a token.
    #[error("no token writes the byte 0x{byte:02x} alone, with which byte pairs begin")]
    Byte {
        /// The byte.
        byte: u8,
    },
    /// A merge that makes no token.
    #[error("merge {rank} joins tokens {first} and {second}, and what they write together is no token")]
    Merge {
        /// The merge's place in the list, from 0.
        rank: usize,
        /// The left token.
        first: u32,
        /// The right token.
        second: u32,
    },
}

/// A place in the output: a state, and the tokens so far as far as they matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place(u32);

/// What is known of a place.
#[derive(Clone, Copy, PartialEq)]
enum Left {
    Unasked,
    /// No witness was found.
    Dead,
    /// So many tokens complete an output, the end token left out.
    Tokens(usize),
}

struct Known {
    state: State,
    /// The tokens that are not settled.
    tokens: Arc<[u32]>,
    left: Left,
}

/// A constraint that allows only a tokenizer's own cut of its outputs.
///
/// ```
/// use gramask_grammar::{BytePairs, Canonical, Constraint, Format, Level, Program, Token, Vocabulary};
/// use gramask_ner::{Schema, Text};
///
/// let mut tokens: Vec<Token> = (0..=255u8).map(|byte| Token::new([byte])).collect();
/// tokens.extend(["[\"", "\"]", "na"].map(Token::new));
/// tokens.push(Token::special("<end>"));
/// let vocabulary = Vocabulary::new(tokens, vec![259]).unwrap();
/// let source = "%escape json\nstart: \"[\\\"\" entity \"\\\"]\"\nentity: @text \"=\" @label\n";
/// let format = Format::parse("list", source)?;
/// let program = Program::compile(&format, &Schema::new(["X"]))?;
/// let constraint = Constraint::new(program, &Text::new("nab"), Level::Grounded, vocabulary.clone())?;
///
/// // The merges, first to last: `[` and `"`, `"` and `]`, `n` and `a`.
/// let merges = [(91, 34), (34, 93), (110, 97)];
/// let mut canonical = Canonical::new(constraint, BytePairs::new(&vocabulary, &merges)?)?;
/// let start = canonical.start();
/// // `[` alone would be joined with the quote behind it.
/// assert_eq!(canonical.advance(start, 91), None);
/// assert!(canonical.advance(start, 256).is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Canonical<T> {
    constraint: Constraint,
    tokenise: T,
    vocabulary: Arc<Vocabulary>,
    places: Vec<Known>,
    numbers: FxHashMap<(State, Arc<[u32]>), u32>,
    /// The last mask that was asked for.
    row: Vec<u32>,
    effort: usize,
}

/// How many places one search visits, unless told otherwise.
const EFFORT: usize = 256;

impl<T: Tokenise> Canonical<T> {
    /// Where a sequence is once an end token was written: nothing may follow.
    pub const ENDED: Place = Place(0);
    const START: Place = Place(1);

    /// Narrows a constraint to the cut of its vocabulary's tokenizer.
    ///
    /// # Errors
    /// Where no output is cut into the vocabulary's tokens: it is another tokenizer's, or this one writes a text
    /// otherwise than it stands.
    pub fn new(constraint: Constraint, tokenise: T) -> Result<Self, CanonicalError> {
        let mut canonical = Canonical {
            vocabulary: Arc::clone(constraint.vocabulary()),
            places: Vec::new(),
            numbers: FxHashMap::default(),
            row: Vec::new(),
            effort: EFFORT,
            constraint,
            tokenise,
        };
        canonical.number(Constraint::ENDED, Arc::from([]));
        canonical.number(canonical.constraint.start(), Arc::from([]));
        if canonical.left(Self::START).is_none() {
            let text = canonical.constraint.shortest_rest(canonical.constraint.start());
            let tokens = canonical.tokenise.encode(&text);
            let text = String::from_utf8_lossy(&text).into_owned();
            return Err(CanonicalError::Foreign { text, tokens });
        }
        Ok(canonical)
    }

    /// Visits so many places in search of a witness before a token is refused. More allows tokens that only rare
    /// outputs need; with [`BytePairs`] the search mostly ends by itself, and is then exact.
    #[must_use]
    pub fn with_effort(mut self, places: usize) -> Self {
        self.effort = places;
        self
    }

    /// The place before the first token.
    pub fn start(&self) -> Place {
        Self::START
    }

    /// The constraint without the tokenizer.
    pub fn constraint(&mut self) -> &mut Constraint {
        &mut self.constraint
    }

    /// The constraint's state at a place.
    pub fn state(&self, place: Place) -> State {
        self.places[place.0 as usize].state
    }

    /// The tokens that may follow, as in [`Constraint::mask`]: those that some output's own cut goes on with.
    /// Empty only for [`Canonical::ENDED`]. Where every token may follow this asks the tokenizer about each of them.
    pub fn mask(&mut self, place: Place) -> &[u32] {
        self.row = self.narrow(place, usize::MAX);
        &self.row
    }

    /// The tokens that may follow and after which `budget - 1` tokens more are enough to finish.
    pub fn mask_within(&mut self, place: Place, budget: usize) -> &[u32] {
        self.row = self.narrow(place, budget);
        &self.row
    }

    /// The place behind a token; `None` if the token may not follow.
    pub fn advance(&mut self, place: Place, token: u32) -> Option<Place> {
        if self.vocabulary.is_end(token) {
            return self.accepts(place).then_some(Self::ENDED);
        }
        let next = self.child(place, token)?;
        self.left(next).map(|_| next)
    }

    /// Whether the output is complete, and its tokens are its cut.
    pub fn accepts(&mut self, place: Place) -> bool {
        place != Self::ENDED && self.left(place) == Some(0)
    }

    /// So many tokens are enough to complete the output and end it, end token included. Only places that
    /// [`Canonical::advance`] led to have a number; it may fall as more is found out, and never rises.
    pub fn tokens_to_finish(&mut self, place: Place) -> usize {
        self.left(place).map_or(usize::MAX, |left| left.saturating_add(1))
    }

    fn narrow(&mut self, place: Place, budget: usize) -> Vec<u32> {
        let mut mask = vec![0u32; self.vocabulary.words()];
        if place == Self::ENDED || budget == 0 {
            return mask;
        }
        for token in self.allowed(place) {
            let enough = match self.vocabulary.is_end(token) {
                true => self.accepts(place),
                false => {
                    let left = self.child(place, token).and_then(|next| self.left(next));
                    left.is_some_and(|left| left.saturating_add(2) <= budget)
                }
            };
            if enough {
                mask[token as usize / 32] |= 1 << (token % 32);
            }
        }
        mask
    }

    /// The tokens of the constraint's own mask.
    fn allowed(&mut self, place: Place) -> Vec<u32> {
        let state = self.state(place);
        let words = self.constraint.mask(state).iter().enumerate();
        let bits = |(word, bits): (usize, &u32)| {
            let bits = *bits;
            (0..32u32).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word as u32 * 32 + bit)
        };
        words.flat_map(bits).collect()
    }

    fn number(&mut self, state: State, tokens: Arc<[u32]>) -> Place {
        let places = &mut self.places;
        let number = self.numbers.entry((state, Arc::clone(&tokens))).or_insert_with(|| {
            let left = Left::Unasked;
            places.push(Known { state, tokens, left });
            places.len() as u32 - 1
        });
        Place(*number)
    }

    /// The place behind a token that writes, live or not.
    fn child(&mut self, place: Place, token: u32) -> Option<Place> {
        if place == Self::ENDED {
            return None;
        }
        let Known { state, tokens, .. } = &self.places[place.0 as usize];
        let (state, tokens) = (*state, Arc::clone(tokens));
        if tokens.last().is_some_and(|last| !self.tokenise.adjacent(*last, token)) {
            return None;
        }
        let next = self.constraint.advance(state, token)?;
        let tokens: Vec<u32> = tokens.iter().copied().chain([token]).collect();
        let settled = self.tokenise.settled(&tokens).min(tokens.len());
        Some(self.number(next, tokens[settled..].into()))
    }

    /// The tokens that are left to a complete output; `None` where no witness is found.
    fn left(&mut self, place: Place) -> Option<usize> {
        if self.places[place.0 as usize].left == Left::Unasked && !self.witness(place) {
            self.search(place);
        }
        match self.places[place.0 as usize].left {
            Left::Tokens(left) => Some(left),
            Left::Unasked | Left::Dead => None,
        }
    }

    /// Tries the shortest rest; what it proves is remembered for every place on its way.
    fn witness(&mut self, place: Place) -> bool {
        if place == Self::ENDED {
            return false;
        }
        let Known { state, tokens, .. } = &self.places[place.0 as usize];
        let (state, tokens) = (*state, Arc::clone(tokens));
        let before = tokens.iter().filter_map(|token| self.vocabulary.text(*token));
        let mut text: Vec<u8> = before.flatten().copied().collect();
        text.extend(self.constraint.shortest_rest(state));
        let cut = self.tokenise.encode(&text);
        let Some(rest) = cut.strip_prefix(&tokens[..]) else {
            return false;
        };
        let (mut path, mut at) = (vec![place], place);
        for &token in rest {
            // A foreign token, or one that writes something else.
            let Some(next) = self.child(at, token) else {
                return false;
            };
            path.push(next);
            at = next;
        }
        if !self.constraint.accepts(self.state(at)) {
            return false;
        }
        for (left, place) in path.into_iter().rev().enumerate() {
            self.prove(place, left);
        }
        true
    }

    /// Remembers that so many tokens complete an output. One that was given up on before is taken back.
    fn prove(&mut self, place: Place, tokens: usize) {
        let left = &mut self.places[place.0 as usize].left;
        match left {
            Left::Tokens(known) => *known = tokens.min(*known),
            Left::Unasked | Left::Dead => *left = Left::Tokens(tokens),
        }
    }

    /// Looks for a witness behind further tokens, the nearest first.
    fn search(&mut self, from: Place) {
        // Places, and which one each was reached from.
        let mut found: Vec<(Place, usize)> = vec![(from, 0)];
        let mut seen: FxHashSet<Place> = [from].into_iter().collect();
        let (mut next, mut all) = (0, true);
        while next < found.len() {
            let (place, _) = found[next];
            for token in self.allowed(place) {
                if self.vocabulary.is_end(token) {
                    continue;
                }
                let Some(child) = self.child(place, token).filter(|child| seen.insert(*child)) else {
                    continue;
                };
                let left = self.places[child.0 as usize].left;
                if left == Left::Dead {
                    continue;
                }
                if matches!(left, Left::Tokens(_)) || left == Left::Unasked && self.witness(child) {
                    return self.prove_back(&found, next, child);
                }
                if found.len() < self.effort {
                    // Once given up on is not proven dead, unless the search went everywhere.
                    found.push((child, next));
                } else {
                    all = false;
                    break;
                }
            }
            next += 1;
        }
        let dead = if all { found.len() } else { 1 };
        for (place, _) in &found[..dead] {
            self.places[place.0 as usize].left = Left::Dead;
        }
    }

    /// The places from which a proven one was reached are proven.
    fn prove_back(&mut self, found: &[(Place, usize)], mut at: usize, child: Place) {
        let Left::Tokens(mut left) = self.places[child.0 as usize].left else {
            return;
        };
        loop {
            let (place, before) = found[at];
            left += 1;
            self.prove(place, left);
            if at == 0 {
                return;
            }
            at = before;
        }
    }
}

/// Byte-pair encoding without a pre-tokenizer: the bytes' tokens, and the merges in order of their rank.
///
/// With a pre-tokenizer a text is first cut into pieces, and pairs across a border between pieces follow other rules:
/// give [`Canonical`] the tokenizer's own `encode` then.
#[derive(Clone, Debug)]
pub struct BytePairs {
    vocabulary: Arc<Vocabulary>,
    bytes: [u32; 256],
    /// A merge's rank and what it makes.
    merges: FxHashMap<(u32, u32), (u32, u32)>,
    pairs: FxHashMap<(u32, u32), bool>,
}

impl BytePairs {
    /// The encoding of these merges, the first of which is the strongest.
    ///
    /// # Errors
    /// A byte that has no token, and a merge that makes none.
    pub fn new(vocabulary: &Arc<Vocabulary>, merges: &[(u32, u32)]) -> Result<Self, CanonicalError> {
        let mut tokens: FxHashMap<&[u8], u32> = FxHashMap::default();
        for id in (0..vocabulary.len() as u32).rev() {
            if let Some(text) = vocabulary.text(id) {
                tokens.insert(text, id);
            }
        }
        let mut bytes = [0; 256];
        for (byte, id) in (0..=255u8).zip(&mut bytes) {
            *id = *tokens.get(&[byte][..]).ok_or(CanonicalError::Byte { byte })?;
        }
        let mut made = FxHashMap::default();
        for (rank, &(first, second)) in merges.iter().enumerate() {
            let error = CanonicalError::Merge { rank, first, second };
            let (left, right) = vocabulary.text(first).zip(vocabulary.text(second)).ok_or(error.clone())?;
            let id = *tokens.get(&[left, right].concat()[..]).ok_or(error)?;
            made.entry((first, second)).or_insert((rank as u32, id));
        }
        Ok(BytePairs { vocabulary: Arc::clone(vocabulary), bytes, merges: made, pairs: FxHashMap::default() })
    }

    /// Joins the pair of the lowest rank, the leftmost of equals, until there is none.
    fn cut(&self, text: &[u8]) -> Vec<u32> {
        let mut tokens: Vec<u32> = text.iter().map(|byte| self.bytes[usize::from(*byte)]).collect();
        loop {
            let ranks = tokens.windows(2).enumerate();
            let joined = ranks.filter_map(|(at, pair)| Some((self.merges.get(&(pair[0], pair[1]))?, at)));
            let Some((&(_, token), at)) = joined.min() else {
                return tokens;
            };
            tokens[at] = token;
            tokens.remove(at + 1);
        }
    }
}

impl Tokenise for BytePairs {
    fn encode(&mut self, text: &[u8]) -> Vec<u32> {
        self.cut(text)
    }

    fn settled(&mut self, tokens: &[u32]) -> usize {
        tokens.len().saturating_sub(1)
    }

    fn adjacent(&mut self, first: u32, second: u32) -> bool {
        if let Some(&known) = self.pairs.get(&(first, second)) {
            return known;
        }
        let texts = self.vocabulary.text(first).zip(self.vocabulary.text(second));
        let canonical = texts.is_some_and(|(left, right)| self.cut(&[left, right].concat()) == [first, second]);
        self.pairs.insert((first, second), canonical);
        canonical
    }
}
