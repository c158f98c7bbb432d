#!/usr/bin/env python3
"""The table of `scripts/strategy-peers.sh`: `strategy_table.py ROWS.jsonl READ.jsonl ACCEPTED.jsonl [PAGE.md]`.

Writes Markdown to the standard output and, where a page is named, between its marks `strategies:begin` and
`strategies:end`.

Of several rounds the fastest run of each row counts: on a machine that does nothing else, all that another process can do
is to make a figure worse.
"""

import json
import sys
from pathlib import Path

from table import processor

BEGIN, END = "<!-- strategies:begin -->", "<!-- strategies:end -->"
STRATEGIES = ["unconstrained", "masked", "jump", "draft", "grammar"]  # the order of the rows
KEY = ("engine", "level", "format", "weights", "strategy", "batch")


def lines_of(path: str) -> list[dict]:
    return [json.loads(line) for line in Path(path).read_text().splitlines() if line.strip()]


def fastest(lines: list[dict]) -> list[dict]:
    """One row per configuration, in the table's order; `step_tokens` is tokens per second once prompts are read."""
    rows: dict[tuple, dict] = {}
    for line in lines:
        key = tuple(line[name] for name in KEY)
        if key not in rows or line["wall_s"] < rows[key]["wall_s"]:
            rows[key] = line
    for row in rows.values():
        row["step_tokens"] = row["tokens"] / (row["wall_s"] - row["prefill_s"]) if "prefill_s" in row else None
    strategy = {name: index for index, name in enumerate(STRATEGIES)}
    return sorted(rows.values(), key=lambda row: (row["format"], row["engine"], row["weights"], row["batch"],
                                                  strategy.get(row["strategy"], len(strategy))))


def own(row: dict) -> bool:
    return row["engine"].startswith("gramask")


def find(rows: list[dict], **wanted) -> dict | None:
    return next((row for row in rows if all(row[name] == value for name, value in wanted.items())), None)


def alone(rows: list[dict]) -> list[str]:
    """Our strategies at level grounded, beside plain decoding."""
    lines = [
        "| format | weights | batch | strategy | documents/s | tokens/s | tokens/s after the prompts | tokens/document "
        "| tokens/pass | documents/s to unconstrained |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        plain = find(rows, **{name: row[name] for name in ("format", "weights", "batch")}, strategy="unconstrained")
        ratio = f"{row['documents_per_second'] / plain['documents_per_second']:.2f}" if plain else "-"
        lines.append(
            f"| {row['format']} | {row['weights']} | {row['batch']} | {row['strategy']} "
            f"| {row['documents_per_second']:.2f} | {row['tokens_per_second']:.1f} | {row['step_tokens']:.1f} "
            f"| {row['tokens'] / row['documents']:.1f} | {row['tokens'] / row['passes']:.1f} | {ratio} |"
        )
    return lines


def beside(rows: list[dict]) -> list[str]:
    """Both engines at level syntax, beside llama.cpp's best row with a grammar."""
    lines = [
        "| format | engine | weights | batch | strategy | documents/s | tokens/s | tokens/document | ended "
        "| documents/s to llama.cpp's best |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        top = best(rows, row["format"], own=False)
        ratio = f"{row['documents_per_second'] / top['documents_per_second']:.2f}" if top else "-"
        lines.append(
            f"| {row['format']} | {row['engine']} | {row['weights']} | {row['batch']} | {row['strategy']} "
            f"| {row['documents_per_second']:.2f} | {row['tokens_per_second']:.1f} "
            f"| {row['tokens'] / row['documents']:.1f} | {row['ended']} of {row['documents']} | {ratio} |"
        )
    return lines


def best(rows: list[dict], format: str, own: bool) -> dict | None:
    """The row with most documents per second under a constraint: an engine's best setting."""
    rows = [row for row in rows if row["format"] == format and row["engine"].startswith("gramask") == own
            and row["strategy"] != "unconstrained"]
    return max(rows, key=lambda row: row["documents_per_second"], default=None)


def added(masked: dict, plain: dict) -> float:
    """What a mask adds to a token, over the token's time after the prompts.

    Both runs write outputs of different lengths, so that their slots are full for different shares of their time; and a
    machine that others use gives equal runs unequal times. The time between forward passes suffers from neither.
    """
    waiting = masked["choose_s"] / masked["tokens"] - plain["choose_s"] / plain["tokens"]
    return waiting * masked["step_tokens"]


def setting(row: dict) -> str:
    return f"{row['strategy']}, {row['weights']}, batch {row['batch']}: {row['documents_per_second']:.2f}"


def targets(grounded: list[dict], syntax: list[dict], read: list[dict], accepted: list[dict]):
    """What the tables are there to show, each with its figures."""
    groups = sorted({(row["weights"], row["batch"]) for row in grounded})
    formats = sorted({row["format"] for row in grounded})

    def to_plain(weights: str, batch: int, strategies: list[str], figure) -> dict[str, float]:
        """Of each format, the largest `figure(row, plain)` of these strategies beside plain decoding."""
        given = {}
        for format in formats:
            rows = [find(grounded, format=format, weights=weights, batch=batch, strategy=name) for name in strategies]
            plain = find(grounded, format=format, weights=weights, batch=batch, strategy="unconstrained")
            if plain and any(rows):
                given[format] = max(figure(row, plain) for row in rows if row)
        return given

    def ratios(weights: str, batch: int, strategies: list[str], name: str) -> dict[str, float]:
        return to_plain(weights, batch, strategies, lambda row, plain: row[name] / plain[name])

    def told(figures: dict[str, float]) -> str:
        return ", ".join(f"{name} {ratio:.2f}" for name, ratio in figures.items())

    for weights, batch in groups:
        figures = ratios(weights, batch, ["masked"], "step_tokens")
        if figures:
            yield (f"`masked` at least 0.99 of `unconstrained`, tokens/s after the prompts, {weights}, batch {batch}",
                   min(figures.values()) >= 0.99, told(figures))
    for weights, batch in groups:
        figures = to_plain(weights, batch, ["masked"], added)
        if figures:
            parts = ", ".join(f"{name} {100 * share:.2f} %" for name, share in figures.items())
            yield (f"masks keep a token waiting for at most 0.01 of its time, {weights}, batch {batch}",
                   max(figures.values()) <= 0.01, parts)
    for weights, batch in groups:
        figures = ratios(weights, batch, ["jump", "draft"], "documents_per_second")
        if figures:
            yield (f"`jump` or `draft` at least 2 times `unconstrained`, documents/s, {weights}, batch {batch}",
                   min(figures.values()) >= 2, told(figures))
    for weights in sorted({weights for weights, _ in groups}):
        step, whole = {}, {}
        for format in formats:
            pair = [find(grounded, format=format, weights=weights, batch=batch, strategy="unconstrained")
                    for batch in (1, 16)]
            if all(pair):
                step[format] = pair[1]["step_tokens"] / pair[0]["step_tokens"]
                whole[format] = pair[1]["tokens_per_second"] / pair[0]["tokens_per_second"]
        if step:
            yield (f"batch 16 at least 5 times batch 1, `unconstrained`, tokens/s after the prompts, {weights}",
                   min(step.values()) >= 5, f"{told(step)}; with the prompts {told(whole)}")
    for format in sorted({row["format"] for row in syntax}):
        ours, peer = best(syntax, format, own=True), best(syntax, format, own=False)
        if ours and peer:
            ratio = ours["documents_per_second"] / peer["documents_per_second"]
            yield (f"{format}: at least as many documents/s as llama.cpp with its grammar, each at its best setting",
                   ratio >= 1, f"{ratio:.2f} times; ours {setting(ours)}; llama.cpp {setting(peer)}")
    for line in read:
        yield (f"{line['format']}: our reader reads what llama.cpp ended", line["read"] == line["ended"] > 0,
               f"{line['read']} of {line['ended']}; {line['outputs']} outputs")
    for line in accepted:
        kept = line["outputs"] - len(line["refused"])
        yield (f"{line['format']}: llama.cpp's grammar accepts what we ended", not line["refused"] and kept > 0,
               f"{kept} of {line['outputs']}")


def main(rows: str, read: str, accepted: str, page: str | None = None) -> None:
    lines = lines_of(rows)
    table = fastest(lines)
    peers = [row for row in table if not own(row)]
    grounded = [row for row in table if own(row) and row["level"] == "grounded"]
    syntax = [row for row in table if own(row) and row["level"] == "syntax"] + peers
    syntax.sort(key=lambda row: row["format"])
    rounds = max(sum(all(line[name] == row[name] for name in KEY) for line in lines) for row in table)
    threads = ", ".join(str(count) for count in sorted({row["threads"] for row in peers}))
    head = f"{processor()}; {threads} threads; {table[0]['documents']} sentences of BC5CDR; best of {rounds} rounds."
    parts = [head, "", "Our strategies at level `grounded`:", "", *alone(grounded), "",
             "The same language on both sides, level `syntax`:", "", *beside(syntax), ""]
    for name, holds, figures in targets(grounded, syntax, lines_of(read), lines_of(accepted)):
        parts.append(f"- {'reached' if holds else '**missed**'}: {name} ({figures})")
    text = "\n".join(parts)
    print(text)
    if page:
        before, rest = Path(page).read_text().split(BEGIN, 1)
        _, after = rest.split(END, 1)
        Path(page).write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    main(*sys.argv[1:])
