"""What came in is looked at for viruses, one blob after another, by the worker or by `portal scan`.

The row is the truth of what waits; whoever dies while looking has changed nothing, and the next one looks again.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from sqlalchemy import ColumnElement, func, or_, select

from portal import downloads
from portal.catalog import scans
from portal.catalog.soundness import Kept, blobs, kept_blob
from portal.errors import ContentUnavailable, ScannerRefused, ScannerUnavailable
from portal.extensions import db, release_connection, settings, storage
from portal.models import Blob, db_later
from portal.uploads.clamd import Scanner, scanner_at

BATCH = 100
SLICE_SECONDS = 2.0
"""After so long the worker looks at what else there is to do, and then goes on here."""
AGAIN_SECONDS = 3600
"""What the scanner could not look at is tried again after this."""

IsEnding = Callable[[], bool]
Progress = Callable[[int, int], None]
"""Told bytes: how many were looked at, and how many there are."""

_log = logging.getLogger("portal.uploads")


@dataclass
class ScanReport:
    """How many blobs were looked at, how many have a virus by now, and how many the scanner could not look at."""

    scanned: int = 0
    infected: int = 0
    refused: int = 0


class _Ending(Exception):
    """The worker is to end, or the scanner is away."""


def scan_waiting(is_ending: IsEnding) -> None:
    """The worker's look: what waits is looked at for a moment, unless somebody else is at it; then it is woken again.

    A scanner that does not answer leaves everything held, for the next look.
    """
    if not settings().clamd:
        if scans.give_up_waiting():
            _log.warning("There is no virus scanner any more: what waited for it is given out.")
        return
    try:
        scan(is_ending, SLICE_SECONDS)
    except ScannerUnavailable as problem:
        _log.warning("%s What came in is held until it does.", problem.sentence)


def scan(is_ending: IsEnding = lambda: False, seconds: float = math.inf) -> ScanReport:
    """Look at what waits, for so long; nothing when somebody else is at it. Raises ScannerUnavailable.

    It never stops inside of a blob, nor before one was looked at: whatever waits, the next ones come nearer.
    """
    report, until = ScanReport(), time.monotonic() + seconds
    tried = or_(Blob.scanned_at.is_(None), Blob.scanned_at < db_later(-AGAIN_SECONDS))
    with storage().scanning() as is_alone:
        if is_alone:
            for kept in _pages(scans.WAITS, tried):
                if is_ending():
                    break
                _look_at(kept, report, is_ending)
                if report.scanned + report.refused and time.monotonic() > until:
                    scans.wake()
                    break
    return report


def scan_all(progress: Progress, is_ending: IsEnding = lambda: False) -> ScanReport:
    """Look at every blob, whatever is known of it; meanwhile each is given out as before. Raises ScannerUnavailable."""
    report, done = ScanReport(), 0
    total = int(db.session.scalars(select(func.coalesce(func.sum(Blob.size), 0))).one())
    for kept in _pages():
        if is_ending():
            break
        _look_at(kept, report, is_ending)
        done += kept.size
        progress(min(done, total), total)
    return report


def is_scanner_alive(seconds: float) -> bool:
    """Whether the scanner of the settings answers within so many seconds."""
    return scanner_at(settings().clamd).is_alive(seconds)


def _pages(*which: ColumnElement[bool]) -> Iterator[Kept]:
    """Blobs by rising id, damaged ones left out; no connection is held in between."""
    last = 0
    while True:
        page = blobs().where(Blob.id > last, Blob.damage.is_(None), *which).order_by(Blob.id).limit(BATCH)
        found = [kept_blob(row) for row in db.session.execute(page)]
        release_connection()
        yield from found
        if len(found) < BATCH:
            return
        last = found[-1].id


def _look_at(kept: Kept, report: ScanReport, is_ending: IsEnding) -> None:
    scanner = scanner_at(settings().clamd)
    try:
        finding = _finding(scanner, kept, is_ending)
    except (_Ending, ContentUnavailable):
        return  # nothing is known; the bytes may be away, and the scrub says so
    except (ScannerRefused, ScannerUnavailable) as problem:
        if isinstance(problem, ScannerUnavailable) and not scanner.is_alive():
            raise
        _log.warning("blob %d, %s: %s It stays as it is.", kept.id, kept.sha256, problem.sentence)
        scans.could_not_be_scanned(kept.id)
        report.refused += 1
        return
    scans.found(kept.id, finding)
    report.scanned += 1
    report.infected += finding is not None
    if finding is not None:
        _log.warning("a virus was found: blob %d, %s (%s)", kept.id, kept.sha256, finding)


def _finding(scanner: Scanner, kept: Kept, is_ending: IsEnding) -> str | None:
    """What the scanner finds in bytes that are hashed on their way to it: no verdict is about others."""
    with scanner.stream() as stream:
        if downloads.look(kept, partial(_hand_on, stream.send, is_ending)) is not None:
            raise ContentUnavailable
        return stream.finish()


def _hand_on(send: Callable[[bytes], None], is_ending: IsEnding, block: bytes) -> None:
    if is_ending():
        raise _Ending
    send(block)
