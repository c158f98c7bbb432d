//! The report: a table for people, JSON for machines.

use comfy_table::{Cell, CellAlignment, LineStyle, Table, presets};
use gramask_model::device::{Adapter, DeviceName, Dtype, list};
use serde::Serialize;

use super::Settings;
use super::check::{Checked, Verdict};
use super::pair::Pair;
use super::tolerance::Tolerances;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// This program's version.
    pub gramask: &'static str,
    /// The device under test.
    pub device: DeviceName,
    /// What its driver says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<Adapter>,
    /// The device that references were computed on.
    pub reference: DeviceName,
    /// What models were computed in.
    pub float_type: Dtype,
    /// What the device has.
    pub float_types: Vec<Dtype>,
    /// How far apart the two may be.
    pub tolerances: Tolerances,
    /// Whether cases were fewer and smaller.
    pub quick: bool,
    /// Whether a wrong operation of Burn's fails the test.
    pub strict: bool,
    /// The checks, in the order in which they were run.
    pub checks: Vec<Checked>,
    /// Checks that were not run, since the device was lost.
    pub left_out: usize,
}

impl Report {
    pub(super) fn new(settings: &Settings, pair: &Pair) -> Report {
        let infos = list().present;
        Report {
            gramask: env!("CARGO_PKG_VERSION"),
            device: settings.device,
            adapter: infos.into_iter().find(|info| info.device == settings.device).map(|info| info.adapter),
            reference: settings.reference,
            float_type: pair.float_type,
            float_types: pair.float_types.clone(),
            tolerances: pair.tolerances,
            quick: settings.quick,
            strict: settings.strict,
            checks: Vec::new(),
            left_out: 0,
        }
    }

    /// How many checks came out so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|checked| checked.verdict == verdict).count()
    }

    /// Whether the device passes: nothing that this program relies on is wrong, and, where that is asked, nothing else.
    pub fn passes(&self) -> bool {
        let faults = self.count(Verdict::FaultOfTheDevice);
        self.count(Verdict::Failed) == 0 && self.left_out == 0 && !(self.strict && faults > 0)
    }

    /// The faults of the device, each in words.
    pub fn faults(&self) -> impl Iterator<Item = &Checked> {
        self.checks.iter().filter(|checked| checked.verdict == Verdict::FaultOfTheDevice)
    }

    /// A line for each check.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
        table.set_header(["group", "check", "", "cases", "worst error", "tolerance", "near ties", "seconds"]);
        let mut last = "";
        for checked in &self.checks {
            let group = checked.group.name();
            let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
            table.add_row([
                Cell::new(if group == last { "" } else { group }),
                Cell::new(&checked.name),
                Cell::new(word(checked.verdict)),
                number(checked.cases.to_string()),
                number(checked.worst.map_or("-".into(), error)),
                number(if checked.tolerance == 0.0 { "exact".into() } else { error(checked.tolerance) }),
                number(match checked.near_ties {
                    0 => String::new(),
                    ties => ties.to_string(),
                }),
                number(format!("{:.1}", checked.seconds)),
            ]);
            last = group;
        }
        table.to_string()
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "pass",
        Verdict::Failed => "FAIL",
        Verdict::FaultOfTheDevice => "device's fault",
        Verdict::Skipped => "skipped",
    }
}

fn error(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        _ if value.is_infinite() => "not a number, or none".into(),
        _ => format!("{value:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{Check, Group, Tally};
    use super::*;
    use gramask_model::device::OpenOptions;

    fn report(strict: bool, tallies: Vec<(Group, Tally)>) -> Report {
        let settings = Settings {
            device: DeviceName::Flex,
            options: OpenOptions::default(),
            reference: DeviceName::Flex,
            quick: true,
            strict,
            model: None,
        };
        let device = DeviceName::Flex.open().unwrap();
        let pair = Pair {
            reference: device.clone(),
            device,
            float_type: Dtype::F32,
            float_types: vec![Dtype::F32],
            tolerances: Tolerances::of(DeviceName::Flex, Dtype::F32),
            record_steps: false,
            quick: true,
            model: None,
        };
        let mut report = Report::new(&settings, &pair);
        for (group, tally) in tallies {
            let check = Check::new(group, format!("a {}", group.name()), |_| Ok(Tally::exact()));
            report.checks.push(Checked::new(&check, Some(tally), None, false, 0.25));
        }
        report
    }

    fn tally(got: f64) -> Tally {
        let mut tally = Tally::within(1e-3);
        tally.compare(|| "x".into(), got, 1.0);
        tally
    }

    #[test]
    fn a_fault_of_the_device_fails_only_where_that_is_asked() {
        let good = || vec![(Group::Kernel, tally(1.0005)), (Group::Mask, tally(1.0))];
        assert!(report(false, good()).passes() && report(true, good()).passes());
        let fault = || [good(), vec![(Group::Operation, tally(2.0))]].concat();
        assert!(report(false, fault()).passes() && !report(true, fault()).passes());
        assert_eq!(report(false, fault()).faults().next().unwrap().note.as_deref(), Some("x is 2 for 1"));
        let bad = [good(), vec![(Group::Kernel, tally(f64::NAN))]].concat();
        assert!(!report(false, bad).passes());
        let mut short = report(false, good());
        short.left_out = 1;
        assert!(!short.passes(), "what was not run has not passed");
    }

    #[test]
    fn the_table_and_the_json_say_the_same() {
        let report = report(false, vec![(Group::Kernel, tally(1.0005)), (Group::Operation, tally(2.0))]);
        let table = report.table();
        assert!(table.contains("5.0e-4") && table.contains("device's fault"), "{table}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["device"], "flex");
        assert_eq!(json["checks"][0]["verdict"], "passed");
        assert_eq!(json["checks"][1]["verdict"], "fault-of-the-device");
        assert_eq!(json["checks"][1]["note"], "x is 2 for 1");
        assert_eq!(json["adapter"]["kind"], "cpu");
    }
}
