//! Evaluating one output: its entities, and its faults.

use std::sync::Arc;

use gramask_grammar::{Level, Problem, Program, syntax_check};
use gramask_ner::{Entity, Schema, Text};

use crate::experiment::StrategyName;
use crate::store::{Fault, FaultKind, RepairedOutput};

/// What an output says, and what is wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Whether the strict reader parses it.
    pub parsed: bool,
    /// The entities found.
    pub entities: Vec<Entity>,
    /// The faults that the strict reader found.
    pub faults: Vec<Fault>,
    /// Whether an independent parser of the format's `%syntax` reads it. Only masked outputs are checked, since unmasked ones may be
    /// anything, and only formats with `%syntax`.
    pub independent: Option<bool>,
    /// The repaired output, with strategy `repair`. The other fields are then about this text.
    pub repaired: Option<RepairedOutput>,
}

/// Reads an output strictly, or after a repair, as its strategy wants.
pub fn evaluate(strategy: StrategyName, program: &Arc<Program>, text: &Text, output: &str, level: Level) -> Evaluation {
    match strategy.repairs() {
        true => repair(program, text, output),
        false => read_strictly(program, text, output, level),
    }
}

/// Repairs an output, and reads the repaired text.
fn repair(program: &Arc<Program>, text: &Text, output: &str) -> Evaluation {
    let mended = program.repair(text, output.as_bytes());
    let judged = read_strictly(program, text, &mended.text, Level::None);
    let edits = mended.edits.by_kind().into_iter().filter(|(_, count)| *count > 0);
    Evaluation {
        repaired: Some(RepairedOutput {
            edits: edits.map(|(kind, count)| (kind.to_string(), count)).collect(),
            rewritten: mended.edits.rewritten,
            text: mended.text,
        }),
        ..judged
    }
}

/// Reads an output strictly, and with an independent parser if it was masked.
pub fn read_strictly(program: &Arc<Program>, text: &Text, output: &str, level: Level) -> Evaluation {
    let independent = match level {
        Level::None => None,
        Level::Syntax | Level::Grounded => syntax_check::check(program.format(), output).map(|checked| checked.is_ok()),
    };
    match program.read(text, output.as_bytes()) {
        Err(error) => {
            let fault = Fault { kind: FaultKind::Syntax, label: None, message: error.to_string() };
            Evaluation { parsed: false, entities: Vec::new(), faults: vec![fault], independent, repaired: None }
        }
        Ok(reading) => {
            let faults = reading.problems.iter().map(fault).collect();
            Evaluation { parsed: true, entities: reading.entities, faults, independent, repaired: None }
        }
    }
}

impl Evaluation {
    /// The evaluation of all passes together.
    pub fn join(passes: impl IntoIterator<Item = Evaluation>, schema: &Schema) -> Evaluation {
        let mut passes = passes.into_iter();
        let Some(mut all) = passes.next() else {
            return Evaluation {
                parsed: false,
                entities: Vec::new(),
                faults: Vec::new(),
                independent: None,
                repaired: None,
            };
        };
        let mut several = false;
        for judged in passes {
            several = true;
            all.parsed &= judged.parsed;
            all.entities.extend(judged.entities);
            all.faults.extend(judged.faults);
            all.independent = match (all.independent, judged.independent) {
                (Some(a), Some(b)) => Some(a && b),
                (one, other) => one.or(other),
            };
            all.repaired = match (all.repaired, judged.repaired) {
                (Some(one), Some(other)) => Some(one.and(other)),
                (one, other) => one.or(other),
            };
        }
        if several {
            schema.sort(&mut all.entities);
        }
        all
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

    fn judged(format: &str, output: &str, level: Level) -> Evaluation {
        let program = Program::compile(&Format::named(format).unwrap(), &Schema::new(["Chemical", "Disease"])).unwrap();
        read_strictly(&program, &Text::new("Naloxone reverses clonidine."), output, level)
    }

    #[test]
    fn outputs_are_read_and_objected_to() {
        let good = judged("json-list", r#"[{"text":"Naloxone","label":"Chemical"}]"#, Level::Grounded);
        assert_eq!(good.entities, [Entity::new("Chemical", 0, 8)]);
        assert_eq!((good.parsed, good.independent, good.faults.len()), (true, Some(true), 0));

        let invented = judged("json-list", r#"[{"text":"aspirin","label":"Chemical"}]"#, Level::Syntax);
        assert!(invented.parsed && invented.entities.is_empty());
        assert_eq!(invented.faults[0].kind, FaultKind::NotInDocument);
        assert!(invented.faults[0].message.contains("aspirin"));

        let broken = judged("json-list", r#"[{"text":"Naloxone""#, Level::None);
        assert_eq!((broken.parsed, broken.independent), (false, None));
        assert_eq!(broken.faults[0].kind, FaultKind::Syntax);

        let other = judged("inline-xml", "Naloxone reverses aspirin.", Level::Syntax);
        assert_eq!((other.parsed, other.independent), (true, Some(true)));
        assert_eq!(other.faults[0].kind, FaultKind::CopyFailed);
    }

    #[test]
    fn a_repaired_output_is_judged_by_what_came_of_it() {
        let program =
            Program::compile(&Format::named("json-list").unwrap(), &Schema::new(["Chemical", "Disease"])).unwrap();
        let text = Text::new("Naloxone reverses clonidine.");
        let judge = |strategy, output| evaluate(strategy, &program, &text, output, Level::None);
        let cut = r#"[{"text":"Naloxone","label":"Chemical"},{"text":"clo"#;
        let strict = judge(StrategyName::UNCONSTRAINED, cut);
        assert_eq!((strict.parsed, strict.repaired), (false, None));
        let judged = judge(StrategyName::REPAIR, cut);
        assert!(judged.parsed && judged.faults.is_empty());
        assert_eq!(judged.entities, [Entity::new("Chemical", 0, 8)]);
        let repaired = judged.repaired.unwrap();
        assert_eq!(repaired.text, r#"[{"text":"Naloxone","label":"Chemical"}]"#);
        assert!(repaired.rewritten && !repaired.edits.is_empty(), "{repaired:?}");
        let whole = judge(StrategyName::REPAIR, "[]").repaired.unwrap();
        assert!(!whole.rewritten && whole.edits.is_empty() && whole.text == "[]");
    }

    #[test]
    fn passes_are_judged_together() {
        let judged = |label: &str, start, parsed, independent| Evaluation {
            parsed,
            entities: vec![Entity::new(label, start, start + 1)],
            faults: Vec::new(),
            independent,
            repaired: Some(RepairedOutput {
                text: label.into(),
                edits: [("closed".to_string(), start)].into(),
                rewritten: start > 0,
            }),
        };
        let schema = Schema::new(["A", "B"]);
        let all = Evaluation::join([judged("A", 4, true, Some(true)), judged("B", 0, true, Some(true))], &schema);
        assert_eq!(all.entities, [Entity::new("B", 0, 1), Entity::new("A", 4, 5)]);
        assert_eq!((all.parsed, all.independent), (true, Some(true)));
        let repaired = all.repaired.unwrap();
        assert_eq!((repaired.text.as_str(), repaired.edits["closed"]), ("A\nB", 4));
        assert!(repaired.rewritten);
        let all = Evaluation::join([judged("A", 4, false, None), judged("B", 0, true, Some(false))], &schema);
        assert_eq!((all.parsed, all.independent), (false, Some(false)));
    }
}
