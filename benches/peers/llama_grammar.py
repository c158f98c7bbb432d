#!/usr/bin/env python3
"""Documents per second of llama.cpp under a GBNF grammar: JSON lines like those of the example `strategy_speed`.

    llama_grammar.py MODEL.gguf NAME WORK.jsonl [--batch 1,4,8,16] [--formats json-list,..] [--limit N] [--modes grammar,..]
    llama_grammar.py MODEL.gguf NAME WORK.jsonl --tune
    llama_grammar.py MODEL.gguf NAME OUTPUTS.jsonl --accepts

WORK.jsonl is what `strategy_speed --export` writes: prompts and budgets. NAME is what the rows call the weights.
--tune tries a cache for all sequences and one for each, with and without flash attention, on some of the documents, and
writes the options of the fastest. With --accepts, nothing is decoded: the outputs of OUTPUTS.jsonl that ended are held
against the grammars of `gbnf/`.

It works as `llama-server` does: continuous batching over parallel sequences, the prompts' common beginning computed once
and copied, a free sequence takes the next document. A token is chosen as `common_sampler_sample` does it: the most likely
one is held against the grammar, and only where it is refused is the grammar applied to all. Everything but a few calls per
step is llama.cpp's own compiled code; `python_s` of a row is what was spent elsewhere.
"""

import argparse
import ctypes
import json
import os
import sys
import time
from pathlib import Path

import llama_cpp
import numpy as np

THREADS = int(os.environ.get("PEER_THREADS") or os.cpu_count() or 1)
GRAMMARS = Path(__file__).parent / "gbnf"
TUNE_DOCUMENTS = 8
CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # llama_token_data


def grammar_text(format: str) -> bytes:
    return (GRAMMARS / f"{format}.gbnf").read_bytes()


@llama_cpp.llama_log_callback
def quiet(level, text, _):
    if level == 4:  # errors
        sys.stderr.write(text.decode(errors="replace"))


class Model:
    """The weights, and the vocabulary with what grammars need of it."""

    def __init__(self, path: str):
        llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            sys.exit(f"llama.cpp can't load {path}")
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.tokens = llama_cpp.llama_vocab_n_tokens(self.vocabulary)
        self.ends = {token for token in range(self.tokens) if llama_cpp.llama_vocab_is_eog(self.vocabulary, token)}
        self.candidates = np.zeros(self.tokens, dtype=CANDIDATE)
        self.ids = np.arange(self.tokens, dtype=np.int32)
        self.all = self.array(self.candidates)
        self.one = np.zeros(1, dtype=CANDIDATE)
        self.single = self.array(self.one)
        self.buffer = ctypes.create_string_buffer(256)

    @staticmethod
    def array(candidates: np.ndarray) -> llama_cpp.llama_token_data_array:
        data = candidates.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token_data))
        return llama_cpp.llama_token_data_array(data, len(candidates), -1, False)

    def grammar(self, format: str):
        sampler = llama_cpp.llama_sampler_init_grammar(self.vocabulary, grammar_text(format), b"root")
        if not sampler:
            sys.exit(f"llama.cpp can't read the grammar of {format}")
        return sampler

    def allows(self, sampler, token: int) -> bool:
        """Whether the grammar allows one token."""
        self.one[0] = (token, 1.0, 0.0)
        self.single.size, self.single.selected, self.single.sorted = 1, -1, False
        llama_cpp.llama_sampler_apply(sampler, ctypes.byref(self.single))
        return self.one["logit"][0] != -np.inf

    def best(self, sampler, logits: np.ndarray) -> int:
        """The most likely token of those that the grammar allows."""
        self.candidates["id"], self.candidates["logit"] = self.ids, logits
        self.all.size, self.all.selected, self.all.sorted = self.tokens, -1, False
        llama_cpp.llama_sampler_apply(sampler, ctypes.byref(self.all))
        return int(self.candidates["id"][np.argmax(self.candidates["logit"])])

    def piece(self, token: int) -> bytes:
        length = llama_cpp.llama_token_to_piece(self.vocabulary, token, self.buffer, len(self.buffer), 0, False)
        return self.buffer.raw[:length]

    def tokenise(self, text: bytes) -> list[int]:
        tokens = (llama_cpp.llama_token * (len(text) + 8))()
        count = llama_cpp.llama_tokenize(self.vocabulary, text, len(text), tokens, len(tokens), False, False)
        return list(tokens[:count])


class Slot:
    """A sequence that holds a document."""

    def __init__(self, document: dict, sampler, prefix: int):
        self.document, self.sampler = document, sampler
        self.waiting = document["prompt"][prefix:]  # what the model has not read yet
        self.position = prefix
        self.written: list[int] = []


def common_prefix(prompts: list[list[int]]) -> int:
    """How many tokens all have in common, at most all but the last of each. A single prompt shares nothing."""
    if len(prompts) < 2:
        return 0
    shortest = min(len(prompt) for prompt in prompts) - 1
    same = (len({prompt[at] for prompt in prompts}) == 1 for at in range(shortest))
    return next((at for at, equal in enumerate(same) if not equal), shortest)


class Context:
    """Room for `slots` sequences of these documents, and one for what they have in common."""

    def __init__(self, model: Model, documents: list[dict], slots: int, unified: bool, flash: int):
        self.model, self.documents = model, documents
        self.slots = min(slots, len(documents))
        self.prefix = common_prefix([document["prompt"] for document in documents])
        longest = max(len(document["prompt"]) + document["budget"] for document in documents)
        settings = llama_cpp.llama_context_default_params()
        whole = self.prefix + self.slots * (longest - self.prefix)
        settings.n_ctx = whole if unified else (self.slots + 1) * -(-longest // 256) * 256
        settings.n_batch = settings.n_ubatch = 512
        settings.n_seq_max = self.slots + 1
        settings.n_threads = settings.n_threads_batch = THREADS
        settings.kv_unified = unified
        settings.flash_attn_type = flash
        self.context = llama_cpp.llama_init_from_model(model.model, settings)
        if not self.context:
            sys.exit("llama.cpp can't make a context")
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.room = settings.n_batch  # tokens of a pass
        self.batch = llama_cpp.llama_batch_init(self.room, 0, 1)

    def close(self) -> None:
        llama_cpp.llama_batch_free(self.batch)
        llama_cpp.llama_free(self.context)

    def put(self, at: int, token: int, position: int, sequence: int, wanted: bool) -> None:
        batch = self.batch
        batch.token[at], batch.pos[at] = token, position
        batch.n_seq_id[at], batch.seq_id[at][0] = 1, sequence
        batch.logits[at] = wanted

    def forward(self, count: int) -> None:
        self.batch.n_tokens = count
        if llama_cpp.llama_decode(self.context, self.batch) != 0:
            sys.exit("llama_decode failed")
        llama_cpp.llama_synchronize(self.context)

    def logits(self, row: int) -> np.ndarray:
        """The logits after the batch's token `row`, as a view."""
        pointer = llama_cpp.llama_get_logits_ith(self.context, row)
        return np.ctypeslib.as_array(pointer, shape=(self.model.tokens,))

    def read_prefix(self) -> None:
        tokens = self.documents[0]["prompt"][: self.prefix]
        for start in range(0, len(tokens), self.room):
            part = tokens[start : start + self.room]
            for at, token in enumerate(part):
                self.put(at, token, start + at, self.slots, False)
            self.forward(len(part))

    def decode(self, grammar) -> tuple[dict, list[dict]]:
        """Decodes all documents: what it took, and the outputs. `grammar` is a sampler to copy, or None."""
        model, times = self.model, dict.fromkeys(("forward_s", "check_s", "full_s"), 0.0)
        queue, active, outputs, refused, passes = list(reversed(self.documents)), {}, [], 0, 0
        llama_cpp.llama_memory_clear(self.memory, True)
        begin = time.perf_counter()
        self.read_prefix()
        times["forward_s"] += time.perf_counter() - begin
        while queue or active:
            for sequence in range(self.slots):
                if sequence not in active and queue:
                    llama_cpp.llama_memory_seq_rm(self.memory, sequence, -1, -1)
                    if self.prefix:
                        llama_cpp.llama_memory_seq_cp(self.memory, self.slots, sequence, -1, -1)
                    sampler = llama_cpp.llama_sampler_clone(grammar) if grammar else None
                    active[sequence] = Slot(queue.pop(), sampler, self.prefix)
            # Written tokens first: a long prompt may need several passes, and holds nobody up.
            count, wanted = 0, []
            for sequence, slot in sorted(active.items(), key=lambda item: (len(item[1].waiting) > 1, item[0])):
                part = slot.waiting[: self.room - count]
                whole = len(part) == len(slot.waiting)
                for at, token in enumerate(part):
                    self.put(count + at, token, slot.position + at, sequence, whole and at == len(part) - 1)
                count += len(part)
                slot.position += len(part)
                slot.waiting = slot.waiting[len(part) :]
                if part and whole:
                    wanted.append((sequence, count - 1))
            start = time.perf_counter()
            self.forward(count)
            passes += 1
            times["forward_s"] += time.perf_counter() - start
            for sequence, row in wanted:
                slot = active[sequence]
                logits = self.logits(row)
                token = int(np.argmax(logits))
                if slot.sampler:
                    start = time.perf_counter()
                    allowed = model.allows(slot.sampler, token)
                    times["check_s"] += time.perf_counter() - start
                    if not allowed:
                        start, refused = time.perf_counter(), refused + 1
                        token = model.best(slot.sampler, logits)
                        times["full_s"] += time.perf_counter() - start
                slot.written.append(token)
                ended = token in model.ends
                if ended or len(slot.written) == slot.document["budget"]:
                    outputs.append(self.output(slot, ended))
                    if slot.sampler:
                        llama_cpp.llama_sampler_free(slot.sampler)
                    del active[sequence]
                else:
                    if slot.sampler:
                        start = time.perf_counter()
                        llama_cpp.llama_sampler_accept(slot.sampler, token)
                        times["check_s"] += time.perf_counter() - start
                    slot.waiting = [token]
        wall = time.perf_counter() - begin
        times["python_s"] = wall - sum(times.values())
        return {"wall_s": wall, "passes": passes, "refused": refused, **times}, outputs

    def output(self, slot: Slot, ended: bool) -> dict:
        text = b"".join(self.model.piece(token) for token in (slot.written[:-1] if ended else slot.written))
        return {
            "format": slot.document["format"],
            "document": slot.document["document"],
            "ended": ended,
            "output": text.decode(errors="replace"),
            "tokens": len(slot.written),
        }


def batches(options: argparse.Namespace, format: str) -> list[int]:
    """The batch sizes asked for; with --again, the two of them that were fastest before."""
    asked = [int(batch) for batch in options.batch.split(",")]
    if not options.again:
        return asked
    rates: dict[int, float] = {}
    for row in map(json.loads, Path(options.again).read_text().splitlines()):
        if (row["engine"][:9], row["format"], row["weights"]) == ("llama.cpp", format, options.name):
            rates[row["batch"]] = max(row["documents_per_second"], rates.get(row["batch"], 0))
    return sorted(sorted(asked, key=lambda batch: -rates.get(batch, 0))[:2])


def run(model: Model, options: argparse.Namespace) -> None:
    lines = [json.loads(line) for line in Path(options.work).read_text().splitlines()]
    formats = options.formats.split(",") if options.formats else list(dict.fromkeys(line["format"] for line in lines))
    kept = open(options.outputs, "w") if options.outputs else None
    for format in formats:
        documents = [line for line in lines if line["format"] == format][: options.limit]
        grammar = model.grammar(format)
        for batch in batches(options, format):
            context = Context(model, documents, batch, options.cache == "unified", int(options.flash))
            for mode in options.modes.split(","):
                figures, outputs = context.decode(grammar if mode == "grammar" else None)
                tokens = sum(output["tokens"] for output in outputs)
                row = {
                    "engine": f"llama.cpp (llama-cpp-python {llama_cpp.__version__})",
                    "format": format,
                    "level": "syntax" if mode == "grammar" else "none",
                    "strategy": mode,
                    "batch": batch,
                    "weights": options.name,
                    "documents": len(outputs),
                    "ended": sum(output["ended"] for output in outputs),
                    "documents_per_second": len(outputs) / figures["wall_s"],
                    "tokens_per_second": tokens / figures["wall_s"],
                    "tokens": tokens,
                    "prefix": context.prefix,
                    "threads": THREADS,
                    "cache": options.cache,
                    "flash": options.flash,
                    **figures,
                }
                print(json.dumps(row), flush=True)
                if kept and mode == "grammar":
                    kept.writelines(json.dumps(output) + "\n" for output in outputs)
            context.close()
        llama_cpp.llama_sampler_free(grammar)


def tune(model: Model, options: argparse.Namespace) -> None:
    """The fastest of the settings that do not change what is computed, at 8 sequences; each is tried twice."""
    lines = [json.loads(line) for line in Path(options.work).read_text().splitlines()]
    documents = [line for line in lines if line["format"] == lines[0]["format"]][:TUNE_DOCUMENTS]
    grammar, tried = model.grammar(lines[0]["format"]), {}
    for _ in range(2):
        for cache in ("unified", "apart"):
            for flash in (0, 1):
                context = Context(model, documents, 8, cache == "unified", flash)
                figures, outputs = context.decode(grammar)
                context.close()
                rate = sum(output["tokens"] for output in outputs) / figures["wall_s"]
                tried[cache, flash] = max(rate, tried.get((cache, flash), 0))
    print("tokens per second", tried, file=sys.stderr)
    cache, flash = max(tried, key=tried.get)
    print(f"--cache {cache} --flash {flash}")


def accepts(model: Model, options: argparse.Namespace) -> None:
    """Holds outputs against the grammars, token by token. Writes a line per format; fails where one is refused."""
    lines = [json.loads(line) for line in Path(options.work).read_text().splitlines()]
    failed = False
    for format in dict.fromkeys(line["format"] for line in lines):
        grammar, refused, outputs = model.grammar(format), [], []
        for line in lines:
            if line["format"] == format and line["ended"]:
                outputs.append(line)
                sampler, text = llama_cpp.llama_sampler_clone(grammar), line["output"].encode()
                for token in model.tokenise(text):
                    if not model.allows(sampler, token):
                        refused.append(line)
                        break
                    llama_cpp.llama_sampler_accept(sampler, token)
                else:
                    if not model.allows(sampler, min(model.ends)):
                        refused.append(line)
                llama_cpp.llama_sampler_free(sampler)
        failed |= bool(refused)
        print(json.dumps({"format": format, "outputs": len(outputs), "refused": refused}))
    sys.exit(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("model")
    parser.add_argument("name")
    parser.add_argument("work")
    parser.add_argument("--accepts", action="store_true")
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--batch", default="1,4,8,16")
    parser.add_argument("--again", metavar="ROWS.jsonl", help="only the two fastest batch sizes of these rows")
    parser.add_argument("--formats", default="")
    parser.add_argument("--modes", default="unconstrained,grammar")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--outputs")
    parser.add_argument("--cache", choices=("unified", "apart"), default="unified")
    parser.add_argument("--flash", choices=("0", "1"), default="0")
    given = parser.parse_args()
    loaded = Model(given.model)
    (accepts if given.accepts else tune if given.tune else run)(loaded, given)
