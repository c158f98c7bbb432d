#!/usr/bin/env python3
"""Masks and `generate()` with gramask, llguidance, XGrammar and outlines-core, from Python, on the same tokenizer and grammars.

    pip install ./crates/gramask-python torch transformers gguf accelerate llguidance xgrammar outlines-core jsonschema
    python benches/python/compare.py [--items 4] [--rounds 2] [--languages date,sql] [--markdown docs/python.md] [--json FILE]

The languages are a regular expression, grammars in Lark and GBNF, JSON Schemas, and the format `json-list` at level `grounded` over
sentences of the mini corpus. Each engine reads them with its own front end. Formats are known to Gramask alone: the others get what
`gramask grammar expand` makes of a sentence. One thread. Engines take turns on each item, in an order that changes, so that other load on
the machine meets all of them.

    first mask   from the text of the grammar to the first mask; the tokenizer is prepared before
    new          mask and step of a token of the gold output, the first time along it
    again        the same along the same output once more, after the engine's own way to begin again
    same         masks of the gold output that equal Gramask's
    tokens/s     of `generate()` with SmolLM2-135M, greedy; the grammar of a sentence is compiled within this time
    mask         share of that time that went into masks (and into such a grammar)
    complete     outputs of `generate()` that are of the language; the budget is `--extra` tokens above the shortest output's

An engine that does not take a grammar, or takes longer than --limit seconds for it, has a dash. The reason goes to stderr.
"""

import argparse
import collections
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import numpy

import gramask

try:
    import jsonschema
    import torch
    import transformers
    from engines import Gramask, Llguidance, Outlines, Unsupported, Xgrammar  # in the same folder
except ImportError as error:
    raise SystemExit(f"this bench needs PyTorch, transformers and jsonschema ({error})")

torch.set_num_threads(1)

TASKS = Path(__file__).resolve().parents[2] / "experiments/tasks"
CACHE = Path(os.environ.get("GRAMASK_CACHE", Path.home() / ".cache/gramask"))
MODEL = CACHE / "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf"

#: Seconds from which on a grammar is compiled once, and not in each round.
SLOW = 5


@dataclass
class Item:
    """A question, the right answer, and the grammar of all answers in each syntax that it is known in."""

    messages: list[dict]
    gold: str
    sources: dict[str, object]
    is_of: Callable[[str], bool]
    #: Why there is no grammar in a syntax.
    missing: dict[str, str] = field(default_factory=dict)


@dataclass
class Language:
    name: str
    items: list[Item]
    #: Whether the grammar of an item is that of its document. It is then compiled for each output of `generate()`.
    of_documents: bool = False


def member(grammar):
    """Whether a text is of a plain grammar, byte by byte."""
    constraint = grammar.constraint(gramask.Vocabulary.from_pretrained("bytes"))

    def is_of(text):
        try:
            return constraint.is_complete(constraint.advance_bytes(constraint.start(), text))
        except gramask.TokenError:
            return False

    return is_of


def is_instance(schema):
    """Whether a text is an instance of a JSON Schema, by a validator that knows no masks."""

    def is_of(text):
        try:
            jsonschema.validate(json.loads(text), schema)
        except (ValueError, jsonschema.ValidationError):
            return False
        return True

    return is_of


def tasks(kind, count):
    """The tasks of a kind, as an item each."""
    lines = [line for name in ("grammars", "records") for line in (TASKS / f"{name}.jsonl").read_text().splitlines()]
    found = [task for task in map(json.loads, lines) if kind == ("json-schema" if "json_schema" in task else task["id"].split("-")[0])]
    items = []
    for task in found[:count]:
        gold = task["expected"]
        if pattern := task.get("regex"):
            sources, is_of = {"regex": pattern}, lambda text, pattern=pattern: re.fullmatch(pattern, text) is not None
        elif schema := task.get("json_schema"):
            sources, is_of, gold = {"json": schema}, is_instance(schema), json.dumps(gold, separators=(",", ":"))
        else:
            path = TASKS / task["grammar"]
            sources, is_of = {path.suffix[1:]: path.read_text()}, member(gramask.Grammar(path))
        items.append(Item([{"role": "user", "content": task["prompt"]}], gold, sources, is_of))
    return Language(kind, items)


def documents(count):
    """The shortest sentences of the mini corpus with entities, and its labels."""
    corpus = gramask.read_corpus("mini", "test", sentences=True)
    found = sorted((document for document in corpus if document.entities), key=lambda document: len(document.text))
    return found[:count], corpus.labels


def about_documents(name, fmt, count, sources_of):
    """Outputs of a format about sentences. `sources_of` gives the grammars of a document, and why there is none in a syntax."""
    items = []
    for document in documents(count)[0]:
        sources, missing, is_read = sources_of(document)

        def is_of(text, document=document, is_read=is_read):
            try:
                return is_read(fmt.read(document.text, text))
            except gramask.ReadError:
                return False

        items.append(Item(fmt.messages(document.text), fmt.write(document.text, document.entities).text, sources, is_of, missing))
    return Language(name, items)


def as_schema(count):
    """The format `json-list` as a JSON Schema."""
    labels = documents(1)[1]
    entity = {
        "type": "object",
        "properties": {"text": {"type": "string"}, "label": {"enum": labels}},
        "required": ["text", "label"],
        "additionalProperties": False,
    }
    schema = {"type": "array", "items": entity}
    fmt = gramask.Format("json-list", labels=labels)
    return about_documents("`json-list` as a JSON Schema", fmt, count, lambda _: ({"json": schema}, {}, lambda _: True))


def grounded(name, count):
    """A format at level `grounded`. The other engines get the format's expansion over each sentence."""
    labels = documents(1)[1]
    fmt = gramask.Format(name, labels=labels)

    def sources_of(document):
        sources, missing = {"format": (fmt, document.text)}, {}
        for syntax, notation in (("lark", "lark"), ("ebnf", "xgrammar"), ("regex", "regex")):
            asked = ["--format", name, "--labels", ",".join(labels), "--document", document.text, "--to", notation]
            asked += ["--rules", "1000000"]
            done = subprocess.run([sys.executable, "-m", "gramask", "grammar", "expand", *asked], capture_output=True, text=True)
            if done.returncode == 0:
                sources[syntax] = done.stdout.strip() if syntax == "regex" else done.stdout
            else:
                missing[syntax] = done.stderr.strip().removeprefix("error: ")
        return sources, missing, lambda reading: not reading.problems

    language = about_documents(f"`{name}`, grounded", fmt, count, sources_of)
    language.of_documents = True
    return language


LANGUAGES = {
    "date": lambda count: tasks("date", count),
    "sql": lambda count: tasks("sql", count),
    "arithmetic": lambda count: tasks("arithmetic", count),
    "json-schema": lambda count: tasks("json-schema", count),
    "json-list-schema": as_schema,
    "json-list-grounded": lambda count: grounded("json-list", count),
}


def affordable(engine, item, limit):
    """None if the engine compiles the item's grammar within the limit, else why not. It is tried in a process of its own, which can
    be stopped."""
    engine.syntax(item)
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_AS, (32 << 30, 32 << 30))
        signal.alarm(limit)
        try:
            engine.matcher(engine.compile(item)).fill()
        except Exception:  # noqa: BLE001: it will be raised again, where it is reported.
            pass
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status == 0:
        return None
    return f"not compiled within {limit} s" if os.WTERMSIG(status) == signal.SIGALRM else f"ended by signal {os.WTERMSIG(status)}"


def walk(matcher, tokens, end):
    """The seconds of each step along an output, and the masks."""
    seconds, masks = [], []
    for place, token in enumerate([*tokens, None]):
        begin = time.perf_counter()
        matcher.fill()
        if token is not None:
            matcher.accept(token)
            seconds.append(time.perf_counter() - begin)
        masks.append(matcher.row.copy())
        wanted = end if token is None else token
        if not int(masks[-1][wanted // 32]) >> (wanted % 32) & 1:
            raise RuntimeError(f"the mask lacks token {place} of the gold output")
    return seconds, masks


def measure(engine, item, tokens, end, row, masks, slow):
    """Compiles and walks once; the times go into the row, the masks of Gramask into `masks`. What took more than SLOW seconds to
    compile is kept in `slow`, and not compiled again."""
    key = (engine.name, str(item.sources[engine.syntax(item)]))
    begin = time.perf_counter()
    compiled = slow[key] if key in slow else engine.compile(item)
    matcher = engine.matcher(compiled)
    matcher.fill()
    seconds = time.perf_counter() - begin
    if key not in slow:
        row["first"].append(seconds)
    if seconds > SLOW:
        slow[key] = compiled
    matcher.reset()
    # The first mask was made already; its time is not one of a new state's.
    seconds, made = walk(matcher, tokens, end)
    row["new"] += seconds[1:]
    matcher.reset()
    row["again"] += walk(matcher, tokens, end)[0]
    own = masks.setdefault("gramask", made)
    row["same"] += [bool((one == other).all()) for one, other in zip(made, own)]
    return compiled


class Timed:
    """A logits processor with a clock."""

    def __init__(self, processor):
        self.processor, self.seconds = processor, 0.0

    def __call__(self, input_ids, scores):
        begin = time.perf_counter()
        scores = self.processor(input_ids, scores)
        self.seconds += time.perf_counter() - begin
        return scores


def generate(engine, language, item, compiled, budget, model, tokenizer, row):
    """Greedy decoding of one output, with an engine or without one."""
    prompt = tokenizer.apply_chat_template(item.messages, add_generation_prompt=True, tokenize=False)
    inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
    begin = time.perf_counter()
    masks, processors = 0.0, []
    if engine is not None:
        compiled = engine.compile(item) if language.of_documents else compiled
        processors = [Timed(engine.processor(compiled, budget))]
        masks = time.perf_counter() - begin
    with torch.no_grad():
        made = model.generate(**inputs, max_new_tokens=budget, do_sample=False, logits_processor=processors)
    row["seconds"] += time.perf_counter() - begin
    row["masks"] += masks + sum(processor.seconds for processor in processors)
    tokens = made[0, inputs["input_ids"].shape[1] :].tolist()
    row["tokens"] += len(tokens)
    row["complete"].append(item.is_of(tokenizer.decode(tokens, skip_special_tokens=True)))


def compare(language, engines, options, model, tokenizer):
    """The rows of a language."""
    slow, end, names = {}, tokenizer.eos_token_id, [engine.name for engine in engines]
    rows = {name: collections.defaultdict(list, seconds=0.0, masks=0.0, tokens=0) for name in [*names, "no mask"]}
    failed = {}
    for number, item in enumerate(language.items):
        tokens = tokenizer(item.gold, add_special_tokens=False)["input_ids"]
        constraint = engines[0].compile(item)
        budget = constraint.tokens_to_finish(constraint.start()) + options.extra
        masks, compiled = {}, {}
        for turn in range(options.rounds + 1):
            # Gramask is first in the first round: the others' masks are compared with its masks.
            shift = (number + turn) % len(engines) if turn else 0
            for engine in engines[shift:] + engines[:shift]:
                if engine.name in failed:
                    continue
                try:
                    if number == turn == 0 and (why := affordable(engine, item, options.limit)):
                        raise Unsupported(why)
                    if turn < options.rounds:
                        compiled[engine.name] = measure(engine, item, tokens, end, rows[engine.name], masks, slow)
                    else:
                        generate(engine, language, item, compiled[engine.name], budget, model, tokenizer, rows[engine.name])
                except Exception as error:  # noqa: BLE001: each engine has its own exceptions.
                    failed[engine.name] = str(error).splitlines()[0][:160] or type(error).__name__
        generate(None, language, item, None, budget, model, tokenizer, rows["no mask"])
    return [summary(language, name, rows[name], failed.get(name)) for name in rows]


def summary(language, name, row, why):
    """The figures of a row. One that failed has a reason instead."""
    made = {"language": language.name, "engine": name}
    if why:
        print(f"{language.name}, {name}: {why}", file=sys.stderr)
        return made | {"why": why}
    if row["first"]:
        made["first_ms"] = 1e3 * statistics.median(row["first"])
        for key in ("new", "again"):
            made[f"{key}_us"] = [1e6 * float(numpy.quantile(row[key], share)) for share in (0.5, 0.9)]
        made["same"] = statistics.mean(row["same"])
        made["mask"] = row["masks"] / row["seconds"]
    return made | {"rate": row["tokens"] / row["seconds"], "complete": statistics.mean(row["complete"])}


def table(rows):
    """The rows in Markdown."""
    lines = [
        "| language | engine | first mask, ms | new, us: p50 / p90 | again, us: p50 / p90 | same, % | tokens/s | mask, % | complete, % |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]

    def number(value, digits=1):
        return "-" if value is None else f"{value:,.{digits}f}"

    def pair(values):
        return "-" if values is None else " / ".join(number(value) for value in values)

    def percent(value, digits=0):
        return "-" if value is None else f"{100 * value:.{digits}f}"

    for row in rows:
        cells = [number(row.get("first_ms")), pair(row.get("new_us")), pair(row.get("again_us")), percent(row.get("same"))]
        cells += [number(row.get("rate")), percent(row.get("mask"), 1), percent(row.get("complete"))]
        lines.append(f"| {row['language']} | {row['engine']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=4, help="items of each language")
    parser.add_argument("--rounds", type=int, default=2, help="how often masks are measured on each item")
    parser.add_argument("--extra", type=int, default=16, help="tokens of the budget above the shortest output's")
    parser.add_argument("--limit", type=int, default=90, help="seconds that an engine may take for a grammar")
    parser.add_argument("--languages", default=",".join(LANGUAGES), help="some of them, separated by commas")
    parser.add_argument("--markdown", type=Path, help="put the table between the marks <!-- compare --> of this file")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    names = options.languages.split(",")
    if unknown := [name for name in names if name not in LANGUAGES]:
        parser.error(f"unknown languages {', '.join(unknown)}; there are {', '.join(LANGUAGES)}")
    if not MODEL.is_file():
        raise SystemExit(f"{MODEL} is missing: `gramask pull smollm2-135m-instruct` brings it")
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL.parent, gguf_file=MODEL.name)
    model = transformers.AutoModelForCausalLM.from_pretrained(MODEL.parent, gguf_file=MODEL.name, dtype=torch.float32).eval()
    model.generation_config.pad_token_id = model.generation_config.eos_token_id = tokenizer.eos_token_id

    warm = Item([], "a", {"regex": "a"}, bool)
    engines = []
    for make in (Gramask, Llguidance, Xgrammar, Outlines):
        try:
            engines.append(make(tokenizer, model.config.vocab_size))
            engines[-1].matcher(engines[-1].compile(warm)).fill()
        except ImportError as error:
            print(f"{make.name} is not installed: {error}", file=sys.stderr)
    rows = []
    for name in names:
        rows += compare(LANGUAGES[name](options.items), engines, options, model, tokenizer)
        load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
        print(f"{name} is done; load {load} on {os.cpu_count()} processors", file=sys.stderr, flush=True)
    text = table(rows)
    print(text)
    if options.json:
        options.json.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if options.markdown:
        page = options.markdown.read_text()
        pattern = re.compile("(?<=<!-- compare -->\n).*?(?=<!-- /compare -->)", re.S)
        if not pattern.search(page):
            raise SystemExit(f"{options.markdown} has no marks <!-- compare --> and <!-- /compare -->")
        options.markdown.write_text(pattern.sub(lambda _: f"\n{text}\n\n", page))


if __name__ == "__main__":
    main()
