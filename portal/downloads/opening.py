"""Opening: the one door to bytes. What was done to their file since they were verified is seen before any leaves."""

from portal.catalog import Edition
from portal.catalog.scans import INFECTED, WAITING
from portal.catalog.soundness import found_sound, want
from portal.downloads.looking import judge, open_or_tell
from portal.errors import ContentHeld, ContentQuarantined, ContentUnavailable, ContentUnverified
from portal.storage import OpenedBytes

INLINE = 64 * 1024 * 1024
"""Bytes that are hashed while somebody waits; more is done beside the requests."""
HASHED_A_SECOND = 100 * 1024 * 1024
"""For guessing when to come back: slow disks read so fast."""


def open_bytes(edition: Edition) -> OpenedBytes:
    """The bytes of an edition, opened without following links and known to be right; for work that is no download.

    A file that is not as it was when its bytes were last verified is hashed first; when it is larger than 64 MiB that
    is left to the scrub, and ContentUnverified says when to come back. Raises ContentUnavailable for bytes that are
    wrong, which are quarantined, and like ``require_released``.
    """
    require_released(edition)
    opened = open_or_tell(edition.kept)
    try:
        if opened.stamp != edition.seen or edition.damage is not None:
            _require_sound(edition, opened)
    except BaseException:
        opened.close()
        raise
    return opened


def require_released(edition: Edition) -> None:
    """Raise ContentHeld for bytes that wait to be looked at for viruses, ContentQuarantined where one was found."""
    if edition.scan_state == WAITING:
        raise ContentHeld
    if edition.scan_state == INFECTED:
        raise ContentQuarantined


def _require_sound(edition: Edition, opened: OpenedBytes) -> None:
    kept = edition.kept
    if opened.stamp == kept.seen:
        if kept.is_known_wrong:
            raise ContentUnavailable
        found_sound(kept, opened.stamp)  # it was away, and is back as it was
    elif opened.size > INLINE:
        want(kept)
        raise ContentUnverified(retry_after=ContentUnverified.retry_after + opened.size // HASHED_A_SECOND)
    elif judge(kept, opened) is not None:
        raise ContentUnavailable
    opened.handle.seek(0)
