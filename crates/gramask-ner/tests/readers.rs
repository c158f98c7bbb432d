//! The readers on small files, right and wrong.

use std::collections::BTreeMap;
use std::path::Path;

use gramask_ner::corpus::{
    Corpus, Form, OnProblem, Options, Problem, ProblemKind, find, take_unused_renames, write_jsonl,
};
use gramask_ner::{Document, Entity, Fragment, Schema};

use crate::support::{clean, folder, read, stops};

const PUBTATOR: &str = "\
1|t|On naloxone.
1|a|It reverses α|β clonidine.
1\t3\t11\tnaloxone\tChemical\tD009270
1\t29\t38\tclonidine\tChemical\tD003000\textra
1\tCID\tD009270\tD007022

2|t|A title alone
2\t2\t7\ttitle\tThing
";

#[test]
fn pubtator_is_read() {
    let (corpus, problems) = read("a/train.pubtator", PUBTATOR).unwrap();
    assert_eq!(problems, []);
    assert_eq!((corpus.name.as_str(), corpus.schema.labels()), ("train", &["Chemical".to_owned(), "Thing".into()][..]));
    let text = "On naloxone.\nIt reverses α|β clonidine.";
    assert_eq!(corpus.documents[0].text.as_str(), text);
    assert_eq!(corpus.documents[0].entities, [Entity::new("Chemical", 3, 11), Entity::new("Chemical", 29, 38)]);
    assert_eq!(corpus.documents[1].text.as_str(), "A title alone");
    // The same from Windows and without a telling extension.
    let (windows, _) = read("train.txt", &PUBTATOR.replace('\n', "\r\n")).unwrap();
    assert_eq!(windows, corpus);
}

#[test]
fn a_corrupt_pubtator_line_is_an_error_with_its_place() {
    for (line, found) in [
        ("1\t3\t11\tnaloxone", "with 4 tab-separated fields; expected ID|t|TITLE"),
        ("1\tx3\t11\tnaloxone\tChemical", "found the offsets \"x3\" and \"11\"; expected two whole numbers"),
        ("1\tCID\t11\tnaloxone\tChemical", "found the offsets"),
        ("2\t3\t11\tnaloxone\tChemical", "an annotation of document \"2\"; expected one of document \"1\""),
        ("1\t3\t11\tnaloxone\t", "an empty label"),
        ("rubbish", "\"rubbish\" with 1 tab-separated fields"),
        ("1|a|Second abstract", "an abstract of \"1\" out of place"),
    ] {
        let content = format!("1|t|On naloxone.\n1|a|\n{line}\n1\t3\t11\tnaloxone\tChemical\n");
        let message = stops("dir/x.pubtator", &content);
        assert!(message.starts_with("dir/x.pubtator:3: document 1: found "), "{message}");
        assert!(message.contains(found), "{message}");
        let (corpus, problems) = read("dir/x.pubtator", &content).unwrap();
        assert_eq!((corpus.entities(), problems.len(), problems[0].line), (1, 1, 3));
    }
    assert!(stops("x.pubtator", "1\t3\t11\tnaloxone\tChemical\n").starts_with("x.pubtator:1: found "));
}

#[test]
fn annotations_that_are_not_the_text_are_named() {
    let content =
        "7|t|Some gene here\n7\t5\t9\tgene \tX\n7\t0\t4\tSoma\tX\n7\t10\t40\there\tX\n7\t4\t4\t\tX\n7\t5\t9\tgene\tX\n";
    let (corpus, problems) = read("f.pubtator", content).unwrap();
    assert_eq!(corpus.documents[0].entities, [Entity::new("X", 5, 9)]);
    let messages: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(
        messages,
        [
            "f.pubtator:2: document 7: the annotation says that 5..9 is \"gene \", but the text there is \"gene\"; \
             kept, as only outer white space differs",
            "f.pubtator:3: document 7: the annotation says that 0..4 is \"Soma\", but the text there is \"Some\"; expected the same text",
            "f.pubtator:4: document 7: offsets 10..40 are not fragments of a text of 14 characters; expected start < end \
             <= 14 without overlap",
            "f.pubtator:5: document 7: offsets 4..4 are not fragments of a text of 14 characters; expected start < end \
             <= 14 without overlap",
            "f.pubtator:6: document 7: the entity X 5..9 is annotated twice; expected once, the second is left out",
        ]
    );
    assert_eq!(stops("f.pubtator", content), messages[0]);
}

#[test]
fn a_document_that_stands_twice_is_reported() {
    let content = "1|t|Same\n1\t0\t4\tSame\tX\n\n1|t|Same\n1\t0\t4\tSame\tX\n\n1|t|Other\n";
    let (corpus, problems) = read("f.pubtator", content).unwrap();
    assert_eq!(corpus.documents.iter().map(|d| d.id.as_str()).collect::<Vec<_>>(), ["1", "1#2"]);
    assert_eq!(problems[0].kind, ProblemKind::DuplicateDocument { entities: 1, kept_as: None });
    assert_eq!(problems[0].line, 4);
    assert_eq!(problems[1].kind, ProblemKind::DuplicateDocument { entities: 0, kept_as: Some("1#2".into()) });
}

#[test]
fn labels_are_renamed_and_held_against_the_schema() {
    let options = Options {
        rename: BTreeMap::from([("Thing".to_owned(), "Object".to_owned())]),
        schema: Some(Schema::new(["Object"])),
        on_problem: OnProblem::Skip,
        ..Options::default()
    };
    let (corpus, problems) = Corpus::read_str("x.pubtator", PUBTATOR, &options).unwrap();
    assert_eq!(corpus.schema.labels(), ["Object"]);
    assert_eq!(corpus.documents[1].entities, [Entity::new("Object", 2, 7)]);
    assert_eq!(problems.len(), 2);
    assert!(problems[0].to_string().ends_with("unknown label \"Chemical\"; expected one of Object"), "{}", problems[0]);
}

#[test]
fn a_label_to_rename_that_no_file_has_is_named() {
    let rename = BTreeMap::from([("Thing".to_owned(), "Object".to_owned()), ("Chemica".to_owned(), "Drug".to_owned())]);
    let options = Options { rename, ..Options::default() };
    let (_, mut problems) = Corpus::read_str("x.pubtator", PUBTATOR, &options).unwrap();
    let message = problems[0].to_string();
    assert!(message.contains("`rename` has \"Chemica\", but no entity has this label"), "{message}");
    assert!(message.contains("expected one of Chemical, ") && message.contains("did you mean"), "{message}");
    // Another split may have the label.
    let other = PUBTATOR.replace("\tChemical\t", "\tChemica\t");
    let (_, mut none) = Corpus::read_str("y.pubtator", &other, &options).unwrap();
    assert_eq!((problems.len(), none.len()), (1, 0));
    assert_eq!(take_unused_renames([&mut problems.clone(), &mut none]), []);
    let (_, mut again) = Corpus::read_str("z.pubtator", &PUBTATOR.replace("Chemical", "Gene"), &options).unwrap();
    let unused = take_unused_renames([&mut problems, &mut again]);
    assert_eq!((unused.len(), problems.len(), again.len()), (1, 0, 0));
    assert!(unused[0].to_string().contains("expected one of Chemical, Gene, Thing"), "{}", unused[0]);
}

#[test]
fn jsonl_is_written_and_read_back() {
    let mut first = Document::new("a", "β \"quoted\"\nand c").with_entities(vec![
        Entity::discontinuous("X", vec![Fragment::new(0, 1), Fragment::new(15, 16)]),
        Entity::new("Y", 2, 14),
    ]);
    first.offset = 9;
    let documents = vec![first, Document::new("b", "")];
    let mut out = Vec::new();
    write_jsonl(&mut out, &documents).unwrap();
    let (corpus, problems) = read("x.jsonl", std::str::from_utf8(&out).unwrap()).unwrap();
    assert_eq!((corpus.documents, problems), (documents, vec![]));

    let (short, _) =
        read("x.jsonl", r#"{"id":"1","text":"ab","entities":[{"label":"X","start":1,"end":2}],"more":1}"#).unwrap();
    assert_eq!(short.documents[0].entities, [Entity::new("X", 1, 2)]);
    let broken = "\n{\"id\":\"1\",\"text\":5}\n";
    assert!(stops("x.jsonl", broken).starts_with("x.jsonl:2: found the text 5; expected \"text\": a string"));
    let none = r#"{"id":"1","text":"ab","entities":[{"label":"X","start":1}]}"#;
    assert!(stops("x.jsonl", none).starts_with("x.jsonl:1: document 1: found an entity without offsets: "));
    let outside = Document::new("z", "ab").with_entities(vec![Entity::new("X", 1, 3)]);
    assert!(write_jsonl(Vec::new(), [&outside]).unwrap_err().to_string().starts_with("document z: offsets 1..3"));
}

#[test]
fn json_lines_that_could_be_read_past_are_refused() {
    for (line, found) in [
        (r#"{"text":"ab","entities":[]}"#, r#"no field "id" among "text", "entities""#),
        (r#"{"id":1.5,"text":"ab","entities":[]}"#, "the identifier 1.5; expected \"id\": a string or a whole number"),
        (r#"{"id":1,"text":"ab","spans":[]}"#, r#"no field "entities" among "id", "text", "spans""#),
        (r#"{"id":1,"text":"ab","entities":[],"label":[]}"#, r#"both fields "entities" and "label""#),
        (r#"{"id":1,"text":"ab","label":"positive"}"#, r#""label": "positive""#),
        (r#"{"id":1,"text":"ab","label":["positive"]}"#, r#"in field "label" the entity "positive""#),
        (r#"{"id":1,"text":"ab","label":[[0,"1","X"]]}"#, r#"in field "label" the entity [0,"1","X"]"#),
        (
            r#"{"id":1,"text":"ab","entities":[{"label":"X","start":0,"end":-1}]}"#,
            "whose offsets are not whole numbers",
        ),
        (r#"{"id":1,"text":"ab","entities":[{"label":"X","start":0,"end":1,"fragments":[[0,1]]}]}"#, "in two ways"),
        (r#"{"id":1,"text":"ab","entities":[{"label":"X","fragments":[[0]]}]}"#, "are not pairs of whole numbers"),
        (r#"{"id":1,"text":"ab","entities":[{"label":7,"start":0,"end":1}]}"#, "whose label is not a string"),
        (r#"{"id":1,"text":"ab","entities":[{"label":"X","start":0,"end":1,"text":1}]}"#, "whose text is not a string"),
        ("[1]", "no JSON object at column"),
    ] {
        let message = stops("x.jsonl", line);
        assert!(message.contains(found), "{message}");
    }
    let relations = r#"{"id":7,"text":"ab","Comments":[],"entities":[{"id":2,"label":"X","start_offset":0,"end_offset":1}],"relations":[]}"#;
    assert_eq!(clean("x.jsonl", relations).documents[0].entities, [Entity::new("X", 0, 1)]);
}

#[test]
fn forms_are_told_by_name_and_content() {
    let jsonl = r#"{"id":1,"text":"ab","entities":[]}"#;
    let xml = "<?xml version=\"1.0\"?><collection><document><id>1</id></document></collection>";
    let bioc = r#"{"documents":[{"id":"1","passages":[]}]}"#;
    for (file, content) in
        [("a.txt", "1|t|Title"), ("a.JSONL", jsonl), ("a.data", jsonl), ("a.xml", xml), ("a.json", bioc)]
    {
        assert_eq!(clean(file, content).documents.len(), 1, "{file}");
    }
    let error =
        |file: &str, content: &str| Corpus::read_str(file, content, &Options::default()).unwrap_err().to_string();
    for (file, content) in [("a.txt", "Some text.\nMore."), ("a.xml", "<html/>"), ("a.json", "[1]"), ("a.csv", "a,b")] {
        let message = error(file, content);
        assert!(message.starts_with(&format!("cannot tell the form of {file}; expected ")), "{message}");
        assert!(message.ends_with("pubtator, brat, bionlp, conll, jsonl, bioc-xml, bioc-json"), "{message}");
    }
    assert_eq!(
        error("d.ann", ""),
        "d.ann is one file of a standoff corpus; give the folder that holds it and its .txt file"
    );
    let brat = Options { form: Some(Form::Brat), ..Options::default() };
    let message = Corpus::read_str("d.txt", "", &brat).unwrap_err().to_string();
    assert_eq!(message, "d.txt is a file, and BRAT standoff is a folder of files; give the folder");
    for form in Form::ALL {
        assert_eq!(form.as_str().parse(), Ok(form));
    }
    assert!(
        "xml".parse::<Form>().unwrap_err().to_string().starts_with("unknown form \"xml\"; expected one of pubtator,")
    );
    assert_eq!(
        folder(&[("1.pubtator", "1|t|A"), ("2.pubtator", "2|t|B")], &Options::default()).unwrap().0.documents.len(),
        2
    );
}

#[test]
fn relations_are_told_from_damaged_mentions() {
    let head = "1|t|On naloxone and p53.\n1|a|\n";
    for relation in [
        "CID\tD1\tD2",
        "CPR:3\tArg1:T1\tArg2:T2",
        "Bind\t4683\t7157\tNovel",
        "5-HT_up\t12\t7\tNo\tx",
        "CID\tp53\tnaloxone\tyes",
    ] {
        assert_eq!(clean("x.pubtator", &format!("{head}1\t{relation}\n")).entities(), 0, "{relation}");
    }
    for mention in ["x3\t11\tnaloxone\tChemical", "l6\tl9\tp53\tGene"] {
        assert!(stops("x.pubtator", &format!("{head}1\t{mention}\n")).contains("found the offsets"), "{mention}");
    }
}

#[test]
fn files_that_cannot_be_read_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| Corpus::read(path, &Options::default()).unwrap_err().to_string();
    assert!(error(&folder.path().join("none.pubtator")).contains("none.pubtator: "));
    assert!(error(folder.path()).starts_with("cannot tell the form of "));
    let file = folder.path().join("x.pubtator");
    std::fs::write(&file, b"1|t|ok\n1|a|\xff\n").unwrap();
    assert!(error(&file).ends_with("x.pubtator:2: not UTF-8 at byte 11 of the file; expected text in UTF-8"));
    std::fs::write(&file, b"\xEF\xBB\xBF\n\n").unwrap();
    assert!(error(&file).ends_with("holds no document; expected at least one as PubTator"));
    std::fs::write(&file, "\u{FEFF}1|t|ok").unwrap();
    assert_eq!(Corpus::read(&file, &Options::default()).unwrap().0.documents[0].id, "1");
    let form = Options { form: Some(Form::Conll), ..Options::default() };
    assert!(Corpus::read_str("odd.name", "word O\n", &form).is_ok());
    let missing = find("no-such", "train").unwrap_err().to_string();
    assert!(
        missing.starts_with("unknown corpus \"no-such\"; expected one of ") && missing.contains("bc5cdr"),
        "{missing}"
    );
    let split = find("bc5cdr", "valid").unwrap_err().to_string();
    assert_eq!(split, "corpus bc5cdr has no split \"valid\"; expected one of train, dev, test");
}
