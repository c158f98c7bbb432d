#!/usr/bin/env python3
"""MaskBench: masks of JSON Schemas by gramask, llguidance and XGrammar, from Python, in one process and on one thread.

    pip install ./crates/gramask-python llguidance xgrammar torch transformers
    python benches/python/maskbench.py FOLDER --tokenizer tokenizer.json [--engines gramask,llguidance,xgrammar] [--limit N] [--csv FILE]

FOLDER has MaskBench's files: a `schema`, and `tests` with `data` and `valid`. The method is MaskBench's
(https://github.com/guidance-ai/jsonschemabench): a schema is compiled; an instance is written by `json.dumps` and cut into tokens; for
each token the mask is filled into the same int32 row, the token is looked up in it, and the engine goes on by the token. A valid
instance passes if every token is allowed and the end after them. An invalid one passes if something is not allowed.

    first mask      from the schema to the first mask, microseconds; the tokenizer is prepared before
    between masks   a step and the mask after it, microseconds

A call from Python costs an engine about a microsecond. Files take turns: each is measured by all engines before the next, in an order
that changes from file to file.
"""

import argparse
import csv
import json
import pathlib
import time

import numpy

import gramask


class Gramask:
    def __init__(self, path):
        self.vocabulary = gramask.Vocabulary.from_pretrained(path)
        self.size = len(self.vocabulary)

    def compile(self, schema):
        # A blank after each comma and colon, as `json.dumps` writes them.
        self.constraint = gramask.Grammar.from_json_schema(schema, whitespace=1).constraint(self.vocabulary)
        self.state = self.constraint.start()

    def reset(self):
        self.state = self.constraint.start()

    def fill(self, row):
        self.constraint.fill_mask(self.state, row)

    def accept(self, token):
        self.state = self.constraint.advance(self.state, token)


class Llguidance:
    def __init__(self, path):
        import llguidance
        import llguidance.hf
        import llguidance.numpy
        import transformers

        self.tools = llguidance
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(path), eos_token="<|end_of_text|>")
        self.tokens = llguidance.hf.from_tokenizer(tokenizer)

    def compile(self, schema):
        self.matcher = self.tools.LLMatcher(self.tokens, self.tools.LLMatcher.grammar_from_json_schema(schema))
        if self.matcher.is_error():
            raise RuntimeError(self.matcher.get_error().splitlines()[0])

    def reset(self):
        self.matcher.reset()

    def fill(self, row):
        self.tools.numpy.fill_next_token_bitmask(self.matcher, row.reshape(1, -1), 0)

    def accept(self, token):
        if not self.matcher.consume_token(token):
            raise RuntimeError(self.matcher.get_error())


class Xgrammar:
    def __init__(self, path):
        import torch
        import transformers
        import xgrammar

        torch.set_num_threads(1)
        self.tools, self.torch = xgrammar, torch
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(path), eos_token="<|end_of_text|>")
        info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=len(tokenizer))
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)

    def compile(self, schema):
        # As MaskBench calls it: any white space, other properties where the schema does not forbid them.
        self.compiled = self.compiler.compile_json_schema(json.dumps(schema), any_whitespace=True, strict_mode=False)
        self.reset()

    def reset(self):
        self.matcher = self.tools.GrammarMatcher(self.compiled)

    def fill(self, row):
        self.matcher.fill_next_token_bitmask(self.torch.from_numpy(row).unsqueeze(0), 0)

    def accept(self, token):
        if not self.matcher.accept_token(token):
            raise RuntimeError(f"token {token} is refused")


ENGINES = {"gramask": Gramask, "llguidance": Llguidance, "xgrammar": Xgrammar}


def allows(row, token):
    return (int(row[token // 32]) >> (token % 32)) & 1 == 1


def accepts(engine, row, tokens, end, between):
    """Whether all tokens are allowed, and the end after them."""
    engine.fill(row)
    for token in tokens:
        if not allows(row, token):
            return False
        begin = time.perf_counter()
        engine.accept(token)
        engine.fill(row)
        between.append((time.perf_counter() - begin) * 1e6)
    return allows(row, end)


def measure(engine, row, source, encode, end):
    """What one file gave."""
    result = {"refused": "", "rejected": 0, "let_in": 0, "failed": "", "first": None, "between": []}
    begin = time.perf_counter()
    try:
        engine.compile(source["schema"])
    except Exception as error:  # noqa: BLE001: every engine has its own
        result["refused"] = str(error).splitlines()[0][:200] or type(error).__name__
        return result
    try:
        engine.fill(row)
        result["first"] = (time.perf_counter() - begin) * 1e6
        for test in source["tests"]:
            tokens = encode(json.dumps(test["data"], ensure_ascii=False))
            engine.reset()
            accepted = accepts(engine, row, tokens, end, result["between"])
            result["rejected"] += test["valid"] and not accepted
            result["let_in"] += accepted and not test["valid"]
    except Exception as error:  # noqa: BLE001
        result["failed"] = str(error).splitlines()[0][:200] or type(error).__name__
    return result


def quantile(times, share):
    return times[min(int(len(times) * share), len(times) - 1)] if times else float("nan")


def summary(results):
    passing = sum(not (r["refused"] or r["failed"] or r["rejected"] or r["let_in"]) for r in results)
    first = sorted(r["first"] for r in results if r["first"] is not None)
    between = sorted(t for r in results for t in r["between"])
    rows = [
        ("passing", f"{passing}"),
        ("compile errors", f"{sum(bool(r['refused']) for r in results)}"),
        ("valid instances rejected (files)", f"{sum(r['rejected'] > 0 for r in results)}"),
        ("invalid instances accepted (files)", f"{sum(r['let_in'] > 0 for r in results)}"),
        ("failures", f"{sum(bool(r['failed']) for r in results)}"),
        ("masks", f"{len(between)}"),
    ]
    for name, times in (("first mask", first), ("between masks", between)):
        rows.append((f"{name}, mean, us", f"{sum(times) / max(len(times), 1):.1f}"))
        rows += [(f"{name}, p{share * 100:g}", f"{quantile(times, share):.1f}") for share in (0.5, 0.9, 0.99, 0.999)]
        rows.append((f"{name}, max", f"{times[-1] if times else float('nan'):.0f}"))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True)
    parser.add_argument("--engines", default="gramask,llguidance,xgrammar")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--csv", type=pathlib.Path)
    args = parser.parse_args()
    files = sorted(args.folder.glob("*.json"))
    if not files:
        parser.error(f"{args.folder} has no .json file: give the folder of MaskBench's files")
    if args.limit:
        # Evenly over the names, which say where a schema is from.
        files = files[:: max(1, len(files) // args.limit)][: args.limit]
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(args.tokenizer))
    names = args.engines.split(",")
    engines = {name: ENGINES[name](args.tokenizer) for name in names}
    end = tokenizer.token_to_id("<|end_of_text|>")
    row = numpy.zeros((tokenizer.get_vocab_size() + 31) // 32, dtype=numpy.int32)
    results = {name: [] for name in names}
    for number, file in enumerate(files):
        source = json.loads(file.read_text(encoding="utf-8"))
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids  # noqa: E731
            results[name].append(measure(engines[name], row, source, encode, end))
        if (number + 1) % 50 == 0:
            print(f"{number + 1} of {len(files)}", flush=True)
    if args.csv:
        with args.csv.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(["engine", "file", "refused", "rejected", "let_in", "failed", "first_us", "masks", "mean_us", "max_us"])
            for name in names:
                for file, r in zip(files, results[name]):
                    times = r["between"] or [float("nan")]
                    writer.writerow([name, file.stem, r["refused"], r["rejected"], r["let_in"], r["failed"], r["first"],
                                     len(r["between"]), sum(times) / len(times), max(times)])
    rows = {name: summary(results[name]) for name in names}
    print(f"\n{len(files)} files, {tokenizer.get_vocab_size()} tokens\n")
    print("| | " + " | ".join(names) + " |\n|---|" + "---:|" * len(names))
    for at, (title, _) in enumerate(rows[names[0]]):
        print(f"| {title} | " + " | ".join(rows[name][at][1] for name in names) + " |")


if __name__ == "__main__":
    main()
