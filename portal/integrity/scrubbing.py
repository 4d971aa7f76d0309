"""Scrub: everything is read again and again, so that rot no file system tells of is found within days.

The rows are the truth: a pass stands in ``scrub_passes`` and goes on where it was, whoever does it next, and what
somebody waits for has ``wanted_at``. One process at a time works, held by a lock of the storage. Nothing is held of the
database while a file is read.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from portal import downloads
from portal.catalog.soundness import Kept, found_as_before, want_no_more
from portal.errors import ContentUnavailable, PortalError, StorageFailed
from portal.extensions import db, release_connection, storage, transaction
from portal.integrity.passes import Pass, Step, add, begin, begin_if_due, find_running, finish, rate_of
from portal.integrity.reading import Progress
from portal.integrity.stock import list_kept_blobs, list_kept_files, list_quarantined, list_wanted

log = logging.getLogger("portal")

POLL_SECONDS = 2.0
"""How long somebody may wait before it is noticed."""
START_SECONDS = 60.0
"""A server that starts has other things to do than a pass."""
AGAIN_SECONDS = 60.0
"""How often quarantined files are looked at for changes, and how long a scrub that met trouble waits."""
STEP_FILES = 100
STEP_SECONDS = 10.0
"""After so many files, or so long, it is written down how far a pass has come."""
CREDIT_SECONDS = 0.1
"""So much of what a slow disk cost may be taken up again."""
QUARANTINED_AT_ONCE = 1000
WANTED_AT_ONCE = 20

Rest = Callable[[float], bool]
"""Waits so many seconds and answers whether to stop, at once when that is known already."""


class Stopped(Exception):
    """Whoever scrubs was told to stop."""


class Scrubber:
    """Whoever scrubs. Unless ``is_slow`` it reads as fast as the storage gives. ``progress`` is told bytes."""

    def __init__(self, rest: Rest, *, is_slow: bool = True, progress: Progress | None = None) -> None:
        self._rest = rest
        self._is_slow = is_slow
        self._progress = progress
        self._began = time.monotonic()
        self._asked = self._looked_again = float("-inf")
        self._rate = self._due = 0.0

    def turn(self) -> bool:
        """What is wanted, what is quarantined, then one step of a pass if one is due; whether there is more to do."""
        self._answer_wanted()
        self._look_again()
        if time.monotonic() - self._began < START_SECONDS:
            return False
        this = find_running() or begin_if_due()
        return this is not None and self.advance(this) is None

    def advance(self, this: Pass) -> Pass | None:
        """One step of a pass, written down; the pass when there was nothing left to read."""
        self._rate = rate_of(this)
        page = list_kept_blobs(this.blob_id, this.last_blob_id, STEP_FILES)
        if page:
            _require_mounted()
        else:
            page = list_kept_files(this.version_id, this.last_version_id, STEP_FILES)
        if not page:
            return finish(this)
        self._read(this, page)
        return None

    def _read(self, this: Pass, page: Sequence[Kept]) -> None:
        """As many of a page as there is time for, cut between two files; what is done is written down."""
        until = time.monotonic() + STEP_SECONDS
        step, sound = Step(this.blob_id, this.version_id), []
        try:
            for kept in page:
                self._wait(0)
                with suppress(ContentUnavailable):  # nothing can be said: it is its owner's, or looked at next time
                    if downloads.look(kept, self._pace) is None:
                        sound.append(kept.id)
                    else:
                        step.damaged += 1
                step.pass_by(kept)
                self._tell(this, step)
                if time.monotonic() > until:
                    break
        finally:
            with transaction():
                found_as_before(page[0].table, sound)
                add(this, step)

    def _answer_wanted(self) -> None:
        """Hash what somebody waits for, as fast as it goes."""
        self._asked = time.monotonic()
        for kept in list_wanted(WANTED_AT_ONCE):
            try:
                damage = downloads.look(kept, self._heed)
            except ContentUnavailable:
                want_no_more(kept)
            else:
                if damage is None:
                    with transaction():
                        found_as_before(kept.table, [kept.id])
        self._asked = time.monotonic()

    def _look_again(self) -> None:
        """What is quarantined is hashed again if its file was changed: somebody may have brought the right bytes."""
        if time.monotonic() - self._looked_again < AGAIN_SECONDS:
            return
        for kept in list_quarantined(QUARANTINED_AT_ONCE):
            self._wait(0)
            with suppress(ContentUnavailable):
                downloads.look_again(kept, self._heed)
        self._looked_again = time.monotonic()

    def _pace(self, block: bytes) -> None:
        """Be as slow as the pass may be, and interrupt it for whoever waits."""
        self._heed(block)
        if self._is_slow:
            self._due = max(self._due, time.monotonic() - CREDIT_SECONDS) + len(block) / self._rate
            self._wait(self._due - time.monotonic())
        if time.monotonic() - self._asked >= POLL_SECONDS:
            self._answer_wanted()

    def _heed(self, _: bytes) -> None:
        self._wait(0)

    def _wait(self, seconds: float) -> None:
        if self._rest(max(seconds, 0)):
            raise Stopped

    def _tell(self, this: Pass, step: Step) -> None:
        if self._progress is not None:
            self._progress(min(this.bytes + step.bytes, this.total_bytes), this.total_bytes)


def scrub(*, progress: Progress | None = None) -> Pass:
    """Finish the pass that is under way, or do a whole one, as fast as the storage gives; the pass.

    Waits for a step of a server that scrubs meanwhile, which goes on when this is done. ``progress`` is told bytes.
    """
    scrubber = Scrubber(lambda _: False, is_slow=False, progress=progress)
    with storage().scrubbing(patiently=True):
        while True:
            done = scrubber.advance(find_running() or begin())
            if done is not None:
                return done


def keep_scrubbing(rest: Rest) -> None:
    """Scrub until ``rest`` says to stop, whenever nobody else does: passes in time, and what is wanted at once.

    Trouble of database or storage is written to the log, and it is tried again a minute later.
    """
    scrubber = Scrubber(rest)
    pause = POLL_SECONDS
    while not rest(pause):
        try:
            with storage().scrubbing() as is_mine:
                pause = 0 if is_mine and scrubber.turn() else POLL_SECONDS
            release_connection()
        except Stopped:
            return
        except (PortalError, SQLAlchemyError, OSError) as problem:
            log.warning("the scrub met trouble and waits a minute: %s", problem)
            db.session.rollback()
            pause = AGAIN_SECONDS


def _require_mounted() -> None:
    """Raise StorageFailed for a storage that holds nothing at all, rather than call every single blob missing."""
    if storage().is_empty():
        raise StorageFailed("The storage is empty, but there are documents. Is its file system mounted?")
