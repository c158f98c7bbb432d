//! Entity F1 of BIO tag sequences, as the Python package `seqeval` computes it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::schemes::f1;

/// How an `I-` tag without a beginning is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// It begins an entity, as in `conlleval`: seqeval's default.
    #[default]
    Lenient,
    /// It belongs to none: seqeval's `mode="strict", scheme=IOB2`.
    Strict,
}

/// What is wrong with tag sequences.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BioError {
    /// Not a BIO tag.
    #[error("sequence {sequence}, tag {position}: found {tag:?}; expected O, B-LABEL or I-LABEL")]
    Tag {
        /// The sequence, from 0.
        sequence: usize,
        /// The tag's place in it, from 0.
        position: usize,
        /// The tag.
        tag: String,
    },
    /// Gold and predicted sequences differ in length.
    #[error("sequence {sequence}: {predicted} predicted tags for {gold} gold tags; expected as many")]
    Length {
        /// The sequence, from 0.
        sequence: usize,
        /// Gold tags.
        gold: usize,
        /// Predicted tags.
        predicted: usize,
    },
    /// One side has more sequences.
    #[error("{predicted} predicted sequences for {gold} gold ones; expected as many")]
    Sequences {
        /// Gold sequences.
        gold: usize,
        /// Predicted sequences.
        predicted: usize,
    },
}

/// Precision, recall and F1 from 0 to 1, and the number of gold entities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BioScore {
    /// Correct entities per predicted one.
    pub precision: f64,
    /// Correct entities per gold one.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
    /// Gold entities.
    pub support: usize,
}

/// Scores of tag sequences.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BioScores {
    /// Over all labels.
    pub micro: BioScore,
    /// Per label.
    pub labels: BTreeMap<String, BioScore>,
}

/// An entity of a tag sequence: label, first word, one past the last word.
pub type Chunk = (String, usize, usize);

/// The entities of one tag sequence; the error is the place of a tag that is none.
fn chunks_at<S: AsRef<str>>(tags: &[S], reading: Reading) -> Result<Vec<Chunk>, usize> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut inside: Option<&str> = None; // the label of the entity that the previous word belongs to
    for (position, tag) in tags.iter().enumerate() {
        let tag = tag.as_ref();
        match tag.split_once('-') {
            None if tag == "O" => inside = None,
            Some(("I", label)) if !label.is_empty() && inside == Some(label) => {
                if let Some(chunk) = chunks.last_mut() {
                    chunk.2 = position + 1;
                }
            }
            Some(("I", label)) if !label.is_empty() && reading == Reading::Strict => inside = None,
            Some(("B" | "I", label)) if !label.is_empty() => {
                chunks.push((label.to_owned(), position, position + 1));
                inside = Some(label);
            }
            _ => return Err(position),
        }
    }
    Ok(chunks)
}

/// The entities of one tag sequence.
///
/// ```
/// use gramask_ner::metrics::bio::{Reading, chunks};
/// let tags = ["I-Gene", "I-Gene", "O", "B-Gene", "B-Gene"];
/// assert_eq!(chunks(&tags, Reading::Lenient)?.len(), 3);
/// assert_eq!(chunks(&tags, Reading::Strict)?, [("Gene".into(), 3, 4), ("Gene".into(), 4, 5)]);
/// # Ok::<(), gramask_ner::metrics::bio::BioError>(())
/// ```
///
/// # Errors
/// A tag that is not a BIO tag.
pub fn chunks<S: AsRef<str>>(tags: &[S], reading: Reading) -> Result<Vec<Chunk>, BioError> {
    chunks_of(0, tags, reading)
}

fn chunks_of<S: AsRef<str>>(sequence: usize, tags: &[S], reading: Reading) -> Result<Vec<Chunk>, BioError> {
    chunks_at(tags, reading).map_err(|position| {
        let tag = tags[position].as_ref().to_owned();
        BioError::Tag { sequence, position, tag }
    })
}

/// Scores predicted tag sequences against gold ones: an entity is correct where label, first and last word agree.
///
/// # Errors
/// A tag that is not a BIO tag, and sequences that do not correspond.
pub fn score<S: AsRef<str>, T: AsRef<str>>(
    gold: &[Vec<S>],
    predicted: &[Vec<T>],
    reading: Reading,
) -> Result<BioScores, BioError> {
    if gold.len() != predicted.len() {
        return Err(BioError::Sequences { gold: gold.len(), predicted: predicted.len() });
    }
    // Label -> (correct, predicted, gold).
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    for (sequence, (gold, predicted)) in gold.iter().zip(predicted).enumerate() {
        if gold.len() != predicted.len() {
            return Err(BioError::Length { sequence, gold: gold.len(), predicted: predicted.len() });
        }
        let gold: BTreeSet<Chunk> = chunks_of(sequence, gold, reading)?.into_iter().collect();
        let predicted = chunks_of(sequence, predicted, reading)?;
        for chunk in &gold {
            counts.entry(chunk.0.clone()).or_default()[2] += 1;
        }
        for chunk in predicted {
            let correct = gold.contains(&chunk);
            let counts = counts.entry(chunk.0).or_default();
            counts[0] += usize::from(correct);
            counts[1] += 1;
        }
    }
    let score = |[correct, predicted, gold]: [usize; 3]| {
        let ratio = |whole: usize| if whole == 0 { 0.0 } else { correct as f64 / whole as f64 };
        let (precision, recall) = (ratio(predicted), ratio(gold));
        BioScore { precision, recall, f1: f1(precision, recall), support: gold }
    };
    let mut total = [0; 3];
    for counts in counts.values() {
        for (sum, count) in total.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    Ok(BioScores { micro: score(total), labels: counts.into_iter().map(|(label, c)| (label, score(c))).collect() })
}
