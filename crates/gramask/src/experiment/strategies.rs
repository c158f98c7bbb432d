//! The strategies of an experiment file, with their parameters.
//!
//! `docs/strategies.md` says what each does and costs. Here are their names, their parameters with defaults and ranges, and
//! the levels that they go with.

use std::fmt;
use std::str::FromStr;

use gramask_decode::Sampling;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::parameters::{
    AsapParameters, BeamParameters, DraftParameters, FreeParameters, JumpParameters, NoParameters, RetryParameters,
    SmcParameters,
};
use super::{ExperimentError, LevelName, Place};

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
        StrategyName::ALL.into_iter().filter_map(|name| self.get(name)).collect()
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

    /// Whether another seed can give another output. Beams take the likeliest, and `retry` and the aligned strategies draw at a
    /// temperature of their own.
    pub fn draws(self, sampling: &Sampling) -> bool {
        match self {
            StrategyName::Beam => false,
            StrategyName::Retry | StrategyName::AlignedAsap | StrategyName::AlignedSmc => true,
            _ => !sampling.is_greedy(),
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

impl StrategyChoice {
    /// Reads one strategy as the command line has it: its name, or the name and its parameters as a line under
    /// `[strategies]` would have them.
    ///
    /// # Errors
    /// When it is no strategy, with its place in `text`; when it is not one alone.
    ///
    /// ```
    /// use gramask::experiment::{BeamParameters, StrategyChoice};
    /// assert_eq!(StrategyChoice::parse("lazy")?, StrategyChoice::Lazy);
    /// let beam = BeamParameters { k: 8, ..BeamParameters::default() };
    /// assert_eq!(StrategyChoice::parse("beam = { k = 8 }")?, StrategyChoice::Beam(beam));
    /// assert!(StrategyChoice::parse("beam = { k = 0 }").is_err());
    /// # Ok::<(), gramask::experiment::ExperimentError>(())
    /// ```
    pub fn parse(text: &str) -> Result<StrategyChoice, ExperimentError> {
        let source = match text.contains('=') {
            true => text.to_string(),
            false => format!("{} = {{}}", text.trim()),
        };
        let wrong = |span, message: &str| ExperimentError::Wrong {
            place: Box::new(Place::new("--strategy".as_ref(), &source, span, message)),
        };
        let given: Strategies = toml::from_str(&source)
            .map_err(|error| wrong(error.span().unwrap_or(0..0), &error.message().replace('\n', " ")))?;
        match <[StrategyChoice; 1]>::try_from(given.chosen()) {
            Ok([choice]) => Ok(choice),
            Err(_) => {
                let message = "give one strategy, such as `masked` or `beam = { k = 8 }`";
                Err(wrong(0..source.len(), message))
            }
        }
    }
}

impl fmt::Display for StrategyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
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
            assert_eq!(one, Strategies::default().only(&[name]), "the defaults are those of an empty table");
            assert_eq!(toml::from_str::<Strategies>(&toml::to_string(&one).unwrap()).unwrap(), one);
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
        let masked = ["masked", "lazy", "jump", "draft", "beam", "aligned-asap", "aligned-smc", "free-then-masked"];
        assert_eq!(names(LevelName::Syntax), masked);
        assert_eq!(names(LevelName::Grounded), masked);
    }

    #[test]
    fn a_choice_keeps_its_parameters() {
        let given: Strategies = toml::from_str("beam = { k = 3 }\nretry = { temperature = 1 }").unwrap();
        let retry = RetryParameters { n: 4, temperature: 1.0 };
        assert_eq!(
            given.chosen(),
            [StrategyChoice::Retry(retry), StrategyChoice::Beam(BeamParameters { k: 3, ..BeamParameters::default() })]
        );
        assert_eq!(given.chosen()[1].lanes(), 3);
        let only = given.only(&[StrategyName::Beam, StrategyName::Masked]);
        assert_eq!(only.chosen().len(), 2);
        assert_eq!(only.beam.unwrap().k, 3);
    }

    #[test]
    fn a_strategy_of_the_command_line() {
        assert_eq!(StrategyChoice::parse(" draft ").unwrap().name(), StrategyName::Draft);
        assert_eq!(StrategyChoice::parse("aligned-smc={particles=2}").unwrap().lanes(), 2);
        for (text, words) in [
            ("beem", &["beem", "`beam`"][..]),
            ("", &["--strategy"]),
            ("beam = { k = 0 }", &["`k` is 0", "1 to 64"]),
            ("beam = {}\nlazy = {}", &["one strategy"]),
            ("#=", &["one strategy"]),
        ] {
            let error = StrategyChoice::parse(text).unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{text}: {error}");
        }
    }
}
