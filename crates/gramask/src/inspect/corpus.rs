//! What a corpus holds.

use std::collections::{BTreeMap, HashSet};

use gramask_grammar::Format;
use gramask_ner::corpus::{self, Form, Problem, count_problems, take_unused_renames};
use gramask_ner::{Corpus, Document, Entity, Schema};
use serde::Serialize;

use super::{FormatReport, InspectError};
use crate::experiment::{CorpusChoice, OnProblem, Unit};
use crate::plan::SPLITS;

/// What a corpus holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CorpusReport {
    /// Its name.
    pub name: String,
    /// Where a known corpus comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The form of its files, as the option `form` has it.
    pub form: Form,
    /// What one document of the files is.
    pub unit: Unit,
    /// The labels, in the order of the schema.
    pub labels: Vec<String>,
    /// The splits; one without a name where a path has none.
    pub splits: Vec<SplitReport>,
    /// What is wrong in the files, by kind.
    pub faults: Vec<FaultCount>,
    /// What the formats write: sentences or whole documents.
    pub written: Unit,
    /// Entities of all splits, documents that several splits have counted once.
    pub entities: usize,
    /// What each format can't express.
    pub formats: Vec<FormatReport>,
}

/// What a split of a corpus holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SplitReport {
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// The documents, as the files have them.
    pub documents: usize,
    /// The sentences that they are cut into.
    pub sentences: usize,
    /// Sentences without an entity.
    pub empty_sentences: usize,
    /// The words of all texts.
    pub words: usize,
    /// The gold entities.
    pub entities: usize,
    /// The entities of each label, in the order of the schema.
    pub labels: Vec<(String, usize)>,
    /// Entities inside another one.
    pub nested: usize,
    /// Entities that overlap another one, where neither is inside the other.
    pub crossing: usize,
    /// Entities with exactly the text of one with another label.
    pub same_text: usize,
    /// Entities of several fragments.
    pub discontinuous: usize,
}

/// The faults of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultCount {
    /// The kind, in words.
    pub kind: String,
    /// How many.
    pub count: usize,
    /// The first one, with file and line.
    pub first: String,
}

impl CorpusReport {
    /// Reads all splits of a corpus, going on at every fault that reading can pass over, and writes it in these formats.
    ///
    /// # Errors
    /// What can't be read at all.
    pub fn read(choice: &CorpusChoice, written: Unit, formats: &[Format]) -> Result<CorpusReport, InspectError> {
        let named = if choice.path.is_none() { Some(corpus::named(&choice.name)?) } else { None };
        let choice = CorpusChoice { on_problem: OnProblem::Skip, ..choice.clone() };
        let splits = splits(&choice)?;
        let mut read: Vec<(Option<String>, Corpus)> = Vec::new();
        let (mut faults_of, mut problems): (Vec<Vec<Problem>>, Vec<Problem>) = (Vec::new(), Vec::new());
        for split in splits {
            let name = split.as_deref().unwrap_or_default();
            let (corpus, faults) = match choice.file(name) {
                Some(file) => Corpus::read(file, &choice.options())?,
                None => corpus::find(&choice.name, name)?,
            };
            faults_of.push(faults);
            read.push((split, corpus));
        }
        let unused = take_unused_renames(&mut faults_of);
        for fault in faults_of.into_iter().flatten().chain(unused) {
            // Splits of a known corpus can share their files.
            if !problems.contains(&fault) {
                problems.push(fault);
            }
        }
        let schema = match named {
            Some(named) => named.schema(),
            None => union(&read),
        };
        let form = match named {
            Some(named) => named.form(),
            None => {
                let first = read.first().and_then(|(split, _)| split.as_deref()).unwrap_or_default();
                corpus::form_of(&choice.file(first).unwrap_or_default(), choice.form)?
            }
        };
        let unit = read.first().map_or(Unit::Document, |(_, corpus)| match corpus.unit {
            corpus::Unit::Sentence => Unit::Sentence,
            corpus::Unit::Abstract => Unit::Document,
        });
        let in_units: Vec<Corpus> = match written {
            Unit::Document => read.iter().map(|(_, corpus)| corpus.clone()).collect(),
            Unit::Sentence => read.iter().map(|(_, corpus)| corpus.clone().into_sentences()).collect(),
        };
        let mut seen: HashSet<(&str, &str)> = HashSet::new();
        let documents: Vec<&Document> = in_units
            .iter()
            .flat_map(|corpus| &corpus.documents)
            .filter(|document| seen.insert((document.id.as_str(), document.text.as_str())))
            .collect();
        Ok(CorpusReport {
            name: choice.name.clone(),
            source: named.map(|named| named.source.to_owned()),
            form,
            unit,
            splits: read.iter().map(|(split, corpus)| SplitReport::of(split.clone(), corpus, &schema)).collect(),
            faults: count_problems(&problems)
                .into_iter()
                .map(|fault| FaultCount { kind: fault.title, count: fault.count, first: fault.first.to_string() })
                .collect(),
            written: if unit == Unit::Sentence { Unit::Sentence } else { written },
            entities: documents.iter().map(|document| document.entities.len()).sum(),
            formats: FormatReport::of(formats, &schema, &documents),
            labels: schema.labels().to_vec(),
        })
    }
}

/// The splits of a corpus: those that a known one has, those whose files are at a path with `{split}`, or one without a name.
fn splits(choice: &CorpusChoice) -> Result<Vec<Option<String>>, InspectError> {
    let Some(path) = &choice.path else {
        return Ok(corpus::named(&choice.name)?.splits.iter().map(|split| Some((*split).to_owned())).collect());
    };
    if !choice.has_splits() {
        return Ok(vec![None]);
    }
    let file = |split: &&str| choice.file(split);
    let found: Vec<Option<String>> = SPLITS
        .iter()
        .filter(|split| file(split).is_some_and(|file| file.exists()))
        .map(|split| Some((*split).to_owned()))
        .collect();
    match found.is_empty() {
        false => Ok(found),
        true => Err(InspectError::NoSplit {
            pattern: path.display().to_string(),
            looked: SPLITS.iter().filter_map(file).map(|file| file.display().to_string()).collect(),
        }),
    }
}

/// The labels of all splits, in alphabetical order; those that an option gives in its order.
fn union(read: &[(Option<String>, Corpus)]) -> Schema {
    let mut labels: Vec<&String> = read.iter().flat_map(|(_, corpus)| corpus.schema.labels()).collect();
    if read.len() > 1 {
        labels.sort();
    }
    Schema::new(labels)
}

impl SplitReport {
    fn of(split: Option<String>, corpus: &Corpus, schema: &Schema) -> SplitReport {
        let sentences = corpus.clone().into_sentences().documents;
        let mut labels: BTreeMap<&str, usize> = BTreeMap::new();
        let mut report = SplitReport {
            split,
            documents: corpus.documents.len(),
            sentences: sentences.len(),
            empty_sentences: sentences.iter().filter(|sentence| sentence.entities.is_empty()).count(),
            entities: corpus.entities(),
            ..SplitReport::default()
        };
        for document in &corpus.documents {
            report.words += document.text.words().len();
            for (place, entity) in document.entities.iter().enumerate() {
                *labels.entry(&entity.label).or_default() += 1;
                let others = document.entities.iter().enumerate().filter(|(other, _)| *other != place);
                let relations: Vec<Relation> = others.filter_map(|(_, other)| Relation::of(entity, other)).collect();
                let has = |relation: Relation| usize::from(relations.contains(&relation));
                report.nested += has(Relation::Inside);
                report.crossing += has(Relation::Crossing);
                report.same_text += has(Relation::Same);
                report.discontinuous += usize::from(entity.fragments.len() > 1);
            }
        }
        let count = |label: &String| (label.clone(), labels.get(label.as_str()).copied().unwrap_or(0));
        report.labels = schema.labels().iter().map(count).collect();
        report
    }
}

/// How an entity lies to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    /// It has the other's fragments.
    Same,
    /// It is inside the other.
    Inside,
    /// The other is inside it.
    Around,
    /// They share characters, and each has some of its own.
    Crossing,
}

impl Relation {
    /// None where the two share no character.
    fn of(entity: &Entity, other: &Entity) -> Option<Relation> {
        if entity.fragments == other.fragments {
            return Some(Relation::Same);
        }
        let overlap = entity.fragments.iter().any(|a| other.fragments.iter().any(|b| a.overlaps(b)));
        let inside = |inner: &Entity, outer: &Entity| {
            let covers =
                |a: &gramask_ner::Fragment| outer.fragments.iter().any(|b| b.start <= a.start && a.end <= b.end);
            inner.fragments.iter().all(covers)
        };
        match (overlap, inside(entity, other), inside(other, entity)) {
            (false, ..) => None,
            (true, true, _) => Some(Relation::Inside),
            (true, false, true) => Some(Relation::Around),
            (true, false, false) => Some(Relation::Crossing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gramask_ner::Fragment;

    #[test]
    fn overlaps_are_named() {
        let (long, short) = (Entity::new("A", 0, 10), Entity::new("A", 2, 4));
        let broken = Entity::discontinuous("A", vec![Fragment::new(0, 3), Fragment::new(12, 14)]);
        let of = Relation::of;
        assert_eq!((of(&short, &long), of(&long, &short)), (Some(Relation::Inside), Some(Relation::Around)));
        assert_eq!((of(&broken, &long), of(&long, &broken)), (Some(Relation::Crossing), Some(Relation::Crossing)));
        assert_eq!(of(&Entity::new("B", 2, 4), &short), Some(Relation::Same));
        assert_eq!(of(&Entity::new("B", 4, 6), &short), None);
        assert_eq!(of(&Entity::new("B", 5, 6), &broken), None, "in the gap");
    }

    #[test]
    fn the_mini_corpora_have_what_they_show() {
        let read = |name: &str| {
            let formats = ["json-list", "bio-tags"].map(|name| Format::named(name).unwrap());
            CorpusReport::read(&CorpusChoice::named(name, ""), Unit::Sentence, &formats).unwrap()
        };
        let mini = read("mini");
        let splits: Vec<&str> = mini.splits.iter().filter_map(|split| split.split.as_deref()).collect();
        assert_eq!((splits, mini.form, mini.unit), (vec!["train", "test"], Form::PubTator, Unit::Document));
        assert_eq!(mini.labels, ["Chemical", "Disease", "Gene"]);
        assert!(mini.faults.is_empty());
        for split in &mini.splits {
            assert!(split.sentences > split.documents && split.words > split.sentences);
            assert_eq!(split.labels.iter().map(|(_, count)| count).sum::<usize>(), split.entities);
        }
        assert_eq!(mini.entities, mini.splits.iter().map(|split| split.entities).sum::<usize>());

        let nested = read("mini-nested");
        let split = &nested.splits[0];
        assert!(split.nested > 0 && split.discontinuous > 0, "{split:?}");
        assert_eq!((nested.form, nested.unit), (Form::Jsonl, Unit::Sentence));
        assert_eq!(nested.entities, split.entities, "both splits have the same documents");
        let [list, tags] = nested.formats.as_slice() else { panic!("{:?}", nested.formats) };
        assert!(tags.inexpressible > list.inexpressible, "{:?}", nested.formats);
        assert_eq!(tags.reasons.values().sum::<usize>(), tags.inexpressible);
    }
}
