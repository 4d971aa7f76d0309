"""For every test of the storage: nothing stays open, and a umask changes nothing."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def count_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def descriptors_back_to_base() -> Iterator[None]:
    """Fails a test that leaves a descriptor open."""
    before = count_descriptors()
    yield
    assert count_descriptors() == before


@pytest.fixture(params=[0, 0o077, 0o777], ids=["umask 000", "umask 077", "umask 777"])
def umask(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Set once ``tmp_path`` is there, which the test must be able to enter."""
    before = os.umask(request.param)
    yield
    os.umask(before)
