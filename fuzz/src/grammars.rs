//! Any source of a plain grammar: a grammar, or errors at places that are there.

use std::sync::{Arc, LazyLock};

use gramask_grammar::{
    CompiledGrammar, Constraint, Grammar, GrammarError, GrammarSyntax, NetworkLimits, PlainOracle, Token, Vocabulary,
    tokens_of,
};

/// Takes the bytes for a grammar in Lark.
pub fn lark(data: &[u8]) {
    grammar(GrammarSyntax::Lark, data);
}

/// Takes the bytes for a grammar in GBNF.
pub fn gbnf(data: &[u8]) {
    grammar(GrammarSyntax::Gbnf, data);
}

/// Takes the bytes for a plain grammar in the notation of format files.
pub fn plain(data: &[u8]) {
    grammar(GrammarSyntax::Notation, data);
}

/// Takes the bytes for a JSON Schema.
pub fn json_schema(data: &[u8]) {
    grammar(GrammarSyntax::JsonSchema, data);
}

fn grammar(syntax: GrammarSyntax, data: &[u8]) {
    let source = String::from_utf8_lossy(data);
    match Grammar::parse("fuzz", syntax, &source) {
        Ok(grammar) => {
            let facts = grammar.facts();
            // Special tokens are no bytes, and a network has limits of its own.
            let limits = NetworkLimits { states: 20_000, ..NetworkLimits::default() };
            let compiled = CompiledGrammar::compile(&grammar, &limits);
            if facts.special.is_empty()
                && let Ok(compiled) = compiled
            {
                let mut oracle = PlainOracle::of(&grammar);
                assert!(oracle.advance_bytes(&facts.shortest) && oracle.accepts(), "the shortest output is none");
                masks(&compiled, data.len());
            }
            let again = Grammar::parse("fuzz", syntax, &source).expect("the same source is a grammar again");
            assert_eq!(again.facts(), facts, "the same source is another grammar");
            assert!(facts.rules > 0);
            places(&source, grammar.warnings());
        }
        Err(errors) => {
            assert!(!errors.errors.is_empty(), "no grammar and no error");
            places(&source, &errors.errors);
        }
    }
}

/// All bytes, and pieces of texts.
static VOCABULARY: LazyLock<Arc<Vocabulary>> = LazyLock::new(|| {
    let text = "\"a\": \"abé\\n\", [1, true], aaaaaaaa";
    let pieces = (2..=8).flat_map(|length| text.as_bytes().windows(length).map(<[u8]>::to_vec));
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).chain(pieces).collect();
    tokens.sort_unstable();
    tokens.dedup();
    let end = tokens.len() as u32;
    let tokens = tokens.into_iter().map(Token::new).chain([Token::special("<end>")]);
    Vocabulary::new(tokens.collect(), vec![end]).expect("it has an end")
});

/// The mask is exactly what advances, along some tokens.
fn masks(grammar: &Arc<CompiledGrammar>, choice: usize) {
    let Ok(mut constraint) = Constraint::of_grammar(grammar, Arc::clone(&VOCABULARY)) else { return };
    let mut state = constraint.start();
    for step in 0..6 {
        let allowed = tokens_of(constraint.mask(state)).filter(|token| !VOCABULARY.is_end(*token));
        let allowed: Vec<u32> = allowed.collect();
        let follows = |constraint: &mut Constraint, token| constraint.advance(state, token).is_some();
        let all = (0..VOCABULARY.len() as u32).filter(|token| !VOCABULARY.is_end(*token));
        let right: Vec<u32> = all.filter(|token| follows(&mut constraint, *token)).collect();
        assert_eq!(allowed, right, "the mask after {step} tokens");
        let Some(token) = allowed.get((choice * (step + 1) * 7) % allowed.len().max(1)) else { break };
        state = constraint.advance(state, *token).expect("the mask allows it");
    }
}

/// Each error stands at a place of the source, in order, and shows its line.
fn places(source: &str, errors: &[GrammarError]) {
    let lines: Vec<&str> = source.split('\n').collect();
    let mut before = (0, 0);
    for error in errors {
        let Some(place) = &error.place else { continue };
        let at = (place.line, place.column);
        assert!(before <= at, "{before:?} before {at:?}");
        before = at;
        let line = *lines.get(place.line.wrapping_sub(1)).expect("the line is there");
        assert_eq!(place.text, line.trim_end_matches('\r').trim_start_matches('\u{feff}'));
        let characters = line.chars().count() + 1;
        assert!((1..=characters).contains(&place.column), "column {} of {characters}", place.column);
        assert!(place.width >= 1 && place.column + place.width <= characters + 1, "{place:?}");
        assert!(error.to_string().starts_with(&format!("fuzz:{}:{}: ", place.line, place.column)));
    }
}
