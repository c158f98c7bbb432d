//! Adapters: merged into a model, in PEFT's files, and refused.

use std::path::Path;

use gramask_model::cache::Cache;
use gramask_model::checkpoint::Checkpoint;
use gramask_model::device::DeviceName;
use gramask_model::transformer::{Row, Select, Transformer, WeightType};
use gramask_model::tuning::{Adapter, Lora, Pack, Precision, Sequence, Target, Tunable};

use super::tuning::{SEQUENCES, TINY, adapted, assert_close, folder, golden, learnt, numbers, open, pack};

#[test]
fn a_merged_adapter_is_the_unmerged_one() {
    for name in TINY {
        let checkpoint = open(name);
        let lora = Lora { rank: 3, alpha: 5.0, rank_stabilised: name == "tiny-qwen2", ..Lora::default() };
        let model = learnt(&checkpoint, lora);
        let adapter = Adapter::of(&model, None).unwrap();
        let merged = adapter.merge(open(name)).unwrap();
        let device = DeviceName::Flex.open().unwrap();
        let load = |checkpoint: &Checkpoint| Transformer::load(checkpoint, &device, WeightType::F32).unwrap();
        let of = |transformer: &Transformer| {
            let mut cache = Cache::new(&checkpoint.config, 1, 64, &device).unwrap();
            let tokens = [SEQUENCES[0].prompt, SEQUENCES[0].output].concat();
            let row = Row { slot: 0, tokens: &tokens[..tokens.len() - 1] };
            numbers(transformer.forward(&mut cache, &[row], Select::Tails(vec![3])).unwrap())
        };
        let unmerged = numbers(model.logits(&Pack::new(&SEQUENCES[..1]).unwrap()).unwrap());
        assert_close(&of(&load(&merged)), &unmerged, 1e-4);
        let plain = of(&load(&checkpoint));
        let changed = plain.iter().zip(&unmerged).any(|(a, b)| (a - b).abs() > 0.1);
        assert!(changed, "the adapter changes something");
    }
}

#[test]
fn adapters_are_written_as_peft_names_them_and_come_back() {
    let checkpoint = open("tiny-llama");
    let lora = Lora { rank: 2, targets: vec![Target::QProj, Target::DownProj], ..Lora::default() };
    let model = learnt(&checkpoint, lora);
    let adapter = Adapter::of(&model, Some("org/name".into())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    adapter.write(folder.path(), Precision::F32).unwrap();
    let back = Adapter::read(folder.path()).unwrap();
    assert_eq!((&back.lora, &back.base), (&adapter.lora, &adapter.base));
    assert_eq!(back.pair(1, Target::DownProj), adapter.pair(1, Target::DownProj));
    let bytes = std::fs::read(folder.path().join("adapter_model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
    let config = &checkpoint.config;
    assert_eq!(file.tensor(name).unwrap().shape(), [2, config.width]);
    let name = "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight";
    assert_eq!(file.tensor(name).unwrap().shape(), [config.width, 2]);
    // A training goes on from it, and half precision is near.
    let device = DeviceName::Flex.open().unwrap();
    let again = Tunable::from_adapter(config, &*checkpoint.tensors, &back, &device).unwrap();
    assert_eq!(again.loss(&pack()).unwrap(), model.loss(&pack()).unwrap());
    adapter.write(folder.path(), Precision::F16).unwrap();
    let half = Adapter::read(folder.path()).unwrap();
    let again = Tunable::from_adapter(config, &*checkpoint.tensors, &half, &device).unwrap();
    assert!((again.loss(&pack()).unwrap() - model.loss(&pack()).unwrap()).abs() < 0.02);
}

/// `scripts/adapter-fixture.py` wrote the adapter as PEFT does, and computed with it in numpy.
#[test]
fn an_adapter_of_peft_says_what_numpy_says() {
    let adapter = Adapter::read(&folder("tiny-llama-adapter")).unwrap();
    assert_eq!(adapter.lora.targets, [Target::QProj, Target::VProj, Target::DownProj]);
    assert!((adapter.lora.scale() - 5.0 / 3f64.sqrt()).abs() < 1e-12);
    let checkpoint = open("tiny-llama");
    let device = DeviceName::Flex.open().unwrap();
    let unmerged = Tunable::from_adapter(&checkpoint.config, &*checkpoint.tensors, &adapter, &device).unwrap();
    let merged = Transformer::load(&adapter.merge(open("tiny-llama")).unwrap(), &device, WeightType::F32).unwrap();
    let (golden, vocabulary) = (golden("tiny-llama-adapter"), checkpoint.config.vocabulary);
    let ids: Vec<Vec<u32>> =
        serde_json::from_slice(&std::fs::read(folder("tiny-llama").join("ids.json")).unwrap()).unwrap();
    let mut from = 0;
    for tokens in ids {
        let want = &golden[from * vocabulary..(from + tokens.len()) * vocabulary];
        let mut cache = Cache::new(&checkpoint.config, 1, 64, &device).unwrap();
        let row = Row { slot: 0, tokens: &tokens };
        let got = numbers(merged.forward(&mut cache, &[row], Select::All).unwrap());
        assert_close(&got, want, 1e-4);
        let sequence = Sequence { prompt: &tokens[..1], output: &tokens[1..] };
        let got = numbers(unmerged.logits(&Pack::new(&[sequence]).unwrap()).unwrap());
        assert_close(&got, &want[..want.len() - vocabulary], 1e-4);
        from += tokens.len();
    }
}

#[test]
fn adapters_that_are_something_else_are_refused() {
    let checkpoint = open("tiny-llama");
    let folder = tempfile::tempdir().unwrap();
    let adapter = Adapter::of(&adapted(&checkpoint, Lora::default()), None).unwrap();
    adapter.write(folder.path(), Precision::F16).unwrap();
    let path = folder.path().join("adapter_config.json");
    let good = std::fs::read_to_string(&path).unwrap();
    for (from, to, words) in [
        ("\"LORA\"", "\"IA3\"", "peft_type"),
        ("\"bias\": \"none\"", "\"bias\": \"all\"", "bias"),
        ("\"use_dora\": false", "\"use_dora\": true", "use_dora"),
        ("\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]", "lm_head"),
        ("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"q\": 1}", "alpha_pattern"),
        ("\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa\"", "`init_lora_weights` is \"pissa\""),
        ("\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa_niter_4\"", "merge_and_unload"),
        ("\"init_lora_weights\": true", "\"init_lora_weights\": \"olora\"", "leave the base weights alone"),
        ("\"bias\": \"none\"", "\"bias\": \"none\", \"invented_in_2030\": 3", "invented_in_2030"),
        ("{", "", "JSON"),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from}");
        std::fs::write(&path, changed).unwrap();
        let error = Adapter::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("adapter_config.json") && error.contains(words), "{error}");
    }
    std::fs::write(&path, &good).unwrap();
    let read = Adapter::read(folder.path()).unwrap();
    let error = read.check(&open("tiny-qwen3").config).err().map(|e| e.to_string());
    let same = open("tiny-qwen3").config.width == checkpoint.config.width;
    assert!(same || error.is_some_and(|e| e.contains("another model")));
    std::fs::write(folder.path().join("adapter_model.safetensors"), "no").unwrap();
    assert!(Adapter::read(folder.path()).unwrap_err().to_string().contains("safetensors"));
}

/// Changes the tensors of an adapter's file.
fn change_tensors(folder: &Path, change: impl Fn(&str, &mut Vec<usize>) -> bool) {
    let path = folder.join("adapter_model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut kept = Vec::new();
    for (name, view) in file.tensors() {
        let mut shape = view.shape().to_vec();
        if change(&name, &mut shape) {
            kept.push((name, safetensors::tensor::TensorView::new(view.dtype(), shape, view.data()).unwrap()));
        }
    }
    std::fs::write(&path, safetensors::serialize(kept, None).unwrap()).unwrap();
}

#[test]
fn incomplete_and_transposed_adapters_are_refused() {
    let checkpoint = open("tiny-llama");
    let write = || {
        let folder = tempfile::tempdir().unwrap();
        let adapter = Adapter::of(&adapted(&checkpoint, Lora::default()), None).unwrap();
        adapter.write(folder.path(), Precision::F16).unwrap();
        (folder, adapter.lora.rank)
    };
    let (folder, _) = write();
    let merge = |folder: &Path| {
        let adapter = Adapter::read(folder).map_err(|error| error.to_string())?;
        adapter.merge(open("tiny-llama")).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(merge(folder.path()), Ok(()));
    change_tensors(folder.path(), |name, _| !name.contains("layers.1.self_attn.q_proj"));
    let error = merge(folder.path()).unwrap_err();
    let missing = "`base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight`, \
                   `base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight`";
    assert!(error.contains("adapter_model.safetensors: tensors are missing") && error.contains(missing), "{error}");
    // An adapter of one layer says so.
    let config = folder.path().join("adapter_config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    let one_layer = text.replace("\"layers_to_transform\": null", "\"layers_to_transform\": [0]");
    assert_ne!(one_layer, text);
    std::fs::write(&config, one_layer).unwrap();
    assert_eq!(merge(folder.path()), Ok(()));

    let (folder, rank) = write();
    let width = checkpoint.config.width;
    assert_ne!(rank, width);
    change_tensors(folder.path(), |name, shape| {
        if name.ends_with("layers.0.self_attn.q_proj.lora_A.weight") {
            shape.reverse();
        }
        true
    });
    let error = merge(folder.path()).unwrap_err();
    let expected =
        format!("layers.0.self_attn.q_proj.lora_A.weight` has the shape [{width}, {rank}], expected [{rank}, {width}]");
    assert!(error.contains(&expected), "{error}");
}

#[test]
fn folders_that_are_no_adapters_are_told_apart() {
    let message = |folder: &Path| Adapter::read(folder).unwrap_err().to_string();
    assert!(message(&folder("tiny-llama")).contains("a model, not an adapter"));
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(
        folder("tiny-llama-adapter").join("adapter_config.json"),
        elsewhere.path().join("adapter_config.json"),
    )
    .unwrap();
    std::fs::write(elsewhere.path().join("adapter_model.bin"), "pickled").unwrap();
    assert!(message(elsewhere.path()).contains("only adapter_model.bin"));
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    std::fs::write(elsewhere.path().join("adapter_model.safetensors"), pointer).unwrap();
    assert!(message(elsewhere.path()).contains("git lfs pull"));
}
