#!/usr/bin/env python3
"""Tokens per second of llama.cpp: one JSON line like those of the other programs of `scripts/peers.sh`.

    llama_decode.py MODEL.gguf NAME BATCH PROMPT TOKENS     greedy decoding; NAME is what the row calls the weights
    llama_decode.py --write TYPE MODEL.gguf TARGET.gguf     the same model with its matrices as F32 or F16

Calls llama.cpp's own C interface, as its `llama-bench` does; the Python class `Llama` would add its own work to each
step. A step is: one forward pass, the logits of each sequence, the most likely token of each.
"""

import ctypes
import json
import os
import statistics
import sys
import time
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

THREADS = int(os.environ.get("PEER_THREADS") or os.cpu_count() or 1)
PREFILLS = 3


def weight_bytes(path: str) -> int:
    """Bytes of all tensors. Each is read once per step; a tied head is the embedding, and there only once."""
    return int(sum(tensor.n_bytes for tensor in gguf.GGUFReader(path).tensors))


def write(kind: str, source: str, target: str) -> None:
    """Writes a GGUF file anew with all matrices as F32 or F16; vectors stay F32."""
    reader = gguf.GGUFReader(source)
    architecture = reader.get_field("general.architecture").contents()
    writer = gguf.GGUFWriter(target, architecture)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        value_type = field.types[0]
        inner = field.types[-1] if value_type == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), value_type, sub_type=inner)
    for tensor in reader.tensors:
        data = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        data = data.reshape([int(n) for n in reversed(tensor.shape)])
        writer.add_tensor(tensor.name, data.astype(np.float16) if kind == "F16" and data.ndim == 2 else data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Engine:
    """A loaded model with room for `batch` sequences of `length` tokens each."""

    def __init__(self, path: str, batch: int, length: int):
        llama_cpp.llama_backend_init()
        self.batch = batch
        self.model = llama_cpp.llama_model_load_from_file(
            path.encode(), llama_cpp.llama_model_default_params()
        )
        if not self.model:
            sys.exit(f"llama.cpp can't load {path}")
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = batch * length
        settings.n_batch = settings.n_ubatch = batch * length
        settings.n_seq_max = batch
        settings.n_threads = settings.n_threads_batch = THREADS
        self.context = llama_cpp.llama_init_from_model(self.model, settings)
        if not self.context:
            sys.exit("llama.cpp can't make a context")
        vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(vocabulary)
        self.input = llama_cpp.llama_batch_init(batch * length, 0, 1)

    def clear(self) -> None:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def step(self, rows: list[list[int]], start: int) -> list[int]:
        """Appends each sequence's row at position `start` and gives the most likely token after each."""
        batch, at, last = self.input, 0, []
        for sequence, row in enumerate(rows):
            for offset, token in enumerate(row):
                batch.token[at], batch.pos[at] = token, start + offset
                batch.n_seq_id[at], batch.seq_id[at][0] = 1, sequence
                batch.logits[at] = offset == len(row) - 1
                at += 1
            last.append(at - 1)
        batch.n_tokens = at
        if llama_cpp.llama_decode(self.context, batch) != 0:
            sys.exit("llama_decode failed")
        chosen = []
        for index in last:
            logits = llama_cpp.llama_get_logits_ith(self.context, index)
            logits = ctypes.cast(logits, ctypes.POINTER(ctypes.c_float * self.vocabulary)).contents
            chosen.append(int(np.argmax(np.frombuffer(logits, dtype=np.float32))))
        return chosen


def main(path: str, name: str, batch: int, prompt: list[int], tokens: int) -> None:
    engine = Engine(path, batch, len(prompt) + tokens)
    prefills = []
    for _ in range(1 + PREFILLS):  # the first one warms up
        engine.clear()
        start = time.perf_counter()
        chosen = engine.step([prompt] * batch, 0)
        prefills.append(time.perf_counter() - start)
    written, steps = [chosen[0]], []
    while len(written) < tokens:
        start = time.perf_counter()
        chosen = engine.step([[token] for token in chosen], len(prompt) + len(written) - 1)
        steps.append(time.perf_counter() - start)
        written.append(chosen[0])
    step = statistics.median(steps)
    row = {
        "engine": f"llama.cpp (llama-cpp-python {llama_cpp.__version__})",
        "weights": name,
        "batch": batch,
        "prefill": round(batch * len(prompt) / statistics.median(prefills[1:]), 1),
        "decode": round(batch / step, 2),
        "step_ms": round(1e3 * step, 3),
        "bytes": weight_bytes(path),
        "threads": THREADS,
        "tokens": written,
    }
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1] == "--write" and sys.argv[2] in ("F32", "F16"):
        write(*sys.argv[2:])
    elif len(sys.argv) == 6:
        ids = [int(token) for token in Path(sys.argv[4]).read_text().split()]
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]), ids, int(sys.argv[5]))
    else:
        sys.exit(__doc__)
