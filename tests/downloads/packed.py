"""A category of small documents of every kind, sent as a zip, and what the ledger says of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select

from portal.actors import Actor
from portal.catalog import Edition
from portal.downloads import Archive, ZipSending, claim_of, open_for_zip, pack_category
from portal.extensions import db, storage
from portal.models import Category, Download, Version
from portal.ranges import Span
from tests import makers

CONTENTS = {
    "a.bin": bytes(range(250)),
    "empty.txt": b"",
    "sub/b.txt": b"b" * 30,
    "sub/c.txt": b"c" * 30,
    "sub/deep/d.bin": bytes(range(256)) * 2,
}


@dataclass
class House:
    """A category with documents of every size, and a reader of it."""

    app: Flask
    shelf: Category
    reader: Actor
    editions: dict[str, Edition]

    @property
    def archive(self) -> Archive:
        return pack_category(self.reader, self.shelf)

    def send(self, start: int = 0, stop: int | None = None) -> ZipSending:
        archive = self.archive
        span = Span(start, archive.layout.size if stop is None else stop)
        return open_for_zip(claim_of(self.reader, "tests"), archive, [span])


def furnish(app: Flask) -> House:
    """The documents and somebody who may read them."""
    shelf, reader = makers.category("shelf"), makers.person()
    makers.grant(shelf, user=reader)
    editions = {}
    for path, content in CONTENTS.items():
        folder, _, filename = f"shelf/{path}".rpartition("/")
        editions[path] = makers.edition(makers.document(makers.category(folder), filename, content))
    return House(app, shelf, makers.actor(reader), editions)


def ledger(of: Actor | None = None) -> dict[str, list[tuple[Any, ...]]]:
    """State, intervals, bytes and confirmation of every row, of one person or all, by the filename of its version."""
    makers.release()
    columns = select(Version.filename, Download.state, Download.intervals, Download.bytes_sent, Download.is_confirmed)
    found: dict[str, list[tuple[Any, ...]]] = {}
    columns = columns.join(Version, Version.id == Download.version_id).order_by(Download.id)
    rows = db.session.execute(columns.where(Download.user_id == of.user_id) if of is not None else columns)
    for filename, *rest in rows:
        found.setdefault(filename, []).append(tuple(rest))
    makers.release()
    return found


def finish(sending: ZipSending) -> bytes:
    """Send everything that is left and let go."""
    blocks = []
    while (got := sending.next_block()) is not None:
        blocks.append(got[1])
    sending.close()
    return b"".join(blocks)


def path_in(house: House, member: str) -> Path:
    """Where the bytes of a member lie."""
    place = storage().place(house.editions[member].sha256)
    return place.directory / place.name
