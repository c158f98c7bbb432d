//! NVIDIA's GPUs, through CUDA. The driver's library is loaded at run time, on first use, so that a build with this
//! back end also starts on machines without a driver.

use super::BackEnd;
use super::name::DeviceName;
use super::options::MemoryPool;

pub(super) const BACK_END: BackEnd = BackEnd {
    name: "cuda",
    device: DeviceName::Cuda,
    adapters: back_end::adapters,
    // Burn's CUDA runtime always starts with its default layout.
    pools: &[MemoryPool::Sliced],
    open: back_end::open,
};

#[cfg(not(feature = "cuda"))]
mod back_end {
    use burn::tensor::Device;

    use crate::device::{Absence, Adapter, MemoryPool};

    const MISSING: Absence = Absence::NotCompiled { feature: "cuda" };

    pub fn adapters() -> Result<Vec<Adapter>, Absence> {
        Err(MISSING)
    }

    pub fn open(_: usize, _: &Adapter, _: Option<MemoryPool>) -> Result<Device, String> {
        Err(MISSING.to_string())
    }
}

#[cfg(feature = "cuda")]
mod back_end {
    use burn::tensor::Device;
    use cudarc::driver::result::{self, DriverError};
    use cudarc::driver::sys;

    use crate::device::{Absence, Adapter, AdapterKind, MemoryPool};

    pub fn adapters() -> Result<Vec<Adapter>, Absence> {
        // SAFETY: this only tries to load the library. Every other call would panic without it.
        if !unsafe { sys::is_culib_present() } {
            let library = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so" };
            return Err(Absence::NoDriver {
                what: format!("{library}, which NVIDIA's driver brings, is not installed"),
            });
        }
        let failed = |error: DriverError| Absence::NoAdapter {
            what: format!("NVIDIA's driver is installed and answers {error}"),
        };
        result::init().map_err(failed)?;
        let count = result::device::get_count().map_err(failed)?;
        if count == 0 {
            return Err(Absence::NoAdapter { what: "NVIDIA's driver is installed and finds no GPU".into() });
        }
        (0..count).map(|number| describe(number).map_err(failed)).collect()
    }

    fn describe(number: i32) -> Result<Adapter, DriverError> {
        let device = result::device::get(number)?;
        let mut version = 0;
        // SAFETY: the version is written into `version`, which outlives the call.
        unsafe { sys::cuDriverGetVersion(&mut version) }.result()?;
        Ok(Adapter {
            name: result::device::get_name(device)?,
            kind: AdapterKind::Discrete,
            api: format!("CUDA {}.{}", version / 1000, version % 1000 / 10),
            driver: driver(),
            // SAFETY: the device is one of those that the driver has just numbered.
            memory: unsafe { result::device::total_mem(device) }.ok().map(|bytes| bytes as u64),
            number: usize::try_from(number).unwrap_or(0),
        })
    }

    /// The kernel module's version, where the system says it.
    fn driver() -> Option<String> {
        let text = std::fs::read_to_string("/proc/driver/nvidia/version").ok()?;
        let dotted = |word: &&str| word.contains('.') && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let version = text.lines().next()?.split_whitespace().find(dotted)?;
        Some(format!("NVIDIA {version}"))
    }

    pub fn open(position: usize, _: &Adapter, _: Option<MemoryPool>) -> Result<Device, String> {
        Ok(Device::cuda(position))
    }
}
