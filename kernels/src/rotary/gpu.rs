//! The rotation and the write into the cache on a GPU, in one launch.

#![allow(
    clippy::too_many_arguments,
    clippy::assign_op_pattern,
    clippy::needless_range_loop,
    reason = "kernels take their operands one by one, and their language lacks these forms"
)]

use super::{Heads, Rotated};
use crate::TokenBatch;
use crate::gpu::{cubes, dims, element, empty, owned, units};
use crate::norm::gpu::inverse_root_of_units;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use cubecl::ir::ElemType;
use cubecl::prelude::*;

#[backend_extension(Cube)]
pub trait RotaryOps: Backend {
    #[allow(clippy::too_many_arguments, reason = "operands of one kernel")]
    fn rotate_store(
        qkv: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        of_queries: FloatTensor<Self>,
        of_keys: FloatTensor<Self>,
        has: [bool; 2],
        angles: FloatTensor<Self>,
        places: IntTensor<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        heads: usize,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

pub fn rotate_store(
    qkv: Tensor<2>,
    heads: &Heads<'_>,
    batch: &TokenBatch,
    keys: Tensor<4>,
    values: Tensor<4>,
) -> Rotated {
    // What is not there is not read; anything may stand in its place.
    let handle = |tensor: Option<&Tensor<1>>| match tensor {
        Some(tensor) => tensor.clone().into_dispatch(),
        None => heads.angles.clone().into_dispatch(),
    };
    let (query, keys, values) = <Dispatch as RotaryOps>::rotate_store(
        qkv.into_dispatch(),
        handle(heads.bias),
        handle(heads.norms.map(|(of_queries, _)| of_queries)),
        handle(heads.norms.map(|(_, of_keys)| of_keys)),
        [heads.bias.is_some(), heads.norms.is_some()],
        heads.angles.clone().into_dispatch(),
        batch.on_device().into_dispatch(),
        keys.into_dispatch(),
        values.into_dispatch(),
        heads.heads,
        heads.epsilon,
    );
    Rotated {
        query: Tensor::from_dispatch(query),
        keys: Tensor::from_dispatch(keys),
        values: Tensor::from_dispatch(values),
    }
}

/// One cube per head of a token: query heads first, then keys, then values.
#[cube(launch_unchecked)]
fn rotate_store_kernel<F: Float, C: Float>(
    qkv: &[F],
    bias: &[f32],
    of_queries: &[f32],
    of_keys: &[f32],
    angles: &[f32],
    places: &[i32],
    keys: &mut [C],
    values: &mut [C],
    query: &mut [F],
    tokens: u32,
    heads: u32,
    kv_heads: u32,
    capacity: u32,
    epsilon: f32,
    #[comptime] half: u32,
    #[comptime] has_bias: bool,
    #[comptime] has_norms: bool,
    #[comptime] units: usize,
    #[define(F, C)] _dtypes: [ElemType; 2],
) {
    let all = heads + kv_heads + kv_heads;
    let number = CUBE_POS as u32;
    if number >= tokens * all {
        terminate!();
    }
    let token = number / all;
    let head = number - token * all;
    let base = number * (2 * half);
    let in_row = head * (2 * half);
    let is_query = head < heads;
    let is_value = head >= heads + kv_heads;

    let mut scale = f32::new(1.0);
    if comptime!(has_norms) {
        let mut sum = f32::new(0.0);
        let mut i = UNIT_POS;
        while i < half {
            let mut a = f32::cast_from(qkv[(base + i) as usize]);
            let mut b = f32::cast_from(qkv[(base + half + i) as usize]);
            if comptime!(has_bias) {
                a += bias[(in_row + i) as usize];
                b += bias[(in_row + half + i) as usize];
            }
            sum += a * a + b * b;
            i += comptime!(units as u32);
        }
        scale = inverse_root_of_units(sum, f32::cast_from(2 * half), epsilon, units);
    }

    let slot = places[(tokens + token) as usize] as u32;
    let position = places[(2 * tokens + token) as usize] as u32;
    let mut i = UNIT_POS;
    while i < half {
        let mut a = f32::cast_from(qkv[(base + i) as usize]);
        let mut b = f32::cast_from(qkv[(base + half + i) as usize]);
        if comptime!(has_bias) {
            a += bias[(in_row + i) as usize];
            b += bias[(in_row + half + i) as usize];
        }
        if is_value {
            let place = ((slot * kv_heads + head - heads - kv_heads) * capacity + position) * (2 * half) + i;
            values[place as usize] = C::cast_from(a);
            values[(place + half) as usize] = C::cast_from(b);
        } else {
            if comptime!(has_norms) {
                if is_query {
                    a = a * scale * of_queries[i as usize];
                    b = b * scale * of_queries[(half + i) as usize];
                } else {
                    a = a * scale * of_keys[i as usize];
                    b = b * scale * of_keys[(half + i) as usize];
                }
            }
            let turn = position * (2 * half) + i;
            let cos = angles[turn as usize];
            let sin = angles[(turn + half) as usize];
            let left = a * cos - b * sin;
            let right = b * cos + a * sin;
            if is_query {
                let place = (token * heads + head) * (2 * half) + i;
                query[place as usize] = F::cast_from(left);
                query[(place + half) as usize] = F::cast_from(right);
            } else {
                let place = ((slot * kv_heads + head - heads) * capacity + position) * (2 * half) + i;
                keys[place as usize] = C::cast_from(left);
                keys[(place + half) as usize] = C::cast_from(right);
            }
        }
        i += comptime!(units as u32);
    }
}

impl RotaryOps for CubeBackend {
    fn rotate_store(
        qkv: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        of_queries: FloatTensor<Self>,
        of_keys: FloatTensor<Self>,
        has: [bool; 2],
        angles: FloatTensor<Self>,
        places: IntTensor<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        heads: usize,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (qkv, angles, places) = (into_contiguous(qkv), into_contiguous(angles), into_contiguous(places));
        let (keys, values) = (owned(keys), owned(values));
        let [tokens, _] = dims(&qkv);
        let [_, kv_heads, capacity, width] = dims(&keys);
        let query = empty(&qkv, [tokens, heads, width], qkv.dtype);
        let client = qkv.client.clone();
        let units = units(&client, (width / 2).next_power_of_two().clamp(1, 256));
        let types = [element(&qkv), element(&keys)];
        let [has_bias, has_norms] = has;
        // SAFETY: `TokenBatch` are within the cache and the table, the caller says; all else follows from the shapes.
        unsafe {
            rotate_store_kernel::launch_unchecked(
                &client,
                cubes(tokens * (heads + 2 * kv_heads)),
                CubeDim::new_1d(units as u32),
                qkv.into_buffer_arg(),
                into_contiguous(bias).into_buffer_arg(),
                into_contiguous(of_queries).into_buffer_arg(),
                into_contiguous(of_keys).into_buffer_arg(),
                angles.into_buffer_arg(),
                places.into_buffer_arg(),
                keys.clone().into_buffer_arg(),
                values.clone().into_buffer_arg(),
                query.clone().into_buffer_arg(),
                tokens as u32,
                heads as u32,
                kv_heads as u32,
                capacity as u32,
                epsilon as f32,
                (width / 2) as u32,
                has_bias,
                has_norms,
                units,
                types,
            );
        }
        (query, keys, values)
    }
}
