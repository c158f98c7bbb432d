//! A line of `records.jsonl`: the output of one document in one cell.

use std::collections::BTreeMap;

use gramask_decode::{Effort, Finish};
use gramask_ner::Entity;
use serde::{Deserialize, Serialize};

use super::{TraceToken, WrittenPrompt};
use crate::experiment::Cell;

/// A document's output in one cell.
///
/// Records of earlier versions lack some fields, and are read all the same. The fields tell which value stands in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// The document's identifier.
    pub document: String,
    /// Where the text stands in the document of the corpus that it was cut from, in characters; 0 for a whole document. None
    /// in records of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offset: Option<usize>,
    /// The SHA-256 of the tokens of all prompts in the order of the passes, each token as four bytes in little-endian order.
    pub prompt: String,
    /// What the model wrote, without free text before the answer. The outputs of several passes are joined by line breaks.
    pub output: String,
    /// The free text before the answer and the trigger, for strategies that allow it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub preamble: Option<String>,
    /// The output after the strategy `repair` has repaired it. The entities are those of this text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repaired: Option<RepairedOutput>,
    /// The outputs of all passes in schema order, if the format has a pass for each label.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub passes: Vec<String>,
    /// The entities that the strict reader found in the output.
    pub entities: Vec<Entity>,
    /// The gold entities.
    pub gold: Vec<Entity>,
    /// Token counts.
    pub tokens: Tokens,
    /// Times.
    pub times: Times,
    /// Why the output ended. `null` if the document could not be decoded; `errors` then says why.
    pub finish: Option<Finish>,
    /// Whether the strict reader could parse the output.
    pub parsed: bool,
    /// The faults of the output that the strict reader found. If the output does not parse: why not.
    pub errors: Vec<Fault>,
    /// Gold entities that the format cannot express.
    pub inexpressible: usize,
    /// Minus the logarithm of the probability that the masks left, in nats, summed over the known steps
    /// ([`Distortion::known_steps`]). 0 without a mask.
    pub removed: f64,
    /// How the masks bent the model's distribution. Records of earlier versions do not tell.
    #[serde(default)]
    pub distortion: Distortion,
    /// The work of the strategy that is not in the output.
    #[serde(default)]
    pub effort: Effort,
    /// Whether an independent parser of the format's `%syntax` reads the output; `null` where no constraint was set, and for
    /// formats without `%syntax`.
    pub independent: Option<bool>,
    /// Of a task: whether the answer is valid, and the expected one. None for a document of a corpus.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answer: Option<Answer>,
    /// The prompts of all passes, with `--trace`. Traces of earlier versions lack them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub prompts: Vec<WrittenPrompt>,
    /// All tokens, with `--trace`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace: Option<Vec<TraceToken>>,
}

/// How the masks bent the model's distribution along an output.
///
/// A step is **known** if its mask was computed, or if the step needs no mask. It is unknown if the strategy checked only the
/// token (`lazy`), or did not ask the model (forced tokens).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distortion {
    /// The natural logarithm of the importance weight: the logarithm of the probability that the mask left, summed over all
    /// steps. `null` if a step is unknown.
    pub log_weight: Option<f64>,
    /// The number of known steps.
    pub known_steps: usize,
    /// The probability that the masks removed, summed over the known steps.
    pub removed_mass: f64,
    /// Minus the logarithm of the probability that the masks left, in nats, on average over the known steps.
    pub mean_removed: f64,
    /// The part of `removed_mass` that the budget removed, of tokens that the grammar allows. `null` in records of earlier
    /// versions.
    #[serde(default)]
    pub removed_by_budget: Option<f64>,
    /// The known steps at which the mask refused the model's most likely token.
    pub changed_best: usize,
    /// Of these, the steps at which the budget refused it and the grammar allows it. `null` in records of earlier versions.
    #[serde(default)]
    pub changed_best_by_budget: Option<usize>,
    /// Tokens that the tokenizer would not have produced for the output's text; see [`non_canonical`](crate::evaluate::non_canonical).
    pub non_canonical: Option<usize>,
}

/// What is known of the answer to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether a validator that is independent of the masks accepts it.
    pub valid: bool,
    /// Whether it is the expected text. None where no answer is expected.
    pub exact: Option<bool>,
    /// Whether it is JSON of the expected value. None where no answer, or none in JSON, is expected.
    pub equal: Option<bool>,
}

/// What a repair of an output is recorded as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairedOutput {
    /// The repaired text, which is read instead of the output. The texts of several passes are joined by line breaks.
    pub text: String,
    /// The number of edits of each kind that occurred.
    pub edits: BTreeMap<String, usize>,
    /// Whether the repaired text differs from the output, also in white space and order only.
    pub rewritten: bool,
}

impl RepairedOutput {
    /// The repaired outputs of two passes together.
    pub(crate) fn and(mut self, other: RepairedOutput) -> RepairedOutput {
        self.text = format!("{}\n{}", self.text, other.text);
        for (kind, count) in other.edits {
            *self.edits.entry(kind).or_default() += count;
        }
        self.rewritten |= other.rewritten;
        self
    }
}

/// Token counts of one document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Of the prompt, the shared prefix included.
    pub prompt: usize,
    /// Of the output, with the end token if the model wrote one.
    pub output: usize,
    /// Output tokens that were chosen from the model's logits. 0 in records of earlier versions, which had no other tokens.
    #[serde(default)]
    pub sampled: usize,
    /// Output tokens that were appended without asking the model.
    #[serde(default)]
    pub forced: usize,
    /// Output tokens that were proposed without the model and confirmed by it.
    #[serde(default)]
    pub drafted: usize,
}

/// Times of one document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Seconds from the end of the previous document to the end of this one, in the same cell and session. Documents of a batch
    /// overlap. These times sum to the time of the cell.
    pub wall_s: f64,
    /// Microseconds of mask work, without the compilation of the constraint.
    pub mask_us: f64,
    /// Microseconds to compile the constraint.
    pub compile_us: f64,
    /// Seconds that the prompt took in another cell from which it was reused. Rates add them to `wall_s`.
    #[serde(default)]
    pub restored_s: f64,
}

/// A fault of an output.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fault {
    /// The kind of the fault.
    pub kind: FaultKind,
    /// The label of the faulty entity, if there is one.
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
    /// An entity that was written twice.
    Duplicate,
    /// The text around the entities is not the document.
    CopyFailed,
    /// The document could not be decoded, so that there is no output.
    NotDecoded,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::experiment::StrategyName;
    use gramask_decode::Chosen;
    use gramask_grammar::Level;

    /// A record of the cell `mini json-list LEVEL`, without entities.
    pub(crate) fn record(level: Level, document: &str) -> Record {
        let strategy = if level == Level::None { StrategyName::UNCONSTRAINED } else { StrategyName::MASKED };
        Record {
            cell: Cell {
                model: "m".into(),
                corpus: "mini".into(),
                format: "json-list".into(),
                level,
                strategy,
                seed: None,
            },
            document: document.into(),
            offset: Some(0),
            prompt: "00".into(),
            output: "[]".into(),
            passes: Vec::new(),
            entities: Vec::new(),
            gold: Vec::new(),
            preamble: None,
            repaired: None,
            tokens: Tokens { prompt: 10, output: 2, sampled: 2, forced: 0, drafted: 0 },
            times: Times { wall_s: 0.5, mask_us: 3.0, compile_us: 1.0, restored_s: 0.0 },
            finish: Some(Finish::End),
            parsed: true,
            errors: Vec::new(),
            inexpressible: 0,
            removed: 0.0,
            distortion: Distortion {
                log_weight: Some(0.0),
                known_steps: 2,
                non_canonical: Some(0),
                ..Distortion::default()
            },
            effort: Effort { attempts: 1, ..Effort::default() },
            independent: Some(true),
            answer: None,
            prompts: Vec::new(),
            trace: None,
        }
    }

    #[test]
    fn a_record_is_one_flat_line() {
        let mut record = record(Level::Grounded, "d1");
        record.entities = vec![Entity::new("Disease", 0, 4)];
        record.errors = vec![Fault { kind: FaultKind::NotInDocument, label: None, message: "line\nbreak".into() }];
        let line = serde_json::to_string(&record).unwrap();
        assert!(!line.contains('\n'));
        let start = r#"{"model":"m","corpus":"mini","format":"json-list","level":"grounded","strategy":"masked","document":"d1""#;
        assert!(line.starts_with(start), "{line}");
        assert!(line.contains(r#""kind":"not_in_document""#), "{line}");
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
    }

    #[test]
    fn traces_and_what_only_some_strategies_have_come_back() {
        let mut record = record(Level::None, "d1");
        record.cell.strategy = StrategyName::REPAIR;
        record.preamble = Some("Let me see. Answer:".into());
        record.repaired = Some(RepairedOutput {
            text: "[]".into(),
            edits: BTreeMap::from([("closed".to_string(), 1)]),
            rewritten: true,
        });
        record.effort.log_valid = Some(-2.5);
        record.distortion.log_weight = None;
        let without = serde_json::to_string(&record).unwrap();
        assert!(!without.contains("trace") && !without.contains("prompts"), "{without}");
        record.prompts = vec![WrittenPrompt { text: "<s>Find".into(), tokens: vec![1, 30] }];
        record.trace = Some(vec![TraceToken {
            pass: 0,
            token: 7,
            text: "\"[".into(),
            chosen: Chosen::Sampled,
            log_probability: Some(-0.5),
            removed: None,
            removed_by_budget: None,
            entropy: Some(1.0),
            entropy_after: None,
            rank: Some(0),
            changed_best: None,
            wanted: None,
            allowed: None,
            forced_text: None,
        }]);
        let line = serde_json::to_string(&record).unwrap();
        assert!(line.contains(r#""trace":[{"token":7,"text":"\"[","chosen":"sampled""#), "{line}");
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
        (record.trace, record.prompts) = (None, Vec::new());
        assert_eq!(serde_json::from_str::<Record>(&without).unwrap(), record);
    }

    #[test]
    fn records_of_earlier_versions_are_read() {
        let line = r#"{"model":"m","corpus":"mini","format":"json-list","level":"syntax","strategy":"masked","document":"d1",
            "prompt":"00","output":"[]","entities":[],"gold":[],"tokens":{"prompt":10,"output":2},
            "times":{"wall_s":0.5,"mask_us":3.0,"compile_us":1.0},"finish":"end","parsed":true,"errors":[],
            "inexpressible":0,"removed":1.25,"independent":true}"#;
        let old: Record = serde_json::from_str(line).unwrap();
        assert_eq!((old.cell.strategy, old.removed), (StrategyName::MASKED, 1.25));
        assert_eq!((old.tokens.output, old.tokens.forced), (2, 0));
        assert_eq!((old.distortion.log_weight, old.distortion.known_steps), (None, 0));
        assert_eq!((old.distortion.non_canonical, old.trace), (None, None));
    }
}
