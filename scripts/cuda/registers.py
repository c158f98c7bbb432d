"""Registers, spills and shared memory of kernels, as `ptxas -v` reports them.

    registers.py PTXAS FOLDER OUT.csv

FOLDER has PTX files. Each is assembled for the architecture that it names. The last line on the screen is a summary.
"""

import csv
import pathlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

COLUMNS = ["kernel", "architecture", "registers", "spill_store_bytes", "spill_load_bytes", "shared_bytes", "stack_bytes"]


def assemble(ptxas, file):
    """The rows of one PTX file, one for each kernel in it."""
    text = file.read_text()
    target = re.search(r"^\.target\s+(\w+)", text, re.M).group(1)
    command = [ptxas, f"-arch={target}", "-v", "-o", "/dev/null", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{file}: ptxas: {done.stderr.strip()}")
    rows = []
    for part in done.stderr.split("Compiling entry function '")[1:]:
        number = lambda pattern: int(found.group(1)) if (found := re.search(pattern, part)) else 0
        rows.append(
            {
                "kernel": part.split("'")[0],
                "architecture": target,
                "registers": number(r"Used (\d+) registers"),
                "spill_store_bytes": number(r"(\d+) bytes spill stores"),
                "spill_load_bytes": number(r"(\d+) bytes spill loads"),
                "shared_bytes": number(r"(\d+) bytes smem"),
                "stack_bytes": number(r"(\d+) bytes stack frame"),
            }
        )
    return rows


def main(ptxas, folder, out):
    files = sorted(pathlib.Path(folder).glob("*.ptx"))
    with ThreadPoolExecutor() as pool:
        rows = [row for rows in pool.map(lambda file: assemble(ptxas, file), files) for row in rows]
    rows.sort(key=lambda row: (-row["spill_store_bytes"], -row["registers"], row["kernel"]))
    with open(out, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    spilling = [row for row in rows if row["spill_store_bytes"]]
    most = max((row["registers"] for row in rows), default=0)
    print(f"{len(rows)} kernels, at most {most} registers, {len(spilling)} spill; {out} has the table")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
