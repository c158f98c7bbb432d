"""Runs: what `gramask run` writes into a folder."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ._arguments import entity_of
from ._errors import RunError
from ._gramask import Entity
from ._mask import Trace


@dataclass(frozen=True)
class Record:
    """The output of one document in one cell."""

    model: str
    corpus: str
    format: str
    level: str
    strategy: str
    document: str
    output: str
    parsed: bool
    entities: list[Entity]
    gold: list[Entity]
    #: Everything that the line of `records.jsonl` has.
    fields: dict

    @property
    def trace(self) -> Trace | None:
        """The tokens, if the run was made with `--trace`."""
        tokens = self.fields.get("trace")
        return None if tokens is None else Trace.of_record(tokens)


@dataclass(frozen=True)
class Run:
    """A run's folder. The tables are pandas DataFrames, and need pandas; `rows` and `records` do without it."""

    folder: Path
    #: The content of `run.json`: versions, settings, machine.
    manifest: dict

    @property
    def name(self) -> str:
        """The run's name."""
        return self.manifest["name"]

    def summary(self):
        """`summary.csv` as a DataFrame: a row for each cell."""
        return self._frame("summary.csv")

    def scores(self):
        """`scores.csv` as a DataFrame: a row for each document of each cell, without any text."""
        return self._frame("scores.csv")

    def rows(self, name: str = "summary.csv") -> list[dict]:
        """A table of the run as dictionaries. Numbers and truth values are converted; an empty cell is None."""
        with self._open(name) as file:
            reader = csv.reader(file)
            heads, rows = next(reader, []), []
            for cells in filter(None, reader):
                if len(cells) != len(heads):
                    raise RunError(f"{self.folder / name}:{reader.line_num}: {len(cells)} cells under {len(heads)} columns")
                rows.append({head: _value(text) for head, text in zip(heads, cells)})
        return rows

    def records(self) -> Iterator[Record]:
        """The outputs with their texts, line by line. A last line that is incomplete is left out: the run was stopped."""
        with self._open("records.jsonl") as file:
            for number, line in enumerate(file, 1):
                try:
                    fields = json.loads(line)
                except json.JSONDecodeError as error:
                    if not line.endswith("\n"):
                        return
                    raise RunError(f"{self.folder / 'records.jsonl'}:{number}: {error}") from None
                yield _record(fields, self.folder, number)

    @contextmanager
    def _open(self, name: str):
        path = self.folder / name
        try:
            with path.open(encoding="utf-8", newline="" if name.endswith(".csv") else None) as file:
                yield file
        except OSError as error:
            raise RunError(f"cannot read {path}: {error.strerror}; give the folder of a run, such as runs/quickstart") from None
        except UnicodeDecodeError as error:
            raise RunError(f"{path} is not UTF-8 ({error.reason}); this file was not written by gramask") from None

    def _frame(self, name: str):
        try:
            import pandas
        except ImportError:
            raise ImportError(
                "tables of a run are pandas DataFrames: pip install pandas, or use Run.rows(name)"
            ) from None
        with self._open(name) as file:
            try:
                return pandas.read_csv(file)
            except (pandas.errors.ParserError, pandas.errors.EmptyDataError) as error:
                raise RunError(f"{self.folder / name}: {str(error).strip()}") from None

    def __repr__(self) -> str:
        return f"<gramask.Run {self.name} in {self.folder}>"

    def _repr_html_(self) -> str:
        from . import _html

        rows = self.rows()
        wanted = ["model", "corpus", "format", "level", "strategy", "documents", "parse_rate"]
        # A run of tasks has no entities, and no F1.
        tasks = any(row.get("valid_rate") is not None for row in rows)
        wanted += ["valid_rate", "valid_low", "valid_high", "exact_rate", "equal_rate"] if tasks else ["f1", "f1_low", "f1_high"]
        heads = [head for head in wanted if rows and head in rows[0]]
        cells = ([_html.code(str(row[head])) for head in heads] for row in rows)
        return _html.table(heads, cells)


def load_run(folder: str | os.PathLike[str]) -> Run:
    """Opens the folder of a run. Raises RunError if it holds none."""
    run = Run(Path(folder), {})
    path = run.folder / "run.json"
    with run._open("run.json") as file:
        try:
            manifest = json.load(file)
        except json.JSONDecodeError as error:
            raise RunError(f"{path}: {error}; this file was not written by gramask") from None
    if not isinstance(manifest, dict) or "name" not in manifest:
        raise RunError(f"{path} has no name; this file was not written by gramask")
    return Run(run.folder, manifest)


def _record(fields: dict, folder: Path, number: int) -> Record:
    place = f"{folder / 'records.jsonl'}:{number}"
    if not isinstance(fields, dict):
        raise RunError(f"{place}: a record is a JSON object, not {type(fields).__name__}")
    try:
        return Record(
            entities=[entity_of(entity) for entity in fields["entities"]],
            gold=[entity_of(entity) for entity in fields["gold"]],
            fields=fields,
            **{key: fields[key] for key in ("model", "corpus", "format", "level", "strategy", "document", "output", "parsed")},
        )
    except KeyError as error:
        raise RunError(f"{place}: {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise RunError(f"{place}: {error}") from None


def _value(text: str | None):
    """A cell of a CSV file as a value."""
    if text is None or text == "":
        return None
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
