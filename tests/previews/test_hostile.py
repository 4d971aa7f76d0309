"""Hostile files: each ends as something that is shown, or with a reason; nobody but its child ever notices."""

import resource
from pathlib import Path

import pytest

from portal.previews import fence
from portal.previews.fence import Broken, Made, Refused
from portal.previews.kinds import maker_of
from portal.previews.reasons import FAILURES, REASONS
from portal.storage.files import Place, open_bytes
from tests.previews.hostile import Hostile, everything
from tests.previews.samples import MIB, task

FILES = list(everything())
SECONDS = 2
"""Less than by default, so that what takes for ever is over soon."""
GROWTH = 48 * MIB
"""What a child may say is kept in memory until it ends, and no more."""


@pytest.mark.parametrize("hostile", FILES, ids=[hostile.name for hostile in FILES])
def test_a_hostile_file_ends_with_a_reason(hostile: Hostile, tmp_path: Path) -> None:
    content = hostile.make()
    before = most_memory()
    outcome = looked_at(hostile, content, tmp_path)
    assert most_memory() - before < GROWTH
    if isinstance(outcome, Made):
        assert hostile.is_shown, outcome.text
    else:
        assert outcome.word in (FAILURES if isinstance(outcome, Broken) else REASONS)


def looked_at(hostile: Hostile, content: bytes, directory: Path) -> Made | Refused | Broken:
    """What becomes of it, the way the worker goes."""
    maker = maker_of(hostile.content_type, hostile.filename, content[:4096])
    if isinstance(maker, Refused):
        return maker
    (directory / "source").write_bytes(content)
    with open_bytes(Place(directory, "source")) as opened:
        return fence.look_at(opened, task(maker.name, maker.content_type, size=len(content), seconds=SECONDS, pages=2))


def most_memory() -> int:
    """The most bytes this process ever had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
