//! What repair makes of a run's unconstrained outputs: `RECORDS=runs/NAME/records.jsonl cargo test --release -p gramask-grammar --
//! --ignored repair::records --nocapture`, with the corpora's folder in `GRAMASK_DATA`.

use std::collections::BTreeMap;
use std::time::Instant;

use gramask_grammar::Edits;
use gramask_ner::{Document, Entity, corpus};

use super::{check, passes};

#[derive(Default)]
struct Row {
    documents: usize,
    /// Read without an error, and without a problem.
    read: usize,
    clean: usize,
    /// Right, found and gold entities, before and after.
    before: [usize; 3],
    after: [usize; 3],
    edits: BTreeMap<&'static str, usize>,
    slowest: f64,
}

fn score(counts: &mut [usize; 3], gold: &[Entity], found: &[Entity]) {
    counts[0] += found.iter().filter(|entity| gold.contains(entity)).count();
    counts[1] += found.len();
    counts[2] += gold.len();
}

fn f1([right, found, gold]: [usize; 3]) -> f64 {
    200.0 * right as f64 / (found + gold).max(1) as f64
}

#[test]
#[ignore = "needs a run and its corpus"]
#[allow(clippy::print_stdout)]
fn records() {
    let Ok(path) = std::env::var("RECORDS") else { return };
    let shown = std::env::var("SHOW").ok();
    let corpus = corpus::find("ncbi-disease", "test").unwrap().0.into_sentences();
    let documents: BTreeMap<&str, &Document> =
        corpus.documents.iter().map(|document| (document.id.as_str(), document)).collect();
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let (name, output) = (text("format"), text("output"));
        let Some(document) = documents.get(text("document").as_str()).filter(|_| text("level") == "none") else {
            continue;
        };
        let programs = passes(&name, &corpus);
        let [program] = &programs[..] else { continue };
        let row = rows.entry(name.clone()).or_default();
        let read = program.read(&document.text, output.as_bytes());
        let start = Instant::now();
        let repaired = check(program, &document.text, output.as_bytes());
        row.slowest = row.slowest.max(start.elapsed().as_secs_f64());
        row.documents += 1;
        row.read += usize::from(read.is_ok());
        row.clean += usize::from(repaired.edits == Edits::default());
        let read = read.map(|reading| reading.entities).unwrap_or_default();
        score(&mut row.before, &document.entities, &read);
        score(&mut row.after, &document.entities, &repaired.entities);
        for (kind, count) in repaired.edits.by_kind() {
            *row.edits.entry(kind).or_default() += count;
        }
        if shown.as_deref() == Some(&name) && repaired.edits != Edits::default() {
            let surfaces = |entities: &[Entity]| {
                entities
                    .iter()
                    .map(|entity| document.text.slice(entity.extent()).unwrap_or("?").to_owned())
                    .collect::<Vec<_>>()
            };
            println!(
                "{}\n  wrote {output:?}\n  gold {:?}, read {:?}, repaired {:?}",
                document.text.as_str(),
                surfaces(&document.entities),
                surfaces(&read),
                surfaces(&repaired.entities)
            );
        }
    }
    for (name, row) in rows {
        let Row { documents, read, clean, before, after, edits, slowest } = row;
        println!(
            "{name}: {documents} outputs, {read} read, {clean} without a problem; F1 {:.2} ({before:?}) becomes {:.2} ({after:?}); at most {:.1} ms; {edits:?}",
            f1(before),
            f1(after),
            1e3 * slowest
        );
    }
}
