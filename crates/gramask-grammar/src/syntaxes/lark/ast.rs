//! The syntax tree of a Lark grammar.

use crate::notation::ast::Span;

/// A grammar as it is written, without the names being looked up.
#[derive(Default)]
pub(super) struct Source {
    pub rules: Vec<Definition>,
    pub terminals: Vec<Definition>,
    /// The `%ignore` lines.
    pub ignored: Vec<Node>,
    /// What `%import` brings: the name in `common`, the name here, and where it stands.
    pub imports: Vec<(String, String, Span)>,
    pub options: Options,
}

/// What `%llguidance` says.
#[derive(Default)]
pub(super) struct Options {
    /// Ignored text may stand before the first lexeme.
    pub initial_skip: bool,
    /// At most one piece of ignored text stands between two lexemes.
    pub ignore_once: bool,
}

/// `name: body`.
pub(super) struct Definition {
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    pub body: Node,
    /// The attributes `lazy` and `suffix` of a rule.
    pub lazy: Option<Lazy>,
}

/// The rule is one terminal, which ends where its text first matches, with this text at its end.
pub(super) struct Lazy {
    pub suffix: Option<Node>,
}

pub(super) struct Node {
    pub kind: NodeKind,
    pub span: Span,
}

pub(super) enum NodeKind {
    Text {
        text: String,
        /// `"text"i`.
        any_case: bool,
    },
    Regex {
        pattern: String,
        flags: String,
    },
    /// `"a".."z"`.
    Range(char, char),
    Name(String),
    /// `<|name|>`.
    Special(String),
    /// `%json {...}`: the text of a JSON Schema.
    Json(String),
    /// `%regex {"substring_chars": ...}` and the like: any number of neighbouring pieces.
    Pieces(Vec<String>),
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
    Repeat {
        body: Box<Node>,
        min: u32,
        max: Option<u32>,
    },
}
