//! Each kernel against its unfused reference on one device, and against the device's measured copy bandwidth.
//!
//! ```text
//! cargo bench -p gramask-benches --features wgpu --bench kernels -- --device wgpu:0 --batch 1,64 --vocab 49152,151936
//! ```
//!
//! `share` is the bytes that a kernel must move, over its time, as a share of the copy bandwidth: what is missing to 1 is
//! what could still be won. `unfused_us` is the same by Burn's own operations, one after the other.
//!
//! | option | what it is |
//! |---|---|
//! | `--device` | `flex`, `wgpu:N`, `cuda:N` |
//! | `--batch`, `--vocab` | rows, and columns of logits, with commas between |
//! | `--context` | cached positions in attention |
//! | `--kernels` | only those whose names begin so |
//! | `--round-ms` | how long a timed round takes |
//! | `--copy-mb` | size of the buffer that is copied |
//! | `--csv` | also write the rows to this file |
#![allow(missing_docs, reason = "a bench has no readers of its items")]
#![allow(clippy::print_stdout, reason = "the rows are its output")]

mod cases;

use std::error::Error;
use std::time::Duration;

use gramask_benches::{Options, Table, copy_bandwidth, digits, time};
use gramask_model::device::{DeviceName, list};

use cases::{Case, Sizes, cases};

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(&[
        ("device", "flex"),
        ("batch", "1,8,64"),
        ("vocab", "49152,151936"),
        ("context", "512"),
        ("kernels", ""),
        ("round-ms", "50"),
        ("copy-mb", "256"),
        ("csv", ""),
    ])?;
    let name: DeviceName = options.get("device").parse()?;
    let device = name.open()?;
    let adapter = list().present.into_iter().find(|info| info.device == name);
    let adapter = adapter.map_or(String::new(), |info| info.adapter.name);
    let copy = copy_bandwidth(&device, options.number("copy-mb")?)?;
    println!("{name} ({adapter}) copies {} GB/s", digits(copy / 1e9));

    let wanted: Vec<String> = options.list("kernels")?;
    let round = Duration::from_millis(options.number("round-ms")? as u64);
    let mut table = Table::new(&[
        "device",
        "adapter",
        "kernel",
        "batch",
        "shape",
        "us",
        "unfused_us",
        "speedup",
        "bytes",
        "gb_per_s",
        "copy_gb_per_s",
        "share",
    ]);
    let sizes = |batch: usize, vocabulary: usize| -> Result<Sizes, Box<dyn Error>> {
        Ok(Sizes { batch, vocabulary, context: options.number("context")? })
    };
    let mut seen = Vec::new();
    for vocabulary in options.list("vocab")? {
        for batch in options.list("batch")? {
            for case in cases(&device, sizes(batch, vocabulary)?)? {
                let Case { kernel, shape, bytes, fused, unfused } = case;
                let asked = wanted.is_empty() || wanted.iter().any(|name| kernel.starts_with(name));
                // What does not depend on the vocabulary is timed once.
                if !asked || seen.contains(&(kernel.clone(), shape.clone(), batch)) {
                    continue;
                }
                seen.push((kernel.clone(), shape.clone(), batch));
                let seconds = time(&device, round, fused)?;
                let other = unfused.map(|work| time(&device, round, work)).transpose()?;
                let line = table.add(&[
                    name.to_string(),
                    adapter.clone(),
                    kernel,
                    batch.to_string(),
                    shape,
                    digits(1e6 * seconds),
                    other.map_or(String::new(), |other| digits(1e6 * other)),
                    other.map_or(String::new(), |other| digits(other / seconds)),
                    bytes.to_string(),
                    digits(bytes as f64 / seconds / 1e9),
                    digits(copy / 1e9),
                    digits(bytes as f64 / seconds / copy),
                ]);
                println!("{line}");
                table.write(options.get("csv"))?;
            }
        }
    }
    Ok(())
}
