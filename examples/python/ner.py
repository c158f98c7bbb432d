#!/usr/bin/env python3
"""Named entities with a model of `transformers`, without a mask and with one.

    pip install torch transformers gguf accelerate
    python examples/python/ner.py [--model FOLDER_OR_GGUF] [--format json-list] [--sentences 6] [--quick]

Without --model, the model of `gramask pull smollm2-135m-instruct` is taken. Sentences of the mini corpus are decoded three times, as
one batch: without a mask, so that outputs may not parse; with masks of level `syntax`; and of level `grounded`. The table has the
share of outputs that parse, strict F1 with its interval, and the seconds.
"""

import argparse
import os
import time
from pathlib import Path

import gramask

try:
    import torch
    import transformers

    from gramask.transformers import LogitsProcessor
except ImportError as error:
    print(f"skipped: this example needs PyTorch and transformers ({error})")
    raise SystemExit from None

CACHE = Path(os.environ.get("GRAMASK_CACHE", Path.home() / ".cache/gramask"))
USUAL = CACHE / "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf"

#: Tokens of an output.
BUDGET = 64


def load(path):
    """A model, its tokenizer and its vocabulary, from a folder or a GGUF file."""
    if not path.exists():
        print(f"skipped: {path} is missing (`gramask pull smollm2-135m-instruct` brings it)")
        raise SystemExit
    where, options = (path, {}) if path.is_dir() else (path.parent, {"gguf_file": path.name})
    tokenizer = transformers.AutoTokenizer.from_pretrained(where, padding_side="left", **options)
    model = transformers.AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32, **options).eval()
    # A mask has a bit for each logit, and a model can have more logits than its tokenizer has tokens.
    vocabulary = gramask.Vocabulary.from_transformers(tokenizer, size=model.config.vocab_size)
    # `generate` must stop at the end tokens of the mask, and at no other.
    model.generation_config.eos_token_id = vocabulary.end
    model.generation_config.pad_token_id = tokenizer.pad_token_id = vocabulary.end[0]
    return model, tokenizer, vocabulary


def encode(tokenizer, conversations):
    """Conversations as the input of `generate`."""
    prompts = [tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False) for messages in conversations]
    return tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)


def generate(model, inputs, processors, **options):
    """The tokens of the output for each conversation."""
    with torch.no_grad():
        made = model.generate(**inputs, max_new_tokens=BUDGET, do_sample=False, logits_processor=processors, **options)
    rows, end = made[:, inputs["input_ids"].shape[1] :].tolist(), model.generation_config.pad_token_id
    # After the end of an output come padding tokens, until the longest output of the batch ends.
    return [row[: row.index(end) + 1] if end in row else row for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=USUAL)
    parser.add_argument("--format", default="json-list", help="one of `gramask formats`, or the path of a .gram file")
    parser.add_argument("--sentences", type=int, default=6)
    parser.add_argument("--quick", action="store_true", help="one sentence")
    options = parser.parse_args()
    model, tokenizer, vocabulary = load(options.model)

    corpus = gramask.read_corpus("mini", "test", sentences=True)
    documents = corpus[: 1 if options.quick else options.sentences]
    # The prompt shows two sentences with their entities, written in the same format.
    train = [document for document in gramask.read_corpus("mini", "train", sentences=True) if document.entities]
    examples = [(document.text, document.entities) for document in train[:2]]
    fmt = gramask.Format(options.format, labels=corpus.labels)
    inputs = encode(tokenizer, [fmt.messages(document.text, examples=examples) for document in documents])

    print(f"{'level':<10} {'parse':>6} {'strict F1':>24} {'seconds':>8}")
    for level in ("none", "syntax", "grounded"):
        begin, processors = time.perf_counter(), []
        if level != "none":
            # At level `grounded` a constraint knows its document: what it copies is verbatim.
            constraints = [fmt.constraint(document.text, level=level, vocabulary=vocabulary) for document in documents]
            processors = [LogitsProcessor(constraints, budget=BUDGET)]
        outputs = generate(model, inputs, processors)
        seconds, parsed, predicted = time.perf_counter() - begin, 0, []
        for document, output in zip(documents, outputs):
            try:
                predicted.append(fmt.read(document.text, vocabulary.decode(output)).entities)
                parsed += 1
            except gramask.ReadError:
                predicted.append([])
        score = gramask.evaluate(documents, predicted, labels=corpus.labels).strict
        low, high = score.interval
        f1 = f"{100 * score.f1:.1f} ({100 * low:.1f} to {100 * high:.1f})"
        print(f"{level:<10} {100 * parsed / len(documents):>5.0f}% {f1:>24} {seconds:>8.1f}", flush=True)


if __name__ == "__main__":
    main()
