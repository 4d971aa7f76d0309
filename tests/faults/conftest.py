"""Faults happen on the disk, where flushing means something, though other tests may run in memory."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """An empty directory of this test, wherever the machine keeps temporary files."""
    with tempfile.TemporaryDirectory(prefix="faults-") as directory:
        yield Path(directory)
