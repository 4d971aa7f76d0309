"""Zips: a choice of documents as one download whose every byte is known before the first one leaves."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from portal import catalog
from portal.actors import Actor
from portal.archives import CHECKSUMS, MANIFEST, Layout, Member, Row, Text, lists, unique_names
from portal.catalog import Packed
from portal.catalog.scans import INFECTED
from portal.errors import ArchiveTooLarge, ChoiceGone, ContentHeld, ContentQuarantined, NothingToPack
from portal.extensions import release_connection, settings
from portal.models import Category

GIB = 1024**3


@dataclass(frozen=True)
class Archive:
    """A zip: what it is called, how it is laid out, and which version each of its members is, by index."""

    filename: str
    layout: Layout
    version_ids: Sequence[int]

    @property
    def etag(self) -> str:
        """The strong validator: the same documents in the same versions give the same bytes."""
        return f'"zip-{self.layout.fingerprint}"'


def pack_category(actor: Actor, category: Category) -> Archive:
    """Everything in a category and below it that the person may read and that is out, in the folders it is shelved in.

    Raises NothingToPack, ArchiveTooLarge, ContentHeld and ContentQuarantined.
    """
    rows = catalog.list_packed_below(actor, category, settings().zip_documents + 1)
    shelf = len(category.path) + 1
    return _archive(category.name, rows, (f"{row.category_path}/{row.filename}"[shelf:] for row in rows))


def pack_documents(actor: Actor, title: str, document_ids: Sequence[int]) -> Archive:
    """These documents side by side, for a person who may download every one of them.

    Raises ChoiceGone when one is not there for them any more, and like ``pack_category``.
    """
    rows = catalog.list_packed(actor, document_ids)
    if len(rows) != len(set(document_ids)):
        raise ChoiceGone
    return _archive(title, rows, (row.filename for row in rows))


def _archive(title: str, rows: list[Packed], paths: Iterable[str]) -> Archive:
    """The rows, which can be very many, are gone when it is made: each is let go of once it is written in the lists."""
    _require_size(rows)
    _require_released(rows)
    release_connection()
    names = unique_names(paths)
    version_ids = array("q", (row.version_id for row in rows))
    members = (Member(name, row.size, row.crc32, row.created_at) for name, row in zip(names, rows, strict=True))
    return Archive(f"{title}.zip", Layout(members, _texts(names, rows)), version_ids)


def _texts(names: list[str], rows: list[Packed]) -> Iterator[Text]:
    listed, sums = lists(_listed(names, rows))
    yield Text(MANIFEST, listed)
    yield Text(CHECKSUMS, sums)


def _listed(names: list[str], rows: list[Packed]) -> Iterator[Row]:
    """What the lists say of each; both are empty afterwards."""
    names.reverse()
    rows.reverse()
    while rows:
        row = rows.pop()
        yield Row(names.pop(), row.uuid, row.number, row.title, row.size, row.sha256, row.published_at)


def _require_released(rows: Sequence[Packed]) -> None:
    """A zip is refused as a whole for what no door gives out: nobody should believe to have everything."""
    held = catalog.find_held(row.version_id for row in rows)
    if held is None:
        return
    title = next(row.title for row in rows if row.version_id == held.version_id)
    if held.state == INFECTED:
        raise ContentQuarantined(f"A virus was found in “{title}”, so there is no zip with it. Choose others.")
    raise ContentHeld(f"“{title}” is looked at for viruses before it is given out. Try again in a little while.")


def _require_size(rows: Sequence[Packed]) -> None:
    most, most_bytes = settings().zip_documents, settings().zip_bytes
    if not rows:
        raise NothingToPack
    if len(rows) > most or sum(row.size for row in rows) > most_bytes:
        room = f"{most_bytes / GIB:,.0f} GiB" if most_bytes >= GIB else f"{most_bytes:,} bytes"
        raise ArchiveTooLarge(f"One zip holds at most {most:,} documents and {room}. Choose fewer documents.")
