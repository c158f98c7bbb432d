//! Rotary positions (Su et al. 2021, "RoFormer", section 3.2.2), in the rotate-half form of the Hugging Face models.
//!
//! Elements `i` and `i + head_width / 2` of a head are one pair, turned by the position times the pair's frequency.
//! (The paper, and GGUF files of Llama models, pair neighbours `2i` and `2i + 1`; the loader has undone that.)

use burn::tensor::Tensor;

/// Turns every head by its token's angles.
///
/// # Shapes
/// `x` `[tokens, heads, head_width]`, `cos` and `sin` `[tokens, 1, head_width / 2]` -> as `x`
pub(crate) fn rotate(x: Tensor<3>, cos: &Tensor<3>, sin: &Tensor<3>) -> Tensor<3> {
    let [_, _, width] = x.dims();
    let left = x.clone().narrow(2, 0, width / 2);
    let right = x.narrow(2, width / 2, width / 2); // [tokens, heads, head_width / 2]
    let turned_left = left.clone() * cos.clone() - right.clone() * sin.clone();
    let turned_right = right * cos.clone() + left * sin.clone();
    Tensor::cat(vec![turned_left, turned_right], 2)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::rotate;

    #[test]
    fn a_quarter_turn_swaps_the_halves() {
        let device = Device::flex();
        let x = Tensor::<3>::from_floats([[[1.0, 2.0, 3.0, 4.0]]], &device);
        let cos = Tensor::<3>::from_floats([[[0.0, 1.0]]], &device);
        let sin = Tensor::<3>::from_floats([[[1.0, 0.0]]], &device);
        // Pair (1, 3) turns by 90 degrees to (-3, 1); pair (2, 4) stays.
        let turned = rotate(x, &cos, &sin).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(turned, [-3.0, 2.0, 1.0, 4.0]);
    }
}
