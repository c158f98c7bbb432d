//! Outputs that take long to refuse, and what can't be compiled. Ordinary outputs are in `testdata/reading.toml`.

use std::sync::Arc;

use gramask_grammar::{CompileError, Constraint, ConstraintError, Format, Level, Program, Reason, Token, Vocabulary};
use gramask_ner::{Entity, Schema, Text};

fn program(name: &str) -> Arc<Program> {
    Program::compile(&Format::named(name).unwrap(), &Schema::new(["Chemical", "Disease"])).unwrap()
}

#[test]
fn what_cannot_be_compiled_says_why() {
    let compile = |name: &str, labels: &[&str]| {
        Program::compile(&Format::named(name).unwrap(), &Schema::new(labels.iter().copied())).map(|_| ())
    };
    assert!(matches!(compile("inline-xml", &["Gene or protein"]), Err(CompileError::Name { .. })));
    assert!(compile("inline-bracket", &["Gene or protein"]).is_ok());
    assert!(matches!(compile("json-list", &[]), Err(CompileError::NoLabel { .. })));
    let mut tokens: Vec<Token> = [b'[', b']', b'a'].map(|byte| Token::new([byte])).to_vec();
    tokens.push(Token::special("<end>"));
    let vocabulary = Vocabulary::new(tokens, vec![3]).unwrap();
    let constraint = |name: &str, text: &str, level| {
        Constraint::new(program(name), &Text::new(text), level, Arc::clone(&vocabulary)).map(|_| ())
    };
    assert_eq!(constraint("json-list", "a", Level::Grounded), Ok(()));
    assert_eq!(constraint("json-list", "a", Level::None), Err(ConstraintError::NoLevel));
    assert!(matches!(
        constraint("inline-xml", "a\u{1}", Level::Syntax),
        Err(ConstraintError::Character { offset: 1, character: '\u{1}', .. })
    ));
    assert!(matches!(constraint("bio-tags", "a", Level::Grounded), Err(ConstraintError::Byte { byte: b'O', .. })));
}

#[test]
fn more_parts_than_a_format_has_are_not_written() {
    let text = Text::new("a b c d e f g h i j k l m n o p q r");
    let parts = |count: usize| {
        let parts = (0..count).map(|part| gramask_ner::Fragment::new(4 * part, 4 * part + 1));
        Entity::discontinuous("Chemical", parts.collect())
    };
    let written = program("json-parts").write(&text, &[parts(8), parts(9)]).unwrap();
    assert_eq!(written.unexpressed, [(parts(9), Reason::Discontinuous)]);
    assert!(written.text.contains("\"a\",\"c\",\"e\",\"g\",\"i\",\"k\",\"m\",\"o\""), "{}", written.text);
}

/// A model that goes on opening tags must not keep the reader busy: known and unknown labels are never both followed.
#[test]
fn many_unclosed_tags_are_refused_at_once() {
    for (format, tag) in
        [("inline-xml", "<Disease>"), ("inline-xml", "<Drug>"), ("sel", "((Disease: "), ("inline-bracket", "[")]
    {
        for opened in ["", "a "] {
            let output = format!("{opened}{}", tag.repeat(600));
            let refused = program(format).read(&Text::new("a b"), output.as_bytes());
            assert!(refused.is_err(), "{format}");
        }
    }
}
