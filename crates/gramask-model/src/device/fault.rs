//! A device that fails, as an error.
//!
//! Burn talks to a GPU from a thread of its own. A failure comes back as an error of the next read, as a panic of the call, or as
//! a panic of the device's thread. After the last, every call panics. [`guard`] turns all of them into one kind of error. It
//! distinguishes the two causes that a user can act on: too little memory, and a lost device.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{Device, ExecutionError};

use super::memory_demand::Demand;
use super::opened::{memory_of, name_of};

/// What went wrong on a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceFault {
    /// It has too little memory.
    #[error("device {device} is out of memory: {}", demand.as_ref().map_or_else(|| reason.clone(), |demand| demand.told(*memory)))]
    OutOfMemory {
        /// The device's name.
        device: String,
        /// What was to be held.
        demand: Option<Demand>,
        /// What it has, in bytes, where that is known.
        memory: Option<u64>,
        /// What the driver says, where it was asked.
        reason: String,
    },
    /// It does not answer any more, and will not in this process.
    #[error("device {device} was lost: {reason}")]
    Lost {
        /// The device's name.
        device: String,
        /// What the driver says.
        reason: String,
    },
    /// It could not do what it was told.
    #[error("device {device} failed: {reason}")]
    Failed {
        /// The device's name.
        device: String,
        /// What the driver, or Burn, says.
        reason: String,
    },
}

/// What drivers and Burn say when memory runs out.
const OUT_OF_MEMORY: [&str; 6] =
    ["out of memory", "out-of-memory", "out of device memory", "out_of_memory", "not enough memory", "buffer too big"];

/// What they say when a device is gone. The last two are Burn's, whose thread for the device has ended.
const LOST: [&str; 9] = [
    "poisoned",
    "device was lost",
    "device lost",
    "device is lost",
    "device_lost",
    "illegal_address",
    "launch_failed",
    "recverror",
    "closed channel",
];

impl DeviceFault {
    /// The fault that a message tells of.
    pub fn of(device: &Device, message: &str) -> DeviceFault {
        let lower = message.to_lowercase();
        let says = |phrases: &[&str]| phrases.iter().any(|phrase| lower.contains(phrase));
        let (reason, name) = (first_part(message), name_of(device));
        if says(&OUT_OF_MEMORY) {
            return DeviceFault::OutOfMemory { device: name, demand: None, memory: memory_of(device), reason };
        }
        match says(&LOST) {
            true => DeviceFault::Lost { device: name, reason },
            false => DeviceFault::Failed { device: name, reason },
        }
    }

    /// The fault that an error of Burn's tells of.
    pub fn of_execution(device: &Device, error: &ExecutionError) -> DeviceFault {
        match error {
            ExecutionError::DevicePoisoned { reason } => {
                DeviceFault::Lost { device: name_of(device), reason: first_part(reason) }
            }
            ExecutionError::WithContext { reason } | ExecutionError::Generic { reason, .. } => {
                DeviceFault::of(device, reason)
            }
        }
    }

    /// The same, where it is known what was to be held in memory.
    pub fn asking(self, asked: Demand) -> DeviceFault {
        match self {
            DeviceFault::OutOfMemory { device, memory, reason, .. } => {
                DeviceFault::OutOfMemory { device, demand: Some(asked), memory, reason }
            }
            other => other,
        }
    }

    /// Whether the device can be used again in this process.
    pub fn is_lost(&self) -> bool {
        matches!(self, DeviceFault::Lost { .. })
    }
}

/// A driver's message without its backtrace, in one line.
fn first_part(message: &str) -> String {
    let message = message.split("Backtrace").next().unwrap_or(message);
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.take(6).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(400) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// Does some work on a device; a panic on the way is an error.
///
/// ```
/// use gramask_model::device::{DeviceFault, DeviceName, guard};
///
/// let device = DeviceName::Flex.open()?;
/// assert_eq!(guard(&device, || 1 + 1), Ok(2));
/// let fault = guard(&device, || panic!("the device is poisoned")).map(|()| 0);
/// assert!(matches!(fault, Err(DeviceFault::Lost { .. })));
/// # Ok::<(), gramask_model::device::DeviceError>(())
/// ```
///
/// # Errors
/// The fault.
pub fn guard<T>(device: &Device, work: impl FnOnce() -> T) -> Result<T, DeviceFault> {
    // What the work was at when it panicked is a device's, and is not used again: the caller gets an error.
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| DeviceFault::of(device, &message_of(&*payload)))
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(message: &str) -> DeviceFault {
        DeviceFault::of(&Device::flex(), message)
    }

    /// Messages as the drivers and Burn 0.22 word them.
    #[test]
    fn messages_are_told_apart() {
        for message in [
            "out of device memory allocating 4294967296 bytes\nBacktrace\n 0: a",
            "An out-of-memory error happened during launch\nCaused by:\n  page",
            "wgpu error: Out of Memory",
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")",
            "Not enough memory left.",
        ] {
            let fault = of(message);
            assert!(matches!(&fault, DeviceFault::OutOfMemory { .. }), "{message}: {fault:?}");
            assert!(!fault.to_string().contains("0: a"), "no backtrace: {fault}");
        }
        for message in [
            "The device was poisoned during launch\nCaused by:\n  Unknown: gone",
            "Parent device is lost",
            "DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access was encountered\")",
            "called `Result::unwrap()` on an `Err` value: RecvError",
        ] {
            assert!(of(message).is_lost(), "{message}");
        }
        let fault = of("A compilation error happened during launch\nCaused by:\n  naga");
        assert!(matches!(fault, DeviceFault::Failed { .. }));
        assert!(
            fault.to_string().ends_with("failed: A compilation error happened during launch Caused by: naga"),
            "{fault}"
        );
    }

    #[test]
    fn errors_of_reading_keep_their_meaning() {
        let device = Device::flex();
        let poisoned = ExecutionError::DevicePoisoned { reason: "a trap".into() };
        assert!(DeviceFault::of_execution(&device, &poisoned).is_lost());
        let memory = ExecutionError::generic("out of device memory allocating 8 bytes");
        assert!(matches!(DeviceFault::of_execution(&device, &memory), DeviceFault::OutOfMemory { .. }));
    }

    #[test]
    fn out_of_memory_says_what_was_asked_and_what_would_fit() {
        let demand = Demand { weights: 100 << 20, position: 1 << 20, slots: 64, length: 256, pass: 64 << 20 };
        let fault = DeviceFault::OutOfMemory {
            device: "wgpu:0".into(),
            demand: None,
            memory: Some(4 << 30),
            reason: String::new(),
        };
        let message = fault.asking(demand).to_string();
        assert!(message.contains("64 sequences of 256 positions") && message.contains("4.0 GiB"), "{message}");
        // (4096 - 100 - 64) / 256 slots at this length; 3932 / 64 positions at this number.
        assert!(message.contains("15 sequences of 256 positions") && message.contains("64 of 61"), "{message}");
    }
}
