#!/usr/bin/env python3
"""Masking and sampling on a GPU by PyTorch, and by a Triton kernel with PyTorch's softmax after it.

The same operation as Gramask's fused kernels: logits [batch, vocabulary] in f32 under a bit-packed mask [batch, words];
the likeliest allowed token, or one drawn from the softmax of the allowed ones. Rows have the columns of
`cargo bench --bench kernels`, so that the files can be put under each other.

    torch_kernels.py [--device cuda] [--batch 1,8,64,256] [--vocab 49152,128256,151936] [--small] [--csv FILE]
"""

import argparse
import csv
import statistics
import sys
import time

import torch

COLUMNS = ["device", "adapter", "kernel", "batch", "shape", "us", "unfused_us", "speedup", "bytes", "gb_per_s",
           "copy_gb_per_s", "share"]


def timed(work, device, seconds=0.05, rounds=7):
    """The middle of several rounds, in seconds; each ends with one wait for the device."""
    sync = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)

    def run(times):
        begin = time.perf_counter()
        for _ in range(times):
            work()
        sync()
        return (time.perf_counter() - begin) / times

    run(3)
    times = max(1, min(10_000, int(seconds / max(run(2), 1e-7))))
    return statistics.median(run(times) for _ in range(rounds))


def unpacked(mask, vocabulary):
    """The mask's bits as booleans [batch, vocabulary]."""
    shifts = torch.arange(32, device=mask.device, dtype=torch.int32)
    return ((mask.unsqueeze(-1) >> shifts) & 1).view(mask.shape[0], -1)[:, :vocabulary].bool()


def torch_argmax(logits, mask):
    return logits.masked_fill(~unpacked(mask, logits.shape[1]), float("-inf")).argmax(-1)


def torch_sample(logits, mask):
    masked = logits.masked_fill(~unpacked(mask, logits.shape[1]), float("-inf"))
    return torch.multinomial(torch.softmax(masked, -1), 1)


def triton_apply():
    """A kernel that writes minus infinity over what the mask forbids, in place; none where there is no Triton."""
    try:
        import triton
        import triton.language as tl
    except ImportError:
        return None

    @triton.jit
    def kernel(logits, mask, vocabulary, words, block: tl.constexpr):
        row, part = tl.program_id(0), tl.program_id(1)
        at = part * block + tl.arange(0, block)
        inside = at < vocabulary
        word = tl.load(mask + row * words + at // 32, mask=inside, other=0)
        refused = ((word >> (at % 32)) & 1) == 0
        tl.store(logits + row * vocabulary + at, -float("inf"), mask=inside & refused)

    def apply(logits, mask):
        batch, vocabulary = logits.shape
        grid = (batch, triton.cdiv(vocabulary, 4096))
        kernel[grid](logits, mask, vocabulary, mask.shape[1], block=4096)
        return logits

    return apply


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", default="1,8,64,256")
    parser.add_argument("--vocab", default="49152,128256,151936")
    parser.add_argument("--small", action="store_true", help="small sizes, for a rehearsal")
    parser.add_argument("--csv")
    options = parser.parse_args()
    if options.small:
        options.batch, options.vocab = "1,8", "49152"
    device = torch.device(options.device)
    adapter = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"

    numbers = torch.ones((16 if options.small else 64) * 1_000_000, device=device)
    copy = 2 * 4 * numbers.numel() / timed(lambda: numbers * 1.25, device, 0.2)
    print(f"{adapter}: PyTorch {torch.__version__} copies {copy / 1e9:.1f} GB/s")

    apply = triton_apply() if device.type == "cuda" else None
    if apply is None:
        print("skipped: no Triton here")
    rows = []

    def add(kernel, batch, vocabulary, work):
        seconds = timed(work, device)
        # Logits and mask once, as the fused kernel reads them.
        size = batch * (4 * vocabulary + 4 * ((vocabulary + 31) // 32))
        rows.append([f"torch:{device}", adapter, kernel, batch, f"{vocabulary}", f"{1e6 * seconds:.2f}", "", "", size,
                     f"{size / seconds / 1e9:.2f}", f"{copy / 1e9:.1f}", f"{size / seconds / copy:.4f}"])
        print(f"{kernel} batch {batch} vocabulary {vocabulary}: {1e6 * seconds:.1f} us", flush=True)

    generator = torch.Generator(device=device).manual_seed(1)
    for vocabulary in map(int, options.vocab.split(",")):
        for batch in map(int, options.batch.split(",")):
            logits = torch.randn(batch, vocabulary, device=device, generator=generator)
            words = (vocabulary + 31) // 32
            mask = torch.randint(-2**31, 2**31 - 1, (batch, words), device=device, dtype=torch.int64, generator=generator)
            mask = mask.to(torch.int32)
            add("torch_mask_argmax", batch, vocabulary, lambda: torch_argmax(logits, mask))
            add("torch_mask_sample", batch, vocabulary, lambda: torch_sample(logits, mask))
            if apply is not None:
                # A second application changes nothing, so that it can be timed in place.
                same = torch.equal(apply(logits.clone(), mask).argmax(-1), torch_argmax(logits, mask))
                if not same:
                    sys.exit("the Triton kernel and PyTorch disagree")
                own = logits.clone()
                add("triton_mask_argmax", batch, vocabulary, lambda: apply(own, mask).argmax(-1))
                add("triton_mask_sample", batch, vocabulary,
                    lambda: torch.multinomial(torch.softmax(apply(own, mask), -1), 1))
    if options.csv:
        with open(options.csv, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
