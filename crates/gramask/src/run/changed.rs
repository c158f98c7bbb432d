//! How many documents say something else under a strategy than under `masked`.
//!
//! A strategy that claims `masked`'s output at less cost is held to it: `jump` writes the same forced text, perhaps in other
//! tokens, and what the model thinks of later text can depend on that. For strategies that choose otherwise on purpose
//! (`beam`, `aligned-asap`, ...) the same figure says how much their choice matters.

use std::collections::HashMap;

use gramask_ner::Fragment;

use super::record::Record;
use super::summary::Row;
use crate::experiment::StrategyName;

/// A cell and a document, without the strategy.
type Place<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

/// Fills in [`Row::changed_documents`]: for each row that has one of `masked` with the same model, corpus, format and level
/// beside it, the number of documents in both whose entities differ. The order of entities does not count.
pub fn count_changed(rows: &mut [Row], records: &[Record]) {
    let masked: HashMap<Place<'_>, Vec<Said<'_>>> = records
        .iter()
        .filter(|record| record.cell.strategy == StrategyName::Masked)
        .map(|record| (place(record), said(record)))
        .collect();
    let mut counts: HashMap<(Place<'_>, StrategyName), usize> = HashMap::new();
    for record in records {
        let strategy = record.cell.strategy;
        if let Some(expected) = masked.get(&place(record)).filter(|_| strategy != StrategyName::Masked) {
            let (model, corpus, format, level, _) = place(record);
            let cell = ((model, corpus, format, level, ""), strategy);
            *counts.entry(cell).or_default() += usize::from(said(record) != *expected);
        }
    }
    for row in rows {
        let place = (
            row.model.as_str(),
            row.corpus.as_str(),
            row.format.as_str(),
            row.level.as_str(),
            "",
        );
        let of_row = |name: &StrategyName| name.as_str() == row.strategy;
        let strategy = StrategyName::ALL.into_iter().find(of_row);
        let count = strategy.and_then(|strategy| counts.get(&(place, strategy)).copied());
        row.changed_documents = count;
    }
}

fn place(record: &Record) -> Place<'_> {
    let cell = &record.cell;
    (
        &cell.model,
        &cell.corpus,
        &cell.format,
        cell.level.as_str(),
        &record.document,
    )
}

/// An entity, comparable.
type Said<'a> = (&'a str, &'a [Fragment]);

/// What a record says, in an order of its own.
fn said(record: &Record) -> Vec<Said<'_>> {
    let entities = record.entities.iter();
    let mut all: Vec<Said<'_>> = entities
        .map(|entity| (entity.label.as_str(), entity.fragments.as_slice()))
        .collect();
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::LevelName;
    use crate::run::record::tests::record;
    use crate::run::summary::summarise;
    use gramask_ner::{Entity, Schema};

    #[test]
    fn documents_with_other_entities_are_counted() {
        let (a, b) = (Entity::new("Disease", 0, 4), Entity::new("Disease", 6, 9));
        let of = |strategy, document, entities: &[&Entity]| {
            let mut record = record(LevelName::Grounded, document);
            record.cell.strategy = strategy;
            record.entities = entities.iter().map(|&entity| entity.clone()).collect();
            record
        };
        let (masked, jump) = (StrategyName::Masked, StrategyName::Jump);
        let mut elsewhere = of(jump, "d1", &[]);
        elsewhere.cell.level = LevelName::Syntax;
        let records = [
            of(masked, "d1", &[&a, &b]),
            of(masked, "d2", &[]),
            of(masked, "d3", &[&a]),
            of(jump, "d1", &[&b, &a]), // another order says the same
            of(jump, "d2", &[&a]),
            of(jump, "d3", &[&a, &a]),
            of(jump, "d4", &[&b]), // masked has not been there yet
            of(StrategyName::Draft, "d2", &[]),
            elsewhere,
        ];
        let schema = Schema::new(["Disease"]);
        let mut rows: Vec<Row> = [0, 3, 7, 8]
            .map(|i| summarise(&records[i].cell, &schema, &records))
            .into();
        count_changed(&mut rows, &records);
        let changed: Vec<Option<usize>> = rows.iter().map(|row| row.changed_documents).collect();
        assert_eq!(changed, [None, Some(2), Some(0), None]);
    }
}
