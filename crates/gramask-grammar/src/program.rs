//! A format and a schema, compiled to a small program that automaton, writer and repair run.
//!
//! It is the program of a Thompson automaton with some more operations. [`Op::Open`] and [`Op::Close`] bracket an entity,
//! [`Op::Label`] fixes the label under `@each` and `%pass label`, and [`Op::Terminal`] writes what depends on the document.
//! Rules are compiled in place. A rule that can hold itself (a nested entity) is called, so that only formats that nest need
//! a stack.

mod compiler;
mod names;

use std::sync::{Arc, OnceLock};

use gramask_ner::Schema;

use crate::Format;
use crate::delimiters::Delimiters;
use crate::escape::Unit;
use crate::liveness::StaticFacts;
use crate::notation::ast::{Escape, Order, Terminal};
use crate::plain::{CompiledGrammar, NetworkLimits};
use crate::regex::Regex;
use compiler::Compiler;

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
