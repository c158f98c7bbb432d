//! The files of `tests/cases`: small inputs that readers of this kind often read wrong.

use std::collections::BTreeMap;

use gramask_ner::corpus::{Columns, Corpus, Options, Problem, ProblemKind, count_problems};
use gramask_ner::{Entity, Schema};

use crate::support::{case, skip, surfaces};

fn clean(name: &str, options: &Options) -> Corpus {
    let (corpus, problems) = Corpus::read(case(name), options).unwrap();
    assert_eq!(problems, []);
    corpus
}

fn refused(name: &str) -> String {
    Corpus::read(case(name), &Options::default()).unwrap_err().to_string()
}

fn with_columns(columns: &str) -> Options {
    Options { columns: Some(columns.parse().unwrap()), ..Options::default() }
}

fn of(corpus: &Corpus) -> Vec<(&str, String)> {
    corpus.documents.iter().flat_map(surfaces).collect()
}

fn pairs(expected: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    expected.iter().map(|&(label, surface)| (label, surface.to_owned())).collect()
}

#[test]
fn relations_with_numbers_are_passed_over() {
    let corpus = clean("relations.pubtator", &Options::default());
    let expected = [("Gene", "GENEA"), ("Gene", "GENEB"), ("Gene", "GENEA"), ("Disease", "ataxia")];
    assert_eq!(of(&corpus), pairs(&expected));
}

#[test]
fn a_blank_line_before_the_annotations_means_nothing() {
    let corpus = clean("gap.pubtator", &Options::default());
    assert_eq!(of(&corpus), pairs(&[("Disease", "ataxia")]));
}

#[test]
fn a_space_too_many_is_named() {
    let message = refused("trailing-space.pubtator");
    assert!(message.contains("trailing-space.pubtator:3: document 123: the annotation says"), "{message}");
    let (corpus, problems) = Corpus::read(case("trailing-space.pubtator"), &skip()).unwrap();
    assert_eq!(corpus.entities(), 2);
    let counts = count_problems(&problems);
    assert_eq!((counts.len(), counts[0].count), (1, 2));
    assert_eq!(counts[0].title, "annotation and text differ in outer white space");
    assert_eq!(counts[0].first.line, 3);
}

#[test]
fn a_line_of_a_space_in_an_ann_file_is_ignored() {
    let corpus = clean("blank-line-ann", &Options::default());
    assert_eq!(of(&corpus), pairs(&[("Chemical", "Druxol"), ("Disease", "ataxia")]));
}

#[test]
fn a_no_break_space_separates_no_columns() {
    let corpus = clean("no-break-space.conll", &Options::default());
    assert_eq!(of(&corpus), pairs(&[("Dose", "10\u{a0}mg"), ("Chemical", "druxol")]));
    assert_eq!(corpus.documents[0].text.as_str(), "Dose 10\u{a0}mg of druxol.");
}

#[test]
fn comments_are_told_from_words() {
    let corpus = clean("hash.conll", &Options::default());
    assert_eq!(corpus.schema.labels(), ["Chemical", "Disease"]);
    assert_eq!(of(&corpus), pairs(&[("Chemical", "#druxol"), ("Disease", "Ataxia"), ("Disease", "Tremor")]));
    assert_eq!(corpus.documents[0].text.as_str(), "#druxol is drug # 1");
}

#[test]
fn bioes_is_read() {
    let corpus = clean("bioes.conll", &Options::default());
    assert_eq!(of(&corpus), pairs(&[("Chemical", "Druxol"), ("Disease", "lung cancer")]));
}

#[test]
fn columns_that_are_not_sure_must_be_named() {
    let message = refused("germeval.conll");
    assert!(message.contains("germeval.conll:2: cannot tell which columns hold the word and the tag"), "{message}");
    assert!(message.contains(r#"there are 4 columns (1 "1", 2 "Druxol", 3 "B-Chemical", 4 "O")"#), "{message}");
    let corpus = clean("germeval.conll", &with_columns("word=2,tag=3"));
    assert_eq!(of(&corpus), pairs(&[("Chemical", "Druxol"), ("Disease", "lung cancer")]));
    assert_eq!(corpus.documents[0].text.as_str(), "Druxol for lung cancer.");
    assert_eq!(of(&clean("germeval.conll", &with_columns("word=2,tag=4"))), pairs(&[("Organ", "lung")]));

    let message = refused("tag-first.conll");
    assert!(message.contains("give the option `columns`, such as columns = { word ="), "{message}");
    let corpus = clean("tag-first.conll", &with_columns("tag=1,word=4"));
    assert_eq!(of(&corpus), pairs(&[("Chemical", "Druxol")]));

    let beyond = Corpus::read(case("tag-first.conll"), &with_columns("tag=1,word=8")).unwrap_err().to_string();
    assert!(beyond.ends_with("the row has 7 columns, and `columns` asks for word=8,tag=1; give columns from 1 to 7"));
}

#[test]
fn a_ragged_row_is_refused() {
    for options in [Options::default(), Options { columns: Columns::new(1, 3).ok(), ..Options::default() }] {
        let message = Corpus::read(case("ragged.conll"), &options).unwrap_err().to_string();
        assert!(
            message.ends_with("ragged.conll:2: found \"helps B-Other\" with 2 columns; expected 3 columns separated by spaces, as in line 1"),
            "{message}"
        );
    }
}

#[test]
fn tsv_is_columns() {
    let corpus = clean("two-columns.tsv", &Options::default());
    assert_eq!(of(&corpus), pairs(&[("Chemical", "Druxol")]));
    // The same without a telling extension.
    let content = std::fs::read_to_string(case("two-columns.tsv")).unwrap();
    assert_eq!(Corpus::read_str("two-columns.txt", &content, &Options::default()).unwrap().0, corpus);
}

#[test]
fn a_conll_sentence_is_not_cut() {
    let corpus = clean("two-stops.conll", &Options::default()).into_sentences();
    assert_eq!(corpus.documents.len(), 1);
    assert_eq!((corpus.documents[0].id.as_str(), corpus.documents[0].entities.len()), ("two-stops:1", 1));
}

#[test]
fn a_whole_number_is_an_identifier() {
    assert_eq!(clean("whole-number-id.jsonl", &Options::default()).documents[0].id, "1");
}

#[test]
fn doccano_is_read() {
    let corpus = clean("doccano.jsonl", &Options::default());
    assert_eq!(of(&corpus), pairs(&[("Chemical", "Druxol"), ("Disease", "Ataxia")]));
}

#[test]
fn an_identifier_that_stands_twice_stops_reading() {
    let message = refused("twice.jsonl");
    assert!(message.contains("twice.jsonl:2: document 1: this identifier stands twice"), "{message}");
    let (corpus, problems) = Corpus::read(case("twice.jsonl"), &skip()).unwrap();
    let ids: Vec<&str> = corpus.documents.iter().map(|document| document.id.as_str()).collect();
    assert_eq!((ids, problems.len()), (vec!["1", "1#2"], 1));
}

#[test]
fn an_empty_label_is_refused() {
    let message = refused("empty-label.jsonl");
    assert!(message.ends_with("document 1: found an empty label; expected the name of a label"), "{message}");
    let (corpus, problems) = Corpus::read(case("empty-label.jsonl"), &skip()).unwrap();
    assert_eq!((corpus.entities(), problems.len()), (0, 1));
    // A label that is renamed to nothing is one, too.
    let rename = Options { rename: BTreeMap::from([("Chemical".into(), " ".into())]), ..Options::default() };
    assert!(Corpus::read(case("whole-number-id.jsonl"), &rename).unwrap_err().to_string().contains("an empty label"));
}

#[test]
fn a_label_that_the_schema_lacks_is_counted_by_its_name() {
    let options = Options { schema: Some(Schema::new(["Chemical"])), ..skip() };
    let (corpus, problems) = Corpus::read(case("labels-train.jsonl"), &options).unwrap();
    assert_eq!(corpus.documents[0].entities, [Entity::new("Chemical", 0, 6)]);
    let counts: Vec<(String, usize, &Problem)> =
        count_problems(&problems).into_iter().map(|count| (count.title, count.count, count.first)).collect();
    assert_eq!(counts.len(), 2);
    assert_eq!((counts[0].0.as_str(), counts[0].1), ("unknown label \"Gene\"", 2));
    assert_eq!((counts[1].0.as_str(), counts[1].1), ("unknown label \"Disease\"", 1));
    assert!(matches!(counts[0].2.kind, ProblemKind::UnknownLabel { .. }));
    let test = clean("labels-test.jsonl", &Options::default());
    assert_eq!((test.schema.labels().len(), test.documents.len()), (1, 2));
}
