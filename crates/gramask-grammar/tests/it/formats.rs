//! The built-in formats: what their trees say.

use gramask_grammar::notation::ast::{Boundaries, Escape, Expr, ExprKind, Grammar, Order, Syntax};
use gramask_grammar::{Expresses, Format, Nested};

fn named(name: &str) -> Format {
    Format::named(name).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A rule in a canonical form: repeats as `{min,max}`, everything grouped in parentheses.
fn shown(grammar: &Grammar, expr: &Expr) -> String {
    let all = |parts: &[Expr], by: &str| {
        let parts: Vec<String> = parts.iter().map(|part| shown(grammar, part)).collect();
        format!("({})", parts.join(by))
    };
    match &expr.kind {
        ExprKind::Empty => "empty".to_owned(),
        ExprKind::Sequence(parts) => all(parts, " "),
        ExprKind::Choice(parts) => all(parts, " | "),
        ExprKind::Repeat { body, min, max } => {
            let max = max.map_or(String::new(), |max| max.to_string());
            format!("{}{{{min},{max}}}", shown(grammar, body))
        }
        ExprKind::Literal(text) => format!("'{}'", String::from_utf8_lossy(text)),
        ExprKind::Regex(regex) => format!("/{regex}/"),
        ExprKind::Terminal(terminal) => terminal.to_string(),
        ExprKind::Rule(rule) => grammar.rule(*rule).name.clone(),
        ExprKind::Each { rule, separator } => {
            format!("@each({}, '{}')", grammar.rule(*rule).name, String::from_utf8_lossy(separator))
        }
    }
}

fn rules(format: &Format) -> Vec<String> {
    let grammar = &format.grammar;
    grammar.rules.iter().map(|rule| format!("{}: {}", rule.name, shown(grammar, &rule.expr))).collect()
}

#[test]
fn trees_of_the_cursor_formats() {
    assert_eq!(
        rules(&named("inline-xml")),
        ["start: (@copy | entity){0,}", "entity: ('<' @label '>' (@copy | entity){1,} '</' @label '>')"]
    );
    assert_eq!(
        rules(&named("inline-bracket")),
        ["start: (@copy | entity){0,}", "entity: ('[' (@copy | entity){1,} ' | ' @label ']')"]
    );
    assert_eq!(
        rules(&named("bio-words")),
        [
            "start: (unit (' ' unit){0,}){0,1}",
            "unit: ((@word '(O)') | entity)",
            "entity: (@word '(B-' @label ')' (' ' @word '(I-' @label ')'){0,})"
        ]
    );
    assert_eq!(
        rules(&named("bio-tags")),
        [
            "start: (unit (' ' unit){0,}){0,1}",
            "unit: ((@skip 'O') | entity)",
            "entity: (@skip 'B-' @label (' ' @skip 'I-' @label){0,})"
        ]
    );
}

#[test]
fn trees_of_the_list_formats() {
    let list = "start: ('[' (entity (',' entity){0,}){0,1} ']')";
    assert_eq!(rules(&named("json-list")), [list, "entity: ('{\"text\":\"' @text '\",\"label\":\"' @label '\"}')"]);
    assert_eq!(
        rules(&named("json-offsets")),
        [list, "entity: ('{\"text\":\"' @text '\",\"start\":' @start ',\"end\":' @end ',\"label\":\"' @label '\"}')"]
    );
    assert_eq!(
        rules(&named("json-grouped")),
        [
            "start: ('{' @each(group, ',') '}')",
            "group: ('\"' @label '\":[' (entity (',' entity){0,}){0,1} ']')",
            "entity: ('\"' @text '\"')"
        ]
    );
    assert_eq!(
        rules(&named("tuples")),
        ["start: ('[' (entity (', ' entity){0,}){0,1} ']')", "entity: ('(\"' @text '\", \"' @label '\")')"]
    );
}

/// What is expected of a built-in format.
struct Row(&'static str, Escape, Option<Syntax>, Expresses);

fn expected() -> Vec<Row> {
    use Nested::{No, OtherLabels, Yes};
    use Syntax::{Csv, Json, Jsonl, Markdown, Python, Xml, Yaml};
    let back = |characters: &str| Escape::Backslash(characters.chars().collect());
    let row = |name, escape, syntax, (nested, discontinuous, positions)| {
        let expresses = Expresses { nested, discontinuous, positions };
        Row(name, escape, syntax, expresses)
    };
    vec![
        row("bio-lines", back("\t\n\r"), None, (No, false, true)),
        row("bio-tags", Escape::None, None, (No, false, true)),
        row("bio-words", Escape::None, None, (No, false, true)),
        row("code", Escape::Json, Some(Python), (Yes, false, false)),
        row("csv", Escape::Csv, Some(Csv), (Yes, false, false)),
        row("inline-bracket", back("[]|"), None, (Yes, false, true)),
        row("inline-mark", back("@#"), None, (OtherLabels, false, true)),
        row("inline-xml", Escape::Xml, Some(Xml), (Yes, false, true)),
        row("json-grouped", Escape::Json, Some(Json), (Yes, false, false)),
        row("json-lines", Escape::Json, Some(Jsonl), (Yes, false, false)),
        row("json-list", Escape::Json, Some(Json), (Yes, false, false)),
        row("json-occurrence", Escape::Json, Some(Json), (Yes, false, true)),
        row("json-offsets", Escape::Json, Some(Json), (Yes, false, true)),
        row("json-offsets-first", Escape::Json, Some(Json), (Yes, false, true)),
        row("json-parts", Escape::Json, Some(Json), (Yes, true, false)),
        row("label-list", Escape::Json, Some(Json), (Yes, false, false)),
        row("lines", back(":\n\r"), None, (Yes, false, false)),
        row("markdown-table", Escape::Markdown, Some(Markdown), (Yes, false, false)),
        row("offsets", back("\n\r"), None, (Yes, false, true)),
        row("sel", back("():"), None, (Yes, false, false)),
        row("sentences", Escape::Json, None, (Yes, false, false)),
        row("tuples", Escape::Json, Some(Python), (Yes, false, false)),
        row("word-index", back("\n\r"), None, (Yes, false, true)),
        row("yaml", Escape::Yaml, Some(Yaml), (Yes, false, false)),
    ]
}

#[test]
fn directives_and_properties() {
    let rows = expected();
    assert!(Format::builtin().eq(rows.iter().map(|row| row.0)));
    for Row(name, escape, syntax, expresses) in rows {
        let format = named(name);
        let directives = &format.grammar.directives;
        assert_eq!((&directives.escape, directives.syntax), (&escape, syntax), "{name}");
        let defaults = (Order::Document, Boundaries::Words);
        assert_eq!((directives.order, directives.boundaries), defaults, "{name}");
        assert_eq!(directives.pass_label, matches!(name, "inline-mark" | "label-list"), "{name}");
        let cursor = name.starts_with("bio-") || name.starts_with("inline-");
        assert_eq!(format.is_cursor(), cursor, "{name}");
        assert_eq!(format.expresses(), expresses, "{name}");
        let grammar = &format.grammar;
        assert_eq!(grammar.rule(grammar.start).name, "start", "{name}");
        assert_eq!(grammar.entity.map(|entity| grammar.rule(entity).name.as_str()), Some("entity"), "{name}");
    }
}

#[test]
fn a_format_says_of_itself_what_its_grammar_says() {
    for name in Format::builtin() {
        let format = named(name);
        let (what, example) = format.summary();
        assert!(!what.is_empty() && example.is_some(), "{name}: the first line shows an output");
        let claims = format.description.replace('\n', " ");
        let (_, claims) = claims.split_once("Expresses: ").expect("what it expresses");
        let (can, cannot) = claims.split_once("Not: ").expect("what it does not");
        let Expresses { nested, discontinuous, positions } = format.expresses();
        for (word, expressed) in
            [("nested", nested != Nested::No), ("discontinuous", discontinuous), ("positions", positions)]
        {
            assert_eq!(can.contains(word), expressed, "{name}: {word}");
            let both = word == "nested" && nested == Nested::OtherLabels;
            assert_eq!(cannot.contains(word), !expressed || both, "{name}: {word}");
        }
    }
}

#[test]
fn spans_lead_back_to_the_source() {
    let format =
        Format::parse("f", "// é\nstart: \"é\" (entity)\n\nentity: @text [\"!\"]\n  | @text @label~2..3\n  // end\n");
    // Its second alternative has a label, its first none: refused. With a label it is accepted.
    assert!(format.is_err());
    let source = "// é\nstart: \"é\" (entity)\n\nentity: @label @text [\"!\"]\n  | @text @label~2..3\n  // end\n";
    let format = Format::parse("f", source).expect("a good format");
    let rule = &format.grammar.rules[1];
    assert_eq!(&source[rule.span.start..rule.span.end], "entity: @label @text [\"!\"]\n  | @text @label~2..3");
    assert_eq!(&source[rule.name_span().start..rule.name_span().end], "entity");
    let mut pieces = Vec::new();
    rule.expr.walk(&mut |expr| pieces.push(&source[expr.span.start..expr.span.end]));
    assert_eq!(
        pieces[1..],
        [
            "@label @text [\"!\"]",
            "@label",
            "@text",
            "[\"!\"]",
            "\"!\"",
            "@text @label~2..3",
            "@text",
            "@label~2..3",
            "@label"
        ]
    );
}

#[test]
fn every_part_of_the_notation() {
    let source = r#"
%boundaries characters  // and a comment
%order any
%pass label
  %escape backslash "\\<\""
start: A~2
| /[a-z]\/(x|y)/ [", "] entity?
A: "\"\\\n\t\r\x41\u0042\u{1f600}é"
B:(@text " ")+ | @first ".." @last
entity: B (
  "x" |
)
"#;
    let format = Format::parse("f", source).expect("good");
    assert_eq!(
        rules(&format),
        [
            "start: (A{2,2} | (/[a-z]\\/(x|y)/ ', '{0,1} entity{0,1}))",
            "A: '\"\\\n\t\rAB😀é'",
            "B: ((@text ' '){1,} | (@first '..' @last))",
            "entity: (B ('x' | empty))"
        ]
    );
    let directives = &format.grammar.directives;
    assert_eq!(directives.escape, Escape::Backslash(vec!['<', '"']));
    assert_eq!((directives.order, directives.boundaries), (Order::Any, Boundaries::Characters));
    assert!(directives.pass_label);
    assert!(format.discontinuous() && format.has_positions() && !format.is_cursor() && !format.nests());
    assert_eq!(format.description, "");
}

#[test]
fn several_fragments_through_rules_and_each() {
    let discontinuous = |source: &str| Format::parse("f", source).expect("good").discontinuous();
    assert!(discontinuous("start: entity*\nentity: @label parts\nparts: @text (\",\" parts)?\n"));
    assert!(discontinuous("start: entity*\nentity: @label @text [\"+\" @text]\n"));
    assert!(!discontinuous("start: entity*\nentity: @label (\"1\" @text | \"2\" @text)\n"));
    assert!(!discontinuous("start: @each(group, \"\")\ngroup: entity*\nentity: \"<\" @text \">\"\n"));
}

#[test]
fn a_mark_carriage_returns_and_an_indented_file_are_read() {
    let format =
        Format::parse("f", "\u{feff}// One\r\n//\r\n//   two.  \r\n\r\n// three\r\nstart: @copy*\r\n").expect("good");
    assert_eq!(format.description, "One\n\n  two.");
    assert_eq!(rules(&format), ["start: @copy{0,}"]);
    assert_eq!(format.grammar.entity, None);
}
