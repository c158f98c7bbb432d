//! Verification of drafts on the CPU back end.

use super::VerifyOps;
use crate::sampling::cpu::words;
use burn::tensor::TensorData;
use burn_flex::{Flex, FlexTensor};

impl VerifyOps for Flex {
    fn verify_rows(tokens: FlexTensor, drafts: FlexTensor) -> FlexTensor {
        let [batch, width] = [drafts.layout().shape()[0], drafts.layout().shape()[1]];
        let (tokens, drafts) = (words(&tokens), words(&drafts));
        let verified: Vec<i32> = drafts
            .chunks_exact(width)
            .flat_map(|row| {
                let (first, draft) = (row[0] as usize, &row[2..2 + row[1] as usize]);
                let agreeing = draft.iter().zip(&tokens[first..]).take_while(|(a, b)| a == b);
                let accepted = agreeing.count();
                [accepted as i32, tokens[first + accepted] as i32]
            })
            .collect();
        FlexTensor::from_data(TensorData::new(verified, [batch, 2]))
    }
}
