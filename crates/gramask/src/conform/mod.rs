//! The vendor test: does a device compute what the CPU computes?
//!
//! A driver can be wrong in ways that no error tells. So everything that this program computes on a device is computed on the
//! device and on the CPU back end `flex`, from the same seeded numbers, and compared. This covers the kernels, whole models, the
//! cache, the outputs of every format token by token, and masks. The oracle, which tries every token byte by byte, gives the
//! masks to compare with. No reference is ever computed on the device under test.
//!
//! Beside these stand **probes** of Burn's own operations, which this program avoids where drivers are known to get them
//! wrong. A probe that fails is a *fault of the device*: it is named, and does not fail the test of what this program
//! computes, unless [`Settings::strict`] says so.
//!
//! | file | what it holds |
//! |---|---|
//! | `check.rs` | what a check is, and what it finds |
//! | `pair.rs` | a device and its reference, with seeded numbers on both |
//! | `tolerance.rs` | how far apart two devices may be |
//! | `probes.rs` | Burn's operations |
//! | `kernels.rs` | this workspace's kernels, by the list of checks of `gramask-kernels` |
//! | `model.rs`, `cache.rs` | forward passes, and what a cache does between them |
//! | `outputs.rs`, `ties.rs` | decoding in all formats, and tokens that may differ because two are equally likely |
//! | `masks.rs` | masks of the oracle on the device |
//! | `report.rs` | the table and the JSON |
//!
//! A new kernel gets its check in [`gramask_kernels::checks`].

mod cache;
mod check;
mod kernels;
mod masks;
mod model;
mod outputs;
mod pair;
mod probes;
mod report;
mod ties;
mod tolerance;

use std::time::Instant;

use gramask_model::device::{DeviceError, DeviceName, Dtype, OpenOptions, guard};

pub use check::{Check, Checked, Group, Tally, Verdict};
pub use pair::Pair;
pub use report::Report;
pub use tolerance::Tolerances;

use crate::pull::Model;

/// What is tested, and against what.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The device under test.
    pub device: DeviceName,
    /// What it is opened with; models are computed in its float type.
    pub options: OpenOptions,
    /// The device of the references.
    pub reference: DeviceName,
    /// Fewer and smaller cases.
    pub quick: bool,
    /// Whether a wrong operation of Burn's fails the test.
    pub strict: bool,
    /// A model to compute beside the seeded ones.
    pub model: Option<Model>,
}

/// Why a device could not be tested.
#[derive(Debug, thiserror::Error)]
pub enum ConformError {
    /// The device, or the reference, does not open.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A format that comes with the program is faulty.
    #[error(transparent)]
    Format(#[from] gramask_grammar::FormatErrors),
}

/// Runs all checks; `watch` is told of each before and after.
///
/// # Errors
/// When a device does not open. What a device gets wrong, and where it fails, is in the report.
pub fn conform(settings: &Settings, watch: &mut dyn Watch) -> Result<Report, ConformError> {
    let device = settings.device.open_with(settings.options)?;
    let reference = settings.reference.open()?;
    let float_type = settings.options.float_type.unwrap_or(Dtype::F32);
    let pair = Pair {
        tolerances: Tolerances::of(settings.device, float_type),
        float_types: Dtype::of(&device),
        device,
        reference,
        float_type,
        record_steps: settings.options.record_steps,
        quick: settings.quick,
        model: settings.model.clone(),
    };
    let mut checks = probes::checks();
    checks.extend(kernels::checks());
    checks.extend(model::checks(&pair));
    checks.extend(cache::checks());
    checks.extend(outputs::checks(&pair));
    checks.extend(masks::checks(&pair));
    let mut report = Report::new(settings, &pair);
    for (number, check) in checks.iter().enumerate() {
        watch.begins(check, number, checks.len());
        let checked = run(check, &pair);
        watch.ended(&checked);
        let gone = checked.lost;
        report.checks.push(checked);
        // Behind a lost device there is nothing left to ask.
        if gone {
            break;
        }
    }
    report.left_out = checks.len() - report.checks.len();
    Ok(report)
}

/// Who wants to know how far a test is.
pub trait Watch {
    /// A check begins: its number, of so many.
    fn begins(&mut self, check: &Check, number: usize, of: usize);
    /// A check has ended.
    fn ended(&mut self, checked: &Checked);
}

/// Runs one check. A panic of the device is what the check finds.
fn run(check: &Check, pair: &Pair) -> Checked {
    let clock = Instant::now();
    let found = guard(&pair.device, || (check.run)(pair));
    let seconds = clock.elapsed().as_secs_f64();
    let (tally, failure, lost) = match found {
        Ok(Ok(tally)) => (Some(tally), None, false),
        Ok(Err(failure)) => (None, Some(failure.to_string()), failure.is_lost()),
        Err(fault) => (None, Some(fault.to_string()), fault.is_lost()),
    };
    Checked::new(check, tally, failure, lost, seconds)
}

#[cfg(test)]
mod tests {
    use super::check::Failure;
    use super::*;

    fn pair() -> Pair {
        let device = DeviceName::Flex.open().unwrap();
        Pair {
            tolerances: Tolerances::of(DeviceName::Flex, Dtype::F32),
            float_types: Dtype::of(&device),
            reference: device.clone(),
            device,
            float_type: Dtype::F32,
            record_steps: false,
            quick: true,
            model: None,
        }
    }

    /// What a device can do wrong, and what is made of it.
    #[test]
    fn each_kind_of_failure_has_its_verdict() {
        let pair = pair();
        let verdict = |group, run: fn(&Pair) -> Result<Tally, Failure>| {
            let checked = super::run(&Check::new(group, "made up", run), &pair);
            (checked.verdict, checked.lost)
        };
        let right = |_: &Pair| {
            let mut tally = Tally::within(0.5);
            tally.compare(|| "a".into(), 1.25, 1.0);
            Ok(tally)
        };
        let wrong = |_: &Pair| {
            let mut tally = Tally::within(0.125);
            tally.compare(|| "a".into(), 1.25, 1.0);
            Ok(tally)
        };
        let not_a_number = |_: &Pair| {
            let mut tally = Tally::within(1.0);
            tally.compare(|| "a".into(), f64::NAN, 1.0);
            Ok(tally)
        };
        assert_eq!(verdict(Group::Kernel, right), (Verdict::Passed, false));
        assert_eq!(verdict(Group::Kernel, wrong), (Verdict::Failed, false));
        assert_eq!(verdict(Group::Kernel, not_a_number), (Verdict::Failed, false));
        assert_eq!(verdict(Group::Operation, wrong), (Verdict::FaultOfTheDevice, false));
        assert_eq!(verdict(Group::Model, |_| panic!("naga: no such type")), (Verdict::Failed, false));
        assert_eq!(verdict(Group::Model, |_| panic!("Parent device is lost")), (Verdict::Failed, true));
        assert_eq!(verdict(Group::Model, |_| Ok(Tally::exact())), (Verdict::Failed, false), "nothing was compared");
        let skipped = |_: &Pair| Ok(Tally::skipped("no f16"));
        assert_eq!(verdict(Group::Model, skipped), (Verdict::Skipped, false));
    }
}
