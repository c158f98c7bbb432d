//! Where the figures of a run come from: digests of all inputs, versions, the machine and the date.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::{CorpusProblem, Manifest};
use crate::experiment::{Experiment, Overrides};
use crate::plan::Plan;
use crate::pull::{Model, PullError, sha256_hex};

impl Manifest {
    /// The manifest of a run that begins now.
    ///
    /// # Errors
    /// When a model's files cannot be read.
    pub fn of(plan: &Plan, source: &str, overrides: &Overrides, models: &[Model]) -> Result<Manifest, PullError> {
        let experiment = &plan.experiment;
        let (mut digests, mut adapters) = (Map::new(), Map::new());
        for model in models {
            digests.insert(model.name.clone(), Value::String(model.digest()?));
            if let Some(digest) = model.adapter_digest()? {
                adapters.insert(model.name.clone(), Value::String(digest));
            }
        }
        let formats =
            plan.formats.iter().map(|format| (format.name.clone(), Value::String(sha256_hex(&format.source))));
        let corpora = plan.corpora.iter().map(|corpus| (corpus.name.clone(), Value::String(corpus.digest.clone())));
        let mut settings = json!({
            "gramask": env!("CARGO_PKG_VERSION"),
            "experiment": choices(experiment),
            "device": plan.device.to_string(),
            "model_sha256": digests,
            "format_sha256": formats.collect::<Map<_, _>>(),
            "corpus_sha256": corpora.collect::<Map<_, _>>(),
        });
        // Runs without adapters keep the settings of earlier versions, which had no adapters.
        if !adapters.is_empty() {
            settings["adapter_sha256"] = adapters.into();
        }
        Ok(Manifest {
            name: experiment.name.clone(),
            date: now(),
            versions: versions(),
            machine: machine(),
            experiment: source.to_string(),
            overrides: serde_json::to_value(overrides).unwrap_or_default(),
            settings,
            shard: None,
            folder: experiment.folders.file.clone(),
            problems: CorpusProblem::of(&plan.corpora),
        })
    }
}

/// The experiment without name, description and device, which decide no output or are recorded apart.
fn choices(experiment: &Experiment) -> Value {
    let mut choices = serde_json::to_value(experiment).unwrap_or_default();
    if let Value::Object(choices) = &mut choices {
        choices.remove("name");
        choices.remove("about");
        choices.remove("device");
    }
    choices
}

/// The versions of this program and of the crates that compute for it, from `Cargo.lock`.
pub(crate) fn versions() -> Value {
    let lock = include_str!("../../../../Cargo.lock");
    let mut versions = Map::new();
    versions.insert("gramask".into(), env!("CARGO_PKG_VERSION").into());
    for name in ["burn", "burn-flex", "cubecl", "tokenizers", "safetensors"] {
        let head = format!("name = \"{name}\"\nversion = \"");
        // If the lock file has several versions, the last one is the newest.
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

/// The time now, in UTC, as `2026-11-22T13:00:00Z`.
pub fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    date(seconds)
}

/// Seconds since 1970 as a date. The day count becomes a civil date as in H. Hinnant, "chrono-Compatible Low-Level Date
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

/// Midnight (UTC) of the day that a [`now`] begins with, in seconds since 1970; `None` for any other text. The inverse of [`date`],
/// from the same source, section `days_from_civil`.
pub fn midnight(date: &str) -> Option<u64> {
    let mut parts = date.get(..10)?.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let year = year - u64::from(month <= 2 && year > 0);
    let (era, year_of_era) = (year / 400, year % 400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let seconds = (era * 146_097 + day_of_era).checked_sub(719_468)? * 86_400;
    (self::date(seconds).get(..10) == date.get(..10)).then_some(seconds)
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
            assert_eq!(midnight(expected), Some(seconds - seconds % 86_400));
        }
        for wrong in ["", "later", "2026-02-30T00:00:00Z", "2026-13-01", "1969-12-31", "2026-1-1T"] {
            assert_eq!(midnight(wrong), None, "{wrong}");
        }
    }
}
