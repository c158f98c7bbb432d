//! Only the tokens that the tokenizer itself would produce.
//!
//! A constraint allows every tokenisation of a valid output: `na` `loxone` as well as `nal` `oxone`. In training, a model saw
//! only the tokenisation that its tokenizer produces, the *canonical* one (Vieira et al., "Language Models over Canonical
//! Byte-Pair Encodings", arXiv 2506.07956). [`Canonical`] restricts a constraint to it.
//!
//! The implementation follows from the definition in three steps:
//!
//! 1. A token may follow if the canonical tokenisation of *some* valid output begins with the tokens so far and this token.
//!    Such an output is a **witness**. To verify a witness, the tokenizer encodes one text.
//! 2. The first candidate is the shortest completion. It fails where its first bytes merge with the token before them. Then
//!    other continuations are tried, breadth first ([`Canonical::with_effort`] limits how many).
//! 3. A witness proves every place on its way, and each is stored with the number of tokens that remain. So after an allowed
//!    token there is always a proven place: the mask is never empty, however small the limit is.
//!
//! Every output is therefore canonical. The limit only decides how many tokens are refused that a rare output would need.
//!
//! For byte-pair encodings without a pre-tokenizer ([`BytePairs`]), a sequence is canonical exactly if each pair of neighbours
//! is, as the paper shows. One token of history is then enough, the search ends by itself, and the mask is exact.

mod byte_pairs;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

pub use byte_pairs::BytePairs;

use crate::{Constraint, State, Vocabulary, tokens_of};

/// How a tokenizer tokenises texts. Any `FnMut(&[u8]) -> Vec<u32>` is one.
pub trait Tokenise {
    /// The tokens of a text, without special tokens around it. The text is UTF-8 unless [`Tokenise::settled`] lets it begin
    /// inside a character.
    fn encode(&mut self, text: &[u8]) -> Vec<u32>;

    /// How many of the tokens, from the first, no longer matter: the tokenisation of a text begins with `tokens` exactly if
    /// that of the rest of the text begins with the others. (`tokens` is the beginning of some text's tokenisation, and
    /// neighbours are [`Tokenise::adjacent`].) A smaller number is always right, and slower.
    fn settled(&mut self, tokens: &[u32]) -> usize {
        let _ = tokens;
        0
    }

    /// Returns `false` only where no tokenisation has `second` immediately after `first`. Called for every candidate, so it
    /// should be fast.
    fn adjacent(&mut self, first: u32, second: u32) -> bool {
        let _ = (first, second);
        true
    }

    /// Returns `false` only where no tokenisation begins with these tokens. Called where the shortest completion is not a
    /// witness, to avoid a search.
    fn may_begin(&mut self, tokens: &[u32]) -> bool {
        let _ = tokens;
        true
    }
}

impl<F: FnMut(&[u8]) -> Vec<u32>> Tokenise for F {
    fn encode(&mut self, text: &[u8]) -> Vec<u32> {
        self(text)
    }
}

/// Why a constraint cannot be restricted to canonical tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// No output was found whose tokens are in the vocabulary.
    #[error(
        "the tokenizer encodes `{text}`, the shortest output, as tokens {tokens:?}, which write another text or are not allowed; \
         use the tokenizer of this vocabulary, without a normalizer, a prefix or a mark around the text"
    )]
    Foreign {
        /// The shortest output.
        text: String,
        /// Its tokens.
        tokens: Vec<u32>,
    },
    /// A byte without a token.
    #[error("byte pairs are made of single bytes, and no token writes the byte 0x{byte:02x} alone")]
    Byte {
        /// The byte.
        byte: u8,
    },
    /// A merge whose result is no token.
    #[error("merge {rank} joins tokens {first} and {second}, and no token writes the text of both")]
    Merge {
        /// The merge's place in the list, from 0.
        rank: usize,
        /// The left token.
        first: u32,
        /// The right token.
        second: u32,
    },
}

/// A place in the output: a state of the constraint, and the tokens so far that still matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place(u32);

/// What is known of a place.
#[derive(Clone, Copy, PartialEq)]
enum Left {
    /// Nobody has asked.
    Unknown,
    /// No witness was found.
    Dead,
    /// This many tokens complete an output, without the end token.
    Tokens(usize),
}

struct Known {
    state: State,
    /// The tokens that are not settled.
    tokens: Arc<[u32]>,
    left: Left,
    /// The mask as token ids, once it was asked for.
    allowed: Option<Arc<[u32]>>,
}

/// A constraint that allows only the canonical tokenisation of its outputs.
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
/// // `[` alone would be merged with the quote after it.
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
    /// The tokens of texts that were encoded for the mask at hand: several tokens often have the same witness.
    encoded: FxHashMap<Vec<u8>, Arc<[u32]>>,
    /// The mask that was asked for last.
    row: Vec<u32>,
    effort: usize,
}

/// How many places a search tries by default.
const EFFORT: usize = 256;

impl<T: Tokenise> Canonical<T> {
    /// The place after an end token: nothing may follow.
    pub const ENDED: Place = Place(0);
    const START: Place = Place(1);

    /// Restricts a constraint to the tokenizer of its vocabulary.
    ///
    /// # Errors
    /// Where the tokens of no output are in the vocabulary: it belongs to another tokenizer, or the tokenizer changes texts.
    pub fn new(constraint: Constraint, tokenise: T) -> Result<Self, CanonicalError> {
        let mut canonical = Canonical {
            vocabulary: Arc::clone(constraint.vocabulary()),
            places: Vec::new(),
            numbers: FxHashMap::default(),
            encoded: FxHashMap::default(),
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

    /// Tries this many places in search of a witness before a token is refused. A higher number allows tokens that only rare
    /// outputs need. With [`BytePairs`] most searches end by themselves, and are then exact.
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

    /// The tokens that may follow, as in [`Constraint::mask`], but only canonical ones. Empty only for [`Canonical::ENDED`].
    ///
    /// The tokenizer is asked about each token that the constraint allows, so a mask of the whole vocabulary takes seconds. A
    /// mask is computed once.
    pub fn mask(&mut self, place: Place) -> &[u32] {
        let tokens = self.allowed(place);
        self.fill(&tokens)
    }

    /// Of the mask, the tokens after which `budget - 1` more tokens are enough to finish.
    pub fn mask_within(&mut self, place: Place, budget: usize) -> &[u32] {
        let tokens = self.allowed(place);
        let enough = |token: &u32| match self.vocabulary.is_end(*token) {
            true => budget > 0,
            false => {
                let left = self.child(place, *token).and_then(|next| self.left(next));
                left.is_some_and(|left| left.saturating_add(2) <= budget)
            }
        };
        let tokens: Vec<u32> = tokens.iter().copied().filter(enough).collect();
        self.fill(&tokens)
    }

    /// The place after a token; `None` if the token may not follow.
    pub fn advance(&mut self, place: Place, token: u32) -> Option<Place> {
        if self.vocabulary.is_end(token) {
            return self.accepts(place).then_some(Self::ENDED);
        }
        let next = self.child(place, token)?;
        self.left(next).map(|_| next)
    }

    /// Whether the output is complete. `place` is one that [`Canonical::advance`] returned.
    pub fn accepts(&self, place: Place) -> bool {
        place != Self::ENDED && self.places[place.0 as usize].left == Left::Tokens(0)
    }

    /// This many tokens are enough to complete the output, end token included. The number may fall as more is found out, and
    /// never rises. `place` is one that [`Canonical::advance`] returned.
    pub fn tokens_to_finish(&mut self, place: Place) -> usize {
        self.left(place).map_or(usize::MAX, |left| left.saturating_add(1))
    }

    fn fill(&mut self, tokens: &[u32]) -> &[u32] {
        self.row.clear();
        self.row.resize(self.vocabulary.words(), 0);
        for &token in tokens {
            self.row[token as usize / 32] |= 1 << (token % 32);
        }
        &self.row
    }

    /// The tokens of the mask.
    fn allowed(&mut self, place: Place) -> Arc<[u32]> {
        if let Some(allowed) = &self.places[place.0 as usize].allowed {
            return Arc::clone(allowed);
        }
        let tokens = self.constraint_tokens(place);
        let allowed: Arc<[u32]> = tokens.into_iter().filter(|token| self.advance(place, *token).is_some()).collect();
        self.encoded.clear();
        self.places[place.0 as usize].allowed = Some(Arc::clone(&allowed));
        allowed
    }

    /// The tokens of the constraint's own mask.
    fn constraint_tokens(&mut self, place: Place) -> Vec<u32> {
        if place == Self::ENDED {
            return Vec::new();
        }
        let state = self.state(place);
        tokens_of(self.constraint.mask(state)).collect()
    }

    fn number(&mut self, state: State, tokens: Arc<[u32]>) -> Place {
        let places = &mut self.places;
        let number = self.numbers.entry((state, Arc::clone(&tokens))).or_insert_with(|| {
            places.push(Known { state, tokens, left: Left::Unknown, allowed: None });
            places.len() as u32 - 1
        });
        Place(*number)
    }

    /// The place after a token that writes text, whether an output goes through it or not.
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

    /// The number of tokens that complete an output; `None` where no witness is found.
    fn left(&mut self, place: Place) -> Option<usize> {
        if self.try_witness(place) == Left::Unknown {
            self.search(place);
        }
        match self.places[place.0 as usize].left {
            Left::Tokens(left) => Some(left),
            Left::Unknown | Left::Dead => None,
        }
    }

    /// What is known of a place after its shortest completion was tried: still nothing where only a search can tell.
    fn try_witness(&mut self, place: Place) -> Left {
        if self.places[place.0 as usize].left == Left::Unknown && !self.prove_shortest(place) {
            let tokens = Arc::clone(&self.places[place.0 as usize].tokens);
            if place == Self::ENDED || !self.tokenise.may_begin(&tokens) {
                self.places[place.0 as usize].left = Left::Dead;
            }
        }
        self.places[place.0 as usize].left
    }

    /// Whether the shortest completion is a witness. What it proves is stored for every place on its way.
    fn prove_shortest(&mut self, place: Place) -> bool {
        if place == Self::ENDED {
            return false;
        }
        let Known { state, tokens, .. } = &self.places[place.0 as usize];
        let (state, tokens) = (*state, Arc::clone(tokens));
        let before = tokens.iter().filter_map(|token| self.vocabulary.text(*token));
        let mut text: Vec<u8> = before.flatten().copied().collect();
        text.extend(self.constraint.shortest_rest(state));
        let encoded = match self.encoded.get(&text) {
            Some(encoded) => Arc::clone(encoded),
            None => {
                let encoded: Arc<[u32]> = self.tokenise.encode(&text).into();
                self.encoded.insert(text, Arc::clone(&encoded));
                encoded
            }
        };
        let Some(rest) = encoded.strip_prefix(&tokens[..]) else {
            return false;
        };
        let (mut path, mut at) = (vec![place], place);
        for &token in rest {
            // A token of another vocabulary, or one that writes something else.
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

    /// Stores that this many tokens complete an output, also for a place that was given up before.
    fn prove(&mut self, place: Place, tokens: usize) {
        let left = &mut self.places[place.0 as usize].left;
        match left {
            Left::Tokens(known) => *known = tokens.min(*known),
            Left::Unknown | Left::Dead => *left = Left::Tokens(tokens),
        }
    }

    /// Looks for a witness after further tokens, the nearest first.
    fn search(&mut self, from: Place) {
        // The places without a witness so far, and the index of the one before each.
        let mut tried: Vec<(Place, usize)> = vec![(from, 0)];
        let mut seen: FxHashSet<Place> = [from].into_iter().collect();
        let mut next = 0;
        while next < tried.len() {
            let (place, _) = tried[next];
            for token in self.constraint_tokens(place) {
                if self.vocabulary.is_end(token) {
                    continue;
                }
                let Some(child) = self.child(place, token).filter(|child| seen.insert(*child)) else {
                    continue;
                };
                match self.try_witness(child) {
                    Left::Tokens(left) => return self.prove_back(&tried, next, left),
                    Left::Dead => {}
                    Left::Unknown => tried.push((child, next)),
                }
                if seen.len() > self.effort {
                    // Not everything was tried: the others may have a witness.
                    self.places[from.0 as usize].left = Left::Dead;
                    return;
                }
            }
            next += 1;
        }
        for (place, _) in tried {
            self.places[place.0 as usize].left = Left::Dead;
        }
    }

    /// The places before a proven one are proven: `at` is the last of them, and `left` the number of tokens after it and one.
    fn prove_back(&mut self, tried: &[(Place, usize)], mut at: usize, mut left: usize) {
        loop {
            let (place, before) = tried[at];
            left += 1;
            self.prove(place, left);
            if at == 0 {
                return;
            }
            at = before;
        }
    }
}
