//! Grammars that the tests share, and random ones.

use proptest::prelude::*;

use super::grammar;
use crate::plain::expr::{Builder, Expr, PlainGrammar, RuleId};

/// Grammars by name, in the notation of [`grammar`]. Each stands for a kind.
pub(super) const GRAMMARS: [(&str, &str); 30] = [
    ("bytes", "s: \"ab\" | \"abc\" | \"b\""),
    ("amb2", "s: \"a\" s \"a\" | \"a\" s | \"a\""),
    ("two closers", "s: \"(\" s \")\" | \"(\" s \"]\" | \"x\""),
    (
        "arithmetic, right recursive",
        "e: t \"+\" e | t \"-\" e | t
         t: f \"*\" t | f \"/\" t | f
         f: \"(\" e \")\" | \"1\"",
    ),
    (
        "arithmetic, left recursive",
        "e: e \"+\" t | e \"-\" t | t
         t: t \"*\" f | f
         f: \"(\" e \")\" | \"1\"",
    ),
    ("left and right recursive", "s: s s | \"a\" | \"b\" s"),
    ("left recursive through another", "s: t \"a\" | \"b\"\n t: s \"c\" | t \"d\" | \"e\""),
    ("left recursive after what can be empty", "s: n s \"a\" | \"b\"\n n: \"c\"?"),
    ("left recursive after a loop", "s: \"c\"* s \"a\" | \"b\""),
    ("left recursive without reading", "s: s | t | \"a\" s\n t: s | \"b\""),
    ("left recursive and empty", "s: s \"a\" |"),
    ("left recursive, three rules", "a: b \"x\" | \"y\"\n b: c \"y\" | b \"x\"\n c: a \"z\" | \"z\" | c c \"x\""),
    ("left recursive, goals differ", "s: \"(\" a \")\" | \"[\" b \"]\"\n a: b \"a\" | \"c\"\n b: a \"b\" | \"d\""),
    ("empty inside", "s: \"(\" s \")\" s |"),
    ("empty rules around", "s: n m s n \"a\" m | n\n n: |\n m: n n | \"b\""),
    ("empty bodies of repeats", "s: (\"a\"? \"b\"?)* \"c\" (\"a\"*)+"),
    ("counted", "s: \"a\"{2,4} (\"b\" \"a\"?){0,3} \"c\"{1,}"),
    ("never ends in one branch", "s: \"a\" t | \"b\" | \"a\" s?\n t: \"x\" t"),
    ("palindromes", "s: \"a\" s \"a\" | \"b\" s \"b\" | \"a\" | \"b\" |"),
    ("dangling else", "s: \"i\" s (\"e\" s)? | \"x\""),
    ("two counters", "s: x y | z\n x: \"a\" x \"b\" |\n y: \"c\" y |\n z: \"a\" z \"c\" | w\n w: \"b\" w |"),
    ("regexes", "s: /a*b|ba/ s? /[ab]c?/ | /c+/"),
    (
        "strings in quotes",
        "s: q | \"[\" (s (\",\" s)*)? \"]\"
         q: /\"([^\"\\\\]|\\\\[\"n])*\"/",
    ),
    ("free text", "s: \"<\" t \">\" | t \";\"\n t: /[^<>;]*/ (\"<\" t \">\" t)?"),
    ("text and its end", "s: '\"' /[^\"]/{0,3} '\",' s | '\"' /[^\"]/* '\"' | c c{1,2} \"]\"\n c: /[^a\\]]/"),
    ("large repeats that never end", "s: (\"abcdef\" t){0,60} \"a\" | (/[^a]/ t){0,2} \"b\"\n t: t \"x\""),
    ("large repeats", "s: (\"abcdef\" | \"ab\" s? \"cde\"){0,60} \"a\""),
    ("hidden tail", "s: \"a\" t n\n t: \"b\" s n | \"c\"\n n: \"d\"?"),
    ("shared callees", "s: a \"x\" | b \"x\" | a \"y\"\n a: c c\n b: c \"b\" | c\n c: \"a\" c | \"a\" | \"(\" s \")\""),
    ("stacks of different lengths", "s: \"a\" \"a\"? s \"b\" | \"a\" s \"c\" | \"a\" t\n t: s \"b\" | \"b\""),
];

/// All of them.
pub(super) fn all() -> impl Iterator<Item = (&'static str, PlainGrammar)> {
    GRAMMARS.iter().map(|(name, source)| (*name, grammar(source)))
}

/// An expression over the letters a to c and so many rules.
fn expr(rules: usize) -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        3 => proptest::collection::vec(b'a'..=b'c', 0..3).prop_map(Shape::Bytes),
        4 => (0..rules).prop_map(Shape::Rule),
        1 => proptest::sample::select(vec!["a*", "[ab]", "a|bc", "(ab)+c?", "[^a]"]).prop_map(Shape::Regex),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let parts = proptest::collection::vec(inner.clone(), 1..4);
        let bounds = (0..3u32, proptest::option::of(0..3u32));
        prop_oneof![
            4 => parts.clone().prop_map(Shape::Sequence),
            4 => parts.prop_map(Shape::Choice),
            1 => (inner, bounds).prop_map(|(body, (min, more))| Shape::Repeat(
                Box::new(body),
                min,
                more.map(|more| min + more)
            )),
        ]
    })
}

#[derive(Clone, Debug)]
enum Shape {
    Bytes(Vec<u8>),
    Regex(&'static str),
    Rule(usize),
    Sequence(Vec<Shape>),
    Choice(Vec<Shape>),
    Repeat(Box<Shape>, u32, Option<u32>),
}

impl Shape {
    fn expr(&self, rules: &[RuleId]) -> Expr {
        let all = |parts: &[Shape]| parts.iter().map(|part| part.expr(rules)).collect();
        match self {
            Shape::Bytes(bytes) => Expr::bytes(bytes.as_slice()),
            Shape::Regex(pattern) => Expr::Regular(
                crate::regex::Regex::new(pattern, &mut crate::regex::Steps::new()).expect("a regex").into(),
            ),
            Shape::Rule(rule) => Expr::Rule(rules[*rule]),
            Shape::Sequence(parts) => Expr::Sequence(all(parts)),
            Shape::Choice(parts) => Expr::Choice(all(parts)),
            Shape::Repeat(body, min, max) => body.expr(rules).repeat(*min, *max),
        }
    }
}

/// Grammars of one to four rules that accept some text.
pub(super) fn random() -> impl Strategy<Value = PlainGrammar> {
    let shapes = (1..=4usize).prop_flat_map(|rules| proptest::collection::vec(expr(rules), rules));
    shapes.prop_filter_map("accepts no text", |shapes| {
        let mut builder = Builder::new();
        let rules: Vec<RuleId> = (0..shapes.len()).map(|number| builder.declare(format!("r{number}"))).collect();
        rules.iter().zip(&shapes).for_each(|(rule, shape)| builder.define(*rule, shape.expr(&rules)));
        builder.finish(rules[0]).ok()
    })
}
