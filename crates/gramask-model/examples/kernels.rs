//! What each kernel is worth in a decoding step: `kernels MODEL DEVICE [WEIGHTS] [DTYPE] [BATCH] [CONTEXT] [STEPS]`.
//!
//! Times a step in plain tensor operations, with all kernels, with each of them switched off, and recorded and replayed.
//! Prints the fastest and the median of the steps, logits brought to the host as decoding does.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Instant;

use gramask_model::checkpoint::Checkpoint;
use gramask_model::device::DeviceName;
use gramask_model::transformer::{Dtype, Kernels, Precision, Row, Select, Transformer, WeightChoice, WeightType};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |n: usize| arguments.get(n).map(String::as_str);
    let usage = "usage: kernels MODEL DEVICE [WEIGHTS] [DTYPE] [BATCH] [CONTEXT] [STEPS]";
    let (path, device) = (given(0).ok_or(usage)?, given(1).ok_or(usage)?);
    let device = device.parse::<DeviceName>()?.open()?;
    let weights: WeightChoice = given(2).map_or(Ok(WeightType::F32.into()), str::parse)?;
    let dtype: Dtype = given(3).map_or(Ok(Dtype::F32), str::parse)?;
    let number = |n: usize, default: usize| given(n).map_or(Ok(default), str::parse);
    let (batch, context, steps) = (number(4, 1)?, number(5, 64)?, number(6, 16)?.max(1));

    let checkpoint = Checkpoint::open(path.as_ref())?;
    let precision = Precision::from(weights).with_dtype(dtype);
    let load = || Transformer::load(&checkpoint, &device, precision);
    println!("{precision}, batch {batch} after {context} tokens, {steps} steps");
    let all = Kernels::ALL;
    let without = [
        ("without norms", Kernels { norm: false, ..all }),
        ("without rotation", Kernels { rotary: false, ..all }),
        ("without attention", Kernels { attention: false, ..all }),
        ("without SwiGLU", Kernels { swiglu: false, ..all }),
        ("without products", Kernels { product: false, ..all }),
    ];
    time("tensor operations", &load()?.without_native_code(), [batch, context, steps])?;
    time("all kernels", &load()?.with_kernels(all), [batch, context, steps])?;
    for (name, kernels) in without {
        time(name, &load()?.with_kernels(kernels), [batch, context, steps])?;
    }
    let recorded = load()?.with_kernels(all).with_recorded_steps();
    time("all kernels, recorded", &recorded, [batch, context, steps])
}

fn time(name: &str, model: &Transformer, [batch, context, steps]: [usize; 3]) -> Result<(), Box<dyn Error>> {
    let mut cache = model.cache(batch, context + steps + 2)?;
    let prompt: Vec<u32> = (0..context).map(|i| (i * 7919 % model.config().vocabulary) as u32).collect();
    let row = Row { slot: 0, tokens: &prompt };
    model.forward(&mut cache, &[row], Select::Last)?.try_into_data()?;
    for slot in 1..batch {
        cache.copy(0, slot, context)?;
    }
    let rows: Vec<_> =
        (0..batch).map(|slot| Row { slot, tokens: &prompt[slot % context..slot % context + 1] }).collect();
    let mut times = Vec::with_capacity(steps);
    // The first compiles and tunes, and records.
    for step in 0..=steps {
        let start = Instant::now();
        model.forward(&mut cache, &rows, Select::Last)?.try_into_data()?;
        if step > 0 {
            times.push(start.elapsed().as_secs_f64());
        }
    }
    times.sort_by(f64::total_cmp);
    let (fastest, median) = (1e3 * times[0], 1e3 * times[times.len() / 2]);
    println!("  {name:22} {fastest:8.2} ms a step, median {median:8.2}");
    Ok(())
}
