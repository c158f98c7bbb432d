//! The measurements as jobs of a second process, so that an engine that hangs, overflows its stack or takes all memory can
//! be cut off. All engines of a job list run in that one process, one after the other, on the same walks.
//!
//! The second process prints a line before each step that may hang (`at NUMBER WHAT`) and one for each job that is done
//! (`row NUMBER JSON`). Where no line comes for [`PATIENCE`] it is ended, the job is written down as cut off, and another
//! process goes on without it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use gramask_grammar::{ExpandLimits, Format, Level, Plain, Program, expand};
use gramask_ner::{Document, Schema, Text};
use serde_json::{Value, json};

use crate::kbnf::KbnfEngine;
use crate::llguidance::{Llguidance, Slices};
use crate::ours::Ours;
use crate::outlines::Outlines;
use crate::peer::{Engine, Measured, Walk};
use crate::stats::overhead;
use crate::texts;
use crate::vocabularies::{self, NAMES, Named};
use crate::xgrammar::Xgrammar;

/// An engine that takes longer than this to compile a grammar, or for a walk, is cut off.
const PATIENCE: Duration = Duration::from_secs(20);

/// So many documents are walked over.
const DOCUMENTS: usize = 4;

/// At level `syntax` a document matters only as a bound on the length of what is written. It is taken several times over
/// there, so that no bound is met on a walk, and the grammars of the others get none: they would count to it, which costs
/// some of them seconds, and no person would ask them to.
const TIMES: usize = 5;

/// Set in the second process: the job to begin with.
const FROM: &str = "GRAMASK_MASKS_FROM";

/// The engines, ours first.
pub const ENGINES: [&str; 6] =
    ["gramask", "llguidance", "llguidance, tuned slices", "xgrammar-rs", "outlines-core", "kbnf"];

/// One engine on one language.
pub struct Job {
    pub vocabulary: &'static str,
    pub format: Format,
    pub level: Level,
    pub engine: &'static str,
}

impl Job {
    fn row(&self, mut measured: Value) -> Value {
        measured["vocabulary"] = json!(self.vocabulary);
        measured["format"] = json!(self.format.name);
        measured["level"] = json!(self.level.to_string());
        measured["engine"] = json!(self.engine);
        measured
    }

    fn failed(&self, note: String) -> Value {
        self.row(json!({ "documents": 0, "states": 0, "different": 0, "notes": [note] }))
    }
}

/// All jobs. The other engines are measured with the first vocabulary that is there; `GRAMASK_BENCH_PEERS` says `all` or `0`.
pub fn jobs() -> Vec<Job> {
    let set = |name: &str| std::env::var(name).unwrap_or_default();
    let (peers, chosen) = (set("GRAMASK_BENCH_PEERS"), set("GRAMASK_BENCH_VOCABULARIES"));
    let mut jobs: Vec<Job> = Vec::new();
    for vocabulary in NAMES {
        let unwanted = !chosen.is_empty() && !chosen.split(',').any(|name| name == vocabulary);
        if unwanted || vocabularies::path(vocabulary).is_err() {
            continue;
        }
        let engines = match peers.as_str() {
            "0" => &ENGINES[..1],
            "all" => &ENGINES[..],
            _ if jobs.is_empty() => &ENGINES[..],
            _ => &ENGINES[..1],
        };
        for format in texts::formats() {
            for level in [Level::Syntax, Level::Grounded] {
                jobs.extend(engines.iter().map(|engine| Job { vocabulary, format: format.clone(), level, engine }));
            }
        }
    }
    jobs
}

/// Whether this is the second process; then it does the jobs.
pub fn is_second() -> bool {
    let Some(from) = std::env::var(FROM).ok().and_then(|from| from.parse().ok()) else {
        return false;
    };
    let jobs = jobs();
    let mut bench: Option<Bench> = None;
    for (number, job) in jobs.iter().enumerate().skip(from) {
        println!("at {number} reading the vocabulary");
        if bench.as_ref().is_none_or(|bench| bench.named.name != job.vocabulary) {
            bench = match Named::load(job.vocabulary) {
                Ok(named) => Some(Bench::new(named)),
                Err(error) => {
                    println!("row {number} {}", job.failed(error));
                    continue;
                }
            };
        }
        if let Some(bench) = &mut bench {
            println!("row {number} {}", bench.measure(number, job));
        }
    }
    true
}

/// Does the jobs in a second process; `tell` hears of each row.
pub fn run(jobs: &[Job], mut tell: impl FnMut(&Value)) -> std::io::Result<Vec<Value>> {
    let mut rows = Vec::new();
    while rows.len() < jobs.len() {
        let mut second = Command::new(std::env::current_exe()?)
            .env(FROM, rows.len().to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (send, lines) = channel();
        let stdout = second.stdout.take();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stdout.into_iter().next()?).lines() {
                send.send(line.ok()?).ok()?;
            }
            Some(())
        });
        let mut at = String::from("starting");
        let why = loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => match line.split_once(' ') {
                    Some(("at", what)) => at = what.split_once(' ').map_or(what, |(_, what)| what).to_string(),
                    Some(("row", row)) => {
                        let json = row.split_once(' ').map_or(row, |(_, json)| json);
                        let row = serde_json::from_str(json).unwrap_or_else(|_| jobs[rows.len()].failed(json.into()));
                        tell(&row);
                        rows.push(row);
                        at = "the next job".into();
                    }
                    _ => {}
                },
                Err(RecvTimeoutError::Timeout) => {
                    break format!("cut off: more than {} s for {at}", PATIENCE.as_secs());
                }
                Err(RecvTimeoutError::Disconnected) => break format!("the engine ended the program at {at}"),
            }
        };
        // It may have ended by itself.
        let _ = second.kill();
        second.wait()?;
        let _ = reader.join();
        if let Some(job) = jobs.get(rows.len()) {
            let row = job.failed(why);
            tell(&row);
            rows.push(row);
        }
    }
    Ok(rows)
}

/// A grammar in which what may be repeated at least so often may be repeated without end; all notations write it alike.
fn unbounded(grammar: &str, least: usize) -> String {
    let mut parts = grammar.split("{1,");
    let mut out = String::from(parts.next().unwrap_or_default());
    for part in parts {
        let bound = part.split_once('}').and_then(|(bound, rest)| Some((bound.parse::<usize>().ok()?, rest)));
        match bound.filter(|(bound, _)| *bound >= least) {
            Some((_, rest)) => out += &format!("+{rest}"),
            None => out += &format!("{{1,{part}"),
        }
    }
    out
}

/// The second process at work.
struct Bench {
    named: Named,
    overhead: f64,
    schema: Schema,
    /// Sentences for level `syntax`, and beginnings of some for `grounded`, whose plain grammars grow with the square of the length.
    documents: [Vec<Document>; 2],
    engines: HashMap<&'static str, Result<Box<dyn Engine>, String>>,
    /// What all engines share, of the format and level at hand.
    shared: Option<Shared>,
}

struct Shared {
    format: String,
    level: Level,
    walks: Vec<(Text, Walk)>,
    plain: HashMap<usize, Result<Plain, String>>,
    program: Arc<Program>,
    measured: Value,
}

impl Bench {
    fn new(named: Named) -> Bench {
        Bench {
            named,
            overhead: overhead(),
            schema: texts::mini().schema,
            documents: [texts::sentences(DOCUMENTS), texts::beginnings(DOCUMENTS)],
            engines: HashMap::new(),
            shared: None,
        }
    }

    fn measure(&mut self, number: usize, job: &Job) -> Value {
        let known = |shared: &Shared| shared.format == job.format.name && shared.level == job.level;
        if !self.shared.as_ref().is_some_and(known) {
            println!("at {number} our own walks");
            self.shared = Some(self.share(job));
        }
        if job.engine == ENGINES[0] {
            let measured = self.shared.as_ref().map(|shared| shared.measured.clone());
            return job.row(measured.unwrap_or_default());
        }
        println!("at {number} its vocabulary");
        let vocabulary = Arc::clone(&self.named.vocabulary);
        let engine = self.engines.entry(job.engine).or_insert_with(|| {
            Ok(match job.engine {
                "llguidance" => Box::new(Llguidance::new(&vocabulary, Slices::General)?),
                "llguidance, tuned slices" => Box::new(Llguidance::new(&vocabulary, Slices::Tuned)?),
                "xgrammar-rs" => Box::new(Xgrammar::new(&vocabulary)?),
                "outlines-core" => Box::new(Outlines::new(&vocabulary)?),
                _ => Box::new(KbnfEngine::new(&vocabulary)?),
            })
        });
        let (engine, shared) = match (engine, &mut self.shared) {
            (Ok(engine), Some(shared)) => (engine, shared),
            (Err(error), _) => return job.failed(error.clone()),
            (_, None) => return job.failed("no walk".into()),
        };
        if let Err(error) = engine.prepare(&texts::free(&job.format)) {
            return job.failed(error);
        }
        let mut measured = Measured::new(self.overhead);
        if job.engine.starts_with("llguidance") && job.format.nests() && job.level == Level::Syntax {
            measured.note("its lexemes are single characters here; with whole texts as lexemes it is faster".into());
        }
        for (at, (text, walk)) in shared.walks.iter().enumerate() {
            println!("at {number} expanding the grammar");
            let plain = shared.plain.entry(at).or_insert_with(|| {
                let limits = ExpandLimits { counted: 0, ..ExpandLimits::default() };
                expand(&shared.program, text, job.level, limits).map_err(|error| error.to_string())
            });
            let grammar = match plain {
                Ok(plain) => engine.print(plain),
                Err(error) => Err(error.clone()),
            };
            let grammar = grammar.map(|grammar| match job.level {
                Level::Syntax => unbounded(&grammar, text.len()),
                _ => grammar,
            });
            println!("at {number} compiling");
            let done = grammar.and_then(|grammar| {
                measured.measure(&**engine, &grammar, walk, &self.named.vocabulary, || {
                    println!("at {number} a walk");
                })
            });
            if let Err(error) = done {
                measured.note(error);
                break;
            }
        }
        job.row(measured.to_json())
    }

    /// Our own measurements, with the masks that the others' are compared with.
    fn share(&self, job: &Job) -> Shared {
        let program = texts::program(&job.format, &self.schema);
        let mut ours = Ours::new(self.overhead);
        let mut walks = Vec::new();
        for document in &self.documents[usize::from(job.level == Level::Grounded)] {
            let Ok(written) = program.write(&document.text, &document.entities) else {
                continue;
            };
            let tokens = self.named.output(&written.text);
            let vocabulary = &self.named.vocabulary;
            let text = match job.level {
                Level::Syntax => Text::new([document.text.as_str()].repeat(TIMES).join(" ")),
                _ => document.text.clone(),
            };
            if let Ok(walk) = ours.walk(&program, &text, job.level, vocabulary, &tokens) {
                walks.push((text, walk));
            }
        }
        Shared {
            format: job.format.name.clone(),
            level: job.level,
            walks,
            plain: HashMap::new(),
            program,
            measured: ours.to_json(),
        }
    }
}
