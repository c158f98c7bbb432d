//! CoNLL: columns, comments, tag schemes, headers.

use gramask_ner::corpus::{Corpus, Options, ProblemKind, ReadError, Unit};
use gramask_ner::{Entity, Schema};

use crate::support::{clean, folder, read, skip, stops, surfaces};

fn unsure(content: &str) -> String {
    let error = Corpus::read_str("f.conll", content, &skip()).unwrap_err();
    assert!(matches!(error, ReadError::UnknownColumns { .. }), "{error}");
    error.to_string()
}

/// The entities of a file of one sentence per blank line.
fn entities(content: &str) -> Vec<(String, String)> {
    let corpus = clean("f.conll", content);
    let all = corpus.documents.iter().flat_map(surfaces);
    all.map(|(label, surface)| (label.to_owned(), surface)).collect()
}

fn tagged(tags: &str) -> String {
    let sentence =
        |tags: &str| tags.split(' ').enumerate().map(|(n, tag)| format!("w{n}\t{tag}\n")).collect::<String>();
    tags.split('|').map(sentence).collect::<Vec<_>>().join("\n")
}

fn spans(tags: &str) -> Vec<String> {
    entities(&tagged(tags)).into_iter().map(|(label, surface)| format!("{label}: {surface}")).collect()
}

#[test]
fn conll_is_read_and_detokenised() {
    let content = "The\tO\nK\tB-GENE\n-\tI-GENE\nrat\tI-GENE\ngene\tB-GENE\n.\tO\n\n-DOCSTART-\tO\n# a comment\n#\tO\nα\tI-GENE\n";
    let (corpus, problems) = read("dev.conll", content).unwrap();
    assert_eq!((corpus.unit, corpus.documents[0].id.as_str()), (Unit::Sentence, "dev:1"));
    assert_eq!(corpus.documents[0].text.as_str(), "The K-rat gene.");
    assert_eq!(corpus.documents[0].entities, [Entity::new("GENE", 4, 9), Entity::new("GENE", 10, 14)]);
    assert_eq!(corpus.documents[1].text.as_str(), "# α");
    assert_eq!(corpus.documents[1].entities, [Entity::new("GENE", 2, 3)]);
    assert_eq!(problems[0].kind, ProblemKind::StrayInside { tag: "I-GENE".into() });
    let message = stops("dev.conll", content);
    assert!(message.starts_with("dev.conll:11: I-GENE does not follow a mention of its label; expected B-GENE first"));
    // The same from Windows.
    assert_eq!(read("dev.conll", &content.replace('\n', "\r\n")).unwrap().0, corpus);
}

#[test]
fn rows_that_are_wrong_are_named() {
    assert_eq!(
        stops("d.conll", "a\tO\nb\tX\n"),
        "d.conll:2: found the tag \"X\"; expected O, B-LABEL or I-LABEL, or the tags of BIOES or BILOU"
    );
    assert!(stops("d.conll", "a\tO\nb\tB-\n").contains("found the tag \"B-\""));
    let ragged = "found \"b\" with 1 column; expected 2 columns separated by tabs, as in line 1";
    assert_eq!(stops("d.conll", "a\tO\nb\n"), format!("d.conll:2: {ragged}"));
    // Spaces do not separate the columns of a file with tabs, nor do other characters any columns.
    assert!(stops("d.conll", "a\tO\nb O\n").contains("with 1 column"));
    assert!(stops("d.conll", "a O\nb\u{2003}O\n").contains("with 1 column"));
    assert_eq!(stops("d.conll", "a\tO\n\tO\n"), "d.conll:2: found an empty word; expected a word and its tag");
    // A row that is left out ends the mention.
    let (corpus, problems) = read("d.conll", "a\tB-X\nb\tQ\nc\tI-X\n").unwrap();
    assert_eq!((surfaces(&corpus.documents[0]).len(), problems.len()), (2, 2));
}

#[test]
fn words_of_a_file_with_tabs_may_hold_spaces() {
    assert_eq!(entities("10 mg\tB-Dose\nof\tO\n"), [("Dose".to_owned(), "10 mg".to_owned())]);
}

#[test]
fn comments_stand_before_the_first_word() {
    let spaces = "# sent_id = 1\n# O\nheld O\n# O\nTremor B-Disease\n";
    assert_eq!(clean("f.conll", spaces).documents[0].text.as_str(), "# held # Tremor");
    // Inside a sentence, a line that is no row is a fault.
    assert!(stops("f.conll", "a\tO\n# note\nb\tO\n").contains("f.conll:2: found \"# note\" with 1 column"));
    // With more columns, a comment can look like a row.
    let options = Options { columns: "word=1,tag=4".parse().ok(), ..Options::default() };
    let read = |content: &str| Corpus::read_str("f.conll", content, &options);
    let error = read("# about vitamin B-12\nTremor NN x B-Disease\n").unwrap_err().to_string();
    assert!(error.contains("found \"# about vitamin B-12\", which is a comment or the word \"#\""), "{error}");
    let (corpus, _) = read("# about vitamins\nTremor NN x B-Disease\n# # x O\n").unwrap();
    assert_eq!(corpus.documents[0].text.as_str(), "Tremor #");
}

#[test]
fn columns_are_taken_only_where_they_are_sure() {
    let message = unsure("B-X\ta\nO\tb\n");
    assert!(message.contains("all of column 1 (\"B-X\" first) can be tags; give the option `columns`, such as columns = { word = 2, tag = 1 } (--columns word=2,tag=1)"), "{message}");
    assert!(unsure("O\tO\n").contains("can be tags"));
    assert!(unsure("a NN B-X\nb NN O\n").contains("there are 3 columns (1 \"a\", 2 \"NN\", 3 \"B-X\"); give the option `columns`, such as columns = { word = 1, tag = 3 }"));
    assert!(unsure("word\n").contains("there is one column"));
    // Four columns are sure where -DOCSTART- says that they are those of CoNLL-2003.
    let rows = "EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n";
    assert!(unsure(rows).contains("there are 4 columns"));
    let corpus = clean("f.conll", &format!("-DOCSTART- -X- -X- O\n\n{rows}"));
    assert_eq!(surfaces(&corpus.documents[0]), [("ORG", "EU".to_owned())]);
    assert!(unsure("-DOCSTART- -X- -X- O\n\nO 1 2 B-ORG\n").contains("there are 4 columns"));
}

#[test]
fn tag_schemes_are_told_apart() {
    for (scheme, tags, expected) in [
        ("IOB2", "B-X I-X B-X O B-Y", vec!["X: w0 w1", "X: w2", "Y: w4"]),
        ("IOB1", "I-X I-X B-X O I-Y", vec!["X: w0 w1", "X: w2", "Y: w4"]),
        ("IOB1", "I-X I-Y|I-X", vec!["X: w0", "Y: w1", "X: w0"]),
        ("BIOES", "B-X E-X S-X O S-Y", vec!["X: w0 w1", "X: w2", "Y: w4"]),
        ("BIOES", "B-X I-X E-X B-X E-X", vec!["X: w0 w1 w2", "X: w3 w4"]),
        ("BILOU", "B-X L-X U-X O U-Y", vec!["X: w0 w1", "X: w2", "Y: w4"]),
        ("BILOU", "B-X I-X L-X|U-X", vec!["X: w0 w1 w2", "X: w0"]),
        ("bare BIOES", "S O B E", vec!["Entity: w0", "Entity: w2 w3"]),
    ] {
        assert_eq!(spans(tags), expected, "{scheme}");
    }
}

#[test]
fn tags_that_break_their_scheme_are_named() {
    for (tags, line, message) in [
        // One B- at the beginning of a mention makes it IOB2.
        ("B-X O I-X", 3, "I-X does not follow a mention of its label"),
        ("B-X I-Y", 2, "I-Y does not follow a mention of its label"),
        ("S-X B-X O", 3, "the mention that begins with B-X does not end with E-X; read as if it did"),
        ("S-X B-X|O", 2, "the mention that begins with B-X does not end with E-X"),
        ("U-X B-X U-X", 3, "the mention that begins with B-X does not end with L-X"),
        ("S-X E-X", 2, "E-X does not follow a mention of its label; expected B-X first, read as B-X"),
        ("S-X L-X", 2, "found the tag \"L-X\"; expected the end tags of one scheme, BIOES or BILOU"),
        ("L-X E-X", 1, "L-X does not follow"),
    ] {
        let found = stops("f.conll", &tagged(tags));
        assert!(found.starts_with(&format!("f.conll:{line}: {message}")), "{tags}: {found}");
    }
    let (corpus, _) = read("f.conll", &tagged("S-X E-X B-X O")).unwrap();
    assert_eq!(surfaces(&corpus.documents[0]).len(), 3);
}

#[test]
fn medline_headers_name_the_document() {
    let content = "###MEDLINE:95369245\n\nIL-2\tB-DNA\ngene\tI-DNA\n\nFelt\tO\n\n###MEDLINE:95333264\n\nNF\tO\n";
    let corpus = clean("jnlpba.tsv", content);
    let ids: Vec<&str> = corpus.documents.iter().map(|document| document.id.as_str()).collect();
    assert_eq!(ids, ["95369245:1", "95369245:2", "95333264:1"]);
    assert_eq!(clean("jnlpba.txt", content).documents, corpus.documents);
}

#[test]
fn bare_tags_get_a_label() {
    let content = "a\tO\nb\tB\nc\tI\nd\tB\n";
    assert_eq!(entities(content), [("Entity".to_owned(), "b c".to_owned()), ("Entity".to_owned(), "d".to_owned())]);
    let options = Options { schema: Some(Schema::new(["Disease"])), ..Options::default() };
    let (corpus, _) = Corpus::read_str("f.tsv", content, &options).unwrap();
    assert_eq!(surfaces(&corpus.documents[0])[0], ("Disease", "b c".to_owned()));
    let mixed = stops("f.tsv", "a\tO\nb\tB\nc\tI-X\n");
    assert!(mixed.starts_with("f.tsv:3: found the tag \"I-X\"; expected a tag without a label"), "{mixed}");
}

#[test]
fn folders_of_conll_files_are_read() {
    let files = [("b.conll", "x\tB-X\n"), ("a.conll", "y\tO\n"), ("notes.txt", "Anything.")];
    let (corpus, problems) = folder(&files, &Options::default()).unwrap();
    let ids: Vec<&str> = corpus.documents.iter().map(|document| document.id.as_str()).collect();
    assert_eq!((ids, problems), (vec!["a:1", "b:1"], vec![]));
    let splits = [("train.conll", "x\tB-X\n"), ("test.conll", "y\tO\n")];
    let error = folder(&splits, &Options::default()).unwrap_err().to_string();
    assert!(error.contains("holds the splits of a corpus") && error.contains("{split}.conll"), "{error}");
    let mixed = folder(&[("a.conll", ""), ("b.ann", "")], &Options::default()).unwrap_err().to_string();
    assert!(mixed.ends_with("files of several forms; give the option `form`, one of brat, conll"), "{mixed}");
}
