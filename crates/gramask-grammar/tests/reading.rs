//! Outputs that are of their format and not true of the document, outputs that are not of it, and what can't be compiled.

use std::sync::Arc;

use gramask_grammar::{
    CompileError, Constraint, ConstraintError, Format, Level, Problem, Program, ReadError, Reason, Token, Vocabulary,
};
use gramask_ner::{Entity, Schema, Text};

fn program(name: &str) -> Arc<Program> {
    Program::compile(&Format::named(name).unwrap(), &Schema::new(["Chemical", "Disease"])).unwrap()
}

/// The entities and the messages of the problems.
fn read(name: &str, text: &str, output: &str) -> (Vec<Entity>, Vec<String>) {
    let reading = program(name).read(&Text::new(text), output.as_bytes()).unwrap();
    (reading.entities, reading.problems.iter().map(Problem::to_string).collect())
}

#[test]
fn each_problem_is_named() {
    let list = |items: &str| read("json-list", "Naloxone and naloxone", items);
    assert_eq!(
        list(r#"[{"text":"morphine","label":"Chemical"}]"#),
        (vec![], vec!["`morphine` is not in the document".into()])
    );
    assert_eq!(
        list(r#"[{"text":"naloxone","label":"Drug"},{"text":"naloxone","label":"Disease"}]"#),
        (vec![Entity::new("Disease", 13, 21)], vec!["unknown label `Drug`".into()])
    );
    assert_eq!(
        list(r#"[{"text":"naloxone","label":"Disease"},{"text":"naloxone","label":"Disease"}]"#),
        (vec![Entity::new("Disease", 13, 21)], vec!["Disease 13..21 stands twice".into()])
    );
    // Out of order, and off word boundaries: read all the same.
    assert_eq!(
        list(
            r#"[{"text":"and","label":"Disease"},{"text":"Naloxone","label":"Chemical"},{"text":"aloxone","label":"Chemical"}]"#
        ),
        (vec![Entity::new("Disease", 9, 12), Entity::new("Chemical", 0, 8), Entity::new("Chemical", 1, 8)], vec![])
    );
    let offsets = |start: usize, end: usize| {
        let output = format!(r#"[{{"text":"aloxone","start":{start},"end":{end},"label":"Chemical"}}]"#);
        read("json-offsets", "Naloxone and naloxone", &output)
    };
    assert_eq!(offsets(14, 21), (vec![Entity::new("Chemical", 14, 21)], vec![]));
    assert_eq!(
        offsets(13, 21),
        (vec![], vec!["the document has `naloxone` where the output says `aloxone` at start 13, end 21".into()])
    );
    assert_eq!(
        offsets(100, 107),
        (vec![], vec!["the document has nothing where the output says `aloxone` at start 100, end 107".into()])
    );
    assert_eq!(
        read("inline-xml", "Naloxone works", "<Chemical>Naloxone</Chemical> worked"),
        (vec![], vec!["the copied text leaves the document at character 13".into()])
    );
    assert_eq!(
        read("bio-tags", "Naloxone works", "B-Chemical O O"),
        (vec![], vec!["the copied text leaves the document at character 2".into()])
    );
}

#[test]
fn what_is_not_of_the_format_is_located() {
    let read = |name: &str, output: &str| program(name).read(&Text::new("a b"), output.as_bytes()).unwrap_err();
    assert_eq!(read("json-list", r#"[{"text":"a" "#).to_string(), r#"byte 12: found ` `, expected `,\"label\":\"`"#);
    assert_eq!(
        read("inline-xml", "<Chemical>a</Disease> b").to_string(),
        "byte 13: found `Disease`, expected `Chemical` again"
    );
    assert!(matches!(read("json-list", r#"[{"text":"a"#), ReadError::Truncated { offset: 11, .. }));
    assert!(matches!(read("inline-xml", "<Chemical>a</Disease> b"), ReadError::Syntax { .. }));
    assert!(matches!(read("inline-xml", "<Drug>a</Dr> b"), ReadError::Syntax { .. }));
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
    // An unknown label within known ones, and the other way round.
    let (entities, problems) = read("inline-xml", "a b c", "<Disease>a <Drug>b</Drug></Disease> <Drugs>c</Drugs>");
    assert_eq!(entities, [Entity::new("Disease", 0, 3)]);
    assert_eq!(problems, ["unknown label `Drug`", "unknown label `Drugs`"]);
}
