//! `gramask devices`, and the options that every computing command has.

use anstyle::Style;
use clap::Args;
use gramask_model::device::{
    DeviceError, DeviceInfo, DeviceName, Dtype, MemoryPool, OpenOptions, UnknownDtype, UnknownMemoryPool, list,
};

use super::{CliError, DONE};
use crate::run::Placement;

/// What is asked of a device beside its name.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ComputeArgs {
    /// Compute in f32, f16 or bf16; `gramask devices` says what a device has [default: the device's usual type]
    #[arg(long, value_name = "TYPE", value_parser = float_type)]
    pub dtype: Option<Dtype>,
    /// How a GPU hands out its memory: `sliced` (large pages, cut up) or `exclusive` (a page for each tensor; wgpu only)
    #[arg(long, value_name = "POOL", value_parser = memory_pool)]
    pub memory_pool: Option<MemoryPool>,
    /// Record a decoding step of each batch size once and replay it: one call to a GPU in place of some hundred launches
    #[arg(long)]
    pub record_steps: bool,
}

fn float_type(text: &str) -> Result<Dtype, UnknownDtype> {
    text.parse()
}

fn memory_pool(text: &str) -> Result<MemoryPool, UnknownMemoryPool> {
    text.parse()
}

impl ComputeArgs {
    /// What a device is opened with.
    pub fn options(&self) -> OpenOptions {
        OpenOptions { memory_pool: self.memory_pool, float_type: self.dtype, record_steps: self.record_steps }
    }

    /// On this device, which is opened to see whether it has all that is asked.
    pub fn placement(&self, device: DeviceName) -> Result<Placement, DeviceError> {
        device.open_with(self.options())?;
        Ok(Placement {
            float_type: self.dtype,
            memory_pool: self.memory_pool,
            record_steps: self.record_steps,
            ..Placement::on(device)
        })
    }
}

#[derive(Debug, Args)]
pub(super) struct DevicesArgs {
    /// Print JSON in place of the list
    #[arg(long)]
    json: bool,
}

/// Lists the devices, and what is absent.
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

/// What is known of a device, in a line.
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
