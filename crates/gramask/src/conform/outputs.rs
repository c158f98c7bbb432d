//! Decoding in all formats: the device's tokens beside the reference's, one by one.
//!
//! Both decode for themselves, each from its own logits, with the same random numbers. Where a token differs the
//! reference is asked how near the two were ([`super::ties`]); an output is compared up to there, since what follows
//! follows from another beginning.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::Device;
use gramask_decode::{
    Ended, Layout, Masked, Output, Request, Sampling, Settings, TransformerModel, Unconstrained, decode, vocabulary_of,
};
use gramask_grammar::docs::Example;
use gramask_grammar::{Constraint, Format, Level, Program, Vocabulary};
use gramask_model::checkpoint::{Checkpoint, Family, SeededTensors};
use gramask_model::tokenizer::Tokenizer;
use gramask_model::transformer::Transformer;
use gramask_ner::Text;

use super::check::{Check, Failure, Group, Tally};
use super::model::{as_decoded, precision_on, seeded, weights_of};
use super::pair::Pair;
use super::ties::{Tie, tie};
use crate::pull::NamedVocabulary;

/// What is decoded, and how.
#[derive(Clone, Copy, Debug)]
struct How {
    level: Level,
    sampling: Sampling,
}

pub(super) fn checks(pair: &Pair) -> Vec<Check> {
    let greedy = Sampling::greedy();
    let which = which(pair.quick);
    let hows = [
        ("greedy, no constraint", Level::None, greedy),
        ("greedy, syntax", Level::Syntax, greedy),
        ("greedy, grounded", Level::Grounded, greedy),
        ("sampled with a seed, grounded", Level::Grounded, Sampling::at(1.0, 5)),
    ];
    let mut checks: Vec<Check> = hows
        .into_iter()
        .map(|(name, level, sampling)| {
            let how = How { level, sampling };
            Check::new(Group::Output, format!("{which}, {name}"), move |pair| compare(pair, &Scene::seeded(pair)?, how))
        })
        .collect();
    if let Some(model) = &pair.model {
        let (name, path) = (format!("{}, greedy, grounded", model.name), model.path.clone());
        checks.push(Check::new(Group::Output, name, move |pair| {
            let how = How { level: Level::Grounded, sampling: greedy };
            compare(pair, &Scene::of(pair, &Checkpoint::open(&path)?)?, how)
        }));
    }
    checks
}

/// A model on both devices, with its tokens.
pub(super) struct Scene {
    there: Transformer,
    pub here: Transformer,
    pub vocabulary: Arc<Vocabulary>,
    tokenizer: Option<Tokenizer>,
}

impl Scene {
    /// A small model of seeded weights over the vocabulary of bytes.
    fn seeded(pair: &Pair) -> Result<Scene, Failure> {
        let vocabulary = NamedVocabulary::bytes()?.vocabulary;
        let config = SeededTensors::small(Family::Llama, vocabulary.len());
        let weights = weights_of(pair);
        Ok(Scene {
            there: seeded(pair, &config, &pair.device, weights)?,
            here: seeded(pair, &config, &pair.reference, weights)?,
            vocabulary,
            tokenizer: None,
        })
    }

    /// A model as it lies on disk.
    fn of(pair: &Pair, checkpoint: &Checkpoint) -> Result<Scene, Failure> {
        let weights = weights_of(pair);
        let load = |device: &Device| {
            let model = Transformer::load(checkpoint, device, precision_on(pair, device, weights))?;
            Ok::<_, Failure>(as_decoded(pair, device, model))
        };
        Ok(Scene {
            there: load(&pair.device)?,
            here: load(&pair.reference)?,
            vocabulary: vocabulary_of(&checkpoint.tokenizer)?,
            tokenizer: Some(checkpoint.tokenizer.clone()),
        })
    }

    fn tokens(&self, text: &str) -> Vec<u32> {
        match &self.tokenizer {
            Some(tokenizer) => tokenizer.encode(text, false),
            None => self.vocabulary.cut(text.as_bytes()).unwrap_or_default(),
        }
    }
}

/// A document in a format, or in one of a format's passes.
pub(super) struct Case {
    pub id: String,
    pub program: Arc<Program>,
    pub text: Text,
    pub prompt: Vec<u32>,
    pub budget: usize,
}

impl Case {
    pub fn constraint(&self, level: Level, vocabulary: &Arc<Vocabulary>) -> Result<Constraint, Failure> {
        Ok(Constraint::new(self.program.clone(), &self.text, level, vocabulary.clone())?)
    }
}

/// Which formats a test has, in words.
pub(super) fn which(quick: bool) -> &'static str {
    if quick { "six formats" } else { "all formats" }
}

/// The formats of a test: all, or of each kind one.
pub(super) fn formats(quick: bool) -> Vec<&'static str> {
    const SOME: [&str; 6] = ["json-list", "inline-xml", "bio-words", "label-list", "csv", "word-index"];
    match quick {
        true => SOME.to_vec(),
        false => Format::builtin().collect(),
    }
}

/// Two sentences in every format that can write about them.
fn cases(scene: &Scene, quick: bool, level: Level) -> Result<Vec<Case>, Failure> {
    let mut cases = Vec::new();
    let allowance = if quick { 16 } else { 40 };
    let examples = [Example::plain(), Example::hard()];
    for name in formats(quick) {
        let format = Format::named(name)?;
        for example in &examples[..if quick { 1 } else { 2 }] {
            for (pass, program) in Program::passes(&format, &example.schema)?.into_iter().enumerate() {
                // The beginnings are the same, so that a prefix is shared.
                let prompt = scene.tokens(&format!("Name the entities of: {}\n", example.text.as_str()));
                let mut case = Case {
                    id: format!("{name}, {}, pass {pass}", example.about),
                    program,
                    text: example.text.clone(),
                    prompt,
                    budget: allowance,
                };
                if level != Level::None {
                    // What a format's escape can't write is no output.
                    let Ok(mut constraint) = case.constraint(level, &scene.vocabulary) else {
                        continue;
                    };
                    let start = constraint.start();
                    case.budget += constraint.tokens_to_finish(start);
                }
                cases.push(case);
            }
        }
    }
    Ok(cases)
}

/// Decodes all cases with one of the models.
fn outputs(scene: &Scene, model: &Transformer, cases: &[Case], how: How) -> Result<BTreeMap<String, Output>, Failure> {
    let requests = cases
        .iter()
        .map(|case| {
            let (id, prompt, budget) = (case.id.clone(), case.prompt.clone(), Some(case.budget));
            Ok(match how.level {
                Level::None => Request::new(id, prompt, budget, Unconstrained),
                level => {
                    let constraint = case.constraint(level, &scene.vocabulary)?;
                    Request::new(id, prompt, budget, Masked::new(constraint))
                }
            })
        })
        .collect::<Result<Vec<Request>, Failure>>()?;
    let longest = cases.iter().map(|case| case.budget).max().unwrap_or(1);
    let prompts = cases.iter().map(|case| case.prompt.as_slice());
    let layout = Layout::plan(12, model.config().context, Some(longest), prompts);
    let settings = Settings::new(layout, how.sampling);
    let (mut found, mut failed) = (BTreeMap::new(), None);
    let on_end = |ended: Ended| match ended.outcome {
        Ok(output) => {
            found.insert(ended.id, output);
            ControlFlow::Continue(())
        }
        Err(error) => {
            failed = Some(error.to_string());
            ControlFlow::Break(())
        }
    };
    decode(&mut TransformerModel::new(model), &scene.vocabulary, &settings, requests, on_end)?;
    match failed {
        Some(error) => Err(Failure::Other(error)),
        None => Ok(found),
    }
}

fn compare(pair: &Pair, scene: &Scene, how: How) -> Result<Tally, Failure> {
    let cases = cases(scene, pair.quick, how.level)?;
    let got = outputs(scene, &scene.there, &cases, how)?;
    let expected = outputs(scene, &scene.here, &cases, how)?;
    let mut tally = Tally::within(pair.tolerances.logits);
    for case in &cases {
        let (Some(got), Some(expected)) = (got.get(&case.id), expected.get(&case.id)) else {
            tally.tell(|| format!("{}: no output", case.id));
            continue;
        };
        let tokens = |output: &Output| output.tokens.iter().map(|token| token.token).collect::<Vec<u32>>();
        let (got, expected) = (tokens(got), tokens(expected));
        let same = got.iter().zip(&expected).take_while(|(a, b)| a == b).count();
        tally.cases += same;
        let (Some(&token), Some(&wanted)) = (got.get(same), expected.get(same)) else {
            if got.len() != expected.len() {
                tally.tell(|| format!("{}: {} tokens for {}", case.id, got.len(), expected.len()));
            }
            continue;
        };
        tally.cases += 1;
        let place = Place { case, how: how.sampling, level: how.level, written: &expected[..same] };
        match tie(scene, &place, token, wanted)? {
            Tie { margin, .. } if margin <= 2.0 * pair.tolerances.logits => tally.near_ties += 1,
            Tie { margin, unit } => {
                tally.worst = f64::INFINITY;
                tally.tell(|| {
                    format!(
                        "{}: token {same} is {token} for {wanted}, which the reference has {margin:.3} {unit} apart",
                        case.id
                    )
                });
            }
        }
    }
    Ok(tally)
}

/// Where two outputs part.
pub(super) struct Place<'a> {
    pub case: &'a Case,
    pub how: Sampling,
    pub level: Level,
    /// The tokens before.
    pub written: &'a [u32],
}
