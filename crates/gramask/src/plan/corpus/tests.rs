use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;

const PUBTATOR: &str = "1|t|Naloxone reverses the effect of clonidine.\n1|a|Nothing else is in this abstract at all here.\n\
    1\t0\t8\tNaloxone\tChemical\tD009270\n1\t32\t41\tclonidine\tChemical\tD003000\n\n\
    2|t|Aspirin may cause a headache in some patients.\n2|a|It did not do so.\n2\t0\t7\tAspirin\tChemical\tD1\n\
    2\t20\t28\theadache\tDisease\tD2\n\n";

fn written(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let path = folder.path().to_path_buf();
    (folder, path)
}

fn choice(folder: &Path, path: &str) -> CorpusChoice {
    CorpusChoice { name: "own".into(), folder: folder.into(), ..CorpusChoice::at(path, "test") }
}

fn refused(choice: &CorpusChoice, examples: usize, split: &str) -> String {
    PlannedCorpus::read(choice, examples, split).unwrap_err().to_string()
}

#[test]
fn examples_never_come_from_the_evaluated_file_or_split() {
    let (_kept, folder) = written(&[("own.pubtator", PUBTATOR), ("own-test.pubtator", PUBTATOR)]);
    let file = choice(&folder, "own.pubtator");
    let all = PlannedCorpus::read(&file, 0, "train").unwrap();
    assert_eq!((all.documents.len(), all.examples.len()), (4, 0));
    let limited = PlannedCorpus::read(&CorpusChoice { limit: Some(1), ..file.clone() }, 0, "train").unwrap();
    assert_eq!(limited.documents.len(), 1);
    assert_ne!(all.digest, limited.digest);
    let rest = PlannedCorpus::read(&CorpusChoice { skip: 1, limit: Some(2), ..file.clone() }, 0, "train").unwrap();
    assert_eq!(rest.documents, all.documents[1..3]);
    let message = refused(&CorpusChoice { skip: 4, ..file.clone() }, 0, "train");
    assert_eq!(message, "corpus `own`: `skip = 4` leaves no document: it has 4");
    let message = refused(&file, 1, "train");
    assert!(message.contains("would come from the evaluated file") && message.contains("own.pubtator"), "{message}");
    assert!(message.contains("{split}.pubtator"), "{message}");
    let splits = choice(&folder, "own-{split}.pubtator");
    let message = refused(&splits, 1, "test");
    assert!(message.contains("would come from the evaluated split, \"test\""), "{message}");
    let message = refused(&splits, 1, "train");
    assert!(message.contains("split \"train\", which cannot be read") && message.contains("own-train.pubtator"));
    assert!(message.ends_with("or n = 0 for prompts without examples"), "{message}");
    assert!(refused(&CorpusChoice::named("mini", "test"), 1, "test").contains("the evaluated split"));
}

#[test]
fn a_path_may_name_the_split() {
    let other = PUBTATOR.replace("clonidine", "clonixene");
    let (_kept, folder) = written(&[("own-train.pubtator", &other), ("own-test.pubtator", PUBTATOR)]);
    let planned = PlannedCorpus::read(&choice(&folder, "own-{split}.pubtator"), 1, "train").unwrap();
    // A sentence that both splits hold is not an example.
    assert_eq!((planned.documents.len(), planned.examples.len()), (4, 1));
    assert!(planned.examples[0].text.as_str().contains("clonixene"));
}

#[test]
fn the_labels_are_those_of_all_splits_unless_they_are_given() {
    let line = |id: &str, label: &str| {
        format!(
            "{{\"id\":\"{id}\",\"text\":\"Druxol {id}\",\"entities\":[{{\"label\":\"{label}\",\"start\":0,\"end\":6}}]}}\n"
        )
    };
    let train = line("a", "Disease") + &line("b", "Gene");
    let (_kept, folder) = written(&[("L_train.jsonl", &train), ("L_test.jsonl", &line("t", "Chemical"))]);
    let splits = choice(&folder, "L_{split}.jsonl");
    let read = |choice: &CorpusChoice| PlannedCorpus::read(choice, 0, "train").unwrap();
    assert_eq!(read(&splits).schema.labels(), ["Chemical", "Disease", "Gene"]);
    // A file without splits has its own labels.
    assert_eq!(read(&choice(&folder, "L_test.jsonl")).schema.labels(), ["Chemical"]);
    let rename = BTreeMap::from([("Gene".to_string(), "Disease".to_string())]);
    let renamed = CorpusChoice { rename, ..splits.clone() };
    assert_eq!(read(&renamed).schema.labels(), ["Chemical", "Disease"]);
    // The evaluated split lacks `Gene`, but another one has it. No split has `Genes`.
    let rename = BTreeMap::from([("Genes".to_string(), "Disease".to_string())]);
    for labels in [vec![], vec!["Chemical".to_string(), "Disease".into()]] {
        let message = refused(&CorpusChoice { rename: rename.clone(), labels, ..splits.clone() }, 0, "train");
        assert!(message.contains("`own`: `rename` has \"Genes\""), "{message}");
        assert!(message.contains("expected one of Chemical, Disease, Gene") && message.contains("did you mean"));
    }
    let given = CorpusChoice { labels: vec!["Drug".into(), "Chemical".into()], ..splits.clone() };
    assert_eq!(read(&given).schema.labels(), ["Drug", "Chemical"]);
    let lacking = CorpusChoice { labels: vec!["Gene".into()], ..splits };
    assert!(refused(&lacking, 0, "train").contains("unknown label \"Chemical\"; expected one of Gene"));
}

#[test]
fn faults_name_corpus_and_file_and_the_way_on() {
    let (_kept, folder) = written(&[("bad.pubtator", &PUBTATOR.replace("32\t41", "33\t41"))]);
    let message = refused(&choice(&folder, "own.pubtator"), 0, "train");
    assert!(message.contains("`own`") && message.contains("own.pubtator"), "{message}");
    let bad = choice(&folder, "bad.pubtator");
    let message = refused(&bad, 0, "train");
    assert!(message.contains("bad.pubtator:4") && message.contains("on_problem = \"skip\""), "{message}");
    let skipping = CorpusChoice { on_problem: crate::experiment::OnProblem::Skip, ..bad };
    assert_eq!(PlannedCorpus::read(&skipping, 0, "train").unwrap().problems.len(), 1);
}

#[test]
fn a_corpus_for_a_prompt_gives_its_own_documents_as_examples() {
    let (_kept, folder) = written(&[("own.pubtator", PUBTATOR)]);
    let prompt = PlannedCorpus::read_for_prompt(&choice(&folder, "own.pubtator"), 2).unwrap();
    assert_eq!((prompt.documents.len(), prompt.examples.len(), prompt.schema.len()), (0, 2, 2));
}

#[test]
fn conll_sentences_stay_whole() {
    let (_kept, folder) = written(&[("two.conll", "Doses\tO\nfell\tO\n.\tO\nDruxol\tB-X\nrose\tO\n.\tO\n")]);
    let planned = PlannedCorpus::read(&choice(&folder, "two.conll"), 0, "train").unwrap();
    assert_eq!((planned.documents.len(), planned.documents[0].id.as_str()), (1, "two:1"));
    let whole = whole_documents(&choice(&folder, "two.conll")).unwrap();
    assert_eq!(whole.documents, planned.documents);
}
