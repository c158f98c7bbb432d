#!/usr/bin/env python3
"""Logits by the Python package `transformers`, for crates/gramask-model/tests/transformer_variants.rs.

    pip install torch transformers gguf numpy
    python scripts/tiny-checkpoints.py crates/gramask-model/tests/golden
    python scripts/transformers-goldens.py crates/gramask-model/tests

- golden/tiny-gemma3: a random model of the family Gemma 3 with ids.json and logits.f32, as scripts/tiny-checkpoints.py
  makes them of the other families: f16, windows in two of three layers, two bases of the rotation, a scale of queries.
- golden/tiny-bias: a random Llama with a bias in every product.
- golden/variants.json, golden/variants/NAME.f16: the models of tiny-checkpoints.py with other settings in config.json,
  and the logits of one sequence under each (little-endian f16, [tokens, vocabulary]).
- fixtures/tiny-gemma3.gguf, fixtures/tiny-bias-0000N-of-00003.gguf: the two models as the conversion of llama.cpp writes
  them, the second in parts.

transformers computes in f32, with attention as plain products.
"""

import importlib.util
import json
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

HERE = Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("tiny", HERE / "tiny-checkpoints.py")
tiny = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tiny)

VOCABULARY = tiny.VOCABULARY
LENGTHS = [5, 12, 48]
SHAPE = dict(
    hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, head_dim=16, rms_norm_eps=1e-6,
    vocab_size=VOCABULARY, eos_token_id=256, torch_dtype="float16",
)
MODELS = {
    "tiny-gemma3": SHAPE | dict(
        architectures=["Gemma3ForCausalLM"], model_type="gemma3_text", num_key_value_heads=2, rope_theta=100000.0,
        rope_local_base_freq=1000.0, rope_scaling=dict(rope_type="linear", factor=4.0), sliding_window=7,
        sliding_window_pattern=2, query_pre_attn_scalar=40, max_position_embeddings=512, tie_word_embeddings=True,
        hidden_activation="gelu_pytorch_tanh", attention_bias=False,
    ),
    "tiny-bias": SHAPE | dict(
        architectures=["LlamaForCausalLM"], model_type="llama", num_hidden_layers=2, num_key_value_heads=1,
        rope_theta=10000.0, max_position_embeddings=512, tie_word_embeddings=True, hidden_act="silu",
        attention_bias=True, mlp_bias=True,
    ),
}
# Settings that replace those of a model of tiny-checkpoints.py.
VARIANTS = {
    "yarn": ("tiny-qwen3", dict(
        rope_theta=10000.0, max_position_embeddings=64,
        rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16),
    )),
    "yarn-mscale": ("tiny-llama", dict(
        rope_theta=10000.0,
        rope_scaling=dict(
            rope_type="yarn", factor=8.0, original_max_position_embeddings=24, beta_fast=4.0, beta_slow=0.5, mscale=1.4,
            mscale_all_dim=0.7, truncate=False,
        ),
    )),
    "yarn-attention-factor": ("tiny-qwen2", dict(
        rope_theta=10000.0, rope_scaling=None,
        rope_parameters=dict(
            rope_type="yarn", rope_theta=20000.0, factor=2.0, original_max_position_embeddings=32, attention_factor=1.3,
        ),
    )),
    "dynamic": ("tiny-qwen2", dict(rope_scaling=dict(rope_type="dynamic", factor=4.0), max_position_embeddings=64)),
    "window": ("tiny-qwen2", dict(use_sliding_window=True, sliding_window=9, max_window_layers=1)),
    "window-by-layer": ("tiny-qwen3", dict(
        use_sliding_window=True, sliding_window=16,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    )),
}


def random_weights(c, rng):
    """As tiny-checkpoints.py, with the norms of Gemma, which hold the difference from 1, and with every bias."""
    d, f, hw = c["hidden_size"], c["intermediate_size"], c["head_dim"]
    gemma, bias = c["model_type"] == "gemma3_text", c["attention_bias"]
    q, kv = c["num_attention_heads"] * hw, c["num_key_value_heads"] * hw
    norm = lambda n: rng.uniform(0.5, 1.5, n) - (1 if gemma else 0)
    w = {"model.embed_tokens.weight": rng.normal(0, 0.6, (VOCABULARY, d))}

    def product(name, rows, columns, size=1.0):
        w[name + ".weight"] = rng.normal(0, size * columns**-0.5, (rows, columns))
        if bias:
            w[name + ".bias"] = rng.normal(0, 0.5, rows)

    for layer in range(c["num_hidden_layers"]):
        p = f"model.layers.{layer}."
        w[p + "input_layernorm.weight"] = norm(d)
        product(p + "self_attn.q_proj", q, d, 1.5)
        product(p + "self_attn.k_proj", kv, d, 1.5)
        product(p + "self_attn.v_proj", kv, d, 1.5)
        product(p + "self_attn.o_proj", d, q)
        w[p + "post_attention_layernorm.weight"] = norm(d)
        if gemma:
            w[p + "self_attn.q_norm.weight"] = norm(hw)
            w[p + "self_attn.k_norm.weight"] = norm(hw)
            w[p + "pre_feedforward_layernorm.weight"] = norm(d)
            w[p + "post_feedforward_layernorm.weight"] = norm(d)
        product(p + "mlp.gate_proj", f, d, 1.5)
        product(p + "mlp.up_proj", f, d)
        product(p + "mlp.down_proj", d, f)
    w["model.norm.weight"] = norm(d)
    return w


def model_of(folder, changes):
    """The model of a folder with other settings."""
    settings = json.loads((folder / "config.json").read_text()) | changes
    with tempfile.TemporaryDirectory() as temporary:
        (Path(temporary) / "config.json").write_text(json.dumps(settings))
        config = AutoConfig.from_pretrained(temporary)
    model = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32, attn_implementation="eager")
    return model.eval()


def logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0].numpy()


def write_models(golden):
    for number, (name, config) in enumerate(MODELS.items()):
        folder = golden / name
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(2030 + number)
        raw = {key: tiny.stored(x, "float16")[0] for key, x in random_weights(config, rng).items()}
        tiny.write_safetensors(folder / "model.safetensors", raw, "float16")
        tiny.dump(folder / "config.json", config)
        tiny.dump(folder / "tokenizer_config.json", dict(eos_token=tiny.SPECIAL[0]))
        (folder / "tokenizer.json").write_text(json.dumps(tiny.tokenizer(), ensure_ascii=False) + "\n", encoding="utf-8")
        sequences = [[int(i) for i in rng.integers(0, 259, n)] for n in LENGTHS]
        (folder / "ids.json").write_text(json.dumps(sequences) + "\n")
        model = model_of(folder, {})
        found = np.concatenate([logits(model, ids) for ids in sequences])
        (folder / "logits.f32").write_bytes(found.astype("<f4").tobytes())
        print(f"{name}: logits {found.shape}, standard deviation {found.std():.2f}, largest {np.abs(found).max():.2f}")


def write_variants(golden):
    ids = [int(i) for i in np.random.default_rng(2040).integers(0, 259, 64)]
    (golden / "variants").mkdir(exist_ok=True)
    for name, (base, changes) in VARIANTS.items():
        plain, changed = logits(model_of(golden / base, {}), ids), logits(model_of(golden / base, changes), ids)
        (golden / "variants" / f"{name}.f16").write_bytes(changed.astype("<f2").tobytes())
        moved = np.abs(plain - changed).max(axis=1)
        print(f"{name}: largest {np.abs(changed).max():.2f}; the settings move logits by {moved.max():.2f}")
    listed = {name: dict(model=base, config=changes) for name, (base, changes) in VARIANTS.items()}
    (golden / "variants.json").write_text(json.dumps(dict(ids=ids, variants=listed), indent=1) + "\n")


GGUF_NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
GGUF_NORMS = {
    "gemma3_text": {
        "post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm",
        "post_feedforward_layernorm": "post_ffw_norm",
    },
    "llama": {"post_attention_layernorm": "ffn_norm"},
}


def gguf_name(name, kind):
    whole = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    if name in whole:
        return whole[name]
    _, _, layer, rest = name.split(".", 3)
    module, _, suffix = rest.rpartition(".")
    return f"blk.{layer}.{(GGUF_NAMES | GGUF_NORMS[kind])[module]}.{suffix}"


def permuted(x, heads):
    """What the conversion does to the rows of queries and keys of the architecture `llama`, and to their biases."""
    return x.reshape(heads, 2, x.shape[0] // heads // 2, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)


def write_gguf(fixtures, name, config, architecture, **options):
    """The model as a GGUF file, with a SentencePiece vocabulary of bytes and a few pieces."""
    rng = np.random.default_rng(2030 + list(MODELS).index(name))
    weights = random_weights(config, rng)
    writer = gguf.GGUFWriter(fixtures / f"{name}.gguf", architecture, **options)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    if architecture == "gemma3":
        writer.add_sliding_window(config["sliding_window"])
        writer.add_sliding_window_pattern(config["sliding_window_pattern"])
        writer.add_rope_freq_base_swa(config["rope_local_base_freq"])
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config["rope_scaling"]["factor"])
    special = ["<unk>", "<s>", "</s>"]
    pieces = ["\u2581", "a", "\u2581a", "b", "ab"]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(special + [f"<0x{byte:02X}>" for byte in range(256)] + pieces)
    writer.add_token_scores([0.0] * 259 + [-2.0, -3.0, -0.5, -4.0, -1.0])
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * len(pieces))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(architecture == "llama")
    for key, x in weights.items():
        x = x.astype("<f2").astype("<f4")
        if architecture == "gemma3" and key.endswith("norm.weight"):
            x = x + 1
        if architecture == "llama" and ".q_proj." in key:
            x = permuted(x, config["num_attention_heads"])
        if architecture == "llama" and ".k_proj." in key:
            x = permuted(x, config["num_key_value_heads"])
        writer.add_tensor(gguf_name(key, config["model_type"]), x.astype("<f2") if x.ndim == 2 else x.astype("<f4"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    tests = Path(sys.argv[1])
    write_models(tests / "golden")
    write_variants(tests / "golden")
    # What a GGUF file cannot say of Gemma is the scale of queries, which is the width of a head here.
    gemma = MODELS["tiny-gemma3"] | dict(query_pre_attn_scalar=MODELS["tiny-gemma3"]["head_dim"])
    write_gguf(tests / "fixtures", "tiny-gemma3", gemma, "gemma3")
    write_gguf(tests / "fixtures", "tiny-bias", MODELS["tiny-bias"], "llama", split_max_tensors=12)


if __name__ == "__main__":
    main()
