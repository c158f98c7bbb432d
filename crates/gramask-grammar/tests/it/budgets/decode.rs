//! Every format, level, model and budget: the output is complete, and reads.

use std::sync::Arc;

use gramask_grammar::{Constraint, Level, Program, State};
use gramask_ner::Text;
use gramask_random::Rng;

use super::{enough, programs, sample, vocabulary};
use crate::support::walk::allowed;

/// Beyond the least budget.
const MORE: usize = 40;

/// Nothing; repeats; what formats escape.
const DOCUMENTS: [&str; 3] = ["", "a b a", "<é> [\"b]|"];

/// What a model wants.
#[derive(Clone, Copy, Debug)]
enum Model {
    /// Any token.
    Uniform,
    /// The token after which the most is left to write.
    NeverClose,
    /// The token that opens the most: brackets, quotes, tags.
    Opens,
}

impl Model {
    fn choose(self, constraint: &mut Constraint, state: State, tokens: &[u32], rng: &mut Rng) -> u32 {
        let any = tokens[rng.below(tokens.len())];
        let vocabulary = Arc::clone(constraint.vocabulary());
        match self {
            Model::Uniform => any,
            Model::NeverClose => {
                let left = |token: &u32| (enough(constraint, state, *token), *token == any);
                tokens.iter().copied().max_by_key(left).unwrap_or(any)
            }
            Model::Opens => {
                let opens = |token: &u32| {
                    let text = vocabulary.text(*token).unwrap_or_default();
                    let brackets = text.iter().filter(|byte| b"[{(<\"".contains(byte)).count();
                    (brackets, text.len(), *token == any)
                };
                tokens.iter().copied().max_by_key(opens).unwrap_or(any)
            }
        }
    }
}

/// One output within a budget, and the tokens left.
fn decode(constraint: &mut Constraint, model: Model, budget: usize, rng: &mut Rng) -> Result<(Vec<u8>, usize), String> {
    let vocabulary = Arc::clone(constraint.vocabulary());
    let (mut state, mut output, mut left) = (constraint.start(), Vec::new(), budget);
    while state != Constraint::ENDED {
        let shown = || format!("after `{}` with {left} of {budget} left", output.escape_ascii());
        let needed = constraint.tokens_to_finish(state);
        if needed > left {
            return Err(format!("{needed} are needed {}", shown()));
        }
        let tokens = allowed(constraint.mask_within(state, left));
        let mask = allowed(constraint.mask(state));
        if tokens.is_empty() {
            return Err(format!("nothing may follow {}", shown()));
        }
        if let Some(token) = tokens.iter().find(|token| mask.binary_search(token).is_err()) {
            return Err(format!("token {token} is not in the mask {}", shown()));
        }
        let token = model.choose(constraint, state, &tokens, rng);
        let Some(next) = constraint.advance(state, token) else {
            return Err(format!("token {token} does not follow {}", shown()));
        };
        output.extend_from_slice(vocabulary.text(token).unwrap_or_default());
        state = next;
        left -= 1;
    }
    Ok((output, left))
}

/// Reads an output strictly.
fn read(program: &Arc<Program>, text: &Text, level: Level, output: &[u8]) -> Result<usize, String> {
    let shown = output.escape_ascii();
    let reading = program.read(text, output).map_err(|error| format!("`{shown}`: {error}"))?;
    match level == Level::Grounded && !reading.problems.is_empty() {
        true => Err(format!("`{shown}`: {:?}", reading.problems)),
        false => Ok(reading.entities.len()),
    }
}

/// All formats, documents and budgets.
fn every_budget(level: Level, model: Model) {
    let (mut outputs, mut entities, mut used_up) = (0, 0, 0);
    let programs = programs(&["X", "Yes"]);
    for (number, program) in programs.iter().enumerate() {
        let name = &program.format().name;
        for (document, text) in DOCUMENTS.iter().map(|text| Text::new(*text)).enumerate() {
            let mut rng = Rng::new((number * DOCUMENTS.len() + document) as u64);
            let source = sample(program, &text);
            // Every byte has a token, or only those that ASCII and the document need.
            let vocabulary = match document {
                1 => vocabulary(&mut rng, 0..=255, source.as_bytes(), 30),
                _ => vocabulary(&mut rng, (b'\t'..=b'~').chain(*b"\xc3\xa9"), source.as_bytes(), 40),
            };
            let new = Constraint::new(Arc::clone(program), &text, level, vocabulary);
            let mut constraint = new.unwrap_or_else(|error| panic!("{error}"));
            let start = constraint.start();
            let least = constraint.tokens_to_finish(start);
            for budget in least..=least + MORE {
                let place = || format!("{name} {level} {model:?} {:?} budget {budget}", text.as_str());
                let output = decode(&mut constraint, model, budget, &mut rng);
                let (output, left) = output.unwrap_or_else(|error| panic!("{}: {error}", place()));
                let read = read(program, &text, level, &output);
                entities += read.unwrap_or_else(|error| panic!("{}: {error}", place()));
                outputs += 1;
                used_up += usize::from(left == 0);
            }
        }
    }
    assert_eq!(outputs, programs.len() * DOCUMENTS.len() * (MORE + 1));
    // The models are what they say: there was something to cut off.
    assert!(entities > outputs / 10, "{entities} entities in {outputs} outputs");
    assert!(used_up > outputs / 50, "{used_up} of {outputs} outputs were as long as they could be");
}

#[test]
fn uniform_grounded() {
    every_budget(Level::Grounded, Model::Uniform);
}

#[test]
fn uniform_syntax() {
    every_budget(Level::Syntax, Model::Uniform);
}

#[test]
fn never_close_grounded() {
    every_budget(Level::Grounded, Model::NeverClose);
}

#[test]
fn never_close_syntax() {
    every_budget(Level::Syntax, Model::NeverClose);
}

#[test]
fn opens_grounded() {
    every_budget(Level::Grounded, Model::Opens);
}

#[test]
fn opens_syntax() {
    every_budget(Level::Syntax, Model::Opens);
}
