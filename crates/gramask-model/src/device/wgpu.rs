//! Vulkan, Metal, DirectX 12 and OpenGL, through wgpu. Kernels go through WGSL.

use super::BackEnd;
use super::name::DeviceName;
use super::options::MemoryPool;

pub(super) const BACK_END: BackEnd = BackEnd {
    name: "wgpu",
    device: DeviceName::Wgpu,
    adapters: back_end::adapters,
    pools: &[MemoryPool::Sliced, MemoryPool::Exclusive],
    open: back_end::open,
};

#[cfg(not(feature = "wgpu"))]
mod back_end {
    use burn::tensor::Device;

    use crate::device::{Absence, Adapter, MemoryPool};

    const MISSING: Absence = Absence::NotCompiled { feature: "wgpu" };

    pub fn adapters() -> Result<Vec<Adapter>, Absence> {
        Err(MISSING)
    }

    pub fn open(_: usize, _: &Adapter, _: Option<MemoryPool>) -> Result<Device, String> {
        Err(MISSING.to_string())
    }
}

#[cfg(feature = "wgpu")]
mod back_end {
    use std::pin::pin;
    use std::sync::{Mutex, OnceLock};
    use std::task::{Context, Poll, Waker};

    use burn::tensor::{Device, DeviceKind, DeviceType};
    use burn_wgpu::graphics::AutoGraphicsApi;
    use burn_wgpu::{MemoryConfiguration, wgpu};

    use crate::device::{Absence, Adapter, AdapterKind, MemoryPool};

    /// The adapters in the order in which Burn numbers them. Drivers are asked once: Vulkan's loader is not safe against
    /// instances that come and go on several threads, and until this has answered no device is opened.
    pub fn adapters() -> Result<Vec<Adapter>, Absence> {
        static FOUND: OnceLock<Vec<Adapter>> = OnceLock::new();
        let found = FOUND.get_or_init(find);
        if found.is_empty() {
            let asked: Vec<_> = AutoGraphicsApi::chain().into_iter().map(api_name).collect();
            return Err(Absence::NoAdapter {
                what: format!(
                    "{} found none; it takes a GPU and its driver, or Vulkan in software (Debian: `mesa-vulkan-drivers`)",
                    asked.join(", ")
                ),
            });
        }
        Ok(found.clone())
    }

    /// Burn takes the first graphics API that has a GPU, else the first that has anything; so does this.
    fn find() -> Vec<Adapter> {
        let mut software = Vec::new();
        for api in AutoGraphicsApi::chain() {
            let found = probe(api);
            if found.iter().any(|adapter| adapter.kind != AdapterKind::Software) {
                return found;
            }
            if software.is_empty() {
                software = found;
            }
        }
        software
    }

    fn probe(api: wgpu::Backend) -> Vec<Adapter> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: api.into(),
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        // Outside of a browser the answer is ready at once.
        let mut answer = pin!(instance.enumerate_adapters(api.into()));
        let Poll::Ready(found) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            return Vec::new();
        };
        let mut adapters: Vec<Adapter> = Vec::new();
        for found in found {
            let info = found.get_info();
            let kind = match info.device_type {
                wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
                wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
                wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
                wgpu::DeviceType::Cpu => AdapterKind::Software,
                wgpu::DeviceType::Other => AdapterKind::Other,
            };
            let number = adapters.iter().filter(|adapter| adapter.kind == kind).count();
            if kind == AdapterKind::Software && number > 0 {
                continue; // Burn knows one of them
            }
            let driver = format!("{} {}", info.driver, info.driver_info);
            adapters.push(Adapter {
                name: info.name,
                kind,
                api: api_name(info.backend).to_owned(),
                driver: Some(driver.trim().to_owned()).filter(|driver| !driver.is_empty()),
                memory: memory(&found),
                number,
            });
        }
        adapters
    }

    fn api_name(api: wgpu::Backend) -> &'static str {
        match api {
            wgpu::Backend::Vulkan => "Vulkan",
            wgpu::Backend::Metal => "Metal",
            wgpu::Backend::Dx12 => "DirectX 12",
            wgpu::Backend::Gl => "OpenGL",
            wgpu::Backend::BrowserWebGpu => "WebGPU",
            wgpu::Backend::Noop => "none",
        }
    }

    /// The largest heap of the device's own. Of the graphics APIs only Vulkan says it.
    #[cfg(any(target_os = "linux", target_os = "freebsd", windows))]
    fn memory(adapter: &wgpu::Adapter) -> Option<u64> {
        const DEVICE_LOCAL: u32 = 1;
        // SAFETY: the adapter is only asked for what it is; nothing of it is changed, kept or destroyed.
        let vulkan = unsafe { adapter.as_hal::<wgpu::hal::api::Vulkan>() }?;
        let instance = vulkan.shared_instance().raw_instance();
        // SAFETY: the physical device is one of this instance, which outlives the call.
        let properties = unsafe { instance.get_physical_device_memory_properties(vulkan.raw_physical_device()) };
        let heaps = properties.memory_heaps.iter().take(properties.memory_heap_count as usize);
        heaps.filter(|heap| heap.flags.as_raw() & DEVICE_LOCAL != 0).map(|heap| heap.size).max()
    }

    #[cfg(not(any(target_os = "linux", target_os = "freebsd", windows)))]
    fn memory(_: &wgpu::Adapter) -> Option<u64> {
        None
    }

    pub fn open(position: usize, adapter: &Adapter, pool: Option<MemoryPool>) -> Result<Device, String> {
        let Some(pool) = pool else {
            let all = Device::enumerate(DeviceType::Wgpu).into_vec();
            return all.into_iter().nth(position).ok_or_else(|| "the driver does not find it any more".to_owned());
        };
        let kind = match adapter.kind {
            AdapterKind::Discrete => DeviceKind::DiscreteGpu(adapter.number),
            AdapterKind::Integrated => DeviceKind::IntegratedGpu(adapter.number),
            AdapterKind::Virtual => DeviceKind::VirtualGpu(adapter.number),
            AdapterKind::Software | AdapterKind::Cpu => DeviceKind::Cpu,
            AdapterKind::Other => {
                return Err("its driver does not say what it is, so that it takes no memory pool: leave it out".into());
            }
        };
        // A device takes its options when it is opened first; a run opens it again for each of its models.
        static OPENED: Mutex<Vec<(Device, MemoryPool)>> = Mutex::new(Vec::new());
        let mut opened = OPENED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let device = Device::wgpu(kind.clone());
        if opened.contains(&(device.clone(), pool)) {
            return Ok(device);
        }
        let memory = match pool {
            MemoryPool::Sliced => MemoryConfiguration::Adaptive,
            MemoryPool::Exclusive => MemoryConfiguration::ExclusivePages,
        };
        let device =
            Device::wgpu_options().device_kind(kind).memory_config(memory).init().map_err(|error| error.to_string())?;
        opened.push((device.clone(), pool));
        Ok(device)
    }
}
