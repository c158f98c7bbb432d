//! GGUF files: what the reader makes of files that another program wrote, and of files that are damaged.
#![allow(clippy::unwrap_used)]

use crate::checkpoint_common::{fixture, fixture_json, real_model};
use gramask_model::checkpoint::{Checkpoint, CheckpointError, Family, GgufFile, RopeScaling, TensorProblem, Yarn};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

/// A damaged copy of a fixture in a folder of its own.
struct Damaged {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn damaged(name: &str, damage: impl FnOnce(&mut Vec<u8>)) -> Damaged {
    let mut bytes = std::fs::read(fixture(name)).unwrap();
    damage(&mut bytes);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    Damaged { _folder: folder, path }
}

fn open_error(path: &Path) -> CheckpointError {
    Checkpoint::open(path).expect_err("the file is damaged")
}

/// Where some text ends in the file, its first occurrence.
fn end_of(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap() + text.len()
}

#[test]
fn models_of_every_family_read_as_they_were_written() {
    for (name, family, tied) in
        [("tiny-llama", Family::Llama, true), ("tiny-qwen2", Family::Qwen2, false), ("tiny-qwen3", Family::Qwen3, true)]
    {
        let checkpoint = Checkpoint::open(&fixture(&format!("{name}.gguf"))).unwrap();
        let config = &checkpoint.config;
        assert_eq!((config.family, config.tied_head), (family, tied));
        assert_eq!((config.layers, config.heads, config.kv_heads, config.hidden), (1, 4, 2, 64));
        assert_eq!((config.norm_epsilon, config.rope_theta, config.context), (1e-5, 100_000.0, 128));
        assert_eq!((config.qkv_bias, config.qk_norm), (family == Family::Qwen2, family == Family::Qwen3));
        let expected = fixture_json(&format!("{name}.json"));
        assert_eq!(checkpoint.tensors.names().len(), expected.as_object().unwrap().len());
        for (tensor, case) in expected.as_object().unwrap() {
            assert_eq!(checkpoint.tensors.stored_as(tensor), case["kind"].as_str(), "{tensor}");
            let shape = checkpoint.tensors.shape(tensor).unwrap();
            let weights = checkpoint.tensors.read_f32(tensor).unwrap();
            assert_eq!(weights.len(), shape.iter().product::<usize>());
            let halves = checkpoint.tensors.read_f16(tensor).unwrap();
            assert!(halves.iter().zip(&weights).all(|(half, &weight)| *half == half::f16::from_f32(weight)));
            let rows = case["rows"].as_array().unwrap();
            assert_eq!(weights.len() / shape.last().unwrap(), rows.len(), "{tensor}");
            for (row, (weights, sum)) in weights.chunks(*shape.last().unwrap()).zip(rows).enumerate() {
                let found: f64 = weights.iter().zip(1..).map(|(&weight, n)| f64::from(weight) * f64::from(n)).sum();
                assert!((found - sum.as_f64().unwrap()).abs() < 1e-5, "{tensor} row {row}: {found} {sum}");
            }
        }
    }
}

#[test]
fn divisors_of_the_frequencies_are_part_of_the_configuration() {
    let config = |name: &str| Checkpoint::open(&fixture(name)).unwrap().config;
    let divisors: Vec<f32> = (0..16_u8).map(|index| 1.0 + f32::from(index) / 2.0).collect();
    assert_eq!(config("tiny-llama.gguf").rope_scaling, Some(RopeScaling::Divisors(divisors)));
    assert_eq!(config("tiny-qwen3.gguf").rope_scaling, None);
    let frequencies = config("tiny-llama.gguf").rotation(0).frequencies;
    assert!((frequencies[8] - 100_000_f64.powf(-0.5) / 5.0).abs() < 1e-9);
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let copy = damaged("tiny-qwen3.gguf", |_| {});
    let whole = std::fs::metadata(&copy.path).unwrap().len();
    let data = GgufFile::open(&copy.path).unwrap().tensors().iter().map(|tensor| tensor.start).min().unwrap() as u64;
    let file = std::fs::OpenOptions::new().write(true).open(&copy.path).unwrap();
    // Every length within the data in steps, every single one within the header.
    let lengths = (data..whole).rev().step_by(997).chain((0..data).rev());
    for length in lengths {
        file.set_len(length).unwrap();
        match open_error(&copy.path) {
            CheckpointError::TruncatedTensor { missing, size, .. } => assert!(missing > 0 && size == length),
            CheckpointError::TruncatedHeader { missing, .. } => assert!(missing > 0 && length < data),
            // A count that was fine for the whole file has too little room in the rest.
            CheckpointError::BadHeader { expected, .. } => assert!(expected.contains("room"), "{length}: {expected}"),
            // An empty file can't be mapped on every system.
            CheckpointError::Io { .. } => assert_eq!(length, 0),
            other => panic!("{length}: {other}"),
        }
    }
}

#[test]
fn a_truncated_tensor_is_named_with_the_bytes_that_are_missing() {
    let copy = damaged("tiny-qwen3.gguf", |_| {});
    let last = GgufFile::open(&copy.path).unwrap().tensors().iter().max_by_key(|tensor| tensor.end).unwrap().clone();
    let file = std::fs::OpenOptions::new().write(true).open(&copy.path).unwrap();
    file.set_len(last.end as u64 - 5).unwrap();
    let message = open_error(&copy.path).to_string();
    assert!(message.contains(&format!("tensor `{}`", last.name)), "{message}");
    assert!(message.contains("5 bytes are missing"), "{message}");
}

#[test]
fn the_real_header_cut_anywhere_is_an_error() {
    let Some(model) = real_model() else { return };
    let file = GgufFile::open(&model).unwrap();
    let data = file.tensors().iter().map(|tensor| tensor.start).min().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.gguf");
    std::fs::write(&path, &file.parts().next().unwrap().1[..data]).unwrap();
    let copy = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    for length in (0..=data).rev().step_by(data / 60) {
        copy.set_len(length as u64).unwrap();
        open_error(&path);
    }
}

#[test]
fn counts_and_lengths_that_cannot_be_are_refused_before_memory_is_asked_for() {
    for (place, what) in [(8, "number of tensors"), (16, "number of metadata entries")] {
        let copy = damaged("tiny-qwen3.gguf", |bytes| bytes[place..place + 8].copy_from_slice(&u64::MAX.to_le_bytes()));
        let message = open_error(&copy.path).to_string();
        assert!(message.contains(what) && message.contains(&format!("byte {place}")), "{message}");
    }
    // The length of the first key.
    let copy = damaged("tiny-qwen3.gguf", |bytes| bytes[24..32].copy_from_slice(&(1_u64 << 60).to_le_bytes()));
    let message = open_error(&copy.path).to_string();
    assert!(message.contains("the key of metadata entry 0 at byte 32 needs 1152921504606846976 bytes"), "{message}");
    // After the key: the type of the value, the type of the elements, their number.
    let copy = damaged("tiny-qwen3.gguf", |bytes| {
        let at = end_of(bytes, "tokenizer.ggml.tokens") + 8;
        bytes[at..at + 8].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
    });
    let message = open_error(&copy.path).to_string();
    assert!(message.contains("number of elements in the value of `tokenizer.ggml.tokens`"), "{message}");
    // After a tensor's name: the number of dimensions, then the first of them.
    let copy = damaged("tiny-qwen3.gguf", |bytes| {
        let at = end_of(bytes, "blk.0.attn_k.weight");
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    });
    assert!(open_error(&copy.path).to_string().contains("number of dimensions of tensor `blk.0.attn_k.weight`"));
    let copy = damaged("tiny-qwen3.gguf", |bytes| {
        let at = end_of(bytes, "blk.0.attn_k.weight") + 4;
        bytes[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    });
    assert!(open_error(&copy.path).to_string().contains("the shape of tensor `blk.0.attn_k.weight`"));
}

#[test]
fn other_files_and_versions_are_told_apart() {
    let magic = damaged("tiny-qwen3.gguf", |bytes| bytes[..4].copy_from_slice(b"GGML"));
    assert!(open_error(&magic.path).to_string().contains("found `GGML`, expected `GGUF`"));
    let first = damaged("tiny-qwen3.gguf", |bytes| bytes[4] = 1);
    assert!(open_error(&first.path).to_string().contains("the version: found 1, expected 2 or 3"));
    let big = damaged("tiny-qwen3.gguf", |bytes| bytes[4..8].copy_from_slice(&3_u32.to_be_bytes()));
    assert!(open_error(&big.path).to_string().contains("3, big-endian"));
    let second = damaged("tiny-qwen3.gguf", |bytes| bytes[4] = 2);
    assert!(Checkpoint::open(&second.path).is_ok(), "version 2 has the same layout");
    let elsewhere = tempfile::tempdir().unwrap();
    let text = elsewhere.path().join("model.txt");
    std::fs::write(&text, "no model").unwrap();
    assert!(matches!(open_error(&text), CheckpointError::NotACheckpoint { .. }));
    assert!(matches!(open_error(&elsewhere.path().join("nothing.gguf")), CheckpointError::Io { .. }));
}

#[test]
fn an_unknown_architecture_is_named_with_the_known_ones() {
    let copy = damaged("tiny-qwen3.gguf", |bytes| {
        let at = end_of(bytes, "general.architecture") + 4 + 8;
        assert_eq!(&bytes[at..at + 5], b"qwen3");
        bytes[at..at + 5].copy_from_slice(b"mamba");
    });
    let message = open_error(&copy.path).to_string();
    assert!(message.contains("unknown architecture `mamba`; known are llama, qwen2, qwen3"), "{message}");
}

#[test]
fn an_unknown_tensor_type_is_named() {
    let copy = damaged("tiny-llama.gguf", |bytes| {
        // After the name: the number of dimensions (2), two dimensions, the type.
        let at = end_of(bytes, "blk.0.attn_k.weight") + 4 + 16;
        assert_eq!(bytes[at], 13);
        bytes[at] = 10;
    });
    let message = open_error(&copy.path).to_string();
    assert!(message.contains("tensor `blk.0.attn_k.weight` has the type Q2_K (code 10)"), "{message}");
}

#[test]
fn missing_extra_and_wrongly_shaped_tensors_are_all_named() {
    let copy = damaged("tiny-qwen3.gguf", |bytes| {
        let end = end_of(bytes, "blk.0.attn_k.weight");
        bytes[end - 8] = b'x';
        // Queries are [64, 32]; the file has the inner dimension first.
        let at = end_of(bytes, "blk.0.attn_q.weight") + 4;
        assert_eq!((bytes[at], bytes[at + 8]), (32, 64));
        (bytes[at], bytes[at + 8]) = (64, 32);
    });
    let error = open_error(&copy.path);
    let CheckpointError::Tensors { problems, .. } = &error else { panic!("{error}") };
    let q = "model.layers.0.self_attn.q_proj.weight".to_owned();
    let k = "model.layers.0.self_attn.k_proj.weight".to_owned();
    assert_eq!(
        *problems,
        [
            TensorProblem::WrongShape { tensor: q, found: vec![32, 64], expected: vec![64, 32] },
            TensorProblem::Missing { tensor: k, expected: vec![32, 32] },
            TensorProblem::Extra { tensor: "blk.0.attn_x.weight".to_owned(), found: vec![32, 32] },
        ]
    );
    let message = error.to_string();
    assert!(message.contains("`model.layers.0.self_attn.k_proj.weight` [32, 32] is missing"), "{message}");
    assert!(message.contains("has the shape [32, 64], expected [64, 32]"), "{message}");
}

#[test]
fn settings_that_make_no_sense_are_named() {
    for (key, value, expected) in [
        ("qwen3.attention.head_count", 0_u32, "a whole number from 1"),
        ("qwen3.attention.head_count_kv", 3, "a divisor of the number of heads, 4"),
        ("qwen3.attention.key_length", 7, "an even number"),
        ("qwen3.block_count", 4_000_000_000, "a whole number from 1"),
        ("qwen3.block_count", 40_000, "at most the number of tensors"),
        ("tokenizer.ggml.eos_token_id", 100_000, "the model's vocabulary ends at 268"),
    ] {
        let copy = damaged("tiny-qwen3.gguf", |bytes| {
            // The key once more is the prefix of a longer one: the type of the value, u32, follows the right one.
            let text = [key.as_bytes(), &4_u32.to_le_bytes()].concat();
            let at = bytes.windows(text.len()).position(|window| window == text).unwrap() + text.len();
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        });
        let message = open_error(&copy.path).to_string();
        assert!(message.contains(expected), "{key} {value}: {message}");
    }
}

/// A string of a GGUF file.
fn gguf_text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// Adds settings before the others, and an entry that fills up to the alignment of the tensors.
fn add_settings(bytes: &mut Vec<u8>, settings: &[(&str, u32, &[u8])]) {
    const ALIGNMENT: usize = 32;
    let mut added: Vec<u8> = settings
        .iter()
        .flat_map(|(key, kind, value)| [&gguf_text(key)[..], &kind.to_le_bytes(), value].concat())
        .collect();
    let mut filler = [gguf_text("filler"), 8_u32.to_le_bytes().to_vec()].concat();
    let missing = (ALIGNMENT - (added.len() + filler.len() + 8) % ALIGNMENT) % ALIGNMENT;
    filler.extend(gguf_text(&" ".repeat(missing)));
    added.extend(filler);
    let count = u64::from_le_bytes(bytes[16..24].try_into().unwrap()) + settings.len() as u64 + 1;
    bytes[16..24].copy_from_slice(&count.to_le_bytes());
    bytes.splice(24..24, added);
}

/// Changes the types of tokens.
fn set_token_types(bytes: &mut [u8], types: &[(usize, u8)]) {
    // After the key: the type of the value, the type of the elements, their number.
    let at = end_of(bytes, "tokenizer.ggml.token_type") + 16;
    for &(token, kind) in types {
        bytes[at + 4 * token] = kind;
    }
}

const FLOAT: u32 = 6;
const TEXT: u32 = 8;
const UNSIGNED: u32 = 4;

#[test]
fn positions_are_scaled_as_in_llama_cpp() {
    let (four, none) = (4_f32.to_le_bytes(), 0_f32.to_le_bytes());
    let linear = Some(RopeScaling::Linear { factor: 4.0 });
    let (no_scaling, yes_linear, other) = (gguf_text("none"), gguf_text("linear"), gguf_text("longrope"));
    for (settings, expected) in [
        (vec![("qwen3.rope.scaling.factor", FLOAT, &four[..])], linear.clone()),
        (vec![("qwen3.rope.scale_linear", FLOAT, &four[..])], linear.clone()),
        (vec![("qwen3.rope.scaling.factor", FLOAT, &none[..])], None),
        (
            vec![("qwen3.rope.scaling.type", TEXT, &yes_linear[..]), ("qwen3.rope.scaling.factor", FLOAT, &four[..])],
            linear,
        ),
        (
            vec![("qwen3.rope.scaling.type", TEXT, &no_scaling[..]), ("qwen3.rope.scaling.factor", FLOAT, &four[..])],
            None,
        ),
    ] {
        let copy = damaged("tiny-qwen3.gguf", |bytes| add_settings(bytes, &settings));
        let checkpoint = Checkpoint::open(&copy.path).unwrap();
        assert_eq!(checkpoint.config.rope_scaling, expected, "{settings:?}");
        let whole = Checkpoint::open(&fixture("tiny-qwen3.gguf")).unwrap();
        let name = "model.layers.0.self_attn.q_proj.weight";
        assert_eq!(checkpoint.tensors.read_f32(name).unwrap(), whole.tensors.read_f32(name).unwrap());
    }
    let copy =
        damaged("tiny-qwen3.gguf", |bytes| add_settings(bytes, &[("qwen3.rope.scaling.type", TEXT, &other[..])]));
    let message = open_error(&copy.path).to_string();
    assert!(message.contains("`qwen3.rope.scaling.type` is") && message.contains("none, linear or yarn"), "{message}");
    // A file with divisors of the frequencies: both apply.
    let copy =
        damaged("tiny-llama.gguf", |bytes| add_settings(bytes, &[("llama.rope.scale_linear", FLOAT, &four[..])]));
    let both = Checkpoint::open(&copy.path).unwrap().config.rotation(0).frequencies;
    let divisors = Checkpoint::open(&fixture("tiny-llama.gguf")).unwrap().config.rotation(0).frequencies;
    assert!(both.iter().zip(&divisors).all(|(both, alone)| (both * 4.0 - alone).abs() < 1e-9));
}

#[test]
fn yarn_is_read_with_llama_cpps_defaults() {
    let (yarn, four, half) = (gguf_text("yarn"), 4_f32.to_le_bytes(), 0.5_f32.to_le_bytes());
    let original = 32_u32.to_le_bytes();
    let open = |more: &[(&str, u32, &[u8])]| {
        let mut settings =
            vec![("qwen3.rope.scaling.type", TEXT, &yarn[..]), ("qwen3.rope.scaling.factor", FLOAT, &four[..])];
        settings.extend(more);
        let copy = damaged("tiny-qwen3.gguf", |bytes| add_settings(bytes, &settings));
        Checkpoint::open(&copy.path)
    };
    let config = open(&[]).unwrap().config;
    let of_factor = 0.1 * 4_f64.ln() + 1.0;
    let expected = Yarn {
        factor: 4.0,
        original_context: 128,
        beta_fast: 32.0,
        beta_slow: 1.0,
        truncate: true,
        attention_factor: of_factor,
    };
    assert_eq!((config.rope_scaling, config.context), (Some(RopeScaling::Yarn(expected.clone())), 512));
    let config = open(&[
        ("qwen3.rope.scaling.original_context_length", UNSIGNED, &original),
        ("qwen3.rope.scaling.attn_factor", FLOAT, &half),
        ("qwen3.rope.scaling.yarn_beta_fast", FLOAT, &four),
    ]);
    let config = config.unwrap().config;
    let changed = Yarn { original_context: 32, attention_factor: of_factor / 2.0, beta_fast: 4.0, ..expected };
    assert_eq!((config.rope_scaling, config.context), (Some(RopeScaling::Yarn(changed)), 128));
    let message = open(&[("qwen3.rope.scaling.yarn_ext_factor", FLOAT, &half)]).unwrap_err().to_string();
    assert!(message.contains("yarn_ext_factor` is 0.5; expected 1"), "{message}");
}

#[test]
fn chat_marks_typed_as_text_are_repaired() {
    let text = "<|im_start|>user\nhello<|im_end|>\n";
    let whole = Checkpoint::open(&fixture("tiny-qwen3.gguf")).unwrap();
    assert!(whole.notes.is_empty(), "{:?}", whole.notes);
    let copy = damaged("tiny-qwen3.gguf", |bytes| set_token_types(bytes, &[(1, 1), (2, 1)]));
    let Checkpoint { tokenizer, notes, .. } = Checkpoint::open(&copy.path).unwrap();
    assert_eq!(tokenizer.encode(text, true), whole.tokenizer.encode(text, true));
    assert_eq!(tokenizer.encode(text, false), whole.tokenizer.encode(text, false));
    assert!(tokenizer.is_special(1) && tokenizer.is_special(2));
    assert_eq!(tokenizer.end_tokens(), whole.tokenizer.end_tokens());
    assert_eq!(notes, ["typed as text, and repaired to control tokens: `<|im_start|>`, `<|im_end|>`"]);
}

#[test]
fn padding_typed_as_text_is_never_allowed() {
    for kind in [1, 4] {
        let copy = damaged("tiny-qwen3.gguf", |bytes| set_token_types(bytes, &[(267, kind)]));
        let Checkpoint { tokenizer, notes, .. } = Checkpoint::open(&copy.path).unwrap();
        assert!(tokenizer.is_special(267) && tokenizer.token_bytes(267).is_empty());
        assert!(!tokenizer.encode("[PAD0]", true).contains(&267));
        assert_eq!(notes, ["typed as text, and repaired to unused tokens: `[PAD0]`"]);
    }
}

#[test]
fn a_file_without_a_pre_tokenizer_is_noted() {
    let copy = damaged("tiny-qwen3.gguf", |bytes| {
        let at = end_of(bytes, "tokenizer.ggml.pre");
        bytes[at - 1] = b'x';
    });
    let notes = Checkpoint::open(&copy.path).unwrap().notes;
    assert!(matches!(&notes[..], [note] if note.contains("no `tokenizer.ggml.pre`")), "{notes:?}");
}

/// A folder with copies of the three parts of a model.
fn parts() -> (tempfile::TempDir, [PathBuf; 3]) {
    let folder = tempfile::tempdir().unwrap();
    let paths = [1, 2, 3].map(|number| {
        let name = format!("tiny-bias-{number:05}-of-00003.gguf");
        let path = folder.path().join(&name);
        std::fs::copy(fixture(&name), &path).unwrap();
        path
    });
    (folder, paths)
}

#[test]
fn any_part_of_a_split_model_stands_for_all() {
    let (folder, paths) = parts();
    let whole = Checkpoint::open(&paths[0]).unwrap();
    assert_eq!(whole.tensors.names().len(), 2 + 2 * 16);
    for path in &paths[1..] {
        let same = Checkpoint::open(path).unwrap();
        assert_eq!((&same.config, &same.digest), (&whole.config, &whole.digest));
        for name in whole.tensors.names() {
            assert_eq!(same.tensors.read_f32(&name).unwrap(), whole.tensors.read_f32(&name).unwrap(), "{name}");
        }
    }
    // The digest covers the last part's last tensor as well.
    let mut bytes = std::fs::read(&paths[2]).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&paths[2], bytes).unwrap();
    assert_ne!(Checkpoint::open(&paths[0]).unwrap().digest, whole.digest);
    drop(folder);
}

#[test]
fn parts_that_do_not_belong_together_are_named() {
    let (folder, paths) = parts();
    let renamed = folder.path().join("bias.gguf");
    std::fs::copy(&paths[1], &renamed).unwrap();
    let message = open_error(&renamed).to_string();
    assert!(message.contains("part 2 of the 3 parts") && message.contains("NAME-00002-of-00003.gguf"), "{message}");
    std::fs::copy(&paths[1], &paths[2]).unwrap();
    let message = open_error(&paths[0]).to_string();
    assert!(message.contains("00003-of-00003.gguf: not part 3 of 3"), "{message}");
    std::fs::remove_file(&paths[2]).unwrap();
    for path in &paths[..2] {
        let message = open_error(path).to_string();
        assert!(message.contains("has no tiny-bias-00003-of-00003.gguf, which is part 3 of the 3 parts"), "{message}");
    }
}

#[test]
fn the_real_model_is_what_its_card_says() {
    let Some(model) = real_model() else { return };
    let checkpoint = Checkpoint::open(&model).unwrap();
    let config = &checkpoint.config;
    assert_eq!((config.family, config.layers, config.heads, config.kv_heads), (Family::Llama, 30, 9, 3));
    assert_eq!((config.width, config.head_width, config.hidden, config.vocabulary), (576, 64, 1536, 49_152));
    assert!(config.tied_head);
    assert_eq!(config.parameters(), 134_515_008);
    let read: usize =
        checkpoint.tensors.names().iter().map(|name| checkpoint.tensors.read_f32(name).unwrap().len()).sum();
    assert_eq!(read, config.parameters());
    let norm = checkpoint.tensors.read_f32("model.norm.weight").unwrap();
    assert!(norm.iter().all(|weight| weight.is_finite() && weight.abs() < 100.0));
    assert_eq!(checkpoint.digest, Checkpoint::open(&model).unwrap().digest);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Whatever bytes of the header change: an error or a model whose tensors can all be read, never a panic.
    #[test]
    fn flipped_bytes_never_panic(flips in prop::collection::vec((0_usize..12_000, any::<u8>()), 1..4)) {
        let copy = damaged("tiny-qwen3.gguf", |bytes| for (at, byte) in flips { bytes[at] = byte });
        if let Ok(checkpoint) = Checkpoint::open(&copy.path) {
            for name in checkpoint.tensors.names() {
                let weights = checkpoint.tensors.read_f32(&name).unwrap();
                prop_assert_eq!(weights.len(), checkpoint.tensors.shape(&name).unwrap().iter().product::<usize>());
            }
            let ids = checkpoint.tokenizer.encode("hello <|im_end|> world", true);
            prop_assert!(ids.iter().all(|&id| (id as usize) < checkpoint.tokenizer.size()));
        }
    }
}
