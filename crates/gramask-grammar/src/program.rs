//! A format and a schema, compiled to a small program that automaton, writer and repair run.
//!
//! It is the program of a Thompson automaton with some more operations. [`Op::Open`] and [`Op::Close`] bracket an entity,
//! [`Op::Label`] fixes the label under `@each` and `%pass label`, and [`Op::Terminal`] writes what depends on the document.
//! Rules are compiled in place. A rule that can hold itself (a nested entity) is called, so that only formats that nest need
//! a stack.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use gramask_ner::Schema;

use crate::Format;
use crate::delimiters::Delimiters;
use crate::escape::Unit;
use crate::liveness::StaticFacts;
use crate::notation::ast::{Escape, Expr, ExprKind, Order, RuleId, Syntax, Terminal};
use crate::notation::{MAX_OPERATIONS, recursive};
use crate::plain::{CompiledGrammar, NetworkLimits};
use crate::regex::{Regex, Steps};

/// The place of an operation in its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Pc(u32);

impl Pc {
    /// The first operation.
    pub const START: Pc = Pc(0);

    pub fn new(index: usize) -> Pc {
        Pc(index as u32)
    }

    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The next operation.
    pub fn next(self) -> Pc {
        Pc(self.0 + 1)
    }
}

/// A label of the schema, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LabelId(u16);

impl LabelId {
    /// No label, or not known yet.
    pub const NONE: LabelId = LabelId(u16::MAX);
    /// The first label of a schema.
    pub const FIRST: LabelId = LabelId(0);
    /// So many labels can be numbered.
    pub const MOST: usize = u16::MAX as usize - 1;

    pub fn new(index: usize) -> LabelId {
        LabelId(index as u16)
    }

    /// The label's place in the schema.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The label itself, or all of `labels` where it is not known.
    pub fn or_all(self, labels: usize) -> impl DoubleEndedIterator<Item = LabelId> + Clone {
        let places = if self == LabelId::NONE { 0..labels } else { self.index()..self.index() + 1 };
        places.map(LabelId::new)
    }
}

#[derive(Debug)]
pub(crate) enum Op {
    /// Writes these bytes.
    Literal(Arc<[u8]>),
    /// Writes a match of a regular expression.
    Regex(usize),
    /// Writes what the document, the schema or the open entity say.
    Terminal(Terminal),
    /// Goes on at any of these; the earlier ones are preferred where an output can be read in two ways.
    Split(Vec<Pc>),
    Jump(Pc),
    Call(Pc),
    Return,
    Open,
    Close,
    /// From here on entities have this label, and their order starts anew.
    Label(LabelId),
    Accept,
}

/// Why a format and a schema don't go together.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages explain the fields
pub enum CompileError {
    /// The schema has no label, and the format writes labels.
    #[error("format `{format}`: the schema has no label; give it at least one")]
    NoLabel { format: String },
    /// Written out for each label, the rules have too many operations.
    #[error(
        "format `{format}`: with {labels} labels the rules have more than {limit} operations; give `@each` a smaller rule, \
         or the schema fewer labels"
    )]
    TooLarge {
        format: String,
        labels: usize,
        /// How many operations there may be.
        limit: usize,
    },
    /// A label that the format's escape can't write.
    #[error("format `{format}`: the label `{label}` holds {character:?}, which `%escape` can't write")]
    Label { format: String, label: String, character: char },
    /// A label that is written as an XML tag or as a Python class, and is no name there.
    #[error("format `{format}`: the label `{label}` is no {kind}: take {instead}")]
    Name {
        format: String,
        label: String,
        /// What it would have to be.
        kind: &'static str,
        /// Which labels are.
        instead: &'static str,
    },
    /// A regular expression that is too large to compile.
    #[error("format `{format}`: /{pattern}/ does not compile within the size limit: {source}")]
    Regex {
        format: String,
        pattern: String,
        /// What the compiler says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A format of one label a pass was compiled without saying which.
    #[error("format `{format}` has `%pass label`: give it a schema of one label per pass, not {labels}")]
    Pass {
        format: String,
        /// How many labels the schema has.
        labels: usize,
    },
    /// More labels than a program can number.
    #[error("the schema has {labels} labels; at most {limit} are possible")]
    Labels {
        /// How many labels there are.
        labels: usize,
        /// How many there may be.
        limit: usize,
    },
}

/// A format compiled for a schema; shared by all documents.
#[derive(Debug)]
pub struct Program {
    pub(crate) format: Format,
    pub(crate) schema: Schema,
    /// The labels as they are written.
    pub(crate) labels: Vec<Vec<u8>>,
    pub(crate) ops: Vec<Op>,
    pub(crate) regexes: Vec<Regex>,
    /// What free text may not hold, since it ends there.
    pub(crate) delimiters: Delimiters,
    /// What a label that the schema does not have may not hold.
    pub(crate) label_delimiters: Delimiters,
    /// Terminals that move the cursor occur: the output is complete only with the cursor at the end.
    pub(crate) cursor: bool,
    /// `@copy` occurs: gaps are written too, and entities border on words.
    pub(crate) copies: bool,
    /// `@skip` occurs.
    pub(crate) skips: bool,
    /// The entity names positions, so that it may close only when they settle it.
    pub(crate) positions: bool,
    static_facts: OnceLock<StaticFacts>,
    compiled: OnceLock<Option<Arc<CompiledGrammar>>>,
    /// The program of a plain grammar has this in place of operations.
    pub(crate) grammar: Option<Arc<CompiledGrammar>>,
}

impl Program {
    /// Compiles a format for a schema. A `%pass label` format takes a schema of the one label of the pass.
    pub fn compile(format: &Format, schema: &Schema) -> Result<Arc<Program>, CompileError> {
        let name = || format.name.clone();
        let limit = LabelId::MOST;
        if schema.is_empty() && format.grammar.writes_labels() {
            return Err(CompileError::NoLabel { format: name() });
        }
        if schema.len() > limit {
            return Err(CompileError::Labels { labels: schema.len(), limit });
        }
        if format.grammar.directives.pass_label && schema.len() != 1 {
            return Err(CompileError::Pass { format: name(), labels: schema.len() });
        }
        let labels = schema.labels().iter().map(|label| {
            let error = |(_, character)| CompileError::Label { format: name(), label: label.clone(), character };
            format.grammar.directives.escape.escape(label).map_err(error)
        });
        let mut program = Program { labels: labels.collect::<Result<_, _>>()?, ..Program::empty(format, schema) };
        Compiler::new(&mut program).run()?;
        program.find_delimiters();
        program.check_names()?;
        Ok(Arc::new(program))
    }

    /// A program without operations.
    pub(crate) fn empty(format: &Format, schema: &Schema) -> Program {
        Program {
            format: format.clone(),
            schema: schema.clone(),
            labels: Vec::new(),
            ops: Vec::new(),
            regexes: Vec::new(),
            delimiters: Delimiters::default(),
            label_delimiters: Delimiters::default(),
            cursor: format.is_cursor(),
            copies: false,
            skips: false,
            positions: format.has_positions(),
            static_facts: OnceLock::new(),
            compiled: OnceLock::new(),
            grammar: None,
        }
    }

    /// The format. That of a plain grammar ([`Program::of_grammar`]) has its name and its description, and no more.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Facts about where an output can be completed, computed at the first call.
    pub(crate) fn static_facts(&self) -> &StaticFacts {
        self.static_facts.get_or_init(|| StaticFacts::new(self))
    }

    /// The network of a format that refers to no document, compiled at the first call. The limits of notation are tighter than
    /// those of networks; a format that is over one of those all the same has the engine of documents.
    pub(crate) fn compiled(&self) -> Option<&Arc<CompiledGrammar>> {
        if self.grammar.is_some() {
            return self.grammar.as_ref();
        }
        let compile = || {
            let grammar = crate::syntaxes::plain(&self.format.grammar)?;
            CompiledGrammar::new(self.format.name.as_str(), &grammar, &NetworkLimits::default()).ok()
        };
        self.compiled.get_or_init(compile).as_ref()
    }

    /// A label as it is written; empty where there is none.
    pub(crate) fn label(&self, label: LabelId) -> &[u8] {
        self.labels.get(label.index()).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn op(&self, pc: Pc) -> &Op {
        &self.ops[pc.index()]
    }

    pub(crate) fn escape(&self) -> &Escape {
        &self.format.grammar.directives.escape
    }

    pub(crate) fn ordered(&self) -> bool {
        self.format.grammar.directives.order == Order::Document
    }

    /// Finds the literals that can stand after free text: text that held one could be read in two ways. All of them bar
    /// every free text, as in `@word "(O)" | @word "(B-" ..`, where the reader can't know beforehand which one comes.
    fn find_delimiters(&mut self) {
        self.delimiters = self.delimiters_after(is_free);
        self.label_delimiters = self.delimiters_after(|kind| kind == Terminal::Label);
    }

    fn delimiters_after(&self, test: impl Fn(Terminal) -> bool) -> Delimiters {
        let place = |pc: &usize| matches!(self.ops[*pc], Op::Terminal(kind) if test(kind));
        let mut found: Vec<_> =
            (0..self.ops.len()).filter(place).flat_map(|pc| self.followers(Pc::new(pc + 1))).collect();
        found.retain(|literal| self.writable(literal));
        Delimiters::new(&found)
    }

    /// In XML a label that is written as a tag must be a name, and in Python one that is written as a class.
    fn check_names(&self) -> Result<(), CompileError> {
        let tag = |pair: &[Op]| match pair {
            [Op::Literal(before), Op::Terminal(Terminal::Label)] => before.ends_with(b"<") || before.ends_with(b"</"),
            _ => false,
        };
        let class = |pair: &[Op]| match pair {
            [Op::Terminal(Terminal::Label), Op::Literal(after)] => after.starts_with(b"("),
            _ => false,
        };
        let (named, is_name, kind, instead): (bool, fn(&str) -> bool, _, _) =
            match self.format.grammar.directives.syntax {
                Some(Syntax::Xml) => (
                    self.ops.windows(2).any(tag),
                    is_xml_name,
                    "name of an XML tag",
                    "letters, digits, `_`, `-` and `.`, a letter or `_` first",
                ),
                Some(Syntax::Python) => (
                    self.ops.windows(2).any(class),
                    is_python_name,
                    "Python identifier",
                    "letters from a to z, digits and `_`, no digit first, and no keyword of Python",
                ),
                _ => return Ok(()),
            };
        match self.schema.labels().iter().find(|label| !is_name(label)) {
            Some(label) if named => {
                Err(CompileError::Name { format: self.format.name.clone(), label: label.clone(), kind, instead })
            }
            _ => Ok(()),
        }
    }

    /// Whether escaped text could hold this literal; a quote cannot occur in a JSON string, say.
    fn writable(&self, literal: &[u8]) -> bool {
        let mut begin = 0;
        for end in 1..=literal.len() {
            match self.escape().unit(&literal[begin..end]) {
                Unit::Whole(_) => begin = end,
                Unit::Partial => {}
                Unit::Invalid => return false,
            }
        }
        true
    }

    /// The literals that can be written first from `pc` on. A return goes on after every call.
    fn followers(&self, pc: Pc) -> Vec<Arc<[u8]>> {
        let (mut found, mut stack, mut seen) = (Vec::new(), vec![pc], vec![false; self.ops.len()]);
        while let Some(pc) = stack.pop() {
            if std::mem::replace(&mut seen[pc.index()], true) {
                continue;
            }
            match self.op(pc) {
                Op::Literal(bytes) => found.push(bytes.clone()),
                Op::Split(targets) => stack.extend(targets),
                Op::Jump(target) | Op::Call(target) => stack.push(*target),
                Op::Return => {
                    let after = |(pc, op): (usize, &Op)| matches!(op, Op::Call(_)).then_some(Pc::new(pc + 1));
                    stack.extend(self.ops.iter().enumerate().filter_map(after));
                }
                Op::Terminal(Terminal::Skip) | Op::Open | Op::Close | Op::Label(_) => stack.push(pc.next()),
                Op::Terminal(_) | Op::Regex(_) | Op::Accept => {}
            }
        }
        found
    }
}

/// Whether a terminal writes text of the document that only its delimiter ends.
pub(crate) fn is_free(kind: Terminal) -> bool {
    matches!(kind, Terminal::Copy | Terminal::Word | Terminal::Text)
}

/// The names of XML 1.0 (section 2.3), without the colon, which namespaces use.
fn is_xml_name(label: &str) -> bool {
    let first = |c: char| {
        matches!(c, 'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
            | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}' | '\u{200d}' | '\u{2070}'..='\u{218f}'
            | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
            | '\u{10000}'..='\u{effff}')
    };
    let later = |c: char| {
        first(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}' | '\u{2040}')
    };
    label.starts_with(first) && label.chars().all(later)
}

/// The ASCII identifiers of Python 3. Others exist, but Python normalises them (NFKC), so that they would be other labels.
fn is_python_name(label: &str) -> bool {
    const KEYWORDS: &str = "False None True and as assert async await break class continue def del elif else except \
        finally for from global if import in is lambda nonlocal not or pass raise return try while with yield __debug__";
    label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !KEYWORDS.split_whitespace().any(|keyword| keyword == label)
}

struct Compiler<'p> {
    program: &'p mut Program,
    /// Where the rules that call themselves begin.
    subroutines: HashMap<RuleId, Pc>,
    /// Calls whose target is not yet compiled.
    calls: Vec<(Pc, RuleId)>,
    /// Which rules can hold themselves.
    recursive: Vec<bool>,
    /// Where each pattern stands among the program's regexes.
    regexes: HashMap<String, usize>,
    steps: Steps,
}

impl<'p> Compiler<'p> {
    fn new(program: &'p mut Program) -> Self {
        Compiler {
            recursive: recursive(&program.format.grammar),
            program,
            subroutines: HashMap::new(),
            calls: Vec::new(),
            regexes: HashMap::new(),
            steps: Steps::new(),
        }
    }

    fn run(mut self) -> Result<(), CompileError> {
        let start = self.program.format.grammar.start;
        if self.program.format.grammar.directives.pass_label {
            self.push(Op::Label(LabelId::FIRST));
        }
        self.rule(start)?;
        self.push(Op::Accept);
        while let Some((pc, rule)) = self.calls.pop() {
            let target = match self.subroutines.get(&rule) {
                Some(target) => *target,
                None => {
                    let target = self.here();
                    self.subroutines.insert(rule, target);
                    self.body(rule)?;
                    self.push(Op::Return);
                    target
                }
            };
            self.program.ops[pc.index()] = Op::Call(target);
        }
        Ok(())
    }

    fn here(&self) -> Pc {
        Pc::new(self.program.ops.len())
    }

    fn push(&mut self, op: Op) -> Pc {
        let pc = self.here();
        self.program.ops.push(op);
        pc
    }

    /// A rule where it is used: in place, or called if it can hold itself.
    fn rule(&mut self, rule: RuleId) -> Result<(), CompileError> {
        if self.recursive[rule.index()] {
            let pc = self.push(Op::Call(Pc::START));
            self.calls.push((pc, rule));
            return Ok(());
        }
        self.body(rule)
    }

    fn body(&mut self, rule: RuleId) -> Result<(), CompileError> {
        if self.program.ops.len() > MAX_OPERATIONS {
            let (format, labels) = (self.program.format.name.clone(), self.program.schema.len());
            return Err(CompileError::TooLarge { format, labels, limit: MAX_OPERATIONS });
        }
        let expr = self.program.format.grammar.rule(rule).expr.clone();
        let entity = self.program.format.grammar.entity == Some(rule);
        if entity {
            self.push(Op::Open);
        }
        self.expr(&expr)?;
        if entity {
            self.push(Op::Close);
        }
        Ok(())
    }

    fn expr(&mut self, expr: &Expr) -> Result<(), CompileError> {
        match &expr.kind {
            ExprKind::Empty => {}
            ExprKind::Literal(bytes) => self.literal(bytes),
            ExprKind::Sequence(parts) => parts.iter().try_for_each(|part| self.expr(part))?,
            ExprKind::Choice(parts) => self.choice(parts)?,
            ExprKind::Repeat { body, min, max } => self.repeat(body, *min, *max)?,
            ExprKind::Regex(pattern) => {
                let number = self.regex(pattern)?;
                self.push(Op::Regex(number));
            }
            ExprKind::Terminal(kind) => {
                self.program.copies |= *kind == Terminal::Copy;
                self.program.skips |= *kind == Terminal::Skip;
                self.push(Op::Terminal(*kind));
            }
            ExprKind::Rule(rule) => self.rule(*rule)?,
            ExprKind::Each { rule, separator } => {
                for label in 0..self.program.schema.len() {
                    if label > 0 && !separator.is_empty() {
                        self.literal(separator);
                    }
                    self.push(Op::Label(LabelId::new(label)));
                    self.rule(*rule)?;
                }
                self.push(Op::Label(LabelId::NONE));
            }
        }
        Ok(())
    }

    /// The number of the regex with this pattern; all its places share one.
    fn regex(&mut self, pattern: &str) -> Result<usize, CompileError> {
        if let Some(&number) = self.regexes.get(pattern) {
            return Ok(number);
        }
        let regex = Regex::new(pattern, &mut self.steps).map_err(|source| CompileError::Regex {
            format: self.program.format.name.clone(),
            pattern: pattern.to_owned(),
            source: source.into(),
        })?;
        let number = self.program.regexes.len();
        self.program.regexes.push(regex);
        self.regexes.insert(pattern.to_owned(), number);
        Ok(number)
    }

    fn literal(&mut self, bytes: &[u8]) {
        self.push(Op::Literal(bytes.into()));
    }

    fn choice(&mut self, parts: &[Expr]) -> Result<(), CompileError> {
        let split = self.push(Op::Split(Vec::new()));
        let (mut targets, mut jumps) = (Vec::new(), Vec::new());
        for part in parts {
            targets.push(self.here());
            self.expr(part)?;
            jumps.push(self.push(Op::Jump(Pc::START)));
        }
        let end = self.here();
        for jump in jumps {
            self.program.ops[jump.index()] = Op::Jump(end);
        }
        self.program.ops[split.index()] = Op::Split(targets);
        Ok(())
    }

    fn repeat(&mut self, body: &Expr, min: u32, max: Option<u32>) -> Result<(), CompileError> {
        for _ in 0..min {
            self.expr(body)?;
        }
        match max {
            None => {
                let split = self.push(Op::Split(Vec::new()));
                self.expr(body)?;
                self.push(Op::Jump(split));
                self.program.ops[split.index()] = Op::Split(vec![split.next(), self.here()]);
            }
            Some(max) => {
                let mut splits = Vec::new();
                for _ in min..max {
                    splits.push(self.push(Op::Split(Vec::new())));
                    self.expr(body)?;
                }
                let end = self.here();
                for split in splits {
                    self.program.ops[split.index()] = Op::Split(vec![split.next(), end]);
                }
            }
        }
        Ok(())
    }
}
