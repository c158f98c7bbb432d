//! The syntax tree of a format file.

use std::fmt;

/// A stretch `start..end` of a format file's source, half-open, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The stretch `start..end`.
    pub fn new(start: usize, end: usize) -> Self {
        Span { start, end }
    }

    /// The smallest stretch that holds both.
    pub fn to(self, other: Span) -> Self {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A rule, by its place in [`Grammar::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u32);

impl RuleId {
    /// The place in [`Grammar::rules`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A format file, parsed and checked: every rule is reachable from `start` and derives a finite string, and every terminal
/// stands where it has a meaning. In a format no rule is left recursive.
#[derive(Debug, Clone, PartialEq)]
pub struct Grammar {
    /// What the `%` lines say.
    pub directives: Directives,
    /// The rules, in the order of the file.
    pub rules: Vec<Rule>,
    /// The rule `start`.
    pub start: RuleId,
    /// The rule `entity`, if there is one.
    pub entity: Option<RuleId>,
}

impl Grammar {
    /// The rule of this id.
    pub fn rule(&self, id: RuleId) -> &Rule {
        &self.rules[id.index()]
    }

    /// Whether what it writes depends on the labels of a schema.
    pub fn writes_labels(&self) -> bool {
        let mut found = self.entity.is_some() || self.directives.pass_label;
        for rule in &self.rules {
            rule.expr.walk(&mut |expr| {
                found |= matches!(expr.kind, ExprKind::Each { .. } | ExprKind::Terminal(Terminal::Label));
            });
        }
        found
    }

    /// Whether it refers to no document and no schema.
    pub fn is_plain(&self) -> bool {
        let mut plain = !self.writes_labels();
        self.rules.iter().for_each(|rule| {
            rule.expr.walk(&mut |expr| plain &= !matches!(expr.kind, ExprKind::Terminal(_)));
        });
        plain
    }

    /// The rule of this name.
    pub fn find(&self, name: &str) -> Option<RuleId> {
        self.rules.iter().position(|rule| rule.name == name).map(|index| RuleId(index as u32))
    }
}

/// `name: expression`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The name.
    pub name: String,
    /// What it writes.
    pub expr: Expr,
    /// From the name to the end of the expression.
    pub span: Span,
}

impl Rule {
    /// Where the name stands.
    pub fn name_span(&self) -> Span {
        Span::new(self.span.start, self.span.start + self.name.len())
    }
}

/// An expression and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

impl Expr {
    /// Calls `visit` with this expression and each one inside it, from left to right.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Expr)) {
        visit(self);
        match &self.kind {
            ExprKind::Sequence(parts) | ExprKind::Choice(parts) => parts.iter().for_each(|part| part.walk(visit)),
            ExprKind::Repeat { body, .. } => body.walk(visit),
            _ => {}
        }
    }
}

/// The kinds of expression.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// An empty alternative: `("a" | )`.
    Empty,
    /// One after the other; at least two parts.
    Sequence(Vec<Expr>),
    /// One of several, `|`; at least two parts.
    Choice(Vec<Expr>),
    /// `*` is `0..`, `+` is `1..`, `?` and `[ ]` are `0..1`, `~m` is `m..m` and `~m..n` is `m..n`.
    Repeat {
        /// What is repeated.
        body: Box<Expr>,
        /// How often at least.
        min: u32,
        /// How often at most; `None` is without bound. Never 0, never less than `min`.
        max: Option<u32>,
    },
    /// Text in double quotes, its escapes undone; valid UTF-8 and never empty.
    Literal(Vec<u8>),
    /// A pattern in the syntax of the `regex` crate; without look-around, never empty.
    Regex(String),
    /// A view of the document or of the open entity.
    Terminal(Terminal),
    /// What another rule writes.
    Rule(RuleId),
    /// `@each(rule, "separator")`: the rule once per label, in schema order.
    Each {
        /// The rule.
        rule: RuleId,
        /// What stands between two of them; may be empty.
        separator: Vec<u8>,
    },
}

/// The `@` words, `@each` aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Terminal {
    /// The next word or gap of the document.
    Copy,
    /// The next word; the gap after it is passed.
    Word,
    /// Nothing; the next word and the gap after it are passed.
    Skip,
    /// The surface of the entity's current fragment.
    Text,
    /// The entity's label.
    Label,
    /// The first character of the current fragment.
    Start,
    /// One past its last character.
    End,
    /// Its first word's number.
    First,
    /// Its last word's number.
    Last,
    /// Which occurrence of its surface it is, from 1.
    Nth,
}

impl Terminal {
    /// All of them.
    pub const ALL: [Terminal; 10] = [
        Terminal::Copy,
        Terminal::Word,
        Terminal::Skip,
        Terminal::Text,
        Terminal::Label,
        Terminal::Start,
        Terminal::End,
        Terminal::First,
        Terminal::Last,
        Terminal::Nth,
    ];

    /// The word after the `@`.
    pub fn name(self) -> &'static str {
        match self {
            Terminal::Copy => "copy",
            Terminal::Word => "word",
            Terminal::Skip => "skip",
            Terminal::Text => "text",
            Terminal::Label => "label",
            Terminal::Start => "start",
            Terminal::End => "end",
            Terminal::First => "first",
            Terminal::Last => "last",
            Terminal::Nth => "nth",
        }
    }

    /// The terminal of this name (without the `@`).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|terminal| terminal.name() == name)
    }

    /// Whether it moves the document's cursor: `@copy`, `@word`, `@skip`.
    pub fn is_cursor(self) -> bool {
        matches!(self, Terminal::Copy | Terminal::Word | Terminal::Skip)
    }

    /// Whether it writes where the entity is rather than passing over it: `@text` and the positions.
    pub fn is_reference(self) -> bool {
        self == Terminal::Text || self.is_position()
    }

    /// Whether it is a number that says where the fragment is: `@start`, `@end`, `@first`, `@last`, `@nth`.
    pub fn is_position(self) -> bool {
        matches!(self, Terminal::Start | Terminal::End | Terminal::First | Terminal::Last | Terminal::Nth)
    }
}

impl fmt::Display for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.name())
    }
}

/// `%escape`: how text of the document and of the schema is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Escape {
    /// As it is.
    #[default]
    None,
    /// As inside a JSON string.
    Json,
    /// As XML character data.
    Xml,
    /// As inside a quoted CSV field.
    Csv,
    /// As inside a double-quoted YAML string, of version 1.1 or 1.2.
    Yaml,
    /// As in a cell of a Markdown table (GitHub Flavored Markdown).
    Markdown,
    /// With a backslash before each of these characters and before each backslash. A line feed, a carriage return and a tab
    /// are written as the letters `n`, `r` and `t` after it; their letters are then none of these characters.
    Backslash(Vec<char>),
}

/// As in a format file, after `%escape`.
impl fmt::Display for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Escape::None => "none",
            Escape::Json => "json",
            Escape::Xml => "xml",
            Escape::Csv => "csv",
            Escape::Yaml => "yaml",
            Escape::Markdown => "markdown",
            Escape::Backslash(characters) => {
                let characters: String = characters.iter().collect();
                return write!(f, "backslash {characters:?}");
            }
        })
    }
}

/// `%order`: how the entities of one output follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// By start, then the longer one first, then in schema order.
    #[default]
    Document,
    /// Freely.
    Any,
}

/// `%boundaries`: where a fragment may begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Boundaries {
    /// At the start and the end of a word.
    #[default]
    Words,
    /// At any character.
    Characters,
}

/// `%syntax`: the syntax of the format's output, by which an independent parser checks it (see
/// [`syntax_check`](crate::syntax_check)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// A JSON value.
    Json,
    /// XML content: well-formed between the tags of a root element.
    Xml,
    /// JSON values, one a line.
    Jsonl,
    /// A Python literal, or one assigned to a name; calls of classes with keywords count as literals.
    Python,
    /// CSV records.
    Csv,
    /// A YAML document.
    Yaml,
    /// A Markdown document.
    Markdown,
}

impl Syntax {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Syntax::Json => "JSON",
            Syntax::Jsonl => "JSON Lines",
            Syntax::Xml => "XML",
            Syntax::Python => "Python",
            Syntax::Csv => "CSV",
            Syntax::Yaml => "YAML",
            Syntax::Markdown => "Markdown",
        }
    }
}

/// What the `%` lines of a format file say; the default where they say nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directives {
    /// `%escape none | json | xml | csv | yaml | markdown | backslash "CHARACTERS"`.
    pub escape: Escape,
    /// `%order document | any`.
    pub order: Order,
    /// `%pass label`: the document is decoded once per label, and that is the label of every entity of that pass.
    pub pass_label: bool,
    /// `%boundaries words | characters`.
    pub boundaries: Boundaries,
    /// `%syntax json | jsonl | xml | python | csv | yaml | markdown`.
    pub syntax: Option<Syntax>,
}
