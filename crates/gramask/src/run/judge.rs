//! What an output says, and whether it may say so.

use std::sync::Arc;

use gramask_grammar::{Problem, Program};
use gramask_ner::{Entity, Text};

use super::record::{Fault, FaultKind};
use crate::experiment::LevelName;
use crate::independent;

/// An output, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Whether the strict reader could parse it.
    pub parsed: bool,
    /// The entities found.
    pub entities: Vec<Entity>,
    /// What was objected to.
    pub faults: Vec<Fault>,
    /// Whether an independent parser reads it; asked about masked outputs only, as the others are free to be anything.
    pub independent: Option<bool>,
}

/// Reads an output strictly, and, where it was masked, with an independent parser.
pub fn judge(program: &Arc<Program>, text: &Text, output: &str, level: LevelName) -> Judged {
    let independent = match level {
        LevelName::None => None,
        LevelName::Syntax | LevelName::Grounded => independent::reads(program.format(), output),
    };
    match program.read(text, output.as_bytes()) {
        Err(error) => {
            let fault = Fault {
                kind: FaultKind::Syntax,
                label: None,
                message: error.to_string(),
            };
            Judged {
                parsed: false,
                entities: Vec::new(),
                faults: vec![fault],
                independent,
            }
        }
        Ok(reading) => {
            let faults = reading.problems.iter().map(fault).collect();
            Judged {
                parsed: true,
                entities: reading.entities,
                faults,
                independent,
            }
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
    Fault {
        kind,
        label,
        message: problem.to_string(),
    }
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
        let good = judged(
            "json-list",
            r#"[{"text":"Naloxone","label":"Chemical"}]"#,
            LevelName::Grounded,
        );
        assert_eq!(good.entities, [Entity::new("Chemical", 0, 8)]);
        assert_eq!(
            (good.parsed, good.independent, good.faults.len()),
            (true, Some(true), 0)
        );

        let invented = judged(
            "json-list",
            r#"[{"text":"aspirin","label":"Chemical"}]"#,
            LevelName::Syntax,
        );
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
}
