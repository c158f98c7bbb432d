//! Metrics: scores with intervals, and tests of a difference.

use gramask::ner::metrics::{self, Counts, Schemes, Scorer};
use gramask::ner::{Entity, Schema};
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::border::interruptible;
use crate::entity::entities;
use crate::errors::{Kind, OrRaise, error};

/// The entities of each document.
type Documents = Vec<Vec<Entity>>;

fn documents(objects: &Bound<'_, PyAny>) -> PyResult<Documents> {
    objects.try_iter()?.map(|object| entities(&object?)).collect()
}

/// The schema of these labels, else of all entities in alphabetical order.
fn schema(labels: Option<Vec<String>>, all: &[&Documents]) -> Schema {
    let found = || {
        let entities = all.iter().flat_map(|documents| documents.iter().flatten());
        let labels: std::collections::BTreeSet<&str> = entities.map(|entity| entity.label.as_str()).collect();
        labels.into_iter().map(str::to_owned).collect()
    };
    Schema::new(labels.unwrap_or_else(found))
}

/// Refuses lists of different lengths.
fn paired(gold: &Documents, predicted: &Documents, name: &str) -> PyResult<()> {
    let (gold, predicted) = (gold.len(), predicted.len());
    match gold == predicted {
        true => Ok(()),
        false => Err(error(
            Kind::Metric,
            format!(
                "{gold} documents have gold entities and {predicted} have {name} ones: give a list for each document"
            ),
        )),
    }
}

/// The counts of each document.
fn counts(schema: &Schema, gold: &Documents, predicted: &Documents) -> Vec<Schemes<Counts>> {
    let of = |(gold, predicted): (&Vec<Entity>, &Vec<Entity>)| {
        let mut scorer = Scorer::new(schema);
        scorer.add(gold, predicted.clone());
        let overall = scorer.summary().overall;
        Schemes {
            strict: overall.strict.counts,
            exact: overall.exact.counts,
            partial: overall.partial.counts,
            type_: overall.type_.counts,
        }
    };
    gold.iter().zip(predicted).map(of).collect()
}

/// The counts of a scheme, by its name.
fn pick(scheme: &str) -> PyResult<fn(&Schemes<Counts>) -> Counts> {
    match scheme {
        "strict" => Ok(|counts| counts.strict),
        "exact" => Ok(|counts| counts.exact),
        "partial" => Ok(|counts| counts.partial),
        "type" => Ok(|counts| counts.type_),
        _ => Err(error(
            Kind::Metric,
            format!("unknown scheme `{scheme}`; a scheme is one of strict, exact, partial, type"),
        )),
    }
}

/// The summary of predicted entities as JSON; `gramask.evaluate` makes an `Evaluation` of it.
#[pyfunction]
#[pyo3(signature = (gold, predicted, labels, confidence, samples, seed))]
pub fn evaluate(
    py: Python<'_>,
    gold: &Bound<'_, PyAny>,
    predicted: &Bound<'_, PyAny>,
    labels: Option<Vec<String>>,
    confidence: f64,
    samples: usize,
    seed: u64,
) -> PyResult<String> {
    let (gold, predicted) = (documents(gold)?, documents(predicted)?);
    paired(&gold, &predicted, "predicted")?;
    if !(confidence > 0.0 && confidence < 1.0) {
        return Err(error(
            Kind::Metric,
            format!("confidence {confidence}: give a number between 0 and 1, such as 0.95"),
        ));
    }
    let schema = schema(labels, &[&gold, &predicted]);
    interruptible(py, move || {
        let mut scorer = Scorer::new(&schema);
        gold.iter().zip(&predicted).for_each(|(gold, predicted)| scorer.add(gold, predicted.clone()));
        let counts = counts(&schema, &gold, &predicted);
        let interval = |scheme: fn(&Schemes<Counts>) -> Counts| {
            let counts: Vec<Counts> = counts.iter().map(scheme).collect();
            let interval = metrics::interval(&counts, confidence, samples, seed);
            json!([interval.low, interval.high])
        };
        let summary = serde_json::to_value(scorer.summary()).unwrap_or(Value::Null);
        let intervals = json!({
            "strict": interval(|counts| counts.strict),
            "exact": interval(|counts| counts.exact),
            "partial": interval(|counts| counts.partial),
            "type": interval(|counts| counts.type_),
        });
        json!({ "summary": summary, "intervals": intervals, "confidence": confidence }).to_string()
    })
}

/// The F1 of two systems on the same documents, their difference, and the p-value of the paired test.
#[pyfunction]
#[pyo3(signature = (gold, first, second, labels, scheme, shuffles, seed))]
#[allow(clippy::too_many_arguments, reason = "each is an argument of the function that people call")]
pub fn compare(
    py: Python<'_>,
    gold: &Bound<'_, PyAny>,
    first: &Bound<'_, PyAny>,
    second: &Bound<'_, PyAny>,
    labels: Option<Vec<String>>,
    scheme: &str,
    shuffles: usize,
    seed: u64,
) -> PyResult<(f64, f64, f64, f64)> {
    let (gold, first, second) = (documents(gold)?, documents(first)?, documents(second)?);
    paired(&gold, &first, "the first system's")?;
    paired(&gold, &second, "the second system's")?;
    let schema = schema(labels, &[&gold, &first, &second]);
    let pick = pick(scheme)?;
    let done = interruptible(py, move || {
        let of = |predicted| counts(&schema, &gold, predicted).iter().map(pick).collect::<Vec<Counts>>();
        let (first, second) = (of(&first), of(&second));
        let f1 = |counts: &[Counts]| {
            let mut all = Counts::default();
            counts.iter().for_each(|counts| all.add(counts));
            all.score().f1
        };
        let test = metrics::difference(&first, &second, shuffles, seed)?;
        Ok::<_, metrics::Unpaired>((f1(&first), f1(&second), test.difference, test.p))
    })?;
    done.or_raise(Kind::Metric)
}

/// The p-values of several tests, adjusted by Holm's method, in the order given.
#[pyfunction]
pub fn holm(p: Vec<f64>) -> PyResult<Vec<f64>> {
    match p.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        Some(p) => Err(error(Kind::Metric, format!("{p} is no p-value: give numbers from 0 to 1"))),
        None => Ok(metrics::holm(&p)),
    }
}
