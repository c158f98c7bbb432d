//! The strategies of an experiment file, with their parameters.
//!
//! `docs/strategies.md` says what each does and costs. Here are their names, their parameters with defaults and ranges, and
//! the levels that they go with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use super::LevelName;

/// The strategies of an experiment; one that is not named is not run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Strategies {
    /// Plain decoding, strict reading of the output. Takes no parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unconstrained: Option<NoParameters>,
    /// Plain decoding, and the best that can be made of the output afterwards. Takes no parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair: Option<NoParameters>,
    /// Plain decoding again and again until the output reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryParameters>,
    /// Mask at each step. Takes no parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masked: Option<NoParameters>,
    /// Check the one token, mask only where it is refused. Takes no parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lazy: Option<NoParameters>,
    /// Mask, and append forced text without asking the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jump: Option<JumpParameters>,
    /// Mask, and let the model confirm several proposed tokens at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft: Option<DraftParameters>,
    /// Beam search, masked or, at level `none`, not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beam: Option<BeamParameters>,
    /// Sampling again and again, each time with what was learnt of the mass that the masks remove.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aligned_asap: Option<AsapParameters>,
    /// Sequential Monte Carlo with the mass that the masks remove as weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aligned_smc: Option<SmcParameters>,
    /// Free text until a trigger, then a masked answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_then_masked: Option<FreeParameters>,
}

/// The parameters of a strategy that takes none: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// The parameters of `retry`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryParameters {
    /// At most so many outputs, 1 to 64.
    #[serde(deserialize_with = "tries")]
    pub n: usize,
    /// The temperature of the second output and the later ones, above 0 and at most 10; the first has the experiment's.
    #[serde(deserialize_with = "warmth")]
    pub temperature: f64,
}

/// The parameters of `jump`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JumpParameters {
    /// Whether forced tokens are scored, too: that takes time, and tells the importance weight.
    pub scored: bool,
}

/// The parameters of `draft`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftParameters {
    /// At most so many tokens are proposed at once, 1 to 128.
    #[serde(deserialize_with = "most")]
    pub most: usize,
}

/// The parameters of `beam`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BeamParameters {
    /// So many versions of the output are kept, 1 to 64.
    #[serde(deserialize_with = "width")]
    pub k: usize,
    /// Scores are divided by the length to this power, 0 to 10; 0 compares plain log-probabilities.
    #[serde(deserialize_with = "alpha")]
    pub alpha: f64,
}

/// The parameters of `aligned-asap`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AsapParameters {
    /// So many outputs are sampled, the last of which counts, 1 to 4096.
    #[serde(deserialize_with = "iterations")]
    pub iterations: usize,
    /// The temperature of the samples, above 0 and at most 10.
    #[serde(deserialize_with = "warmth")]
    pub temperature: f64,
}

/// The parameters of `aligned-smc`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmcParameters {
    /// So many outputs are followed at once, 1 to 256.
    #[serde(deserialize_with = "particles")]
    pub particles: usize,
    /// The temperature of the samples, above 0 and at most 10.
    #[serde(deserialize_with = "warmth")]
    pub temperature: f64,
    /// They are drawn anew where the effective number of particles falls below this share, 0 (never) to 1.
    #[serde(deserialize_with = "resample")]
    pub resample: f64,
}

/// The parameters of `free-then-masked`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FreeParameters {
    /// The text behind which the answer begins; not empty.
    #[serde(deserialize_with = "trigger")]
    pub trigger: String,
    /// At most so many tokens before the trigger, 1 to 4096; then the trigger is written for the model.
    #[serde(deserialize_with = "free")]
    pub free: usize,
}

impl Default for RetryParameters {
    fn default() -> Self {
        RetryParameters { n: 4, temperature: 0.7 }
    }
}

impl Default for DraftParameters {
    fn default() -> Self {
        DraftParameters { most: 16 }
    }
}

impl Default for BeamParameters {
    fn default() -> Self {
        BeamParameters { k: 4, alpha: 1.0 }
    }
}

impl Default for AsapParameters {
    fn default() -> Self {
        AsapParameters {
            iterations: 8,
            temperature: 1.0,
        }
    }
}

impl Default for SmcParameters {
    fn default() -> Self {
        SmcParameters {
            particles: 8,
            temperature: 1.0,
            resample: 0.5,
        }
    }
}

impl Default for FreeParameters {
    fn default() -> Self {
        FreeParameters {
            trigger: "Answer:".into(),
            free: 64,
        }
    }
}

/// A strategy's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrategyName {
    /// Plain decoding, strict reading of the output.
    Unconstrained,
    /// Plain decoding, and the output repaired.
    Repair,
    /// Plain decoding until the output reads.
    Retry,
    /// Mask at each step.
    Masked,
    /// Mask only where a token is refused.
    Lazy,
    /// Masked, with forced text appended.
    Jump,
    /// Masked, with drafts that the model confirms.
    Draft,
    /// Beam search.
    Beam,
    /// Grammar-aligned by ASAp.
    AlignedAsap,
    /// Grammar-aligned by sequential Monte Carlo.
    AlignedSmc,
    /// Free text, then a masked answer.
    FreeThenMasked,
}

/// One strategy with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum StrategyChoice {
    /// `unconstrained`.
    Unconstrained,
    /// `repair`.
    Repair,
    /// `retry`.
    Retry(RetryParameters),
    /// `masked`.
    Masked,
    /// `lazy`.
    Lazy,
    /// `jump`.
    Jump(JumpParameters),
    /// `draft`.
    Draft(DraftParameters),
    /// `beam`.
    Beam(BeamParameters),
    /// `aligned-asap`.
    AlignedAsap(AsapParameters),
    /// `aligned-smc`.
    AlignedSmc(SmcParameters),
    /// `free-then-masked`.
    FreeThenMasked(FreeParameters),
}

impl Strategies {
    /// The strategies that are named, in the order of [`StrategyName::ALL`].
    pub fn chosen(&self) -> Vec<StrategyChoice> {
        StrategyName::ALL
            .into_iter()
            .filter_map(|name| self.get(name))
            .collect()
    }

    /// A strategy and its parameters, where it is named.
    pub fn get(&self, name: StrategyName) -> Option<StrategyChoice> {
        Some(match name {
            StrategyName::Unconstrained => self.unconstrained.map(|_| StrategyChoice::Unconstrained)?,
            StrategyName::Repair => self.repair.map(|_| StrategyChoice::Repair)?,
            StrategyName::Retry => StrategyChoice::Retry(self.retry?),
            StrategyName::Masked => self.masked.map(|_| StrategyChoice::Masked)?,
            StrategyName::Lazy => self.lazy.map(|_| StrategyChoice::Lazy)?,
            StrategyName::Jump => StrategyChoice::Jump(self.jump?),
            StrategyName::Draft => StrategyChoice::Draft(self.draft?),
            StrategyName::Beam => StrategyChoice::Beam(self.beam?),
            StrategyName::AlignedAsap => StrategyChoice::AlignedAsap(self.aligned_asap?),
            StrategyName::AlignedSmc => StrategyChoice::AlignedSmc(self.aligned_smc?),
            StrategyName::FreeThenMasked => StrategyChoice::FreeThenMasked(self.free_then_masked.clone()?),
        })
    }

    /// The strategies that go with a level.
    pub fn of(&self, level: LevelName) -> Vec<StrategyName> {
        let fitting = StrategyName::of(level).filter(|&name| self.get(name).is_some());
        fitting.collect()
    }

    /// Only those of these names; one that was not named gets its default parameters.
    pub fn only(&self, names: &[StrategyName]) -> Strategies {
        let mut only = Strategies::default();
        for &name in names {
            match name {
                StrategyName::Unconstrained => only.unconstrained = Some(self.unconstrained.unwrap_or_default()),
                StrategyName::Repair => only.repair = Some(self.repair.unwrap_or_default()),
                StrategyName::Retry => only.retry = Some(self.retry.unwrap_or_default()),
                StrategyName::Masked => only.masked = Some(self.masked.unwrap_or_default()),
                StrategyName::Lazy => only.lazy = Some(self.lazy.unwrap_or_default()),
                StrategyName::Jump => only.jump = Some(self.jump.unwrap_or_default()),
                StrategyName::Draft => only.draft = Some(self.draft.unwrap_or_default()),
                StrategyName::Beam => only.beam = Some(self.beam.unwrap_or_default()),
                StrategyName::AlignedAsap => only.aligned_asap = Some(self.aligned_asap.unwrap_or_default()),
                StrategyName::AlignedSmc => only.aligned_smc = Some(self.aligned_smc.unwrap_or_default()),
                StrategyName::FreeThenMasked => {
                    only.free_then_masked = Some(self.free_then_masked.clone().unwrap_or_default());
                }
            }
        }
        only
    }
}

impl StrategyName {
    /// All of them, in the order in which they are carried out and shown.
    pub const ALL: [StrategyName; 11] = [
        StrategyName::Unconstrained,
        StrategyName::Repair,
        StrategyName::Retry,
        StrategyName::Masked,
        StrategyName::Lazy,
        StrategyName::Jump,
        StrategyName::Draft,
        StrategyName::Beam,
        StrategyName::AlignedAsap,
        StrategyName::AlignedSmc,
        StrategyName::FreeThenMasked,
    ];

    /// As written in files and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            StrategyName::Unconstrained => "unconstrained",
            StrategyName::Repair => "repair",
            StrategyName::Retry => "retry",
            StrategyName::Masked => "masked",
            StrategyName::Lazy => "lazy",
            StrategyName::Jump => "jump",
            StrategyName::Draft => "draft",
            StrategyName::Beam => "beam",
            StrategyName::AlignedAsap => "aligned-asap",
            StrategyName::AlignedSmc => "aligned-smc",
            StrategyName::FreeThenMasked => "free-then-masked",
        }
    }

    /// Whether it goes with a level: with `none` what needs no constraint, with the others what does. `beam` goes with all.
    pub fn goes_with(self, level: LevelName) -> bool {
        match self {
            StrategyName::Unconstrained | StrategyName::Repair | StrategyName::Retry => level == LevelName::None,
            StrategyName::Beam => true,
            _ => level != LevelName::None,
        }
    }

    /// The strategies that go with a level.
    pub fn of(level: LevelName) -> impl Iterator<Item = StrategyName> {
        StrategyName::ALL.into_iter().filter(move |name| name.goes_with(level))
    }

    /// Names with commas and, before the last, `or` between.
    pub(crate) fn list(names: impl IntoIterator<Item = StrategyName>) -> String {
        let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
        match names.split_last() {
            Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
            _ => names.concat(),
        }
    }
}

impl StrategyChoice {
    /// The strategy's name.
    pub fn name(&self) -> StrategyName {
        match self {
            StrategyChoice::Unconstrained => StrategyName::Unconstrained,
            StrategyChoice::Repair => StrategyName::Repair,
            StrategyChoice::Retry(_) => StrategyName::Retry,
            StrategyChoice::Masked => StrategyName::Masked,
            StrategyChoice::Lazy => StrategyName::Lazy,
            StrategyChoice::Jump(_) => StrategyName::Jump,
            StrategyChoice::Draft(_) => StrategyName::Draft,
            StrategyChoice::Beam(_) => StrategyName::Beam,
            StrategyChoice::AlignedAsap(_) => StrategyName::AlignedAsap,
            StrategyChoice::AlignedSmc(_) => StrategyName::AlignedSmc,
            StrategyChoice::FreeThenMasked(_) => StrategyName::FreeThenMasked,
        }
    }

    /// How many versions of an output it follows at once: so many slots of the cache a document takes.
    pub fn lanes(&self) -> usize {
        match self {
            StrategyChoice::Beam(beam) => beam.k,
            StrategyChoice::AlignedSmc(smc) => smc.particles,
            _ => 1,
        }
    }
}

/// A name that no strategy has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown strategy `{name}`: give {}", StrategyName::list(StrategyName::ALL))]
pub struct UnknownStrategy {
    /// The name.
    pub name: String,
}

impl FromStr for StrategyName {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        let same = |known: &StrategyName| known.as_str() == name;
        let unknown = || UnknownStrategy { name: name.into() };
        StrategyName::ALL.into_iter().find(same).ok_or_else(unknown)
    }
}

impl fmt::Display for StrategyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A whole number within its range. The error's place in the file is the value's.
fn count<'de, D: Deserializer<'de>>(from: D, name: &str, most: usize, what: &str) -> Result<usize, D::Error> {
    // Signed, so that a negative number is answered in the same words.
    let value = i64::deserialize(from)?;
    match usize::try_from(value) {
        Ok(value) if (1..=most).contains(&value) => Ok(value),
        _ => Err(serde::de::Error::custom(format!(
            "`{name}` is {value}, but must be 1 to {most}: {what}"
        ))),
    }
}

/// A number between `least` and `most`; `least` itself only where `with_least`.
fn number<'de, D: Deserializer<'de>>(
    from: D,
    name: &str,
    (least, with_least, most): (f64, bool, f64),
    what: &str,
) -> Result<f64, D::Error> {
    let value = f64::deserialize(from)?;
    let enough = if with_least { value >= least } else { value > least };
    if enough && value <= most {
        return Ok(value);
    }
    let from = if with_least { "at least" } else { "above" };
    Err(serde::de::Error::custom(format!(
        "`{name}` is {value}, but must be {from} {least} and at most {most}: {what}"
    )))
}

fn tries<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    count(from, "n", 64, "so many outputs are tried at most")
}

fn most<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    count(from, "most", 128, "so many tokens are proposed at once at most")
}

fn width<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    count(from, "k", 64, "so many versions of the output are kept")
}

fn iterations<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    count(
        from,
        "iterations",
        4096,
        "so many outputs are sampled for each document",
    )
}

fn particles<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    count(from, "particles", 256, "so many outputs are followed at once")
}

fn free<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    count(from, "free", 4096, "so many tokens may come before the trigger")
}

fn warmth<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let what = "1 samples from the model's own distribution, and 0 would give the same output each time";
    number(from, "temperature", (0.0, false, 10.0), what)
}

fn alpha<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let what = "the power of the length that scores are divided by; 0 leaves them as they are";
    number(from, "alpha", (0.0, true, 10.0), what)
}

fn resample<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let what = "the share of effective particles below which they are drawn anew";
    number(from, "resample", (0.0, true, 1.0), what)
}

fn trigger<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    match text.is_empty() {
        false => Ok(text),
        true => Err(serde::de::Error::custom(
            "`trigger` is empty, but must be the text behind which the answer begins, such as \"Answer:\"",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_files_records_and_tables() {
        for name in StrategyName::ALL {
            assert_eq!(serde_json::to_string(&name).unwrap(), format!("\"{name}\""));
            assert_eq!(name.as_str().parse(), Ok(name));
            let one: Strategies = toml::from_str(&format!("{name} = {{}}")).unwrap();
            let chosen = one.chosen();
            assert_eq!(chosen.len(), 1);
            assert_eq!(chosen[0].name(), name);
            assert_eq!(
                one,
                Strategies::default().only(&[name]),
                "the defaults are those of an empty table"
            );
            assert_eq!(
                toml::from_str::<Strategies>(&toml::to_string(&one).unwrap()).unwrap(),
                one
            );
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = "greedy".parse::<StrategyName>().unwrap_err().to_string();
        assert!(
            error.contains("`greedy`") && error.contains("`lazy`") && error.ends_with("or `free-then-masked`"),
            "{error}"
        );
    }

    #[test]
    fn each_goes_with_its_levels() {
        let all = Strategies::default().only(&StrategyName::ALL);
        let names = |level| all.of(level).iter().map(|name| name.as_str()).collect::<Vec<_>>();
        assert_eq!(names(LevelName::None), ["unconstrained", "repair", "retry", "beam"]);
        let masked = [
            "masked",
            "lazy",
            "jump",
            "draft",
            "beam",
            "aligned-asap",
            "aligned-smc",
            "free-then-masked",
        ];
        assert_eq!(names(LevelName::Syntax), masked);
        assert_eq!(names(LevelName::Grounded), masked);
    }

    #[test]
    fn a_choice_keeps_its_parameters() {
        let given: Strategies = toml::from_str("beam = { k = 3 }\nretry = { temperature = 1 }").unwrap();
        let retry = RetryParameters { n: 4, temperature: 1.0 };
        assert_eq!(
            given.chosen(),
            [
                StrategyChoice::Retry(retry),
                StrategyChoice::Beam(BeamParameters { k: 3, alpha: 1.0 })
            ]
        );
        assert_eq!(given.chosen()[1].lanes(), 3);
        let only = given.only(&[StrategyName::Beam, StrategyName::Masked]);
        assert_eq!(only.chosen().len(), 2);
        assert_eq!(only.beam.unwrap().k, 3);
    }
}
