"""Zips: a choice of documents as one download whose every byte is known before the first one leaves."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from portal import catalog
from portal.actors import Actor
from portal.archives import CHECKSUMS, MANIFEST, Layout, Member, Row, Text, lists, unique_names
from portal.catalog import Packed
from portal.catalog.scans import INFECTED, WAITING
from portal.errors import ArchiveTooLarge, ChoiceGone, ContentHeld, ContentQuarantined, NothingToPack
from portal.extensions import release_connection, settings
from portal.models import Category

GIB = 1024**3
LEFT_OUT = {
    WAITING: "It is looked at for viruses before it is given out.",
    INFECTED: "A virus was found in it.",
}
"""What the manifest says of a document that is not in the zip."""


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

    What is held or quarantined is left out, and the manifest names it; another one is made once it is released. Raises
    NothingToPack, ArchiveTooLarge, and ContentHeld or ContentQuarantined when nothing would be left.
    """
    rows = catalog.list_packed_below(actor, category, settings().zip_documents + 1)
    _require_size(rows)
    held = catalog.list_held(row.version_id for row in rows)
    if len(held) == len(rows):
        raise _refusal(rows, held)
    shelf = len(category.path) + 1
    return _archive(category.name, rows, (f"{row.category_path}/{row.filename}"[shelf:] for row in rows), held)


def pack_documents(actor: Actor, title: str, document_ids: Sequence[int]) -> Archive:
    """These documents side by side, for a person who may download every one of them.

    They were named one by one, so nothing is left out. Raises ChoiceGone when one is not there for them any more,
    ContentHeld or ContentQuarantined when one is not given out, NothingToPack and ArchiveTooLarge.
    """
    rows = catalog.list_packed(actor, document_ids)
    if len(rows) != len(set(document_ids)):
        raise ChoiceGone
    _require_size(rows)
    held = catalog.list_held(row.version_id for row in rows)
    if held:
        raise _refusal(rows, held)
    return _archive(title, rows, (row.filename for row in rows), {})


def _archive(title: str, rows: list[Packed], paths: Iterable[str], held: Mapping[int, str]) -> Archive:
    """The rows, which can be very many, are gone when it is made: each is let go of once it is written in the lists.

    What is held has a name as if it were in there, so that nothing else is called otherwise once it is.
    """
    release_connection()
    names = unique_names(paths)
    version_ids = array("q", (row.version_id for row in rows if row.version_id not in held))
    members = (
        Member(name, row.size, row.crc32, row.created_at)
        for name, row in zip(names, rows, strict=True)
        if row.version_id not in held
    )
    return Archive(f"{title}.zip", Layout(members, _texts(names, rows, held)), version_ids)


def _texts(names: list[str], rows: list[Packed], held: Mapping[int, str]) -> Iterator[Text]:
    listed, sums = lists(_listed(names, rows, held))
    yield Text(MANIFEST, listed)
    yield Text(CHECKSUMS, sums)


def _listed(names: list[str], rows: list[Packed], held: Mapping[int, str]) -> Iterator[Row]:
    """What the lists say of each; both are empty afterwards."""
    names.reverse()
    rows.reverse()
    while rows:
        row = rows.pop()
        why = LEFT_OUT[held[row.version_id]] if row.version_id in held else ""
        yield Row(names.pop(), row.uuid, row.number, row.title, row.size, row.sha256, row.published_at, why)


def _refusal(rows: Sequence[Packed], held: Mapping[int, str]) -> ContentHeld | ContentQuarantined:
    """Names one of what no door gives out, rather what will not be by waiting."""
    by_state = {held[row.version_id]: row.title for row in rows if row.version_id in held}
    if INFECTED in by_state:
        title = by_state[INFECTED]
        return ContentQuarantined(f"A virus was found in “{title}”, so there is no zip with it. Choose others.")
    title = by_state[WAITING]
    return ContentHeld(f"“{title}” is looked at for viruses before it is given out. Try again in a little while.")


def _require_size(rows: Sequence[Packed]) -> None:
    most, most_bytes = settings().zip_documents, settings().zip_bytes
    if not rows:
        raise NothingToPack
    if len(rows) > most or sum(row.size for row in rows) > most_bytes:
        room = f"{most_bytes / GIB:,.0f} GiB" if most_bytes >= GIB else f"{most_bytes:,} bytes"
        raise ArchiveTooLarge(f"One zip holds at most {most:,} documents and {room}. Choose fewer documents.")
