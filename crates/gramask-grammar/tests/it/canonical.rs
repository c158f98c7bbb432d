//! The canonical constraint against the tokenizer itself and against brute force.
//!
//! The tokenizers are trained by hand on a few outputs and run by the `tokenizers` crate: byte-level pairs, with and
//! without GPT-2's pre-tokenizer. With `GRAMASK_TOKENIZER` naming a `tokenizer.json` a real one is walked too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use gramask_grammar::{
    BytePairs, Canonical, CanonicalError, Constraint, Format, Level, Place, Program, Token, Tokenise, Vocabulary,
};
use gramask_ner::{Entity, Schema, Text};
use gramask_random::Rng;
use tokenizers::Tokenizer;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use crate::support::walk::allowed;

const LABELS: [&str; 2] = ["X", "XY"];

/// GPT-2's character for each byte: printable ones stand for themselves, the others follow from 256 on.
fn alphabet() -> Vec<char> {
    let printable = |byte: &u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut others = 256..;
    (0..256)
        .map(|byte| if printable(&byte) { byte } else { others.next().unwrap_or(byte) })
        .map(|code| char::from_u32(code).unwrap())
        .collect()
}

/// A byte-pair encoding: its merges as ids, and its vocabulary with an end token after.
struct Trained {
    merges: Vec<(u32, u32)>,
    vocabulary: Arc<Vocabulary>,
}

/// Joins the commonest pair, so many times; the first in the order of ids among equals.
fn train(texts: &[String], merges: usize) -> Trained {
    let mut tokens: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
    let mut cuts: Vec<Vec<u32>> = texts.iter().map(|text| text.bytes().map(u32::from).collect()).collect();
    let mut made = Vec::new();
    for _ in 0..merges {
        let mut counts: BTreeMap<(u32, u32), usize> = BTreeMap::new();
        for pair in cuts.iter().flat_map(|cut| cut.windows(2)) {
            *counts.entry((pair[0], pair[1])).or_default() += 1;
        }
        let new = |pair: &(u32, u32)| {
            let text = [&tokens[pair.0 as usize][..], &tokens[pair.1 as usize]].concat();
            (!tokens.contains(&text)).then_some(text)
        };
        let candidates = counts.iter().filter_map(|(pair, count)| Some((*count, *pair, new(pair)?)));
        let Some((_, pair, text)) = candidates.max_by_key(|(count, pair, _)| (*count, std::cmp::Reverse(*pair))) else {
            break;
        };
        let id = tokens.len() as u32;
        for cut in &mut cuts {
            let mut at = 0;
            while at + 1 < cut.len() {
                if (cut[at], cut[at + 1]) == pair {
                    cut[at] = id;
                    cut.remove(at + 1);
                }
                at += 1;
            }
        }
        tokens.push(text);
        made.push(pair);
    }
    let end = tokens.len() as u32;
    let mut tokens: Vec<Token> = tokens.into_iter().map(Token::new).collect();
    tokens.push(Token::special("<end>"));
    Trained { merges: made, vocabulary: Vocabulary::new(tokens, vec![end]).unwrap() }
}

impl Trained {
    /// The same encoding in the `tokenizers` crate.
    fn tokenizer(&self, pieces: bool) -> Tokenizer {
        let alphabet = alphabet();
        let name = |id: u32| -> String {
            let text = self.vocabulary.text(id).unwrap();
            text.iter().map(|byte| alphabet[usize::from(*byte)]).collect()
        };
        let last = self.vocabulary.len() as u32 - 1;
        let ids: Vocab = (0..last).map(|id| (name(id), id)).collect();
        let merges: Vec<(String, String)> = self.merges.iter().map(|(a, b)| (name(*a), name(*b))).collect();
        let model = BPE::builder().vocab_and_merges(ids, merges).build();
        let mut tokenizer = Tokenizer::new(model.unwrap());
        tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, pieces)));
        tokenizer
    }
}

fn encode(tokenizer: &Tokenizer, text: &[u8]) -> Vec<u32> {
    let text = std::str::from_utf8(text).expect("whole outputs are UTF-8");
    tokenizer.encode_fast(text, false).unwrap().get_ids().to_vec()
}

fn program(name: &str, source: Option<&str>) -> Arc<Program> {
    let format = match source {
        Some(source) => Format::parse(name, source).unwrap(),
        None => Format::named(name).unwrap(),
    };
    let labels = if format.grammar.directives.pass_label { &LABELS[..1] } else { &LABELS };
    Program::compile(&format, &Schema::new(labels.iter().copied())).unwrap()
}

/// An output with an entity at every other word.
fn sample(program: &Arc<Program>, text: &Text) -> String {
    let labels = program.schema().labels();
    let words = text.words().iter().enumerate().step_by(2);
    let entities: Vec<Entity> = words
        .map(|(number, word)| Entity::new(labels[number / 2 % labels.len()].as_str(), word.start, word.end))
        .collect();
    program.write(text, &entities).map(|written| written.text).unwrap_or_default()
}

fn constraint(program: &Arc<Program>, text: &Text, level: Level, vocabulary: &Arc<Vocabulary>) -> Constraint {
    let new = Constraint::new(Arc::clone(program), text, level, Arc::clone(vocabulary));
    new.unwrap_or_else(|error| panic!("{error}"))
}

/// All outputs of a small document, byte by byte; `None` where there are more than `most`.
fn outputs(constraint: &mut Constraint, most: usize) -> Option<Vec<Vec<u8>>> {
    let (mut found, mut open) = (Vec::new(), vec![(constraint.start(), Vec::new())]);
    while let Some((state, output)) = open.pop() {
        if constraint.accepts(state) {
            found.push(output.clone());
        }
        for byte in 0..=255 {
            if let Some(next) = constraint.advance_bytes(state, &[byte]) {
                open.push((next, [&output[..], &[byte]].concat()));
            }
        }
        if found.len() + open.len() > most {
            return None;
        }
    }
    Some(found)
}

/// Holds the masks at every prefix of every canonical output to what those outputs go on with. The number of places, and
/// of the tokens that are missing from masks; none may be too many.
fn against_brute_force<T: Tokenise>(
    mut canonical: Canonical<T>,
    cuts: &[Vec<u32>],
    end: u32,
    place: &str,
) -> (usize, usize) {
    let mut follow: BTreeMap<&[u32], BTreeSet<u32>> = BTreeMap::new();
    for cut in cuts {
        for at in 0..=cut.len() {
            follow.entry(&cut[..at]).or_default().insert(cut.get(at).copied().unwrap_or(end));
        }
    }
    let (mut places, mut missing) = (0, 0);
    let mut open: Vec<(Vec<u32>, Place)> = vec![(Vec::new(), canonical.start())];
    while let Some((tokens, at)) = open.pop() {
        let mask = allowed(canonical.mask(at));
        let expected = &follow[&tokens[..]];
        assert!(!mask.is_empty(), "{place}: an empty mask after {tokens:?}");
        for token in &mask {
            assert!(expected.contains(token), "{place}: {token} after {tokens:?} is of no output's cut");
        }
        places += 1;
        missing += expected.len() - mask.len();
        for token in 0..=end {
            let next = canonical.advance(at, token);
            assert_eq!(next.is_some(), mask.contains(&token), "{place}: {token} after {tokens:?}");
            if let Some(next) = next.filter(|next| *next != Canonical::<T>::ENDED) {
                open.push(([&tokens[..], &[token]].concat(), next));
            }
        }
    }
    (places, missing)
}

const LIST: &str = "%escape json\nstart: \"[\" (entity (\",\" entity)*)? \"]\"\nentity: \"[\\\"\" @text \"\\\",\\\"\" @label \"\\\"]\"\n";
const BRACKETS: &str =
    "%escape backslash \"[]|\"\nstart: (@copy | entity)*\nentity: \"[\" (@copy | entity)+ \" | \" @label \"]\"\n";
const WORDS: &str = "start: (unit (\" \" unit)*)?\nunit: @word \"(O)\" | entity\nentity: @word \"(B-\" @label \")\" (\" \" @word \"(I-\" @label \")\")*\n";

#[test]
fn masks_are_the_cuts_of_all_outputs() {
    let (mut places, mut pieces_places, mut pieces_missing) = (0, 0, 0);
    for (name, source) in [("list", LIST), ("brackets", BRACKETS), ("words", WORDS)] {
        let program = program(name, Some(source));
        for document in ["", "ab", "ab a", "a's  12 é", "a [a]"] {
            let text = Text::new(document);
            let texts = [sample(&program, &text), document.to_owned(), document.to_owned()];
            for merges in [0, 5, 25] {
                let trained = train(&texts, merges);
                let vocabulary = &trained.vocabulary;
                let end = vocabulary.ends()[0];
                let new = || constraint(&program, &text, Level::Grounded, vocabulary);
                let Some(outputs) = outputs(&mut new(), 300) else {
                    continue;
                };
                let place = format!("{name} {document:?} {merges}");
                let tokenizer = trained.tokenizer(false);
                let cuts: Vec<Vec<u32>> = outputs.iter().map(|output| encode(&tokenizer, output)).collect();
                let mut pairs = BytePairs::new(vocabulary, &trained.merges).unwrap();
                for (output, cut) in outputs.iter().zip(&cuts) {
                    assert_eq!(&pairs.encode(output), cut, "{place}");
                }
                // By pairs the masks are exact; by the tokenizer's answers alone no output's token may be missing often.
                let canonical = Canonical::new(new(), pairs).unwrap().with_effort(100_000);
                let (visited, missing) = against_brute_force(canonical, &cuts, end, &place);
                assert_eq!(missing, 0, "{place}");
                places += visited;
                let tokenizer = trained.tokenizer(true);
                let cuts: Vec<Vec<u32>> = outputs.iter().map(|output| encode(&tokenizer, output)).collect();
                let canonical = Canonical::new(new(), |text: &[u8]| encode(&tokenizer, text)).unwrap();
                let (visited, missing) = against_brute_force(canonical, &cuts, end, &place);
                pieces_places += visited;
                pieces_missing += missing;
            }
        }
    }
    println!("{places} places exact; with pieces {pieces_missing} tokens are missing at {pieces_places} places");
    assert!(places > 1000 && pieces_places > 1000, "{places}, {pieces_places}");
    assert!(pieces_missing * 1000 <= pieces_places, "{pieces_missing} of {pieces_places}");
}

/// Walks to an end within a budget; the output's tokens are the tokenizer's. How many they were.
fn walk<T: Tokenise>(
    canonical: &mut Canonical<T>,
    tokenizer: &Tokenizer,
    rng: &mut Rng,
    more: usize,
    name: &str,
) -> usize {
    let vocabulary = Arc::clone(canonical.constraint().vocabulary());
    let mut at = canonical.start();
    let (mut tokens, mut output) = (Vec::new(), Vec::new());
    let mut left = canonical.tokens_to_finish(at) + more;
    while at != Canonical::<T>::ENDED {
        assert!(canonical.tokens_to_finish(at) <= left, "{name}: after {tokens:?}");
        let choices = allowed(canonical.mask_within(at, left));
        assert!(!choices.is_empty(), "{name}: an empty mask after {tokens:?}");
        let token = choices[rng.below(choices.len())];
        at = canonical.advance(at, token).expect("the mask allows it");
        left -= 1;
        if let Some(text) = vocabulary.text(token) {
            tokens.push(token);
            output.extend_from_slice(text);
        }
    }
    assert_eq!(encode(tokenizer, &output), tokens, "{name}: `{}`", output.escape_ascii());
    tokens.len()
}

#[test]
fn walks_write_the_tokenizers_own_tokens() {
    let text = Text::new("Naloxone's 12 mg [IL-2], \"é\" & naloxone");
    let names: Vec<&str> = Format::builtin().collect();
    let texts: Vec<String> = names.iter().map(|name| sample(&program(name, None), &text)).collect();
    let trained = train(&texts, 120);
    let mut rng = Rng::new(5);
    let mut walked = 0;
    for name in names {
        let program = program(name, None);
        let new = || constraint(&program, &text, Level::Grounded, &trained.vocabulary);
        let pairs = BytePairs::new(&trained.vocabulary, &trained.merges).unwrap();
        let tokenizer = trained.tokenizer(false);
        let mut canonical = Canonical::new(new(), pairs).unwrap();
        let pieces = trained.tokenizer(true);
        let mut with_pieces = Canonical::new(new(), |text: &[u8]| encode(&pieces, text)).unwrap().with_effort(16);
        for more in [0, 3, 40] {
            walked += walk(&mut canonical, &tokenizer, &mut rng, more, name);
            walked += walk(&mut with_pieces, &pieces, &mut rng, more, name);
        }
    }
    assert!(walked > 500, "{walked}");
}

#[test]
fn what_is_wrong_is_said() {
    let trained = train(&["abab".to_owned()], 1);
    let (vocabulary, merges) = (&trained.vocabulary, &trained.merges);
    assert_eq!(merges, &[(97, 98)]);
    let error = BytePairs::new(vocabulary, &[(97, 97)]).unwrap_err();
    assert_eq!(error, CanonicalError::Merge { rank: 0, first: 97, second: 97 });
    let bytes = Vocabulary::new(vec![Token::new("a"), Token::special("")], vec![1]).unwrap();
    assert_eq!(BytePairs::new(&bytes, &[]).unwrap_err(), CanonicalError::Byte { byte: 0 });
    // Another tokenizer's ids.
    let program = program("list", Some(LIST));
    let new = constraint(&program, &Text::new("ab"), Level::Grounded, vocabulary);
    let wrong = |text: &[u8]| text.iter().map(|byte| u32::from(byte ^ 1)).collect();
    let error = Canonical::new(new, wrong).map(|_| ()).unwrap_err();
    assert!(matches!(&error, CanonicalError::Foreign { text, .. } if text == "[]"), "{error}");
}

/// `GRAMASK_TOKENIZER=tokenizer.json cargo test --release -p gramask-grammar -- --nocapture canonical::a_real`
#[test]
fn a_real_tokenizer_writes_its_own_tokens() {
    let Ok(path) = std::env::var("GRAMASK_TOKENIZER") else {
        println!("skipped: GRAMASK_TOKENIZER names no tokenizer.json");
        return;
    };
    let tokenizer = Tokenizer::from_file(&path).unwrap();
    let bytes: HashMap<char, u8> = alphabet().into_iter().zip(0..=255).collect();
    let size = tokenizer.get_vocab_size(true) as u32;
    let special: Vec<u32> = tokenizer.get_added_tokens_decoder().into_keys().collect();
    let mut tokens: Vec<Token> = (0..size)
        .map(|id| match tokenizer.id_to_token(id) {
            Some(text) if !special.contains(&id) => Token::new(text.chars().map(|c| bytes[&c]).collect::<Vec<u8>>()),
            _ => Token::new(""),
        })
        .collect();
    tokens.push(Token::special("<end>"));
    let vocabulary = Vocabulary::new(tokens, vec![size]).unwrap();
    let text = Text::new("Naloxone reverses the antihypertensive effect of clonidine (IL-2, 12 mg).");
    let mut rng = Rng::new(1);
    for name in Format::builtin() {
        let program = program(name, None);
        let new = constraint(&program, &text, Level::Grounded, &vocabulary);
        let mut canonical = Canonical::new(new, |text: &[u8]| encode(&tokenizer, text)).unwrap().with_effort(8);
        let begin = std::time::Instant::now();
        let steps: usize = [0, 5, 40].iter().map(|more| walk(&mut canonical, &tokenizer, &mut rng, *more, name)).sum();
        println!("{name}: {steps} tokens, {:.1} ms a token", begin.elapsed().as_secs_f64() * 1e3 / steps.max(1) as f64);
    }
}
