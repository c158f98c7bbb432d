//! The tokens of a model as byte strings, in a flat trie.

mod trie;

use std::sync::{Arc, Mutex, PoisonError};

use crate::Level;
use crate::automaton::{Automaton, Limits};
use crate::byte_set::ByteSet;
use crate::engine::{LazyDfa, Shared};
use crate::matcher::Matcher;
use crate::plain::{Network, Parts, PlainShared, TextStore};
use crate::program::Program;
use crate::source::Source;
use crate::text_loops::Utf8;
use trie::Kids;
pub(crate) use trie::{Node, Place};

/// What one token id writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The bytes; empty for an id that writes nothing.
    pub bytes: Vec<u8>,
    /// A control token: never part of an output, whatever its bytes spell.
    pub special: bool,
}

impl Token {
    /// An ordinary token.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Token {
        Token { bytes: bytes.into(), special: false }
    }

    /// A control token.
    pub fn special(bytes: impl Into<Vec<u8>>) -> Token {
        Token { bytes: bytes.into(), special: true }
    }
}

/// Why tokens make no vocabulary.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages explain the fields
pub enum VocabularyError {
    /// No end token, so that no output could end.
    #[error("the vocabulary has no end token: name at least one id below {size}")]
    NoEnd { size: usize },
    /// An end token that is no token.
    #[error("end token {token} is outside the vocabulary of {size} ids")]
    EndOutside { token: u32, size: usize },
}

/// All tokens of a model.
///
/// ```
/// use gramask_grammar::{Token, Vocabulary};
/// let tokens = vec![Token::new("a"), Token::new("ab"), Token::special("<end>")];
/// let vocabulary = Vocabulary::new(tokens, vec![2]).unwrap();
/// assert_eq!(vocabulary.len(), 3);
/// assert_eq!(vocabulary.words(), 1); // of 32 bits, in a mask
/// ```
pub struct Vocabulary {
    tokens: Vec<Token>,
    ends: Vec<u32>,
    nodes: Vec<Node>,
    ids: Vec<u32>,
    depth: usize,
    kids: Kids,
    every_byte: bool,
    /// What all documents of a program share. It is kept as long as both the program and the vocabulary exist.
    shared: Mutex<Vec<(Arc<Program>, Shared)>>,
    /// What the constraints of plain grammars share.
    plain: PlainShared,
}

impl std::fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Vocabulary");
        debug.field("tokens", &self.tokens.len()).field("ends", &self.ends);
        debug.finish_non_exhaustive()
    }
}

impl Vocabulary {
    /// Sorts the tokens into a trie. `ends` are the ids of which each one ends an output; they are special too.
    pub fn new(tokens: Vec<Token>, ends: Vec<u32>) -> Result<Arc<Vocabulary>, VocabularyError> {
        let size = tokens.len();
        if ends.is_empty() {
            return Err(VocabularyError::NoEnd { size });
        }
        if let Some(&token) = ends.iter().find(|end| **end as usize >= size) {
            return Err(VocabularyError::EndOutside { token, size });
        }
        let ordinary = |id: &u32| {
            let token = &tokens[*id as usize];
            !token.special && !token.bytes.is_empty() && !ends.contains(id)
        };
        let mut order: Vec<u32> = (0..size as u32).filter(ordinary).collect();
        order.sort_by(|&a, &b| tokens[a as usize].bytes.cmp(&tokens[b as usize].bytes));
        let mut vocabulary = Vocabulary {
            nodes: Vec::new(),
            ids: Vec::new(),
            depth: 0,
            kids: Kids::default(),
            every_byte: false,
            shared: Mutex::default(),
            plain: PlainShared::default(),
            tokens,
            ends,
        };
        vocabulary.build(&order);
        vocabulary.kids = Kids::new(&vocabulary.nodes);
        vocabulary.every_byte = (0..=255).all(|byte| vocabulary.longest_match(&[byte]).is_some());
        Ok(Arc::new(vocabulary))
    }

    /// Sorted tokens are the trie's nodes in the order in which a walk visits them.
    fn build(&mut self, order: &[u32]) {
        let mut path: Vec<usize> = Vec::new();
        let mut before: &[u8] = &[];
        for &id in order {
            let bytes = &self.tokens[id as usize].bytes;
            let shared = bytes.iter().zip(before).take_while(|(a, b)| a == b).count();
            for node in path.drain(shared..) {
                self.nodes[node].next = self.nodes.len() as u32;
            }
            for (depth, &byte) in bytes.iter().enumerate().skip(shared) {
                path.push(self.nodes.len());
                let empty = (self.ids.len() as u32, self.ids.len() as u32);
                self.nodes.push(Node { next: 0, ids: empty, byte, depth: depth as u16 + 1 });
            }
            self.ids.push(id);
            if let Some(&node) = path.last() {
                self.nodes[node].ids.1 = self.ids.len() as u32;
            }
            self.depth = self.depth.max(bytes.len());
            before = bytes;
        }
        for node in path {
            self.nodes[node].next = self.nodes.len() as u32;
        }
    }

    /// The number of ids.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is no id.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The 32-bit words of a mask: bit `i` of word `w` stands for token `32 w + i`.
    pub fn words(&self) -> usize {
        self.tokens.len().div_ceil(32)
    }

    /// A token.
    pub fn token(&self, id: u32) -> Option<&Token> {
        self.tokens.get(id as usize)
    }

    /// The bytes of a token: for a special token, its name. Empty for an unknown one; models may have more logits than tokens.
    pub fn bytes(&self, id: u32) -> &[u8] {
        self.token(id).map_or(&[], |token| &token.bytes)
    }

    /// Whether a token is a control token, such as a mark of a chat template.
    pub fn is_special(&self, id: u32) -> bool {
        self.token(id).is_some_and(|token| token.special)
    }

    /// The text of an output's tokens without the end tokens, and whether the bytes are not UTF-8 and were replaced by U+FFFD.
    ///
    /// Other special tokens are written out (`<|im_start|>`): a model that wrote one has not written the format.
    pub fn decode(&self, tokens: impl IntoIterator<Item = u32>) -> (String, bool) {
        let tokens = tokens.into_iter().filter(|&token| !self.is_end(token));
        let bytes: Vec<u8> = tokens.flat_map(|token| self.bytes(token).iter().copied()).collect();
        match String::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
        }
    }

    /// What a token may write in an output; `None` for special, end, empty and unknown ones.
    pub fn text(&self, id: u32) -> Option<&[u8]> {
        let token = self.tokens.get(id as usize)?;
        (!token.special && !token.bytes.is_empty() && !self.is_end(id)).then_some(token.bytes.as_slice())
    }

    /// The end tokens.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Whether a token ends the output.
    pub fn is_end(&self, id: u32) -> bool {
        self.ends.contains(&id)
    }

    /// The bytes of the longest token.
    pub fn longest(&self) -> usize {
        self.depth
    }

    /// Whether there is a token for each byte, so that every text can be written.
    pub fn has_every_byte(&self) -> bool {
        self.every_byte
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The bytes below a node, which is numbered as in [`Vocabulary::nodes`].
    pub(crate) fn below(&self, node: usize) -> &ByteSet {
        &self.kids.sets[self.kids.below[node] as usize]
    }

    /// Whether all texts below a node go on with a character that is begun so, and hold no bytes but those of UTF-8. Their last
    /// character may be cut.
    pub(crate) fn goes_on(&self, node: usize, begun: Utf8) -> bool {
        self.kids.characters[node] >> begun as u8 & 1 == 1
    }

    /// The tokens that end at a node or below it.
    pub(crate) fn subtree(&self, node: &Node) -> &[u32] {
        let end = self.nodes.get(node.next as usize).map_or(self.ids.len(), |next| next.ids.0 as usize);
        &self.ids[node.ids.0 as usize..end]
    }

    pub(crate) fn ids(&self, node: &Node) -> &[u32] {
        &self.ids[node.ids.0 as usize..node.ids.1 as usize]
    }

    /// Whether tokens go on beyond a place, which is not the root.
    pub(crate) fn has_kids(&self, place: Place) -> bool {
        self.nodes[place as usize - 1].next > place
    }

    /// The last place below a place, which is not the root, or the place itself.
    pub(crate) fn last_below(&self, place: Place) -> Place {
        self.nodes[place as usize - 1].next
    }

    /// The nodes below a place, and how many bytes lead to the place.
    pub(crate) fn nodes_below(&self, place: Place) -> (std::ops::Range<usize>, usize) {
        match place {
            0 => (0..self.nodes.len(), 0),
            _ => {
                let node = &self.nodes[place as usize - 1];
                (place as usize..node.next as usize, usize::from(node.depth))
            }
        }
    }

    /// How many bytes further the longest token below a place goes. The place is not the root.
    pub(crate) fn height(&self, place: Place) -> u16 {
        self.kids.height[place as usize - 1]
    }

    /// The bytes that lead on from a place, ascending, and where to.
    pub(crate) fn kids(&self, place: Place) -> (&[u8], &[Place]) {
        let range = self.kids.begin[place as usize] as usize..self.kids.begin[place as usize + 1] as usize;
        (&self.kids.bytes[range.clone()], &self.kids.places[range])
    }

    /// Where a byte leads.
    pub(crate) fn kid(&self, place: Place, byte: u8) -> Option<Place> {
        if place == 0 {
            return Some(self.kids.root[usize::from(byte)]).filter(|kid| *kid != 0);
        }
        let (bytes, places) = self.kids(place);
        bytes.binary_search(&byte).ok().map(|at| places[at])
    }

    /// The tokens that end at a place, which is not the root.
    pub(crate) fn ids_at(&self, place: Place) -> &[u32] {
        self.ids(&self.nodes[place as usize - 1])
    }

    /// The DFA at level `syntax` that all documents of a program share.
    pub(crate) fn shared(&self, program: &Arc<Program>) -> Shared {
        let mut all = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        // Of a program that nobody else has any more only this list and the automaton know.
        all.retain(|(known, shared)| Arc::strong_count(shared) > 1 || Arc::strong_count(known) > 2);
        match all.iter().find(|(known, _)| Arc::ptr_eq(known, program)) {
            Some((_, shared)) => Arc::clone(shared),
            None => {
                let automaton =
                    Automaton::new(Arc::clone(program), Arc::new(Source::none()), Level::Syntax, Limits::NONE);
                let shared: Shared = Arc::new(Mutex::new(LazyDfa::new(Matcher::new(automaton))));
                all.push((Arc::clone(program), Arc::clone(&shared)));
                shared
            }
        }
    }

    /// The parts of masks that all constraints of a plain grammar share.
    pub(crate) fn parts(&self, network: &Arc<Network>) -> Arc<Mutex<Parts>> {
        self.plain.parts(network)
    }

    /// The free text that all plain grammars share.
    pub(crate) fn texts(&self) -> &TextStore {
        self.plain.texts()
    }

    /// The longest token that `bytes` begin with, the lowest id among equals.
    pub fn longest_match(&self, bytes: &[u8]) -> Option<(u32, usize)> {
        let (mut found, mut place) = (None, 0);
        for (depth, &byte) in bytes.iter().enumerate() {
            match self.kid(place, byte) {
                Some(kid) => place = kid,
                None => break,
            }
            if let Some(&id) = self.ids_at(place).first() {
                found = Some((id, depth + 1));
            }
        }
        found
    }

    /// Cuts `bytes` into the fewest tokens, and where several cuts have as few, into one that begins with the longest. The
    /// error is an offset that no cut gets beyond.
    pub fn fewest(&self, bytes: &[u8]) -> Result<Vec<u32>, usize> {
        const NEVER: u32 = u32::MAX;
        // From each offset: the fewest tokens to the end, the first of them and its length.
        let mut best = vec![(NEVER, 0u32, 0usize); bytes.len() + 1];
        best[bytes.len()] = (0, 0, 0);
        for at in (0..bytes.len()).rev() {
            let mut place = 0;
            for (length, &byte) in bytes[at..].iter().enumerate() {
                let Some(kid) = self.kid(place, byte) else { break };
                place = kid;
                let rest = best[at + length + 1].0;
                if rest != NEVER
                    && rest < best[at].0
                    && let Some(&id) = self.ids_at(place).first()
                {
                    best[at] = (rest + 1, id, length + 1);
                }
            }
        }
        let (mut tokens, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let (_, id, length) = best[at];
            if length == 0 {
                // What can be written from the beginning at all ends here.
                return Err(self.cut(bytes).err().unwrap_or(at));
            }
            tokens.push(id);
            at += length;
        }
        Ok(tokens)
    }

    /// Cuts `bytes` into tokens, the longest first at each place. The error is the offset where no token fits.
    pub fn cut(&self, bytes: &[u8]) -> Result<Vec<u32>, usize> {
        let (mut tokens, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let (id, length) = self.longest_match(&bytes[at..]).ok_or(at)?;
            tokens.push(id);
            at += length;
        }
        Ok(tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```text
    /// a ── ab ── abc      b      ca (twice)
    /// ```
    fn small() -> Arc<Vocabulary> {
        let words = ["ab", "a", "ca", "b", "abc", "", "ca"];
        let mut tokens: Vec<Token> = words.iter().map(|w| Token::new(*w)).collect();
        tokens.push(Token::special("a"));
        Vocabulary::new(tokens, vec![7]).unwrap()
    }

    #[test]
    fn the_trie_is_the_tree_above() {
        let vocabulary = small();
        let drawn: Vec<_> = vocabulary
            .nodes()
            .iter()
            .map(|node| (char::from(node.byte), node.depth, node.next, vocabulary.ids(node).to_vec()))
            .collect();
        assert_eq!(
            drawn,
            [
                ('a', 1, 3, vec![1]),
                ('b', 2, 3, vec![0]),
                ('c', 3, 3, vec![4]),
                ('b', 1, 4, vec![3]),
                ('c', 1, 6, vec![]),
                ('a', 2, 6, vec![2, 6])
            ]
        );
    }

    #[test]
    fn the_longest_token_is_cut_first() {
        let vocabulary = small();
        assert_eq!(vocabulary.cut(b"abcabaca"), Ok(vec![4, 0, 1, 2]));
        assert_eq!(vocabulary.cut(b"abd"), Err(2));
        assert_eq!(vocabulary.cut(b"bc"), Err(1));
    }

    #[test]
    fn the_fewest_tokens_are_cut() {
        let tokens = ["a", "b", "c", "ab", "abc", "bcd", "abcde", "de", "cde"].map(Token::new);
        let vocabulary = Vocabulary::new([tokens.to_vec(), vec![Token::special("")]].concat(), vec![9]).unwrap();
        // The longest first would be `abc`, and then nothing.
        assert_eq!(vocabulary.fewest(b"abcd"), Ok(vec![0, 5]));
        assert_eq!(vocabulary.fewest(b"abcde"), Ok(vec![6]));
        assert_eq!(vocabulary.fewest(b"ababc"), Ok(vec![3, 4]));
        assert_eq!(vocabulary.fewest(b""), Ok(vec![]));
        assert!(vocabulary.fewest(b"abx").is_err());
    }

    #[test]
    fn what_programs_share_goes_with_them() {
        use crate::{Constraint, Format};
        let bytes = (0..=255u8).map(|byte| Token::new([byte]));
        let vocabulary = Vocabulary::new(bytes.chain([Token::special("")]).collect(), vec![256]).unwrap();
        let shared = |vocabulary: &Vocabulary| vocabulary.shared.lock().unwrap().len();
        let text = gramask_ner::Text::new("a b");
        let program = || {
            let format = Format::named("json-list").unwrap();
            Program::compile(&format, &gramask_ner::Schema::new(["X"])).unwrap()
        };
        let (first, second) = (program(), program());
        for program in [&first, &second, &first] {
            Constraint::new(Arc::clone(program), &text, Level::Syntax, Arc::clone(&vocabulary)).unwrap();
        }
        assert_eq!(shared(&vocabulary), 2);
        drop(first);
        let kept = Constraint::new(second, &text, Level::Syntax, Arc::clone(&vocabulary)).unwrap();
        assert_eq!(shared(&vocabulary), 1);
        // A constraint keeps what it uses.
        Constraint::new(program(), &text, Level::Syntax, Arc::clone(&vocabulary)).unwrap();
        assert_eq!(shared(&vocabulary), 2);
        drop(kept);
    }

    #[test]
    fn outputs_are_decoded() {
        let tokens = vec![Token::new("ab"), Token::new(&"é".as_bytes()[..1]), Token::special("<end>")];
        let vocabulary = Vocabulary::new(tokens, vec![2]).unwrap();
        assert_eq!(vocabulary.decode([0, 0, 2]), ("abab".to_owned(), false));
        assert_eq!(vocabulary.decode([0, 1]), ("ab\u{FFFD}".to_owned(), true));
        assert_eq!(vocabulary.decode([0, 77]), ("ab".to_owned(), false));
        assert!(vocabulary.is_special(2) && !vocabulary.is_special(0) && !vocabulary.is_special(77));
    }

    #[test]
    fn an_end_token_must_exist() {
        assert_eq!(Vocabulary::new(vec![], vec![]).unwrap_err(), VocabularyError::NoEnd { size: 0 });
        let error = Vocabulary::new(vec![Token::new("a")], vec![1]).unwrap_err();
        assert_eq!(error, VocabularyError::EndOutside { token: 1, size: 1 });
    }
}
