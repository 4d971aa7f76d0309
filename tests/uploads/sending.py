"""Uploads taken up again and again, by verbs: for tests that need no HTTP."""

import hashlib
import io
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from portal.actors import Actor
from portal.models import PUBLISH, Category
from portal.uploads import resumable
from portal.uploads.resumable import Announced, Checksum, Progress
from tests import makers


def publisher(name: str = "Ada") -> tuple[Actor, Category]:
    """Somebody who may publish in the category ``inbox``."""
    inbox, user = makers.category("inbox"), makers.person(name)
    makers.grant(inbox, user=user, permission=PUBLISH)
    return makers.actor(user), inbox


def begin(
    actor: Actor, size: int, filename: str = "a.bin", *, folder: str = "", said: Mapping[str, str] | None = None,
    sha256: str | None = None,
) -> Progress:  # fmt: skip
    """A new upload to ``inbox``."""
    target = resumable.find_target(actor, "category", "inbox", folder)
    return resumable.start(actor, Announced(target, filename, size, resumable.read_facts(said or {}, UTC), sha256))


def send(actor: Actor, upload: Progress, offset: int, body: bytes, **more: Any) -> Progress:
    """Bytes in one go whose length is announced."""
    return resumable.append(actor, upload.uuid, offset, io.BytesIO(body).read, announced=len(body), **more)


def checksum(body: bytes, algorithm: str = "sha256") -> Checksum:
    """What these bytes have."""
    return Checksum(algorithm, hashlib.new(algorithm, body).digest())


class Cut(Exception):
    """The line broke."""


class Line:
    """A source that gives what it has and breaks then."""

    def __init__(self, body: bytes) -> None:
        self._body = io.BytesIO(body)

    def read(self, size: int) -> bytes:
        """Some of the bytes; raises ``Cut`` after the last."""
        block = self._body.read(size)
        if not block:
            raise Cut
        return block
