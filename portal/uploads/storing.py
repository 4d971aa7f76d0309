"""Bytes into the catalog: flushed, named by their hash, and only then written down.

The order is the promise (DESIGN §6): a crash leaves at worst bytes nobody can reach, never a row without bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from portal import access, filenames
from portal.actors import Actor
from portal.catalog import (
    Content,
    Facts,
    OnConflict,
    Outcome,
    add_version,
    get_category,
    get_live,
    put_document,
    rules_of,
)
from portal.catalog.documents import require_publisher, stand_in_line
from portal.errors import UploadIncomplete
from portal.extensions import release_connection, settings, storage, transaction
from portal.models import PUBLISH
from portal.storage import Incoming, Received, Stamp
from portal.uploads.kinds import content_type_of, require_fitting
from portal.uploads.quotas import require_room


@dataclass(frozen=True)
class Arrival:
    """One document that has arrived whole and flushed, not yet in the catalog."""

    filename: str
    received: Received
    facts: Facts

    def content(self, stamp: Stamp) -> Content:
        """What the catalog writes down about the bytes, which have been kept and got this stamp."""
        got = self.received
        kind = content_type_of(self.filename, got.head)
        return Content(sha256=got.sha256, crc32=got.crc32, size=got.size, content_type=kind, stamp=stamp)


def receive() -> Incoming:
    """A place for bytes on their way in, limited to what may be uploaded."""
    return storage().receive(settings().max_upload)


def arrive(incoming: Incoming, filename: str, *, facts: Facts | None = None, announced: int | None = None) -> Arrival:
    """Take bytes that came to their end: count, look at the type, flush.

    Raises UploadIncomplete when fewer or more came than ``announced``, UploadTypeRejected, StorageFailed; the
    temporary bytes are gone then.
    """
    try:
        if announced is not None and incoming.size != announced:
            raise UploadIncomplete
        filename = filenames.clean(filename)
        require_fitting(filename, incoming.head, settings().allowed_types)
        received = incoming.finish()
    except BaseException:
        incoming.discard()
        raise
    return Arrival(filename, received, facts or Facts())


def store_documents(
    actor: Actor | None, category_id: int, arrivals: Sequence[Arrival], *, on_conflict: OnConflict = "version"
) -> list[Outcome]:
    """Put arrived documents into one category, all or none. Needs ``publish`` there.

    Raises UploadTypeRejected for a type the category does not take, and QuotaExceeded: neither of them to an operator.
    Either way no temporary bytes are left.
    """
    with kept(*arrivals):
        if actor is not None:
            access.require_permission(actor, category_id, PUBLISH)
            require_types(category_id, arrivals)
        release_connection()
        with storage().placing():
            stamps = storage().keep_all([arrival.received for arrival in arrivals])
            contents = [arrival.content(stamps[arrival.received.sha256]) for arrival in arrivals]
            with transaction():
                stand_in_line([category_id], contents)
                outcomes = [
                    put_document(
                        actor, category_id, arrival.filename, content, facts=arrival.facts, on_conflict=on_conflict
                    )
                    for arrival, content in zip(arrivals, contents, strict=True)
                ]
                _require_room(actor, zip(outcomes, contents, strict=True))
                return outcomes


def store_version(actor: Actor | None, document_id: int, arrival: Arrival) -> Outcome:
    """Put arrived bytes in as a new version of a document. Needs ``publish`` where it is shelved.

    Either way no temporary bytes are left.
    """
    with kept(arrival):
        document = get_live(document_id)
        require_publisher(actor, document)
        if actor is not None:
            require_types(document.category_id, [arrival])
        release_connection()
        with storage().placing():
            content = arrival.content(storage().keep(arrival.received))
            with transaction():
                outcome = add_version(actor, document_id, arrival.filename, content, arrival.facts.note)
                _require_room(actor, [(outcome, content)])
                return outcome


def require_types(category_id: int, arrivals: Iterable[Arrival]) -> None:
    """Raise UploadTypeRejected for a type the category does not take."""
    rules = rules_of(get_category(category_id))
    for arrival in arrivals:
        rules.require(arrival.filename)


def _require_room(actor: Actor | None, put: Iterable[tuple[Outcome, Content]]) -> None:
    """Raise QuotaExceeded, which takes it all back, when what was just written down has no room."""
    size = sum(content.size for outcome, content in put if outcome.kind != "unchanged")
    if actor is not None and size:
        require_room(actor.user_id, size, is_counted=True)


@contextmanager
def kept(*arrivals: Arrival) -> Iterator[None]:
    """Whatever ends the block, no temporary bytes outlast it: they are kept by now, or never will be."""
    try:
        yield
    finally:
        for arrival in arrivals:
            arrival.received.temp.unlink(missing_ok=True)
