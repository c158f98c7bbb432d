//! The engine over a whole corpus: every token of every sentence's gold output, all formats and both levels, one thread.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use gramask_grammar::{Constraint, Level, Mask, Program};
use gramask_ner::{Corpus, Document, corpus};
use serde_json::{Value, json};

use crate::memory;
use crate::stats::{Times, micros, overhead};
use crate::texts;
use crate::vocabularies::Named;

/// Sentences whose constraints are kept for the memory of live documents.
const LIVE: usize = 200;

/// The sentences of BC5CDR's test part, and beside them the name; the small corpus of the program where it is missing.
pub fn read() -> (Corpus, Option<String>) {
    match corpus::find("bc5cdr", "test") {
        Ok((corpus, _)) => (corpus.into_sentences(), None),
        Err(error) => (texts::mini(), Some(format!("{error}; the small corpus of the program is taken in its place"))),
    }
}

/// One row for each format and level. `GRAMASK_BENCH_SECONDS` bounds the time of each, writing the outputs left out.
pub fn measure(named: &Named, corpus: &Corpus, mut tell: impl FnMut(&Value)) -> Vec<Value> {
    let seconds = std::env::var("GRAMASK_BENCH_SECONDS").ok().and_then(|text| text.parse().ok());
    let seconds: f64 = seconds.unwrap_or(20.0);
    let overhead = overhead();
    let mut rows = Vec::new();
    for format in texts::formats() {
        let program = texts::program(&format, &corpus.schema);
        let outputs = outputs(named, &program, &corpus.documents);
        for level in [Level::Syntax, Level::Grounded] {
            let mut pass = Pass::new(named, overhead);
            let begin = Instant::now();
            let mut documents = 0;
            for (document, tokens) in corpus.documents.iter().zip(&outputs) {
                if micros(begin.elapsed()) > seconds * 1e6 {
                    break;
                }
                documents += 1;
                let Some(tokens) = tokens else { continue };
                let vocabulary = Arc::clone(&named.vocabulary);
                let new = || Constraint::new(Arc::clone(&program), &document.text, level, vocabulary);
                if let Ok(constraint) = pass.new.time(new) {
                    pass.walk(constraint, tokens);
                }
            }
            let mut row = pass.to_json();
            row["format"] = json!(format.name);
            row["level"] = json!(level.to_string());
            row["corpus"] = json!(corpus.name);
            row["documents"] = json!(documents);
            row["of"] = json!(corpus.documents.len());
            tell(&row);
            rows.push(row);
        }
    }
    rows
}

/// The gold outputs in tokens, `None` for documents that have none in this format. On all processors: it is not timed.
fn outputs(named: &Named, program: &Arc<Program>, documents: &[Document]) -> Vec<Option<Vec<u32>>> {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    let output = |document: &Document| {
        let written = program.write(&document.text, &document.entities).ok()?;
        Some(named.output(&written.text))
    };
    let parts = documents.chunks(documents.len().div_ceil(threads).max(1));
    std::thread::scope(|scope| {
        let work = |part: &'_ [Document]| part.iter().map(output).collect::<Vec<_>>();
        let threads: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    })
}

/// One format and level.
struct Pass<'a> {
    named: &'a Named,
    new: Times,
    /// Mask and step of a token together: all that a sequence waits for.
    token: Times,
    mask: Times,
    step: Times,
    /// Constraints kept alive, and the memory when the first half of them was there and when all were.
    live: Vec<Constraint>,
    before: isize,
    half: isize,
    all: isize,
}

impl<'a> Pass<'a> {
    fn new(named: &'a Named, overhead: f64) -> Self {
        Pass {
            named,
            new: Times::new(overhead),
            token: Times::new(overhead),
            mask: Times::new(overhead),
            step: Times::new(overhead),
            live: Vec::with_capacity(LIVE),
            before: memory::live(),
            half: 0,
            all: 0,
        }
    }

    fn walk(&mut self, mut constraint: Constraint, tokens: &[u32]) {
        let mut state = constraint.start();
        for &token in tokens {
            self.mask.time(|| matches!(black_box(constraint.allowed(state)), Mask::Few(_)));
            let next = self.step.time(|| constraint.advance(state, token));
            self.token.push(self.mask.last() + self.step.last());
            match next {
                Some(next) if next != Constraint::ENDED => state = next,
                _ => break,
            }
        }
        if self.live.len() < LIVE {
            self.live.push(constraint);
            // The lists of times grow meanwhile: they are no part of it.
            let own = (self.new.len() + 3 * self.token.len()) as isize * 8;
            match self.live.len() {
                n if n == LIVE / 2 => self.half = memory::live() - self.before - own,
                LIVE => self.all = memory::live() - self.before - own,
                _ => {}
            }
        }
    }

    fn to_json(&self) -> Value {
        // What documents share is there with the first half already.
        let each = (self.all - self.half) as f64 / (LIVE / 2) as f64;
        let thousand = self.all as f64 + each * (1000 - LIVE) as f64;
        let known = self.all > 0;
        let tokens = self.token.len().max(1) as f64;
        json!({
            "tokens": self.token.len(), "new": self.new.summary(), "token": self.token.summary(), "mask": self.mask.summary(),
            "step": self.step.summary(),
            "with_new": (self.token.sum() + self.new.sum()) / tokens,
            "live_kb": known.then(|| each / 1e3), "thousand_mb": known.then(|| thousand / 1e6),
            "vocabulary": self.named.name,
        })
    }
}
