"""Looking at bytes: opened, and hashed from the first to the last when the stamp of their file is not the one known."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from portal.catalog.soundness import Kept, found_damaged, found_sound
from portal.errors import ContentDamaged, ContentUnavailable, ContentUnverified
from portal.extensions import storage
from portal.models import Version
from portal.storage import BLOCK, OpenedBytes, Source, Stamp, outlast_tick

Each = Callable[[bytes], None]
"""Told every block that was hashed."""


def open_kept(kept: Kept) -> OpenedBytes:
    """The file that has these bytes, or should have them; its size is right, no byte is read.

    Raises ContentUnavailable: as ContentDamaged when it is the file's own fault, as SourceChanged when the owner of a
    source wrote to it.
    """
    if kept.table is not Version:
        return storage().open(kept.sha256, kept.size)
    if kept.source_directory is None or kept.source_path is None or kept.source_mtime_ns is None:
        raise ContentUnavailable
    return Source(Path(kept.source_directory)).open(kept.source_path, kept.size, kept.source_mtime_ns)


def open_or_tell(kept: Kept) -> OpenedBytes:
    """``open_kept``, and a blob that cannot be opened is quarantined. A file missing in a source is its owner's."""
    try:
        return open_kept(kept)
    except ContentDamaged as problem:
        if kept.table is not Version and kept.damage is None:
            found_damaged(kept, problem.damage, None, partial(stamp_now, kept))
        raise


def look(kept: Kept, each: Each) -> str | None:
    """Hash the bytes of a row as the disk has them, and write down what comes of it if that is news.

    Answers what is wrong with them, None when they are right. Raises ContentUnavailable when neither can be said: the
    storage is away, something is done to the file just now, or the owner of a source removed it or wrote to it.
    """
    try:
        opened = open_or_tell(kept)
    except ContentDamaged as problem:
        if kept.table is Version:
            raise
        return problem.damage
    with opened:
        opened.forget()
        damage = judge(kept, opened, each)
        opened.forget()
    return damage


def look_again(kept: Kept, each: Each) -> None:
    """Hash bytes that are quarantined if something was done to their file since; one that was away may be as it was.

    Raises ContentUnavailable like ``look``, and when nothing can be opened.
    """
    with open_kept(kept) as opened:
        if opened.stamp != kept.seen:
            judge(kept, opened, each)
        elif not kept.is_known_wrong:
            found_sound(kept, opened.stamp)


def judge(kept: Kept, opened: OpenedBytes, each: Each = lambda _: None) -> str | None:
    """``look`` at a file that is open already, wherever its bytes come from; its handle stands at the end then."""
    outlast_tick(opened.stamp)
    try:
        found = _hash(opened, each)
    except OSError:
        found = None
    if not opened.is_unchanged():
        raise ContentUnverified
    damage = None if found == kept.sha256 else "unreadable" if found is None else "bytes"
    if damage is not None:
        found_damaged(kept, damage, opened.stamp, partial(stamp_now, kept))
    elif opened.stamp != kept.seen or kept.damage is not None:
        found_sound(kept, opened.stamp)
    return damage


def _hash(opened: OpenedBytes, each: Each) -> str:
    sha256 = hashlib.sha256()
    opened.handle.seek(0)
    for block in iter(partial(opened.handle.read, BLOCK), b""):
        sha256.update(block)
        each(block)
    return sha256.hexdigest()


def stamp_now(kept: Kept) -> Stamp | None:
    """The stamp of what lies there now, None when it cannot be opened and never will be by waiting."""
    try:
        with open_kept(kept) as opened:
            return opened.stamp
    except ContentDamaged:
        return None
