"""Making: bytes by the one door, a child that looks at them, an album of what it gives, and only then the row."""

import logging
import os
import time
from collections.abc import Callable
from functools import partial

from sqlalchemy import func, select

from portal import catalog, downloads, jobs
from portal.catalog import Edition
from portal.catalog.wanting import PREVIEWS
from portal.errors import PortalError
from portal.extensions import db, release_connection, settings, storage
from portal.models import Version
from portal.previews import fence
from portal.previews.fence import Broken, FenceMissing, Image, Made, Refused
from portal.previews.fenced.frames import Task
from portal.previews.kinds import Maker, maker_of
from portal.previews.queue import Claim, claim, park_unfinished, rest, show_early, write_off
from portal.settings import Settings

MAKER = 1
"""The number of this program: a higher one when what it makes is better, and worth to be made anew."""
SLICE_SECONDS = 2.0
"""After so long the worker looks at what else there is to do, and then goes on here."""
HEAD = 4096
AWAY_SECONDS = 900
"""How long bytes are left alone that cannot be opened."""
MIB = 1024 * 1024

log = logging.getLogger("portal")


def take_turn(is_stopping: Callable[[], bool]) -> None:
    """The worker's look: make what waits, for a moment; then let the worker come back to it."""
    park_unfinished()
    until = time.monotonic() + SLICE_SECONDS
    try:
        while not is_stopping():
            claimed = claim()
            if claimed is None:
                return
            _make(claimed)
            if time.monotonic() > until:
                jobs.wake(PREVIEWS)
                return
    except FenceMissing as problem:
        log.warning("No previews are made, for this machine cannot put a fence around what makes them: %s", problem)


def try_fence(chosen: Settings) -> None:
    """Have a child look at nothing. Raises FenceMissing where it cannot be fenced in, or not be started at all."""
    outcome = fence.look_at_nothing(_task(Maker("texts", "text", "text/plain", reads_all=False), 0, chosen))
    if isinstance(outcome, Broken):
        raise FenceMissing(f"the child came to nothing ({outcome.word})")


def _make(claimed: Claim) -> None:
    """One preview, whatever comes of it. Raises FenceMissing, and then it is as if nobody had tried."""
    editions = _editions(claimed.sha256)
    if not editions:
        write_off(claimed, Refused("gone"), "", MAKER)
    else:
        try:
            _make_of(claimed, editions)
        except FenceMissing:
            rest(claimed, 0)
            raise
        except PortalError as problem:
            rest(claimed, problem.retry_after or AWAY_SECONDS)


def _make_of(claimed: Claim, editions: list[Edition]) -> None:
    """By the first of the names that the bytes have under which they can be shown."""
    outcome: Made | Refused | Broken = Refused("gone")
    for edition in editions:
        release_connection()
        with downloads.open_bytes(edition) as opened:
            maker = maker_of(edition.content_type, edition.filename, os.pread(opened.handle.fileno(), HEAD, 0))
            if isinstance(maker, Refused):
                outcome = maker
                continue
            if maker.reads_all and opened.size > settings().preview_source_mib * MIB:
                outcome = Refused("large")
            else:
                release_connection()
                early = partial(_show_early, claimed, maker) if claimed.is_first else None
                outcome = fence.look_at(opened, _task(maker, opened.size, settings()), early)
        if isinstance(outcome, Made) and outcome.images:
            storage().albums.keep(claimed.sha256, MAKER, [image.data for image in outcome.images])
        write_off(claimed, outcome, maker.kind, MAKER)
        return
    write_off(claimed, outcome, "", MAKER)


def _show_early(claimed: Claim, maker: Maker, images: list[Image]) -> None:
    storage().albums.keep(claimed.sha256, MAKER, [image.data for image in images])
    show_early(claimed, images, maker.kind, MAKER)


def _task(maker: Maker, size: int, chosen: Settings) -> Task:
    return Task(
        maker=maker.name,
        content_type=maker.content_type,
        size=size,
        pages=chosen.preview_pages,
        pixels=chosen.preview_pixels,
        seconds=chosen.preview_seconds,
        memory=chosen.preview_memory_mib * MIB,
    )


def _editions(sha256: str) -> list[Edition]:
    """The newest version of each content type that these bytes have, the newest first."""
    kept = (Version.sha256 == sha256, Version.purged_at.is_(None))
    newest = select(func.max(Version.id)).where(*kept).group_by(Version.content_type)
    found = catalog.list_editions(sorted(db.session.scalars(newest), reverse=True))
    return sorted(found.values(), key=lambda edition: edition.version_id, reverse=True)
