//! Block formats against the numpy implementation of the `gguf` package, bit for bit.
#![allow(clippy::unwrap_used)]

use crate::checkpoint_common::fixture_json;
use gramask_model::checkpoint::{BlockType, dequantise};

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn every_type_agrees_with_the_reference() {
    let fixture = fixture_json("quants.json");
    for kind in BlockType::ALL {
        let case = &fixture[kind.name()];
        let blocks = unhex(case["blocks"].as_str().unwrap());
        let expected: Vec<f32> = unhex(case["weights"].as_str().unwrap())
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        assert_eq!(blocks.len() / kind.block_bytes() * kind.block_weights(), expected.len(), "{}", kind.name());
        let mut found = vec![f32::NAN; expected.len()];
        dequantise(kind, &blocks, &mut found);
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(found.to_bits(), expected.to_bits(), "{} weight {index}: {found} {expected}", kind.name());
        }
    }
}

#[test]
fn a_block_by_hand() {
    // Q4_1: d = 0.5, m = -1; byte 0 is 0x3a: weight 0 has quant 10, weight 16 has quant 3.
    let mut block = [0_u8; 20];
    block[..2].copy_from_slice(&half::f16::from_f32(0.5).to_le_bytes());
    block[2..4].copy_from_slice(&half::f16::from_f32(-1.0).to_le_bytes());
    block[4] = 0x3a;
    let mut weights = [0.0; 32];
    dequantise(BlockType::Q4_1, &block, &mut weights);
    assert_eq!((weights[0], weights[16], weights[1]), (4.0, 0.5, -1.0));
}

#[test]
fn codes_go_both_ways() {
    for kind in BlockType::ALL {
        assert_eq!(BlockType::from_code(kind.code()), Some(kind));
    }
    assert_eq!(BlockType::from_code(10), None);
}
