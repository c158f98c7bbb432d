//! The names and the memory of the devices that this process has opened.
//!
//! The message of a fault has the device's name and memory. At that time the driver may no longer answer.

use std::sync::Mutex;

use burn::tensor::Device;

use super::name::DeviceName;
use super::{back_end, is_flex};

static OPENED: Mutex<Vec<Opened>> = Mutex::new(Vec::new());

struct Opened {
    device: Device,
    name: DeviceName,
    memory: Option<u64>,
}

/// Notes a device that was just opened.
pub(super) fn note(device: &Device, name: DeviceName, memory: Option<u64>) {
    let mut opened = OPENED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if !opened.iter().any(|known| known.device == *device) {
        opened.push(Opened { device: device.clone(), name, memory });
    }
}

fn find<T>(device: &Device, of: impl FnOnce(&Opened) -> T) -> Option<T> {
    let opened = OPENED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    opened.iter().find(|known| known.device == *device).map(of)
}

/// The name of a device that [`DeviceName::open`] opened; of another, what Burn calls it.
pub fn name_of(device: &Device) -> String {
    if is_flex(device) {
        return DeviceName::Flex.to_string();
    }
    find(device, |known| known.name.to_string()).unwrap_or_else(|| format!("{:?}", device.as_dispatch()))
}

/// The memory, in bytes, of a device that [`DeviceName::open`] opened, where its driver says it.
pub fn memory_of(device: &Device) -> Option<u64> {
    find(device, |known| known.memory).unwrap_or_else(|| {
        let adapters = is_flex(device).then(|| (back_end(DeviceName::Flex).adapters)().ok());
        adapters.flatten()?.first()?.memory
    })
}
