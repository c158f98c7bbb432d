#!/usr/bin/env python3
"""Decoding speed of transformers' `generate` on the shapes that Gramask's decode bench takes, with random weights.

Greedy, no end token, a prompt of `--context` tokens and `--tokens` new ones; with the growing cache, and with the static
one. Rows have the columns of `cargo bench --bench decode`. A run of one token is taken off for the prompt, so that
`decode` is the steps alone.

    torch_decode.py [--device cuda] [--batch 1,64,256] [--context 64] [--tokens 64] [--small] [--csv FILE]
"""

import argparse
import csv
import statistics
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

COLUMNS = ["device", "adapter", "model", "weights", "dtype", "batch", "context", "what", "tokens_per_s", "step_ms", "mask_us",
           "to_unconstrained"]


def models(small):
    """Shapes by name: those of `benches/src/models.rs`."""
    if small:
        yield "seeded-small", LlamaForCausalLM, LlamaConfig(
            vocab_size=4096, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            intermediate_size=160, max_position_embeddings=4096, tie_word_embeddings=True)
        return
    yield "seeded-135m", LlamaForCausalLM, LlamaConfig(
        vocab_size=49152, hidden_size=576, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
        intermediate_size=1536, max_position_embeddings=8192, tie_word_embeddings=True)
    yield "seeded-0.5b", Qwen2ForCausalLM, Qwen2Config(
        vocab_size=151936, hidden_size=896, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2,
        intermediate_size=4864, max_position_embeddings=32768, tie_word_embeddings=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", default="1,64,256")
    parser.add_argument("--context", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="a small model and small sizes, for a rehearsal")
    parser.add_argument("--csv")
    options = parser.parse_args()
    if options.small:
        options.batch, options.tokens = "1,8", 8
    device = torch.device(options.device)
    cuda = device.type == "cuda"
    adapter = torch.cuda.get_device_name(device) if cuda else "CPU"
    dtype = torch.bfloat16 if cuda else torch.float32
    rows = []
    for name, kind, config in models(options.small):
        torch.manual_seed(1)
        model = kind(config).to(device=device, dtype=dtype).eval()
        for cache in ["dynamic", "static"]:
            for batch in map(int, options.batch.split(",")):
                prompt = torch.randint(0, config.vocab_size, (batch, options.context), device=device)

                def run(tokens):
                    settings = dict(max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, pad_token_id=0,
                                    eos_token_id=None, attention_mask=torch.ones_like(prompt))
                    if cache == "static":
                        settings["cache_implementation"] = "static"
                    begin = time.perf_counter()
                    with torch.no_grad():
                        model.generate(prompt, **settings)
                    if cuda:
                        torch.cuda.synchronize()
                    return time.perf_counter() - begin

                try:
                    run(options.tokens)  # compiles where the cache is static
                    first = statistics.median(run(1) for _ in range(options.rounds))
                    whole = statistics.median(run(options.tokens) for _ in range(options.rounds))
                except Exception as error:  # a peer that fails is a line, not the end
                    print(f"{name} {cache} batch {batch}: failed: {str(error).splitlines()[0]}", flush=True)
                    continue
                step = (whole - first) / max(1, options.tokens - 1)
                weights = str(dtype).removeprefix("torch.").replace("float", "f")
                where = [f"transformers-{cache}:{device}", adapter, name, weights, weights, batch, options.context]
                rows.append([*where, "prefill", f"{batch * options.context / first:.1f}", "", "", ""])
                rows.append([*where, "decode", f"{batch / step:.1f}", f"{1e3 * step:.3f}", "", ""])
                print(f"{name} {weights} {cache} batch {batch}: {batch / step:.1f} tokens/s", flush=True)
        del model
    if options.csv:
        with open(options.csv, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
