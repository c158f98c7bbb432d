//! Law 3 once more, with the parsers that people use: Python's own and, where they are installed, PyYAML and cmark-gfm
//! (`cmarkgfm`) or markdown-it (`markdown-it-py`). What is missing is named and left out.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use gramask_grammar::{Constraint, Level};
use gramask_ner::{Entity, Text};
use gramask_random::Rng;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::documents::{case, cases};
use crate::support::formats;
use crate::support::walk::{output, vocabulary};

/// Reads a JSON list of `[format, output]` and writes, for each, the list of `[text, label]` that is said, the reason why
/// there is none, or null where there is no parser.
const SCRIPT: &str = r#"
import ast, csv, io, json, sys
try: import yaml
except ImportError: yaml = None
try: import cmarkgfm
except ImportError: cmarkgfm = None
try: import markdown_it
except ImportError: markdown_it = None
from html.parser import HTMLParser

class Cells(HTMLParser):
    def __init__(self):
        super().__init__()
        self.cells, self.open = [], False
    def handle_starttag(self, tag, attrs):
        if tag in ("td", "th"): self.cells.append(""); self.open = True
        elif tag not in ("table", "thead", "tbody", "tr", "a"): raise ValueError("markup <%s>" % tag)
    def handle_endtag(self, tag):
        if tag in ("td", "th"): self.open = False
    def handle_data(self, data):
        if self.open: self.cells[-1] += data
        elif data.strip(): raise ValueError("text outside the table: %r" % data)

def table(html):
    reader = Cells(); reader.feed(html); reader.close()
    if reader.cells[:2] != ["text", "label"]: raise ValueError("no head: %r" % html)
    return [reader.cells[i:i + 2] for i in range(2, len(reader.cells), 2)]

def code(output):
    [statement] = ast.parse(output).body
    assert [target.id for target in statement.targets] == ["result"]
    rows = []
    for call in statement.value.elts:
        [keyword] = call.keywords
        assert keyword.arg == "mention" and not call.args
        rows.append([ast.literal_eval(keyword.value), call.func.id])
    return rows

def records(output):
    rows = list(csv.reader(io.StringIO(output, newline=""), strict=True))
    if rows[0] != ["text", "label"]: raise ValueError("no head")
    return rows[1:]

PARSERS = {
    "tuples": lambda output: [list(pair) for pair in ast.literal_eval(output)],
    "code": code,
    "csv": records,
    "json-lines": lambda output: [[row["text"], row["label"]] for row in map(json.loads, filter(None, output.split("\n")))],
}
if yaml: PARSERS["yaml"] = lambda output: [[row["text"], row["label"]] for row in yaml.safe_load(output)]
if cmarkgfm: PARSERS["markdown-table"] = lambda output: table(cmarkgfm.github_flavored_markdown_to_html(output))
elif markdown_it: PARSERS["markdown-table"] = lambda output: table(markdown_it.MarkdownIt("commonmark").enable("table").enable("strikethrough").render(output))

answers = []
for name, output in json.load(sys.stdin):
    if name not in PARSERS: answers.append(None); continue
    try: answers.append(PARSERS[name](output))
    except Exception as error: answers.append("%s: %s" % (type(error).__name__, error))
json.dump(answers, sys.stdout)
"#;

const NAMES: [&str; 6] = ["tuples", "code", "csv", "json-lines", "yaml", "markdown-table"];

/// What Python says to these questions; `None` where there is no Python.
fn ask(questions: &Value) -> Option<Vec<Value>> {
    let python = Command::new("python3")
        .args(["-c", SCRIPT])
        .env("PYTHONIOENCODING", "utf-8")
        .env("PYTHONWARNINGS", "error")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut python = python.ok()?;
    python.stdin.take().unwrap().write_all(questions.to_string().as_bytes()).unwrap();
    let answer = python.wait_with_output().unwrap();
    assert!(answer.status.success(), "the script failed");
    Some(serde_json::from_slice(&answer.stdout).unwrap())
}

/// The surfaces and labels of entities, in a fixed order.
fn pairs(text: &Text, entities: &[Entity]) -> Vec<(String, String)> {
    let pair = |entity: &Entity| (text.slice(entity.fragments[0]).unwrap().to_owned(), entity.label.clone());
    let mut pairs: Vec<_> = entities.iter().map(pair).collect();
    pairs.sort();
    pairs
}

#[test]
fn what_is_accepted_is_read_by_the_parsers_that_people_use() {
    let (mut questions, mut expected) = (Vec::new(), Vec::new());
    let mut runner = TestRunner::deterministic();
    let mut rng = Rng::new(11);
    for _ in 0..cases(150) {
        let case = case(12, 4).new_tree(&mut runner).unwrap().current();
        for name in NAMES {
            let program = formats::program(name, case.labels);
            let gold = program.write(&case.text, &case.entities);
            let Ok(gold) = gold.map(|written| written.text) else {
                continue;
            };
            let mut outputs = vec![(gold.clone(), true)];
            for (level, grounded) in [(Level::Syntax, false), (Level::Grounded, true)] {
                let sources = [gold.as_bytes(), case.text.as_str().as_bytes()];
                let vocabulary = vocabulary(&mut rng, &sources, 40);
                let mut constraint = Constraint::new(Arc::clone(&program), &case.text, level, vocabulary).unwrap();
                let steps = rng.below(30);
                let output = output(&mut constraint, &mut rng, steps);
                outputs.push((String::from_utf8(output).unwrap(), grounded));
            }
            for (output, grounded) in outputs {
                let read = program.read(&case.text, output.as_bytes()).unwrap();
                questions.push(json!([name, output]));
                expected.push(grounded.then(|| pairs(&case.text, &read.entities)));
            }
        }
    }
    let Some(answers) = ask(&Value::Array(questions.clone())) else {
        println!("skipped: there is no python3");
        return;
    };
    let mut asked = std::collections::BTreeMap::<&str, usize>::new();
    for ((question, answer), expected) in questions.iter().zip(&answers).zip(&expected) {
        let name = NAMES.into_iter().find(|name| question[0] == *name).unwrap();
        if answer.is_null() {
            continue;
        }
        *asked.entry(name).or_default() += 1;
        let rows = answer.as_array().unwrap_or_else(|| panic!("{question}: {answer}"));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut said: Vec<_> = rows.iter().map(|row| (text(&row[0]), text(&row[1]))).collect();
        said.sort();
        if let Some(expected) = expected {
            assert_eq!(&said, expected, "{question}");
        }
    }
    for name in NAMES {
        match asked.get(name) {
            Some(outputs) => println!("{name}: {outputs} outputs"),
            None => println!("skipped: {name}: python3 has no parser for it"),
        }
    }
    assert!(asked.contains_key("tuples") && asked.contains_key("code"));
}
