"""The examples run as they are documented."""

import subprocess
import sys

import pytest
from conftest import ROOT

EXAMPLES = sorted((ROOT / "examples/python").glob("*.py"))

pytestmark = pytest.mark.skipif(not EXAMPLES, reason="no checkout around the tests: the examples are missing")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(example, tmp_path):
    """Each says how it is called, and prints a table. What it needs and lacks, it says, and ends well."""
    source = example.read_text(encoding="utf-8")
    assert f"python examples/python/{example.name}" in source
    done = subprocess.run([sys.executable, example, "--quick"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    if done.stdout.startswith("skipped: "):
        pytest.skip(done.stdout.strip().removeprefix("skipped: "))
    assert len(done.stdout.splitlines()) >= 4


@pytest.mark.parametrize("example", ["ner", "strategies"])
def test_an_example_without_a_model_says_so(example, tmp_path):
    asked = [sys.executable, ROOT / f"examples/python/{example}.py", "--model", tmp_path / "none.gguf"]
    done = subprocess.run(asked, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("skipped: "), done.stderr
    assert "PyTorch" in done.stdout or "none.gguf is missing (`gramask pull" in done.stdout


def test_documentation_lists_the_examples():
    reference = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES if f"examples/python/{path.name}" not in reference] == []
