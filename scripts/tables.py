"""What the scripts that put tables of runs into pages share."""

import csv
import re
import sys


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def percent(value):
    """A rate as a percentage; 0 and 100 are written without decimals only where they are exact."""
    value = 100 * float(value)
    return f"{value:.0f}" if value in (0.0, 100.0) else f"{value:.1f}"


def f1(row):
    """Strict F1 with its 95 % interval, in points."""
    return f"{percent(row['f1'])} ({percent(row['f1_low'])}-{percent(row['f1_high'])})"


def markdown(names, columns, lines):
    """A table of lines of cells; the first columns, which name a line, are aligned to the left and the others to the right."""
    rule = "|" + "---|" * len(names) + "---:|" * len(columns)
    shown = lambda cells: "| " + " | ".join(cells) + " |"
    return "\n".join([shown([*names, *columns]), rule, *map(shown, lines)])


def complete(rows):
    """The rows of cells that have as many documents as any of their corpus."""
    whole = {corpus: max(int(row["documents"]) for row in rows if row["corpus"] == corpus) for corpus in {row["corpus"] for row in rows}}
    return [row for row in rows if 0 < int(row["documents"]) == whole[row["corpus"]]]


def put(page, name, table):
    """Puts a table between the marks `<!-- NAME -->` and `<!-- /NAME -->` of a page."""
    text = page.read_text()
    marks = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
    if not marks.search(text):
        sys.exit(f"{page} has no place for {name}: write <!-- {name} --> and <!-- /{name} --> where the table is to stand")
    page.write_text(marks.sub(lambda found: found[1] + "\n" + table + "\n\n" + found[2], text))
