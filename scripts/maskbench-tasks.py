#!/usr/bin/env python3
"""Writes tasks from files of MaskBench: for each schema a prompt that asks for an instance.

    scripts/maskbench-tasks.py FOLDER OUT.jsonl [--number 200] [--longest 1200] [--program target/release/gramask]

The files are drawn with a fixed seed. Schemas that are longer than `--longest` characters, and schemas that the program
refuses (`gramask grammar check`), are passed over, and counted.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

PROMPT = """Here is a JSON Schema:

{schema}

Write one realistic JSON instance of this schema. Answer with the JSON alone, without white space and without any other text."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--longest", type=int, default=1200)
    parser.add_argument("--program", default="target/release/gramask")
    args = parser.parse_args()
    files = sorted(args.folder.glob("*.json"))
    if not files:
        sys.exit(f"{args.folder} has no .json file: give the folder of MaskBench's files")
    random.Random(1).shuffle(files)
    tasks, long, refused = [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            if len(tasks) == args.number:
                break
            schema = json.loads(file.read_text(encoding="utf-8"))["schema"]
            text = json.dumps(schema, ensure_ascii=False)
            if len(text) > args.longest:
                long += 1
                continue
            path = pathlib.Path(folder, "schema.json")
            path.write_text(text, encoding="utf-8")
            checked = subprocess.run([args.program, "grammar", "check", path], capture_output=True, check=False)
            if checked.returncode != 0:
                refused += 1
                continue
            tasks.append({"id": file.stem, "prompt": PROMPT.format(schema=text), "json_schema": schema})
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text("".join(json.dumps(task, ensure_ascii=False) + "\n" for task in tasks), encoding="utf-8")
    print(f"{len(tasks)} tasks in {args.out}; passed over: {long} long schemas, {refused} refused ones")


if __name__ == "__main__":
    main()
