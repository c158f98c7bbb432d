//! Traces: what is known of each token of an output, one by one.

use gramask_decode::{Chosen, Output, TokenRecord, TokenTable};
use serde::{Deserialize, Serialize};

/// One token of an output. What is not known is `null`: the model is not asked about forced tokens, and no mask is computed
/// where a token is checked alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceToken {
    /// The pass that wrote it, from 0, in formats with a pass for each label.
    #[serde(skip_serializing_if = "is_first", default)]
    pub pass: usize,
    /// The token.
    pub token: u32,
    /// Its text. Bytes that are no whole characters are shown as U+FFFD.
    pub text: String,
    /// How it came in: `sampled`, `forced` or `drafted`.
    pub chosen: Chosen,
    /// The natural logarithm of its probability under the model, before mask and temperature.
    pub log_probability: Option<f64>,
    /// The probability that the mask removed at this step.
    pub removed: Option<f64>,
    /// The entropy of the model's distribution at this step, in nats.
    pub entropy: Option<f64>,
    /// The entropy of what the mask left of it, renormalised, in nats.
    pub entropy_after: Option<f64>,
    /// How many tokens the model thought likelier.
    pub rank: Option<u32>,
    /// Whether the mask refused the model's likeliest token.
    pub changed_best: Option<bool>,
}

fn is_first(pass: &usize) -> bool {
    *pass == 0
}

/// The tokens of all passes of a document, one pass after the other.
pub fn trace(outputs: &[Output], table: &TokenTable) -> Vec<TraceToken> {
    let passes = outputs.iter().enumerate();
    let tokens = passes.flat_map(|(pass, output)| output.tokens.iter().map(move |record| (pass, record)));
    tokens.map(|(pass, record)| token(pass, record, table)).collect()
}

fn token(pass: usize, record: &TokenRecord, table: &TokenTable) -> TraceToken {
    let (scores, mask) = (record.scores, record.mask());
    TraceToken {
        pass,
        token: record.token,
        text: String::from_utf8_lossy(table.bytes(record.token)).into_owned(),
        chosen: record.chosen,
        log_probability: scores.map(|scores| scores.log_probability),
        // Adding 0 keeps nothing from being written as -0.
        removed: record.removed_mass().map(|removed| removed + 0.0),
        entropy: scores.map(|scores| scores.entropy),
        entropy_after: mask.map(|mask| mask.entropy),
        rank: scores.map(|scores| scores.rank),
        changed_best: mask.map(|mask| mask.changed_best),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gramask_decode::mock::{END, table};
    use gramask_decode::{MaskScores, Scores};

    #[test]
    fn what_is_not_known_is_null() {
        let table = table(&["xyz"]);
        let mut record = TokenRecord::unscored(258, Chosen::Forced);
        let line = serde_json::to_string(&token(0, &record, &table)).unwrap();
        assert_eq!(
            line,
            r#"{"token":258,"text":"xyz","chosen":"forced","log_probability":null,"removed":null,"entropy":null,"entropy_after":null,"rank":null,"changed_best":null}"#
        );
        record.chosen = Chosen::Sampled;
        record.scores = Some(Scores {
            log_probability: -1.5,
            entropy: 2.0,
            rank: 3,
            mask: Some(MaskScores {
                kept_log_mass: 0.25f64.ln(),
                entropy: 1.0,
                changed_best: true,
            }),
        });
        let known = token(1, &record, &table);
        assert_eq!((known.log_probability, known.rank), (Some(-1.5), Some(3)));
        assert!((known.removed.unwrap() - 0.75).abs() < 1e-12);
        assert_eq!((known.entropy, known.entropy_after), (Some(2.0), Some(1.0)));
        assert_eq!(known.changed_best, Some(true));
        let line = serde_json::to_string(&known).unwrap();
        assert!(line.starts_with("{\"pass\":1,"), "{line}");
        assert_eq!(serde_json::from_str::<TraceToken>(&line).unwrap(), known);
        assert_eq!(
            token(0, &TokenRecord::unscored(END, Chosen::Forced), &table).text,
            "<end>"
        );
    }
}
