#!/usr/bin/env python3
"""Logits of SmolLM2-135M-Instruct by llama.cpp, for crates/gramask-model/tests/transformer_golden.rs.

    pip install llama-cpp-python gguf numpy
    python scripts/golden-llama-cpp.py SmolLM2-135M-Instruct.Q4_1.gguf crates/gramask-model/tests/golden

Two runs over the same tokens:

- `quantised`: the file as it is. llama.cpp then also rounds *activations* to 8 bits in blocks of 32 (Q8_1), which no
  exact implementation reproduces; what that noise amounts to is measured here and written down.
- `exact`: the same weights written out as F32. No rounding of activations, so agreement must be close.

Writes smollm2-llama-cpp.json (token ids; per position the noise, the top logits and a sample of logits) and
smollm2-llama-cpp.f16 (all logits of a few positions of the exact run, little-endian f16).
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

TOP = 6
SAMPLE_STEP = 1024
FULL = [(0, 40), (1, 90)]  # (sequence, position)

TEXTS = [
    "<|im_start|>system\nYou mark the diseases and chemicals of a sentence.<|im_end|>\n<|im_start|>user\n"
    "Two patients who took amiodarone for atrial fibrillation developed hypothyroidism, and one of them also showed "
    "signs of peripheral neuropathy after 14 months (dose: 400 mg/day).<|im_end|>\n<|im_start|>assistant\n"
    '[{"text":"amiodarone","label":"Chemical"},{"text":"atrial fibrillation","label":"Disease"},'
    '{"text":"hypothyroidism","label":"Disease"}]<|im_end|>\n',
    "The river had risen in the night. By noon the lower fields stood under water, and the people of the village "
    "carried what they could to the church on the hill. Nobody spoke much. A boy counted the cows: eleven, twelve, "
    "thirteen. \"One is missing,\" he said.\n\nIn 1987, variants of CYP2D6*4 (c.506-1G>A) were found in 7 of 31 "
    "families; naïve carriers — unlike treated ones — had β-blocker levels 2.5× higher [95% CI 1.9–3.3].\n"
    "def area(radius):\n    return 3.14159 * radius ** 2\n",
]


def write_exact(source: Path, target: Path) -> None:
    """The same model with all tensors as F32."""
    reader = gguf.GGUFReader(source)
    architecture = reader.get_field("general.architecture").contents()
    writer = gguf.GGUFWriter(target, architecture)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)
    for tensor in reader.tensors:
        data = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        writer.add_tensor(tensor.name, data.reshape([int(n) for n in reversed(tensor.shape)]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def run(path: Path, sequences: list[list[int]]) -> list[np.ndarray]:
    """Logits [tokens, vocabulary] of each sequence; the cache in f32, no flash attention."""
    model = llama_cpp.Llama(
        str(path), n_ctx=512, n_batch=512, n_threads=2, logits_all=True, flash_attn=False, type_k=0, type_v=0,
        verbose=False,
    )
    out = []
    for ids in sequences:
        model.reset()
        model.eval(ids)
        out.append(np.array(model.scores[: len(ids)], dtype=np.float32))
    return out


def tokenize(path: Path) -> list[list[int]]:
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    return [model.tokenize(text.encode(), add_bos=False, special=True) for text in TEXTS]


def describe(logits: np.ndarray) -> dict:
    top = np.argsort(-logits, axis=1, kind="stable")[:, :TOP]
    return {
        "top": [[[int(i), round(float(row[i]), 4)] for i in ids] for row, ids in zip(logits, top)],
        "sample": [[round(float(x), 3) for x in row[::SAMPLE_STEP]] for row in logits],
    }


def main() -> None:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    sequences = tokenize(source)
    quantised = run(source, sequences)
    with tempfile.TemporaryDirectory() as folder:
        exact_file = Path(folder) / "exact.gguf"
        write_exact(source, exact_file)
        exact = run(exact_file, sequences)
    difference = np.concatenate([np.abs(a - b).ravel() for a, b in zip(quantised, exact)])
    golden = {
        "model": source.name,
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "made_with": f"llama-cpp-python {llama_cpp.__version__}",
        "sample_step": SAMPLE_STEP,
        "noise": {"mean": float(difference.mean()), "max": float(difference.max())},
        "full": [list(place) for place in FULL],
        "sequences": [
            {
                "text": text,
                "ids": ids,
                "noise": [round(float(x), 3) for x in np.abs(q - e).max(axis=1)],
                "quantised": describe(q),
                "exact": describe(e),
            }
            for text, ids, q, e in zip(TEXTS, sequences, quantised, exact)
        ],
    }
    name = "smollm2-llama-cpp"
    (target / f"{name}.json").write_text(json.dumps(golden, separators=(",", ":"), ensure_ascii=False) + "\n")
    full = np.stack([exact[sequence][position] for sequence, position in FULL])
    (target / f"{name}.f16").write_bytes(full.astype("<f2").tobytes())
    flat = lambda x: x.reshape(-1, x.shape[-1])
    for q, e in zip(quantised, exact):
        cosine = (flat(q) * flat(e)).sum(1) / np.linalg.norm(q, axis=1) / np.linalg.norm(e, axis=1)
        same = (q.argmax(1) == e.argmax(1)).mean()
        print(f"{len(q)} positions: cosine of quantised and exact >= {cosine.min():.6f}, same top token {same:.3f}")
    print(f"noise: mean {difference.mean():.4f}, max {difference.max():.4f}")


if __name__ == "__main__":
    main()
