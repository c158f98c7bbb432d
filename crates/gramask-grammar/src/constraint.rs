//! A constraint: format x schema x document x level x vocabulary.

use rustc_hash::FxHashMap;
use std::sync::Arc;

use gramask_ner::Text;

use crate::Vocabulary;
use crate::engine::{Engine, Mask, State, set};
use crate::machine::{Level, Limits, Machine};
use crate::matcher::{Matcher, Naive};
use crate::notation::ast::Boundaries;
use crate::program::Program;
use crate::source::Source;

/// Why there is no constraint for a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// Level `none` constrains nothing.
    #[error("level `none` has no constraint: decode without one, or take `syntax` or `grounded`")]
    NoLevel,
    /// A character that the format's escape can't write.
    #[error("format `{format}`: character {offset} of the document, {character:?}, can't be written in this format")]
    Character {
        /// The format's name.
        format: String,
        /// In characters of the document.
        offset: usize,
        /// The character.
        character: char,
    },
    /// No output is valid for this document.
    #[error("format `{format}`: no output at level {level} is valid for this document")]
    NoOutput {
        /// The format's name.
        format: String,
        /// The level.
        level: Level,
    },
    /// No sequence of tokens writes a valid output.
    #[error(
        "format `{format}`: no token writes the byte 0x{byte:02x}, which every shortest output needs; take a vocabulary with a token for each byte"
    )]
    Byte {
        /// The format's name.
        format: String,
        /// The byte.
        byte: u8,
    },
}

/// No way to finish in tokens.
const NEVER: usize = usize::MAX;

/// Says at each state which tokens may follow.
///
/// A state is a `Copy` number; the constraint remembers what it worked out about each one, which is why its methods take
/// `&mut self`. One constraint serves any number of sequences over the same document.
pub struct Constraint {
    engine: Engine,
    vocabulary: Arc<Vocabulary>,
    start: State,
    /// Tokens to the end of the output, the end token left out.
    costs: FxHashMap<State, usize>,
    /// The last bit row that was asked for, and the tokens in it where it was made of a list.
    row: Vec<u32>,
    listed: Vec<u32>,
}

impl Constraint {
    /// Where a sequence is once an end token was written: nothing may follow.
    pub const ENDED: State = State(0);

    /// What an output at `syntax` may hold beyond its document in a constraint from [`Constraint::new`]: so much that one token
    /// uses up no allowance before the output is far longer than any that says something of the document. Until then all
    /// documents have the same masks.
    pub const SLACK: u32 = 512;

    /// Compiles the constraint of a document.
    pub fn new(
        program: Arc<Program>,
        text: &Text,
        level: Level,
        vocabulary: Arc<Vocabulary>,
    ) -> Result<Constraint, ConstraintError> {
        Constraint::with_slack(program, text, level, vocabulary, Self::SLACK)
    }

    /// The same, where an output at `syntax` may hold `slack` characters of text, units and entities more than its document.
    pub fn with_slack(
        program: Arc<Program>,
        text: &Text,
        level: Level,
        vocabulary: Arc<Vocabulary>,
        slack: u32,
    ) -> Result<Constraint, ConstraintError> {
        let format = program.format().name.clone();
        let shared = (level == Level::Syntax).then(|| vocabulary.shared(&program));
        let mut engine = Engine::new(machine(program, text, level, slack)?, shared);
        let start = engine.start();
        if start == Self::ENDED {
            return Err(ConstraintError::NoOutput { format, level });
        }
        if !vocabulary.has_every_byte() {
            let way = engine.way(start);
            if let Err(at) = vocabulary.fewest(&way) {
                return Err(ConstraintError::Byte { format, byte: way[at] });
            }
        }
        Ok(Constraint { engine, vocabulary, start, costs: FxHashMap::default(), row: Vec::new(), listed: Vec::new() })
    }

    /// The state before the first token.
    pub fn start(&self) -> State {
        self.start
    }

    /// The vocabulary.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }

    /// The level.
    pub fn level(&self) -> Level {
        self.engine.machine().level
    }

    /// The tokens that may follow. End tokens are in it exactly where the output is complete, other special tokens never.
    /// Empty only for [`Constraint::ENDED`], if the vocabulary has a token for each byte; without one for some byte a token may
    /// lead to where only that byte could follow, which [`Constraint::mask_within`] sees and this does not.
    pub fn allowed(&mut self, state: State) -> Mask<'_> {
        self.engine.mask(state, &self.vocabulary)
    }

    /// The same as a bit row: bit `i` of word `w` stands for token `32 w + i`. It is good until the next call.
    pub fn mask(&mut self, state: State) -> &[u32] {
        match self.engine.mask(state, &self.vocabulary) {
            Mask::Row(row) => row,
            Mask::Few(ids) => {
                // Only what the list before has set is cleared.
                if self.row.is_empty() {
                    self.row.resize(self.vocabulary.words(), 0);
                }
                for id in self.listed.drain(..) {
                    self.row[id as usize / 32] = 0;
                }
                ids.iter().for_each(|id| set(&mut self.row, *id));
                self.listed.extend_from_slice(ids);
                &self.row
            }
        }
    }

    /// Writes the mask into a bit row of [`Vocabulary::words`] words.
    pub fn copy_mask(&mut self, state: State, row: &mut [u32]) {
        self.engine.mask(state, &self.vocabulary).copy_to(row);
    }

    /// The state behind a token; `None` if the token may not follow.
    pub fn advance(&mut self, state: State, token: u32) -> Option<State> {
        if self.vocabulary.is_end(token) {
            return self.engine.accepts(state).then_some(Self::ENDED);
        }
        self.engine.advance_token(state, token, self.vocabulary.text(token)?)
    }

    /// The state behind these bytes, whatever tokens write them.
    pub fn advance_bytes(&mut self, state: State, bytes: &[u8]) -> Option<State> {
        self.engine.advance(state, bytes)
    }

    /// Whether the output is complete.
    pub fn accepts(&self, state: State) -> bool {
        self.engine.accepts(state)
    }

    /// So many tokens are enough to complete the output and end it, end token included; `usize::MAX` where the
    /// vocabulary can't.
    ///
    /// It is the length of one way to the end: the fewest bytes, cut into the fewest tokens. Along that way it falls by
    /// one with each token, so a sequence that once had enough tokens left can always finish.
    pub fn tokens_to_finish(&mut self, state: State) -> usize {
        self.cost(state).saturating_add(1)
    }

    fn cost(&mut self, state: State) -> usize {
        if let Some(&cost) = self.costs.get(&state) {
            return cost;
        }
        let way = self.engine.way(state);
        let Ok(tokens) = self.vocabulary.fewest(&way) else {
            self.costs.insert(state, NEVER);
            return NEVER;
        };
        let (mut path, mut at) = (vec![state], state);
        for &token in &tokens {
            match self.advance(at, token) {
                Some(next) => at = next,
                None => break,
            }
            path.push(at);
        }
        // From the end: a state on the way whose cost was known to be less shortens all before it.
        let mut cost = 0;
        for (left, &at) in path.iter().rev().enumerate() {
            cost = if left == 0 { 0 } else { cost + 1 };
            cost = self.costs.get(&at).map_or(cost, |known| cost.min(*known));
            self.costs.insert(at, cost);
        }
        cost
    }

    /// The tokens that may follow and after which `budget - 1` tokens more are enough to finish.
    pub fn mask_within(&mut self, state: State, budget: usize) -> &[u32] {
        let vocabulary = Arc::clone(&self.vocabulary);
        let mut behind: Vec<(State, Vec<u32>)> = Vec::new();
        self.engine.walk(state, &vocabulary, |ids, next| behind.push((next, ids.to_vec())));
        self.listed.clear();
        self.row.clear();
        self.row.resize(vocabulary.words(), 0);
        for (next, ids) in behind {
            // A byte is at most one token, so that the shorter bound often answers.
            let enough = |tokens: usize| tokens.saturating_add(2) <= budget;
            if vocabulary.has_every_byte() && enough(self.engine.finish(next) as usize) || enough(self.cost(next)) {
                self.listed.extend(ids);
            }
        }
        if self.engine.accepts(state) && budget >= 1 {
            self.listed.extend_from_slice(vocabulary.ends());
        }
        self.listed.iter().for_each(|id| set(&mut self.row, *id));
        &self.row
    }

    /// The bytes that must follow, where only one continuation is possible, and the state behind them; no byte where there is
    /// a choice.
    pub fn forced(&mut self, state: State) -> (Vec<u8>, State) {
        let (mut bytes, mut at) = (Vec::new(), state);
        while let Some((byte, next)) = self.engine.forced(at) {
            bytes.push(byte);
            at = next;
        }
        (bytes, at)
    }

    /// The bytes that may follow, each with the state behind it, in ascending order. Whether the output may also end here is
    /// [`Constraint::accepts`].
    pub fn next_bytes(&mut self, state: State) -> Vec<(u8, State)> {
        let mut all = Vec::new();
        self.engine.followers(state, |byte, next| {
            all.push((byte, next));
            true
        });
        all
    }

    /// The shortest rest of a complete output, in bytes.
    pub fn shortest_rest(&mut self, state: State) -> Vec<u8> {
        self.engine.way(state)
    }

    /// How many of the kept masks were made for this document, and not found among those that documents share.
    pub fn made(&self) -> usize {
        self.engine.made_masks()
    }

    /// How many states were visited and how many masks are kept.
    pub fn visited(&self) -> (usize, usize) {
        (self.engine.visited(), self.engine.kept_masks())
    }
}

fn machine(program: Arc<Program>, text: &Text, level: Level, slack: u32) -> Result<Machine, ConstraintError> {
    if level == Level::None {
        return Err(ConstraintError::NoLevel);
    }
    let directives = &program.format().grammar.directives;
    let source = match level {
        Level::Grounded => Source::new(text, &directives.escape, directives.boundaries),
        _ => Source::check(text, &directives.escape).map(|()| Source::none()),
    };
    let source = source.map_err(|(offset, character)| ConstraintError::Character {
        format: program.format().name.clone(),
        offset,
        character,
    })?;
    let words = match directives.boundaries {
        Boundaries::Words => text.words().len() as u32,
        Boundaries::Characters => text.len() as u32,
    };
    let limits = Limits {
        characters: (text.len() as u32).saturating_add(slack),
        units: (2 * words).saturating_add(slack),
        entities: most_entities(&program, words).saturating_add(slack),
    };
    Ok(Machine::new(program, Arc::new(source), level, limits))
}

/// As many entities as a document of so many words can have, so that no gold output is too long: one for each label and
/// stretch of words; where entities have several fragments, a million.
fn most_entities(program: &Program, words: u32) -> u32 {
    let stretches = u64::from(words) * u64::from(words + 1) / 2;
    let several = program.format().discontinuous() && words > 1;
    let most = stretches * program.schema().len() as u64;
    u32::try_from(if several { most.max(MANY) } else { most }).unwrap_or(u32::MAX)
}

/// More entities than anybody writes.
const MANY: u64 = 1_000_000;

/// The oracle: follows an output token by token without any memo, and tries every token for a mask.
///
/// Slow, and right by construction: what a [`Constraint`] answers is compared with this.
pub struct Oracle {
    naive: Naive,
    vocabulary: Arc<Vocabulary>,
    state: Vec<crate::machine::Thread>,
}

impl Oracle {
    /// The oracle of a document.
    pub fn new(
        program: Arc<Program>,
        text: &Text,
        level: Level,
        vocabulary: Arc<Vocabulary>,
    ) -> Result<Oracle, ConstraintError> {
        Oracle::with_slack(program, text, level, vocabulary, Constraint::SLACK)
    }

    /// The oracle of a [`Constraint::with_slack`].
    pub fn with_slack(
        program: Arc<Program>,
        text: &Text,
        level: Level,
        vocabulary: Arc<Vocabulary>,
        slack: u32,
    ) -> Result<Oracle, ConstraintError> {
        let mut naive = Naive(machine(program, text, level, slack)?);
        let state = naive.start();
        Ok(Oracle { naive, vocabulary, state })
    }

    /// The tokens that may follow.
    pub fn mask(&mut self) -> Vec<u32> {
        self.naive.mask(&self.state, &self.vocabulary)
    }

    /// Whether the output so far is complete.
    pub fn accepts(&self) -> bool {
        self.naive.accepts(&self.state)
    }

    /// Writes bytes; `false`, and nothing is written, where no valid output goes on so.
    pub fn advance(&mut self, bytes: &[u8]) -> bool {
        let mut state = self.state.clone();
        for &byte in bytes {
            match self.naive.step(&state, byte) {
                Some(next) => state = next,
                None => return false,
            }
        }
        self.state = state;
        true
    }

    /// The shortest rest of a complete output, in bytes.
    pub fn shortest_rest(&mut self) -> Vec<u8> {
        self.naive.way(&self.state)
    }
}
