//! What an independent parser found, held against the document without this crate's reader.

use gramask_ner::{Entity, Fragment, Schema, Text};

use super::independent::Claims;

/// Holds what an output says against the document, word for word, and with the entities that were read from it.
pub fn check(claims: &Claims, text: &Text, schema: &Schema, read: &[Entity]) -> Result<(), String> {
    let surface = |word: &Fragment| text.slice(*word).unwrap_or_default();
    if let Some(copied) = &claims.copied
        && copied != text.as_str()
    {
        return Err(format!("{copied:?} is copied"));
    }
    if let Some(words) = &claims.words {
        let differ =
            |(word, there): (&Option<String>, &Fragment)| word.as_deref().is_some_and(|word| word != surface(there));
        if words.len() != text.words().len() || words.iter().zip(text.words()).any(differ) {
            return Err(format!("the words {words:?}"));
        }
    }
    let characters: Vec<char> = text.as_str().chars().collect();
    let mut found: Vec<Entity> = Vec::new();
    for mention in &claims.mentions {
        schema.index(&mention.label).ok_or_else(|| format!("the label {:?}", mention.label))?;
        if mention.texts.iter().any(|part| part.is_empty() || !text.as_str().contains(part.as_str())) {
            return Err(format!("{:?} is not in the document", mention.texts));
        }
        let get = |name| mention.numbers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let span = match (get("start"), get("first"), get("from")) {
            (Some(start), ..) => Some((start, get("end").ok_or("no end")?)),
            (_, Some(first), _) => {
                let words = text.words();
                let last = get("last").and_then(|last| words.get(last)).ok_or("no such word")?;
                Some((words.get(first).ok_or("no such word")?.start, last.end))
            }
            (.., Some(from)) if claims.words.is_some() => {
                Some((text.words()[from].start, text.words()[get("to").unwrap_or(from) - 1].end))
            }
            (.., Some(from)) => Some((from, get("to").unwrap_or(from))),
            _ => None,
        };
        if let Some((start, end)) = span {
            let there: String = characters.get(start..end).ok_or("outside the document")?.iter().collect();
            if there.is_empty() || mention.texts.first().is_some_and(|text| *text != there) {
                return Err(format!("{there:?} stands where {mention:?} is said to be"));
            }
            found.push(Entity::new(&mention.label, start, end));
        } else if let Some(nth) = get("nth") {
            let mut starts = (0..characters.len()).filter(|&start| {
                text.word_starting_at(start).is_some()
                    && mention.texts[0]
                        .chars()
                        .eq(characters[start..].iter().copied().take(mention.texts[0].chars().count()))
                    && text.word_ending_at(start + mention.texts[0].chars().count()).is_some()
            });
            let start = starts.nth(nth.checked_sub(1).ok_or("the occurrence 0")?).ok_or("no such occurrence")?;
            found.push(Entity::new(&mention.label, start, start + mention.texts[0].chars().count()));
        }
    }
    // Where the output says places they are those that were read; else labels and surfaces are.
    let mut read = read.to_vec();
    schema.sort(&mut read);
    if found.len() == claims.mentions.len() {
        schema.sort(&mut found);
        return if found == read { Ok(()) } else { Err(format!("{found:?} are written and {read:?} are read")) };
    }
    let mut said: Vec<_> =
        claims.mentions.iter().map(|mention| (mention.label.clone(), mention.texts.clone())).collect();
    let parts = |entity: &Entity| entity.fragments.iter().map(|part| surface(part).to_owned()).collect();
    let mut known: Vec<(String, Vec<String>)> =
        read.iter().map(|entity| (entity.label.clone(), parts(entity))).collect();
    said.sort();
    known.sort();
    if said == known { Ok(()) } else { Err(format!("{said:?} are written and {known:?} are read")) }
}
