//! One line of `records.jsonl`: what became of one document in one cell.

use std::collections::BTreeMap;

use gramask_decode::Finish;
use gramask_ner::Entity;
use serde::{Deserialize, Serialize};

use super::trace::TraceToken;
use crate::experiment::Cell;

/// A document's output in one cell.
///
/// Records of earlier versions lack some of this, and are read all the same: the fields say what stands in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// The document's identifier.
    pub document: String,
    /// The SHA-256 of the prompt's tokens, each as four bytes, the lowest first; of all passes, one after the other.
    pub prompt: String,
    /// What the model wrote; the outputs of several passes with line breaks between. The answer alone, where the strategy
    /// allows free text before it.
    pub output: String,
    /// The free text before the answer, trigger included, where the strategy allows it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub preamble: Option<String>,
    /// What the strategy `repair` made of the output; the entities are those of this text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repaired: Option<Repaired>,
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
    /// 0 where there is no mask. Over the steps where that is known: see [`Distortion::known_steps`].
    pub removed: f64,
    /// What else the strategy did to the model's distribution; nothing is known of it in records of earlier versions.
    #[serde(default)]
    pub distortion: Distortion,
    /// What the strategy did beyond the output's tokens.
    #[serde(default)]
    pub effort: Effort,
    /// Whether an independent parser of the format's `%syntax` reads the output; `null` where no constraint was set, and for
    /// formats without `%syntax`.
    pub independent: Option<bool>,
    /// Its tokens one by one, where `--trace` asked for them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace: Option<Vec<TraceToken>>,
}

/// What the mask did to the model's distribution on the way to an output.
///
/// A step is **known** where a mask was computed, or none was wanted; it is not where the strategy checked the token alone
/// (`lazy`) or did not ask the model (forced tokens).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distortion {
    /// The natural logarithm of the importance weight: the sum over all steps of the logarithm of the mass that the mask left.
    /// `null` where not all steps are known.
    pub log_weight: Option<f64>,
    /// The steps at which it is known what the mask removed.
    pub known_steps: usize,
    /// The probability that the mask removed, summed over the known steps: divided by their number it is the mean.
    pub removed_mass: f64,
    /// The mean over the known steps of minus the logarithm of the mass left, in nats: `removed` divided by their number.
    pub mean_removed: f64,
    /// Known steps at which the mask refused the model's likeliest token.
    pub changed_best: usize,
    /// Tokens that the tokenizer would not have produced for the output's text; see [`non_canonical`](super::non_canonical).
    pub non_canonical: Option<usize>,
}

/// What a strategy did beyond the tokens of its output, summed over the passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Effort {
    /// How many outputs were tried: samples drawn again, iterations, particles, finished hypotheses.
    pub attempts: usize,
    /// Tokens that were chosen for outputs, or parts of them, that were then given up.
    pub discarded: usize,
    /// Tokens proposed without the model that it did not confirm.
    pub refused_drafts: usize,
    /// An estimate of the logarithm of the probability that an unconstrained sample is valid, where the strategy makes one.
    pub log_valid: Option<f64>,
}

/// A mended output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repaired {
    /// The text that was read in the output's place; those of several passes with line breaks between.
    pub text: String,
    /// How often what was mended; kinds that did not occur are left out.
    pub edits: BTreeMap<String, usize>,
    /// Whether the output had to be written anew in any way, blanks and order included.
    pub rewritten: bool,
}

impl Repaired {
    /// Those of two passes together.
    pub(super) fn and(mut self, other: Repaired) -> Repaired {
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
    /// In the prompt, the shared prefix included.
    pub prompt: usize,
    /// In the output, the end token included where the model wrote one.
    pub output: usize,
    /// Of these, chosen from the model's logits. 0 in records of earlier versions, which had no others.
    #[serde(default)]
    pub sampled: usize,
    /// Of these, forced: appended without asking the model.
    #[serde(default)]
    pub forced: usize,
    /// Of these, proposed without the model and confirmed by it.
    #[serde(default)]
    pub drafted: usize,
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
    /// Seconds that its prompt took in the cell that computed it, where cells share prompts and this one took it over. Rates
    /// count them beside `wall_s`.
    #[serde(default)]
    pub restored_s: f64,
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
    use gramask_decode::Chosen;

    /// A record of the cell `mini json-list LEVEL`, without entities.
    pub(crate) fn record(level: LevelName, document: &str) -> Record {
        let strategy = if level == LevelName::None { StrategyName::Unconstrained } else { StrategyName::Masked };
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
            trace: None,
        }
    }

    #[test]
    fn a_record_is_one_flat_line() {
        let mut record = record(LevelName::Grounded, "d1");
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
        let mut record = record(LevelName::None, "d1");
        record.cell.strategy = StrategyName::Repair;
        record.preamble = Some("Let me see. Answer:".into());
        record.repaired =
            Some(Repaired { text: "[]".into(), edits: BTreeMap::from([("closed".to_string(), 1)]), rewritten: true });
        record.effort.log_valid = Some(-2.5);
        record.distortion.log_weight = None;
        let without = serde_json::to_string(&record).unwrap();
        assert!(!without.contains("trace"), "{without}");
        record.trace = Some(vec![TraceToken {
            pass: 0,
            token: 7,
            text: "\"[".into(),
            chosen: Chosen::Sampled,
            log_probability: Some(-0.5),
            removed: None,
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
        record.trace = None;
        assert_eq!(serde_json::from_str::<Record>(&without).unwrap(), record);
    }

    #[test]
    fn records_of_earlier_versions_are_read() {
        let line = r#"{"model":"m","corpus":"mini","format":"json-list","level":"syntax","strategy":"masked","document":"d1",
            "prompt":"00","output":"[]","entities":[],"gold":[],"tokens":{"prompt":10,"output":2},
            "times":{"wall_s":0.5,"mask_us":3.0,"compile_us":1.0},"finish":"end","parsed":true,"errors":[],
            "inexpressible":0,"removed":1.25,"independent":true}"#;
        let old: Record = serde_json::from_str(line).unwrap();
        assert_eq!((old.cell.strategy, old.removed), (StrategyName::Masked, 1.25));
        assert_eq!((old.tokens.output, old.tokens.forced), (2, 0));
        assert_eq!((old.distortion.log_weight, old.distortion.known_steps), (None, 0));
        assert_eq!((old.distortion.non_canonical, old.trace), (None, None));
    }
}
