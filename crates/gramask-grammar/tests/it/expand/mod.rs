//! A third party's opinion: the plain grammar of a format over a document, loaded into llguidance, has the same masks.
//!
//! llguidance (its crate, as published) shares nothing with this one. It parses the grammar as text, has a lexer made of
//! derivatives and an Earley parser, and walks a trie of its own. Forced tokens are not asked for, since those would be the
//! tokenizer's own cuts only. Masks are compared whole, token by token, at every state of gold outputs and of random walks, at
//! both levels.

pub mod third_party;

use std::sync::Arc;

use gramask_grammar::{
    Approximation, Constraint, ExpandError, ExpandLimits, Format, Level, Plain, Program, State, Vocabulary, expand,
};
use gramask_ner::{Entity, Schema, Text};
use gramask_random::Rng;
use third_party::Peer;

use crate::support::formats;
use crate::support::walk::{allowed, draw};

/// What can be expanded and compared in seconds.
const LIMITS: ExpandLimits = ExpandLimits { rules: 100_000, counted: 64 };

/// A document, the labels, and entities as label, first and last character.
type Document = (&'static str, &'static [&'static str], &'static [(&'static str, usize, usize)]);

/// Short, since the plain grammar of a list has a rule for each entity before and each mention that may follow.
#[rustfmt::skip]
const DOCUMENTS: [Document; 10] = [
    ("", &["X"], &[]),
    ("a", &["X"], &[("X", 0, 1)]),
    ("a b", &["X"], &[("X", 0, 1), ("X", 0, 3)]),
    ("IL-2", &["Gene"], &[("Gene", 0, 4)]),
    ("ab a ab", &["A", "AB"], &[("A", 0, 2), ("AB", 5, 7)]),
    ("a \"b\" <c>", &["X", "Y"], &[("X", 2, 5)]),
    ("x|y\\[z] & µ", &["X"], &[("X", 0, 3), ("X", 10, 11)]),
    ("é😀 e\u{301}", &["X", "Y"], &[("Y", 0, 2)]),
    (" B-X (O) ", &["X"], &[("X", 1, 4)]),
    ("@@a## a: b\n- c", &["X"], &[("X", 2, 3)]),
];

/// Level `syntax` knows only how long the document is, so that these may be long: long enough for formats whose plain
/// grammar does not count what is copied.
#[rustfmt::skip]
const LONG: [Document; 2] = [
    ("Naloxone reverses the antihypertensive effect of clonidine in \"unanesthetized\" rats; [3H]-naloxone | (8 nM) <did> not & it's \\ OK.",
        &["Chemical", "Disease"], &[("Chemical", 0, 8), ("Chemical", 49, 58)]),
    ("e\u{301}@@😀## a: b\n- c, B-X (O) א \t µ=1; e\u{301}@@😀## a: b\n- c, B-X (O) א \t µ=1; e\u{301}@@😀## a: b\n- c, B-X (O) א \t µ=1", &["X"], &[("X", 0, 2)]),
];

/// A format of discontinuous entities in any order, which none of the others is.
const ANY_PARTS: &str = r#"
%escape json
%order any
start:  "[" (entity ("," entity)*)? "]"
entity: "{" part ("," part)* "}" @label
part:   "\"" @text "\""
"#;

fn program(name: &str, labels: &[&str]) -> Arc<Program> {
    if name == "any-parts" {
        let format = Format::parse(name, ANY_PARTS).unwrap();
        return Program::compile(&format, &Schema::new(labels.iter().copied())).unwrap();
    }
    formats::program(name, labels)
}

fn is_unordered(program: &Program) -> bool {
    program.format().source.contains("%order any")
}

struct Case {
    name: String,
    program: Arc<Program>,
    text: Text,
    level: Level,
    plain: Plain,
    vocabulary: Arc<Vocabulary>,
    gold: Vec<u8>,
}

impl Case {
    fn new(name: &str, document: &Document, level: Level, rng: &mut Rng) -> Option<Case> {
        let (text, labels, entities) = *document;
        let program = program(name, labels);
        let text = Text::new(text);
        let entities: Vec<Entity> =
            entities.iter().map(|&(label, start, end)| Entity::new(label, start, end)).collect();
        let gold = program.write(&text, &entities).map(|written| written.text.into_bytes()).unwrap_or_default();
        let plain = match expand(&program, &text, level, LIMITS) {
            Ok(plain) => plain,
            // Several fragments have as many tuples as the document has sets of words, and without an order each set of
            // tuples is a place of its own.
            Err(ExpandError::Rules { .. }) if program.format().discontinuous() || is_unordered(&program) => {
                return None;
            }
            Err(error) => {
                let vocabulary = third_party::vocabulary(rng, &[b"ab"], 1);
                let constraint = Constraint::new(program, &text, level, vocabulary);
                assert!(constraint.is_err(), "{name} {level} {:?}: {error}", text.as_str());
                return None;
            }
        };
        let sources = [gold.as_slice(), text.as_str().as_bytes(), program.format().source.as_bytes()];
        let vocabulary = third_party::vocabulary(rng, &sources, 600);
        Some(Case { name: name.to_owned(), program, text, level, plain, vocabulary, gold })
    }

    /// As many bytes must be left of an allowance that the plain grammar leaves out for the masks to be the same.
    fn comparable(&self, written: usize) -> bool {
        let fits = |left_out: &Approximation| match *left_out {
            Approximation::Copied(characters) | Approximation::Mention(characters) => {
                written + self.vocabulary.longest() + 8 < characters as usize
            }
            Approximation::Units(units) => written + self.vocabulary.longest() + 8 < units as usize,
            Approximation::Entities(entities) => written + self.vocabulary.longest() + 8 < entities as usize,
        };
        self.plain.approximations().iter().all(fits)
    }

    /// The mask, compared where it can be.
    fn compare(&self, constraint: &mut Constraint, state: State, peer: &mut Peer, written: &[u8]) -> (Vec<u32>, bool) {
        let ours = allowed(constraint.mask(state));
        let comparable = self.comparable(written.len());
        if comparable {
            let theirs = allowed(&peer.mask(self.vocabulary.len()));
            let name = |id: &u32| String::from_utf8_lossy(self.vocabulary.text(*id).unwrap_or(b"<end>")).into_owned();
            let only = |a: &[u32], b: &[u32]| a.iter().filter(|id| !b.contains(id)).map(name).collect::<Vec<_>>();
            assert!(
                ours == theirs,
                "{} {} {:?} after {:?}: only ours {:?}, only llguidance {:?}",
                self.name,
                self.level,
                self.text.as_str(),
                String::from_utf8_lossy(written),
                only(&ours, &theirs),
                only(&theirs, &ours)
            );
        }
        (ours, comparable)
    }

    /// Compares along the gold output and along random walks; gives the number of masks.
    fn run(&self, lark: &str, rng: &mut Rng, walks: usize) -> usize {
        let new = Constraint::new(Arc::clone(&self.program), &self.text, self.level, Arc::clone(&self.vocabulary));
        let mut constraint = new.expect("what has a plain grammar has a constraint");
        let mut peers = third_party::Peers::new(&self.vocabulary);
        let mut masks = 0;
        for walk in 0..=walks {
            let mut peer = peers.start(lark);
            let (mut state, mut written): (State, Vec<u8>) = (constraint.start(), Vec::new());
            for _ in 0..40 {
                let (tokens, compared) = self.compare(&mut constraint, state, &mut peer, &written);
                masks += usize::from(compared);
                if !compared {
                    break;
                }
                // Walk 0 is the gold output, cut as it comes.
                let follows = |id: &u32| {
                    let text = self.vocabulary.text(*id).unwrap_or_default();
                    !text.is_empty() && self.gold[written.len()..].starts_with(text)
                };
                let gold: Vec<u32> = match walk {
                    0 => tokens.iter().copied().filter(follows).collect(),
                    _ => tokens.clone(),
                };
                if gold.is_empty() {
                    break;
                }
                let token = draw(rng, &self.vocabulary, &gold);
                state = constraint.advance(state, token).expect("an allowed token leads on");
                if state == Constraint::ENDED {
                    break;
                }
                peer.advance(token);
                written.extend_from_slice(self.vocabulary.text(token).unwrap_or_default());
            }
        }
        masks
    }
}

fn compare_all(level: Level, names: impl Iterator<Item = &'static str>) {
    let mut rng = Rng::new(7);
    for name in names {
        let (mut masks, mut rules) = (0, 0);
        let long: &[Document] = if level == Level::Syntax { &LONG } else { &[] };
        for document in DOCUMENTS.iter().chain(long) {
            let Some(case) = Case::new(name, document, level, &mut rng) else {
                continue;
            };
            rules += case.plain.rules().len();
            masks += case.run(&case.plain.to_lark(), &mut rng, 2);
            if !case.plain.is_regular() {
                masks += case.run(&case.plain.to_lark_characters(), &mut rng, 2);
            }
        }
        println!("{name} {level}: {masks} masks, {rules} rules");
        assert!(masks > 0, "{name} has no output at {level} for any document");
    }
}

#[test]
fn masks_are_llguidances_at_level_grounded() {
    compare_all(Level::Grounded, Format::builtin());
}

#[test]
fn masks_are_llguidances_at_level_syntax() {
    compare_all(Level::Syntax, Format::builtin());
}

/// The rest of the notation: any order, fragments at characters, positions of several fragments, regular expressions,
/// words in nested entities, no escape.
#[test]
fn masks_are_llguidances_for_the_formats_of_tests() {
    let names = || formats::names().into_iter().filter(|name| Format::builtin().all(|builtin| builtin != *name));
    compare_all(Level::Syntax, names().chain(["any-parts"]));
    compare_all(Level::Grounded, names());
}

/// Where the allowances of level `syntax` end: after the longest mention, and after the last digit.
#[test]
fn allowances_end_where_the_plain_grammars_do() {
    let far = [("json-list", "a", "[{\"text\":\"", "x", 519), ("offsets", "a", "[0:", "1", 0)];
    for (name, text, begin, more, times) in far {
        let (program, text) = (program(name, &["X"]), Text::new(text));
        let limits = ExpandLimits { counted: 515, ..LIMITS };
        let plain = expand(&program, &text, Level::Syntax, limits).unwrap();
        let entities = |left_out: &Approximation| matches!(left_out, Approximation::Entities(_));
        assert!(plain.approximations().iter().all(entities), "{name}");
        let sources = [begin.as_bytes(), more.as_bytes(), b"x x\"xxx\", \"label\" O O B-X B-X O"];
        let vocabulary = third_party::vocabulary(&mut Rng::new(1), &sources, 200);
        let mut constraint = Constraint::new(program, &text, Level::Syntax, Arc::clone(&vocabulary)).unwrap();
        let mut peer = third_party::Peers::new(&vocabulary).start(&plain.to_lark());
        let mut state = constraint.start();
        let mut ended = None;
        let bytes = begin.bytes().chain(more.bytes().cycle().take(700 * more.len()));
        for (at, byte) in bytes.enumerate() {
            if at >= times {
                let theirs = allowed(&peer.mask(vocabulary.len()));
                assert_eq!(allowed(constraint.mask(state)), theirs, "{name} after {at} bytes");
            }
            match constraint.advance_bytes(state, &[byte]) {
                Some(next) => state = next,
                None => {
                    ended = Some(at);
                    break;
                }
            }
            peer.advance(vocabulary.longest_match(&[byte]).unwrap().0);
        }
        println!("{name}: the allowance ends after {ended:?} bytes");
        assert!(ended.is_some(), "{name} goes on without end");
    }
}

/// In any order, an entity may begin as one does that was listed before, and grow beyond it.
#[test]
fn a_listed_entity_may_begin_another_one() {
    compare_all(Level::Grounded, ["any-parts"].into_iter());
}
