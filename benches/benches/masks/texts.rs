//! What is timed: documents with their gold outputs, and texts of several lengths.

use std::sync::Arc;

use gramask_grammar::notation::ast::ExprKind;
use gramask_grammar::{Format, Program};
use gramask_ner::{Corpus, Document, Entity, Fragment, Schema, Text, corpus};

/// The small corpus that is part of the program, as sentences.
pub fn mini() -> Corpus {
    match corpus::find("mini", "test") {
        Ok((corpus, _)) => corpus.into_sentences(),
        Err(error) => unreachable!("the corpus is in the program: {error}"),
    }
}

/// So many sentences with entities, of middling length.
pub fn sentences(number: usize) -> Vec<Document> {
    let fits = |document: &Document| document.entities.len() >= 2 && (60..=140).contains(&document.text.len());
    mini().documents.into_iter().filter(fits).take(number).collect()
}

/// The beginnings of so many sentences, each a few words with an entity among them.
pub fn beginnings(number: usize) -> Vec<Document> {
    let begin = |document: Document| {
        let end = document.text.words().iter().map(|word| word.end).take_while(|end| *end <= 45).last()?;
        let text = document.text.slice(Fragment::new(0, end))?;
        let fits = |entity: &Entity| entity.fragments.iter().all(|fragment| fragment.end <= end);
        let entities: Vec<Entity> = document.entities.iter().filter(|entity| fits(entity)).cloned().collect();
        (!entities.is_empty()).then(|| Document::new(document.id.as_str(), text).with_entities(entities))
    };
    mini().documents.into_iter().filter_map(begin).take(number).collect()
}

/// Texts by length: a sentence, an abstract, a kilobyte and ten.
pub fn lengths() -> Vec<(&'static str, Text)> {
    let whole = match corpus::find("mini", "train") {
        Ok((corpus, _)) => corpus.documents,
        Err(error) => unreachable!("the corpus is in the program: {error}"),
    };
    let all: Vec<&str> = whole.iter().map(|document| document.text.as_str()).collect();
    let all = all.join(" ");
    let cut = |bytes: usize| {
        let text: String = all.chars().cycle().take(bytes).collect();
        Text::new(text)
    };
    let longest = whole.iter().max_by_key(|document| document.text.len());
    let abstract_ = longest.map_or_else(|| Text::new(""), |document| document.text.clone());
    let sentence = sentences(1).swap_remove(0).text;
    vec![("sentence", sentence), ("abstract", abstract_), ("1 KB", cut(1 << 10)), ("10 KB", cut(10 << 10))]
}

/// The format compiled for a schema, or for its first label where it takes one label a pass.
pub fn program(format: &Format, schema: &Schema) -> Arc<Program> {
    match Program::passes(format, schema) {
        Ok(mut passes) => passes.swap_remove(0),
        Err(error) => unreachable!("format {} goes with any schema: {error}", format.name),
    }
}

/// The formats to time: `GRAMASK_BENCH_FORMATS`, names with commas between, or all.
pub fn formats() -> Vec<Format> {
    let chosen = std::env::var("GRAMASK_BENCH_FORMATS").unwrap_or_default();
    let wanted = |name: &&str| chosen.is_empty() || chosen.split(',').any(|chosen| chosen == *name);
    Format::builtin().filter(wanted).filter_map(|name| Format::named(name).ok()).collect()
}

/// A regular expression of the characters of a format's free text that stand for themselves: no control character, and
/// none that the format's own literals or its escape take.
pub fn free(format: &Format) -> String {
    let mut taken = vec![b'\\', b'"'];
    for rule in &format.grammar.rules {
        rule.expr.walk(&mut |expr| {
            if let ExprKind::Literal(text) = &expr.kind {
                taken.extend(text.iter().filter(|byte| byte.is_ascii_punctuation()));
            }
        });
    }
    taken.extend(b"<>&".iter().filter(|_| taken.contains(&b'<')).copied().collect::<Vec<u8>>());
    taken.sort_unstable();
    taken.dedup();
    let taken: String = taken.iter().map(|byte| format!("\\x{byte:02X}")).collect();
    format!("[^{taken}\\x00-\\x1F\\x7F]")
}
