//! `gramask conform`.

use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::Args;
use gramask_model::device::DeviceName;
use indicatif::ProgressBar;

use super::shared::{ComputeArgs, bars, resolve};
use super::{CliError, DONE, FAILED};
use crate::conform::{Check, Checked, Report, Settings, Verdict, Watch, conform as test};
use crate::pull::Cache;

pub(super) const HELP: &str = "\
Everything that this program computes on a device is computed there and on the CPU, from the same seeded numbers, and compared:
kernels, models, the cache, outputs of all formats token by token, masks of the oracle. Operations of Burn's that a driver gets
wrong, and that this program does not rely on, are named as faults of the device; with --strict they fail the test too. A token
that differs passes only where the reference has the two within the tolerance, and is counted as a near tie.
Exits with 0 where the device passes, with 1 where it does not.";

#[derive(Debug, Args)]
pub(super) struct ConformArgs {
    /// The device to test: flex (the CPU), wgpu[:N] or cuda[:N]; `gramask devices` lists them
    #[arg(long, value_name = "DEVICE")]
    device: String,
    #[command(flatten)]
    compute: ComputeArgs,
    /// Where references are computed
    #[arg(long, value_name = "DEVICE", default_value = "flex")]
    reference: String,
    /// Also compute this model: a name, ORGANISATION/NAME of the hub, a folder or a .gguf file
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Fewer and smaller cases
    #[arg(long)]
    quick: bool,
    /// Fail also where an operation of Burn's is wrong that this program does not rely on
    #[arg(long)]
    strict: bool,
    /// Also write the report as JSON to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Tests a device and prints the report.
pub(super) fn conform(args: ConformArgs) -> Result<u8, CliError> {
    let model = match &args.model {
        Some(name) => Some(resolve(name, &Cache::from_env()?)?),
        None => None,
    };
    let (device, reference): (DeviceName, DeviceName) = (args.device.parse()?, args.reference.parse()?);
    let settings =
        Settings { device, options: args.compute.options(), reference, quick: args.quick, strict: args.strict, model };
    let mut bar = Bar(bars::waiting("opening the device"));
    let report = test(&settings, &mut bar);
    bar.0.finish_and_clear();
    let report = report?;
    anstream::println!("{}", report.table());
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&report)? + "\n";
        std::fs::write(path, json).map_err(|source| CliError::Output { path: path.clone(), source })?;
    }
    tell(&report);
    Ok(if report.passes() { DONE } else { FAILED })
}

/// Says what is wrong, and how the test came out.
fn tell(report: &Report) {
    let bold = Style::new().bold();
    let (red, yellow, green) = (AnsiColor::Red, AnsiColor::Yellow, AnsiColor::Green);
    let style = |color: AnsiColor| bold.fg_color(Some(color.into()));
    let line = |color: AnsiColor, what: &str, checked: &Checked| {
        let style = style(color);
        let note = checked.note.as_deref().unwrap_or_default();
        anstream::eprintln!("{style}{what}{style:#}: {} {}: {note}", checked.group.name(), checked.name);
    };
    for checked in &report.checks {
        match checked.verdict {
            Verdict::Failed => line(red, "failed", checked),
            Verdict::FaultOfTheDevice => line(yellow, "fault of the device", checked),
            Verdict::Skipped => line(yellow, "skipped", checked),
            Verdict::Passed => {}
        }
    }
    if report.left_out > 0 {
        let style = style(red);
        anstream::eprintln!("{style}the device was lost{style:#}: {} check(s) were not run", report.left_out);
    }
    let near: usize = report.checks.iter().map(|checked| checked.near_ties).sum();
    let name = report.adapter.as_ref().map_or("", |adapter| adapter.name.as_str());
    let (color, word) = if report.passes() { (green, "conforms") } else { (red, "does not conform") };
    let style = style(color);
    anstream::eprintln!(
        "{style}{} {word}{style:#}: {name}, {}; {} passed, {} failed, {} fault(s) of the device, {} skipped, {near} near tie(s)",
        report.device,
        report.float_type,
        report.count(Verdict::Passed),
        report.count(Verdict::Failed),
        report.count(Verdict::FaultOfTheDevice),
        report.count(Verdict::Skipped),
    );
}

struct Bar(ProgressBar);

impl Watch for Bar {
    fn begins(&mut self, check: &Check, number: usize, of: usize) {
        let name = format!("{}/{of} {}: {}", number + 1, check.group.name(), check.name);
        self.0.set_message(name);
    }

    fn ended(&mut self, _: &Checked) {}
}
