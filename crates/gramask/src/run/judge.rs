//! What an output says, and whether it may say so.

use std::sync::Arc;

use gramask_grammar::{Problem, Program, syntax_check};
use gramask_ner::{Entity, Text};

use super::record::{Fault, FaultKind, Repaired};
use crate::experiment::{LevelName, StrategyName};

/// An output, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Whether the strict reader could parse it.
    pub parsed: bool,
    /// The entities found.
    pub entities: Vec<Entity>,
    /// What was objected to.
    pub faults: Vec<Fault>,
    /// Whether an independent parser of the format's `%syntax` reads it. Only masked outputs are checked, since the others are
    /// free to be anything; and only formats with `%syntax` are.
    pub independent: Option<bool>,
    /// What it was repaired to, by the strategy `repair`: what the rest is said of.
    pub repaired: Option<Repaired>,
}

/// Reads an output as its strategy does: strictly, but for `repair`, which first makes the best of it.
pub fn judge_as(strategy: StrategyName, program: &Arc<Program>, text: &Text, output: &str, level: LevelName) -> Judged {
    match strategy {
        StrategyName::Repair => repair(program, text, output),
        _ => judge(program, text, output, level),
    }
}

/// Repairs an output and reads what came of it.
fn repair(program: &Arc<Program>, text: &Text, output: &str) -> Judged {
    let mended = program.repair(text, output.as_bytes());
    let judged = judge(program, text, &mended.text, LevelName::None);
    let edits = mended.edits.by_kind().into_iter().filter(|(_, count)| *count > 0);
    Judged {
        repaired: Some(Repaired {
            edits: edits.map(|(kind, count)| (kind.to_string(), count)).collect(),
            rewritten: mended.edits.rewritten,
            text: mended.text,
        }),
        ..judged
    }
}

/// Reads an output strictly, and, where it was masked, with an independent parser.
pub fn judge(program: &Arc<Program>, text: &Text, output: &str, level: LevelName) -> Judged {
    let independent = match level {
        LevelName::None => None,
        LevelName::Syntax | LevelName::Grounded => {
            syntax_check::check(program.format(), output).map(|checked| checked.is_ok())
        }
    };
    match program.read(text, output.as_bytes()) {
        Err(error) => {
            let fault = Fault { kind: FaultKind::Syntax, label: None, message: error.to_string() };
            Judged { parsed: false, entities: Vec::new(), faults: vec![fault], independent, repaired: None }
        }
        Ok(reading) => {
            let faults = reading.problems.iter().map(fault).collect();
            Judged { parsed: true, entities: reading.entities, faults, independent, repaired: None }
        }
    }
}

fn fault(problem: &Problem) -> Fault {
    let (kind, label) = match problem {
        Problem::NotInDocument { .. } => (FaultKind::NotInDocument, None),
        Problem::Disagree { .. } => (FaultKind::Disagree, None),
        Problem::CopyFailed { .. } => (FaultKind::CopyFailed, None),
        Problem::UnknownLabel { label } => (FaultKind::UnknownLabel, Some(label.clone())),
        Problem::Duplicate { entity } => (FaultKind::Duplicate, Some(entity.label.clone())),
    };
    Fault { kind, label, message: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gramask_grammar::Format;
    use gramask_ner::Schema;

    fn judged(format: &str, output: &str, level: LevelName) -> Judged {
        let program = Program::compile(&Format::named(format).unwrap(), &Schema::new(["Chemical", "Disease"])).unwrap();
        judge(&program, &Text::new("Naloxone reverses clonidine."), output, level)
    }

    #[test]
    fn outputs_are_read_and_objected_to() {
        let good = judged("json-list", r#"[{"text":"Naloxone","label":"Chemical"}]"#, LevelName::Grounded);
        assert_eq!(good.entities, [Entity::new("Chemical", 0, 8)]);
        assert_eq!((good.parsed, good.independent, good.faults.len()), (true, Some(true), 0));

        let invented = judged("json-list", r#"[{"text":"aspirin","label":"Chemical"}]"#, LevelName::Syntax);
        assert!(invented.parsed && invented.entities.is_empty());
        assert_eq!(invented.faults[0].kind, FaultKind::NotInDocument);
        assert!(invented.faults[0].message.contains("aspirin"));

        let broken = judged("json-list", r#"[{"text":"Naloxone""#, LevelName::None);
        assert_eq!((broken.parsed, broken.independent), (false, None));
        assert_eq!(broken.faults[0].kind, FaultKind::Syntax);

        let other = judged("inline-xml", "Naloxone reverses aspirin.", LevelName::Syntax);
        assert_eq!((other.parsed, other.independent), (true, Some(true)));
        assert_eq!(other.faults[0].kind, FaultKind::CopyFailed);
    }

    #[test]
    fn a_repaired_output_is_judged_by_what_came_of_it() {
        let program =
            Program::compile(&Format::named("json-list").unwrap(), &Schema::new(["Chemical", "Disease"])).unwrap();
        let text = Text::new("Naloxone reverses clonidine.");
        let judge = |strategy, output| judge_as(strategy, &program, &text, output, LevelName::None);
        let cut = r#"[{"text":"Naloxone","label":"Chemical"},{"text":"clo"#;
        let strict = judge(StrategyName::Unconstrained, cut);
        assert_eq!((strict.parsed, strict.repaired), (false, None));
        let judged = judge(StrategyName::Repair, cut);
        assert!(judged.parsed && judged.faults.is_empty());
        assert_eq!(judged.entities, [Entity::new("Chemical", 0, 8)]);
        let repaired = judged.repaired.unwrap();
        assert_eq!(repaired.text, r#"[{"text":"Naloxone","label":"Chemical"}]"#);
        assert!(repaired.rewritten && !repaired.edits.is_empty(), "{repaired:?}");
        let whole = judge(StrategyName::Repair, "[]").repaired.unwrap();
        assert!(!whole.rewritten && whole.edits.is_empty() && whole.text == "[]");
    }
}
