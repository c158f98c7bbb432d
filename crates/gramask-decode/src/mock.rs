//! A model and a constraint without weights or grammar, to test decoding on.
//!
//! The mock's vocabulary is the 256 bytes, a few tokens of several bytes, an end token and a special token. Its logits are any
//! function of the tokens before. The mock constraint is a finite list of texts, followed byte by byte without a cache: small
//! enough to check by hand.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use gramask_grammar::{Token, Vocabulary};
use gramask_random::mix;

use crate::constraint::{ByteConstraint, TokenConstraint};
use crate::model::{LanguageModel, LanguageModelError, Logits, Row, Select};
use crate::prompt::PromptTokenizer;
use crate::prompt_store::Saved;

/// The end token of [`byte_vocabulary`].
pub const END: u32 = 256;
/// A special token of [`byte_vocabulary`] that ends nothing.
pub const SPECIAL: u32 = 257;

/// The mock's tokens: bytes 0 to 255, [`END`], [`SPECIAL`], and after them those given.
pub fn byte_vocabulary(longer: &[&str]) -> Arc<Vocabulary> {
    let bytes = (0..=255u8).map(|byte| Token::new([byte]));
    let marks = [Token::special("<end>"), Token::special("<special>")];
    let tokens = bytes.chain(marks).chain(longer.iter().map(|text| Token::new(*text)));
    Vocabulary::new(tokens.collect(), vec![END]).unwrap_or_else(|_| unreachable!("token 256 exists"))
}

/// A tokenizer that cuts a text into its bytes, and knows the names `<end>` and `<special>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MockTokenizer {
    /// The token that it wants before a plain prompt.
    pub opening: Option<u32>,
}

impl PromptTokenizer for MockTokenizer {
    fn encode(&self, text: &str, parse_special: bool) -> Vec<u32> {
        let (mut tokens, mut rest) = (Vec::new(), text.as_bytes());
        while let [first, after @ ..] = rest {
            let names = [("<end>", END), ("<special>", SPECIAL)];
            let name = names.iter().find(|(name, _)| parse_special && rest.starts_with(name.as_bytes()));
            match name {
                Some((name, token)) => (tokens.push(*token), rest = &rest[name.len()..]),
                None => (tokens.push(u32::from(*first)), rest = after),
            };
        }
        tokens
    }

    fn is_special(&self, token: u32) -> bool {
        token == END || token == SPECIAL
    }

    fn opening(&self) -> Option<u32> {
        self.opening
    }
}

/// A tokenizer that cuts a text into the longest tokens of a vocabulary, from the left.
#[derive(Clone, Debug)]
pub struct LongestMatch {
    vocabulary: Arc<Vocabulary>,
}

impl LongestMatch {
    /// Cuts into the tokens of this vocabulary, which has every byte.
    pub fn new(vocabulary: Arc<Vocabulary>) -> Self {
        LongestMatch { vocabulary }
    }
}

impl PromptTokenizer for LongestMatch {
    fn encode(&self, text: &str, _parse_special: bool) -> Vec<u32> {
        let (mut tokens, mut rest) = (Vec::new(), text.as_bytes());
        while let [first, ..] = rest {
            let all = 0..self.vocabulary.len() as u32;
            let fits = all
                .filter(|&token| !self.vocabulary.is_special(token) && rest.starts_with(self.vocabulary.bytes(token)));
            let longest = fits.max_by_key(|&token| self.vocabulary.bytes(token).len());
            let token = longest.unwrap_or(u32::from(*first));
            tokens.push(token);
            rest = &rest[self.vocabulary.bytes(token).len().max(1)..];
        }
        tokens
    }

    fn is_special(&self, token: u32) -> bool {
        self.vocabulary.is_special(token)
    }

    fn opening(&self) -> Option<u32> {
        None
    }
}

/// The logits of the next token after these: `[vocabulary]`.
type Next = dyn Fn(&[u32]) -> Vec<f32> + Send + Sync;

/// A model whose logits are a given function of the tokens before.
pub struct MockModel {
    vocabulary: Arc<Vocabulary>,
    context: usize,
    next: Box<Next>,
    slots: Vec<Vec<u32>>,
    length: usize,
    /// How many tokens have been appended, over all slots.
    pub appended: usize,
    /// How many times [`LanguageModel::append`] was called.
    pub calls: usize,
    /// How many times [`LanguageModel::copy`] was called.
    pub copies: usize,
}

impl fmt::Debug for MockModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockModel").field("slots", &self.slots).field("length", &self.length).finish_non_exhaustive()
    }
}

impl MockModel {
    /// A model over a table of tokens whose logits after some tokens are `next` of them.
    pub fn new(
        vocabulary: Arc<Vocabulary>,
        context: usize,
        next: impl Fn(&[u32]) -> Vec<f32> + Send + Sync + 'static,
    ) -> Self {
        MockModel {
            vocabulary,
            context,
            next: Box::new(next),
            slots: Vec::new(),
            length: 0,
            appended: 0,
            calls: 0,
            copies: 0,
        }
    }

    /// All tokens are equally likely.
    pub fn uniform(context: usize) -> Self {
        let vocabulary = byte_vocabulary(&[]);
        let width = vocabulary.len();
        MockModel::new(vocabulary, context, move |_| vec![0.0; width])
    }

    /// After a prompt of one token, wants to write these bytes and then to end.
    pub fn scripted(bytes: &[u8], context: usize) -> Self {
        let (bytes, vocabulary) = (bytes.to_vec(), byte_vocabulary(&[]));
        let width = vocabulary.len();
        MockModel::new(vocabulary, context, move |tokens| {
            let wanted = bytes.get(tokens.len() - 1).map_or(END, |&byte| u32::from(byte));
            (0..width as u32).map(|token| if token == wanted { 5.0 } else { 0.0 }).collect()
        })
    }

    /// Logits between -4 and 4 that look random and depend on all tokens before.
    pub fn hashed(vocabulary: Arc<Vocabulary>, context: usize) -> Self {
        let width = vocabulary.len();
        MockModel::new(vocabulary, context, move |tokens| {
            let seed = tokens.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, &token| mix(hash ^ u64::from(token)));
            (0..width as u64).map(|token| (mix(seed ^ token << 32) >> 40) as f32 / (1 << 21) as f32 - 4.0).collect()
        })
    }

    /// The tokens.
    pub fn tokens(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }

    /// The logits after these tokens.
    pub fn logits(&self, tokens: &[u32]) -> Vec<f32> {
        (self.next)(tokens)
    }

    fn slot(&mut self, slot: usize) -> Result<&mut Vec<u32>, LanguageModelError> {
        let slots = self.slots.len();
        self.slots.get_mut(slot).ok_or(LanguageModelError::Slot { slot, slots })
    }
}

impl LanguageModel for MockModel {
    fn vocabulary(&self) -> usize {
        self.vocabulary.len()
    }

    fn context(&self) -> usize {
        self.context
    }

    fn open(&mut self, slots: usize, length: usize) -> Result<(), LanguageModelError> {
        if length > self.context {
            return Err(LanguageModelError::Context { length, context: self.context });
        }
        (self.slots, self.length) = (vec![Vec::new(); slots], length);
        Ok(())
    }

    fn append(&mut self, rows: &[Row<'_>], select: Select) -> Result<Logits, LanguageModelError> {
        self.calls += 1;
        let mut values = Vec::new();
        let lengths: Vec<usize> = rows.iter().map(|row| row.tokens.len()).collect();
        let counts = select.counts(&lengths).ok_or_else(|| LanguageModelError::Tails {
            tails: match &select {
                Select::Tails(tails) => tails.clone(),
                Select::Last | Select::All => Vec::new(),
            },
            lengths,
        })?;
        for (row, count) in rows.iter().zip(counts) {
            let (length, vocabulary) = (self.length, self.vocabulary());
            let slot = self.slot(row.slot)?;
            if row.tokens.is_empty() {
                return Err(LanguageModelError::EmptyRow { slot: row.slot });
            }
            if let Some(&token) = row.tokens.iter().find(|&&token| token as usize >= vocabulary) {
                return Err(LanguageModelError::Token { token, vocabulary });
            }
            slot.extend_from_slice(row.tokens);
            if slot.len() > length {
                return Err(LanguageModelError::Full { slot: row.slot, tokens: slot.len(), length });
            }
            let tokens = slot.clone();
            let first = tokens.len() - count;
            values.extend((first..tokens.len()).flat_map(|last| (self.next)(&tokens[..=last])));
            self.appended += row.tokens.len();
        }
        Logits::new(values, self.vocabulary())
    }

    fn truncate(&mut self, slot: usize, length: usize) -> Result<(), LanguageModelError> {
        let held = self.slot(slot)?.len();
        if length > held {
            return Err(LanguageModelError::Short { slot, held, wanted: length });
        }
        self.slot(slot)?.truncate(length);
        Ok(())
    }

    fn copy(&mut self, from: usize, to: usize, length: usize) -> Result<(), LanguageModelError> {
        self.copies += 1;
        let source = self.slot(from)?;
        let held = source.len();
        let tokens =
            source.get(..length).ok_or(LanguageModelError::Short { slot: from, held, wanted: length })?.to_vec();
        *self.slot(to)? = tokens;
        Ok(())
    }

    fn save(&mut self, slot: usize, positions: Range<usize>) -> Result<Option<Saved>, LanguageModelError> {
        let there = self.slot(slot)?;
        let held = there.len();
        let wanted = positions.end;
        let tokens = there.get(positions.clone()).ok_or(LanguageModelError::Short { slot, held, wanted })?.to_vec();
        Ok(Some(Saved { positions, bytes: size_of_val(&*tokens), state: Box::new(tokens) }))
    }

    fn restore(&mut self, slot: usize, saved: &Saved) -> Result<(), LanguageModelError> {
        let tokens: &Vec<u32> = saved.state.downcast_ref().ok_or(LanguageModelError::Foreign)?;
        let wanted = saved.positions.start;
        let there = self.slot(slot)?;
        let held = there.len();
        if held < wanted {
            return Err(LanguageModelError::Short { slot, held, wanted });
        }
        there.truncate(wanted);
        there.extend(tokens);
        Ok(())
    }
}

/// A constraint that accepts a finite list of texts under any tokenisation.
///
/// Its state is the number of a node of the texts' tree, and one more node after the end token.
#[derive(Clone, Debug)]
pub struct MockConstraint {
    vocabulary: Arc<Vocabulary>,
    nodes: Vec<Node>,
    mask: Vec<u32>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    children: Vec<(u8, usize)>,
    accepts: bool,
    /// Tokens to the end, the end token included.
    finish: usize,
}

/// The state after the end token.
const ENDED: usize = usize::MAX;

impl MockConstraint {
    /// A constraint that accepts these texts, of which there must be one at least, and nothing else.
    pub fn new(vocabulary: Arc<Vocabulary>, texts: &[&str]) -> Self {
        let mut nodes = vec![Node::default()];
        for text in texts {
            let mut at = 0;
            for byte in text.bytes() {
                at = match nodes[at].children.iter().find(|child| child.0 == byte) {
                    Some(&(_, node)) => node,
                    None => {
                        nodes.push(Node::default());
                        let node = nodes.len() - 1;
                        nodes[at].children.push((byte, node));
                        node
                    }
                };
            }
            nodes[at].accepts = true;
        }
        let mut constraint = MockConstraint { vocabulary, nodes, mask: Vec::new() };
        // Children come after their parents, so that one pass from the back finds the shortest way of each node.
        for node in (0..constraint.nodes.len()).rev() {
            let ways = (0..constraint.vocabulary.len() as u32).filter_map(|token| constraint.walk(node, token));
            let shortest = ways.map(|next| constraint.nodes[next].finish + 1).min().unwrap_or(usize::MAX - 1);
            constraint.nodes[node].finish = if constraint.nodes[node].accepts { 1 } else { shortest };
        }
        constraint
    }

    /// Walks the bytes of a token that is text.
    fn walk(&self, node: usize, token: u32) -> Option<usize> {
        let bytes = self.vocabulary.bytes(token);
        if bytes.is_empty() || self.vocabulary.is_special(token) {
            return None;
        }
        bytes.iter().try_fold(node, |node, byte| {
            self.nodes[node].children.iter().find(|child| child.0 == *byte).map(|&(_, child)| child)
        })
    }
}

impl TokenConstraint for MockConstraint {
    type State = usize;

    fn start(&self) -> usize {
        0
    }

    fn mask(&mut self, state: usize) -> &[u32] {
        self.mask_within(state, usize::MAX)
    }

    fn mask_within(&mut self, state: usize, budget: usize) -> &[u32] {
        let mut mask = vec![0u32; self.vocabulary.len().div_ceil(32)];
        for token in 0..self.vocabulary.len() as u32 {
            let in_time = match self.advance(state, token) {
                Some(ENDED) => budget >= 1,
                Some(next) => self.nodes[next].finish < budget,
                None => false,
            };
            mask[token as usize / 32] |= u32::from(in_time) << (token % 32);
        }
        self.mask = mask;
        &self.mask
    }

    fn advance(&mut self, state: usize, token: u32) -> Option<usize> {
        match state {
            ENDED => None,
            _ if self.vocabulary.ends().contains(&token) => self.accepts(state).then_some(ENDED),
            _ => self.walk(state, token),
        }
    }

    fn accepts(&self, state: usize) -> bool {
        self.nodes.get(state).is_some_and(|node| node.accepts)
    }

    fn tokens_to_finish(&mut self, state: usize) -> usize {
        self.nodes.get(state).map_or(0, |node| node.finish)
    }
}

impl ByteConstraint for MockConstraint {
    fn next_bytes(&mut self, state: usize) -> Vec<(u8, usize)> {
        let mut next = self.nodes.get(state).map_or(Vec::new(), |node| node.children.clone());
        next.sort_unstable();
        next
    }
}

/// An output of a constraint, and what the model thinks of it; see [`outputs`].
#[derive(Clone, Debug, PartialEq)]
pub struct Valid {
    /// Its tokens, the end token included.
    pub tokens: Vec<u32>,
    /// The natural logarithm of its probability under the model, without any mask.
    pub log_probability: f64,
    /// The same under masked sampling: renormalised over the tight mask at each step.
    pub log_masked: f64,
}

/// All outputs that a constraint allows after a prompt within a budget, by walking them: the truth that strategies are
/// tested against. The model's distribution is taken at a temperature, which divides the logits.
pub fn outputs(
    model: &MockModel,
    constraint: &MockConstraint,
    prompt: &[u32],
    budget: usize,
    temperature: f64,
) -> Vec<Valid> {
    let mut constraint = constraint.clone();
    let (mut done, mut open) = (Vec::new(), Vec::new());
    let nothing = Valid { tokens: Vec::new(), log_probability: 0.0, log_masked: 0.0 };
    open.push((nothing, constraint.start()));
    while let Some((before, state)) = open.pop() {
        let logits = model.logits(&[prompt, &before.tokens].concat());
        let logits: Vec<f64> = logits.iter().map(|&logit| f64::from(logit) / temperature).collect();
        let mask = constraint.mask_within(state, budget - before.tokens.len()).to_vec();
        let allowed = (0..logits.len()).filter(|token| mask[token / 32] >> (token % 32) & 1 == 1);
        let allowed: Vec<usize> = allowed.collect();
        let log_sum =
            |tokens: &mut dyn Iterator<Item = usize>| tokens.map(|token| logits[token].exp()).sum::<f64>().ln();
        let whole = log_sum(&mut (0..logits.len()));
        let kept = log_sum(&mut allowed.iter().copied());
        for token in allowed {
            let valid = Valid {
                tokens: [&before.tokens[..], &[token as u32]].concat(),
                log_probability: before.log_probability + logits[token] - whole,
                log_masked: before.log_masked + logits[token] - kept,
            };
            match constraint.advance(state, token as u32) {
                Some(ENDED) => done.push(valid),
                Some(next) => open.push((valid, next)),
                None => {}
            }
        }
    }
    done
}
