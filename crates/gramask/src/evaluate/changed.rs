//! The documents whose entities differ between a strategy and `masked`.
//!
//! Some strategies should give the same outputs as `masked` at less cost. This figure checks them: `jump` writes the same forced
//! text, but perhaps in other tokens, and later probabilities can depend on that. Other strategies choose differently on purpose
//! (`beam`, `aligned-asap`, ...). For these the figure tells how much their choice matters.

use std::collections::HashMap;

use gramask_grammar::Level;

use super::{ScoreRow, SummaryRow};
use crate::experiment::StrategyName;

/// A cell and a document, without the strategy and the seed.
type Place<'a> = (&'a str, &'a str, &'a str, Level, &'a str);

/// Fills in [`SummaryRow::changed_documents`]. Each row is compared with the row of `masked` with the same model, corpus, format and
/// level, if there is one. The figure is the number of documents in both whose entities differ, in whatever order. Outputs with a
/// seed are compared with those of the same seed, or with those without a seed, which greedy decoding has.
pub fn count_changed(rows: &mut [SummaryRow], scored: &[ScoreRow]) {
    let masked: HashMap<(Place<'_>, Option<u64>), &str> = scored
        .iter()
        .filter(|scored| scored.strategy == StrategyName::MASKED)
        .map(|scored| ((place(scored), scored.seed), scored.said.as_str()))
        .collect();
    let mut counts: HashMap<(Place<'_>, StrategyName), usize> = HashMap::new();
    for scored in scored.iter().filter(|scored| scored.strategy != StrategyName::MASKED) {
        let at = |seed| masked.get(&(place(scored), seed));
        if let Some(expected) = at(scored.seed).or_else(|| at(None)) {
            let (model, corpus, format, level, _) = place(scored);
            let cell = ((model, corpus, format, level, ""), scored.strategy);
            *counts.entry(cell).or_default() += usize::from(scored.said != **expected);
        }
    }
    for row in rows {
        let of_row = |cell: &(Place<'_>, StrategyName)| {
            let ((model, corpus, format, level, _), strategy) = *cell;
            [model, corpus, format, level.name(), strategy.as_str()]
                == [&row.model, &row.corpus, &row.format, &row.level, &row.strategy].map(String::as_str)
        };
        // The answers of tasks have no entities that could differ.
        let mut counts = counts.iter().filter(|_| !row.is_of_tasks());
        row.changed_documents = counts.find(|(cell, _)| of_row(cell)).map(|(_, count)| *count);
    }
}

fn place(scored: &ScoreRow) -> Place<'_> {
    (&scored.model, &scored.corpus, &scored.format, scored.level, &scored.document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::summarise;
    use crate::store::record_for_tests as record;
    use gramask_ner::{Entity, Schema};

    #[test]
    fn documents_with_other_entities_are_counted() {
        let (a, b) = (Entity::new("Disease", 0, 4), Entity::new("Disease", 6, 9));
        let of = |strategy, document, entities: &[&Entity]| {
            let mut record = record(Level::Grounded, document);
            record.cell.strategy = strategy;
            record.entities = entities.iter().map(|&entity| entity.clone()).collect();
            record
        };
        let (masked, jump) = (StrategyName::MASKED, "jump".parse().unwrap());
        let mut elsewhere = of(jump, "d1", &[]);
        elsewhere.cell.level = Level::Syntax;
        let records = [
            of(masked, "d1", &[&a, &b]),
            of(masked, "d2", &[]),
            of(masked, "d3", &[&a]),
            of(jump, "d1", &[&b, &a]), // another order says the same
            of(jump, "d2", &[&a]),
            of(jump, "d3", &[&a, &a]),
            of(jump, "d4", &[&b]), // masked has not been there yet
            of("draft".parse().unwrap(), "d2", &[]),
            elsewhere,
        ];
        let schema = Schema::new(["Disease"]);
        let mut rows: Vec<SummaryRow> = [0, 3, 7, 8].map(|i| summarise(&records[i].cell, &schema, &records)).into();
        let scored: Vec<ScoreRow> = records.iter().map(|record| ScoreRow::of(record, &schema)).collect();
        count_changed(&mut rows, &scored);
        let changed: Vec<Option<usize>> = rows.iter().map(|row| row.changed_documents).collect();
        assert_eq!(changed, [None, Some(2), Some(0), None]);
    }
}
