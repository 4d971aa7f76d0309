"""All bytes of an upload are there: they are looked at, kept, and written into the catalog, in this order.

Who may send them is asked again at the end, for a right may have been taken away while they came. A crash anywhere
leaves the row as it was, with the file or the blob it became; whoever asks next, or the worker, finishes it.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sqlalchemy import update

from portal import access, audit
from portal.actors import Actor
from portal.catalog import Content, add_version, ensure_blob, ensure_folder, get_live, put_document
from portal.catalog.categories import lock_shelves
from portal.catalog.documents import hold_live, require_publisher
from portal.errors import (
    NotFound,
    PortalError,
    UploadGone,
    UploadMisplaced,
    UploadRefused,
    UploadRejected,
)
from portal.extensions import db, release_connection, settings, storage, transaction
from portal.models import PUBLISH, Upload, db_now
from portal.storage import Partial, Received
from portal.uploads.distributing.making import get_own, hold_collecting, require_manager
from portal.uploads.kinds import require_fitting
from portal.uploads.resumable.facts import facts_of, on_conflict_of
from portal.uploads.resumable.finding import WHOLE, Progress, get_progress, require_standing
from portal.uploads.resumable.holding import commit
from portal.uploads.resumable.targets import Target
from portal.uploads.storing import Arrival, require_types

PLACE_GONE = "Where it was to go is not there any more, or not yours to publish in."
NOT_THE_SAME = "The bytes that came are not those whose SHA-256 was announced. Nothing was stored; send them again."


def finish(actor: Actor, upload: Progress, partial: Partial) -> None:
    """Bring an upload whose bytes are all there into the catalog; ``partial`` is held, and gone afterwards.

    Raises what speaks against it: then it is refused for good, unless the fault is ours (StorageFull and the like),
    which may pass.
    """
    received = _receive(upload, partial)
    try:
        _place(actor, upload, _look_at(upload, received))
    except PortalError as problem:
        if require_standing(get_progress(upload.id)).state not in WHOLE:
            if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            raise refuse(upload, partial, problem) from problem
    partial.remove()


def _receive(upload: Progress, partial: Partial) -> Received:
    """The bytes as they can be kept; found again when they have become a blob already, and a crash came before its row.

    A row that has acknowledged some of them learns what they have before their file can go. Raises UploadMisplaced when
    they are lost: the sender begins anew.
    """
    if partial.size == upload.size:
        received = partial.finish()
        if upload.received:
            commit(upload, partial, sha256=received.sha256)
        return received
    partial.remove()  # nothing else may be renamed to a blob
    kept = storage().partials.find_kept(upload.temp, upload.sha256 or "", upload.size)
    if kept is None:
        commit(upload, partial)
        raise UploadMisplaced
    return kept


def _look_at(upload: Progress, received: Received) -> Arrival:
    wanted = upload.facts.get("sha256")
    if wanted is not None and wanted != received.sha256:
        raise UploadRejected(NOT_THE_SAME)
    require_fitting(upload.filename, received.head, settings().allowed_types)
    return Arrival(upload.filename, received, facts_of(upload.facts))


def _place(actor: Actor, upload: Progress, arrival: Arrival) -> None:
    _require_publisher(actor, get_progress(upload.id).target)
    release_connection()
    with storage().placing():
        content = arrival.content(storage().keep(arrival.received))
        with transaction() as session:
            this = Upload.id == upload.id
            target = _hold_target(actor, upload)
            facts = _close(upload)
            named = Arrival(arrival.filename, arrival.received, facts_of(facts))
            session.execute(update(Upload).where(this).values(**_file(actor, target, named, content, facts)))


def _require_publisher(actor: Actor, target: Target) -> None:
    """Before bytes are kept, which no quota counts until they are written down; asked once more where they are, for
    much may change meanwhile.
    """
    if target.distribution_id is not None:
        require_manager(actor, get_own(actor, target.distribution_id).category_id)
    elif target.category_id is not None:
        access.require_permission(actor, target.category_id, PUBLISH)
    elif target.document_id is not None:
        require_publisher(actor, get_live(target.document_id))


def _hold_target(actor: Actor, upload: Progress) -> Target:
    """Where it goes by now, which a merger may have changed while the bytes came; it stays so from here on.

    What ends or hands over uploads holds their target first and then their rows, and so does this.
    """
    target = get_progress(upload.id).target
    if target.distribution_id is not None:
        hold_collecting(actor, target.distribution_id)
    elif target.document_id is not None:
        hold_live(actor, target.document_id)
    else:
        if target.folder:
            _ensure_shelf(actor, target)  # the tree comes before any shelf
        lock_shelves()  # nothing is merged any more
        target = get_progress(upload.id).target
        lock_shelves(target.category_id or access.NO_CATEGORY)
    return target


def _ensure_shelf(actor: Actor, target: Target) -> int:
    names = target.folder.split("/") if target.folder else []
    return ensure_folder(actor, target.category_id or access.NO_CATEGORY, names).id


def _close(upload: Progress) -> Mapping[str, Any]:
    """Close the row; what is said of the document by now. Raises UploadGone when somebody else was faster."""
    receiving = (Upload.id == upload.id, Upload.state == "receiving")
    closed = update(Upload).where(*receiving).values(state="done", received=Upload.size, closed_at=db_now())
    facts = db.session.scalar(closed.returning(Upload.facts))
    if facts is None:
        raise UploadGone
    found: Mapping[str, Any] = facts
    return found


def _file(actor: Actor, target: Target, arrival: Arrival, content: Content, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write the bytes down where they go; what the row says of that."""
    if target.distribution_id is not None:
        return _hand_over(actor, arrival.filename, target.distribution_id, content)
    if target.document_id is not None:
        require_types(get_live(target.document_id).category_id, [arrival])
        outcome = add_version(actor, target.document_id, arrival.filename, content, arrival.facts.note)
    else:
        category_id = _ensure_shelf(actor, target)
        access.require_permission(actor, category_id, PUBLISH)  # first: which types it takes is not for everybody
        require_types(category_id, [arrival])
        on_conflict = on_conflict_of(facts)
        outcome = put_document(
            actor, category_id, arrival.filename, content, facts=arrival.facts, on_conflict=on_conflict
        )
    return {"version_id": outcome.version_id, "outcome": outcome.kind}


def _hand_over(actor: Actor, filename: str, distribution_id: int, content: Content) -> dict[str, Any]:
    """Keep a file for a distribution, which files it later."""
    audit.record_event(
        "upload.arrived", actor=actor, thing=("distribution", distribution_id), label=filename,
        sha256=content.sha256, size=content.size,
    )  # fmt: skip
    said = {"content_type": content.content_type}
    return {"state": "arrived", "closed_at": None, "blob_id": ensure_blob(actor, content), "facts": said}


def refuse(upload: Progress, partial: Partial, problem: PortalError) -> PortalError:
    """Close the row with the reason, and give that back as the sender hears it from now on; the file goes."""
    is_nowhere = isinstance(problem, NotFound)
    status, sentence = (HTTPStatus.GONE, PLACE_GONE) if is_nowhere else (problem.status, problem.sentence)
    receiving = (Upload.id == upload.id, Upload.state == "receiving")
    values = {"state": "refused", "refused_as": int(status), "reason": sentence, "closed_at": db_now()}
    with transaction() as session:
        session.execute(update(Upload).where(*receiving).values(**values))
    partial.remove()
    return UploadRefused(status, sentence)
