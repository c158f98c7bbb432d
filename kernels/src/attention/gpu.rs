//! Attention of tokens over the cache, with grouped heads (Ainslie et al. 2023, section 2.2) and a running softmax (Dao
//! et al. 2022, "FlashAttention", section 3.1).
//!
//! # How the kernel divides the work
//! A cube has one token and up to [`QUERIES`] of the query heads that share a head of keys and values. It reads those keys and
//! values once, in the cache. It takes as many keys at a time as it has units:
//!
//! 1. each unit multiplies one key by all the queries, which are in shared memory;
//! 2. the cube finds the largest score of each query, and each unit turns its own into a weight;
//! 3. each unit sums one column of the weighted values over the keys. If the cube has more units than columns, several units
//!    share a column, and each takes a part of the keys.
//!
//! A short batch has fewer cubes than a GPU can run at once. So the keys are split in chunks as well, each with a maximum and a
//! sum of its own. A second launch joins them (Dao et al. 2023, "Flash-Decoding"). The number of chunks follows from the cache's
//! capacity and never from a sequence's length, so that every step has the same launches.

#![allow(
    clippy::too_many_arguments,
    clippy::assign_op_pattern,
    clippy::needless_range_loop,
    reason = "kernels take their operands one by one, and their language lacks these forms"
)]

use crate::TokenBatch;
use crate::gpu::{self as launch, dims, element, empty, units};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use cubecl::ir::ElemType;
use cubecl::prelude::*;
use std::ops::Range;

/// Query heads that a cube has at most: more queries need more registers than a unit has.
const QUERIES: usize = 8;

/// Units per cube, and so keys at a time. As many as the widest head has columns.
const UNITS: usize = super::WIDEST_HEAD;
/// A GPU runs about so many cubes at once; fewer leave a part of it idle.
const CUBES: usize = 128;
/// The fewest keys that are worth a cube.
const LEAST_CHUNK: usize = 256;
/// Smaller than any score. Some shading languages lack infinity.
const LEAST: f32 = -1.0e30;

#[backend_extension(Cube)]
pub trait AttendOps: Backend {
    fn attend(
        query: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        places: IntTensor<Self>,
        tokens: Range<usize>,
        window: Option<usize>,
    ) -> FloatTensor<Self>;
}

/// True if cubes are large enough for a head's width and enough of them can be started.
pub fn fits(query: &Tensor<3>, keys: &Tensor<4>, tokens: usize) -> bool {
    let ([_, heads, width], [_, kv_heads, _, _]) = (query.dims(), keys.dims());
    super::fits_kernel(width) && launch::fits(tokens) && launch::fits(kv_heads * (heads / kv_heads).div_ceil(QUERIES))
}

pub fn attend(
    query: Tensor<3>,
    keys: Tensor<4>,
    values: Tensor<4>,
    batch: &TokenBatch,
    tokens: Range<usize>,
    window: Option<usize>,
) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as AttendOps>::attend(
        query.into_dispatch(),
        keys.into_dispatch(),
        values.into_dispatch(),
        batch.on_device().into_dispatch(),
        tokens,
        window,
    ))
}

/// Each entry of `sums` becomes the sum, or the largest, of its row's, in the row's first place.
#[cube]
fn reduce(entries: &mut Shared<[f32]>, #[comptime] rows: usize, #[comptime] units: usize, #[comptime] largest: bool) {
    let me = UNIT_POS as usize;
    sync_cube();
    let mut step = comptime!(units / 2).runtime();
    while step > 0 {
        if me < step {
            #[unroll]
            for row in 0..rows {
                let a = entries[row * units + me];
                let b = entries[row * units + me + step];
                if comptime!(largest) {
                    entries[row * units + me] = max(a, b);
                } else {
                    entries[row * units + me] = a + b;
                }
            }
        }
        sync_cube();
        step = step / 2;
    }
}

/// Puts a cube's queries, scaled, in shared memory; zeros where the group does not fill the cube.
#[cube]
fn load_queries<F: Float>(
    query: &[F],
    scaled: &mut Shared<[f32]>,
    first_row: usize,
    part: u32,
    scale: f32,
    #[comptime] width: usize,
    #[comptime] group: usize,
    #[comptime] queries: usize,
    #[comptime] units: usize,
) {
    let mut e = UNIT_POS as usize;
    while e < comptime!(queries * width) {
        let in_group = part as usize * queries + e / width;
        let mut value = f32::new(0.0);
        if in_group < comptime!(group) {
            value = f32::cast_from(query[first_row * width + e]) * scale;
        }
        scaled[e] = value;
        e += units;
    }
}

/// The scores of one key for all the queries.
#[cube]
fn score_key<C: Float, N: Size>(
    keys: &[Vector<C, N>],
    scaled: &Shared<[f32]>,
    score: &mut Array<f32>,
    row: usize,
    #[comptime] width: usize,
    #[comptime] queries: usize,
    #[comptime] vector: usize,
) {
    #[unroll]
    for g in 0..queries {
        score[g] = f32::new(0.0);
    }
    for i in 0..comptime!(width / vector) {
        let k = Vector::<f32, N>::cast_from(keys[row + i]);
        #[unroll]
        for n in 0..vector {
            let number = k.extract(n);
            #[unroll]
            for g in 0..queries {
                score[g] += number * scaled[g * width + i * vector + n];
            }
        }
    }
}

/// Turns the scores of the keys into weights, relative to the largest score so far, and shrinks the sums to it (Dao et al. 2022,
/// section 3.1). `scratch` has the largest new score of each query in its first place.
#[cube]
fn fold_weights(
    scratch: &Shared<[f32]>,
    weights: &mut Shared<[f32]>,
    score: &Array<f32>,
    largest: &mut Array<f32>,
    total: &mut Array<f32>,
    mixed: &mut Array<f32>,
    here: bool,
    #[comptime] queries: usize,
    #[comptime] units: usize,
) {
    let me = UNIT_POS as usize;
    #[unroll]
    for g in 0..queries {
        let before = largest[g];
        let now = max(before, scratch[g * units]);
        let shrink = (before - now).exp();
        let mut weight = f32::new(0.0);
        if here {
            weight = (score[g] - now).exp();
        }
        total[g] = total[g] * shrink + weight;
        mixed[g] = mixed[g] * shrink;
        largest[g] = now;
        weights[g * units + me] = weight;
    }
}

/// Adds a unit's share of the weighted values of some keys: one column, of every `copies`-th key.
#[cube]
fn mix_values<C: Float>(
    values: &[C],
    weights: &Shared<[f32]>,
    mixed: &mut Array<f32>,
    start: usize,
    copy: usize,
    keys_here: usize,
    #[comptime] width: usize,
    #[comptime] queries: usize,
    #[comptime] units: usize,
) {
    let mut k = copy;
    while k < keys_here {
        let value = f32::cast_from(values[start + k * width]);
        #[unroll]
        for g in 0..queries {
            mixed[g] += weights[g * units + k] * value;
        }
        k += comptime!(units / width);
    }
}

/// One cube per token, per part of a group of heads, and per chunk of keys.
///
/// `partial` gets, for each query of each cube, the weighted sum of the values (`width` numbers), the sum of the
/// weights and the largest score; `out` the quotient where there is one chunk.
#[cube(launch_unchecked)]
fn attend_kernel<F: Float, C: Float, N: Size>(
    query: &[F],
    keys: &[Vector<C, N>],
    values: &[C],
    places: &[i32],
    partial: &mut [f32],
    out: &mut [F],
    tokens: u32,
    first: u32,
    kv_heads: u32,
    capacity: u32,
    chunk: u32,
    window: u32,
    scale: f32,
    #[comptime] width: usize,
    #[comptime] group: usize,
    #[comptime] queries: usize,
    #[comptime] units: usize,
    #[comptime] split: bool,
    #[comptime] vector: usize,
    #[define(F, C)] _dtypes: [ElemType; 2],
) {
    let me = UNIT_POS as usize;
    let parts = comptime!(group.div_ceil(queries) as u32);
    let row = CUBE_POS_X;
    let token = first + row;
    let kv_head = CUBE_POS_Y / parts;
    let part = CUBE_POS_Y - kv_head * parts;
    let slot = places[(tokens + token) as usize] as u32;
    let length = places[(2 * tokens + token) as usize] as u32 + 1;
    let end = min(CUBE_POS_Z * chunk + chunk, length);
    let begin = max(CUBE_POS_Z * chunk, length - min(length, window));
    let base = ((slot * kv_heads + kv_head) * capacity) as usize * width;

    let mut scaled = Shared::<[f32]>::new_slice(comptime!(queries * width));
    let head = kv_head * comptime!(group as u32) + part * comptime!(queries as u32);
    let first_row = (token * kv_heads * comptime!(group as u32) + head) as usize;
    load_queries::<F>(query, &mut scaled, first_row, part, scale, width, group, queries, units);

    let mut scratch = Shared::<[f32]>::new_slice(comptime!(queries * units));
    let mut weights = Shared::<[f32]>::new_slice(comptime!(queries * units));
    let mut largest = Array::<f32>::new(queries);
    let mut total = Array::<f32>::new(queries);
    let mut mixed = Array::<f32>::new(queries);
    let mut score = Array::<f32>::new(queries);
    #[unroll]
    for g in 0..queries {
        largest[g] = f32::new(LEAST);
        total[g] = f32::new(0.0);
        mixed[g] = f32::new(0.0);
    }
    // Units beyond a whole number of columns have none.
    let copies = comptime!(units / width);
    let copy = me / width;
    let column = me - copy * width;
    sync_cube();

    let mut at = begin;
    while at < end {
        let key = at + UNIT_POS;
        let here = key < end;
        if here {
            let row = (base + key as usize * width) / vector;
            score_key::<C, N>(keys, &scaled, &mut score, row, width, queries, vector);
        } else {
            #[unroll]
            for g in 0..queries {
                score[g] = f32::new(LEAST);
            }
        }
        #[unroll]
        for g in 0..queries {
            scratch[g * units + me] = score[g];
        }
        reduce(&mut scratch, queries, units, true);
        fold_weights(&scratch, &mut weights, &score, &mut largest, &mut total, &mut mixed, here, queries, units);
        sync_cube();
        if copy < copies {
            let keys_here = min(comptime!(units as u32), end - at) as usize;
            let start = base + at as usize * width + column;
            mix_values::<C>(values, &weights, &mut mixed, start, copy, keys_here, width, queries, units);
        }
        at += comptime!(units as u32);
    }

    #[unroll]
    for g in 0..queries {
        scratch[g * units + me] = total[g];
    }
    reduce(&mut scratch, queries, units, false);
    // All have read the weights by now: their place is free for the columns' sums.
    #[unroll]
    for g in 0..queries {
        weights[g * units + me] = mixed[g];
    }
    sync_cube();
    if me < width {
        #[unroll]
        for g in 0..queries {
            let mut sum = f32::new(0.0);
            #[unroll]
            for c in 0..copies {
                sum += weights[g * units + c * width + me];
            }
            if comptime!(split) {
                let cube = (row * CUBE_COUNT_Y + CUBE_POS_Y) * CUBE_COUNT_Z + CUBE_POS_Z;
                let place = (cube as usize * queries + g) * comptime!(width + 2);
                partial[place + me] = sum;
                if me == 0 {
                    partial[place + width] = scratch[g * units];
                    partial[place + comptime!(width + 1)] = largest[g];
                }
            } else if part as usize * queries + g < comptime!(group) {
                let row = (row * kv_heads * comptime!(group as u32) + head) as usize + g;
                out[row * width + me] = F::cast_from(sum / scratch[g * units]);
            }
        }
    }
}

/// Joins the chunks: one cube per token and part of a group.
#[cube(launch_unchecked)]
fn join_kernel<F: Float>(
    partial: &[f32],
    out: &mut [F],
    chunks: u32,
    kv_heads: u32,
    #[comptime] width: usize,
    #[comptime] group: usize,
    #[comptime] queries: usize,
    #[comptime] units: usize,
    #[define(F)] _dtype: ElemType,
) {
    let parts = comptime!(group.div_ceil(queries) as u32);
    let kv_head = CUBE_POS_Y / parts;
    let part = CUBE_POS_Y - kv_head * parts;
    let head = kv_head * comptime!(group as u32) + part * comptime!(queries as u32);
    let cube = (CUBE_POS_X * CUBE_COUNT_Y + CUBE_POS_Y) * chunks;
    let mut e = UNIT_POS as usize;
    while e < comptime!(queries * width) {
        let g = e / width;
        if part as usize * queries + g < comptime!(group) {
            let mut largest = f32::new(LEAST);
            for c in 0..chunks {
                let place = ((cube + c) as usize * queries + g) * comptime!(width + 2);
                largest = max(largest, partial[place + comptime!(width + 1)]);
            }
            let mut sum = f32::new(0.0);
            let mut total = f32::new(0.0);
            for c in 0..chunks {
                let place = ((cube + c) as usize * queries + g) * comptime!(width + 2);
                let share = (partial[place + comptime!(width + 1)] - largest).exp();
                sum += partial[place + e - g * width] * share;
                total += partial[place + width] * share;
            }
            let row = (CUBE_POS_X * kv_heads * comptime!(group as u32) + head) as usize;
            out[row * width + e] = F::cast_from(sum / total);
        }
        e += units;
    }
}

impl AttendOps for CubeBackend {
    fn attend(
        query: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        places: IntTensor<Self>,
        range: Range<usize>,
        window: Option<usize>,
    ) -> FloatTensor<Self> {
        let (first, count) = (range.start, range.len());
        let (query, places) = (into_contiguous(query), into_contiguous(places));
        let (keys, values) = (into_contiguous(keys), into_contiguous(values));
        let [tokens, heads, width] = dims(&query);
        let [_, kv_heads, capacity, _] = dims(&keys);
        let group = heads / kv_heads;
        // As even as can be: nine heads are five and four, not eight and one.
        let queries = group.div_ceil(group.div_ceil(QUERIES));
        let parts = kv_heads * group.div_ceil(queries);
        let client = query.client.clone();
        let units = units(&client, UNITS);
        let chunks = (CUBES / (count * parts).max(1)).clamp(1, capacity.div_ceil(LEAST_CHUNK));
        let chunk = capacity.div_ceil(chunks).next_multiple_of(units);
        let chunks = capacity.div_ceil(chunk);
        let split = chunks > 1;
        let vector = if width.is_multiple_of(4) { 4 } else { 1 };
        let out = empty(&query, [count, heads * width], query.dtype);
        let partial = match split {
            true => empty(&query, [count * parts * chunks * queries * (width + 2)], DType::F32),
            false => empty(&query, [1], DType::F32), // not written
        };
        let (wide, types) = (CubeDim::new_1d(units as u32), [element(&query), element(&keys)]);
        // SAFETY: `TokenBatch` are within the cache, the caller says; all else follows from the shapes.
        unsafe {
            attend_kernel::launch_unchecked(
                &client,
                CubeCount::Static(count as u32, parts as u32, chunks as u32),
                wide,
                vector,
                query.clone().into_buffer_arg(),
                keys.into_buffer_arg(),
                values.into_buffer_arg(),
                places.into_buffer_arg(),
                partial.clone().into_buffer_arg(),
                out.clone().into_buffer_arg(),
                tokens as u32,
                first as u32,
                kv_heads as u32,
                capacity as u32,
                chunk as u32,
                window.unwrap_or(capacity).min(capacity) as u32,
                1.0 / (width as f32).sqrt(),
                width,
                group,
                queries,
                units,
                split,
                vector,
                types,
            );
            if split {
                join_kernel::launch_unchecked(
                    &client,
                    CubeCount::Static(count as u32, parts as u32, 1),
                    wide,
                    partial.into_buffer_arg(),
                    out.clone().into_buffer_arg(),
                    chunks as u32,
                    kv_heads as u32,
                    width,
                    group,
                    queries,
                    units,
                    types[0],
                );
            }
        }
        out
    }
}
