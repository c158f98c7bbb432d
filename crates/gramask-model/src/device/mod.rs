//! Devices by name: `flex`, `wgpu`, `wgpu:1`, `cuda:0`; their properties and their failures.
//!
//! The available back ends follow from the Cargo features `wgpu` and `cuda` at compile time, and from the hardware at run time. A
//! name that fails either test gives an error that lists the available names. Burn's own default device is never used: it is
//! CUDA whenever that feature is compiled in, even without a GPU.
//!
//! | file | what it holds |
//! |---|---|
//! | `name.rs` | a device's name, how it is opened, and why it is not |
//! | `options.rs`, `dtype.rs` | the options of a device: memory pool, float type, recorded steps |
//! | `flex.rs`, `wgpu.rs`, `cuda.rs` | one back end each |
//! | `info.rs` | all devices of this machine with their properties, and the absent back ends with the reason |
//! | `opened.rs` | the devices that are open: their names and memory |
//! | `memory_demand.rs` | the memory that decoding needs, and what would fit |
//! | `fault.rs` | a device that runs out of memory, is lost or computes nothing, as an error |

mod cuda;
mod dtype;
mod fault;
mod flex;
mod info;
mod memory_demand;
mod name;
mod opened;
mod options;
mod wgpu;

use burn::tensor::Device;

pub use dtype::{Dtype, UnknownDtype};
pub use fault::{DeviceFault, guard};
pub use info::{Absence, AbsentBackEnd, Adapter, AdapterKind, DeviceInfo, Listing, list};
pub use memory_demand::{Demand, Fits};
pub use name::{DeviceError, DeviceName};
pub use opened::{memory_of, name_of};
pub use options::{MemoryPool, OpenOptions, UnknownMemoryPool};

/// What each back end's module offers.
struct BackEnd {
    /// The name of the devices, and of the Cargo feature.
    name: &'static str,
    /// The device of this number.
    device: fn(usize) -> DeviceName,
    /// Looks for devices, opens none, and does not panic.
    adapters: fn() -> Result<Vec<Adapter>, Absence>,
    /// The memory pools that it can be told to use.
    pools: &'static [MemoryPool],
    /// Opens one of the adapters, by its position among them; a driver's refusal in words.
    open: fn(usize, &Adapter, Option<MemoryPool>) -> Result<Device, String>,
}

/// All of them, in the order in which they are listed.
static BACK_ENDS: [BackEnd; 3] = [flex::BACK_END, wgpu::BACK_END, cuda::BACK_END];

fn back_end(name: DeviceName) -> &'static BackEnd {
    match name {
        DeviceName::Flex => &BACK_ENDS[0],
        DeviceName::Wgpu(_) => &BACK_ENDS[1],
        DeviceName::Cuda(_) => &BACK_ENDS[2],
    }
}

/// Every device that [`DeviceName::open`] can open in this build on this machine; `flex` is always first.
pub fn available() -> Vec<DeviceName> {
    let of = |back_end: &BackEnd| {
        let count = (back_end.adapters)().map_or(0, |adapters| adapters.len());
        (0..count).map(back_end.device).collect::<Vec<_>>()
    };
    BACK_ENDS.iter().flat_map(of).collect()
}

/// True when the device is the CPU back end `flex`, for which the hot operations have native code.
pub fn is_flex(device: &Device) -> bool {
    *device == Device::flex()
}
