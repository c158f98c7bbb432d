//! The writer ends for every grammar: it finds the shortest output of a plain grammar, and reports what a format can't say.

use super::{file, plain};
use gramask_grammar::{Format, Program, Reason, WriteError};
use gramask_ner::{Entity, Schema, Text};

/// What a grammar of `testdata/grammars` writes of no entities.
fn empty(name: &str) -> String {
    let program = Program::compile(&file(name).unwrap(), &Schema::new(["X"])).unwrap();
    program.write(&Text::new("a b c"), &[]).unwrap().text
}

#[test]
fn white_space_and_repeats_are_left_out() {
    assert_eq!(empty("star.gram"), "b");
    assert_eq!(empty("tail.gram"), "[]");
    assert_eq!(empty("ws-json.gram"), "[]");
    let program = Program::compile(&file("ws-json.gram").unwrap(), &Schema::new(["X"])).unwrap();
    let written = program.write(&Text::new("a b c"), &[Entity::new("X", 0, 1), Entity::new("X", 2, 5)]).unwrap();
    // White space may be written before each part. The first way that ends is the one that writes none.
    assert_eq!(written.text, "[{\"text\":\"a\",\"label\":\"X\"},{\"text\":\"b c\",\"label\":\"X\"}]");
    assert_eq!(written.unexpressed, []);
}

#[test]
fn a_grammar_without_entities_writes_its_shortest_output() {
    let shortest = |source: &str| plain(source).write(&Text::new("a b c"), &[]).unwrap().text;
    assert_eq!(shortest("start: list\nlist: \"x\" \",\" list | \"x\"\n"), "x");
    assert_eq!(shortest("start: s\ns: \"(\" s \")\" | \"[\" s \"]\" | \"long\" | \"y\"\n"), "y");
    assert_eq!(shortest("start: s\ns: \"(\" s s \")\" | /[0-9]{4}/ | \"<\" t \">\"\nt: s \"|\" s | \"-\"\n"), "<->");
    assert_eq!(empty("choice.gram"), "no");
    assert_eq!(empty("json.gram").len(), 1);
}

#[test]
fn entities_that_a_plain_grammar_is_given_are_reported() {
    let program = Program::compile(&file("choice.gram").unwrap(), &Schema::new(["X"])).unwrap();
    let entity = Entity::new("X", 0, 1);
    let written = program.write(&Text::new("a b c"), std::slice::from_ref(&entity)).unwrap();
    assert_eq!((written.text.as_str(), written.unexpressed), ("no", vec![(entity, Reason::NoEntities)]));
}

#[test]
fn where_no_entity_can_be_written_the_output_has_none() {
    let source = "start: \"[\" (entity (\";\" entity)*)? \"]\"\nentity: @text \" | \" @label\n";
    let program = Program::compile(&Format::parse("bars", source).unwrap(), &Schema::new(["Disease"])).unwrap();
    // The cases of shared/cases: the only entity holds the delimiter.
    for text in ["The A | B syndrome is rare.", "The C | D syndrome is rare."] {
        let entity = Entity::new("Disease", 4, 18);
        let written = program.write(&Text::new(text), std::slice::from_ref(&entity)).unwrap();
        assert_eq!((written.text.as_str(), written.unexpressed), ("[]", vec![(entity, Reason::Delimiter)]));
    }
}

/// Rules inside themselves with nothing of the document between: entities come after the inner rule.
#[test]
fn entities_after_an_inner_rule_are_written() {
    let source = "start: r\nr: \"(\" r \")\" entity | \"x\"\nentity: \"<\" @text \":\" @label \">\"\n";
    let program = Program::compile(&Format::parse("after", source).unwrap(), &Schema::new(["X"])).unwrap();
    let entities = [Entity::new("X", 0, 1), Entity::new("X", 2, 3), Entity::new("X", 4, 5)];
    for count in 0..=3 {
        let written = program.write(&Text::new("a b c"), &entities[..count]).unwrap();
        let inner: String = ["<a:X>", "<b:X>", "<c:X>"][..count].iter().map(|entity| format!("){entity}")).collect();
        assert_eq!(written.text, format!("{}x{inner}", "(".repeat(count)));
    }
}

#[test]
fn a_search_without_end_is_given_up() {
    // Brackets can be opened without end, and never two entities be written.
    let source = "start: r\nr: \"(\" r \")\" | \"[\" r \"]\" | entity\nentity: \"<\" @text \":\" @label \">\"\n";
    let program = Program::compile(&Format::parse("one", source).unwrap(), &Schema::new(["X"])).unwrap();
    let entities = [Entity::new("X", 0, 1), Entity::new("X", 2, 3)];
    let one = program.write(&Text::new("a b c"), &entities[..1]).unwrap();
    assert_eq!(one.text, "<a:X>");
    let error = program.write(&Text::new("a b c"), &[]).unwrap_err();
    assert!(matches!(error, WriteError::Limit { entities: 0, .. }), "{error}");
    assert!(error.to_string().contains("given up after 200320 places"), "{error}");
}
