//! The documents of a report, as JSON for the script of the page. Names are short and lists replace objects, since a page may hold
//! thousands of outputs and a hundred thousand tokens.
//!
//! `page/page.js` is the only reader, and uses the same names.

use std::collections::HashMap;

use gramask_decode::{Chosen, Finish};
use gramask_ner::Entity;
use gramask_ner::metrics::{VerdictKind, verdicts};
use serde::Serialize;
use serde_json::{Value, json};

use super::read::RunData;
use super::tally::Outcome;
use crate::experiment::Cell;
use crate::store::{FaultKind, Record, TraceToken, WrittenPrompt};

/// The most bytes of documents in a page. The page says how many documents it leaves out.
pub const MOST: usize = 16 << 20;

/// The data of the script.
#[derive(Debug, Serialize)]
pub struct Browser {
    /// The names of the runs: one, or the two that are compared.
    pub runs: Vec<String>,
    /// The cells.
    pub cells: Vec<BrowserCell>,
    /// How prompts begin. All prompts of a cell are alike up to the document, which is most of each of them.
    pub beginnings: Vec<String>,
    /// The documents, each as JSON.
    pub docs: Vec<Value>,
    /// The number of all documents, embedded or left out.
    pub of: usize,
}

/// A cell in the browser.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BrowserCell {
    corpus: String,
    model: String,
    format: String,
    level: String,
    strategy: String,
}

impl BrowserCell {
    /// Of a cell.
    pub fn of(cell: &Cell) -> BrowserCell {
        BrowserCell {
            corpus: cell.corpus.clone(),
            model: cell.model.clone(),
            format: cell.format.clone(),
            level: cell.level.to_string(),
            strategy: cell.strategy.to_string(),
        }
    }
}

/// An output to embed.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The run, from 0.
    pub run: usize,
    /// The cell, from 0.
    pub cell: usize,
    /// Its record.
    pub record: &'a Record,
}

/// A document with the outputs of all cells that have it.
#[derive(Debug)]
pub struct DocumentOutputs<'a> {
    /// Its identifier.
    pub id: &'a str,
    /// Its corpus.
    pub corpus: &'a str,
    /// Its text, where it is at hand.
    pub text: Option<&'a str>,
    /// The outputs.
    pub outputs: Vec<Shown<'a>>,
}

/// The documents of runs in the order of their corpora. `cells` has the cells to take of each run, with their numbers in the page.
pub fn by_document<'a>(runs: &[(&'a RunData, Vec<(usize, usize)>)]) -> Vec<DocumentOutputs<'a>> {
    let mut documents: Vec<DocumentOutputs<'a>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (run, (data, cells)) in runs.iter().enumerate() {
        for &(place, cell) in cells {
            let corpus = data.cells[place].corpus.as_str();
            for record in &data.records[place] {
                let id = record.document.as_str();
                let at = *places.entry((corpus, id)).or_insert_with(|| {
                    documents.push(DocumentOutputs {
                        id,
                        corpus,
                        text: data.corpora[corpus].texts.get(id).map(String::as_str),
                        outputs: Vec::new(),
                    });
                    documents.len() - 1
                });
                documents[at].outputs.push(Shown { run, cell, record });
            }
        }
    }
    documents
}

impl Browser {
    /// Embeds as many documents as fit into `most` bytes, each with all its outputs. The corpora take turns.
    ///
    /// # Errors
    /// When a document cannot be written as JSON.
    pub fn new(
        runs: Vec<String>,
        cells: Vec<BrowserCell>,
        documents: &[DocumentOutputs<'_>],
        most: usize,
    ) -> Result<Browser, serde_json::Error> {
        let mut corpora: Vec<&str> = Vec::new();
        for document in documents {
            if !corpora.contains(&document.corpus) {
                corpora.push(document.corpus);
            }
        }
        let of_corpus = |corpus: &str| {
            let places = documents.iter().enumerate().filter(move |(_, document)| document.corpus == corpus);
            places.map(|(place, _)| place).collect::<Vec<usize>>()
        };
        let queues: Vec<Vec<usize>> = corpora.iter().map(|corpus| of_corpus(corpus)).collect();
        let longest = queues.iter().map(Vec::len).max().unwrap_or(0);
        let in_turn = (0..longest).flat_map(|turn| queues.iter().filter_map(move |queue| queue.get(turn)));
        let (mut chosen, mut size) = (Vec::new(), 0);
        let beginnings = Beginnings::of(documents);
        for &place in in_turn {
            let value = document(&documents[place], &beginnings);
            size += serde_json::to_string(&value)?.len();
            if size > most && !chosen.is_empty() {
                break;
            }
            chosen.push((place, value));
        }
        chosen.sort_by_key(|(place, _)| *place);
        let docs = chosen.into_iter().map(|(_, value)| value).collect();
        Ok(Browser { runs, cells, beginnings: beginnings.texts, docs, of: documents.len() })
    }

    /// The content of a script element. Nothing in it can end the element or begin a comment.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn to_script(&self) -> Result<String, serde_json::Error> {
        let json = serde_json::to_string(self)?;
        // JSON has these characters only in strings.
        Ok(json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"))
    }
}

/// What the prompts of a run, a cell and a pass have in common.
struct Beginnings {
    texts: Vec<String>,
    /// The place of the text of a run, a cell and a pass.
    places: HashMap<(usize, usize, usize), usize>,
}

impl Beginnings {
    fn of(documents: &[DocumentOutputs<'_>]) -> Beginnings {
        let mut common: HashMap<(usize, usize, usize), &str> = HashMap::new();
        for shown in documents.iter().flat_map(|document| &document.outputs) {
            for (pass, prompt) in shown.record.prompts.iter().enumerate() {
                let text = prompt.text.as_str();
                let known = common.entry((shown.run, shown.cell, pass)).or_insert(text);
                let same = known.char_indices().zip(text.chars()).find(|((_, a), b)| a != b);
                let end = same.map_or(known.len().min(text.len()), |((at, _), _)| at);
                *known = &known[..end];
            }
        }
        let (mut texts, mut places): (Vec<String>, _) = (Vec::new(), HashMap::new());
        let mut sorted: Vec<_> = common.into_iter().collect();
        sorted.sort_unstable();
        for (key, text) in sorted {
            let place = texts.iter().position(|known| known == text).unwrap_or_else(|| {
                texts.push(text.to_owned());
                texts.len() - 1
            });
            places.insert(key, place);
        }
        Beginnings { texts, places }
    }

    /// `[place of the beginning, the rest]` for each pass of an output.
    fn rests(&self, shown: Shown<'_>) -> Vec<Value> {
        let passes = shown.record.prompts.iter().enumerate();
        let rest = |(pass, prompt): (usize, &WrittenPrompt)| {
            let place = self.places.get(&(shown.run, shown.cell, pass))?;
            Some(json!([place, prompt.text.get(self.texts.get(*place)?.len()..)?]))
        };
        passes.filter_map(rest).collect()
    }
}

fn document(document_outputs: &DocumentOutputs<'_>, beginnings: &Beginnings) -> Value {
    let gold: &[Entity] = document_outputs.outputs.first().map_or(&[], |shown| &shown.record.gold);
    json!({
        "id": document_outputs.id,
        "c": document_outputs.corpus,
        "t": document_outputs.text,
        "g": gold.iter().map(entity).collect::<Vec<_>>(),
        "o": document_outputs.outputs.iter().map(|shown| output(*shown, beginnings)).collect::<Vec<_>>(),
    })
}

/// `[label, [start, end], ...]`.
fn entity(entity: &Entity) -> Value {
    let fragments = entity.fragments.iter().map(|fragment| json!([fragment.start, fragment.end]));
    Value::Array([json!(entity.label)].into_iter().chain(fragments).collect())
}

fn output(shown: Shown<'_>, beginnings: &Beginnings) -> Value {
    let record = shown.record;
    let place = |list: &[Entity], found: Option<&Entity>| {
        // By address: an output may have the same entity twice.
        found.and_then(|found| list.iter().position(|entity| std::ptr::eq(entity, found)))
    };
    let held = verdicts(&record.gold, &record.entities).into_iter().map(|verdict| {
        json!([code(verdict.kind), place(&record.gold, verdict.gold), place(&record.entities, verdict.predicted),])
    });
    let faults = record.errors.iter().map(|fault| json!([fault_code(fault.kind), fault.label, fault.message]));
    let tokens = &record.tokens;
    let mut value = json!({
        "r": shown.run,
        "c": shown.cell,
        "s": record.cell.seed,
        "k": Outcome::of(record) as usize,
        "x": record.output,
        "e": record.entities.iter().map(entity).collect::<Vec<_>>(),
        "v": held.collect::<Vec<_>>(),
        "n": [tokens.prompt, tokens.output, tokens.sampled, tokens.forced, tokens.drafted],
        "w": short(record.distortion.log_weight),
        "q": record.finish == Some(Finish::Squeezed),
        "m": short((record.distortion.known_steps > 0).then(|| {
            record.distortion.removed_mass / record.distortion.known_steps as f64
        })),
    });
    let mut add = |name: &str, value_of: Value| value[name] = value_of;
    let faults: Vec<Value> = faults.collect();
    if !faults.is_empty() {
        add("f", json!(faults));
    }
    if let Some(preamble) = &record.preamble {
        add("p", json!(preamble));
    }
    if let Some(repaired) = record.repaired.as_ref().filter(|repaired| repaired.rewritten) {
        add("a", json!(repaired.text));
    }
    if !record.prompts.is_empty() {
        add("i", json!(beginnings.rests(shown)));
    }
    if let Some(trace) = &record.trace {
        add("z", trace.iter().map(token).collect());
    }
    value
}

fn code(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::Correct => "c",
        VerdictKind::WrongBoundary => "b",
        VerdictKind::WrongType => "t",
        VerdictKind::WrongBoth => "x",
        VerdictKind::Spurious => "s",
        VerdictKind::Missing => "m",
    }
}

fn fault_code(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Syntax => "syntax",
        FaultKind::NotInDocument => "not-in-document",
        FaultKind::UnknownLabel => "unknown-label",
        FaultKind::Disagree => "disagree",
        FaultKind::Duplicate => "duplicate",
        FaultKind::CopyFailed => "copy-failed",
        FaultKind::NotDecoded => "not-decoded",
    }
}

/// `[text, chosen, log p, rank, removed, entropy, entropy after, wanted text, wanted log p, allowed, forced text, pass, removed by
/// the budget, whether the budget refused the wanted token]`, cut off after the last that is known.
fn token(token: &TraceToken) -> Value {
    let chosen = match token.chosen {
        Chosen::Sampled => 0,
        Chosen::Forced => 1,
        Chosen::Drafted => 2,
    };
    let mut values = vec![
        json!(token.text),
        json!(chosen),
        short(token.log_probability),
        json!(token.rank),
        short(token.removed),
        short(token.entropy),
        short(token.entropy_after),
        json!(token.wanted.as_ref().map(|wanted| &wanted.text)),
        short(token.wanted.as_ref().map(|wanted| wanted.log_probability)),
        json!(token.allowed),
        json!(token.forced_text),
        if token.pass == 0 { Value::Null } else { json!(token.pass) },
        short(token.removed_by_budget),
        if token.wanted.as_ref().is_some_and(|wanted| wanted.by_budget) { json!(1) } else { Value::Null },
    ];
    // Records of earlier versions tell that another token was preferred, but not which.
    if token.wanted.is_none() && token.changed_best == Some(true) {
        values[7] = json!("");
    }
    while values.last() == Some(&Value::Null) {
        values.pop();
    }
    Value::Array(values)
}

/// Four digits are enough to read.
fn short(value: Option<f64>) -> Value {
    match value {
        Some(value) if value.is_finite() => {
            let digits = if value.abs() < 1e-3 { 1e6 } else { 1e4 };
            json!((value * digits).round() / digits + 0.0)
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record_for_tests as a_record;
    use gramask_grammar::Level;

    #[test]
    fn hostile_text_cannot_leave_the_script() {
        let mut record = a_record(Level::None, "</script><b>");
        record.output = "<!--</script><script>alert(1)//\u{2028}".into();
        let shown = Shown { run: 0, cell: 0, record: &record };
        let document_outputs = DocumentOutputs {
            id: &record.document,
            corpus: "mini",
            text: Some("a & b </SCRIPT >"),
            outputs: vec![shown],
        };
        let browser =
            Browser::new(vec!["r".into()], vec![BrowserCell::of(&record.cell)], &[document_outputs], MOST).unwrap();
        let script = browser.to_script().unwrap();
        assert!(!script.contains(['<', '>', '&']), "{script}");
        let back: Value = serde_json::from_str(&script).unwrap();
        assert_eq!(back["docs"][0]["o"][0]["x"], record.output.as_str());
        assert_eq!(back["docs"][0]["t"], "a & b </SCRIPT >");
    }

    #[test]
    fn what_prompts_have_in_common_is_there_once() {
        let prompt = |text: &str| vec![WrittenPrompt { text: text.into(), tokens: Vec::new() }];
        let records: Vec<Record> = ["Find é in A", "Find é in", "Find é in AB"]
            .iter()
            .enumerate()
            .map(|(number, text)| {
                let mut record = a_record(Level::None, &format!("d{number}"));
                record.prompts = prompt(text);
                record
            })
            .collect();
        let documents: Vec<DocumentOutputs<'_>> = records
            .iter()
            .map(|record| DocumentOutputs {
                id: &record.document,
                corpus: "mini",
                text: None,
                outputs: vec![Shown { run: 0, cell: 0, record }],
            })
            .collect();
        let browser = Browser::new(vec![], vec![], &documents, MOST).unwrap();
        assert_eq!(browser.beginnings, ["Find é in"]);
        let rests: Vec<&Value> = browser.docs.iter().map(|document| &document["o"][0]["i"]).collect();
        assert_eq!(rests, [&json!([[0, " A"]]), &json!([[0, ""]]), &json!([[0, " AB"]])]);
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_counted() {
        let records: Vec<Record> = (0..20)
            .map(|number| {
                let mut record = a_record(Level::None, &format!("d{number}"));
                record.cell.corpus = if number % 2 == 0 { "even" } else { "odd" }.into();
                record.output = "x".repeat(1000);
                record
            })
            .collect();
        fn document_outputs(record: &Record) -> DocumentOutputs<'_> {
            let (run, cell) = (0, 0);
            DocumentOutputs {
                id: &record.document,
                corpus: &record.cell.corpus,
                text: None,
                outputs: vec![Shown { run, cell, record }],
            }
        }
        let documents: Vec<DocumentOutputs<'_>> = records.iter().map(document_outputs).collect();
        let browser = Browser::new(vec![], vec![], &documents, 5_500).unwrap();
        let ids: Vec<&str> = browser.docs.iter().map(|document| document["id"].as_str().unwrap()).collect();
        assert_eq!((ids, browser.of), (vec!["d0", "d1", "d2", "d3"], 20), "of each corpus the first");
        let one = Browser::new(vec![], vec![], &documents, 1).unwrap();
        assert_eq!(one.docs.len(), 1, "one is always there");
    }
}
