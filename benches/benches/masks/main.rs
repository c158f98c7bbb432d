//! How long masks take, beside other engines, on the same walks in the same process.
//!
//! `cargo bench -p gramask-benches --features engines --bench masks` runs criterion's benches of this engine, then measures all engines on the
//! languages of some sentences, then this engine on a whole corpus. It prints the tables and writes `target/masks.csv`.
//!
//! | variable | |
//! |---|---|
//! | `GRAMASK_BENCH_PARTS` | which of `criterion,engines,compile,corpus`; all without it |
//! | `GRAMASK_BENCH_FORMATS` | formats by name, with commas between |
//! | `GRAMASK_BENCH_VOCABULARIES` | `llama-3.1`, `smollm2` or both |
//! | `GRAMASK_BENCH_PEERS` | `all` measures the other engines with every vocabulary, not only the first; `0` leaves them out |
//! | `GRAMASK_BENCH_SECONDS` | the most time for each format and level of the corpus, 20 without it |
//! | `GRAMASK_WRITE_DOCS` | `1` puts the tables into `docs/mask-engine.md`, between their marks |
//!
//! | file | |
//! |---|---|
//! | `ours.rs`, `corpus.rs`, `standard.rs` | this engine: the same walks as the others, a whole corpus, criterion |
//! | `peer.rs` | what an engine must be able to do, the timing, and the comparison of its masks with ours |
//! | `llguidance.rs`, `xgrammar.rs`, `outlines.rs`, `kbnf.rs` | the others |
//! | `jobs.rs` | the second process in which engines are timed, so that one that hangs can be cut off |
//! | `table.rs` | CSV and Markdown |
//!
//! Every engine gets the language of format, level and document as a plain grammar in its own notation. Whether it computes
//! the same masks is compared at every state, not taken for granted: an engine that computes others is marked.

// A bench prints.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod corpus;
mod jobs;
mod kbnf;
mod llguidance;
mod memory;
mod ours;
mod outlines;
mod peer;
mod standard;
mod stats;
mod table;
mod texts;
mod vocabularies;
mod xgrammar;

use criterion::Criterion;
use serde_json::Value;

use vocabularies::{NAMES, Named};

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

fn main() -> std::io::Result<()> {
    if jobs::is_second() {
        return Ok(());
    }
    let parts = std::env::var("GRAMASK_BENCH_PARTS").unwrap_or_default();
    let wanted = |part: &str| parts.is_empty() || parts.split(',').any(|wanted| wanted == part);
    if wanted("criterion") {
        let mut criterion = Criterion::default().configure_from_args();
        standard::all(&mut criterion);
        criterion.final_summary();
    }
    // As a test, without `--bench`, one round of the above is all; with a filter only that was asked for.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") || arguments.len() > 1 {
        return Ok(());
    }
    let write = std::env::var("GRAMASK_WRITE_DOCS").is_ok_and(|write| write == "1");
    for missing in NAMES.iter().filter_map(|name| vocabularies::path(name).err()) {
        eprintln!("{missing}");
    }
    let mut masks = String::new();
    if wanted("engines") {
        let jobs = jobs::jobs();
        let mut done = 0;
        let rows = jobs::run(&jobs, |row| {
            done += 1;
            eprintln!("{done} of {}: {}", jobs.len(), brief(row));
        })?;
        println!("{}", table::write_csv(&rows)?.display());
        masks += &table::engines(&rows);
    }
    let named = NAMES.iter().find_map(|name| Named::load(name).ok());
    if let Some(named) = named.as_ref().filter(|_| wanted("compile")) {
        let schema = texts::mini().schema;
        let overhead = stats::overhead();
        let formats = texts::formats();
        let rows = formats.iter().map(|format| ours::compile_times(format, &schema, &named.vocabulary, overhead));
        masks += &table::compilation(&rows.collect::<Vec<Value>>());
    }
    println!("{masks}");
    if write && wanted("engines") && wanted("compile") {
        table::into_docs("masks", &masks)?;
    }
    if let Some(named) = named.as_ref().filter(|_| wanted("corpus")) {
        let (documents, missing) = corpus::read();
        if let Some(missing) = &missing {
            eprintln!("{missing}");
        }
        let rows = corpus::measure(named, &documents, |row| {
            eprintln!("{} {}: {} tokens", row["format"], row["level"], row["tokens"]);
        });
        let text = table::corpus(&rows);
        println!("{text}");
        if write && missing.is_none() {
            table::into_docs("corpus", &text)?;
        }
    }
    Ok(())
}

/// A row in one line.
fn brief(row: &Value) -> String {
    let name = |name: &str| row[name].as_str().unwrap_or_default().to_string();
    let mean = |time: &str| row[time]["mean"].as_f64().map_or("-".into(), |mean| format!("{mean:.2}"));
    format!(
        "{} {} {} {}: compile {} us, first {} us, again {} us, {} of {} masks differ {}",
        name("vocabulary"),
        name("format"),
        name("level"),
        name("engine"),
        mean("compile"),
        mean("cold"),
        mean("warm"),
        row["different"],
        row["states"],
        row["notes"]
    )
}
