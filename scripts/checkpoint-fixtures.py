#!/usr/bin/env python3
"""Writes the fixtures that the tests of checkpoints, tokenizers and chat templates compare with.

    python -m venv venv && venv/bin/pip install gguf==0.19.0 jinja2==3.1.6 regex numpy
    venv/bin/python scripts/checkpoint-fixtures.py [SmolLM2-135M-Instruct.Q4_1.gguf]

All expected values come from code that shares nothing with Gramask: block formats from the `gguf` package's numpy
implementation, GGUF files from its writer, chat templates from Jinja2 itself, token ids from the textbook form of
byte-pair encoding below. Without the model file the fixture with SmolLM2's token ids is left as it is.
"""

import json
import sys
from pathlib import Path

import numpy as np
import regex
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFWriter, quants
from gguf.constants import GGML_QUANT_SIZES

FIXTURES = Path(__file__).resolve().parent.parent / "crates/gramask-model/tests/fixtures"
QUANTS = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
# Where the f16 scales of a block are.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
random = np.random.default_rng(20260)


def random_blocks(name: str, count: int) -> np.ndarray:
    """Blocks of random bytes whose scales are small numbers of both signs. [count, bytes of a block]"""
    _, size = GGML_QUANT_SIZES[Type[name]]
    blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
    for at in SCALES[name]:
        scales = random.normal(0, 0.01, count).astype("<f2")
        blocks[:, at : at + 2] = scales.view(np.uint8).reshape(count, 2)
    return blocks


def write_quants() -> None:
    """A few blocks of each type with the floats that they stand for, both as hexadecimal bytes."""
    fixture = {}
    for name in QUANTS:
        blocks = random_blocks(name, 3)
        blocks[0, :] = np.where(np.isin(np.arange(blocks.shape[1]), [i for s in SCALES[name] for i in (s, s + 1)]), blocks[0], 0xFF)
        weights = quants.dequantize(blocks, Type[name]).astype("<f4")
        fixture[name] = {"blocks": blocks.tobytes().hex(), "weights": weights.tobytes().hex()}
    floats = random.normal(0, 1, 16).astype("<f4")
    fixture["F32"] = {"blocks": floats.tobytes().hex(), "weights": floats.tobytes().hex()}
    fixture["F16"] = {"blocks": floats.astype("<f2").tobytes().hex(), "weights": floats.astype("<f2").astype("<f4").tobytes().hex()}
    upper = floats.view("<u4") >> 16
    fixture["BF16"] = {"blocks": upper.astype("<u2").tobytes().hex(), "weights": (upper << 16).astype("<u4").tobytes().hex()}
    (FIXTURES / "quants.json").write_text(json.dumps(fixture, indent=1) + "\n")


def byte_characters() -> list[str]:
    """GPT-2's character for each byte."""
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printed]
    return [chr(byte) if byte in printed else chr(256 + others.index(byte)) for byte in range(256)]


def permuted(weights: np.ndarray, heads: int) -> np.ndarray:
    """What the conversion to GGUF does to the rows of queries and keys of the architecture `llama`."""
    rows = weights.shape[0]
    return weights.reshape(heads, 2, rows // heads // 2, -1).swapaxes(1, 2).reshape(rows, -1)


def unpermuted(weights: np.ndarray, heads: int) -> np.ndarray:
    """The inverse of `permuted`."""
    rows = weights.shape[0]
    return weights.reshape(heads, rows // heads // 2, 2, -1).swapaxes(1, 2).reshape(rows, -1)


HUGGING_FACE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
    "blk.0.attn_norm.weight": "model.layers.0.input_layernorm.weight",
    "blk.0.attn_q.weight": "model.layers.0.self_attn.q_proj.weight",
    "blk.0.attn_k.weight": "model.layers.0.self_attn.k_proj.weight",
    "blk.0.attn_v.weight": "model.layers.0.self_attn.v_proj.weight",
    "blk.0.attn_q.bias": "model.layers.0.self_attn.q_proj.bias",
    "blk.0.attn_k.bias": "model.layers.0.self_attn.k_proj.bias",
    "blk.0.attn_v.bias": "model.layers.0.self_attn.v_proj.bias",
    "blk.0.attn_q_norm.weight": "model.layers.0.self_attn.q_norm.weight",
    "blk.0.attn_k_norm.weight": "model.layers.0.self_attn.k_norm.weight",
    "blk.0.attn_output.weight": "model.layers.0.self_attn.o_proj.weight",
    "blk.0.ffn_norm.weight": "model.layers.0.post_attention_layernorm.weight",
    "blk.0.ffn_gate.weight": "model.layers.0.mlp.gate_proj.weight",
    "blk.0.ffn_up.weight": "model.layers.0.mlp.up_proj.weight",
    "blk.0.ffn_down.weight": "model.layers.0.mlp.down_proj.weight",
}
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = ["h e", "l l", "he ll", "hell o", "Ġ hello", "o r", "Ġ w"]
TEMPLATE = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
WIDTH_OF = {"llama": 256, "qwen2": 32, "qwen3": 32}


def write_tiny(family: str, pre: str, types: dict[str, str], tied: bool) -> None:
    """A model of one layer with random weights, and the sums of the rows of its tensors in Hugging Face's order."""
    width, heads, kv_heads, hidden = WIDTH_OF[family], 4, 2, 64
    head_width = {"llama": 32, "qwen2": 8, "qwen3": 16}[family]
    tokens = SPECIAL + byte_characters() + [merge.replace(" ", "") for merge in MERGES] + ["<think>", "[PAD0]"]
    kinds = [3] * len(SPECIAL) + [1] * (256 + len(MERGES)) + [4, 5]
    queries, keys = heads * head_width, kv_heads * head_width
    shapes = {
        "token_embd.weight": (len(tokens), width),
        "blk.0.attn_norm.weight": (width,),
        "blk.0.attn_q.weight": (queries, width),
        "blk.0.attn_k.weight": (keys, width),
        "blk.0.attn_v.weight": (keys, width),
        "blk.0.attn_output.weight": (width, queries),
        "blk.0.ffn_norm.weight": (width,),
        "blk.0.ffn_gate.weight": (hidden, width),
        "blk.0.ffn_up.weight": (hidden, width),
        "blk.0.ffn_down.weight": (width, hidden),
        "output_norm.weight": (width,),
    }
    if family == "qwen2":
        shapes |= {"blk.0.attn_q.bias": (queries,), "blk.0.attn_k.bias": (keys,), "blk.0.attn_v.bias": (keys,)}
    if family == "qwen3":
        shapes |= {"blk.0.attn_q_norm.weight": (head_width,), "blk.0.attn_k_norm.weight": (head_width,)}
    if not tied:
        shapes["output.weight"] = (len(tokens), width)

    writer = GGUFWriter(FIXTURES / f"tiny-{family}.gguf", family)
    writer.add_context_length(128)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(head_width)
    writer.add_value_length(head_width)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(100000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)
    sums = {}
    for name, shape in shapes.items():
        kind = types.get(name.removeprefix("blk.0."), "F32")
        if kind in QUANTS:
            weights, size = GGML_QUANT_SIZES[Type[kind]]
            data = random_blocks(kind, shape[0] * shape[1] // weights).reshape(shape[0], -1)
            floats = quants.dequantize(data, Type[kind])
            writer.add_tensor(name, data, raw_dtype=Type[kind])
        else:
            floats = random.normal(0, 1, shape).astype("<f4")
            if kind == "BF16":
                upper = (floats.view("<u4") >> 16).astype("<u2")
                floats = (upper.astype("<u4") << 16).view("<f4")
                writer.add_tensor(name, upper.view(np.uint8), raw_dtype=Type.BF16)
            else:
                stored = floats.astype("<f2" if kind == "F16" else "<f4")
                floats = stored.astype("<f4")
                writer.add_tensor(name, stored)
        if family == "llama" and name.endswith(("attn_q.weight", "attn_k.weight")):
            count = heads if "attn_q" in name else kv_heads
            assert (permuted(unpermuted(floats, count), count) == floats).all()
            floats = unpermuted(floats, count)
        rows = floats.reshape(-1, floats.shape[-1]).astype(np.float64)
        # Weighted by column, so that exchanged columns show as well.
        weights = np.arange(1, rows.shape[1] + 1)
        sums[HUGGING_FACE[name]] = {"kind": kind, "rows": [round(float(s), 6) for s in (rows * weights).sum(axis=1)]}
    if family == "llama":
        # Files of models with Llama 3's scaling bring the divisors of the frequencies as a tensor.
        writer.add_tensor("rope_freqs.weight", np.linspace(1, 8.5, head_width // 2).astype("<f4"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (FIXTURES / f"tiny-{family}.json").write_text(json.dumps(sums, separators=(",", ":")) + "\n")


def bpe_ids(text: str, ids: dict[str, int], ranks: dict[tuple[str, str], int], pieces: list[str]) -> list[int]:
    """Byte-pair encoding as its paper has it: cut into words, then merge the best pair until there is none."""
    characters = byte_characters()
    words = [text]
    for piece in pieces:
        words = [part for word in words for part in regex.findall(f"{piece}|(?:(?!{piece})(?s:.))+", word)]
    out = []
    for word in words:
        parts = [characters[byte] for byte in word.encode()]
        while len(parts) > 1:
            rank, at = min((ranks.get(pair, 1 << 60), at) for at, pair in enumerate(zip(parts, parts[1:])))
            if rank == 1 << 60:
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        out += [ids[part] for part in parts]
    return out


TEXTS = [
    "",
    "Hello",
    " Hello world",
    "Mutations of BRCA1 (p.Cys61Gly) in 12,345 patients; p < 0.05.",
    "5-fluorouracil\n\tand  2',3'-dideoxycytidine   \n\n  caused neutropenia.",
    "IL-2's receptor doesn't bind; they'll say we've shown α-synuclein ↔ β-amyloid.",
    "naïve café – “quoted” … 日本語 русский العربية 🧬👩🏽‍🔬",
    "e\u0301 versus \u00e9, ½ and ٣ and Ⅷ",
    "[{\"text\": \"tumor\", \"label\": \"Disease\"}]",
    "<Disease>breast cancer</Disease> & <Gene>TP53</Gene>",
    "trailing space ",
    "\r\nwindows\r\nlines\r\n",
    "the text <|im_end|> is not a token here",
    "x" * 40 + "    " + "0" * 10,
]
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def write_token_ids(model: str) -> None:
    """Texts of ours with their ids in SmolLM2's vocabulary."""
    fields = GGUFReader(model).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = fields["tokenizer.ggml.merges"].contents()
    ids = {token: id for id, token in enumerate(tokens)}
    ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}
    fixture = [{"text": text, "ids": bpe_ids(text, ids, ranks, [r"\p{N}", GPT2])} for text in TEXTS]
    (FIXTURES / "smollm2-ids.json").write_text(json.dumps(fixture, indent=None, ensure_ascii=True).replace("}, ", "},\n ") + "\n")


CHATS = {
    "plain": TEMPLATE,
    "blocks": """{%- if messages[0]['role'] == 'system' -%}
    {%- set system = messages[0]['content'] | trim + '\\n' %}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set system = '' %}
    {%- set rest = messages %}
{%- endif %}
{{ bos_token + system }}
{% for message in rest %}
    {% if message.role == 'user' %}
[Q{{ loop.index }}] {{ message['content'].strip() }}
    {% else %}
[A{{ loop.index }}] {{ message.content.upper().split(' ')[-1].rstrip('.!') }}{{ eos_token }}
    {% endif %}
{% endfor %}
{% if add_generation_prompt %}[A]{% endif %}""",
    "helpers": """{% set ns = namespace(turns=0, last='') %}
{%- for message in messages[::-1] %}{% set ns.turns = ns.turns + 1 %}{% if message.content is string and message.content.startswith('<') and not message.content.endswith(';') %}{% set ns.last = message.content %}{% endif %}{% endfor -%}
{{ ns.turns }}|{{ ns.last }}|{{ messages[0] | tojson }}|{{ {'a': [1, 2.5, none, true], 'b': "<&'\\\\u003c>"} | tojson(indent=2) }}
{%- for key, value in {'x': 1, 'y': 2}.items() %} {{ key }}={{ value }}{% endfor %}
{%- if tools is defined and tools %} tools{% endif %} {{ messages[0].get('name', 'nobody') }}
{%- if enable_thinking is defined and enable_thinking is false %} no thoughts{% endif %}""",
}
CONVERSATIONS = [
    [("user", "Hello"), ("assistant", "Good day."), ("user", "<b>bold</b>")],
    [("system", "  Find \"diseases\" & genes. "), ("user", " A tumour's growth; \n")],
]


def write_chats() -> None:
    """What Jinja2, set up as `transformers` does, makes of our templates."""
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
    cases = []
    for name, source in CHATS.items():
        for conversation in CONVERSATIONS:
            messages = [{"role": role, "content": content} for role, content in conversation]
            for prompt in (False, True):
                expected = environment.from_string(source).render(
                    messages=messages, add_generation_prompt=prompt, bos_token="<s>", eos_token="</s>", enable_thinking=False
                )
                cases.append({"template": name, "messages": messages, "add_generation_prompt": prompt, "expected": expected})
    (FIXTURES / "chats.json").write_text(json.dumps({"templates": CHATS, "cases": cases}, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    FIXTURES.mkdir(parents=True, exist_ok=True)
    write_quants()
    kinds = ["attn_q.weight", "attn_k.weight", "attn_v.weight", "attn_output.weight", "ffn_gate.weight", "ffn_up.weight", "ffn_down.weight", "token_embd.weight"]
    write_tiny("llama", "smollm", dict(zip(kinds, ["Q4_K", "Q5_K", "Q6_K", "Q5_0", "Q4_1", "Q5_1", "Q8_0", "Q4_0"])), tied=True)
    write_tiny("qwen2", "qwen2", dict.fromkeys(kinds, "F16") | {"output.weight": "BF16"}, tied=False)
    write_tiny("qwen3", "qwen2", dict.fromkeys(kinds, "BF16"), tied=True)
    write_chats()
    if len(sys.argv) > 1:
        write_token_ids(sys.argv[1])


main()
