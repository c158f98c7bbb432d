//! Outputs read at increasing leniency: each fault is forgiven where it belongs, and not before.

use gramask_grammar::Lenient;
use gramask_ner::Text;

use crate::{corpora, formats, passes};

const TEXT: &str = "Naloxone reverses the effect of clonidine and of Naloxone in lupus.";

/// A format, an output about [`TEXT`], and at each leniency how many entities it says and how many strays.
type Case = (&'static str, &'static str, [(usize, usize); 3]);

#[rustfmt::skip]
const CASES: &[Case] = &[
    // Nothing to forgive, and nothing that could be.
    ("json-list", r#"[{"text":"lupus","label":"Disease"}]"#, [(1, 0), (1, 0), (1, 0)]),
    ("json-list", r#"[{"text":"aspirin","label":"Chemical"}]"#, [(0, 1), (0, 1), (0, 1)]),
    // Syntax and labels; what the end cuts is no prediction.
    ("json-list", r#"[{'text': 'lupus', 'label': 'Disease'}"#, [(1, 0), (1, 0), (1, 0)]),
    ("json-list", r#"[{"text":"lupus","label":"Disease"},{"text":"cloni"#, [(1, 0), (1, 0), (1, 0)]),
    ("json-list", r#"[{"text":"lupus","label":"diseases"}]"#, [(1, 0), (1, 0), (1, 0)]),
    ("json-list", r#"[{"text":"lupus","label":"Gene"}]"#, [(0, 1), (0, 1), (0, 1)]),
    // Copied text, in an output that parses and in one that does not.
    ("json-list", r#"[{"text":"naloxon","label":"Chemical"}]"#, [(0, 1), (1, 0), (1, 0)]),
    ("json-list", r#"[{"text":"naloxon","label":"Chemical"},"#, [(0, 1), (1, 0), (1, 0)]),
    ("inline-bracket", "[Naloxone | Chemical] reverses the efect of [clonidine | Chemical] and of Naloxone in lupus.", [(0, 0), (2, 0), (2, 0)]),
    ("inline-bracket", "[Naloxone | Chemical] reverses the efect of [clonidine | Chemical] and of Naloxone in [lu", [(0, 0), (2, 0), (2, 0)]),
    // Numbers, with text and without.
    ("json-offsets", r#"[{"text":"lupus","start":60,"end":65,"label":"Disease"}]"#, [(0, 1), (0, 1), (1, 0)]),
    ("json-offsets", r#"[{"text":"Lupus","start":61,"end":66,"label":"Disease"}]"#, [(0, 1), (1, 0), (1, 0)]),
    ("json-offsets", r#"[{"text":"Lupus","start":60,"end":65,"label":"Disease"}]"#, [(0, 1), (0, 1), (1, 0)]),
    ("json-occurrence", r#"[{"text":"Naloxone","occurrence":7,"label":"Chemical"}]"#, [(0, 1), (0, 1), (1, 0)]),
    // Too often: no prediction of its own.
    ("json-list", r#"[{"text":"lupus","label":"Disease"},{"text":"lupus","label":"Disease"}]"#, [(1, 0), (1, 0), (1, 0)]),
    // A tag too few.
    ("bio-tags", "B-Chemical O O O O B-Chemical O O B-Chemical O B-Disease", [(0, 0), (0, 0), (3, 0)]),
];

#[test]
fn each_fault_is_forgiven_where_it_belongs() {
    let text = Text::new(TEXT);
    for (format, output, wanted) in CASES {
        let program = formats::passes(format, &["Chemical", "Disease"]).remove(0);
        let read = program.read_leniently(&text, output.as_bytes());
        let said = |lenient: &Lenient| (lenient.entities.len(), lenient.strays);
        let got = [said(&read.parse), said(&read.copy), said(&read.count)];
        assert_eq!(got, *wanted, "{format}: {output}\n{read:?}");
    }
}

/// What the strict reader reads without a problem has nothing to forgive.
#[test]
fn gold_outputs_are_the_same_at_each_leniency() {
    for corpus in corpora() {
        for name in formats::names() {
            for program in passes(name, &corpus) {
                for document in corpus.documents.iter().step_by(3) {
                    let Ok(written) = program.write(&document.text, &document.entities) else {
                        continue;
                    };
                    let strict = program.read(&document.text, written.text.as_bytes()).unwrap();
                    let read = program.read_leniently(&document.text, written.text.as_bytes());
                    for lenient in [read.parse, read.copy, read.count] {
                        assert_eq!((lenient.entities, lenient.strays), (strict.entities.clone(), 0), "{name}");
                    }
                }
            }
        }
    }
}
