//! An open entity as the set of all tuples that agree with what was written of it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::notation::ast::Terminal;
use crate::program::LabelId;
use crate::source::Source;

/// A label's number, and fragments as their first and last words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Tuple {
    pub label: LabelId,
    pub fragments: Vec<(u32, u32)>,
}

/// A place in the document's order: start, end with the longer first, label, fragments.
type Key<'t> = (u32, Reverse<u32>, LabelId, &'t [(u32, u32)]);

impl Tuple {
    /// By start, then the longer first, then in schema order, then by fragments.
    fn key(&self) -> Key<'_> {
        let start = self.fragments.first().map_or(0, |fragment| fragment.0);
        let end = self.fragments.last().map_or(0, |fragment| fragment.1);
        (start, Reverse(end), self.label, &self.fragments)
    }
}

/// The entities before: in `%order document` the last one alone matters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Past(Arc<[Tuple]>);

impl Past {
    /// Whether `tuple` may come now.
    fn admits(&self, tuple: &Tuple, ordered: bool) -> bool {
        match ordered {
            true => self.0.iter().all(|before| before.key() < tuple.key()),
            false => !self.0.contains(tuple),
        }
    }

    fn with(&self, tuple: Tuple, ordered: bool) -> Past {
        if ordered {
            return Past(Arc::new([tuple]));
        }
        let mut all = self.0.to_vec();
        all.push(tuple);
        all.sort_unstable();
        Past(all.into())
    }
}

/// An entity of a format that refers to the document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Referred {
    tuples: Arc<[Tuple]>,
    /// `@text` wrote the last fragment: the next `@text` writes one more.
    written: bool,
    /// The label was written, or is the context's.
    labelled: bool,
}

impl Referred {
    /// Every stretch of words with every label that the context allows.
    pub fn open(source: &Source, labels: impl Iterator<Item = LabelId> + Clone, labelled: bool) -> Referred {
        let words = 0..source.len();
        let all = words.clone().flat_map(|first| (first..words.end).map(move |last| (first, last)));
        let tuples = all.flat_map(|stretch| labels.clone().map(move |label| Tuple { label, fragments: vec![stretch] }));
        Referred { tuples: tuples.collect(), written: false, labelled }
    }

    /// What `kind` can write, and what the entity is after each.
    pub fn views(&self, kind: Terminal, source: &Source, labels: &[Vec<u8>]) -> Vec<(Vec<u8>, Referred)> {
        let begun = match kind == Terminal::Text && self.written {
            true => self.further(source),
            false => self.tuples.to_vec(),
        };
        let mut groups: BTreeMap<Vec<u8>, Vec<Tuple>> = BTreeMap::new();
        for tuple in begun {
            let Some(&(first, last)) = tuple.fragments.last() else {
                continue;
            };
            let view = match kind {
                Terminal::Label => labels[tuple.label.index()].clone(),
                Terminal::Text => source.surface(first, last).to_vec(),
                _ => source.view(kind, first, last).to_string().into_bytes(),
            };
            groups.entry(view).or_default().push(tuple);
        }
        let bound = |(view, tuples): (Vec<u8>, Vec<Tuple>)| {
            let entity = Referred {
                tuples: tuples.into(),
                written: self.written || kind == Terminal::Text,
                labelled: self.labelled || kind == Terminal::Label,
            };
            (view, entity)
        };
        groups.into_iter().map(bound).collect()
    }

    /// All tuples with one fragment more, after the last one.
    fn further(&self, source: &Source) -> Vec<Tuple> {
        let mut found = Vec::new();
        for tuple in self.tuples.iter() {
            let from = tuple.fragments.last().map_or(0, |fragment| fragment.1 + 1);
            for first in from..source.len() {
                for last in first..source.len() {
                    let mut longer = tuple.clone();
                    longer.fragments.push((first, last));
                    found.push(longer);
                }
            }
        }
        found
    }

    /// Leaves out what can't come any more: in document order a tuple that does not follow will not do so with further
    /// fragments either, which put its end further right and itself earlier.
    pub fn prune(mut self, past: &Past, ordered: bool) -> Option<Referred> {
        if ordered {
            self.tuples = self.tuples.iter().filter(|tuple| past.admits(tuple, true)).cloned().collect();
        }
        (!self.tuples.is_empty()).then_some(self)
    }

    /// The entities before, once this one closed; `None` where it may not close.
    pub fn close(&self, past: &Past, ordered: bool, positions: bool) -> Option<Past> {
        let mut agreeing: Vec<&Tuple> = self.tuples.iter().filter(|tuple| past.admits(tuple, ordered)).collect();
        agreeing.sort_unstable_by_key(|tuple| tuple.key());
        let settled = !positions || agreeing.len() == 1;
        let earliest = agreeing.first().filter(|_| settled && self.labelled)?;
        Some(past.with((*earliest).clone(), ordered))
    }
}

/// An entity of a cursor format: its fragment is what the cursor passed inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Passed {
    pub label: Option<LabelId>,
    /// The first word.
    pub from: u32,
    /// The last word and the label of the entity inside that began at the same word and closed last.
    pub child: Option<(u32, LabelId)>,
}

impl Passed {
    /// The entity's label, where it may close after `word`: one inside it with the same fragment has a later label.
    pub fn close(&self, word: u32) -> Option<LabelId> {
        let label = self.label.filter(|_| word >= self.from)?;
        match self.child {
            Some((last, inner)) if last == word && inner <= label => None,
            _ => Some(label),
        }
    }
}
