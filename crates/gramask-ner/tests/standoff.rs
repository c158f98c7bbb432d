//! BRAT and BioNLP: folders of texts with their annotations beside them.

use gramask_ner::corpus::{Form, Options, ProblemKind};
use gramask_ner::{Entity, Fragment};

use crate::support::{folder, skip, surfaces};

#[test]
fn brat_pairs_are_read() {
    let txt = "levels of α, β\nand γ";
    let ann = "T1\tLevel 13 14;0 9\tβ levels of \nR1\ttreats Arg1:T1 Arg2:T2\t\n#1\tAnnotatorNotes T1\tnote\n\
               T2\tPair 13 18\tβ and\nT3\tPair 10 11\tα \nT4\tPair 10 13\tα, \n";
    let (corpus, problems) = folder(&[("d.1.txt", txt), ("d.1.ann", ann)], &Options::default()).unwrap();
    assert_eq!(problems, []);
    let document = &corpus.documents[0];
    assert_eq!((document.id.as_str(), document.text.as_str()), ("d.1", txt));
    let level = Entity::discontinuous("Level", vec![Fragment::new(0, 9), Fragment::new(13, 14)]);
    let others = [(10, 13), (10, 11), (13, 18)].map(|(start, end)| Entity::new("Pair", start, end));
    assert_eq!(document.entities, [&[level][..], &others].concat());
}

#[test]
fn what_is_wrong_with_brat_is_said() {
    let error = |files: &[(&str, &str)]| folder(files, &Options::default()).unwrap_err().to_string();
    let pair = |ann| error(&[("d.txt", "levels"), ("d.ann", ann)]);
    assert!(pair("T1\tX 0 6\tlevels\nT2\tX 0\tlevels").contains("d.ann:2: document d: found the offsets \"0\""));
    assert!(pair("T1\tX 0 4;2 6\tleve vels").contains("offsets 0..4;2..6 are not fragments"));
    assert!(
        pair("T1\tX 0 6\tlevel")
            .contains("says that 0..6 is \"level\", but the text there is \"levels\"; expected the same text")
    );
    assert!(pair("?1 what").contains("found a line that begins \"?1 what\"; expected T, R"));
    assert!(error(&[("d.ann", "")]).contains("d.txt beside it; expected both files"));
    let (corpus, problems) = folder(&[("a.txt", "x"), ("b.txt", "y"), ("b.ann", "")], &skip()).unwrap();
    assert_eq!((corpus.documents.len(), problems.len()), (1, 1));
}

#[test]
fn what_is_not_part_of_a_brat_corpus_is_noted() {
    let files =
        [("d.txt", "levels"), ("d.ann", " \n\t\nT1\tX 0 6\tlevels\n"), ("README.txt", "About."), (".x.ann", "?")];
    let (corpus, problems) = folder(&files, &Options::default()).unwrap();
    assert_eq!((corpus.documents.len(), corpus.entities(), problems.len()), (1, 1, 1));
    assert_eq!(problems[0].kind, ProblemKind::IgnoredFile);
    assert!(problems[0].to_string().ends_with("README.txt:1: this file is not part of the corpus and is ignored"));
    assert!(problems[0].kind.is_note());
}

#[test]
fn bionlp_files_are_read() {
    let files = [
        ("1.txt", "IL-2 binds in B. subtilis."),
        ("1.a1", "T1\tProtein 0 4\tIL-2\n"),
        (
            "1.a2",
            "T2\tBinding 5 10\tbinds\nT3\tBacteria 14 25\tB. subtilis\nE1\tBinding:T2 Theme:T1\n*\tEquiv T1 T3\nM1\tNegation E1\n",
        ),
        ("2.txt", "None."),
        ("2.a1", ""),
    ];
    let (corpus, problems) = folder(&files, &Options::default()).unwrap();
    assert_eq!(problems, []);
    assert_eq!(corpus.documents.len(), 2);
    let expected = [("Protein", "IL-2"), ("Binding", "binds"), ("Bacteria", "B. subtilis")];
    assert_eq!(surfaces(&corpus.documents[0]), expected.map(|(label, surface)| (label, surface.to_owned())));
    let form = Options { form: Some(Form::BioNlp), ..Options::default() };
    assert_eq!(folder(&files, &form).unwrap().0.documents, corpus.documents);
    let error = folder(&[("1.a1", ""), ("1.a2", "")], &Options::default()).unwrap_err().to_string();
    assert!(error.contains("there is no ") && error.contains("1.txt beside it"), "{error}");
}
