#!/usr/bin/env python3
"""Decoding strategies compared on tasks with a JSON Schema each.

    pip install torch transformers gguf accelerate
    python examples/python/strategies.py [--model FOLDER_OR_GGUF] [--tasks FILE] [--quick]

Without --model, the model of `gramask pull smollm2-135m-instruct` is taken. Each task of `experiments/tasks/records.jsonl` is decoded
by four strategies:

    plain     greedy decoding without a mask
    masked    greedy decoding under the mask
    jump      the same, but text that the schema forces costs no step of its own
    beam      a beam search with four beams under the mask

The table has the share of outputs that are instances of the schema, the share of outputs with the right value, forward passes of the
model and seconds per output, and the mean log probability of an output under the model.
"""

import argparse
import inspect
import json
import time
from pathlib import Path

from ner import BUDGET, USUAL, encode, generate, load  # in the same folder; it ends here, with a line, without PyTorch

import torch
import transformers

import gramask
from gramask.transformers import LogitsProcessor

TASKS = Path(__file__).resolve().parents[2] / "experiments/tasks/records.jsonl"


def jump(model, tokenizer, inputs, constraint):
    """Greedy decoding in which forced text is cut into tokens by the tokenizer, and goes into the next forward pass."""
    state, output, cache = constraint.start(), [], transformers.DynamicCache()
    # Newer releases of `transformers` call the argument `cache`.
    name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    new = inputs["input_ids"][0].tolist()
    while not constraint.is_ended(state):
        if forced := constraint.forced_text(state):
            tokens = tokenizer(forced, add_special_tokens=False)["input_ids"]
        else:
            logits = model(torch.tensor([new]), use_cache=True, **{name: cache}).logits[0, -1]
            new = []
            # The tokenizer may cut forced text into more tokens than the shortest way has.
            left = max(BUDGET - len(output), constraint.tokens_to_finish(state))
            allowed = torch.from_numpy(constraint.allowed(state, budget=left)).long()
            tokens = [int(allowed[logits[allowed].argmax()])]
        for token in tokens:
            state = constraint.advance(state, token)
        output += tokens
        new += tokens
    return output


def log_probability(model, inputs, output):
    """The log probability of an output under the model, without any mask."""
    tokens = torch.cat([inputs["input_ids"], torch.tensor([output])], dim=1)
    logits = model(tokens).logits[0, inputs["input_ids"].shape[1] - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(output).unsqueeze(1)).sum().item()


def is_instance(constraint, text):
    """Whether a text is an instance of the schema, as the constraint writes it: compact."""
    try:
        return constraint.is_complete(constraint.advance_bytes(constraint.start(), text))
    except gramask.TokenError:
        return False


def value(text):
    """The value of a text in JSON; None if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=USUAL)
    parser.add_argument("--tasks", type=Path, default=TASKS, help="a file of tasks with `prompt`, `json_schema` and `expected`")
    parser.add_argument("--quick", action="store_true", help="the first task alone")
    options = parser.parse_args()
    model, tokenizer, vocabulary = load(options.model)
    passes = 0

    def count(*_):
        nonlocal passes
        passes += 1

    model.register_forward_hook(count)
    tasks = [json.loads(line) for line in options.tasks.read_text(encoding="utf-8").splitlines()]
    tasks = tasks[: 1 if options.quick else None]
    prompts = [encode(tokenizer, [[{"role": "user", "content": task["prompt"]}]]) for task in tasks]
    constraints = [gramask.Grammar.from_json_schema(task["json_schema"]).constraint(vocabulary) for task in tasks]

    print(f"{'strategy':<9} {'instances':>9} {'right':>6} {'passes':>7} {'seconds':>8} {'log p':>7}  output of {tasks[0]['id']}")
    for strategy in ("plain", "masked", "jump", "beam"):
        outputs, passes, begin = [], 0, time.perf_counter()
        for inputs, constraint in zip(prompts, constraints):
            mask = [] if strategy == "plain" else [LogitsProcessor(constraint, budget=BUDGET)]
            if strategy == "jump":
                outputs.append(jump(model, tokenizer, inputs, constraint))
            else:
                [output] = generate(model, inputs, mask, num_beams=4 if strategy == "beam" else 1)
                outputs.append(output)
        each, seconds = passes / len(tasks), (time.perf_counter() - begin) / len(tasks)
        texts = [vocabulary.decode(output) for output in outputs]
        instances = sum(map(is_instance, constraints, texts)) / len(tasks)
        right = sum(value(text) == task["expected"] for text, task in zip(texts, tasks)) / len(tasks)
        log_p = sum(map(log_probability, [model] * len(tasks), prompts, outputs)) / len(tasks)
        figures = f"{100 * instances:>8.0f}% {100 * right:>5.0f}% {each:>7.1f} {seconds:>8.1f} {log_p:>7.1f}"
        print(f"{strategy:<9} {figures}  {texts[0]!r}", flush=True)


if __name__ == "__main__":
    main()
