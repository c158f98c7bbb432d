//! Rotary positions in plain tensor operations.

use super::{Heads, Rotated};
use crate::TokenBatch;
use crate::norm::rms_norm_reference;
use burn::tensor::{FloatDType, Tensor};

/// Rotates every head by its token's angles, on every back end and with gradients.
///
/// # Shapes
/// `x` `[tokens, heads, width]`, `cos` and `sin` `[tokens, 1, width / 2]` -> as `x`
pub fn rotate_reference(x: Tensor<3>, cos: &Tensor<3>, sin: &Tensor<3>) -> Tensor<3> {
    let half = x.dims()[2] / 2;
    let (left, right) = (x.clone().narrow(2, 0, half), x.narrow(2, half, half)); // [tokens, heads, half]
    let rotated_left = left.clone() * cos.clone() - right.clone() * sin.clone();
    let rotated_right = right * cos.clone() + left * sin.clone();
    Tensor::cat(vec![rotated_left, rotated_right], 2)
}

/// [`rotate_store`](super::rotate_store) on every back end, in 32 bits, with one write per token.
pub fn rotate_store_reference(
    qkv: Tensor<2>,
    heads: &Heads<'_>,
    batch: &TokenBatch,
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
        query = rms_norm_reference(query, of_queries, heads.epsilon);
        key = rms_norm_reference(key, of_keys, heads.epsilon);
    }
    let turns: Vec<Tensor<2>> =
        batch.positions().iter().map(|position| heads.angles.clone().narrow(0, *position, 1)).collect();
    let turns: Tensor<3> = Tensor::cat(turns, 0).unsqueeze_dim(1); // [tokens, 1, width]
    let half = heads.width / 2;
    let (cos, sin) = (turns.clone().narrow(2, 0, half), turns.narrow(2, half, half));
    let (query, key) = (rotate_reference(query, &cos, &sin).cast(dtype), rotate_reference(key, &cos, &sin));
    let write = |cache: Tensor<4>, new: &Tensor<3>, token: usize| {
        let (slot, position) = (batch.slots()[token], batch.positions()[token]);
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

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn a_quarter_turn_swaps_the_halves() {
        let device = Device::flex();
        let x = Tensor::<3>::from_floats([[[1.0, 2.0, 3.0, 4.0]]], &device);
        let cos = Tensor::<3>::from_floats([[[0.0, 1.0]]], &device);
        let sin = Tensor::<3>::from_floats([[[1.0, 0.0]]], &device);
        // Pair (1, 3) turns by 90 degrees to (-3, 1); pair (2, 4) stays.
        let rotated = rotate_reference(x, &cos, &sin).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(rotated, [-3.0, 2.0, 1.0, 4.0]);
    }
}
