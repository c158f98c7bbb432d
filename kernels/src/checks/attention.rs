//! Attention of new tokens of several sequences, one of them with several, over caches of different lengths.

use super::{CheckError, Devices, KernelCheck, Numbers, Tally, floats_of, upload};
use crate::attention::{Span, decode_attention};
use burn::tensor::Device;

pub(super) fn checks() -> Vec<KernelCheck> {
    vec![KernelCheck::new("decode attention, grouped heads, ragged cache", check)]
}

fn check(devices: &Devices) -> Result<Tally, CheckError> {
    let mut tally = Tally::within(devices.tolerances.products);
    let (slots_all, capacity) = (5usize, if devices.quick { 96 } else { 320 });
    for (heads, kv_heads, dim) in [(4, 2, 16), (9, 3, 64)] {
        // One token in a new slot, one far on, three of a draft, one at the end.
        let (lengths, slots) = ([1, capacity - 7, 40, 41, 42, capacity], [3, 0, 1, 1, 1, 4]);
        let spans: Vec<Span> = slots.into_iter().zip(lengths).map(|(slot, length)| Span::new(slot, length)).collect();
        let mut numbers = Numbers::new(dim as u64);
        let q = numbers.floats(lengths.len() * heads * dim, 2.0);
        let keys = numbers.floats(slots_all * kv_heads * capacity * dim, 1.0);
        let values = numbers.floats(slots_all * kv_heads * capacity * dim, 1.0);
        let shape = [slots_all, kv_heads, capacity, dim];
        let on = |device: &Device| {
            let q = upload(&q, [lengths.len(), heads, dim], device);
            let (keys, values) = (upload(&keys, shape, device), upload(&values, shape, device));
            floats_of(device, decode_attention(q, keys, values, &spans)?)
        };
        let what = format!("{heads} heads over {kv_heads} of width {dim}, ");
        tally.compare_all(&what, &on(&devices.device)?, &on(&devices.reference)?);
    }
    Ok(tally)
}
