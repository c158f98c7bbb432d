"""The command in the package, and the border to it."""

import importlib.metadata
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import LABELS, ROOT, TEXT

import gramask


def run(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "gramask", *arguments], capture_output=True, text=True, **options)


def test_the_command_answers():
    done = run("--version")
    assert done.returncode == 0 and done.stdout.split() == ["gramask", gramask.__version__]
    done = run("formats")
    assert done.returncode == 0 and all(name in done.stdout for name in gramask.Format.builtin())
    done = run("mask", "--text", TEXT, "--vocabulary", "bytes")
    assert "tokens of bytes may follow" in done.stdout and "`[`" in done.stdout


def test_the_script_is_installed():
    try:
        importlib.metadata.distribution("gramask")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is used without being installed")
    script = Path(sys.executable).parent / "gramask"
    found = script if script.exists() else shutil.which("gramask")
    assert found, "the wheel has a script gramask"
    assert subprocess.run([found, "--version"], capture_output=True, text=True).stdout.startswith("gramask ")


def test_errors_and_exit_codes():
    done = run("run", "no-such.toml")
    assert done.returncode == 1 and "error: cannot read the experiment file no-such.toml" in done.stderr
    assert run("no-such-command").returncode == 2
    # The output of a command is whole, also where its reader stops early.
    line = f"'{sys.executable}' -m gramask formats | head -n 1"
    reader = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert reader.stdout.count("\n") == 1 and "panicked" not in reader.stderr


def test_the_quickstart_is_inside(tmp_path):
    """In an empty folder, from the cells to the folder of the run; the model is not needed for a plan."""
    cache = tmp_path / "cache"
    work = tmp_path / "empty"
    work.mkdir()
    model = Path(os.environ.get("GRAMASK_CACHE", Path.home() / ".cache/gramask")) / "models/smollm2-135m-instruct"
    if not model.is_dir():
        pytest.skip("the model smollm2-135m-instruct is not in the cache")
    (cache / "models").mkdir(parents=True)
    (cache / "models/smollm2-135m-instruct").symlink_to(model)
    done = run("run", "quickstart", "--dry-run", cwd=work, env={**os.environ, "GRAMASK_CACHE": str(cache)})
    assert done.returncode == 0, done.stderr
    assert "json-list" in done.stdout and "tuned" in done.stdout
    assert not list(work.iterdir()), "a dry run writes nothing"


@pytest.mark.skipif(os.name == "nt", reason="signals of processes")
def test_ctrl_c_ends_a_command():
    """`verify` handles no signal itself."""
    asked = ["verify", "--format", "json-offsets", "--walks", "100000", "--vocabulary", "bytes"]
    if "--walks" not in run("verify", "--help").stdout:
        asked = ["verify", "--vocabulary", "bytes"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gramask", *asked],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(1.0)
    if process.poll() is not None:
        pytest.skip("the command was faster than the signal")
    process.send_signal(signal.SIGINT)
    assert process.wait(10) != 0


@pytest.mark.skipif(os.name == "nt", reason="signals of threads")
def test_ctrl_c_ends_a_call():
    """A bootstrap of many samples takes minutes; an interrupt ends the wait for it at once."""
    gold = [[("A", 0, 4)], [("B", 5, 9)]] * 2000
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    # A shell starts background jobs with the interrupt ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            gramask.evaluate(gold, gold, samples=2_000_000)
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_run_meanwhile():
    gold = [[("A", 0, 4)], [("B", 5, 9)]] * 500
    worker = threading.Thread(target=lambda: gramask.evaluate(gold, gold, samples=3000))
    worker.start()
    turns = 0
    while worker.is_alive():
        turns += 1
        time.sleep(0.001)
    worker.join()
    assert turns > 3


def test_no_input_gets_beyond_an_exception(vocabulary):
    """Whatever is thrown at the package, it raises its own exceptions or Python's, and InternalError never."""
    numbers = random.Random(5)
    pieces = ["[", "]", '"', "{", "}", "start:", "entity:", "@text", "@label", " ", "\n", "/", "(", "é", "\x00", "~3", "*"]
    pieces += ["%escape json",'{"text":"Naloxone","label":"Chemical"}', "\ud800"]
    formats = [gramask.Format(name) for name in ("json-list", "bio-lines", "yaml")]

    def junk():
        return "".join(numbers.choice(pieces) for _ in range(numbers.randrange(20)))

    calls = [
        lambda: gramask.Format(junk() + "\n"),
        lambda: gramask.Grammar(junk() + "\n").constraint(vocabulary),
        lambda: gramask.Grammar.from_regex(junk()),
        lambda: numbers.choice(formats).read(junk(), junk(), LABELS),
        lambda: numbers.choice(formats).read(junk(), junk()),
        lambda: numbers.choice(formats).repair(junk(), junk(), LABELS),
        lambda: numbers.choice(formats).write(junk(), [(junk(), numbers.randrange(9), numbers.randrange(9))]),
        lambda: numbers.choice(formats).constraint(junk(), labels=[junk()], vocabulary=vocabulary),
    ]
    raised = set()
    for _ in range(1500):
        try:
            numbers.choice(calls)()
        except (gramask.Error, ValueError, TypeError) as error:
            assert not isinstance(error, gramask.InternalError), error
            raised.add(type(error))
    assert {gramask.FormatError, gramask.ReadError} <= raised


@pytest.mark.skipif(not (ROOT / "Cargo.toml").is_file(), reason="no checkout around the tests")
@pytest.mark.parametrize("page", ["README.md", "docs/python.md", "crates/gramask-python/README.md"])
def test_the_first_example_of_a_page_runs(page):
    [code] = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.S)[:1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout and not done.stderr


@pytest.mark.skipif(not (ROOT / "Cargo.toml").is_file(), reason="no checkout around the tests")
def test_everything_public_is_documented():
    reference = (ROOT / "docs/python.md").read_text()
    missing = [name for name in gramask.__all__ if not name.startswith("_") and f"`{name}" not in reference]
    assert not missing, f"docs/python.md lacks {missing}"
    for name in gramask.__all__:
        thing = getattr(gramask, name)
        if not name.startswith("_"):
            assert thing.__doc__, name
        for method, value in vars(thing).items() if isinstance(thing, type) else ():
            if not method.startswith("_") and callable(value) and thing.__module__ != "gramask._errors":
                assert value.__doc__, f"{name}.{method}"
