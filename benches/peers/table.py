#!/usr/bin/env python3
"""The table of `scripts/peers.sh`: `table.py ROWS.jsonl TARGET.csv [PAGE.md]`.

Writes Markdown to the standard output and, where a page is named, between its marks `peers:begin` and `peers:end`.

Of several rounds the best of each figure counts: on a machine that does nothing else, all that another process can do
is to make a figure worse.
"""

import csv
import json
import platform
import sys
from pathlib import Path

BEGIN, END = "<!-- peers:begin -->", "<!-- peers:end -->"
WEIGHTS = ["f32", "f16", "q8_0", "Q4_1"]  # the order of the rows
AGREE = 10  # tokens that are shown and must agree where the weights do


def processor() -> str:
    """The processor's name as Linux gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()


def best(rows: list[dict]) -> dict:
    """The best of each figure over a configuration's rounds."""
    tokens = {json.dumps(row["tokens"]) for row in rows}
    fastest = max(rows, key=lambda row: row["decode"])
    return fastest | {
        "prefill": max(row["prefill"] for row in rows),
        "decodes": [row["decode"] for row in rows],
        "same_each_round": len(tokens) == 1,
    }


def agreement(a: list[int], b: list[int]) -> int:
    """How many tokens two outputs have in common at their heads."""
    for index, (x, y) in enumerate(zip(a, b)):
        if x != y:
            return index
    return min(len(a), len(b))


def main(source: str, target: str, page: str | None = None) -> None:
    lines = [json.loads(line) for line in Path(source).read_text().splitlines() if line.strip()]
    bandwidth = max(line["bandwidth"] for line in lines if "bandwidth" in line)
    grouped: dict[tuple, list[dict]] = {}
    for line in lines:
        if "engine" in line:
            if line["weights"] == "file":
                line["weights"] = "Q4_1"  # what the others call the file's own blocks
            grouped.setdefault((line["engine"], line["weights"], line["batch"]), []).append(line)
    rows = [best(group) for group in grouped.values()]
    ours = {(row["weights"], row["batch"]): row for row in rows if row["engine"].startswith("gramask")}
    kind = {name: index for index, name in enumerate(WEIGHTS)}
    rows.sort(key=lambda row: (row["batch"], kind.get(row["weights"], len(kind)), -row["decode"]))
    for row in rows:
        row["limit"] = row["batch"] * bandwidth * 1e9 / row["bytes"]
        row["share"] = row["decode"] / row["limit"]
        peer = ours.get((row["weights"], row["batch"]))
        row["ratio"] = row["decode"] / peer["decode"] if peer else None
        row["agree"] = agreement(row["tokens"], ours["f32", 1]["tokens"])

    text = table(rows, ours, bandwidth, rounds=max(len(group) for group in grouped.values()))
    print(text)
    if page:
        before, rest = Path(page).read_text().split(BEGIN, 1)
        _, after = rest.split(END, 1)
        Path(page).write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")

    with open(target, "w", newline="") as file:
        fields = ["engine", "weights", "batch", "threads", "prefill", "decode", "step_ms", "bytes", "limit", "share",
                  "ratio", "agree", "bandwidth"]
        writer = csv.DictWriter(file, fields, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row | {"bandwidth": bandwidth} for row in rows)


def table(rows: list[dict], ours: dict[tuple, dict], bandwidth: float, rounds: int) -> str:
    """The Markdown: the machine, the rows, the targets."""
    threads = ", ".join(str(count) for count in sorted({row["threads"] for row in rows}))
    lines = [
        f"{processor()}; {threads} threads; memory read at {bandwidth:.1f} GB/s; best of {rounds} rounds.",
        "",
        "| batch | weights | engine | prefill tok/s | decode tok/s | to ours | of the bandwidth limit | tokens as ours |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ratio = f"{row['ratio']:.2f}" if row["ratio"] else "-"
        lines.append(
            f"| {row['batch']} | {row['weights']} | {row['engine']} | {row['prefill']:,.0f} | {row['decode']:,.1f} "
            f"| {ratio} | {100 * row['share']:.0f} % | {row['agree']} of {len(row['tokens'])} |"
        )
    lines.append("")
    for name, holds, figures in targets(rows, ours):
        lines.append(f"- {'reached' if holds else '**missed**'}: {name} ({figures})")
    return "\n".join(lines)


def targets(rows: list[dict], ours: dict[tuple, dict]):
    """What the table is there to show, each with its figures."""
    single = ours["f32", 1]
    for row in rows:
        if row["engine"].startswith("candle") and (row["weights"], row["batch"]) == ("f32", 1):
            ratio = single["decode"] / row["decode"]
            yield "f32 at batch 1 at least as fast as candle's", ratio >= 1, f"{ratio:.2f} times"
    for weights in WEIGHTS:
        if (weights, 1) in ours:
            share = ours[weights, 1]["share"]
            yield f"{weights} at batch 1 at least 0.7 of the bandwidth limit", share >= 0.7, f"{100 * share:.0f} %"
    for weights in WEIGHTS:
        for batch, least in ((8, 1.8), (16, 5)):
            if (weights, batch) in ours and (weights, 1) in ours:
                ratio = ours[weights, batch]["decode"] / ours[weights, 1]["decode"]
                yield f"{weights} at batch {batch} at least {least} times batch 1", ratio >= least, f"{ratio:.2f} times"
    for batch, least in ((1, 1.3), (8, 2.5)):
        theirs = [row["decode"] for row in rows if row["engine"].startswith("candle") and row["batch"] == batch]
        if theirs:
            ratio = max(row["decode"] for (_, size), row in ours.items() if size == batch) / max(theirs)
            name = f"batch {batch}, each at its best weights, at least {least} times candle"
            yield name, ratio >= least, f"{ratio:.2f} times"
    same = [row for row in rows if row["weights"] == "f32"]
    least = min(row["agree"] for row in same)
    heads = {tuple(row["tokens"][:AGREE]) for row in same}
    yield f"the first {AGREE} greedy tokens of all f32 rows agree", len(heads) == 1, f"at least {least} agree"
    unsteady = [f"{row['engine']} {row['weights']} {row['batch']}" for row in rows if not row["same_each_round"]]
    yield "each engine writes the same tokens in each round", not unsteady, "; ".join(unsteady) or "all"


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
