"""A disk that is full or fails at any call of an upload: nothing acknowledged is lost, and it goes on afterwards."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, pairwise
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal import integrity
from portal.actors import Actor
from portal.errors import StorageFailed, StorageFull
from portal.extensions import db, storage
from portal.models import Document, Upload
from portal.settings import Settings
from portal.uploads import resumable
from portal.uploads.resumable import Progress
from tests import makers
from tests.uploads.sending import begin, publisher, send

BODY = os.urandom(3000)
GOES = (0, 1000, 2000, 3000)
CALLS = ("write", "fdatasync", "fsync", "rename", "mkdir", "open")


class Disk:
    """One call that fails at its n-th time, or from then on, with an error of the system."""

    def __init__(self, code: int, nth: int, *, is_lasting: bool) -> None:
        self.code, self.nth, self.is_lasting = code, nth, is_lasting
        self.calls = 0

    @property
    def has_failed(self) -> bool:
        return self.calls >= self.nth

    def failing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls == self.nth or (self.is_lasting and self.calls > self.nth):
                raise OSError(self.code, os.strerror(self.code))
            return original(*args, **kwargs)

        return call


@contextmanager
def patched(name: str, disk: Disk) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, name, disk.failing(getattr(os, name)))
        yield


def begun(ada: Actor, number: int) -> Progress:
    """A new upload; its folder and, but for the first, its bytes are those of no other."""
    return begin(ada, len(BODY) + 8, f"{number}.bin", folder=f"f{number}")


def go_through(ada: Actor, upload: Progress, body: bytes) -> int:
    """Send all there is; how far it was told to be when the disk failed."""
    told = 0
    for start, end in pairwise((*GOES, len(body))):
        try:
            send(ada, upload, start, body[start:end])
        except (StorageFailed, StorageFull):
            return told
        told = end
    return told


@pytest.mark.parametrize(
    ("code", "is_lasting"), [(errno.ENOSPC, True), (errno.EIO, False)], ids=["full from then on", "failing once"]
)
@pytest.mark.parametrize("call", CALLS)
def test_an_upload_goes_on_after_the_disk_failed_at_any_call(
    sqlite_settings: Settings, call: str, code: int, is_lasting: bool
) -> None:
    with makers.core(sqlite_settings) as app:
        ada, _ = publisher()
        for nth in count(1):
            disk = Disk(code, nth, is_lasting=is_lasting)
            body = BODY + nth.to_bytes(8, "big")
            upload = begun(ada, nth)
            with patched(call, disk):
                told = go_through(ada, upload, body)
            judge(ada, upload, body, told)
            if not disk.has_failed:
                break
        require_sound(app, nth)


def judge(ada: Actor, upload: Progress, body: bytes, told: int) -> None:
    """Nothing is lost that was told to be there, and the rest can be sent."""
    found = resumable.find_own(ada, upload.uuid)
    offset = resumable.offset_of(found)
    assert offset >= told
    if not found.is_over:
        found = send(ada, found, offset, body[offset:])
    assert found.outcome == "added"


def require_sound(app: Flask, uploads: int) -> None:
    with app.app_context():
        assert integrity.verify().is_clean
        assert db.session.scalars(select(func.count()).select_from(Document)).one() == uploads
        assert db.session.scalars(select(func.count()).where(Upload.state == "done")).one() == uploads
        assert list((storage().root / "tmp").glob("upload-*")) == []
