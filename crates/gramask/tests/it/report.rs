//! Reports of runs over the mini corpus, with a model without weights.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use gramask::experiment::{Experiment, Overrides};
use gramask::plan::Plan;
use gramask::report::tables::summary_csv;
use gramask::report::{Figure, Options, Report, ReportError, RunData, compare, single};
use gramask::runner::run_plan;
use gramask::store::{Fault, FaultKind, Journal, Manifest, Record};
use gramask_grammar::Level;

use crate::mock_engine::{Nobody, engine};

const EXPERIMENT: &str = r#"
name    = "mock-run"
about   = "Formats & levels, <b>at random</b>"
models  = ["mock"]
formats = ["json-list", "inline-bracket", "label-list"]
levels  = ["none", "syntax", "grounded"]
budget  = 40
batch   = 3
examples = { n = 0 }
sampling = { temperature = 1.0, seed = SEED }
strategies = { unconstrained = {}, masked = {}, jump = {} }
[[corpora]]
name  = "mini"
limit = 5
"#;

/// Carries out the experiment into a folder; every other output then says what is right, so that there is something to find.
fn run(folder: &Path, seed: usize) {
    let source = EXPERIMENT.replace("SEED", &seed.to_string());
    let mut plan = Plan::new(Experiment::parse("mock.toml".as_ref(), &source).unwrap()).unwrap();
    plan.trace = true;
    Manifest::of(&plan, &source, &Overrides::default(), &[]).unwrap().claim(folder).unwrap();
    let path = folder.join("records.jsonl");
    let mut journal = Journal::open(&path).unwrap();
    assert!(run_plan(&plan, &mut journal, &mut |name| engine(name), &mut Nobody, &AtomicBool::new(false)).unwrap());
    drop(journal);
    change(folder, |number, record| {
        if record.parsed && (number + seed).is_multiple_of(2) {
            record.entities.clone_from(&record.gold);
            record.errors.clear();
        }
    });
}

/// Changes the records of a run.
fn change(folder: &Path, mut with: impl FnMut(usize, &mut Record)) {
    let path = folder.join("records.jsonl");
    let mut lines = String::new();
    for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
        let mut record: Record = serde_json::from_str(line).unwrap();
        with(number, &mut record);
        lines += &(serde_json::to_string(&record).unwrap() + "\n");
    }
    fs::write(path, lines).unwrap();
}

fn written(report: &Report, folder: &Path) -> String {
    let path = report.write(folder).unwrap();
    fs::read_to_string(path).unwrap()
}

/// The elements of a page, each closed where it must be; what is in scripts and styles is passed over.
fn elements(html: &str) -> HashMap<String, usize> {
    const VOID: [&str; 5] = ["meta", "link", "input", "br", "img"];
    let (mut open, mut counts, mut rest) = (Vec::new(), HashMap::new(), html);
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if rest.starts_with("!DOCTYPE") {
            continue;
        }
        let end = rest.find('>').expect("a tag ends");
        let (tag, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        assert_eq!(tag.matches('"').count() % 2, 0, "an attribute holds no <, > or \": <{tag}>");
        let name = |tag: &str| tag.split([' ', '\n', '/']).next().unwrap_or_default().to_string();
        match tag.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(name(closed)), "</{closed}>"),
            None => {
                *counts.entry(name(tag)).or_default() += 1;
                if tag.ends_with('/') || VOID.contains(&name(tag).as_str()) {
                    continue;
                }
                open.push(name(tag));
                if ["script", "style"].contains(&name(tag).as_str()) {
                    rest = &rest[rest.find(&format!("</{}>", name(tag))).expect("it ends")..];
                }
            }
        }
    }
    assert_eq!(open, Vec::<String>::new(), "all are closed");
    counts
}

/// What is between two texts.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let after = &text[text.find(from).expect(from) + from.len()..];
    &after[..after.find(to).expect(to)]
}

/// The page has the figure's file, which is XML with marks, and the table beside it is that of the figure.
fn figure_agrees_with_its_files(figure: &Figure, out: &Path, html: &str) {
    let svg = fs::read_to_string(out.join(format!("figures/{}.svg", figure.id))).unwrap();
    assert!(html.contains(&svg), "{}: the page has the file's figure", figure.id);
    let mut reader = quick_xml::Reader::from_str(&svg);
    let mut marks = 0;
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{}: {error}", figure.id)) {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Empty(_) => marks += 1,
            _ => {}
        }
    }
    assert!(marks > 10, "{}: {marks} marks", figure.id);
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", figure.id);
    let csv = fs::read_to_string(out.join(format!("figures/{}.csv", figure.id))).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let heads: Vec<String> = reader.headers().unwrap().iter().map(String::from).collect();
    assert_eq!(heads, figure.table.columns);
    let rows: Vec<Vec<String>> = reader.records().map(|row| row.unwrap().iter().map(String::from).collect()).collect();
    assert_eq!(rows, figure.table.rows, "{}", figure.id);
}

#[test]
fn a_report_has_every_section_and_the_summarys_figures() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), 7);
    let data = RunData::read(folder.path(), true).unwrap();
    assert_eq!(data.notes, Vec::<String>::new());
    assert_eq!(data.rows.len(), 3 * (1 + 2 + 2));
    assert!(data.rows.iter().any(|row| row.f1 > 0.0 && row.f1 < 1.0));
    let report = single(folder.path(), Options::default()).unwrap();
    let out = folder.path().join("report");
    let html = written(&report, &out);

    let counts = elements(&html);
    for id in ["table", "documents", "origin", "help", "data"] {
        assert!(html.contains(&format!("id=\"{id}\"")), "{id}");
    }
    let ids: Vec<&str> = report.page.figures.iter().map(|figure| figure.id.as_str()).collect();
    let expected = [
        "f1",
        "outcomes",
        "entities",
        "pareto",
        "removed-by-format",
        "removed-by-position",
        "removed-against-f1",
        "shares",
    ];
    assert_eq!(ids, expected);
    assert_eq!((counts["figure"], counts["svg"]), (expected.len(), expected.len()));

    // The table's lines are the summary's.
    let table = &report.page.table;
    let column = |head: &str| table.columns.iter().position(|column| column.head == head).expect(head);
    for (row, entries) in data.rows.iter().zip(&table.rows) {
        assert_eq!(entries[column("format")].text, row.format);
        assert_eq!(entries[column("F1")].text, format!("{:.1}", 100.0 * row.f1));
        assert_eq!(entries[column("F1")].interval, Some([row.f1_low, row.f1, row.f1_high]));
        assert_eq!(entries[column("docs/s")].key, Some(row.documents_per_second));
    }
    assert_eq!(fs::read_to_string(out.join("summary.csv")).unwrap(), summary_csv(&data.rows).unwrap());
    assert_eq!(report.page.figures[0].table.rows.len(), data.rows.len());
    for (row, line) in data.rows.iter().zip(&report.page.figures[0].table.rows) {
        let f1: f64 = line[6].parse().unwrap();
        assert!((f1 - row.f1).abs() < 1e-6 && line[2] == row.format && line[3] == row.level);
    }

    report.page.figures.iter().for_each(|figure| figure_agrees_with_its_files(figure, &out, &html));

    // Every document with every output, its text and its trace.
    let script = between(&html, "<script type=\"application/json\" id=\"data\">", "</script>");
    let documents: serde_json::Value = serde_json::from_str(script).unwrap();
    let docs = documents["docs"].as_array().unwrap();
    assert_eq!((docs.len(), documents["of"].as_u64()), (5, Some(5)));
    let corpus = &data.corpora["mini"];
    for (doc, id) in docs.iter().zip(&corpus.order) {
        assert_eq!(doc["id"], id.as_str());
        assert_eq!(doc["t"], corpus.texts[id].as_str());
        assert_eq!(doc["o"].as_array().unwrap().len(), data.cells.len());
    }
    let outputs = docs.iter().flat_map(|doc| doc["o"].as_array().unwrap());
    let tokens: usize = outputs.map(|output| output["z"].as_array().unwrap().len()).sum();
    assert_eq!(tokens, data.records.iter().flatten().map(|record| record.tokens.output).sum::<usize>());
}

#[test]
fn what_could_not_be_decoded_is_said_and_has_no_figure() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), 4);
    let lost = |record: &Record| {
        let cell = &record.cell;
        cell.format == "inline-bracket" && cell.level == Level::Syntax && cell.strategy.as_str() == "masked"
    };
    let (mut one, mut masked, mut gone) = (true, 0, 0);
    change(folder.path(), |_, record| {
        masked += usize::from(record.cell.level != Level::None);
        let first =
            record.cell.format == "json-list" && record.cell.level == Level::Grounded && std::mem::take(&mut one);
        if lost(record) || first {
            gone += 1;
            (record.finish, record.parsed, record.independent) = (None, false, None);
            (record.entities, record.output, record.trace) = (Vec::new(), String::new(), None);
            record.errors =
                vec![Fault { kind: FaultKind::NotDecoded, label: None, message: "the prompt is too long".into() }];
        }
    });
    let report = single(folder.path(), Options::default()).unwrap();
    let lead = report.page.lead.join(" ");
    let decoded = masked - gone;
    let words = format!("With one, {decoded} of {masked} outputs could be decoded, and all of these parse.");
    assert!(lead.contains(&words), "{lead}");
    let notes = report.page.notes.join(" ");
    assert!(
        notes.contains("In 1 of 15 cells no document could be decoded (mini inline-bracket syntax masked)"),
        "{notes}"
    );
    assert!(notes.contains("In 1 of 15 cells some documents could not be decoded"), "{notes}");

    let table = &report.page.table;
    let column = |head: &str| table.columns.iter().position(|column| column.head == head).expect(head);
    let f1: Vec<&str> = table.rows.iter().map(|row| row[column("F1")].text.as_str()).collect();
    assert_eq!(f1.iter().filter(|text| **text == "not decoded").count(), 1);
    let parses: Vec<&str> = table.rows.iter().map(|row| row[column("parses\u{a0}%")].text.as_str()).collect();
    let masks: Vec<&&str> =
        parses.iter().zip(&table.rows).filter(|(_, row)| row[1].text != "none").map(|(text, _)| text).collect();
    assert!(masks.iter().all(|text| ["100", "–"].contains(text)), "rates are of what was decoded: {masks:?}");
    let of = |id: &str| report.page.figures.iter().find(|figure| figure.id == id).unwrap().table.rows.len();
    assert_eq!((of("f1"), of("outcomes")), (14, 15));
}

#[test]
fn hostile_text_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), 1);
    let evil = "</script><script>alert('x')</script><img src=x onerror=alert(1)>";
    change(folder.path(), |_, record| {
        record.cell.model = evil.into();
        record.document += evil;
        record.output += evil;
        record.errors.iter_mut().for_each(|fault| fault.message += evil);
    });
    let settings = folder.path().join("run.json");
    let named = fs::read_to_string(&settings).unwrap().replacen("mock-run", "a mock's <run>", 1);
    fs::write(&settings, named).unwrap();
    let report = single(folder.path(), Options::default()).unwrap();
    let html = written(&report, &folder.path().join("report"));
    assert_eq!(elements(&html)["script"], 2, "the documents and the page's own");
    assert!(!html.contains("<img") && !html.contains("<script>alert"));
    assert!(html.contains("a mock&#x27;s &lt;run&gt;"), "the title");
    assert!(html.contains("&lt;b&gt;at random&lt;&#x2f;b&gt;"), "what the experiment says of itself");
}

#[test]
fn without_documents_nothing_of_them_is_written() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), 2);
    let options = Options { documents: false, ..Options::default() };
    let report = single(folder.path(), options).unwrap();
    let out = folder.path().join("report");
    written(&report, &out);
    let other = tempfile::tempdir().unwrap();
    run(other.path(), 3);
    let compared = compare(folder.path(), other.path(), options).unwrap();
    let beside = folder.path().join("compared");
    written(&compared, &beside);
    let data = RunData::read(folder.path(), true).unwrap();
    let (corpus, records) = (&data.corpora["mini"], data.records.iter().flatten());
    let mut secrets: Vec<&str> = corpus.texts.iter().flat_map(|(id, text)| [id.as_str(), text.as_str()]).collect();
    let outputs = records.map(|record| record.output.as_str());
    secrets.extend(outputs.filter(|output| output.len() > 12));
    assert!(secrets.len() > 20);
    for folder in [&out, &beside] {
        let mut files = vec![folder.join("index.html")];
        files.extend(fs::read_dir(folder.join("figures")).unwrap().map(|entry| entry.unwrap().path()));
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for secret in &secrets {
                assert!(!text.contains(secret), "{}: {secret}", file.display());
            }
        }
    }
}

#[test]
fn scores_alone_have_a_report_without_documents() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), 9);
    let whole = single(folder.path(), Options::default()).unwrap();
    let data = RunData::read(folder.path(), true).unwrap();
    let mut writer = csv::Writer::from_path(folder.path().join("scores.csv")).unwrap();
    for scored in data.scored.iter().flatten() {
        let mut scored = scored.clone();
        // Of what is not right strictly, one more would be right where copies are forgiven.
        let right = |more: usize| Some((scored.strict + more).min(scored.gold));
        let predicted = Some(scored.predicted.max(scored.gold));
        let (parse, copy) = (right(0), right(1));
        (scored.parse_predicted, scored.parse_right) = (predicted, parse);
        (scored.copy_predicted, scored.copy_right) = (predicted, copy);
        (scored.count_predicted, scored.count_right, scored.count_found) = (predicted, copy, copy);
        writer.serialize(scored).unwrap();
    }
    drop(writer);
    let graded = single(folder.path(), Options::default()).unwrap();
    fs::remove_file(folder.path().join("records.jsonl")).unwrap();
    let report = single(folder.path(), Options::default()).unwrap();
    elements(&written(&report, &folder.path().join("report")));
    let ids = |report: &Report| -> Vec<String> { report.page.figures.iter().map(|figure| figure.id.clone()).collect() };
    let lacking = ["entities", "removed-by-position"];
    let kept: Vec<String> = ids(&graded).into_iter().filter(|id| !lacking.contains(&id.as_str())).collect();
    assert_eq!(ids(&report), kept, "what needs records is left out");
    assert!(ids(&graded).contains(&"losses".into()) && !ids(&whole).contains(&"losses".into()));
    assert_eq!((report.page.documents.is_some(), graded.page.documents.is_some()), (false, true));
    assert!(report.page.documents_note.contains("scores alone"), "{}", report.page.documents_note);
    assert_eq!(report.page.table, graded.page.table, "the figures are the same");
    let losses = report.page.figures.iter().find(|figure| figure.id == "losses").unwrap();
    for row in &losses.table.rows {
        let parts: f64 = row[9..].iter().map(|part| part.parse::<f64>().unwrap()).sum();
        let f1: f64 = row[5].parse().unwrap();
        assert!((f1 + parts - 1.0).abs() < 1e-5, "the parts make up what F1 lacks: {row:?}");
    }
}

#[test]
fn a_page_does_not_grow_beyond_its_limit_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), 4);
    let options = Options { most: 40_000, ..Options::default() };
    let report = single(folder.path(), options).unwrap();
    let note = &report.page.documents_note;
    assert!(note.starts_with("The first ") && note.contains(" of 5 documents"), "{note}");
    let all = single(folder.path(), Options::default()).unwrap();
    assert!(report.page.documents.unwrap().len() < all.page.documents.unwrap().len());
}

#[test]
fn two_runs_are_compared_where_both_have_something() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(first.path(), 5);
    run(second.path(), 6);
    let value = |report: &Report, row: usize, name: &str| -> f64 {
        let table = &report.page.figures[0].table;
        let column = table.columns.iter().position(|column| column == name).expect(name);
        table.rows[row][column].parse().unwrap()
    };
    let same = compare(first.path(), first.path(), Options::default()).unwrap();
    for row in 0..same.page.table.rows.len() {
        assert_eq!((value(&same, row, "difference"), value(&same, row, "p")), (0.0, 1.0));
        assert_eq!(value(&same, row, "changed_outputs"), 0.0);
    }

    let report = compare(first.path(), second.path(), Options::default()).unwrap();
    let html = written(&report, &second.path().join("compared"));
    elements(&html);
    let runs = [first.path(), second.path()].map(|folder| RunData::read(folder, false).unwrap());
    for (row, (a, b)) in runs[0].rows.iter().zip(&runs[1].rows).enumerate() {
        assert!((value(&report, row, "a") - a.f1).abs() < 1e-6 && (value(&report, row, "b") - b.f1).abs() < 1e-6);
        assert!((value(&report, row, "difference") - (b.f1 - a.f1)).abs() < 2e-6);
        let (low, high) = (value(&report, row, "difference_low"), value(&report, row, "difference_high"));
        assert!(low <= value(&report, row, "difference") && value(&report, row, "difference") <= high);
        assert!(value(&report, row, "p") <= value(&report, row, "p_holm"));
    }
    let changed: f64 = (0..runs[0].rows.len()).map(|row| value(&report, row, "changed_outputs")).sum();
    assert!(changed > 0.0);
    let script = between(&html, "id=\"data\">", "</script>");
    let documents: serde_json::Value = serde_json::from_str(script).unwrap();
    assert_eq!(documents["runs"].as_array().unwrap().len(), 2);
    assert_eq!(documents["docs"][0]["o"].as_array().unwrap().len(), 2 * runs[0].cells.len());

    // A cell that one lacks, and a document.
    let path = second.path().join("records.jsonl");
    let lines = fs::read_to_string(&path).unwrap();
    let last = |line: &&str| !line.contains("\"format\":\"label-list\",\"level\":\"grounded\",\"strategy\":\"jump\"");
    let fewer: String = lines.lines().filter(last).skip(1).map(|line| format!("{line}\n")).collect();
    fs::write(&path, fewer).unwrap();
    let report = compare(first.path(), second.path(), Options::default()).unwrap();
    let notes = report.page.notes.join("\n");
    assert!(notes.contains("1 cell(s) that only A has, 0 that only B has"), "{notes}");
    assert!(notes.contains("not of the same documents") && notes.contains("B: The run is not complete"), "{notes}");
    assert_eq!(value(&report, 0, "documents"), 4.0);

    // Another model, and another corpus.
    change(second.path(), |_, record| record.cell.model = "another".into());
    let report = compare(first.path(), second.path(), Options::default()).unwrap();
    assert!(report.page.notes.iter().any(|note| note.contains("(mock, another)")));
    change(second.path(), |_, record| record.cell.format = "none-such".into());
    let error = compare(first.path(), second.path(), Options::default()).unwrap_err();
    assert!(matches!(error, ReportError::NothingInCommon { .. }));
    assert!(error.to_string().contains("none-such"), "{error}");
}

#[test]
fn what_is_no_run_is_refused_and_what_is_lacking_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let fails = || single(at, Options::default()).unwrap_err().to_string();
    assert!(fails().contains("has no run.json"), "{}", fails());
    run(at, 8);
    let (records, settings) = (at.join("records.jsonl"), at.join("run.json"));
    let (lines, file) = (fs::read_to_string(&records).unwrap(), fs::read_to_string(&settings).unwrap());

    fs::remove_file(&records).unwrap();
    assert!(fails().contains("has no records.jsonl"), "{}", fails());
    fs::write(&records, "").unwrap();
    assert!(fails().contains("has not decoded a document yet"), "{}", fails());
    fs::write(&records, format!("{{\"model\": 3}}\n{lines}")).unwrap();
    assert!(fails().contains("records.jsonl:1:") && fails().contains("no record"), "{}", fails());
    fs::write(&records, &lines).unwrap();
    fs::write(&settings, "{}").unwrap();
    assert!(fails().contains("no run.json of this program"), "{}", fails());

    // Torn, doubled, of another version, and of a corpus that is not at hand.
    fs::write(&settings, file.replace("\"gramask\": \"0.1.0\"", "\"gramask\": \"0.0.9\"")).unwrap();
    let first = lines.lines().next().unwrap();
    let mut other: Record = serde_json::from_str(first).unwrap();
    other.cell.corpus = "gone".into();
    let other = serde_json::to_string(&other).unwrap();
    let torn = &first[..first.len() / 2];
    fs::write(&records, format!("{lines}{first}\n{other}\n{torn}")).unwrap();
    let before = fs::read(&records).unwrap();
    let report = single(at, Options::default()).unwrap();
    assert_eq!(fs::read(&records).unwrap(), before, "a report changes no run");
    let notes = report.page.notes.join("\n");
    for expected in ["last record is torn", "1 record(s)", "made by version 0.0.9", "corpus `gone` is not at hand"] {
        assert!(notes.contains(expected), "{expected}: {notes}");
    }
    let html = written(&report, &at.join("report"));
    assert!(html.contains("The last record is torn"));

    // Records of earlier versions have no traces and know less; what they lack has no figure.
    fs::write(&records, &lines).unwrap();
    let old: String = lines
        .lines()
        .map(|line| {
            let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
            for lately in ["trace", "distortion", "effort", "repaired", "passes"] {
                record.as_object_mut().unwrap().remove(lately);
            }
            format!("{record}\n")
        })
        .collect();
    fs::write(&records, old).unwrap();
    let report = single(at, Options::default()).unwrap();
    let ids: Vec<&str> = report.page.figures.iter().map(|figure| figure.id.as_str()).collect();
    assert_eq!(ids, ["f1", "outcomes", "entities", "pareto", "shares"]);
}
