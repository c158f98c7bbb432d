//! Which documents become the examples of a prompt.

use std::cmp::Reverse;
use std::collections::HashSet;

use gramask_ner::{Document, Entity, Schema};

/// Examples longer than this, in characters, would crowd out the document.
const LONGEST: usize = 220;
/// Shorter ones are headings and fragments.
const SHORTEST: usize = 40;

/// Chooses `n` examples from a split, the same ones for every format, level and strategy.
///
/// The examples show every label, if possible. Three or more examples include one document without any entity: a fifth to a
/// half of all sentences have none, and a model that never sees an empty output rarely writes one. Flat, contiguous entities are
/// preferred, because every format can express them. Among equal documents the first is chosen.
pub fn choose(documents: &[Document], schema: &Schema, n: usize) -> Vec<Document> {
    let fits = |document: &&Document| (SHORTEST..=LONGEST).contains(&document.text.len());
    let candidates: Vec<&Document> = match documents.iter().filter(fits).count() {
        enough if enough >= n => documents.iter().filter(fits).collect(),
        // Not enough documents of a good length: take all.
        _ => documents.iter().collect(),
    };
    let mut chosen: Vec<&Document> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    let empty = if n >= 3 { candidates.iter().find(|document| document.entities.is_empty()) } else { None };
    while chosen.len() + usize::from(empty.is_some()) < n {
        let rest = candidates.iter().enumerate().filter(|(_, document)| {
            !chosen.iter().any(|other| other.id == document.id) && !document.entities.is_empty()
        });
        let best = rest.min_by_key(|(place, document)| {
            let labels: HashSet<&str> = document.entities.iter().map(|entity| entity.label.as_str()).collect();
            let new = labels.iter().filter(|label| !seen.contains(*label) && schema.index(label).is_some()).count();
            (!is_flat(&document.entities), Reverse(new), *place)
        });
        let Some((_, best)) = best else { break };
        seen.extend(best.entities.iter().map(|entity| entity.label.as_str()));
        chosen.push(best);
    }
    // In the middle: the last example has the most weight, and it should not teach that outputs are empty.
    if let Some(empty) = empty {
        chosen.insert(chosen.len() / 2, empty);
    }
    chosen.into_iter().cloned().collect()
}

/// Whether no entity is discontinuous or overlaps another one.
fn is_flat(entities: &[Entity]) -> bool {
    let single = entities.iter().all(|entity| entity.fragments.len() == 1);
    let apart = |(i, entity): (usize, &Entity)| {
        entities[i + 1..].iter().all(|other| !entity.extent().overlaps(&other.extent()))
    };
    single && entities.iter().enumerate().all(apart)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gramask_ner::Fragment;

    fn document(id: &str, entities: Vec<Entity>) -> Document {
        Document::new(id, "A sentence that is about as long as most of them are.").with_entities(entities)
    }

    fn ids(documents: &[Document], n: usize) -> Vec<String> {
        let schema = Schema::new(["Gene", "Disease"]);
        choose(documents, &schema, n).into_iter().map(|document| document.id).collect()
    }

    #[test]
    fn every_label_is_shown_and_one_document_is_empty() {
        let documents = [
            document("nested", vec![Entity::new("Gene", 0, 9), Entity::new("Disease", 2, 9)]),
            document("broken", vec![Entity::discontinuous("Gene", vec![Fragment::new(0, 1), Fragment::new(3, 4)])]),
            document("gene", vec![Entity::new("Gene", 0, 1)]),
            document("gene-2", vec![Entity::new("Gene", 0, 1)]),
            document("empty", vec![]),
            document("disease", vec![Entity::new("Disease", 0, 1)]),
            Document::new("short", "Methods").with_entities(vec![Entity::new("Gene", 0, 7)]),
        ];
        assert_eq!(ids(&documents, 3), ["gene", "empty", "disease"]);
        assert_eq!(ids(&documents, 2), ["gene", "disease"]);
        assert_eq!(ids(&documents, 4), ["gene", "empty", "disease", "gene-2"]);
        assert_eq!(ids(&documents, 0), [""; 0]);
        // More than there are: all that hold an entity, the flat ones first, the too short one not at all.
        assert_eq!(ids(&documents[..3], 3), ["gene", "nested", "broken"]);
        assert_eq!(ids(&documents[..3], 9), ["gene", "nested", "broken"]);
    }
}
