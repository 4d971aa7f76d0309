"""Showing: what was made of the bytes of an edition, for whoever may have these."""

import json
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import undefer

from portal.catalog import Edition
from portal.catalog.soundness import is_given_out
from portal.errors import NotFound
from portal.extensions import db, storage
from portal.models import Blob, Preview, Version

THUMBNAIL = 0
"""The number of the image that is small; pages are counted from 1."""


@dataclass(frozen=True)
class Shown:
    """What can be shown of an edition: ``kind`` is None while there is nothing, and ``reason`` says why, or "" so far.

    ``sizes`` are width and height of each image that is not the thumbnail.
    """

    kind: str | None
    is_waiting: bool
    reason: str
    sizes: list[tuple[int, int]] = field(default_factory=list)
    total: int | None = None
    rows: list[list[str]] = field(default_factory=list)
    columns: int = 0
    text: str = ""


@dataclass(frozen=True)
class Picture:
    """One image of an album: of which bytes, by whom it was made, and which one it is."""

    sha256: str
    maker: int
    number: int

    @property
    def etag(self) -> str:
        """The strong validator: another program makes another image of the same bytes."""
        return f'"preview-{self.sha256}-{self.maker}-{self.number}"'

    def read(self) -> bytes:
        """The image itself. Raises ContentUnavailable."""
        return storage().albums.read(self.sha256, self.maker, self.number)


def find_shown(edition: Edition) -> Shown | None:
    """What is to be shown; None where nobody was asked to make anything, or the bytes are not given out."""
    statement = select(Preview).where(*_of(edition)).options(undefer(Preview.table), undefer(Preview.text))
    return shown_in(db.session.scalar(statement))


def shown_in(row: Preview | None) -> Shown | None:
    """The same of a row that was found already, with table and text."""
    if row is None:
        return None
    table: dict[str, Any] = json.loads(row.table) if row.table else {"rows": [], "columns": 0}
    return Shown(
        kind=row.kind,
        is_waiting=row.state == "waiting",
        reason=row.reason,
        sizes=[(width, height) for width, height in json.loads(row.sizes or "[]")],
        total=row.total,
        rows=table["rows"],
        columns=table["columns"],
        text=row.text or "",
    )


def get_picture(edition: Edition, number: int) -> Picture:
    """One image of an edition that is given out. Raises NotFound."""
    statement = select(Preview.maker, Preview.images).where(*_of(edition), Preview.kind.is_not(None))
    row = db.session.execute(statement).one_or_none()
    if row is None or not 0 <= number <= row.images or not row.images:
        raise NotFound
    return Picture(edition.sha256, row.maker, number)


def _of(edition: Edition) -> tuple[ColumnElement[bool], ...]:
    sound = select(Version.id).outerjoin(Blob, Blob.id == Version.blob_id)
    return Preview.sha256 == edition.sha256, sound.where(Version.id == edition.version_id, is_given_out()).exists()
