//! New tokens rotated into a cache, their attention over it, and copies within it.

use super::{CheckError, Devices, Numbers, Outcome, Tally, compare, floats_of, upload};
use crate::TokenBatch;
use crate::attention::{attend, attend_reference};
use crate::cache_copy::{copy_positions, copy_positions_reference};
use crate::rotary::{Heads, Rotated, Rotation, angles, rotate_store, rotate_store_reference};
use burn::tensor::{Device, FloatDType, Tensor};
use std::ops::Range;

/// A cache, and where the tokens of a pass go.
#[derive(Clone, Debug)]
pub struct Case {
    /// Sequences of the cache.
    pub slots: usize,
    /// Positions of a slot.
    pub capacity: usize,
    /// Key heads.
    pub kv_heads: usize,
    /// Query heads per key head.
    pub group: usize,
    /// Numbers per head; even.
    pub width: usize,
    /// Slot and position of each token.
    pub places: Vec<(usize, usize)>,
    /// The most positions that a token attends to.
    pub window: Option<usize>,
}

impl Case {
    fn heads(&self) -> usize {
        self.kv_heads * self.group
    }

    fn columns(&self) -> usize {
        (self.heads() + 2 * self.kv_heads) * self.width
    }

    fn cache_shape(&self) -> [usize; 4] {
        [self.slots, self.kv_heads, self.capacity, self.width]
    }

    fn cache(&self, devices: &Devices, from: &mut Numbers, dtype: FloatDType) -> Result<Vec<f32>, CheckError> {
        devices.rounded(from, self.cache_shape().iter().product(), 1.0, dtype)
    }

    fn batch(&self, device: &Device) -> TokenBatch {
        let (slots, positions): (Vec<_>, Vec<_>) = self.places.iter().copied().unzip();
        TokenBatch::new(&vec![0; slots.len()], &slots, &positions, device)
    }
}

/// Single tokens, and two of a draft.
pub(super) fn check(devices: &Devices, dtype: FloatDType) -> Result<Tally, CheckError> {
    let mut tally = Tally::within(3.0 * devices.rounding(dtype).max(devices.tolerances.products));
    let mut from = Numbers::new(93);
    for (kv_heads, group, width, extras) in [(2, 2, 16, true), (3, 3, 64, false)] {
        let places = vec![(2, 0), (0, 80), (1, 30), (1, 31)];
        let case = Case { slots: 4, capacity: 96, kv_heads, group, width, places, window: None };
        let name = format!("{} heads of {width}", case.heads());
        compare(&mut tally, &name, &rotated(devices, dtype, &case, [extras; 2], &mut from)?);
        compare(&mut tally, &name, &[attended(devices, dtype, &case, 0..4, 1.0, &mut from)?]);
        let windowed = Case { window: Some(20), ..case };
        let name = format!("{name} over the last 20 positions");
        compare(&mut tally, &name, &[attended(devices, dtype, &windowed, 0..4, 1.0, &mut from)?]);
    }
    Ok(tally)
}

/// Queries, keys and values after [`rotate_store`], with or without a bias and norms of heads. No two tokens may have one place.
///
/// # Errors
/// If a device fails.
pub fn rotated(
    devices: &Devices,
    dtype: FloatDType,
    case: &Case,
    [bias, norms]: [bool; 2],
    from: &mut Numbers,
) -> Result<[Outcome; 3], CheckError> {
    let (tokens, columns, width) = (case.places.len(), case.columns(), case.width);
    let qkv = devices.rounded(from, tokens * columns, 2.0, dtype)?;
    let (keys, values) = (case.cache(devices, from, dtype)?, case.cache(devices, from, dtype)?);
    let (bias_of, weights) = (from.floats(columns, 1.0), [from.floats(width, 2.0), from.floats(width, 2.0)]);
    let frequencies = (0..width / 2).map(|pair| 1e4f64.powf(-2.0 * pair as f64 / width as f64)).collect();
    let rotation = Rotation { frequencies, magnitude: 1.25 };
    let on = |device: &Device, dtype: FloatDType, reference: bool| {
        let bias_on = upload(&bias_of, [columns], device);
        let weights = [0, 1].map(|i: usize| upload(&weights[i], [width], device));
        let table = angles(case.capacity, &rotation, device);
        let heads = Heads {
            heads: case.heads(),
            kv_heads: case.kv_heads,
            width,
            bias: bias.then_some(&bias_on),
            norms: norms.then_some((&weights[0], &weights[1])),
            epsilon: 1e-6,
            angles: &table,
        };
        let cache = |values: &[f32]| -> Tensor<4> { upload(values, case.cache_shape(), device).cast(dtype) };
        let qkv = upload(&qkv, [tokens, columns], device).cast(dtype);
        let rotate = if reference { rotate_store_reference } else { rotate_store };
        let Rotated { query, keys, values } = rotate(qkv, &heads, &case.batch(device), cache(&keys), cache(&values));
        Ok::<_, CheckError>([floats_of(device, query)?, floats_of(device, keys)?, floats_of(device, values)?])
    };
    let [query, keys, values] = on(&devices.device, dtype, false)?;
    let [wanted_query, wanted_keys, wanted_values] = on(&devices.reference, FloatDType::F32, true)?;
    Ok([
        Outcome::new("query", query, wanted_query),
        Outcome::new("keys", keys, wanted_keys),
        Outcome::new("values", values, wanted_values),
    ])
}

/// The attention of some tokens of the pass, with queries of this size.
///
/// # Errors
/// If a device fails.
pub fn attended(
    devices: &Devices,
    dtype: FloatDType,
    case: &Case,
    tokens: Range<usize>,
    size: f32,
    from: &mut Numbers,
) -> Result<Outcome, CheckError> {
    let shape = [case.places.len(), case.heads(), case.width];
    let query = devices.rounded(from, shape.iter().product(), size, dtype)?;
    let (keys, values) = (case.cache(devices, from, dtype)?, case.cache(devices, from, dtype)?);
    let on = |device: &Device, dtype: FloatDType, reference: bool| {
        let cache = |values: &[f32]| -> Tensor<4> { upload(values, case.cache_shape(), device).cast(dtype) };
        let query = upload(&query, shape, device).cast(dtype);
        let run = if reference { attend_reference } else { attend };
        floats_of(device, run(query, cache(&keys), cache(&values), &case.batch(device), tokens.clone(), case.window))
    };
    let got = on(&devices.device, dtype, false)?;
    Ok(Outcome::new("attention", got, on(&devices.reference, FloatDType::F32, true)?))
}

/// Keys and values after these positions are copied from the first slot to the last.
///
/// # Errors
/// If a device fails.
pub fn copied(
    devices: &Devices,
    case: &Case,
    positions: Range<usize>,
    from: &mut Numbers,
) -> Result<[Outcome; 2], CheckError> {
    let dtype = FloatDType::F32;
    let (keys, values) = (case.cache(devices, from, dtype)?, case.cache(devices, from, dtype)?);
    let on = |device: &Device, reference: bool| {
        let copy = if reference { copy_positions_reference } else { copy_positions };
        let [keys, values] = [&keys, &values].map(|cache| upload(cache, case.cache_shape(), device));
        let (keys, values) = copy(keys, values, 0, case.slots - 1, positions.clone());
        Ok::<_, CheckError>([floats_of(device, keys)?, floats_of(device, values)?])
    };
    let ([keys, values], [wanted_keys, wanted_values]) = (on(&devices.device, false)?, on(&devices.reference, true)?);
    Ok([Outcome::new("keys", keys, wanted_keys), Outcome::new("values", values, wanted_values)])
}
