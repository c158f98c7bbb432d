//! The kernels with operands to run on. A new kernel gets a function here, and a line in [`cases`].

use std::error::Error;

use burn::tensor::{DType, Device, Distribution, Tensor};
use gramask_kernels::{
    KernelError, Weight, WeightType, decode_attention, decode_attention_reference, linear, linear_reference,
};

/// A kernel on operands of some size.
pub struct Case {
    pub kernel: String,
    /// The sizes that its time depends on, the batch aside.
    pub shape: String,
    /// What it must read and write, in bytes.
    pub bytes: usize,
    pub fused: Box<dyn FnMut()>,
    /// The same by Burn's operations, where there is such a way.
    pub unfused: Option<Box<dyn FnMut()>>,
}

#[derive(Clone, Copy)]
pub struct Sizes {
    pub batch: usize,
    pub vocabulary: usize,
    pub context: usize,
}

/// All kernels at these sizes; those that the device lacks are left out.
pub fn cases(device: &Device, sizes: Sizes) -> Result<Vec<Case>, Box<dyn Error>> {
    let mut all = Vec::new();
    for kind in [WeightType::F32, WeightType::F16, WeightType::Q8_0, WeightType::Q4_1] {
        // A feed-forward product of SmolLM2-135M.
        all.extend(product(device, kind, sizes.batch, [3072, 576])?);
    }
    // Its head, or that of a larger vocabulary.
    all.extend(product(device, WeightType::F16, sizes.batch, [sizes.vocabulary, 576])?);
    all.push(attention(device, sizes));
    Ok(all)
}

fn random<const D: usize>(device: &Device, shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), (device, DType::F32))
}

fn product(
    device: &Device,
    kind: WeightType,
    batch: usize,
    [out, input]: [usize; 2],
) -> Result<Option<Case>, Box<dyn Error>> {
    let values = (0..out * input).map(|i| (i % 997) as f32 / 997.0 - 0.5).collect();
    let weight = match Weight::new(values, out, input, kind, device) {
        Ok(weight) => weight,
        Err(KernelError::Unsupported { .. }) => return Ok(None),
        Err(error) => return Err(error.to_string().into()),
    };
    let x = random(device, [batch, input]);
    let bytes = weight.bytes() + 4 * batch * (input + out);
    let (other_weight, other_x) = (weight.clone(), x.clone());
    Ok(Some(Case {
        kernel: format!("linear_{kind}"),
        shape: format!("{out}x{input}"),
        bytes,
        fused: Box::new(move || drop(linear(x.clone(), &weight))),
        unfused: Some(Box::new(move || drop(linear_reference(other_x.clone(), &other_weight)))),
    }))
}

/// One new token of each sequence over a full context, with SmolLM2-135M's heads.
fn attention(device: &Device, sizes: Sizes) -> Case {
    let Sizes { batch, context, .. } = sizes;
    let (heads, kv_heads, dim) = (9, 3, 64);
    let q = random(device, [batch, heads, dim]);
    let keys = random(device, [batch, kv_heads, context, dim]);
    let values = random(device, [batch, kv_heads, context, dim]);
    let (lengths, slots) = (vec![context; batch], (0..batch).collect::<Vec<_>>());
    let bytes = 4 * batch * (2 * kv_heads * context * dim + 2 * heads * dim);
    let fused = {
        let (q, keys, values, lengths, slots) =
            (q.clone(), keys.clone(), values.clone(), lengths.clone(), slots.clone());
        move || {
            drop(decode_attention(
                q.clone(),
                keys.clone(),
                values.clone(),
                &lengths,
                &slots,
            ))
        }
    };
    let unfused = move || {
        let done = decode_attention_reference(q.clone(), keys.clone(), values.clone(), &lengths, &slots);
        drop(done);
    };
    Case {
        kernel: "decode_attention".into(),
        shape: format!("{heads}/{kv_heads} heads of {dim}, {context} positions"),
        bytes,
        fused: Box::new(fused),
        unfused: Some(Box::new(unfused)),
    }
}
