//! Weights kept in blocks: a checkpoint whose tensors are blocks, and one that is rounded to blocks.

use std::path::Path;

use gramask_model::cache::Cache;
use gramask_model::checkpoint::{BlockType, Checkpoint, CheckpointError, TensorSource, dequantise};
use gramask_model::device::DeviceName;
use gramask_model::transformer::{LoadError, Row, Select, Transformer, WeightChoice, WeightType};
use half::f16;

fn open(name: &str) -> Checkpoint {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    Checkpoint::open(&folder).unwrap()
}

/// A source whose matrices are in blocks, of the type that `kind` says.
struct InBlocks {
    inner: Box<dyn TensorSource + Send + Sync>,
    kind: Kind,
}

/// The type of the blocks by tensor.
type Kind = fn(&str) -> BlockType;

impl InBlocks {
    /// Blocks near the tensor's values; that they are the nearest does not matter here.
    fn blocks(&self, name: &str) -> Option<(BlockType, Vec<u8>)> {
        let kind = (self.kind)(name);
        if self.inner.shape(name)?.len() != 2 || kind == BlockType::F32 {
            return None;
        }
        let mut bytes = Vec::new();
        for block in self.inner.read_f32(name).unwrap().chunks_exact(32) {
            let largest = block.iter().fold(0f32, |a, b| a.max(b.abs()));
            if kind == BlockType::Q8_0 {
                let d = f16::from_f32(largest / 127.0);
                bytes.extend(d.to_le_bytes());
                bytes.extend(block.iter().map(|w| (w / d.to_f32()).round() as i8 as u8));
            } else {
                let (d, m) = (f16::from_f32(largest / 7.5), f16::from_f32(-largest));
                bytes.extend(d.to_le_bytes().into_iter().chain(m.to_le_bytes()));
                let q = |w: f32| ((w - m.to_f32()) / d.to_f32()).round().clamp(0.0, 15.0) as u8;
                bytes.extend((0..16).map(|i| q(block[i]) | q(block[i + 16]) << 4));
            }
        }
        Some((kind, bytes))
    }
}

impl TensorSource for InBlocks {
    fn names(&self) -> Vec<String> {
        self.inner.names()
    }
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.inner.shape(name)
    }
    fn stored_as(&self, name: &str) -> Option<&'static str> {
        self.inner.shape(name).map(|_| (self.kind)(name).name())
    }
    fn read_f32(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        let mut data = self.inner.read_f32(name)?;
        if let Some((kind, bytes)) = self.blocks(name) {
            dequantise(kind, &bytes, &mut data);
        }
        Ok(data)
    }
    fn read_f16(&self, name: &str) -> Result<Vec<f16>, CheckpointError> {
        Ok(self.read_f32(name)?.into_iter().map(f16::from_f32).collect())
    }
    fn read_blocks(&self, name: &str) -> Option<(BlockType, Vec<u8>)> {
        self.blocks(name)
    }
}

/// Logits of a prompt of 40 tokens, and of one token after it.
fn logits(model: &Transformer) -> Vec<f32> {
    let mut cache = Cache::new(model.config(), 1, 64, model.device()).unwrap();
    let prompt: Vec<u32> = (0..40).map(|i| i * 37 % 264).collect();
    let mut run = |tokens: &[u32]| {
        let logits = model.forward(&mut cache, &[Row { slot: 0, tokens }], Select::All).unwrap();
        logits.into_data().try_to_vec::<f32>().unwrap()
    };
    [run(&prompt), run(&[5])].concat()
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn blocks_of_the_file_are_multiplied_as_they_are() {
    let device = DeviceName::Flex.open().unwrap();
    let kinds: [(Kind, f32); 4] = [
        (|_| BlockType::Q8_0, 1e-4),
        (
            |name| match name.contains("embed") {
                true => BlockType::Q8_0,
                false => BlockType::Q4_1,
            },
            1e-4,
        ),
        (|_| BlockType::F32, 1e-6),
        // Queries, keys and values differ, so that their product is kept in 16 bits.
        (
            |name| match name.contains("q_proj") {
                true => BlockType::Q4_1,
                false => BlockType::Q8_0,
            },
            0.05,
        ),
    ];
    for (number, (kind, tolerance)) in kinds.into_iter().enumerate() {
        let checkpoint = open("tiny-qwen3");
        let source = InBlocks { inner: checkpoint.tensors, kind };
        let mut last = None;
        let mut load = |weights: WeightChoice| {
            let progress = &mut |p: gramask_model::transformer::Progress| last = Some((p.loaded, p.total));
            Transformer::load_from(&checkpoint.config, &source, &device, weights, progress).unwrap()
        };
        let (stored, exact) = (load(WeightChoice::Stored), load(WeightType::F32.into()));
        let difference = difference(&logits(&stored), &logits(&exact));
        assert!(difference < tolerance, "{number}: {difference}");
        assert_eq!(stored.weights().to_string(), "file");
        let per_weight = stored.weight_bytes() as f64 / exact.weight_bytes() as f64 * 4.0;
        let expected = [1.0625..1.0626, 0.625..1.0, 4.0..4.01, 1.07..2.0][number].clone();
        assert!(expected.contains(&per_weight), "{number}: {per_weight} bytes per weight");
        assert_eq!(last.map(|(loaded, total)| loaded == total), Some(true), "{number}");
    }
}

#[test]
fn a_checkpoint_is_rounded_to_blocks() {
    let device = DeviceName::Flex.open().unwrap();
    let checkpoint = open("tiny-qwen3");
    let load = |kind| Transformer::load(&checkpoint, &device, kind).unwrap();
    let exact = logits(&load(WeightType::F32));
    let (eight, four) = (logits(&load(WeightType::Q8_0)), logits(&load(WeightType::Q4_1)));
    let (eight, four) = (difference(&eight, &exact), difference(&four, &exact));
    let largest = exact.iter().fold(0f32, |a, b| a.max(b.abs()));
    assert!(eight > 0.0 && eight < 0.05 * largest, "{eight} of {largest}");
    assert!(four > eight, "{four} and {eight}");
}

#[test]
fn rows_that_are_no_whole_number_of_blocks_name_the_tensor() {
    let device = DeviceName::Flex.open().unwrap();
    let error = Transformer::load(&open("tiny-llama"), &device, WeightType::Q8_0).unwrap_err();
    assert!(matches!(&error, LoadError::Weight { .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("down_proj.weight") && message.contains("rows of 48 values"), "{message}");
}
