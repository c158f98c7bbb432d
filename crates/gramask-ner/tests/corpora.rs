//! The readers, the words and the sentences on the real corpora, against facts that were counted independently.
//! Skipped, with a line that says so, where the corpora are missing.

use gramask_ner::corpus::{Problem, ProblemKind, data_folder, find, named};
use gramask_ner::{Corpus, Fragment, Text};

#[allow(clippy::print_stderr, reason = "a skipped test says so")]
fn open(name: &str, split: &str) -> Option<(Corpus, Vec<Problem>)> {
    if data_folder(name).is_none() {
        eprintln!("skipped: corpus {name} is not here (set GRAMASK_DATA)");
        return None;
    }
    Some(find(name, split).unwrap())
}

/// Entities with an end that is not the end of a word.
fn off_words(corpus: &Corpus) -> usize {
    let mut off = 0;
    for document in &corpus.documents {
        let on = |fragment: &Fragment| {
            document.text.word_starting_at(fragment.start).is_some()
                && document.text.word_ending_at(fragment.end).is_some()
        };
        off += document.entities.iter().filter(|entity| !entity.fragments.iter().all(on)).count();
    }
    off
}

/// Cuts into sentences and checks that nothing is lost; the number of sentences.
fn check_sentences(corpus: &Corpus) -> usize {
    let cut = corpus.clone().into_sentences();
    assert_eq!(cut.entities(), corpus.entities());
    let ink = |corpus: &Corpus| -> usize {
        let texts = corpus.documents.iter().map(|document| document.text.as_str());
        texts.flat_map(str::chars).filter(|c| !c.is_whitespace()).count()
    };
    assert_eq!(ink(&cut), ink(corpus));
    let mut sentences = cut.documents.iter();
    for document in &corpus.documents {
        let mut left = document.entities.len();
        while left > 0 {
            let sentence = sentences.next().unwrap();
            if sentence.id.split(':').next() != Some(document.id.as_str()) {
                continue;
            }
            for entity in &sentence.entities {
                let shifted = Fragment::new(entity.start() + sentence.offset, entity.end() + sentence.offset);
                assert_eq!(document.text.slice(shifted), sentence.text.slice(entity.extent()));
                left -= 1;
            }
        }
    }
    cut.documents.len()
}

#[test]
fn ncbi_disease() {
    let mut off = 0;
    for (split, documents, mentions) in [("train", 593, 5_145), ("dev", 100, 787), ("test", 100, 960)] {
        let Some((corpus, problems)) = open("ncbi-disease", split) else {
            return;
        };
        assert_eq!(corpus.schema.labels(), ["Disease"]);
        if split == "train" {
            // One annotation has white space too many, and one abstract stands twice.
            assert_eq!(problems.len(), 2, "{problems:?}");
            assert_eq!(problems[0].document.as_deref(), Some("10923035"));
            assert!(matches!(problems[0].kind, ProblemKind::Mismatch { kept: true, .. }));
            assert_eq!(problems[1].document.as_deref(), Some("8528200"));
            assert_eq!(problems[1].kind, ProblemKind::DuplicateDocument { entities: 11, kept_as: None });
            assert_eq!((corpus.documents.len() + 1, corpus.entities() + 11), (documents, mentions));
        } else {
            assert_eq!(problems, []);
            assert_eq!((corpus.documents.len(), corpus.entities()), (documents, mentions));
        }
        off += off_words(&corpus);
        let sentences = check_sentences(&corpus);
        let per_abstract = sentences as f64 / documents as f64;
        assert!((8.0..12.0).contains(&per_abstract), "{per_abstract} sentences per abstract");
    }
    // `autosomal dominant disorde|r` and `... of complemen|t`; all others, 99.97 %, begin and end with a word.
    assert_eq!(off, 2);
}

#[test]
fn bc5cdr() {
    let (mut off, mut total) = (0, 0);
    for (split, mentions) in [("train", 9_385), ("dev", 9_591), ("test", 9_809)] {
        let Some((corpus, problems)) = open("bc5cdr", split) else {
            return;
        };
        assert_eq!(problems, []);
        assert_eq!(corpus.schema.labels(), ["Chemical", "Disease"]);
        assert_eq!((corpus.documents.len(), corpus.entities()), (500, mentions));
        total += mentions;
        off += off_words(&corpus);
        let per_abstract = check_sentences(&corpus) as f64 / 500.0;
        assert!((8.0..12.0).contains(&per_abstract), "{per_abstract} sentences per abstract");
    }
    assert_eq!(total, 28_785);
    // `5-HT|6`, `Ca|2+`, `DA|1`: 99.95 % begin and end with a word.
    assert_eq!(off, 15);
}

#[test]
fn bc2gm() {
    for (split, sentences, mentions) in [("train", 12_500, 15_249), ("dev", 2_500, 3_068), ("test", 5_000, 6_350)] {
        let Some((corpus, problems)) = open("bc2gm", split) else {
            return;
        };
        assert_eq!(problems, []);
        assert_eq!((corpus.documents.len(), corpus.entities()), (sentences, mentions));
        assert_eq!(off_words(&corpus), 0, "{split}");
    }
    // Words of the file that are words of a text stay words when the text is made from them.
    let Some(folder) = data_folder("bc2gm") else { return };
    let (corpus, _) = find("bc2gm", "test").unwrap();
    let file = std::fs::read_to_string(folder.join("test.conll")).unwrap();
    let mut kept = 0;
    for (block, document) in file.split("\n\n").filter(|block| !block.trim().is_empty()).zip(&corpus.documents) {
        let words: Vec<&str> = block.lines().filter_map(|line| line.split('\t').next()).collect();
        if words.iter().all(|word| Text::new(*word).words().len() == 1) {
            let found: Vec<&str> = document.text.words().iter().filter_map(|&w| document.text.slice(w)).collect();
            assert_eq!(words, found);
            kept += 1;
        }
    }
    assert!(kept > 4_900, "{kept}");
}

#[test]
fn pgxcorpus() {
    let Some((corpus, problems)) = open("pgxcorpus", "all") else {
        return;
    };
    assert_eq!(problems, []);
    assert_eq!((corpus.documents.len(), corpus.entities(), corpus.schema.len()), (945, 6_761, 10));
    let discontinuous = |entities: &[gramask_ner::Entity]| entities.iter().filter(|e| e.fragments.len() > 1).count();
    let counts: Vec<usize> = corpus.documents.iter().map(|document| discontinuous(&document.entities)).collect();
    assert_eq!((counts.iter().sum::<usize>(), counts.iter().filter(|&&n| n > 0).count()), (409, 241));
    assert_eq!(off_words(&corpus), 0);
    let used: std::collections::BTreeSet<&str> =
        corpus.documents.iter().flat_map(|d| &d.entities).map(|e| e.label.as_str()).collect();
    assert_eq!(used.len(), 10);
    // The drawn splits are disjoint, cover all and keep abstracts together.
    let mut seen = std::collections::BTreeMap::new();
    let mut sizes = Vec::new();
    for split in ["train", "dev", "test"] {
        let (part, _) = find("pgxcorpus", split).unwrap();
        sizes.push(part.documents.len());
        for document in part.documents {
            let abstract_ = document.id.split('_').next().unwrap_or_default().to_owned();
            assert_eq!(*seen.entry(abstract_).or_insert(split), split);
        }
    }
    assert_eq!(sizes.iter().sum::<usize>(), 945);
    assert!(sizes[1] > 60 && sizes[2] > 60, "{sizes:?}");
}

#[test]
fn mini() {
    let checked = |name, split| {
        let (corpus, problems) = find(name, split).unwrap();
        assert_eq!(problems, []);
        assert_eq!(corpus.schema.labels(), ["Chemical", "Disease", "Gene"]);
        assert_eq!(off_words(&corpus), 0);
        check_sentences(&corpus);
        corpus
    };
    let (train, test, nested) = (checked("mini", "train"), checked("mini", "test"), checked("mini-nested", "all"));
    assert!(train.documents.len() + test.documents.len() + nested.documents.len() >= 80);
    for corpus in [&train, &test] {
        for document in &corpus.documents {
            let apart = document.entities.windows(2).all(|pair| pair[0].end() <= pair[1].start());
            assert!(apart && document.entities.iter().all(|entity| entity.fragments.len() == 1), "{}", document.id);
        }
    }
    let entities = || nested.documents.iter().flat_map(|document| &document.entities);
    assert!(entities().any(|entity| entity.fragments.len() > 1));
    // The pairs of files say the same as what is in the program.
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mini/nested");
    let options = named("mini-nested").unwrap().options();
    assert_eq!(Corpus::read(folder, &options).unwrap(), (nested, vec![]));
}
