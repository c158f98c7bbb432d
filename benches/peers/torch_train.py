#!/usr/bin/env python3
"""Training steps of PyTorch on the shapes of `cargo bench -p gramask-benches --bench train`, with random weights.

The sequences of a step are a padded batch, as usual: PyTorch computes the common beginning once per sequence. `pack_tokens`
is how many tokens Gramask computes for the same examples, and `tokens_per_s` counts these, so that the figures compare.

    torch_train.py [--device cpu] [--rank 8] [--sequences 16] [--prefix 90] [--prompt 42] [--output 13] [--steps 5]
"""

import argparse
import statistics
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM


class Adapted(torch.nn.Module):
    """A frozen linear layer with an adapter beside it."""

    def __init__(self, base, rank):
        super().__init__()
        self.base = base
        self.a = torch.nn.Parameter(torch.randn(rank, base.in_features) * 0.01)
        self.b = torch.nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x):
        return self.base(x) + 2.0 * (x @ self.a.T) @ self.b.T


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    for name, default in [("rank", 8), ("sequences", 16), ("prefix", 90), ("prompt", 42), ("output", 13), ("steps", 5)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.manual_seed(1)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=49152, hidden_size=576, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
        intermediate_size=1536, max_position_embeddings=8192, tie_word_embeddings=True)).to(args.device)
    if args.rank > 0:
        model.requires_grad_(False)
        for layer in model.model.layers:
            for owner in (layer.self_attn, layer.mlp):
                for name, child in list(owner.named_children()):
                    if isinstance(child, torch.nn.Linear):
                        setattr(owner, name, Adapted(child, args.rank).to(args.device))
    learnt = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=1e-4)
    length = args.prefix + args.prompt + args.output
    ids = torch.randint(0, 49152, (args.sequences, length), device=args.device)
    labels = ids.clone()
    labels[:, : args.prefix + args.prompt] = -100
    pack = args.prefix + args.sequences * (args.prompt + args.output - 1)
    seconds = []
    for step in range(args.steps + 1):
        clock = time.perf_counter()
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        if args.device != "cpu":
            torch.cuda.synchronize()
        if step > 0:
            seconds.append(time.perf_counter() - clock)
    step = statistics.median(seconds)
    print(f"torch {torch.__version__}, rank {args.rank}, tokens {args.sequences * length}, pack_tokens {pack}, "
          f"step_s {step:.3f}, tokens_per_s {pack / step:.1f}")


if __name__ == "__main__":
    main()
