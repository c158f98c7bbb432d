//! How long masks take: printed, not asserted. `cargo test --release -- speed --nocapture` shows it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gramask_grammar::{Constraint, Level, Token, Vocabulary};
use gramask_ner::Text;
use gramask_random::Rng;

use crate::support::formats;
use crate::support::walk::{allowed, draw};

/// Forty words, some of them more than once.
const SENTENCE: &str = "In unanesthetized, spontaneously hypertensive rats the decrease in blood pressure and heart rate produced by \
    intravenous clonidine, 5 to 20 micrograms/kg, was inhibited or reversed by naloxone; naloxone alone did not affect \
    blood pressure or heart rate.";

const LABELS: [&str; 10] = [
    "Chemical",
    "Disease",
    "Gene_or_protein",
    "Gene",
    "Species",
    "CellLine",
    "Phenotype",
    "Genomic_variation",
    "Factor",
    "X",
];

/// Fifty thousand tokens: bytes, what formats write, and words made of syllables, bare and with a blank before them.
fn vocabulary() -> Arc<Vocabulary> {
    let mut tokens: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
    let syntax = [
        "{\"", "\":\"", "\",\"", "\"}", "},{\"", "\"]", "[]", "[\"", "</", "><", "<", " [", " |", "(B-", "(O)", ") ",
        " O", "B-", "I-", ", ", "(\"", "\", \"", "\")",
    ];
    tokens.extend(syntax.iter().map(|text| text.as_bytes().to_vec()));
    let words = SENTENCE.split(' ').chain(LABELS);
    for word in words {
        for end in 1..=word.len() {
            tokens.push(word.as_bytes()[..end].to_vec());
            tokens.push([b" ", &word.as_bytes()[..end]].concat());
        }
    }
    let syllables: Vec<String> =
        "bcdfghklmnprst".chars().flat_map(|c| "aeiou".chars().map(move |v| format!("{c}{v}"))).collect();
    let mut rng = Rng::new(1);
    tokens.extend((0..1000).map(|number| number.to_string().into_bytes()));
    while tokens.len() < 50_000 {
        let mut word: String = (0..1 + rng.below(4)).map(|_| rng.pick(&syllables).as_str()).collect();
        if rng.below(2) == 0 {
            word.insert(0, ' ');
        }
        tokens.push(word.into_bytes());
    }
    tokens.sort();
    tokens.dedup();
    let mut tokens: Vec<Token> = tokens.into_iter().map(Token::new).collect();
    tokens.push(Token::special("<end>"));
    let end = tokens.len() as u32 - 1;
    Vocabulary::new(tokens, vec![end]).unwrap()
}

/// Mean and worst of some durations.
#[derive(Default)]
struct Times {
    sum: Duration,
    worst: Duration,
    number: u32,
}

impl Times {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = work();
        let took = begin.elapsed();
        self.sum += took;
        self.worst = self.worst.max(took);
        self.number += 1;
        result
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mean = self.sum / self.number.max(1);
        write!(f, "{:>8.1} {:>9.1}", mean.as_secs_f64() * 1e6, self.worst.as_secs_f64() * 1e6)
    }
}

#[test]
fn speed_of_masks() {
    let vocabulary = vocabulary();
    let text = Text::new(SENTENCE);
    println!("{} tokens, {} words; microseconds, mean and worst", vocabulary.len(), text.words().len());
    println!("{:<32} {:>8} {:>18} {:>18} {:>18}  states masks", "", "new", "first mask", "step", "finish");
    for name in formats::names() {
        if std::env::var("FORMAT").is_ok_and(|only| only != name) {
            continue;
        }
        for level in [Level::Syntax, Level::Grounded] {
            let program = formats::program(name, &LABELS);
            let (mut new, mut mask, mut step, mut finish) =
                (Times::default(), Times::default(), Times::default(), Times::default());
            let mut constraint = new.time(|| Constraint::new(program, &text, level, Arc::clone(&vocabulary))).unwrap();
            let mut rng = Rng::new(7);
            let mut left = 150;
            while left > 0 {
                let mut state = constraint.start();
                let mut output = String::new();
                while left > 0 && state != Constraint::ENDED {
                    left -= 1;
                    let tokens = mask.time(|| allowed(constraint.mask(state)));
                    let token = draw(&mut rng, &vocabulary, &tokens);
                    output.push_str(&String::from_utf8_lossy(vocabulary.text(token).unwrap_or_default()));
                    if std::env::var("SLOW").is_ok() && mask.worst > Duration::from_millis(50) {
                        println!("slow mask after {output:?}: {mask}");
                        mask = Times::default();
                    }
                    state = step.time(|| constraint.advance(state, token)).expect("an allowed token leads on");
                    if state != Constraint::ENDED {
                        finish.time(|| constraint.tokens_to_finish(state));
                    }
                }
            }
            let (states, masks) = constraint.visited();
            let new = new.worst.as_secs_f64() * 1e6;
            println!("{:<32} {new:>8.0} {mask} {step} {finish}  {states} {masks}", format!("{name} {level}"));
        }
    }
}
