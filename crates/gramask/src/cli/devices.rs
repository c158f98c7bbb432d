//! `gramask devices`.

use anstyle::Style;
use clap::Args;
use gramask_model::device::{DeviceInfo, list};

use super::{CliError, DONE};

#[derive(Debug, Args)]
pub(super) struct DevicesArgs {
    /// Print JSON instead of the list
    #[arg(long)]
    json: bool,
}

/// Lists the devices, and the back ends that have none.
pub(super) fn devices(args: &DevicesArgs) -> Result<u8, CliError> {
    let listing = list();
    if args.json {
        anstream::println!("{}", serde_json::to_string_pretty(&listing)?);
        return Ok(DONE);
    }
    let (bold, faint) = (Style::new().bold(), Style::new().dimmed());
    let width = listing.present.iter().map(|info| info.device.to_string().len()).max();
    let width = width.unwrap_or(0).max("flex".len());
    for info in &listing.present {
        let name = info.device.to_string();
        anstream::println!("{bold}{name:width$}{bold:#}  {}", info.adapter.name);
        anstream::println!("{:width$}  {faint}{}{faint:#}", "", properties(info));
    }
    for absent in &listing.absent {
        anstream::println!("{:width$}  absent: {}", absent.back_end, absent.reason);
    }
    Ok(DONE)
}

/// The properties of a device, in a line.
fn properties(info: &DeviceInfo) -> String {
    let adapter = &info.adapter;
    let mut parts = vec![adapter.kind.name().to_owned(), adapter.api.clone()];
    parts.extend(adapter.driver.as_ref().map(|driver| format!("driver {driver}")));
    parts.push(match adapter.memory {
        Some(bytes) => format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64),
        None => "memory not told".into(),
    });
    let types: Vec<&str> = info.float_types.iter().map(|kind| kind.name()).collect();
    parts.push(match &info.fault {
        Some(fault) => format!("does not open: {fault}"),
        None => types.join(" "),
    });
    parts.join(", ")
}
