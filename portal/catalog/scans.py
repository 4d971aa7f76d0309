"""Viruses: what is known of the bytes of a blob, and what is done when that becomes known.

``waiting`` bytes are held and ``infected`` ones quarantined: the one door gives out neither. What nobody was to look at
has no state, and is given out.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, case, literal_column, null, select, update

from portal import audit, jobs, notices
from portal.actors import PORTAL, Actor
from portal.catalog.wanting import let_previews_be_made
from portal.errors import Conflict, NotFound
from portal.extensions import after_commit, db, release_connection, settings, transaction
from portal.models import Blob, Category, Document, Upload, User, Version, db_now

LOOK = "scan"
"""The name of the worker's look."""
WAITING, CLEAN, INFECTED = "waiting", "clean", "infected"
HELD = (WAITING, INFECTED)
"""States in which no door gives the bytes out."""
# Their words stand in the statements as they are, or no index of only such rows would be thought of.
WAITS: ColumnElement[bool] = Blob.scan_state == literal_column(f"'{WAITING}'")
QUARANTINED: ColumnElement[bool] = Blob.scan_state == literal_column(f"'{INFECTED}'")
NAMED = 20
"""Documents that are named in a mail."""


def wake() -> None:
    """Have the worker look at what waits soon."""
    jobs.wake(LOOK)


def first_state() -> str | None:
    """The state of bytes that come in now; inside the transaction that writes them down."""
    if not settings().clamd:
        return None
    after_commit(wake)
    return WAITING


def state_once_more() -> dict[str, Any]:
    """The columns of a blob whose bytes were stored once more: it waits if nobody ever looked at it."""
    state = first_state()
    if state is None:
        return {}
    is_new = Blob.scan_state.is_(None)
    return {
        "scan_state": case((is_new, state), else_=Blob.scan_state),
        "scanned_at": case((is_new, null()), else_=Blob.scanned_at),
    }


def found(blob_id: int, finding: str | None) -> bool:
    """Write down what looking came to; whether that was news. Whoever put in what has a virus is told by mail.

    ``finding`` is the name of what was found, None for nothing.
    """
    state = CLEAN if finding is None else INFECTED
    with transaction() as session:
        before = session.scalar(select(Blob.scan_state).where(Blob.id == blob_id).with_for_update())
        values: dict[str, Any] = {"scan_state": state, "finding": finding}
        if finding is not None or before in HELD:  # since when it is given out says nothing of what always was
            values["scanned_at"] = db_now()
        there = update(Blob).where(Blob.id == blob_id).values(values)
        sha256 = session.scalar(there.returning(Blob.sha256))
        if sha256 is None or before == state:
            return False
        if finding is not None:
            _record(PORTAL, "blob.infected", blob_id, finding=finding)
            _tell(blob_id, finding)
            return True
        if before == INFECTED:
            _record(PORTAL, "blob.released", blob_id)
        if before in HELD:
            let_previews_be_made(sha256)
    return True


def could_not_be_scanned(blob_id: int) -> None:
    """The scanner answers and cannot look at these bytes: they stay held, and are tried again later."""
    with transaction() as session:
        waiting = (Blob.id == blob_id, WAITS)
        session.execute(update(Blob).where(*waiting).values(scanned_at=db_now()))


def release(actor: Actor | None, blob_id: int) -> None:
    """Give out bytes that are held or quarantined, as somebody who knows better than the scanner.

    Raises NotFound, and Conflict when they are given out already.
    """
    with transaction() as session:
        blob = session.get(Blob, blob_id, with_for_update=True, populate_existing=True)
        if blob is None:
            raise NotFound
        if blob.scan_state not in HELD:
            raise Conflict("It is given out already.")
        finding = blob.finding
        blob.scan_state, blob.finding, blob.scanned_at = CLEAN, None, session.scalar(select(db_now()))
        session.flush()
        let_previews_be_made(blob.sha256)
        _record(actor, "blob.released", blob_id, **({"finding": finding} if finding else {}))


def give_up_waiting() -> int:
    """Nobody is to look for viruses any more: what still waits is given out; how many blobs those were."""
    is_any = db.session.scalar(select(Blob.id).where(WAITS).limit(1)) is not None
    release_connection()  # without standing in line with those who write
    if not is_any:
        return 0
    with transaction() as session:
        let_go = update(Blob).where(WAITS).values(scan_state=None, scanned_at=db_now()).returning(Blob.id)
        count = len(session.execute(let_go).all())
        if count:
            audit.record_event("scan.ended", actor=PORTAL, count=count)
    return count


@dataclass(frozen=True)
class _Place:
    """A version that has the bytes, or an upload that is not in the catalog yet, and how it is called."""

    ref: str
    line: str


def _tell(blob_id: int, finding: str) -> None:
    """Mails to everybody who put the bytes in, about what is theirs, and to administrators about all."""
    authors = User.id.in_(_stored(blob_id, Version.created_by_id)) | User.id.in_(_arrived(blob_id, Upload.user_id))
    able = (User.disabled_at.is_(None), User.password_hash.is_not(None) | User.seen_at.is_not(None))
    people = db.session.scalars(select(User).where(User.is_admin | authors, *able).order_by(User.id)).all()
    everywhere = _places(blob_id)
    for user in people:
        theirs = everywhere if user.is_admin else _places(blob_id, user.id)
        notices.add_mail(
            "virus_found",
            user_id=user.id,
            email=user.email,
            finding=finding,
            documents=[place.line for place in theirs[:NAMED]],
            refs=[place.ref for place in theirs[:NAMED]],
            has_more=len(theirs) > NAMED,
        )


def _places(blob_id: int, user_id: int | None = None) -> list[_Place]:
    """Where the bytes are, or those of one person: as many as are named, and one more if there are more."""
    versions = _stored(blob_id, Document.uuid, Document.title, Category.path, Version.number)
    versions = versions.join(Category, Category.id == Document.category_id).order_by(Version.id)
    uploads = _arrived(blob_id, Upload.filename).order_by(Upload.id)
    if user_id is not None:
        versions, uploads = versions.where(Version.created_by_id == user_id), uploads.where(Upload.user_id == user_id)
    found = [
        _Place(str(uuid), f"{title} ({path}), version {number}")
        for uuid, title, path, number in db.session.execute(versions.limit(NAMED + 1))
    ]
    return found + [_Place("", filename) for (filename,) in db.session.execute(uploads.limit(NAMED + 1))]


def _stored(blob_id: int, *columns: Any) -> Select[*tuple[Any, ...]]:
    live = (Version.blob_id == blob_id, Document.trashed_at.is_(None))
    return select(*columns).select_from(Version).join(Document, Document.id == Version.document_id).where(*live)


def _arrived(blob_id: int, *columns: Any) -> Select[*tuple[Any, ...]]:
    return select(*columns).where(Upload.blob_id == blob_id, Upload.state == "arrived")


def _record(actor: Actor | None, action: str, blob_id: int, **details: object) -> None:
    """The event is about the newest document that has these bytes, so that people know what it is."""
    document = db.session.execute(_newest().where(Version.blob_id == blob_id)).first()
    thing, label = (("document", document.id), document.title) if document else (("blob", blob_id), "")
    audit.record_event(action, actor=actor, thing=thing, label=label, **details)


def _newest() -> Select[int, str]:
    chosen = select(Document.id, Document.title).join(Version, Version.document_id == Document.id)
    return chosen.order_by(Document.id.desc()).limit(1)
