//! The usual damages, format by format.

use gramask_ner::{Entity, Text};

use crate::{check, formats};

const TEXT: &str = "Naloxone reverses the antihypertensive effect of clonidine in Alzheimer's disease (P < 0.05).";

/// A format, an output about [`TEXT`], and the surfaces and labels that are in it.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const BOTH: &[(&str, &str)] = &[("Naloxone", "Chemical"), ("clonidine", "Chemical")];
const ALL: &[(&str, &str)] = &[("Naloxone", "Chemical"), ("clonidine", "Chemical"), ("Alzheimer's disease", "Disease")];
const LAST: &[(&str, &str)] = &[("Alzheimer's disease", "Disease")];
const FIRST: &[(&str, &str)] = &[("Naloxone", "Chemical")];

#[rustfmt::skip]
const CASES: &[Case] = &[
    // JSON: blanks, quotes, commas, keys.
    ("json-list", "[\n  {\n    \"text\": \"Naloxone\",\n    \"label\": \"Chemical\"\n  },\n  {\n    \"text\": \"clonidine\",\n    \"label\": \"Chemical\"\n  }\n]\n", BOTH),
    ("json-list", r#"[{'text': 'Naloxone', 'label': 'Chemical'}, {'text': 'Alzheimer\'s disease', 'label': 'Disease'}]"#, &[("Naloxone", "Chemical"), ("Alzheimer's disease", "Disease")]),
    ("json-list", r#"[{'text': 'Alzheimer's disease', 'label': 'Disease'}]"#, LAST),
    ("json-list", r#"[{"text":"Naloxone","label":"Chemical"},{"text":"clonidine","label":"Chemical"},]"#, BOTH),
    ("json-list", r#"[{"text":"Naloxone","label":"Chemical"}{"text":"clonidine","label":"Chemical"}]"#, BOTH),
    ("json-list", r#"{"text":"Naloxone","label":"Chemical"},{"text":"clonidine","label":"Chemical"}"#, BOTH),
    ("json-list", r#"[{"text":"Naloxone","label":"Chemical"},{"text":"clonidine","label":"Chemical"}"#, BOTH),
    ("json-list", r#"[{"text":"Naloxone","label":"Chemical"},{"text":"clonidine","label":"Chem"#, BOTH),
    ("json-list", r#"[{"text":"Naloxone","label":"Chemical"},{"text":"cloni"#, FIRST),
    ("json-list", r#"[{text: "Naloxone", label: "Chemical"}, {text: "clonidine", label: "Chemical"}]"#, BOTH),
    ("json-list", r#"[{"name": "Naloxone", "type": "Chemical"}, {"name": "clonidine", "type": "Chemical"}]"#, BOTH),
    ("json-list", r#"{"entities": [{"text": "Naloxone", "label": "Chemical"}, {"text": "clonidine", "label": "Chemical"}]}"#, BOTH),
    ("json-list", "[{“text”:“Naloxone”,“label”:“Chemical”}]", FIRST),
    ("json-list", r#"[{"text":"Naloxone","label":"Chemical","score":0.93}]"#, FIRST),
    // What stands around an answer.
    ("json-list", "```json\n[{\"text\":\"Naloxone\",\"label\":\"Chemical\"}]\n```", FIRST),
    ("json-list", "Sure! Here are the entities:\n\n[{\"text\":\"Naloxone\",\"label\":\"Chemical\"}]\n\nLet me know if you need more.", FIRST),
    ("json-list", "[{\"text\":\"Naloxone\",\"label\":\"Chemical\"}]</s>", FIRST),
    ("json-list", "There are no entities in this text.", &[]),
    ("json-grouped", "{\"Chemical\":[\"Naloxone\"],\"Disease\":[]}C04107 is an anonymous marker", FIRST),
    ("json-list", r#"[]{"entities":[{"text":"Naloxone","label":"Chemical"}]}"#, &[]),
    // Labels and mentions.
    ("json-list", r#"[{"text":"Naloxone","label":"chemicals"},{"text":"Alzheimer's disease","label":"DISEASE"}]"#, &[("Naloxone", "Chemical"), ("Alzheimer's disease", "Disease")]),
    ("json-list", r#"[{"text":"naloxone","label":"Chemical"},{"text":"clonidin","label":"Chemical"}]"#, BOTH),
    ("json-list", r#"[{"text":"morphine","label":"Chemical"},{"text":"clonidine","label":"Gene"}]"#, &[]),
    ("json-list", r#"[{"text":"Naloxone","label":"Chemical"},{"text":"Naloxone","label":"Chemical"}]"#, FIRST),
    ("json-list", r#"[{"text":"Alzheimer\u0027s disease","label":"Disease"}]"#, LAST),
    ("json-grouped", r#"{"chemical": ["Naloxone", "clonidine"], "disease": ["Alzheimer's disease"]}"#, ALL),
    ("json-grouped", r#"{"Disease":["Alzheimer's disease"]}"#, LAST),
    ("json-grouped", r#"{"Chemical":["Naloxone","clonidine"]}"#, BOTH),
    ("label-list", r#"['Naloxone', 'clonidine',]"#, BOTH),
    ("label-list", "[\"Naloxone\",\"clonidine\"", BOTH),
    ("label-list", "[\"Naloxone\", \"clonidine]", FIRST),
    // Positions: the text wins.
    ("json-offsets", r#"[{"text":"clonidine","start":130,"end":136,"label":"Chemical"}]"#, &[("clonidine", "Chemical")]),
    ("json-offsets", r#"[{"text":"Naloxone","start":"0","end":"8","label":"Chemical"}]"#, FIRST),
    ("json-offsets", r#"[{"text":"Naloxone","label":"Chemical"}]"#, FIRST),
    ("json-offsets-first", r#"[{"start": 1, "end": 9, "text": "Naloxone", "label": "Chemical"}]"#, FIRST),
    ("json-occurrence", r#"[{"text":"Naloxone","occurrence":7,"label":"Chemical"}]"#, FIRST),
    ("offsets", "[1:7] = Chemical\n[49:58] = chemical", BOTH),
    ("offsets", "[0-8] = Chemical", FIRST),
    ("word-index", "0-0: Chemical\n6 - 6 Chemical\n500-501 Disease", BOTH),
    ("json-parts", r#"[{"parts":"Naloxone","label":"Chemical"}]"#, FIRST),
    // Lists of other kinds.
    ("tuples", "[('Naloxone', 'Chemical'), ('clonidine', 'Chemical')]", BOTH),
    ("tuples", "[[\"Naloxone\",\"Chemical\"],[\"clonidine\",\"Chemical\"]]", BOTH),
    ("code", "```python\nresult = [\n    Chemical(mention='Naloxone'),\n    Chemical(mention='clonidine'),\n]\n```", BOTH),
    ("code", "[Chemical(\"Naloxone\"), Chemical(\"clonidine\")]", BOTH),
    ("csv", "text,label\nNaloxone,Chemical\nclonidine,Chemical", BOTH),
    ("csv", "\"Naloxone\",\"Chemical\"\n\"clonidine\",\"Chemical\"", BOTH),
    ("markdown-table", "| Naloxone | Chemical |\n| clonidine | Chemical |", BOTH),
    ("markdown-table", "| Text | Label |\n|------|-------|\n| Naloxone | Chemical |\n| clonidine | Chemical |", BOTH),
    ("markdown-table", "| text | label |\n| --- | --- |\n|Naloxone|Chemical|\n|clonidine|Chemical|", BOTH),
    ("yaml", "- text: Naloxone\n  label: Chemical\n- text: clonidine\n  label: Chemical", BOTH),
    ("yaml", "entities:\n  - text: \"Naloxone\"\n    label: \"Chemical\"\n  - text: \"clonidine\"\n    label: \"Chemical\"", BOTH),
    ("sel", "((chemical: Naloxone) (chemical: clonidine))", BOTH),
    ("sel", "(Chemical: Naloxone)(Chemical: clonidine)", BOTH),
    ("sentences", "Naloxone is a Chemical.\n\"clonidine\" is a chemical", BOTH),
    ("sentences", "\"Alzheimer's disease\" is an disease.", LAST),
    ("lines", "- Naloxone: Chemical\n- clonidine: Chemical", BOTH),
    ("lines", "Naloxone - Chemical\nclonidine: Chemical\n\n", BOTH),
    ("json-lines", "{\"text\": \"Naloxone\", \"label\": \"Chemical\"}\n\n{\"text\": \"clonidine\", \"label\": \"Chemical\"}\n", BOTH),
    ("json-lines", "[{\"text\":\"Naloxone\",\"label\":\"Chemical\"},\n{\"text\":\"clonidine\",\"label\":\"Chemical\"}]", BOTH),
    // Copies of the document.
    ("inline-xml", "<Chemical>Naloxone</Chemical> reverses the effect of <Chemical>clonidine</Chemical> in <Disease>Alzheimer's disease</Disease> (P < 0.05).", ALL),
    ("inline-xml", "Output: <chemical>naloxone</chemical> reverses the antihypertensive effects of <chemical>clonidin</chemical>.", BOTH),
    ("inline-xml", "<Chemical>Naloxone</Chemical> reverses the antihypertensive effect of <Chemical>clonidine</Disease> in", BOTH),
    ("inline-xml", "<Chemical>Naloxone<Chemical> reverses the antihypertensive effect of <Chemical>clonidine</Chemical> in", BOTH),
    ("inline-xml", "<Chemical>Naloxone reverses the antihypertensive effect of <Chemical>clonidine</Chemical> in Alzheimer's disease (P &lt; 0.05).", &[("clonidine", "Chemical")]),
    ("inline-xml", "Naloxone</Chemical> reverses the antihypertensive effect of <Chemical>clonidine</Chemical> in", &[("clonidine", "Chemical")]),
    ("inline-xml", "<Disease>Alzheimer's disease</Disease>", LAST),
    ("inline-xml", "Naloxone reverses the antihypertensive effect of clonidine in Alzheimer's disease (P < 0.05).", &[]),
    ("inline-bracket", "[Naloxone|Chemical] reverses the antihypertensive effect of [clonidine | chemical] in [Alzheimers disease | Disease] (P < 0.05).", ALL),
    ("inline-bracket", "[Naloxone | Chemical] reverses the antihypertensive effect of [clonidine | Chemical] in [Alzheimer's disease | Disease", ALL),
    ("inline-bracket", "One [naloxone | Chemical] was found", FIRST),
    ("inline-mark", "@@Naloxone## reverses the antihypertensive effect of @@clonidine## in Alzheimer disease", BOTH),
    ("inline-mark", "@@Naloxone@@ reverses the antihypertensive effect of @@clonidine## in", BOTH),
    ("bio-words", "Naloxone(B-Chemical) reverses(O) the(O) antihypertensive(O) effect(O) of(O) clonidine(B-chemical) in(O)", BOTH),
    ("bio-words", "Naloxone(I-Chemical) reverses(O) effect(O) of(O) clonidine (B-Chemical) in(O)", BOTH),
    ("bio-words", "Naloxone(B-Chemical) reverses the antihypertensive effect of(O) clonidine(B-Chemical) in(O) Alzheimer's(B-Disease) disease(I-Disease) ((O) P(O)", ALL),
    ("bio-lines", "Naloxone B-Chemical\nreverses O\nthe O\nantihypertensive O\neffect O\nof O\nclonidine I-Chemical\nin O\n", BOTH),
    ("bio-tags", "B-Chemical O O O O O I-Chemical O B-Disease I-Disease I-Disease I-Disease O O O O O O O O O O O O O", ALL),
    ("bio-tags", "B-Chemical, O, O, O, O, O, B-Chemical, O", BOTH),
    ("bio-tags", "O O O O O O B-Chemical B-Disease O", &[("clonidine", "Chemical"), ("in", "Disease")]),
];

#[test]
fn the_usual_damages_are_mended() {
    let text = Text::new(TEXT);
    let mut failed = Vec::new();
    for (name, output, expected) in CASES {
        let program = formats::program(name, &["Chemical", "Disease"]);
        let repaired = check(&program, &text, output.as_bytes());
        let surface =
            |entity: &Entity| (text.slice(entity.extent()).unwrap_or_default().to_owned(), entity.label.clone());
        let mut found: Vec<(String, String)> = repaired.entities.iter().map(surface).collect();
        let mut expected: Vec<(String, String)> =
            expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        found.sort();
        expected.sort();
        if found != expected {
            failed.push(format!("{name}: {output}\n  gave {found:?}\n  {:?}", repaired.edits));
        }
    }
    assert!(failed.is_empty(), "{} of {}\n{}", failed.len(), CASES.len(), failed.join("\n"));
}
