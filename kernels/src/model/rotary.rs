//! From the product of queries, keys and values to rotated queries, and to keys and values in the cache.
//!
//! Bias (Qwen2), norms of heads (Qwen3) and rotation (Su et al. 2021, section 3.2.2, rotate-half form) all work within one
//! head of one token, and so does the write into the cache: one pass does all of it.

use super::Places;
use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};

/// How a row `[queries, keys, values]` is divided, and what is done to its heads.
#[derive(Clone, Debug)]
pub struct Heads<'a> {
    /// Query heads.
    pub heads: usize,
    /// Heads of keys, and of values.
    pub kv_heads: usize,
    /// Numbers per head; even.
    pub width: usize,
    /// Added to the row first. `[(heads + 2 * kv_heads) * width]`, f32
    pub bias: Option<&'a Tensor<1>>,
    /// RMSNorm weights of each head's queries and keys, before the rotation. `[width]` each, f32
    pub norms: Option<(&'a Tensor<1>, &'a Tensor<1>)>,
    /// Added to the mean square where heads are normalised.
    pub epsilon: f64,
    /// Cosines and sines by position, of [`angles`].
    pub angles: &'a Tensor<2>,
}

/// What [`rotate_store`] makes.
#[derive(Debug)]
pub struct Rotated {
    /// `[tokens, heads, width]`
    pub query: Tensor<3>,
    /// The cache's keys with those of the pass. `[slots, kv_heads, capacity, width]`
    pub keys: Tensor<4>,
    /// The cache's values with those of the pass.
    pub values: Tensor<4>,
}

/// A table of the cosines, then the sines, of each position times each frequency: computed in 64 bits, since at position
/// 8000 the product in 32 bits is off by up to 5e-4.
///
/// # Shapes
/// `frequencies` has `width / 2` -> `[positions, width]`, f32
pub fn angles(positions: usize, frequencies: &[f64], device: &Device) -> Tensor<2> {
    let table: Vec<f32> = (0..positions)
        .flat_map(|position| {
            let angle = move |f: &f64| position as f64 * f;
            let cos = frequencies.iter().map(move |f| angle(f).cos() as f32);
            cos.chain(frequencies.iter().map(move |f| angle(f).sin() as f32))
        })
        .collect();
    // In one dimension, so that no device spaces the rows out.
    let data = TensorData::new(table, [positions * 2 * frequencies.len()]);
    Tensor::<1>::from_data(data, (device, DType::F32)).reshape([positions, 2 * frequencies.len()])
}

/// Rotates queries and keys by their tokens' positions and writes keys and values to their places in the cache, in place
/// where nobody else holds it.
///
/// # Shapes
/// - `qkv`: `[tokens, (heads + 2 * kv_heads) * width]`, any float type, which is the result's
/// - `keys`, `values`: `[slots, kv_heads, capacity, width]`, one float type; every place is within
pub fn rotate_store(qkv: Tensor<2>, heads: &Heads<'_>, places: &Places, keys: Tensor<4>, values: Tensor<4>) -> Rotated {
    #[cfg(feature = "gpu")]
    if super::has_kernels(&qkv.device()) {
        return cube::rotate_store(qkv, heads, places, keys, values);
    }
    rotate_store_reference(qkv, heads, places, keys, values)
}

/// The same in plain tensor operations, in 32 bits, with a write for each token.
pub fn rotate_store_reference(
    qkv: Tensor<2>,
    heads: &Heads<'_>,
    places: &Places,
    mut keys: Tensor<4>,
    mut values: Tensor<4>,
) -> Rotated {
    let (tokens, dtype) = (qkv.dims()[0], qkv.dtype());
    let (wide, narrow) = (heads.heads * heads.width, heads.kv_heads * heads.width);
    let mut qkv = qkv.cast(FloatDType::F32);
    if let Some(bias) = heads.bias {
        qkv = qkv + bias.clone().unsqueeze();
    }
    let part = |start: usize, length: usize| -> Tensor<3> {
        let part = qkv.clone().narrow(1, start, length);
        part.reshape([tokens, length / heads.width, heads.width])
    };
    let (mut query, mut key, value) = (part(0, wide), part(wide, narrow), part(wide + narrow, narrow));
    if let Some((of_queries, of_keys)) = heads.norms {
        query = normalised(query, of_queries, heads.epsilon);
        key = normalised(key, of_keys, heads.epsilon);
    }
    let turns: Vec<Tensor<2>> =
        places.positions().iter().map(|position| heads.angles.clone().narrow(0, *position, 1)).collect();
    let turns: Tensor<3> = Tensor::cat(turns, 0).unsqueeze_dim(1); // [tokens, 1, width]
    let (query, key) = (turned(query, &turns).cast(dtype), turned(key, &turns));
    let write = |cache: Tensor<4>, new: &Tensor<3>, token: usize| {
        let (slot, position) = (places.slots()[token], places.positions()[token]);
        let new = new.clone().narrow(0, token, 1).cast(cache.dtype());
        let place = [slot..slot + 1, 0..heads.kv_heads, position..position + 1, 0..heads.width];
        cache.slice_assign(place, new.reshape([1, heads.kv_heads, 1, heads.width]))
    };
    for token in 0..tokens {
        keys = write(keys, &key, token);
        values = write(values, &value, token);
    }
    Rotated { query, keys, values }
}

/// `x` `[tokens, heads, width]`, `weight` `[width]` -> as `x`
fn normalised(x: Tensor<3>, weight: &Tensor<1>, epsilon: f64) -> Tensor<3> {
    let mean = x.clone().square().mean_dim(2);
    x * mean.add_scalar(epsilon).sqrt().recip() * weight.clone().unsqueeze()
}

/// `x` `[tokens, heads, width]`, `turns` `[tokens, 1, width]` -> as `x`
fn turned(x: Tensor<3>, turns: &Tensor<3>) -> Tensor<3> {
    let half = x.dims()[2] / 2;
    let (cos, sin) = (turns.clone().narrow(2, 0, half), turns.clone().narrow(2, half, half));
    let (left, right) = (x.clone().narrow(2, 0, half), x.narrow(2, half, half));
    let turned_left = left.clone() * cos.clone() - right.clone() * sin.clone();
    Tensor::cat(vec![turned_left, right * cos + left * sin], 2)
}

#[cfg(feature = "gpu")]
mod cube {
    use super::super::launch::{cubes, dims, element, empty, owned, units};
    use super::{Heads, Places, Rotated};
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
        places: &Places,
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
            places.on_device().into_dispatch(),
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
            let mut sums = Shared::<[f32]>::new_slice(units);
            let me = UNIT_POS as usize;
            sums[me] = sum;
            sync_cube();
            let mut step = comptime!(units / 2).runtime();
            while step > 0 {
                if me < step {
                    sums[me] = sums[me] + sums[me + step];
                }
                sync_cube();
                step = step / 2;
            }
            scale = (sums[0] / comptime!((2 * half) as f32) + epsilon).inverse_sqrt();
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
            // SAFETY: `Places` are within the cache and the table, the caller says; all else follows from the shapes.
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
}
