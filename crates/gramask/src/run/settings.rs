//! `run.json`: everything needed to repeat a run, and the check that one folder holds one run.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::shard::Shard;
use crate::experiment::{Experiment, ExperimentError, Overrides};

/// What `run.json` holds.
///
/// `settings` decides every output and is compared when a run goes on; the rest tells where the figures came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFile {
    /// The run's name.
    pub name: String,
    /// When it was begun, in UTC: `2026-11-22T13:00:00Z`.
    pub date: String,
    /// The versions of this program and of what it is built on.
    pub versions: Value,
    /// The machine: operating system, architecture, processors.
    pub machine: Value,
    /// The experiment file, word for word.
    pub experiment: String,
    /// What the command line changed.
    pub overrides: Value,
    /// The settings that decide the outputs: the experiment with the changes, the digests of models, formats and corpora.
    pub settings: Value,
    /// Which part of the documents is decoded in this folder, `3/16`; all of them where there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shard: Option<Shard>,
}

/// The folder belongs to another run, or `run.json` cannot be read or written.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The folder holds a run of other settings.
    #[error(
        "{} holds a run with other settings: {differences}; give another folder with --out DIR, or remove this one to start afresh",
        folder.display()
    )]
    Differs {
        /// The run's folder.
        folder: PathBuf,
        /// What differs: `settings.budget is 96 there and 128 here`.
        differences: String,
    },
    /// Scores of another run.
    #[error(
        "{} has scores of other settings, so that a run cannot go on from them: {differences}",
        path.display()
    )]
    Foreign {
        /// Its `run.json`.
        path: PathBuf,
        /// What differs.
        differences: String,
    },
    /// Records without a `run.json`.
    #[error("{} has records or scores but no run.json, so that nothing says what they are: give another folder with --out DIR", folder.display())]
    Orphan {
        /// The run's folder.
        folder: PathBuf,
    },
    /// `run.json` is no such file.
    #[error("{}: {source}; this is no run.json of this program: give another folder with --out DIR", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl RunFile {
    /// Makes the folder this run's: writes `run.json` into a new one; in one that has it, checks that the settings are the
    /// same and leaves it as it is.
    ///
    /// # Errors
    /// When the folder holds another run.
    pub fn claim(&self, folder: &Path) -> Result<(), SettingsError> {
        let path = folder.join("run.json");
        let fail = |action, path: &Path, source| SettingsError::Io { action, path: path.to_path_buf(), source };
        std::fs::create_dir_all(folder).map_err(|source| fail("create", folder, source))?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if ["records.jsonl", "scores.csv"].iter().any(|name| folder.join(name).exists()) {
                    return Err(SettingsError::Orphan { folder: folder.to_path_buf() });
                }
                let json = serde_json::to_string_pretty(self)
                    .map_err(|source| SettingsError::Json { path: path.clone(), source })?;
                // Written beside and moved: a stop leaves no half of it.
                let beside = folder.join("run.json.part");
                std::fs::write(&beside, json + "\n").map_err(|source| fail("write", &beside, source))?;
                return std::fs::rename(&beside, &path).map_err(|source| fail("write", &path, source));
            }
            Err(source) => return Err(fail("read", &path, source)),
        };
        let there: RunFile = serde_json::from_str(&text).map_err(|source| SettingsError::Json { path, source })?;
        let mut differences = Vec::new();
        compare("settings", &there.settings, &self.settings, &mut differences);
        if there.shard != self.shard {
            let named = |shard: Option<Shard>| shard.map_or("not given".to_string(), |shard| shard.to_string());
            differences.push(format!("shard is {} there and {} here", named(there.shard), named(self.shard)));
        }
        match differences.is_empty() {
            true => Ok(()),
            false => Err(SettingsError::Differs { folder: folder.to_path_buf(), differences: list(differences) }),
        }
    }

    /// Reads the `run.json` of a folder.
    ///
    /// # Errors
    /// When there is none, or it is no such file.
    pub fn read(folder: &Path) -> Result<RunFile, SettingsError> {
        let path = folder.join("run.json");
        let text = std::fs::read_to_string(&path).map_err(|source| SettingsError::Io {
            action: "read",
            path: path.clone(),
            source,
        })?;
        serde_json::from_str(&text).map_err(|source| SettingsError::Json { path, source })
    }

    /// The experiment, with what the command line changed.
    ///
    /// # Errors
    /// When the experiment file, as it was, is none of this version.
    pub fn experiment(&self) -> Result<Experiment, ExperimentError> {
        let overrides: Overrides = serde_json::from_value(self.overrides.clone()).unwrap_or_default();
        // Without a name of its own, the experiment was called after its file.
        let file = format!("{}.toml", self.name);
        Ok(Experiment::parse(file.as_ref(), &self.experiment)?.with(&overrides))
    }

    /// Whether another run has the same settings, whatever part of the documents each has.
    ///
    /// # Errors
    /// [`SettingsError::Differs`] with what differs; `folder` is the other's.
    pub fn same_settings(&self, other: &RunFile, folder: &Path) -> Result<(), SettingsError> {
        let mut differences = Vec::new();
        compare("settings", &other.settings, &self.settings, &mut differences);
        match differences.is_empty() {
            true => Ok(()),
            false => Err(SettingsError::Differs { folder: folder.to_path_buf(), differences: list(differences) }),
        }
    }

    /// Whether this run can go on from the scores of another, whose `run.json` lies in `folder`: all settings that decide an
    /// output must be the same where both have them. Either may have further models, corpora, formats, levels, strategies
    /// and seeds.
    ///
    /// # Errors
    /// [`SettingsError::Foreign`], with what differs; when there is no `run.json`.
    pub fn goes_on_from(&self, folder: &Path) -> Result<(), SettingsError> {
        let there = RunFile::read(folder)?;
        let mut differences = Vec::new();
        compare(
            "settings",
            &shared(&there.settings, &self.settings),
            &shared(&self.settings, &there.settings),
            &mut differences,
        );
        match differences.is_empty() {
            true => Ok(()),
            false => Err(SettingsError::Foreign { path: folder.join("run.json"), differences: list(differences) }),
        }
    }
}

/// What of the first settings can differ from the second's only by deciding other outputs.
fn shared(settings: &Value, other: &Value) -> Value {
    let mut shared = settings.clone();
    // What is named by its cells: a cell that only one of them has decides nothing in the others.
    for place in ["models", "formats", "levels", "seeds", "corpora"] {
        if let Some(Value::Object(experiment)) = shared.get_mut("experiment") {
            experiment.remove(place);
        }
    }
    let common = |value: Option<&mut Value>, other: Option<&Value>| {
        if let (Some(Value::Object(mine)), Some(Value::Object(other))) = (value, other) {
            mine.retain(|key, _| other.contains_key(key));
        }
    };
    for place in ["model_sha256", "format_sha256", "corpus_sha256"] {
        common(shared.get_mut(place), other.get(place));
    }
    common(shared.pointer_mut("/experiment/strategies"), other.pointer("/experiment/strategies"));
    shared
}

/// The first of the differences, and how many more there are.
fn list(mut differences: Vec<String>) -> String {
    let more = differences.len().saturating_sub(4);
    differences.truncate(4);
    let mut list = differences.join("; ");
    if more > 0 {
        list += &format!("; and {more} more");
    }
    list
}

/// Names every place where two values differ.
fn compare(place: &str, there: &Value, here: &Value, differences: &mut Vec<String>) {
    match (there, here) {
        (Value::Object(a), Value::Object(b)) => {
            let only_here = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(only_here) {
                let absent = &Value::Null;
                let (a, b) = (a.get(key).unwrap_or(absent), b.get(key).unwrap_or(absent));
                compare(&format!("{place}.{key}"), a, b, differences);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{place}[{i}]"), a, b, differences);
            }
        }
        (a, b) if a != b => differences.push(format!("{place} is {} there and {} here", short(a), short(b))),
        _ => {}
    }
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => return "not given".into(),
        value => value.to_string(),
    };
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// The time now, in UTC, as `2026-11-22T13:00:00Z`.
pub fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    date(seconds)
}

/// Seconds since 1970 as a date; the civil calendar from a day count as in H. Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms" (2013), section `civil_from_days`.
fn date(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run_file(settings: Value) -> RunFile {
        RunFile {
            name: "x".into(),
            date: now(),
            versions: json!({}),
            machine: json!({}),
            experiment: "name = \"x\"".into(),
            overrides: json!({}),
            settings,
            shard: None,
        }
    }

    #[test]
    fn one_folder_holds_one_run() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("runs/x");
        let first = run_file(json!({"budget": 96, "corpora": [{"name": "mini", "limit": 5}], "device": "flex"}));
        first.claim(&at).unwrap();
        let text = std::fs::read_to_string(at.join("run.json")).unwrap();
        let later = RunFile { date: "later".into(), ..first.clone() };
        later.claim(&at).unwrap();
        assert_eq!(std::fs::read_to_string(at.join("run.json")).unwrap(), text, "going on changes nothing");

        let other = run_file(json!({"budget": 128, "corpora": [{"name": "mini"}], "device": "flex"}));
        let error = other.claim(&at).unwrap_err().to_string();
        assert!(error.contains("settings.budget is 96 there and 128 here"), "{error}");
        assert!(error.contains("settings.corpora[0].limit is 5 there and not given here"), "{error}");
        assert!(!error.contains("device") && error.contains("--out"), "{error}");

        std::fs::write(at.join("records.jsonl"), "").unwrap();
        std::fs::remove_file(at.join("run.json")).unwrap();
        assert!(matches!(first.claim(&at), Err(SettingsError::Orphan { .. })));
    }

    #[test]
    fn a_run_goes_on_from_one_with_other_cells_and_the_same_outputs() {
        let settings = |formats: Value, digests: Value, budget: usize| {
            run_file(json!({
                "experiment": {"formats": formats, "budget": budget, "strategies": {"masked": {}}, "seeds": [1]},
                "format_sha256": digests,
                "device": "flex",
            }))
        };
        let folder = tempfile::tempdir().unwrap();
        let first = settings(json!(["a"]), json!({"a": "1"}), 9);
        first.claim(folder.path()).unwrap();
        settings(json!(["a", "b"]), json!({"a": "1", "b": "2"}), 9).goes_on_from(folder.path()).unwrap();
        settings(json!(["b"]), json!({"b": "2"}), 9).goes_on_from(folder.path()).unwrap();
        let error =
            settings(json!(["a"]), json!({"a": "other"}), 8).goes_on_from(folder.path()).unwrap_err().to_string();
        assert!(error.contains("format_sha256.a") && error.contains("budget is 9 there and 8 here"), "{error}");

        let part = RunFile { shard: Some("2/3".parse().unwrap()), ..first };
        let error = part.claim(folder.path()).unwrap_err().to_string();
        assert!(error.contains("shard is not given there and 2/3 here"), "{error}");
    }

    #[test]
    fn dates_are_those_of_the_civil_calendar() {
        // `date -u -d @N`.
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_795_351_203, "2026-11-22T12:40:03Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }
}
