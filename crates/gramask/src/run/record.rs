//! One line of `records.jsonl`: what became of one document in one cell.

use gramask_decode::Finish;
use gramask_ner::Entity;
use serde::{Deserialize, Serialize};

use crate::experiment::Cell;

/// A document's output in one cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// The document's identifier.
    pub document: String,
    /// The SHA-256 of the prompt's tokens, each as four bytes, the lowest first; of all passes, one after the other.
    pub prompt: String,
    /// What the model wrote; the outputs of several passes with line breaks between.
    pub output: String,
    /// The outputs one by one, in schema order, where the format has a pass for each label.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub passes: Vec<String>,
    /// The entities that the strict reader found in it.
    pub entities: Vec<Entity>,
    /// The gold entities.
    pub gold: Vec<Entity>,
    /// Token counts.
    pub tokens: Tokens,
    /// Times.
    pub times: Times,
    /// Why the output ended; `null` where there is none, because the document could not be decoded (`errors` says why).
    pub finish: Option<Finish>,
    /// Whether the strict reader could parse the output.
    pub parsed: bool,
    /// What the reader objected to, entity by entity; for an output that does not parse, why.
    pub errors: Vec<Fault>,
    /// Gold entities that the format cannot express.
    pub inexpressible: usize,
    /// How much probability the mask removed: minus the sum over the steps of the logarithm of the mass that it left, in nats;
    /// 0 where there is no mask.
    pub removed: f64,
    /// Whether a parser that knows nothing of this program's grammars reads the output; `null` where none is asked.
    pub independent: Option<bool>,
}

/// Token counts of one document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// In the prompt, the shared prefix included.
    pub prompt: usize,
    /// In the output, the end token included where the model wrote one.
    pub output: usize,
}

/// Times of one document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Seconds by the wall clock from the previous document's end to this one's, in the same cell and session. Documents of
    /// a batch overlap; these are the shares that add up to the time that the cell took.
    pub wall_s: f64,
    /// Microseconds of work on masks for this document, the compilation of its constraint not included.
    pub mask_us: f64,
    /// Microseconds to compile this document's constraint.
    pub compile_us: f64,
}

/// What the reader objected to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fault {
    /// Of which kind.
    pub kind: FaultKind,
    /// The label of the entity, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<String>,
    /// In words.
    pub message: String,
}

/// The kinds of faults in an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The output does not parse.
    Syntax,
    /// A mention that does not occur in the document.
    NotInDocument,
    /// A label that the schema does not have.
    UnknownLabel,
    /// Offsets and text, or two other views of an entity, disagree.
    Disagree,
    /// An entity that stands there twice.
    Duplicate,
    /// The text around the entities is not the document.
    CopyFailed,
    /// There is no output: the document could not be decoded.
    NotDecoded,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::experiment::{LevelName, StrategyName};

    /// A record of the cell `mini json-list LEVEL`, without entities.
    pub(crate) fn record(level: LevelName, document: &str) -> Record {
        let strategy = if level == LevelName::None {
            StrategyName::Unconstrained
        } else {
            StrategyName::Masked
        };
        Record {
            cell: Cell {
                model: "m".into(),
                corpus: "mini".into(),
                format: "json-list".into(),
                level,
                strategy,
            },
            document: document.into(),
            prompt: "00".into(),
            output: "[]".into(),
            passes: Vec::new(),
            entities: Vec::new(),
            gold: Vec::new(),
            tokens: Tokens { prompt: 10, output: 2 },
            times: Times {
                wall_s: 0.5,
                mask_us: 3.0,
                compile_us: 1.0,
            },
            finish: Some(Finish::End),
            parsed: true,
            errors: Vec::new(),
            inexpressible: 0,
            removed: 0.0,
            independent: Some(true),
        }
    }

    #[test]
    fn a_record_is_one_flat_line() {
        let mut record = record(LevelName::Grounded, "d1");
        record.entities = vec![Entity::new("Disease", 0, 4)];
        record.errors = vec![Fault {
            kind: FaultKind::NotInDocument,
            label: None,
            message: "line\nbreak".into(),
        }];
        let line = serde_json::to_string(&record).unwrap();
        assert!(!line.contains('\n'));
        let start = r#"{"model":"m","corpus":"mini","format":"json-list","level":"grounded","strategy":"masked","document":"d1""#;
        assert!(line.starts_with(start), "{line}");
        assert!(line.contains(r#""kind":"not_in_document""#), "{line}");
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
    }
}
