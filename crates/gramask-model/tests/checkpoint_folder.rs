//! Hugging Face folders, whole and damaged.
#![allow(clippy::unwrap_used)]

use crate::checkpoint_common::{config_json, element, tensors, tokenizer_json, write_json, write_safetensors};
use gramask_model::chat::Message;
use gramask_model::checkpoint::{
    Checkpoint, CheckpointError, Family, ModelConfig, RopeScaling, SlidingWindow, TensorProblem, expected_tensors,
};
use safetensors::Dtype;
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

/// The shape that `config_json` describes.
fn shape(family: Family) -> ModelConfig {
    ModelConfig {
        family,
        vocabulary: 264,
        width: 16,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        head_width: 4,
        hidden: 24,
        norm_epsilon: 1e-5,
        norm_offset: 0.0,
        query_scalar: None,
        rope_theta: 5000.0,
        rope_scaling: None,
        sliding_window: None,
        context: 64,
        tied_head: false,
        qkv_bias: family == Family::Qwen2,
        output_bias: false,
        mlp_bias: false,
        qk_norm: family == Family::Qwen3,
    }
}

/// A whole checkpoint in one safetensors file.
fn folder(architecture: &str, family: Family, kind: Dtype) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_json(&folder.path().join("config.json"), &config_json(architecture));
    write_json(&folder.path().join("tokenizer.json"), &tokenizer_json());
    write_safetensors(&folder.path().join("model.safetensors"), &tensors(&shape(family), kind));
    folder
}

fn llama() -> TempDir {
    folder("LlamaForCausalLM", Family::Llama, Dtype::F32)
}

fn error(folder: &Path) -> CheckpointError {
    Checkpoint::open(folder).expect_err("the folder is damaged")
}

/// The message for a `config.json` with some settings changed; null takes a setting away.
fn config_error(changes: Value) -> String {
    let folder = llama();
    change_config(folder.path(), changes);
    error(folder.path()).to_string()
}

fn change_config(folder: &Path, changes: Value) {
    let mut config = config_json("LlamaForCausalLM");
    for (key, value) in changes.as_object().unwrap() {
        config[key] = value.clone();
    }
    write_json(&folder.join("config.json"), &config);
}

#[test]
fn every_family_and_float_type_reads() {
    for (architecture, family) in
        [("LlamaForCausalLM", Family::Llama), ("Qwen2ForCausalLM", Family::Qwen2), ("Qwen3ForCausalLM", Family::Qwen3)]
    {
        for (kind, stored) in [(Dtype::F32, "F32"), (Dtype::F16, "F16"), (Dtype::BF16, "BF16")] {
            let folder = folder(architecture, family, kind);
            let checkpoint = Checkpoint::open(folder.path()).unwrap();
            assert_eq!(checkpoint.config, shape(family));
            for (name, shape) in expected_tensors(&checkpoint.config) {
                assert_eq!(checkpoint.tensors.shape(&name), Some(shape.clone()));
                assert_eq!(checkpoint.tensors.stored_as(&name), Some(stored));
                let weights = checkpoint.tensors.read_f32(&name).unwrap();
                assert_eq!(weights.len(), shape.iter().product::<usize>());
                assert!(weights.iter().enumerate().all(|(index, &weight)| weight == element(index)), "{name}");
                let halves = checkpoint.tensors.read_f16(&name).unwrap();
                assert!(halves.iter().zip(&weights).all(|(half, &weight)| half.to_f32() == weight), "{name}");
            }
        }
    }
}

#[test]
fn shards_are_found_through_their_index() {
    let folder = llama();
    let all = tensors(&shape(Family::Llama), Dtype::BF16);
    let (first, second): (crate::checkpoint_common::Tensors, _) =
        all.into_iter().partition(|(name, _)| name.contains("layers.0"));
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    let shards = [("model-00001-of-00002.safetensors", first), ("model-00002-of-00002.safetensors", second)];
    let mut map = serde_json::Map::new();
    for (file, tensors) in &shards {
        write_safetensors(&folder.path().join(file), tensors);
        map.extend(tensors.keys().map(|name| (name.clone(), json!(file))));
    }
    let index = folder.path().join("model.safetensors.index.json");
    write_json(&index, &json!({"metadata": {}, "weight_map": map}));
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let weights = checkpoint.tensors.read_f32("model.layers.0.mlp.up_proj.weight").unwrap();
    assert_eq!((weights.len(), weights[9], weights[10]), (16 * 24, 1.125, 0.0));

    let mut wrong = map.clone();
    wrong["model.norm.weight"] = json!(shards[0].0);
    write_json(&index, &json!({"weight_map": wrong}));
    let message = error(folder.path()).to_string();
    assert!(message.contains("`weight_map.model.norm.weight`") && message.contains("holds this tensor"), "{message}");
    wrong["model.norm.weight"] = json!("../model-00001-of-00002.safetensors");
    write_json(&index, &json!({"weight_map": wrong}));
    assert!(error(folder.path()).to_string().contains("a file in the same folder"));

    write_json(&index, &json!({"weight_map": map}));
    std::fs::remove_file(folder.path().join(shards[1].0)).unwrap();
    let message = error(folder.path()).to_string();
    assert!(message.contains("has no model-00002-of-00002.safetensors, which"), "{message}");
    std::fs::remove_file(index).unwrap();
    assert!(error(folder.path()).to_string().contains("has no model.safetensors and no model.safetensors.index.json"));
}

#[test]
fn missing_extra_and_wrongly_shaped_tensors_are_named() {
    let folder = llama();
    let mut all = tensors(&shape(Family::Llama), Dtype::F32);
    let (kind, _, bytes) = all.remove("model.layers.1.mlp.up_proj.weight").unwrap();
    all.insert("model.layers.1.mlp.up_proj.bias".to_owned(), (kind, vec![24, 16], bytes));
    all.get_mut("model.layers.0.mlp.down_proj.weight").unwrap().1 = vec![24, 16];
    write_safetensors(&folder.path().join("model.safetensors"), &all);
    let CheckpointError::Tensors { problems, .. } = error(folder.path()) else { panic!() };
    assert_eq!(
        problems,
        [
            TensorProblem::WrongShape {
                tensor: "model.layers.0.mlp.down_proj.weight".to_owned(),
                found: vec![24, 16],
                expected: vec![16, 24],
            },
            TensorProblem::Missing { tensor: "model.layers.1.mlp.up_proj.weight".to_owned(), expected: vec![24, 16] },
            TensorProblem::Extra { tensor: "model.layers.1.mlp.up_proj.bias".to_owned(), found: vec![24, 16] },
        ]
    );
}

#[test]
fn a_tied_head_and_buffers_may_be_there_but_are_not_tensors_of_the_model() {
    let folder = llama();
    change_config(folder.path(), json!({"tie_word_embeddings": true}));
    let mut all = tensors(&shape(Family::Llama), Dtype::F32);
    let buffer = (Dtype::F32, vec![2], vec![0; 8]);
    all.insert("model.layers.0.self_attn.rotary_emb.inv_freq".to_owned(), buffer);
    write_safetensors(&folder.path().join("model.safetensors"), &all);
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert!(checkpoint.config.tied_head);
    assert!(checkpoint.tensors.shape("lm_head.weight").is_none());
    let error = checkpoint.tensors.read_f32("lm_head.weight").unwrap_err();
    assert!(matches!(&error, CheckpointError::NoSuchTensor { tensor, .. } if tensor == "lm_head.weight"), "{error}");
}

#[test]
fn a_safetensors_file_cut_anywhere_is_an_error() {
    let folder = llama();
    let path = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap());
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let mut tensors_named = 0;
    for length in (header..bytes.len() as u64).rev().step_by(501).chain((0..header).rev()) {
        file.set_len(length).unwrap();
        match error(folder.path()) {
            CheckpointError::TruncatedTensor { tensor, missing, size, end, .. } => {
                assert!(!tensor.is_empty() && size == length && missing > 0 && end > size);
                tensors_named += 1;
            }
            CheckpointError::TruncatedHeader { missing, .. } => assert!(missing > 0 && length < header),
            CheckpointError::Io { .. } => assert_eq!(length, 0),
            other => panic!("{length}: {other}"),
        }
    }
    assert!(tensors_named > 50);
}

#[test]
fn headers_that_cannot_be_are_refused() {
    let folder = llama();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, u64::MAX.to_le_bytes()).unwrap();
    assert!(error(folder.path()).to_string().contains("the header's length: found 18446744073709551615"));
    let with_header = |header: &str, data: usize| {
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat();
        std::fs::write(&path, bytes).unwrap();
        error(folder.path()).to_string()
    };
    assert!(with_header("{\"a\"", 0).contains("byte 8: the header"));
    let message = with_header(r#"{"a": {"dtype": "F32", "shape": [2]}}"#, 8);
    assert!(message.contains("tensor `a` in the header") && message.contains("data_offsets"), "{message}");
    let message = with_header(r#"{"a": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}}"#, 8);
    assert!(message.contains("tensor `a` has the type I64; known are F32, F16, BF16"), "{message}");
    // The shape says 12 bytes, the offsets 8.
    let message = with_header(r#"{"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}"#, 8);
    assert!(message.contains("the header"), "{message}");
    let message = with_header(r#"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}"#, 8);
    assert!(message.contains("the header"), "{message}");
    let message = with_header(r#"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 18446744073709551615]}}"#, 8);
    assert!(message.contains("truncated: tensor `a`"), "{message}");
}

#[test]
fn configs_that_cannot_be_used_say_why() {
    for (changes, expected) in [
        (
            json!({"architectures": ["GPT2LMHeadModel"]}),
            "unknown architecture `GPT2LMHeadModel`; known are LlamaForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM",
        ),
        (json!({"architectures": null, "model_type": "gemma"}), "unknown architecture `gemma`"),
        (json!({"architectures": null}), "the setting `architectures` is missing"),
        (json!({"hidden_size": null}), "the setting `hidden_size` is missing; expected a whole number"),
        (json!({"hidden_size": "16"}), "the setting `hidden_size` is \"16\"; expected a whole number"),
        (json!({"hidden_size": 18}), "the setting `num_attention_heads` is 4; expected a divisor of the width, 18"),
        (json!({"num_key_value_heads": 3}), "expected a divisor of the number of heads, 4"),
        (json!({"head_dim": 5}), "the setting `head_dim` is 5; expected an even number"),
        (json!({"hidden_act": "gelu"}), "the setting `hidden_act` is \"gelu\""),
        (json!({"attention_bias": true}), "`model.layers.0.self_attn.q_proj.bias` [16] is missing"),
        (json!({"mlp_bias": true}), "`model.layers.0.mlp.gate_proj.bias` [24] is missing"),
        (json!({"use_sliding_window": true}), "expected false: this family has no sliding windows"),
        (json!({"final_logit_softcapping": 30.0}), "the setting `final_logit_softcapping` is 30.0; expected null"),
        (json!({"num_hidden_layers": 4_000_000}), "at most 10000"),
        (json!({"vocab_size": 1_u64 << 40}), "the setting `vocab_size` is 1099511627776"),
        (
            json!({"rope_scaling": {"rope_type": "longrope", "factor": 4.0}}),
            "the setting `rope_scaling.rope_type` is \"longrope\"; expected default, linear, llama3, yarn or dynamic",
        ),
        (json!({"rope_scaling": {"type": "linear"}}), "the setting `rope_scaling.factor` is missing"),
        (json!({"vocab_size": 260}), "`model.embed_tokens.weight` has the shape [264, 16], expected [260, 16]"),
    ] {
        let message = config_error(changes);
        assert!(message.contains(expected), "{message}");
    }
    let folder = llama();
    std::fs::write(folder.path().join("config.json"), "{\n  \"hidden_size\": 16,\n  oops\n}").unwrap();
    assert!(error(folder.path()).to_string().contains("config.json:3:3: "));
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    assert!(error(folder.path()).to_string().contains("the folder has no config.json"));
}

#[test]
fn rope_settings_of_old_and_new_files() {
    let rope = |changes: Value| {
        let folder = llama();
        change_config(folder.path(), changes);
        let config = Checkpoint::open(folder.path()).unwrap().config;
        (config.rope_theta, config.rope_scaling)
    };
    assert_eq!(
        rope(json!({"rope_scaling": {"type": "linear", "factor": 2.0}})),
        (5000.0, Some(RopeScaling::Linear { factor: 2.0 }))
    );
    let llama3 = json!({"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                        "original_max_position_embeddings": 8192, "rope_theta": 500_000.0});
    let expected = RopeScaling::Llama3 {
        factor: 32.0,
        low_frequency_factor: 1.0,
        high_frequency_factor: 4.0,
        original_context: 8192,
    };
    assert_eq!(rope(json!({"rope_parameters": llama3, "rope_theta": null})), (500_000.0, Some(expected)));
    assert_eq!(rope(json!({"rope_theta": null})), (10_000.0, None));
    assert_eq!(rope(json!({"rope_parameters": {"rope_type": "default", "rope_theta": 7.0}})), (7.0, None));
}

/// `gemma3` with `text_config`: what a file leaves out has the defaults of transformers, and images are left out.
#[test]
fn the_text_model_is_read_out_of_a_model_with_images() {
    let folder = llama();
    let text = json!({
        "model_type": "gemma3_text", "hidden_size": 16, "num_hidden_layers": 7, "intermediate_size": 24,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4, "query_pre_attn_scalar": 4, "vocab_size": 264,
        "sliding_window": 10, "rope_scaling": {"rope_type": "linear", "factor": 8.0}
    });
    let config = json!({"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3",
                        "text_config": text, "vision_config": {"hidden_size": 3}});
    write_json(&folder.path().join("config.json"), &config);
    let expected = ModelConfig {
        layers: 7,
        norm_epsilon: 1e-6,
        norm_offset: 1.0,
        rope_theta: 1e6,
        rope_scaling: Some(RopeScaling::Linear { factor: 8.0 }),
        sliding_window: Some(SlidingWindow {
            width: 10,
            layers: vec![true, true, true, true, true, false, true],
            rope_theta: Some(10_000.0),
        }),
        context: 131_072,
        tied_head: true,
        qk_norm: true,
        ..shape(Family::Gemma3)
    };
    for (theirs, vision) in
        [("language_model.model.", "vision_tower.x"), ("model.language_model.", "model.vision_tower.x")]
    {
        let text = tensors(&expected, Dtype::BF16).into_iter();
        let mut all: crate::checkpoint_common::Tensors =
            text.map(|(name, tensor)| (name.replacen("model.", theirs, 1), tensor)).collect();
        all.insert(vision.to_owned(), (Dtype::BF16, vec![1], vec![0, 0]));
        write_safetensors(&folder.path().join("model.safetensors"), &all);
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        assert_eq!(checkpoint.config, expected);
        let weights = checkpoint.tensors.read_f32("model.layers.6.post_feedforward_layernorm.weight").unwrap();
        assert_eq!(weights[9], element(9));
    }
    let mut softcapped = config.clone();
    softcapped["text_config"]["attn_logit_softcapping"] = json!(50.0);
    write_json(&folder.path().join("config.json"), &softcapped);
    let message = error(folder.path()).to_string();
    assert!(message.contains("`text_config.attn_logit_softcapping` is 50.0"), "{message}");
}

#[test]
fn layers_with_a_window_are_those_that_the_file_says() {
    let windows = |changes: Value| {
        let folder = folder("Qwen2ForCausalLM", Family::Qwen2, Dtype::F32);
        let mut config = config_json("Qwen2ForCausalLM");
        config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        write_json(&folder.path().join("config.json"), &config);
        Checkpoint::open(folder.path()).map(|checkpoint| checkpoint.config.sliding_window)
    };
    let of = |width, layers: [bool; 2]| Some(SlidingWindow { width, layers: layers.to_vec(), rope_theta: None });
    let full = "full_attention";
    let sliding = "sliding_attention";
    for (changes, expected) in [
        (json!({"use_sliding_window": false, "sliding_window": 8, "max_window_layers": 0}), None),
        (json!({"use_sliding_window": true, "sliding_window": 8}), None),
        (json!({"use_sliding_window": true, "sliding_window": null, "max_window_layers": 0}), None),
        (json!({"use_sliding_window": true, "sliding_window": 8, "max_window_layers": 1}), of(8, [false, true])),
        (json!({"use_sliding_window": true, "max_window_layers": 0}), of(4096, [true, true])),
        (
            json!({"use_sliding_window": true, "sliding_window": 3, "layer_types": [sliding, full]}),
            of(3, [true, false]),
        ),
        (json!({"use_sliding_window": false, "layer_types": [full, full]}), None),
    ] {
        assert_eq!(windows(changes.clone()).unwrap(), expected, "{changes}");
    }
    for (changes, expected) in [
        (json!({"use_sliding_window": false, "layer_types": [sliding, full]}), "`use_sliding_window` is false"),
        (json!({"use_sliding_window": true, "layer_types": [sliding]}), "a list of 2, one for each layer"),
        (json!({"layer_types": ["chunked_attention", full]}), "sliding_attention or full_attention"),
    ] {
        let message = windows(changes).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    // Llama has none, whatever the file says.
    let folder = llama();
    change_config(folder.path(), json!({"sliding_window": 8}));
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(checkpoint.config.sliding_window, None);
    assert!(matches!(&checkpoint.notes[..], [note] if note.contains("`sliding_window`")), "{:?}", checkpoint.notes);
}

#[test]
fn special_tokens_and_templates_come_from_the_files_beside() {
    let folder = llama();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(checkpoint.tokenizer.end_tokens(), [2, 0], "eos_token_id of config.json, then by name");
    assert_eq!(checkpoint.tokenizer.size(), 264, "261 tokens and the padding of the embedding");
    assert!(checkpoint.tokenizer.is_special(262) && checkpoint.tokenizer.token_bytes(262).is_empty());
    assert!(checkpoint.chat.is_none());
    let digest = checkpoint.digest;

    let path = |file: &str| folder.path().join(file);
    write_json(&path("generation_config.json"), &json!({"eos_token_id": [0, 2]}));
    let template = "{% for m in messages %}{{ bos_token }}{{ m.content }}{{ eos_token }}{% endfor %}";
    let tokenizer_config = json!({"bos_token": {"content": "<|im_start|>"}, "eos_token": "<|im_end|>",
        "chat_template": [{"name": "tool_use", "template": "{{ raise_exception('no') }}"}, {"name": "default", "template": template}]});
    write_json(&path("tokenizer_config.json"), &tokenizer_config);
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(checkpoint.tokenizer.end_tokens(), [0, 2]);
    assert_eq!(checkpoint.tokenizer.bos(), Some(1));
    assert!(!checkpoint.tokenizer.adds_bos());
    let text = checkpoint.chat.unwrap().render(&[Message::user("ab")], false).unwrap();
    assert_eq!(text, "<|im_start|>ab<|im_end|>");
    assert_eq!(checkpoint.tokenizer.encode(&text, true), [1, 259, 2]);
    assert_eq!(checkpoint.digest, digest, "these files don't change the model");

    std::fs::write(path("chat_template.jinja"), "{{ messages[0].content }}\n{% if %}").unwrap();
    let message = error(folder.path()).to_string();
    assert!(message.contains("chat_template.jinja: chat template, line 2: "), "{message}");
}

#[test]
fn a_tokenizer_that_does_not_fit_is_an_error() {
    let folder = llama();
    let path = folder.path().join("tokenizer.json");
    let message = |tokenizer: &Value| {
        write_json(&path, tokenizer);
        error(folder.path()).to_string()
    };
    let mut merges = tokenizer_json();
    merges["model"]["merges"][1] = json!(["ab", "b"]);
    assert!(message(&merges).contains("merge 1, `ab b`: `abb` is not a token"));
    merges["model"]["merges"][1] = json!(["ab", "q q"]);
    assert!(message(&merges).contains("`q q` is not a token"));
    let mut ids = tokenizer_json();
    ids["model"]["vocab"]["Ġab"] = json!(264);
    let text = message(&ids);
    assert!(text.contains("`Ġab` has the id 264, but the model's vocabulary ends at 264"), "{text}");
    let mut alphabet = tokenizer_json();
    alphabet["decoder"] = json!({"type": "WordPiece", "prefix": "##", "cleanup": true});
    assert!(message(&alphabet).contains("the tokens' alphabet is unknown: the decoder WordPiece"));
    std::fs::write(&path, "{\"model\": {").unwrap();
    assert!(error(folder.path()).to_string().contains("tokenizer: line 1, column 11"));
    std::fs::remove_file(&path).unwrap();
    assert!(error(folder.path()).to_string().contains("has no tokenizer.json"));
}

#[test]
fn other_weights_have_another_digest() {
    let folder = llama();
    let digest = Checkpoint::open(folder.path()).unwrap().digest;
    write_safetensors(&folder.path().join("model.safetensors"), &tensors(&shape(Family::Llama), Dtype::F16));
    assert_ne!(Checkpoint::open(folder.path()).unwrap().digest, digest);
}

#[test]
fn a_tied_model_with_a_head_of_its_own_uses_that_head() {
    const HEAD: &str = "lm_head.weight";
    let folder = llama();
    change_config(folder.path(), json!({"tie_word_embeddings": true}));
    // The fixture's head repeats its embedding: the tie holds.
    let tied = Checkpoint::open(folder.path()).unwrap();
    assert!(tied.config.tied_head && tied.tensors.shape(HEAD).is_none() && tied.notes.is_empty());

    let mut changed = tensors(&shape(Family::Llama), Dtype::F32);
    let bytes = &mut changed.get_mut(HEAD).unwrap().2;
    bytes[..4].copy_from_slice(&7_f32.to_le_bytes());
    write_safetensors(&folder.path().join("model.safetensors"), &changed);
    let own = Checkpoint::open(folder.path()).unwrap();
    assert!(!own.config.tied_head);
    assert_eq!(own.tensors.read_f32(HEAD).unwrap()[0], 7.0);
    assert!(matches!(&own.notes[..], [note] if note.contains("the head of the file")), "{:?}", own.notes);
}

#[test]
fn rope_scaling_replaces_rope_parameters() {
    let folder = llama();
    let linear = json!({"type": "linear", "factor": 4.0});
    let default = json!({"rope_type": "default", "rope_theta": 5000.0});
    change_config(folder.path(), json!({"rope_scaling": linear, "rope_parameters": default}));
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(checkpoint.config.rope_scaling, Some(RopeScaling::Linear { factor: 4.0 }));
    assert!(matches!(&checkpoint.notes[..], [note] if note.contains("`rope_scaling` is used")));
    let message = config_error(json!({"rope_scaling": linear, "rope_parameters": {"rope_theta": 7.0}}));
    assert!(message.contains("the setting `rope_parameters.rope_theta` is 7; expected 5000"), "{message}");
}

#[test]
fn files_that_are_something_else_are_told_apart() {
    const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let folder = llama();
        std::fs::write(folder.path().join(file), POINTER).unwrap();
        let error = error(folder.path());
        assert!(matches!(&error, CheckpointError::LfsPointer { path } if path.ends_with(file)), "{error}");
    }
    for method in ["gptq", "bitsandbytes", "fp8"] {
        let message = config_error(json!({"quantization_config": {"quant_method": method, "bits": 4}}));
        assert!(message.contains(&format!("quantised by `{method}`")) && message.contains("GGUF"), "{message}");
    }
    let folder = llama();
    std::fs::rename(folder.path().join("config.json"), folder.path().join("adapter_config.json")).unwrap();
    assert!(matches!(error(folder.path()), CheckpointError::IsAdapter { .. }));
    let folder = llama();
    std::fs::rename(folder.path().join("model.safetensors"), folder.path().join("pytorch_model.bin")).unwrap();
    assert!(error(folder.path()).to_string().contains("only pytorch_model.bin"));
}
