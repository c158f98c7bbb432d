//! `run.json`: what is needed to repeat a run, and the check that a folder holds only one run.

use std::io;
use std::path::{Path, PathBuf};

use gramask_ner::corpus::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::experiment::{CorpusChoice, Experiment, ExperimentError, Overrides, TaskChoice};
use crate::plan::{PlannedCorpus, Shard};
use crate::store::now;
use crate::store::provenance::midnight;

/// The content of `run.json`.
///
/// `settings` decides every output, and is compared when a run is continued. The other fields tell where the figures come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The run's name.
    pub name: String,
    /// The date of its start, in UTC: `2026-11-22T13:00:00Z`.
    pub date: String,
    /// The versions of this program and of the crates that compute for it.
    pub versions: Value,
    /// The machine: operating system, architecture, processors.
    pub machine: Value,
    /// The text of the experiment file.
    pub experiment: String,
    /// What the command line changed.
    pub overrides: Value,
    /// The settings that decide the outputs: the experiment with all changes, and the digests of models, formats and corpora.
    pub settings: Value,
    /// The part of the documents that is decoded in this folder, `3/16`. None: all of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shard: Option<Shard>,
    /// The folder of the experiment file, which paths of corpora are relative to.
    #[serde(skip_serializing_if = "is_current", default)]
    pub folder: PathBuf,
    /// Faults of the corpora that reading went past.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub problems: Vec<CorpusProblem>,
}

fn is_current(folder: &Path) -> bool {
    folder.as_os_str().is_empty()
}

/// A fault of a corpus that reading went past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorpusProblem {
    /// The corpus.
    pub corpus: String,
    /// The kind, as it is counted.
    pub kind: String,
    /// File, line, document and fault in words.
    pub problem: String,
}

impl CorpusProblem {
    /// All problems of these corpora.
    pub fn of(corpora: &[PlannedCorpus]) -> Vec<CorpusProblem> {
        let problems = corpora.iter().flat_map(|corpus| corpus.problems.iter().map(|problem| (&corpus.name, problem)));
        let written = |(corpus, problem): (&String, &Problem)| CorpusProblem {
            corpus: corpus.clone(),
            kind: problem.kind.title(),
            problem: problem.to_string(),
        };
        problems.map(written).collect()
    }
}

/// Why a folder cannot hold this run, or `run.json` cannot be read or written.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages name the fields")]
pub enum ManifestError {
    /// The folder holds a run of other settings.
    #[error(
        "{} holds a run with other settings: {differences}; give another folder with --out DIR, or remove this one to start again",
        folder.display()
    )]
    Differs { folder: PathBuf, differences: String },
    /// The scores are of another run.
    #[error(
        "{} has scores of other settings, so that this run cannot continue from them: {differences}",
        path.display()
    )]
    Foreign { path: PathBuf, differences: String },
    /// There are records without a `run.json`.
    #[error("{} has records or scores but no run.json that tells their settings: give another folder with --out DIR", folder.display())]
    Orphan { folder: PathBuf },
    /// `run.json` has another structure.
    #[error("{}: {source}; this file was not written by gramask: give another folder with --out DIR", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    /// The date is changed.
    #[error("run.json has the date {date:?}: expected one such as \"2026-11-22T13:00:00Z\"")]
    Date { date: String },
    /// The file system reports an error.
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

/// Midnight (UTC) of the day of a date, in seconds since 1970.
///
/// # Errors
/// A text that is no date.
pub fn day_of(date: &str) -> Result<u64, ManifestError> {
    midnight(date).ok_or_else(|| ManifestError::Date { date: date.to_owned() })
}

impl Manifest {
    /// Makes the folder the folder of this run. Writes `run.json`, if there is none. Otherwise checks that the settings are the
    /// same, and changes nothing.
    ///
    /// # Errors
    /// When the folder holds another run.
    pub fn claim(&self, folder: &Path) -> Result<(), ManifestError> {
        let path = folder.join("run.json");
        let fail = |action, path: &Path, source| ManifestError::Io { action, path: path.to_path_buf(), source };
        std::fs::create_dir_all(folder).map_err(|source| fail("create", folder, source))?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if ["records.jsonl", "scores.csv"].iter().any(|name| folder.join(name).exists()) {
                    return Err(ManifestError::Orphan { folder: folder.to_path_buf() });
                }
                let json = serde_json::to_string_pretty(self)
                    .map_err(|source| ManifestError::Json { path: path.clone(), source })?;
                // Written to another file and renamed, so that a stop cannot leave half of it.
                let beside = folder.join("run.json.part");
                std::fs::write(&beside, json + "\n").map_err(|source| fail("write", &beside, source))?;
                return std::fs::rename(&beside, &path).map_err(|source| fail("write", &path, source));
            }
            Err(source) => return Err(fail("read", &path, source)),
        };
        let there: Manifest = serde_json::from_str(&text).map_err(|source| ManifestError::Json { path, source })?;
        let mut differences = Vec::new();
        compare("settings", &there.settings, &self.settings, &mut differences);
        if there.shard != self.shard {
            let named = |shard: Option<Shard>| shard.map_or("not given".to_string(), |shard| shard.to_string());
            differences.push(format!("shard is {} there and {} here", named(there.shard), named(self.shard)));
        }
        match differences.is_empty() {
            true => Ok(()),
            false => Err(ManifestError::Differs { folder: folder.to_path_buf(), differences: list(differences) }),
        }
    }

    /// The date of the run in a folder, or now where the folder has none. A run that is continued keeps the date of its start.
    pub fn date_of(folder: &Path) -> String {
        Manifest::read(folder).map_or_else(|_| now(), |there| there.date)
    }

    /// The run with prompts that tell the date. The day decides outputs, so that it is among the settings.
    pub fn with_day_in_prompts(mut self) -> Manifest {
        self.settings["prompt_date"] = self.date.get(..10).unwrap_or(&self.date).into();
        self
    }

    /// Midnight (UTC) of the day of the run, which its prompts tell, in seconds since 1970.
    ///
    /// # Errors
    /// A `date` that is none.
    pub fn day(&self) -> Result<u64, ManifestError> {
        day_of(&self.date)
    }

    /// Reads the `run.json` of a folder.
    ///
    /// # Errors
    /// When there is no such file, or it has another structure.
    pub fn read(folder: &Path) -> Result<Manifest, ManifestError> {
        let path = folder.join("run.json");
        let text = std::fs::read_to_string(&path).map_err(|source| ManifestError::Io {
            action: "read",
            path: path.clone(),
            source,
        })?;
        serde_json::from_str(&text).map_err(|source| ManifestError::Json { path, source })
    }

    /// The experiment, with the changes by the command line.
    ///
    /// # Errors
    /// When this version cannot read the experiment file.
    pub fn experiment(&self) -> Result<Experiment, ExperimentError> {
        let overrides: Overrides = serde_json::from_value(self.overrides.clone()).unwrap_or_default();
        // Without a name of its own, the experiment was called after its file.
        let file = self.folder.join(format!("{}.toml", self.name));
        Ok(Experiment::parse(&file, &self.experiment)?.with(&overrides))
    }

    /// How a corpus of the run was read, to read it again.
    pub fn corpus(&self, name: &str) -> Option<CorpusChoice> {
        let choices = self.settings["experiment"]["corpora"].clone();
        let choices: Vec<CorpusChoice> = serde_json::from_value(choices).unwrap_or_default();
        // A path on the command line was relative to the folder of the command.
        let folder = if self.overrides["corpus"].is_null() { self.folder.clone() } else { PathBuf::new() };
        let choice = choices.into_iter().find(|choice| choice.name == name)?;
        Some(CorpusChoice { folder, ..choice })
    }

    /// Which tasks of the run have this name, to read them again.
    pub fn tasks(&self, name: &str) -> Option<TaskChoice> {
        let choices: Vec<TaskChoice> = serde_json::from_value(self.settings["experiment"]["tasks"].clone()).ok()?;
        let choice = choices.into_iter().find(|choice| choice.name == name)?;
        Some(TaskChoice { folder: self.folder.clone(), ..choice })
    }

    /// Checks that another run has the same settings. The shards may differ.
    ///
    /// # Errors
    /// [`ManifestError::Differs`] with what differs; `folder` is the other's.
    pub fn same_settings(&self, other: &Manifest, folder: &Path) -> Result<(), ManifestError> {
        let mut differences = Vec::new();
        compare("settings", &other.settings, &self.settings, &mut differences);
        match differences.is_empty() {
            true => Ok(()),
            false => Err(ManifestError::Differs { folder: folder.to_path_buf(), differences: list(differences) }),
        }
    }

    /// Checks that this run can continue from the scores of another run, whose `run.json` is in `folder`. All settings that decide
    /// an output must be the same. Models, corpora, formats, levels, strategies and seeds may differ.
    ///
    /// # Errors
    /// [`ManifestError::Foreign`], with what differs; when there is no `run.json`.
    pub fn goes_on_from(&self, folder: &Path) -> Result<(), ManifestError> {
        let there = Manifest::read(folder)?;
        let mut differences = Vec::new();
        compare(
            "settings",
            &shared(&there.settings, &self.settings),
            &shared(&self.settings, &there.settings),
            &mut differences,
        );
        match differences.is_empty() {
            true => Ok(()),
            false => Err(ManifestError::Foreign { path: folder.join("run.json"), differences: list(differences) }),
        }
    }
}

/// The part of the settings that must be equal in the other run, so that cells of both have the same outputs.
fn shared(settings: &Value, other: &Value) -> Value {
    let mut shared = settings.clone();
    // These are named by the cells. A cell that only one of the runs has does not change the others.
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

/// The first differences, and the number of the others.
fn list(mut differences: Vec<String>) -> String {
    let more = differences.len().saturating_sub(4);
    differences.truncate(4);
    let mut list = differences.join("; ");
    if more > 0 {
        list += &format!("; and {more} more");
    }
    list
}

/// Lists every place where two values differ.
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run_file(settings: Value) -> Manifest {
        Manifest {
            name: "x".into(),
            date: now(),
            versions: json!({}),
            machine: json!({}),
            experiment: "name = \"x\"".into(),
            overrides: json!({}),
            settings,
            shard: None,
            folder: PathBuf::new(),
            problems: Vec::new(),
        }
    }

    #[test]
    fn one_folder_holds_one_run() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("runs/x");
        let first = run_file(json!({"budget": 96, "corpora": [{"name": "mini", "limit": 5}], "device": "flex"}));
        first.claim(&at).unwrap();
        let text = std::fs::read_to_string(at.join("run.json")).unwrap();
        let later = Manifest { date: "later".into(), ..first.clone() };
        later.claim(&at).unwrap();
        assert_eq!(std::fs::read_to_string(at.join("run.json")).unwrap(), text, "going on changes nothing");

        let other = run_file(json!({"budget": 128, "corpora": [{"name": "mini"}], "device": "flex"}));
        let error = other.claim(&at).unwrap_err().to_string();
        assert!(error.contains("settings.budget is 96 there and 128 here"), "{error}");
        assert!(error.contains("settings.corpora[0].limit is 5 there and not given here"), "{error}");
        assert!(!error.contains("device") && error.contains("--out"), "{error}");

        std::fs::write(at.join("records.jsonl"), "").unwrap();
        std::fs::remove_file(at.join("run.json")).unwrap();
        assert!(matches!(first.claim(&at), Err(ManifestError::Orphan { .. })));
    }

    #[test]
    fn a_run_that_is_continued_keeps_its_day() {
        let folder = tempfile::tempdir().unwrap();
        let first = Manifest { date: "2024-02-29T23:59:59Z".into(), ..run_file(json!({"budget": 96})) };
        let first = first.with_day_in_prompts();
        assert_eq!((&first.settings["prompt_date"], first.day().unwrap()), (&json!("2024-02-29"), 1_709_164_800));
        first.claim(folder.path()).unwrap();
        assert_eq!(Manifest::date_of(folder.path()), first.date);
        // A run of another day has other prompts.
        let error = run_file(json!({"budget": 96})).with_day_in_prompts().claim(folder.path()).unwrap_err().to_string();
        assert!(error.contains("settings.prompt_date is \"2024-02-29\" there"), "{error}");
        let wrong = Manifest { date: "later".into(), ..first }.day().unwrap_err().to_string();
        assert!(wrong.contains("\"later\"") && wrong.contains("2026-11-22T13:00:00Z"), "{wrong}");
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

        let part = Manifest { shard: Some("2/3".parse().unwrap()), ..first };
        let error = part.claim(folder.path()).unwrap_err().to_string();
        assert!(error.contains("shard is not given there and 2/3 here"), "{error}");
    }
}
