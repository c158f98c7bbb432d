"""What several tests need."""

from pathlib import Path

import pytest

import gramask

#: The repository, if the tests run in a checkout.
ROOT = Path(__file__).parents[3]

TEXT = "Naloxone reverses the antihypertensive effect of clonidine in rats."
LABELS = ["Chemical", "Disease", "Gene"]
ENTITIES = [gramask.Entity("Chemical", 0, 8), gramask.Entity("Chemical", 49, 58)]


@pytest.fixture(scope="session")
def vocabulary():
    """The 256 bytes, pairs of letters, what formats write in one piece, and an end token."""
    return gramask.Vocabulary.from_pretrained("bytes")


@pytest.fixture(scope="session")
def mini():
    """The sentences of the corpus that comes with the package."""
    return gramask.read_corpus("mini", "test", sentences=True)
