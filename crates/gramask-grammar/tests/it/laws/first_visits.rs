//! What masks cost a sequence whose states are all new, as in decoding: it prints figures.
//!
//! ```text
//! GRAMASK_TOKENIZER=tokenizer.json GRAMASK_DATA=data cargo test --release -p gramask-grammar --test it -- --ignored --nocapture first_visits
//! ```
//!
//! `FORMAT` takes one format (`all`: every one), `LEVEL` one level, `SENTENCES` the number of sentences. `TIGHT=no` leaves out
//! the masks for a budget.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gramask_grammar::{Constraint, Level, Program, Vocabulary, tokens_of};
use gramask_ner::{Document, corpus};
use gramask_random::Rng;

use crate::support::formats;
use crate::support::walk::{draw, real_vocabulary};

/// The formats that are timed unless others are asked for.
const FORMATS: [&str; 5] = ["json-list", "lines", "tuples", "json-offsets", "inline-xml"];

/// Each walk is made so often, and of each call the shortest time counts: what else runs on the machine does not.
const ROUNDS: usize = 3;

/// The times of one kind of call.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = work();
        self.0.push(begin.elapsed());
        result
    }

    /// Keeps the shorter time of each call.
    fn shorter(&mut self, other: &Times) {
        assert_eq!(self.0.len(), other.0.len(), "walks differ");
        self.0.iter_mut().zip(&other.0).for_each(|(time, other)| *time = (*time).min(*other));
    }

    fn micros(time: Duration) -> f64 {
        time.as_nanos() as f64 / 1000.0
    }

    fn mean(&self) -> f64 {
        Self::micros(self.0.iter().sum::<Duration>()) / self.0.len().max(1) as f64
    }

    fn at(&self, share: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted
            .get((sorted.len() * share / 100).min(sorted.len().saturating_sub(1)))
            .map_or(0.0, |time| Self::micros(*time))
    }
}

/// What a token costs: its mask, the step, and the number of tokens that are enough to finish. `tight` are masks for a budget.
#[derive(Default)]
struct Costs {
    mask: Times,
    step: Times,
    finish: Times,
    token: Times,
    tight: Times,
}

impl Costs {
    fn shorter(&mut self, other: &Costs) {
        let Costs { mask, step, finish, token, tight } = other;
        self.mask.shorter(mask);
        self.step.shorter(step);
        self.finish.shorter(finish);
        self.token.shorter(token);
        self.tight.shorter(tight);
    }
}

/// How a walk goes on.
enum Way<'a> {
    /// Along an output.
    Along(&'a [u32]),
    /// By tokens drawn at random, as long as an output is.
    Drawn(&'a mut Rng, usize),
}

impl Costs {
    /// One sequence, with a constraint of its own.
    fn walk(&mut self, constraint: &mut Constraint, mut way: Way) {
        let vocabulary = Arc::clone(constraint.vocabulary());
        let mut state = constraint.start();
        constraint.tokens_to_finish(state);
        let steps = match &way {
            Way::Along(tokens) => tokens.len(),
            Way::Drawn(_, steps) => *steps,
        };
        for at in 0..steps {
            let mask = self.mask.time(|| constraint.mask(state));
            let token = match &mut way {
                Way::Along(tokens) => tokens[at],
                Way::Drawn(rng, _) => draw(rng, &vocabulary, &tokens_of(mask).collect::<Vec<_>>()),
            };
            state = self.step.time(|| constraint.advance(state, token)).expect("an allowed token leads on");
            if state == Constraint::ENDED {
                self.mask.0.pop();
                self.step.0.pop();
                return;
            }
            self.finish.time(|| constraint.tokens_to_finish(state));
            let parts = [&self.mask, &self.step, &self.finish];
            self.token.0.push(parts.iter().filter_map(|times| times.0.last()).sum());
        }
    }

    /// The masks for a budget that is nearly used up, at each state of an output.
    fn tight(&mut self, constraint: &mut Constraint, tokens: &[u32]) {
        let mut state = constraint.start();
        for &token in tokens {
            let budget = constraint.tokens_to_finish(state) + 3;
            self.tight.time(|| constraint.mask_within(state, budget).len());
            state = constraint.advance(state, token).expect("an output is accepted");
        }
    }
}

fn measure(program: &Arc<Program>, vocabulary: &Arc<Vocabulary>, documents: &[Document], level: Level) -> [Costs; 2] {
    let (mut gold, mut drawn) = (Costs::default(), Costs::default());
    let mut rng = Rng::new(5);
    for document in documents {
        let Ok(written) = program.write(&document.text, &document.entities) else { continue };
        let tokens = vocabulary.cut(written.text.as_bytes()).expect("each byte has a token");
        let new = || Constraint::new(Arc::clone(program), &document.text, level, Arc::clone(vocabulary)).unwrap();
        gold.walk(&mut new(), Way::Along(&tokens));
        drawn.walk(&mut new(), Way::Drawn(&mut rng, tokens.len()));
        if std::env::var("TIGHT").as_deref() != Ok("no") {
            gold.tight(&mut new(), &tokens);
        }
    }
    [gold, drawn]
}

/// The shortest times of several rounds.
fn shortest(program: &Arc<Program>, vocabulary: &Arc<Vocabulary>, documents: &[Document], level: Level) -> [Costs; 2] {
    let mut all = measure(program, vocabulary, documents, level);
    for _ in 1..ROUNDS {
        let again = measure(program, vocabulary, documents, level);
        all.iter_mut().zip(&again).for_each(|(costs, again)| costs.shorter(again));
    }
    all
}

#[test]
#[ignore = "prints figures; needs a tokenizer and a corpus"]
fn first_visits() {
    let path = std::env::var("GRAMASK_TOKENIZER").expect("GRAMASK_TOKENIZER names a tokenizer.json");
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let vocabulary = real_vocabulary(&path);
    let corpus = corpus::find("bc5cdr", "test").unwrap().0.into_sentences();
    let documents = &corpus.documents[..number("SENTENCES", 200)];
    let labels: Vec<&str> = corpus.schema.labels().iter().map(String::as_str).collect();
    let names = match std::env::var("FORMAT") {
        Ok(name) if name == "all" => formats::names(),
        Ok(name) => formats::names().into_iter().filter(|known| *known == name).collect(),
        Err(_) => FORMATS.to_vec(),
    };
    let levels = match std::env::var("LEVEL") {
        Ok(level) => vec![level.parse().expect("a level")],
        Err(_) => vec![Level::Syntax, Level::Grounded],
    };
    println!("{} tokens, {} sentences; microseconds", vocabulary.len(), documents.len());
    println!(
        "| format | level | walk | tokens | token: mean | p50 | p99 | max | mask | step | finish | tight: mean | p99 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for name in names {
        let program = formats::program(name, &labels);
        for &level in &levels {
            for (walk, costs) in ["gold", "drawn"].iter().zip(shortest(&program, &vocabulary, documents, level)) {
                let Costs { mask, step, finish, token, tight } = &costs;
                println!(
                    "| {name} | {level} | {walk} | {} | {:.2} | {:.2} | {:.1} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.1} |",
                    token.0.len(),
                    token.mean(),
                    token.at(50),
                    token.at(99),
                    token.at(100),
                    mask.mean(),
                    step.mean(),
                    finish.mean(),
                    tight.mean(),
                    tight.at(99),
                );
            }
        }
    }
}
