"""The bytes of an upload, in as many goes as it takes: each goes on exactly where the last one ended."""

import hashlib
import uuid as uuids
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from portal.actors import Actor
from portal.errors import ChecksumWrong, PortalError, UploadBusy, UploadMisplaced, UploadTooLarge
from portal.extensions import release_connection
from portal.storage import BLOCK, Partial
from portal.uploads.resumable.finding import Progress, get_own, get_progress, require_standing
from portal.uploads.resumable.finishing import finish, refuse
from portal.uploads.resumable.holding import commit, held

COMMITTED_BYTES = 32 * 1024 * 1024
"""So many bytes at most come again after a crash."""
ALGORITHMS = ("sha256", "sha1")

Source = Callable[[int], bytes]
"""Gives at most so many of the next bytes, b"" at their end; raises when the line is cut."""


@dataclass(frozen=True)
class Checksum:
    """What the bytes of one go must have, by an algorithm of ``ALGORITHMS``."""

    algorithm: str
    digest: bytes


def append(
    actor: Actor,
    uuid: uuids.UUID,
    offset: int,
    source: Source,
    *,
    announced: int | None = None,
    checksum: Checksum | None = None,
) -> Progress:
    """Take the bytes that follow the first ``offset`` ones; with the last of them the upload is finished.

    What has come is kept when the line is cut, and ``source`` raises; with a checksum it is all or nothing.
    ``announced`` is how many are to come, None when that is not known. Raises UploadMisplaced, UploadTooLarge and
    ChecksumWrong, which leave the offset as it was, UploadBusy while somebody else writes, and like ``finish``.
    """
    upload = require_standing(get_own(actor, uuid))
    if upload.is_over:
        return _at_the_end(upload, offset, announced)
    with held(upload) as (upload, partial):
        if upload.is_over:
            return _at_the_end(upload, offset, announced)
        _require_place(upload, partial, offset, announced)
        settled = _take(upload, partial, source, checksum)
        if partial.size == upload.size:
            finish(actor, replace(upload, received=settled), partial)
    return get_progress(upload.id)


def find_own(actor: Actor, uuid: uuids.UUID, *, is_looking: bool = False) -> Progress:
    """The upload of this person; one that only was not finished, as after a crash, is finished first.

    So nobody is told that all has arrived before it is in the catalog. Who only looks on, as an administrator who sees
    the portal as somebody else does, changes nothing: UploadBusy. Raises UploadNotFound, and like ``finish``.
    """
    upload = require_standing(get_own(actor, uuid))
    if not upload.is_over and upload.received == upload.size:
        if is_looking:
            raise UploadBusy
        upload = complete(actor, upload)
    release_connection()
    return upload


def complete(actor: Actor, upload: Progress) -> Progress:
    """Finish an upload whose bytes were all there. When they are lost after all, it goes on from its beginning."""
    with held(upload) as (now, partial), suppress(UploadMisplaced):
        if not now.is_over:
            finish(actor, now, partial)
    return get_progress(upload.id)


def reject(upload: Progress, problem: PortalError) -> None:
    """Refuse an upload for what speaks against its sender rather than its bytes. Raises UploadBusy."""
    with held(upload) as (now, partial):
        if not now.is_over:
            refuse(now, partial, problem)


def _at_the_end(upload: Progress, offset: int, announced: int | None) -> Progress:
    """The last bytes came twice, for their answer was lost: nothing is left to do."""
    if offset != upload.size:
        raise UploadMisplaced
    if announced:
        raise UploadTooLarge
    return upload


def _require_place(upload: Progress, partial: Partial, offset: int, announced: int | None) -> None:
    there = upload.size if upload.sha256 is not None else partial.size
    if offset != there:
        raise UploadMisplaced
    if announced is not None and announced > upload.size - there:
        raise UploadTooLarge("These are more bytes than were announced. None of them was kept.")


def _take(upload: Progress, partial: Partial, source: Source, checksum: Checksum | None) -> int:
    """Write what comes, flush, and commit how far it is; how far the last commit went.

    Whatever is wrong with it, or with the disk, the file goes back to where the last commit left it.
    """
    if upload.sha256 is not None:
        return upload.received
    start = settled = partial.size
    summing = hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum is not None else None
    try:
        try:
            while block := source(min(BLOCK, upload.size - partial.size + 1)):
                if partial.size + len(block) > upload.size:
                    raise UploadTooLarge("These are more bytes than were announced. None of them was kept.")
                partial.append(block)
                if summing is not None:
                    summing.update(block)
                elif partial.size - settled >= COMMITTED_BYTES and partial.size < upload.size:
                    settled = _settle(upload, partial)
        except PortalError:
            raise
        except Exception:
            if summing is None and partial.size > settled:
                _settle(upload, partial)
            raise
        if checksum is not None and summing is not None and summing.digest() != checksum.digest:
            raise ChecksumWrong
        if settled < partial.size < upload.size:
            settled = _settle(upload, partial)
    except PortalError as problem:
        is_theirs = isinstance(problem, UploadTooLarge)
        partial.rewind(start if is_theirs else settled)
        if is_theirs and settled != start:
            commit(upload, partial)
        raise
    return settled


def _settle(upload: Progress, partial: Partial) -> int:
    """Have it on the disk and in the row; how far that is."""
    partial.flush()
    commit(upload, partial)
    return partial.size
