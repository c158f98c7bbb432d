//! Beginning a run: what goes into `run.json`, and what is written at the end.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::error::RunError;
use super::plan::Plan;
use super::settings::{RunFile, now};
use super::summary::{Row, to_csv};
use crate::experiment::{Experiment, Overrides};
use crate::pull::{Model, sha256_hex};

/// Everything needed to repeat a run.
///
/// # Errors
/// When a model's files cannot be read, or an experiment names an unknown weight type.
pub fn run_file(plan: &Plan, source: &str, overrides: &Overrides, models: &[Model]) -> Result<RunFile, RunError> {
    let experiment = &plan.experiment;
    // Names that mean nothing are found before anything is written.
    plan.placement().precision()?;
    let (mut digests, mut adapters) = (Map::new(), Map::new());
    for model in models {
        digests.insert(model.name.clone(), Value::String(model.digest()?));
        if let Some(digest) = model.adapter_digest()? {
            adapters.insert(model.name.clone(), Value::String(digest));
        }
    }
    let formats = plan.formats.iter().map(|format| (format.name.clone(), Value::String(sha256_hex(&format.source))));
    let corpora = plan.corpora.iter().map(|corpus| (corpus.name.clone(), Value::String(corpus.digest.clone())));
    let mut settings = json!({
        "gramask": env!("CARGO_PKG_VERSION"),
        "experiment": choices(experiment),
        "device": plan.device.to_string(),
        "model_sha256": digests,
        "format_sha256": formats.collect::<Map<_, _>>(),
        "corpus_sha256": corpora.collect::<Map<_, _>>(),
    });
    // Runs without adapters have the settings that they had before there were any.
    if !adapters.is_empty() {
        settings["adapter_sha256"] = adapters.into();
    }
    Ok(RunFile {
        name: experiment.name.clone(),
        date: now(),
        versions: versions(),
        machine: machine(),
        experiment: source.to_string(),
        overrides: serde_json::to_value(overrides).unwrap_or_default(),
        settings,
        shard: None,
    })
}

/// The experiment without what is only for people, and without where its files lie.
fn choices(experiment: &Experiment) -> Value {
    let mut choices = serde_json::to_value(experiment).unwrap_or_default();
    if let Value::Object(choices) = &mut choices {
        choices.remove("name");
        choices.remove("about");
        choices.remove("device");
    }
    choices
}

/// This program's version and those of the crates that compute for it, as locked.
pub(crate) fn versions() -> Value {
    let lock = include_str!("../../../../Cargo.lock");
    let mut versions = Map::new();
    versions.insert("gramask".into(), env!("CARGO_PKG_VERSION").into());
    for name in ["burn", "burn-flex", "cubecl", "tokenizers", "safetensors"] {
        let head = format!("name = \"{name}\"\nversion = \"");
        // Of several versions, which the peers of the benches may bring, the last is the newest.
        let version = lock.rsplit_once(&head).and_then(|(_, rest)| rest.split('"').next());
        versions.insert(name.into(), version.unwrap_or("unknown").into());
    }
    versions.into()
}

pub(crate) fn machine() -> Value {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    json!({
        "os": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "cpu": cpu.unwrap_or("unknown"),
        "threads": std::thread::available_parallelism().map_or(0, |threads| threads.get()),
    })
}

/// Writes `summary.csv` into a run's folder.
///
/// # Errors
/// When it cannot be written.
pub fn write_summary(folder: &Path, rows: &[Row]) -> Result<(), RunError> {
    let path = folder.join("summary.csv");
    let fail = |source| RunError::Write { path: path.clone(), source };
    let csv = to_csv(rows).map_err(|error| fail(std::io::Error::other(error)))?;
    std::fs::write(&path, csv).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        let versions = versions();
        assert_eq!(versions["burn"], "0.22.1");
        assert_eq!(versions["gramask"], "0.1.0");
        assert!(versions["safetensors"].as_str().is_some_and(|version| version.starts_with("0.8")), "{versions}");
    }
}
