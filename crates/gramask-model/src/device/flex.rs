//! The CPU, with Burn's pure Rust back end and this workspace's CPU kernels.

use burn::tensor::Device;
use gramask_kernels::cpu::Level;

use super::BackEnd;
use super::info::{Absence, Adapter, AdapterKind};
use super::name::DeviceName;
use super::options::MemoryPool;

pub(super) const BACK_END: BackEnd = BackEnd { name: "flex", device: |_| DeviceName::Flex, adapters, pools: &[], open };

fn adapters() -> Result<Vec<Adapter>, Absence> {
    Ok(vec![Adapter {
        name: first_value("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        kind: AdapterKind::Cpu,
        api: format!("native code, {}", Level::best()),
        driver: None,
        memory: memory(),
        number: 0,
    }])
}

fn open(_: usize, _: &Adapter, _: Option<MemoryPool>) -> Result<Device, String> {
    Ok(Device::flex())
}

/// The machine's memory in bytes, where the system says it.
fn memory() -> Option<u64> {
    let kilobytes = first_value("/proc/meminfo", "MemTotal")?;
    let number = kilobytes.strip_suffix("kB")?.trim().parse::<u64>().ok()?;
    number.checked_mul(1024)
}

/// The value of a `key: value` line.
fn first_value(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim().to_owned())
    })
}
