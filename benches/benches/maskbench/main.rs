//! MaskBench: masks of JSON Schemas, beside other engines, in one process and on one thread.
//!
//! ```text
//! cargo bench -p gramask-benches --bench maskbench -- --data DIR
//! ```
//!
//! | option | what it is |
//! |---|---|
//! | `--data` | the folder of MaskBench's files: a `schema` and `tests` with `data` and `valid` |
//! | `--engines` | which of `gramask,llguidance,xgrammar-rs`, with commas between; the last one needs `--features engines` |
//! | `--limit` | at most so many files; 0: all |
//! | `--csv` | also write a row for each file and engine to this file |
//!
//! The method is that of MaskBench (<https://github.com/guidance-ai/jsonschemabench>): a schema is compiled; each instance is written as
//! Python's `json.dumps` does, and cut into tokens; for each token the mask is computed, the token is looked up in it, and the engine
//! goes on by the token. A valid instance passes if every token is allowed and the end after them. An invalid one passes if something
//! is not allowed. The time to the first mask is that of compilation and of the first mask. The time between masks is that of a mask
//! and of the step before it. Every file begins with an engine that knows the vocabulary and has not seen the schema.

// A bench prints.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod engines;
#[path = "../masks/vocabularies.rs"]
#[allow(dead_code)]
mod vocabularies;
#[cfg(feature = "engines")]
mod xgrammar_rs;

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use gramask_benches::Options;
use serde_json::Value;

use engines::{Engine, Walk, engine};
use vocabularies::Named;

/// What one file gave.
#[derive(Default)]
struct Outcome {
    /// Why the schema does not compile.
    refused: Option<String>,
    /// Valid instances that are not accepted, and invalid ones that are.
    rejected: usize,
    let_in: usize,
    /// An engine that failed in the middle.
    failed: Option<String>,
    /// Microseconds to the first mask, and between masks.
    first: f64,
    between: Vec<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(&[("data", ""), ("engines", "gramask,llguidance"), ("limit", "0"), ("csv", "")])?;
    if options.get("data").is_empty() {
        println!("MaskBench is not measured: give the folder of its files with --data");
        return Ok(());
    }
    let named = vocabularies::NAMES.iter().find_map(|name| Named::load(name).ok());
    let named = named.ok_or("no vocabulary in the cache: `gramask pull llama-3.1-vocabulary` brings one")?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(options.get("data"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let limit: usize = options.get("limit").parse()?;
    if limit > 0 {
        files.truncate(limit);
    }
    println!("{} files, vocabulary {} ({} tokens)", files.len(), named.name, named.vocabulary.len());
    let mut csv = String::from("engine,file,refused,rejected,let_in,failed,first_us,masks,mean_us,max_us\n");
    let mut columns = Vec::new();
    for name in options.get("engines").split(',') {
        let begin = memory();
        let mut engine = engine(name, &named)?;
        let mut outcomes = Vec::with_capacity(files.len());
        for (number, file) in files.iter().enumerate() {
            let outcome = measure(&mut *engine, &named, file)?;
            let max = outcome.between.iter().copied().fold(0.0, f64::max);
            let mean = outcome.between.iter().sum::<f64>() / outcome.between.len().max(1) as f64;
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            let quoted = |text: &Option<String>| {
                text.as_ref().map_or(String::new(), |text| format!("{:?}", text.replace('"', "'")))
            };
            writeln!(
                csv,
                "{name},{stem},{},{},{},{},{:.2},{},{mean:.3},{max:.2}",
                quoted(&outcome.refused),
                outcome.rejected,
                outcome.let_in,
                quoted(&outcome.failed),
                outcome.first,
                outcome.between.len()
            )?;
            outcomes.push(outcome);
            if (number + 1) % 100 == 0 {
                eprintln!("{name}: {} of {}", number + 1, files.len());
            }
        }
        columns.push((name.to_owned(), summary(&outcomes, memory().saturating_sub(begin))));
        if !options.get("csv").is_empty() {
            std::fs::write(options.get("csv"), &csv)?;
        }
    }
    println!("{}", table(&columns));
    Ok(())
}

/// Compiles the schema of a file, and walks its instances.
fn measure(engine: &mut dyn Engine, named: &Named, file: &PathBuf) -> Result<Outcome, Box<dyn Error>> {
    let source: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let schema = source["schema"].to_string();
    let mut outcome = Outcome::default();
    let clock = Instant::now();
    let mut walk = match engine.compile(&schema) {
        Ok(walk) => walk,
        Err(message) => {
            outcome.refused = Some(message);
            return Ok(outcome);
        }
    };
    let first = walk.mask();
    outcome.first = clock.elapsed().as_secs_f64() * 1e6;
    if let Err(message) = first {
        outcome.failed = Some(message);
        return Ok(outcome);
    }
    for test in source["tests"].as_array().into_iter().flatten() {
        let tokens = named.output(&dumps(&test["data"]));
        walk.reset();
        match accepts(&mut *walk, &tokens, &mut outcome.between) {
            Err(message) => outcome.failed = Some(message),
            Ok(accepted) => match (test["valid"].as_bool().unwrap_or(false), accepted) {
                (true, false) => outcome.rejected += 1,
                (false, true) => outcome.let_in += 1,
                _ => {}
            },
        }
    }
    Ok(outcome)
}

/// Whether all tokens are allowed, the end among them.
fn accepts(walk: &mut dyn Walk, tokens: &[u32], between: &mut Vec<f64>) -> Result<bool, String> {
    let Some((end, text)) = tokens.split_last() else { return Ok(false) };
    walk.mask()?;
    for &token in text {
        if !walk.allows(token) {
            return Ok(false);
        }
        let clock = Instant::now();
        let went = walk.advance(token);
        walk.mask()?;
        between.push(clock.elapsed().as_secs_f64() * 1e6);
        if !went {
            return Err("a token of the mask is refused".into());
        }
    }
    Ok(walk.allows(*end))
}

/// JSON as Python's `json.dumps(value, ensure_ascii=False)` writes it.
fn dumps(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(dumps).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members =
                members.iter().map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), dumps(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

/// The rows of an engine, each with its name.
fn summary(outcomes: &[Outcome], bytes: usize) -> Vec<(&'static str, String)> {
    let count = |is: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count().to_string();
    let passes = |outcome: &Outcome| {
        outcome.refused.is_none() && outcome.failed.is_none() && outcome.rejected == 0 && outcome.let_in == 0
    };
    let mut first: Vec<f64> =
        outcomes.iter().filter(|outcome| outcome.refused.is_none()).map(|outcome| outcome.first).collect();
    let mut between: Vec<f64> = outcomes.iter().flat_map(|outcome| outcome.between.iter().copied()).collect();
    first.sort_by(f64::total_cmp);
    between.sort_by(f64::total_cmp);
    let mut rows = vec![
        ("passing", count(&passes)),
        ("compile errors", count(&|outcome| outcome.refused.is_some())),
        ("valid instances rejected (files)", count(&|outcome| outcome.rejected > 0)),
        ("invalid instances accepted (files)", count(&|outcome| outcome.let_in > 0)),
        ("failures", count(&|outcome| outcome.failed.is_some())),
        ("masks", between.len().to_string()),
    ];
    let at = |times: &[f64], share: f64| {
        times.get(((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1))).copied()
    };
    let mean = |times: &[f64]| times.iter().sum::<f64>() / times.len().max(1) as f64;
    let shown = |time: Option<f64>| time.map_or("-".into(), |time| format!("{time:.1}"));
    for (name, time) in [
        ("time to first mask, mean, us", Some(mean(&first))),
        ("time to first mask, p50", at(&first, 0.5)),
        ("time to first mask, p90", at(&first, 0.9)),
        ("time to first mask, p99", at(&first, 0.99)),
        ("time to first mask, max", first.last().copied()),
        ("time between masks, mean, us", Some(mean(&between))),
        ("time between masks, p50", at(&between, 0.5)),
        ("time between masks, p90", at(&between, 0.9)),
        ("time between masks, p99", at(&between, 0.99)),
        ("time between masks, p99.9", at(&between, 0.999)),
        ("time between masks, max", between.last().copied()),
    ] {
        rows.push((name, shown(time)));
    }
    rows.push(("memory, MB", format!("{:.0}", bytes as f64 / 1e6)));
    rows
}

/// A table in Markdown with a column for each engine.
fn table(columns: &[(String, Vec<(&'static str, String)>)]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let mut out = format!("| | {} |\n|---|{}\n", names.join(" | "), "---:|".repeat(names.len()));
    let rows = columns.first().map_or(0, |(_, rows)| rows.len());
    for row in 0..rows {
        let values: Vec<&str> = columns.iter().map(|(_, rows)| rows[row].1.as_str()).collect();
        let _ = writeln!(out, "| {} | {} |", columns[0].1[row].0, values.join(" | "));
    }
    out
}

/// The resident memory of the process, in bytes; 0 where the system does not tell.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or(0) * 1024
}
