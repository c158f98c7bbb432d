//! The kernels with operands to run on. A new kernel gets a function here, and a line in [`cases`].

use std::error::Error;
use std::rc::Rc;

use burn::tensor::{DType, Device, Distribution, FloatDType, Int, Tensor};
use gramask_kernels::attention::{Span, decode_attention, decode_attention_reference};
use gramask_kernels::linear::{linear_as, linear_as_reference, linear_reference};
use gramask_kernels::norm::{Norm, add_norm, add_norm_reference};
use gramask_kernels::sampling::{
    Draw, MaskRow, MaskTable, Masks, Sampling, mask_argmax, mask_softmax_sample, reference,
};
use gramask_kernels::swiglu::{Gate, gated, gated_reference};
use gramask_kernels::verify_draft::verify_draft;
use gramask_kernels::{KernelError, Weight, WeightType, linear};
use gramask_model::device::is_flex;

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
    for kind in WeightType::ALL {
        // A feed-forward product of SmolLM2-135M.
        all.extend(weighted(device, false, kind, sizes.batch, [3072, 576])?);
    }
    // Its head, or that of a larger vocabulary.
    let head = [sizes.vocabulary, 576];
    all.extend(weighted(device, false, WeightType::F16, sizes.batch, head)?);
    all.push(attention(device, sizes));
    all.extend(choices(device, sizes)?);
    if !is_flex(device) {
        all.extend(around(device, sizes.batch));
        for kind in WeightType::ALL {
            all.extend(weighted(device, true, kind, sizes.batch, [3072, 576])?);
        }
    }
    Ok(all)
}

/// Tokens chosen under masks that lie in a table on the device, of half of the tokens each.
fn choices(device: &Device, sizes: Sizes) -> Result<Vec<Case>, Box<dyn Error>> {
    let Sizes { batch, vocabulary, .. } = sizes;
    let words = vocabulary.div_ceil(32);
    let masks: Vec<Vec<u32>> = (0..batch as u32)
        .map(|row| (0..words as u32).map(|word| (word ^ row).wrapping_mul(0x9E37_79B9)).collect())
        .collect();
    let mut table = MaskTable::new(batch, vocabulary, device);
    let rows: Vec<MaskRow> = table.rows(masks.iter().map(|mask| Some(mask.as_slice())))?;
    let table = Rc::new(table);
    let logits = random(device, [batch, vocabulary]);
    // Logits and masks once, and some words back.
    let bytes = batch * (4 * vocabulary + 4 * words);
    let shape = format!("{vocabulary}");
    let sampling = Sampling::at(1.0, 1);
    let draws: Vec<Draw> = (0..batch as u64).map(|document| Draw { document, position: 3 }).collect();
    let mut cases = Vec::new();
    {
        let (fused, plain) =
            ((logits.clone(), table.clone(), rows.clone()), (logits.clone(), table.clone(), rows.clone()));
        cases.push(Case {
            kernel: "mask_argmax".into(),
            shape: shape.clone(),
            bytes,
            fused: Box::new(move || drop(mask_argmax(fused.0.clone(), Masks::Table(&fused.1, &fused.2)))),
            unfused: Some(Box::new(move || {
                drop(reference::mask_argmax(plain.0.clone(), Masks::Table(&plain.1, &plain.2)));
            })),
        });
    }
    for (kernel, sampling) in [
        ("mask_softmax_sample", sampling),
        ("mask_softmax_sample_top_k_top_p", Sampling { top_k: 50, top_p: 0.9, ..sampling }),
    ] {
        let (fused, plain) =
            ((logits.clone(), table.clone(), rows.clone()), (logits.clone(), table.clone(), rows.clone()));
        let (draws, same) = (draws.clone(), draws.clone());
        cases.push(Case {
            kernel: kernel.into(),
            shape: shape.clone(),
            bytes,
            fused: Box::new(move || {
                let masks = Masks::Table(&fused.1, &fused.2);
                drop(mask_softmax_sample(fused.0.clone(), masks, &sampling, &draws));
            }),
            unfused: Some(Box::new(move || {
                let masks = Masks::Table(&plain.1, &plain.2);
                drop(reference::mask_softmax_sample(plain.0.clone(), masks, &sampling, &same));
            })),
        });
    }
    let drafts: Vec<Vec<u32>> = (0..batch).map(|_| (0..7).collect()).collect();
    let tokens = Tensor::<1, Int>::arange(0..8 * batch as i64, device);
    cases.push(Case {
        kernel: "verify_draft".into(),
        shape: "7 tokens each".into(),
        bytes: batch * 4 * (8 + 9 + 2),
        fused: Box::new(move || {
            let drafts: Vec<&[u32]> = drafts.iter().map(Vec::as_slice).collect();
            drop(verify_draft(tokens.clone(), &drafts));
        }),
        unfused: None,
    });
    Ok(cases)
}

/// What stands around the products of SmolLM2-135M's layers.
fn around(device: &Device, batch: usize) -> [Case; 2] {
    let (width, hidden) = (576, 1536);
    let (stream, delta, weight) =
        (random(device, [batch, width]), random(device, [batch, width]), random(device, [width]));
    let norm = |fused: bool| -> Box<dyn FnMut()> {
        let (stream, delta, weight) = (stream.clone(), delta.clone(), weight.clone());
        Box::new(move || {
            let norm = Norm { weight: &weight, epsilon: 1e-5, dtype: FloatDType::F32 };
            let add = if fused { add_norm } else { add_norm_reference };
            drop(add(stream.clone(), Some(delta.clone()), &norm));
        })
    };
    let gate_up = random(device, [batch, 2 * hidden]);
    let gates = |fused: bool| -> Box<dyn FnMut()> {
        let gate_up = gate_up.clone();
        let run = if fused { gated } else { gated_reference };
        Box::new(move || drop(run(gate_up.clone(), Gate::Silu)))
    };
    [
        Case {
            kernel: "add_norm".into(),
            shape: format!("{width}"),
            bytes: 4 * (4 * batch * width + width),
            fused: norm(true),
            unfused: Some(norm(false)),
        },
        Case {
            kernel: "swiglu".into(),
            shape: format!("{hidden}"),
            bytes: 4 * 3 * batch * hidden,
            fused: gates(true),
            unfused: Some(gates(false)),
        },
    ]
}

fn random<const D: usize>(device: &Device, shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), (device, DType::F32))
}

/// A product: `linear` for any number of rows, or `product`, the kernel for few.
fn weighted(
    device: &Device,
    few: bool,
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
    let (other, other_x) = (weight.clone(), x.clone());
    let fused: Box<dyn FnMut()> = match few {
        true => Box::new(move || drop(linear_as(x.clone(), &weight, FloatDType::F32))),
        false => Box::new(move || drop(linear(x.clone(), &weight))),
    };
    let unfused: Box<dyn FnMut()> = match few {
        true => Box::new(move || drop(linear_as_reference(other_x.clone(), &other, FloatDType::F32))),
        false => Box::new(move || drop(linear_reference(other_x.clone(), &other))),
    };
    Ok(Some(Case {
        kernel: format!("{}_{kind}", if few { "product" } else { "linear" }),
        shape: format!("{out}x{input}"),
        bytes,
        fused,
        unfused: Some(unfused),
    }))
}

/// One new token of each sequence over a full context, with SmolLM2-135M's heads.
fn attention(device: &Device, sizes: Sizes) -> Case {
    let Sizes { batch, context, .. } = sizes;
    let (heads, kv_heads, dim) = (9, 3, 64);
    let q = random(device, [batch, heads, dim]);
    let keys = random(device, [batch, kv_heads, context, dim]);
    let values = random(device, [batch, kv_heads, context, dim]);
    let spans: Vec<Span> = (0..batch).map(|slot| Span::new(slot, context)).collect();
    let bytes = 4 * batch * (2 * kv_heads * context * dim + 2 * heads * dim);
    let fused = {
        let (q, keys, values, spans) = (q.clone(), keys.clone(), values.clone(), spans.clone());
        move || drop(decode_attention(q.clone(), keys.clone(), values.clone(), &spans))
    };
    let unfused = move || {
        drop(decode_attention_reference(q.clone(), keys.clone(), values.clone(), &spans));
    };
    Case {
        kernel: "decode_attention".into(),
        shape: format!("{heads}/{kv_heads} heads of {dim}, {context} positions"),
        bytes,
        fused: Box::new(fused),
        unfused: Some(Box::new(unfused)),
    }
}
