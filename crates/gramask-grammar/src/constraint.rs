//! A constraint says which tokens may come next. It belongs to a vocabulary and a plain grammar, or to a format, a schema, a
//! document and a level.

use std::sync::Arc;

use gramask_ner::{Text, did_you_mean};

use crate::automaton::{Automaton, Limits};
use crate::engine::{AnyEngine, Engine, Finish, Mask, State, set_bit};
use crate::matcher::Matcher;
use crate::notation::ast::Boundaries;
use crate::plain::{CompiledGrammar, PlainEngine};
use crate::program::Program;
use crate::source::Source;
use crate::{Level, Vocabulary};

/// Why there is no constraint for a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages explain the fields
pub enum ConstraintError {
    /// Level `none` constrains nothing.
    #[error("level `none` has no constraint: decode without one, or take `syntax` or `grounded`")]
    NoLevel,
    /// A character that the format's escape can't write.
    #[error("format `{format}`: character {offset} of the document, {character:?}, can't be written in this format")]
    Character {
        format: String,
        /// In characters of the document.
        offset: usize,
        character: char,
    },
    /// No output is valid for this document.
    #[error("format `{format}`: no output at level {level} is valid for this document")]
    NoOutput { format: String, level: Level },
    /// No sequence of tokens writes a valid output.
    #[error(
        "format `{format}`: no token writes the byte 0x{byte:02x}, which every shortest output needs; take a vocabulary with a token for each byte"
    )]
    Byte { format: String, byte: u8 },
    /// A special token that the vocabulary does not have.
    #[error("grammar `{grammar}`: the vocabulary has no special token {name}{near}")]
    NoSpecial {
        grammar: String,
        name: String,
        /// A name that is nearly the same, as the end of the message.
        near: String,
    },
    /// A special token that ends outputs, and can't be part of one.
    #[error(
        "grammar `{grammar}`: {name} ends the output in this vocabulary, so that no output can hold it; leave it out"
    )]
    End { grammar: String, name: String },
}

/// Says at each state which tokens may follow.
///
/// A state is a `Copy` number. The constraint remembers what it computed for each state, so its methods take `&mut self`. One
/// constraint serves any number of sequences over the same document.
pub struct Constraint {
    engine: AnyEngine,
    vocabulary: Arc<Vocabulary>,
    start: State,
    finish: Finish,
    /// The last bit row that was returned, and its tokens if it was made from a list.
    row: Vec<u32>,
    listed: Vec<u32>,
}

impl Constraint {
    /// Where a sequence is once an end token was written: nothing may follow.
    pub const ENDED: State = State::DEAD;

    /// How many characters, units and entities an output at `syntax` may hold beyond its document, in a constraint from
    /// [`Constraint::new`]. While one token can't use up an allowance, all documents have the same masks. With this number that
    /// holds until the output is far longer than any useful one.
    pub const SLACK: u32 = 512;

    /// Compiles the constraint of a document. A format that refers to no document has the constraint of its plain grammar at
    /// both levels, as from [`Constraint::of_grammar`].
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
        if level != Level::None
            && let Some(grammar) = program.compiled()
        {
            return Constraint::of_grammar(grammar, vocabulary);
        }
        let format = program.format().name.clone();
        let shared = (level == Level::Syntax).then(|| vocabulary.shared(&program));
        let mut engine = Engine::new(matcher(program, text, level, slack)?, shared);
        let start = engine.start();
        if start == Self::ENDED {
            return Err(ConstraintError::NoOutput { format, level });
        }
        if !vocabulary.has_every_byte() {
            let way = engine.shortest_completion(start);
            if let Err(at) = vocabulary.fewest(&way) {
                return Err(ConstraintError::Byte { format, byte: way[at] });
            }
        }
        Ok(Constraint::over(AnyEngine::Document(engine), vocabulary, start))
    }

    /// The constraint of a plain grammar. All constraints of the same grammar and vocabulary share their masks.
    ///
    /// # Errors
    /// A special token that the vocabulary does not have, or that ends outputs, and a vocabulary that can't write an output.
    pub fn of_grammar(
        grammar: &Arc<CompiledGrammar>,
        vocabulary: Arc<Vocabulary>,
    ) -> Result<Constraint, ConstraintError> {
        let specials = grammar.specials().iter().map(|name| special(grammar, name, &vocabulary));
        let specials = specials.collect::<Result<_, _>>()?;
        let mut engine = PlainEngine::new(grammar.network(), &vocabulary, specials);
        let start = engine.start();
        if let Err(byte) = engine.check_shortest(start, &vocabulary) {
            return Err(ConstraintError::Byte { format: grammar.name().to_owned(), byte });
        }
        Ok(Constraint::over(AnyEngine::Plain(Box::new(engine)), vocabulary, start))
    }

    fn over(engine: AnyEngine, vocabulary: Arc<Vocabulary>, start: State) -> Constraint {
        Constraint { engine, vocabulary, start, finish: Finish::default(), row: Vec::new(), listed: Vec::new() }
    }

    /// The state before the first token.
    pub fn start(&self) -> State {
        self.start
    }

    /// The vocabulary of the masks.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }

    /// The level that it enforces.
    pub fn level(&self) -> Level {
        self.engine.level()
    }

    /// The tokens that may follow. End tokens are among them exactly if the output is complete, and other special
    /// tokens where a plain grammar names them.
    ///
    /// If the vocabulary has a token for each byte, the mask is empty only for [`Constraint::ENDED`]. Else a token may lead to a
    /// state where only a byte without a token can follow. [`Constraint::mask_within`] avoids such states, this method does not.
    pub fn allowed(&mut self, state: State) -> Mask<'_> {
        self.engine.mask(state, &self.vocabulary)
    }

    /// The same as a bit row: bit `i` of word `w` stands for token `32 w + i`. It is valid until the next call.
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
                ids.iter().for_each(|id| set_bit(&mut self.row, *id));
                self.listed.extend_from_slice(ids);
                &self.row
            }
        }
    }

    /// Writes the mask into a bit row of [`Vocabulary::words`] words.
    pub fn copy_mask(&mut self, state: State, row: &mut [u32]) {
        self.engine.mask(state, &self.vocabulary).copy_to(row);
    }

    /// The state after a token; `None` if the token may not follow.
    pub fn advance(&mut self, state: State, token: u32) -> Option<State> {
        if self.vocabulary.is_end(token) {
            return self.engine.accepts(state).then_some(Self::ENDED);
        }
        let next = self.engine.advance_token(state, token, &self.vocabulary)?;
        if let Some(bytes) = self.vocabulary.text(token) {
            self.finish.follow(&self.engine, state, bytes, next);
        }
        Some(next)
    }

    /// The state after these bytes, whatever tokens write them.
    pub fn advance_bytes(&mut self, state: State, bytes: &[u8]) -> Option<State> {
        self.engine.advance(state, bytes)
    }

    /// Whether the output is complete.
    pub fn accepts(&self, state: State) -> bool {
        self.engine.accepts(state)
    }

    /// A number of tokens that is enough to complete and end the output, end token included. It is `usize::MAX` if the
    /// vocabulary can't complete it.
    ///
    /// It is the length of the shortest completion in bytes, cut into the fewest tokens. Along that completion it falls by one
    /// with each token. So a sequence that once has enough tokens left can always finish.
    pub fn tokens_to_finish(&mut self, state: State) -> usize {
        let tokens = self.finish.tokens(&mut self.engine, &self.vocabulary, state);
        tokens.map_or(usize::MAX, |tokens| tokens + 1)
    }

    /// The tokens that may follow and after which `budget - 1` further tokens are enough to finish.
    pub fn mask_within(&mut self, state: State, budget: usize) -> &[u32] {
        // With this the state after the first token of the plan has its rest, so that the mask is not empty if that is enough.
        self.finish.tokens(&mut self.engine, &self.vocabulary, state);
        let (mut all, mut after) = (Vec::new(), Vec::new());
        self.engine.walk(state, &self.vocabulary, |ids, next| {
            all.extend_from_slice(ids);
            after.push((next, all.len()));
        });
        let mut ids = all.as_slice();
        self.listed.clear();
        self.row.clear();
        self.row.resize(self.vocabulary.words(), 0);
        for (next, end) in after {
            let these;
            (these, ids) = ids.split_at(end - (all.len() - ids.len()));
            if let Some(bytes) = these.first().and_then(|token| self.vocabulary.text(*token)) {
                self.finish.follow(&self.engine, state, bytes, next);
            }
            let tokens = self.finish.bound(&mut self.engine, &self.vocabulary, next);
            if tokens.is_some_and(|tokens| tokens + 2 <= budget) {
                self.listed.extend_from_slice(these);
            }
        }
        if self.engine.accepts(state) && budget >= 1 {
            self.listed.extend_from_slice(self.vocabulary.ends());
        }
        self.listed.iter().for_each(|id| set_bit(&mut self.row, *id));
        &self.row
    }

    /// The bytes that must follow, while only one continuation is possible, and the state after them. No byte if there is a
    /// choice.
    pub fn forced(&mut self, state: State) -> (Vec<u8>, State) {
        let (mut bytes, mut at) = (Vec::new(), state);
        while let Some((byte, next)) = self.engine.forced(at) {
            bytes.push(byte);
            at = next;
        }
        (bytes, at)
    }

    /// The bytes that may follow in ascending order, each with the state after it. [`Constraint::accepts`] says whether the
    /// output may also end here.
    pub fn next_bytes(&mut self, state: State) -> Vec<(u8, State)> {
        let mut all = Vec::new();
        self.engine.followers(state, |byte, next| {
            all.push((byte, next));
            true
        });
        all
    }

    /// The shortest completion of the output, in bytes. Special tokens are written by their names.
    pub fn shortest_rest(&mut self, state: State) -> Vec<u8> {
        self.engine.shortest_completion(state)
    }

    /// How many masks were computed for this document, and not taken from those that all documents share.
    pub fn made(&self) -> usize {
        self.engine.made_masks()
    }

    /// How many states were visited and how many masks are kept.
    pub fn visited(&self) -> (usize, usize) {
        (self.engine.visited(), self.engine.kept_masks())
    }
}

/// The tokens of a special token's name.
fn special(grammar: &CompiledGrammar, name: &str, vocabulary: &Vocabulary) -> Result<Vec<u32>, ConstraintError> {
    let grammar = || grammar.name().to_owned();
    let specials = || (0..vocabulary.len() as u32).filter(|token| vocabulary.is_special(*token));
    let tokens: Vec<u32> = specials().filter(|token| vocabulary.bytes(*token) == name.as_bytes()).collect();
    if tokens.iter().any(|token| vocabulary.is_end(*token)) {
        return Err(ConstraintError::End { grammar: grammar(), name: name.to_owned() });
    }
    if tokens.is_empty() {
        let names = specials().filter_map(|token| std::str::from_utf8(vocabulary.bytes(token)).ok());
        let near = did_you_mean(name, names);
        return Err(ConstraintError::NoSpecial { grammar: grammar(), name: name.to_owned(), near });
    }
    Ok(tokens)
}

/// The matcher of a document, for constraint and oracle.
pub(crate) fn matcher(
    program: Arc<Program>,
    text: &Text,
    level: Level,
    slack: u32,
) -> Result<Matcher, ConstraintError> {
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
    Ok(Matcher::new(Automaton::new(program, Arc::new(source), level, limits)))
}

/// The most entities that a document with this many words can have, so that no gold output is too long. That is one for each
/// label and stretch of words, or a million if entities can have several fragments.
fn most_entities(program: &Program, words: u32) -> u32 {
    let stretches = u64::from(words) * u64::from(words + 1) / 2;
    let several = program.format().discontinuous() && words > 1;
    let most = stretches * program.schema().len() as u64;
    u32::try_from(if several { most.max(MANY) } else { most }).unwrap_or(u32::MAX)
}

/// More entities than any output needs.
const MANY: u64 = 1_000_000;
