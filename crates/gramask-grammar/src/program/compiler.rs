//! From the rules of a format to the operations of its program.

use std::collections::HashMap;

use super::{CompileError, LabelId, Op, Pc, Program};
use crate::notation::ast::{Expr, ExprKind, RuleId, Terminal};
use crate::notation::{MAX_OPERATIONS, recursive};
use crate::regex::{Regex, Steps};

pub(super) struct Compiler<'p> {
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
    pub fn new(program: &'p mut Program) -> Self {
        Compiler {
            recursive: recursive(&program.format.grammar),
            program,
            subroutines: HashMap::new(),
            calls: Vec::new(),
            regexes: HashMap::new(),
            steps: Steps::new(),
        }
    }

    pub fn run(mut self) -> Result<(), CompileError> {
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
