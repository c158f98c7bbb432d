#!/usr/bin/env python3
"""An adapter in PEFT's layout, and what it makes of a tiny checkpoint, for crates/gramask-model/tests/tuning.rs.

    pip install numpy
    python scripts/adapter-fixture.py crates/gramask-model/tests/golden

Writes the folder tiny-llama-adapter: `adapter_config.json` with the settings that PEFT 0.17 writes,
`adapter_model.safetensors` with PEFT's tensor names, and logits.f32, the logits of the sequences of tiny-llama/ids.json
with the adapter beside the weights. The forward pass is that of tiny-checkpoints.py, in numpy and f64; it shares nothing
with the Rust one. The adapter scales as rsLoRA does, by alpha / sqrt(r), and targets three of the seven matrices.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np

spec = importlib.util.spec_from_file_location("tiny", Path(__file__).with_name("tiny-checkpoints.py"))
tiny = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tiny)

RANK, ALPHA = 3, 5
TARGETS = {"q_proj": "self_attn", "v_proj": "self_attn", "down_proj": "mlp"}

CONFIG = {
    "alpha_pattern": {}, "auto_mapping": None, "base_model_name_or_path": "tiny-llama", "bias": "none",
    "corda_config": None, "eva_config": None, "exclude_modules": None, "fan_in_fan_out": False, "inference_mode": True,
    "init_lora_weights": True, "layer_replication": None, "layers_pattern": None, "layers_to_transform": None,
    "loftq_config": {}, "lora_alpha": ALPHA, "lora_bias": False, "lora_dropout": 0.05, "megatron_config": None,
    "megatron_core": "megatron.core", "modules_to_save": None, "peft_type": "LORA", "qalora_group_size": 16, "r": RANK,
    "rank_pattern": {}, "revision": None, "target_modules": ["v_proj", "down_proj", "q_proj"],
    "target_parameters": None, "task_type": "CAUSAL_LM", "trainable_token_indices": None, "use_dora": False,
    "use_qalora": False, "use_rslora": True,
}


def main():
    golden = Path(sys.argv[1])
    config = tiny.MODELS["tiny-llama"]
    rng = np.random.default_rng(2026)  # as for the checkpoint itself
    weights = {k: tiny.stored(x, "float32")[1] for k, x in tiny.random_weights(config, rng).items()}
    rng = np.random.default_rng(7)
    tensors = {}
    for layer in range(config["num_hidden_layers"]):
        for target, part in TARGETS.items():
            module = f"model.layers.{layer}.{part}.{target}"
            out, inputs = weights[module + ".weight"].shape
            a, a_means = tiny.stored(rng.normal(0, inputs**-0.5, (RANK, inputs)), "float32")
            b, b_means = tiny.stored(rng.normal(0, 0.3, (out, RANK)), "float32")
            tensors[f"base_model.model.{module}.lora_A.weight"] = a
            tensors[f"base_model.model.{module}.lora_B.weight"] = b
            weights[module + ".weight"] = weights[module + ".weight"] + ALPHA / RANK**0.5 * b_means @ a_means
    folder = golden / "tiny-llama-adapter"
    folder.mkdir(parents=True, exist_ok=True)
    tiny.write_safetensors(folder / "adapter_model.safetensors", tensors, "float32")
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG, indent=2, sort_keys=True))
    sequences = json.loads((golden / "tiny-llama" / "ids.json").read_text())
    logits = np.concatenate([tiny.forward(config, weights, ids) for ids in sequences])
    (folder / "logits.f32").write_bytes(logits.astype("<f4").tobytes())


if __name__ == "__main__":
    main()
