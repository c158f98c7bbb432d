//! Time on a device, and the bandwidth that bounds it.

use std::time::{Duration, Instant};

use burn::tensor::{DType, Device, Tensor, TensorData};
use gramask_model::device::{DeviceFault, guard, is_flex};
use rayon::prelude::*;

/// Rounds that are timed; the middle one counts.
const ROUNDS: usize = 7;

/// Seconds that some work takes on a device: the middle of several rounds, each long enough to be timed, with one wait
/// for the device at its end. What is compiled or tuned when it first runs is not counted.
///
/// # Errors
/// Where the device fails.
pub fn time(device: &Device, round: Duration, mut work: impl FnMut()) -> Result<f64, DeviceFault> {
    let mut run = |times: u32| -> Result<f64, DeviceFault> {
        let clock = Instant::now();
        guard(device, || (0..times).for_each(|_| work()))?;
        let synced = guard(device, || device.sync())?;
        synced.map_err(|error| DeviceFault::of_execution(device, &error))?;
        Ok(clock.elapsed().as_secs_f64() / f64::from(times))
    };
    run(1)?;
    let once = run(2)?;
    let times = (round.as_secs_f64() / once.max(1e-7)).clamp(1.0, 10_000.0) as u32;
    let mut seconds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        seconds.push(run(times)?);
    }
    Ok(super::median(&mut seconds))
}

/// Bytes per second that the device reads and writes in copying, each byte counted twice.
///
/// # Errors
/// Where the device fails.
pub fn copy_bandwidth(device: &Device, megabytes: usize) -> Result<f64, DeviceFault> {
    let floats = megabytes * 1_000_000 / 4;
    let bytes = (2 * 4 * floats) as f64;
    let round = Duration::from_millis(200);
    if is_flex(device) {
        let from = vec![1.5f32; floats];
        let mut to = vec![0.5f32; floats];
        let part = floats.div_ceil(rayon::current_num_threads()).max(1);
        let seconds = time(device, round, || {
            let parts = to.par_chunks_mut(part).zip(from.par_chunks(part));
            parts.for_each(|(to, from)| to.copy_from_slice(from));
            std::hint::black_box(&mut to);
        })?;
        return Ok(bytes / seconds);
    }
    let data = TensorData::new(vec![1.5f32; floats], [floats]);
    let from = Tensor::<1>::from_data(data, (device, DType::F32));
    // A product with another number than 1, which could be left out.
    let seconds = time(device, round, || drop(from.clone().mul_scalar(1.25)))?;
    Ok(bytes / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_of_one_piece_of_work() {
        let device = Device::flex();
        let seconds = time(&device, Duration::from_millis(1), || std::thread::sleep(Duration::from_millis(2))).unwrap();
        assert!((0.002..0.02).contains(&seconds), "{seconds}");
        assert!(copy_bandwidth(&device, 4).unwrap() > 1e8);
    }
}
