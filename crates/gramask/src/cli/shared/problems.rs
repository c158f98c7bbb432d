//! What is wrong in corpora and in the outputs of a run, in words.

use anstyle::{AnsiColor, Style};

use gramask_ner::corpus::count_problems;

use crate::cli::{BROKEN, DONE, FAILED};
use crate::evaluate::{SummaryRow, broken_promises};
use crate::plan::PlannedCorpus;
use crate::store::{FaultKind, Record};

/// Names each kind of fault that reading a corpus went past, with its count and the first of the kind. `listed` is the
/// file that has all of them.
pub fn note_problems(corpus: &PlannedCorpus, listed: Option<&str>) {
    let count = corpus.problems.len();
    if count == 0 {
        return;
    }
    let listed = listed.map_or(String::new(), |file| format!("; {file} lists all"));
    let faults = if count == 1 { "1 fault was".to_string() } else { format!("{count} faults were") };
    anstream::eprintln!("note: in corpus `{}` {faults} passed over{listed}", corpus.name);
    for kind in count_problems(&corpus.problems) {
        anstream::eprintln!("  {} x {}; the first: {}", kind.count, kind.title, kind.first);
    }
}

/// Prints how many masked outputs independent parsers read, which documents could not be decoded and, in red, which outputs broke
/// the promise of their constraint and which cells decoded nothing. Returns the exit code.
pub fn report_problems(rows: &[SummaryRow], records: &[Record]) -> u8 {
    let masked: Vec<&SummaryRow> = rows.iter().filter(|row| row.level != "none").collect();
    let asked: usize = masked.iter().map(|row| row.independent_asked).sum();
    let read: usize = masked.iter().map(|row| row.independent_read).sum();
    if asked > 0 {
        anstream::eprintln!("independent parsers read {read} of {asked} masked outputs");
    }
    let kind = |record: &&Record| record.errors.iter().any(|fault| fault.kind == FaultKind::NotDecoded);
    let not_decoded: Vec<&Record> = records.iter().filter(kind).collect();
    if let Some(first) = not_decoded.first() {
        let why = first.errors.first().map_or("", |fault| fault.message.as_str());
        let count = not_decoded.len();
        anstream::eprintln!("{count} document(s) could not be decoded, the first in {}: {why}", first.cell);
    }
    let broken = broken_promises(records);
    let loud = Style::new().bold().fg_color(Some(AnsiColor::White.into())).bg_color(Some(AnsiColor::Red.into()));
    for record in broken.iter().take(5) {
        let why = record.errors.first().map_or("an independent parser refuses it", |fault| fault.message.as_str());
        anstream::eprintln!("{loud} BROKEN PROMISE {loud:#} {}, document {}: {why}", record.cell, record.document);
        anstream::eprintln!("  {}", record.output);
    }
    if !broken.is_empty() {
        anstream::eprintln!(
            "{loud} {} masked output(s) break the promise of their constraint {loud:#}: this is a bug of gramask, please report it",
            broken.len()
        );
    }
    let nothing: Vec<&SummaryRow> = rows.iter().filter(|row| row.decoded_nothing()).collect();
    if let Some(first) = nothing.first() {
        let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        let SummaryRow { model, corpus, format, level, strategy, .. } = first;
        let cells = rows.len();
        anstream::eprintln!(
            "{red}error{red:#}: no document was decoded in {} of {cells} cell(s), the first of them {model} {corpus} {format} {level} \
             {strategy}: they have no figures",
            nothing.len()
        );
    }
    match (broken.is_empty(), nothing.is_empty()) {
        (false, _) => BROKEN,
        (true, false) => FAILED,
        (true, true) => DONE,
    }
}
