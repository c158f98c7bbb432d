#!/usr/bin/env python3
"""Tiny random checkpoints and their logits, for crates/gramask-model/tests/transformer_tiny.rs.

    pip install numpy
    python scripts/tiny-checkpoints.py crates/gramask-model/tests/golden

One Hugging Face folder per family, and beside it what a second implementation makes of it: the forward pass below,
in numpy and f64, written from the papers and the models' published configurations and sharing nothing with the Rust
one. It works on one sequence at a time, head by head and query by query, with no cache.

  tiny-llama   grouped queries, a head of its own (untied), Llama 3's stretched rotation; f32
  tiny-qwen2   biases on queries, keys and values, tied head; bf16
  tiny-qwen3   norms of queries and keys, heads wider than width / heads, tied head; f16, in two shards

Each folder gets ids.json (token ids of the sequences) and logits.f32 (logits of all tokens of all sequences, one
after the other, little-endian f32, [tokens, vocabulary]).
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
VOCABULARY = 264  # 256 bytes, the special tokens, and padding as many checkpoints have
LENGTHS = [5, 12, 24]

MODELS = {
    "tiny-llama": dict(
        architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=32, intermediate_size=48,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5, rope_theta=500000.0,
        rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                          original_max_position_embeddings=64),
        max_position_embeddings=512, tie_word_embeddings=False, hidden_act="silu", torch_dtype="float32",
    ),
    "tiny-qwen2": dict(
        architectures=["Qwen2ForCausalLM"], model_type="qwen2", hidden_size=48, intermediate_size=80,
        num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2, rms_norm_eps=1e-6, rope_theta=1000000.0,
        max_position_embeddings=512, tie_word_embeddings=True, hidden_act="silu", torch_dtype="bfloat16",
        use_sliding_window=False,
    ),
    "tiny-qwen3": dict(
        architectures=["Qwen3ForCausalLM"], model_type="qwen3", hidden_size=32, intermediate_size=64, head_dim=16,
        num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=1, rms_norm_eps=1e-6, rope_theta=1000000.0,
        max_position_embeddings=512, tie_word_embeddings=True, hidden_act="silu", torch_dtype="float16",
        attention_bias=False,
    ),
}


def to_bf16(x):
    """Nearest bf16, ties to even, as its 16 bits."""
    bits = np.asarray(x, "<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def stored(x, dtype):
    """(what is written, what it means)"""
    if dtype == "float32":
        raw = np.asarray(x, "<f4")
        return raw, raw.astype(np.float64)
    if dtype == "float16":
        raw = np.asarray(x, "<f2")
        return raw, raw.astype(np.float64)
    raw = to_bf16(x)
    return raw, (raw.astype("<u4") << 16).view("<f4").astype(np.float64)


def write_safetensors(path, tensors, dtype):
    name = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}[dtype]
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for key, raw in tensors.items():
        header[key] = {"dtype": name, "shape": list(raw.shape), "data_offsets": [offset, offset + raw.nbytes]}
        offset += raw.nbytes
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    path.write_bytes(struct.pack("<Q", len(head)) + head + b"".join(raw.tobytes() for raw in tensors.values()))


def head_width(c):
    return c.get("head_dim", c["hidden_size"] // c["num_attention_heads"])


def random_weights(c, rng):
    d, f, hw = c["hidden_size"], c["intermediate_size"], head_width(c)
    q, kv = c["num_attention_heads"] * hw, c["num_key_value_heads"] * hw
    matrix = lambda rows, columns: rng.normal(0, columns**-0.5, (rows, columns))
    norm = lambda n: rng.uniform(0.5, 1.5, n)
    w = {"model.embed_tokens.weight": rng.normal(0, 0.6, (VOCABULARY, d))}
    for layer in range(c["num_hidden_layers"]):
        p = f"model.layers.{layer}."
        w[p + "input_layernorm.weight"] = norm(d)
        for name, rows in (("q", q), ("k", kv), ("v", kv)):
            w[p + f"self_attn.{name}_proj.weight"] = matrix(rows, d) * 1.5
            if c["model_type"] == "qwen2":
                w[p + f"self_attn.{name}_proj.bias"] = rng.normal(0, 0.5, rows)
        if c["model_type"] == "qwen3":
            w[p + "self_attn.q_norm.weight"] = norm(hw)
            w[p + "self_attn.k_norm.weight"] = norm(hw)
        w[p + "self_attn.o_proj.weight"] = matrix(d, q)
        w[p + "post_attention_layernorm.weight"] = norm(d)
        w[p + "mlp.gate_proj.weight"] = matrix(f, d) * 1.5
        w[p + "mlp.up_proj.weight"] = matrix(f, d)
        w[p + "mlp.down_proj.weight"] = matrix(d, f)
    w["model.norm.weight"] = norm(d)
    if not c["tie_word_embeddings"]:
        w["lm_head.weight"] = matrix(VOCABULARY, d) * 2
    return w


def frequencies(c):
    hw = head_width(c)
    plain = [1.0 / c["rope_theta"] ** (2 * i / hw) for i in range(hw // 2)]
    s = c.get("rope_scaling")
    if not s:
        return plain
    out = []
    for f in plain:  # Llama 3.1's rule, by wavelength
        wavelength = 2 * np.pi / f
        long = s["original_max_position_embeddings"] / s["low_freq_factor"]
        short = s["original_max_position_embeddings"] / s["high_freq_factor"]
        if wavelength < short:
            out.append(f)
        elif wavelength > long:
            out.append(f / s["factor"])
        else:
            smooth = (s["original_max_position_embeddings"] / wavelength - s["low_freq_factor"]) / (
                s["high_freq_factor"] - s["low_freq_factor"]
            )
            out.append((1 - smooth) * f / s["factor"] + smooth * f)
    return out


def rms(x, weight, epsilon):
    return x / np.sqrt(np.mean(x * x) + epsilon) * weight


def rotated(head, position, freqs):
    """The pairs (i, i + half) as complex numbers, turned."""
    half = len(head) // 2
    turned = (head[:half] + 1j * head[half:]) * np.exp(1j * position * np.array(freqs))
    return np.concatenate([turned.real, turned.imag])


def forward(c, w, ids):
    """Logits [tokens, vocabulary] of one sequence."""
    hw, heads, kv_heads, eps = head_width(c), c["num_attention_heads"], c["num_key_value_heads"], c["rms_norm_eps"]
    freqs = frequencies(c)
    stream = [w["model.embed_tokens.weight"][i].copy() for i in ids]
    for layer in range(c["num_hidden_layers"]):
        p = f"model.layers.{layer}."
        part = lambda name, x: w[p + name + ".weight"] @ x + w.get(p + name + ".bias", 0.0)
        keys, values = [], []
        for t in range(len(stream)):
            x = rms(stream[t], w[p + "input_layernorm.weight"], eps)
            q = part("self_attn.q_proj", x).reshape(heads, hw)
            k = part("self_attn.k_proj", x).reshape(kv_heads, hw)
            values.append(part("self_attn.v_proj", x).reshape(kv_heads, hw))
            if p + "self_attn.q_norm.weight" in w:
                q = np.array([rms(h, w[p + "self_attn.q_norm.weight"], eps) for h in q])
                k = np.array([rms(h, w[p + "self_attn.k_norm.weight"], eps) for h in k])
            keys.append(np.array([rotated(h, t, freqs) for h in k]))
            mixed = []
            for h in range(heads):
                shared = h // (heads // kv_heads)
                query = rotated(q[h], t, freqs)
                scores = np.array([query @ key[shared] for key in keys]) / np.sqrt(hw)
                weights = np.exp(scores - scores.max())
                weights /= weights.sum()
                mixed.append(sum(a * v[shared] for a, v in zip(weights, values)))
            stream[t] = stream[t] + part("self_attn.o_proj", np.concatenate(mixed))
        for t in range(len(stream)):
            x = rms(stream[t], w[p + "post_attention_layernorm.weight"], eps)
            gate, up = part("mlp.gate_proj", x), part("mlp.up_proj", x)
            stream[t] = stream[t] + part("mlp.down_proj", gate / (1 + np.exp(-gate)) * up)
    head = w.get("lm_head.weight", w["model.embed_tokens.weight"])
    return np.array([head @ rms(x, w["model.norm.weight"], eps) for x in stream])


def byte_characters():
    """The printable stand-ins of byte-level BPE: printable Latin-1 stays, the rest moves up to U+0100."""
    keep = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = iter(range(0x100, 0x200))
    return [chr(b) if b in keep else chr(next(moved)) for b in range(256)]


def tokenizer():
    added = [
        dict(id=256 + i, content=s, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
        for i, s in enumerate(SPECIAL)
    ]
    byte_level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    return dict(
        version="1.0", truncation=None, padding=None, added_tokens=added, normalizer=None, pre_tokenizer=byte_level,
        post_processor=None, decoder=byte_level,
        model=dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None, end_of_word_suffix=None,
                   fuse_unk=False, byte_fallback=False, ignore_merges=False,
                   vocab={c: i for i, c in enumerate(byte_characters())}, merges=[]),
    )


def dump(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def main():
    target = Path(sys.argv[1])
    for number, (name, config) in enumerate(MODELS.items()):
        folder = target / name
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(2026 + number)
        pairs = {k: stored(x, config["torch_dtype"]) for k, x in random_weights(config, rng).items()}
        raw, meaning = {k: r for k, (r, _) in pairs.items()}, {k: m for k, (_, m) in pairs.items()}
        if name == "tiny-qwen3":
            half = len(raw) // 2
            shards = [dict(list(raw.items())[:half]), dict(list(raw.items())[half:])]
            index = {}
            for i, shard in enumerate(shards):
                file = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
                write_safetensors(folder / file, shard, config["torch_dtype"])
                index |= {key: file for key in shard}
            size = sum(r.nbytes for r in raw.values())
            dump(folder / "model.safetensors.index.json", dict(metadata=dict(total_size=size), weight_map=index))
        else:
            write_safetensors(folder / "model.safetensors", raw, config["torch_dtype"])
        dump(folder / "config.json", config | dict(vocab_size=VOCABULARY, eos_token_id=256))
        dump(folder / "tokenizer_config.json", dict(eos_token=SPECIAL[0]))
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer(), ensure_ascii=False) + "\n", encoding="utf-8")
        sequences = [[int(i) for i in rng.integers(0, 259, n)] for n in LENGTHS]
        (folder / "ids.json").write_text(json.dumps(sequences) + "\n")
        logits = np.concatenate([forward(config, meaning, ids) for ids in sequences])
        (folder / "logits.f32").write_bytes(logits.astype("<f4").tobytes())
        print(f"{name}: logits {logits.shape}, standard deviation {logits.std():.2f}, largest {np.abs(logits).max():.2f}")


if __name__ == "__main__":
    main()
