//! From shapes to the rules of a grammar.
//!
//! Each part of the schema that is reached becomes a rule. Parts that allow the same scalars share one.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, LazyLock};

use rustc_hash::FxHashMap;

use super::compiler::{Compiler, Result};
use super::document::{Document, NodeId};
use super::error::{JsonSchemaError, JsonSchemaErrorKind};
use super::numbers::Numbers;
use super::shape::{Shape, Sub, SubId};
use super::strings::{StringForm, Strings};
use super::value::quote;
use super::{Whitespace, encode};
use crate::plain::{Builder, Expr, PlainGrammar, RuleId};
use crate::regex::{Language, Regex, Steps};

/// The regexes that nearly all schemas need.
struct Common {
    /// All strings, as JSON writes them.
    strings: Language,
    string: Arc<Regex>,
    character: Arc<Regex>,
    number: Arc<Regex>,
    integer: Arc<Regex>,
}

static COMMON: LazyLock<Common> = LazyLock::new(|| {
    let steps = &mut Steps::new();
    let encoded = |language: Language, steps: &mut Steps| encode::encoded(&language, steps).expect("small automata");
    let string = encoded(Language::text(), steps);
    let one = Language::pattern("(?s:.)", steps).expect("a small pattern");
    let regex = |language: Language, name: &str| Arc::new(language.to_regex(name).expect("it has strings"));
    Common {
        strings: string.clone(),
        string: regex(string, "string"),
        character: regex(encode::unquoted(&one, steps).expect("small automata"), "character"),
        number: regex(Numbers::All.written(steps).expect("small automata"), "number"),
        integer: regex(Numbers::integers().written(steps).expect("small automata"), "integer"),
    }
});

pub(super) struct Emitter<'c, 'd> {
    pub compiler: &'c mut Compiler<'d>,
    pub builder: Builder,
    rules: FxHashMap<SubId, RuleId>,
    scalars: FxHashMap<(bool, [bool; 2], Numbers, Strings), RuleId>,
    open: VecDeque<SubId>,
    character: Option<RuleId>,
    gap: Option<Arc<Regex>>,
    /// The names that are left when others are taken.
    names_except: Vec<(Vec<String>, Arc<Regex>)>,
}

/// The grammar of a schema.
pub(super) fn emit(compiler: &mut Compiler) -> Result<PlainGrammar> {
    let root = compiler.schema(Document::ROOT);
    if compiler.is_empty(root)? {
        let reason = "its keywords contradict each other; each instance is excluded by one of them";
        return Err(JsonSchemaError::new(JsonSchemaErrorKind::NoInstance, "", reason));
    }
    let gap = match compiler.options.whitespace {
        Whitespace::Compact => None,
        Whitespace::Any { most } => {
            let language = Language::pattern(&format!(r"[ \t\n\r]{{0,{most}}}"), &mut compiler.steps);
            compiler.sized(language)?.to_regex("whitespace").map(Arc::new)
        }
    };
    let mut emitter = Emitter {
        compiler,
        builder: Builder::new(),
        rules: FxHashMap::default(),
        scalars: FxHashMap::default(),
        open: VecDeque::new(),
        character: None,
        gap,
        names_except: Vec::new(),
    };
    let start = emitter.rule(root);
    while let Some(sub) = emitter.open.pop_front() {
        let node = emitter.compiler.place(sub);
        emitter.compiler.reading.extend(node);
        let body = emitter.body(sub)?;
        emitter.builder.define(emitter.rules[&sub], body);
        emitter.compiler.reading.clear();
    }
    emitter
        .builder
        .finish(start)
        .map_err(|error| JsonSchemaError::new(JsonSchemaErrorKind::NoInstance, "", error.to_string()))
}

impl Compiler<'_> {
    /// The schema that a part comes from.
    fn place(&self, sub: SubId) -> Option<NodeId> {
        match self.sub(sub) {
            Sub::Any | Sub::Never => None,
            Sub::Schema(node) | Sub::Constant(node) => Some(*node),
            Sub::Not(inner) => self.place(*inner),
            Sub::And(parts) => parts.iter().find_map(|part| self.place(*part)),
        }
    }
}

impl Emitter<'_, '_> {
    fn rule(&mut self, sub: SubId) -> RuleId {
        if let Some(rule) = self.rules.get(&sub) {
            return *rule;
        }
        let name = match self.compiler.place(sub) {
            None => "value".to_owned(),
            Some(node) => format!("#{}", self.compiler.document.node(node).pointer),
        };
        let rule = self.builder.declare(name);
        self.rules.insert(sub, rule);
        self.open.push_back(sub);
        rule
    }

    /// What a part stands for, which is not empty.
    pub fn value(&mut self, sub: SubId) -> Result<Expr> {
        let shape = self.compiler.shape(sub)?;
        if sub != SubId::ANY && shape.arrays.is_empty() && shape.objects.is_empty() {
            return self.scalar_rule(&shape).map(Expr::Rule);
        }
        Ok(Expr::Rule(self.rule(sub)))
    }

    fn scalar_rule(&mut self, shape: &Shape) -> Result<RuleId> {
        let key = (shape.null, shape.booleans, shape.numbers.clone(), shape.strings.clone());
        if let Some(rule) = self.scalars.get(&key) {
            return Ok(*rule);
        }
        let parts = self.scalar_parts(shape)?;
        let rule = self.builder.rule("scalar", one_of(parts));
        self.scalars.insert(key, rule);
        Ok(rule)
    }

    fn scalar_parts(&mut self, shape: &Shape) -> Result<Vec<Expr>> {
        let mut parts = Vec::new();
        for (allowed, word) in [(shape.null, "null"), (shape.booleans[0], "false"), (shape.booleans[1], "true")] {
            if allowed {
                parts.push(Expr::bytes(word));
            }
        }
        parts.extend(self.numbers(&shape.numbers)?);
        parts.extend(self.strings(&shape.strings)?);
        Ok(parts)
    }

    fn numbers(&mut self, numbers: &Numbers) -> Result<Option<Expr>> {
        if *numbers == Numbers::All {
            return Ok(Some(Expr::Regular(Arc::clone(&COMMON.number))));
        }
        if *numbers == Numbers::integers() {
            return Ok(Some(Expr::Regular(Arc::clone(&COMMON.integer))));
        }
        let written = numbers.written(&mut self.compiler.steps);
        Ok(regular(&self.compiler.sized(written)?, "number"))
    }

    fn strings(&mut self, strings: &Strings) -> Result<Option<Expr>> {
        let form = strings.form(&mut self.compiler.steps);
        Ok(match self.compiler.sized(form)? {
            StringForm::Any => Some(Expr::Regular(Arc::clone(&COMMON.string))),
            StringForm::Length(min, max) => {
                let builder = &mut self.builder;
                let character = || builder.rule("character", Expr::Regular(Arc::clone(&COMMON.character)));
                let character = *self.character.get_or_insert_with(character);
                let characters = Expr::Rule(character).repeat(min, max);
                Some(Expr::Sequence(vec![Expr::bytes("\""), characters, Expr::bytes("\"")]))
            }
            StringForm::Language(language) => regular(&language, "string"),
        })
    }

    /// The names of a set, as JSON writes them.
    pub fn names(&mut self, names: Language) -> Result<Option<Expr>> {
        self.strings(&Strings::of(names))
    }

    /// Any name but these.
    pub fn name_except(&mut self, taken: &BTreeSet<&str>) -> Result<Expr> {
        if taken.is_empty() {
            return Ok(Expr::Regular(Arc::clone(&COMMON.string)));
        }
        if let Some(known) =
            self.names_except.iter().find(|(names, _)| names.iter().map(String::as_str).eq(taken.iter().copied()))
        {
            return Ok(Expr::Regular(Arc::clone(&known.1)));
        }
        // A string has one notation, so that the texts can be taken away instead of the strings.
        let steps = &mut self.compiler.steps;
        let words = Language::words(taken.iter().map(|name| quote(name)), steps);
        let names = words.and_then(|words| COMMON.strings.minus(&words, steps));
        let regex = self.compiler.sized(names)?.to_regex("name").expect("all names but finitely many");
        let regex = Arc::new(regex);
        self.names_except.push((taken.iter().map(|name| (*name).to_owned()).collect(), Arc::clone(&regex)));
        Ok(Expr::Regular(regex))
    }

    fn body(&mut self, sub: SubId) -> Result<Expr> {
        let shape = self.compiler.shape(sub)?;
        let mut parts = self.scalar_parts(&shape)?;
        for array in &shape.arrays {
            if !self.compiler.is_empty_array(array)? {
                parts.push(self.array(array)?);
            }
        }
        for object in &shape.objects {
            parts.extend(self.objects(object)?);
        }
        Ok(one_of(parts))
    }

    /// White space, if it is allowed.
    pub fn gap(&self) -> Option<Expr> {
        self.gap.clone().map(Expr::Regular)
    }

    /// A mark with the white space that may stand around it.
    pub fn mark(&self, before: bool, mark: &str, after: bool) -> Expr {
        let parts = [self.gap().filter(|_| before), Some(Expr::bytes(mark)), self.gap().filter(|_| after)];
        sequence(parts.into_iter().flatten().collect())
    }

    pub fn comma(&self) -> Expr {
        self.mark(true, ",", true)
    }
}

/// A regular language as an expression; `None` if it is empty.
fn regular(language: &Language, name: &str) -> Option<Expr> {
    if let Some(words) = language.all_words(1) {
        return words.into_iter().next().map(Expr::Bytes);
    }
    language.to_regex(name).map(|regex| Expr::Regular(Arc::new(regex)))
}

pub(super) fn one_of(mut parts: Vec<Expr>) -> Expr {
    if parts.len() == 1 { parts.remove(0) } else { Expr::Choice(parts) }
}

/// One after the other, with neighbouring bytes joined.
pub(super) fn sequence(parts: Vec<Expr>) -> Expr {
    let mut joined: Vec<Expr> = Vec::with_capacity(parts.len());
    let mut open = parts;
    open.reverse();
    while let Some(part) = open.pop() {
        match (part, joined.last_mut()) {
            (Expr::Sequence(inner), _) => open.extend(inner.into_iter().rev()),
            (Expr::Bytes(more), Some(Expr::Bytes(bytes))) => bytes.extend(more),
            (part, _) => joined.push(part),
        }
    }
    if joined.len() == 1 { joined.remove(0) } else { Expr::Sequence(joined) }
}
