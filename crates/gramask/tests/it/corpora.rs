//! Corpora of the user: how experiment files and the command line name them, what is refused, and the way back into a
//! corpus's form.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use gramask::experiment::{Experiment, Overrides};
use gramask::ner::Document;
use gramask::ner::corpus::{Corpus, Options};
use gramask::plan::Plan;
use gramask::runner::run_plan;
use gramask::store::{Journal, Manifest};

use crate::command::gramask;
use crate::mock_engine::{Nobody, engine};

const PUBTATOR: &str = "1|t|Naloxone reverses the effect of clonidine.\n1|a|Nothing else is here. Aspirin causes headaches.\n\
    1\t0\t8\tNaloxone\tChemical\tD009270\n1\t32\t41\tclonidine\tChemical\tD003000\n1\t65\t72\tAspirin\tChemical\tD1\n\
    1\t80\t89\theadaches\tDisease\tD2\n\n2|t|Ataxia was cured.\n2|a|\n2\t0\t6\tAtaxia\tDisease\tD3\n\n";

/// The message of a command that fails with an error.
fn refused(args: &[&str]) -> String {
    let output = gramask(args);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {message}");
    message
}

fn write(path: &Path, content: &str) -> String {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
    path.to_str().unwrap().to_string()
}

/// An experiment of one cell over this corpus.
fn experiment(corpus: &str, examples: &str) -> String {
    format!(
        "models = ['mock']\nformats = ['json-list']\nlevels = ['grounded']\nbudget = 40\nstrategies = {{ masked = {{}} }}\n\
         examples = {{ {examples} }}\n[[corpora]]\n{corpus}\n"
    )
}

fn plan(path: &str) -> Result<Plan, String> {
    let (experiment, _) = Experiment::read(path.as_ref()).map_err(|error| error.to_string())?;
    Plan::new(experiment).map_err(|error| error.to_string())
}

#[test]
fn examples_and_documents_do_not_come_from_one_file() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("M2.conll"), "a\tO\nb\tB-A\n\nc\tB-B\n");
    let same = experiment("path = 'M2.conll'", "n = 3, split = 'dev'");
    let path = write(&folder.path().join("same.toml"), &same);
    let message = refused(&["run", &path]);
    assert!(message.contains("would come from the evaluated file") && message.contains("M2.conll"), "{message}");
    // Both ways out that the message names work.
    assert!(message.contains("{split}.conll") && message.contains("n = 0 under [examples]"), "{message}");
    let path = write(&folder.path().join("none.toml"), &experiment("path = 'M2.conll'", "n = 0"));
    assert_eq!(plan(&path).unwrap().corpora[0].documents.len(), 2);
    write(&folder.path().join("test.conll"), "a\tO\nb\tB-A\n");
    write(&folder.path().join("dev.conll"), "c\tO\nd\tB-C\n");
    let path = write(&folder.path().join("x.toml"), &experiment("path = '{split}.conll'", "n = 1, split = 'dev'"));
    let planned = plan(&path).unwrap();
    // The schema has the labels of both splits, and no document is in both roles.
    assert_eq!(planned.corpora[0].schema.labels(), ["A", "C"]);
    assert_eq!((planned.corpora[0].documents.len(), planned.corpora[0].examples.len()), (1, 1));
}

#[test]
fn columns_form_and_labels_can_be_given_in_both_places() {
    let folder = tempfile::tempdir().unwrap();
    let germeval =
        "# source\n1\tDruxol\tB-Chemical\tO\n2\tfor\tO\tO\n3\tlung\tB-Disease\tB-Organ\n4\tcancer\tI-Disease\tO\n";
    let corpus = write(&folder.path().join("g.data"), germeval);
    let at = |more: &str| {
        let source = experiment(&format!("path = 'g.data'\n{more}"), "n = 0");
        plan(&write(&folder.path().join("x.toml"), &source))
    };
    // The advice of each message leads to the next step.
    let message = at("form = 'conll'").unwrap_err();
    assert!(message.contains("columns = { word = 1, tag = 4 }"), "{message}");
    let planned = at("form = 'conll'\ncolumns = { word = 2, tag = 3 }\nrename = { Chemical = 'Drug' }").unwrap();
    assert_eq!(planned.corpora[0].schema.labels(), ["Disease", "Drug"]);
    let planned = at("columns = { word = 2, tag = 4 }\nlabels = ['Tissue', 'Organ']").unwrap();
    assert_eq!(planned.corpora[0].schema.labels(), ["Tissue", "Organ"]);
    for (wrong, words) in [
        ("columns = { word = 0, tag = 4 }", "count columns from 1"),
        ("columns = { word = 1, label = 4 }", "label"),
        ("form = 'xml'", "bioc-xml"),
        ("labels = []", "`labels` needs names"),
        ("labels = ['A', 'A']", "none twice"),
        ("rename = { A = '' }", "empty name"),
    ] {
        let message = at(wrong).unwrap_err();
        assert!(message.contains(words) && message.contains("x.toml:"), "{wrong}: {message}");
    }
    let named = experiment("name = 'mini'\ncolumns = { word = 1, tag = 2 }", "n = 0");
    let message = plan(&write(&folder.path().join("named.toml"), &named)).unwrap_err();
    assert!(message.contains("`columns` says how a file is read: give its `path`"), "{message}");

    // On the command line: without the columns the file is refused, with them the corpus is read, and the model is next.
    let base = write(&folder.path().join("base.toml"), &experiment("name = 'mini'", "n = 0"));
    let run = ["run", &base, "--model", "./none.gguf", "--corpus", &corpus];
    assert!(refused(&run).contains("--columns word=1,tag=4"));
    let columns = ["--columns", "word=2,tag=3", "--rename", "Chemical=Drug", "--labels", "Drug,Disease"];
    assert!(refused(&[&run[..], &columns].concat()).contains("none.gguf"));
    assert!(refused(&[&run[..], &columns[..2], &["--labels", "Drug"]].concat()).contains("unknown label \"Chemical\""));
    let usage = gramask(&[&run[..], &["--columns", "word=2"]].concat());
    assert_eq!(usage.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&usage.stderr).contains("word=W,tag=T"));
    let decode = ["decode", "--text", "x", "--model", "./none.gguf", "--corpus", &corpus];
    assert!(refused(&decode).contains("--columns"));
    assert!(refused(&[&decode[..], &columns[..2]].concat()).contains("none.gguf"));
}

#[test]
fn faults_are_named_with_a_way_on_and_kept_in_run_json() {
    let folder = tempfile::tempdir().unwrap();
    let bad = PUBTATOR.replace("0\t8\tNaloxone", "0\t9\tNaloxone").replace("0\t6\tAtaxia", "0\t6\tAtaxie");
    let corpus = write(&folder.path().join("bad.pubtator"), &bad);
    let model = write(
        &folder.path().join("mamba/config.json"),
        r#"{"architectures":["MambaForCausalLM"],"model_type":"mamba"}"#,
    );
    let model = Path::new(&model).parent().unwrap().to_str().unwrap().to_string();
    let base = write(&folder.path().join("base.toml"), &experiment("name = 'mini'", "n = 0"));
    let out = folder.path().join("out").to_str().unwrap().to_string();
    let run = ["run", &base, "--corpus", &corpus, "--model", &model, "--out", &out];
    let message = refused(&run);
    assert!(message.contains("bad.pubtator:3") && message.contains("--skip-problems"), "{message}");
    assert!(message.contains("on_problem = \"skip\""), "{message}");
    let message = refused(&[&run[..], &["--skip-problems"]].concat());
    assert!(message.contains("2 faults were passed over; run.json lists all"), "{message}");
    assert!(message.contains("1 x annotation and text differ in outer white space; the first: "), "{message}");
    assert!(message.contains("1 x annotation and text differ; the first: "), "{message}");
    let problems = Manifest::read(out.as_ref()).unwrap().problems;
    assert_eq!(problems.len(), 2);
    assert!(problems[1].corpus == "bad" && problems[1].problem.contains("bad.pubtator:10: document 2"), "{problems:?}");
    // The option in the file does the same.
    let source = experiment("path = 'bad.pubtator'\non_problem = 'skip'", "n = 0");
    assert_eq!(plan(&write(&folder.path().join("skip.toml"), &source)).unwrap().corpora[0].problems.len(), 2);
}

#[test]
fn predictions_are_written_in_the_offsets_of_the_documents() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = write(&folder.path().join("data/own.pubtator"), PUBTATOR);
    // The path is relative to the experiment file.
    let source = experiment("path = '../data/own.pubtator'", "n = 0");
    let file = write(&folder.path().join("experiments/x.toml"), &source);
    let planned = plan(&file).unwrap();
    assert_eq!(planned.corpora[0].documents.len(), 4);
    let out = folder.path().join("out");
    Manifest::of(&planned, &source, &Overrides::default(), &[]).unwrap().claim(&out).unwrap();
    let records = out.join("records.jsonl");
    let mut journal = Journal::open(&records).unwrap();
    run_plan(&planned, &mut journal, &mut |name| engine(name), &mut Nobody, &AtomicBool::new(false)).unwrap();
    let offsets: Vec<Option<usize>> = journal.records().iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [Some(0), Some(43), Some(65), Some(0)]);
    // A model that predicts the gold entities.
    let lines = journal.records().iter().map(|record| {
        let mut record = record.clone();
        record.entities.clone_from(&record.gold);
        serde_json::to_string(&record).unwrap() + "\n"
    });
    let lines: String = lines.collect();
    drop(journal);
    std::fs::write(&records, &lines).unwrap();

    let expected = Corpus::read(&corpus, &Options::default()).unwrap().0.documents;
    let run = out.to_str().unwrap();
    for form in ["pubtator", "brat", "jsonl", "bioc"] {
        let output = gramask(&["export", run, "--to", form]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{form}: {message}");
        let path = String::from_utf8_lossy(&output.stdout).trim().to_string();
        let documents: Vec<Document> = Corpus::read(&path, &Options::default()).unwrap().0.documents;
        assert_eq!(documents, expected, "{form}: {path}");
    }
    let message = refused(&["export", run, "--to", "brat", "--format", "lines"]);
    assert!(message.contains("its cells are: mock own json-list grounded masked"), "{message}");
    // Records that do not fit the corpus, and another corpus.
    std::fs::write(&records, lines.replacen("\"offset\":43", "\"offset\":42", 1)).unwrap();
    assert!(refused(&["export", run, "--to", "brat"]).contains("document 1:2"));
    std::fs::write(&corpus, PUBTATOR.replace("Nothing", "Something")).unwrap();
    let message = refused(&["export", run, "--to", "jsonl"]);
    assert!(message.contains("own.pubtator:5") || message.contains("is not the one that the run saw"), "{message}");
}
