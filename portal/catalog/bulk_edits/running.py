"""Making an edit: document by document, each in a transaction of its own that also says what became of it.

Whoever dies leaves documents that are wholly changed and say so, and others that are as they were and wait: the next
look goes on with those.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Select, exists, select, update
from sqlalchemy.exc import IntegrityError

from portal import accounts, audit, jobs
from portal.actors import Actor
from portal.catalog.bulk_edits.changes import unpack
from portal.catalog.bulk_edits.judging import GONE, Standing, Verdict, dates, is_moved, responsible
from portal.catalog.bulk_edits.keeping import get_edit, require_planned
from portal.catalog.bulk_edits.looking import Looker
from portal.catalog.bulk_edits.planning import forget_plans
from portal.catalog.describing import KEEP, change_document, publish_document
from portal.catalog.documents import hold, move_document, restore_document, trash_document
from portal.catalog.tags import list_tags
from portal.errors import Conflict, DocumentNotFound, PortalError
from portal.extensions import after_commit, db, give_way, run, transaction
from portal.models import BulkEdit, BulkItem, User, db_now

LOOK = "bulk"
"""What the worker is asked to take a look at."""
AT_ONCE = 50
"""So many are changed while whoever asked waits; more are left to the worker."""
SLICE_SECONDS = 2.0
"""After so long the worker looks at what else there is to do, and then goes on here."""
ROUND = 20
"""Documents of one edit before it is the turn of another."""
NOT_AS_SEEN = "What should change was chosen anew meanwhile. Look at it once more."
CLOSED = "The account of whoever asked is closed."

_log = logging.getLogger("portal.bulk")


def start_edit(actor: Actor, edit_id: int, seal: str) -> None:
    """Begin a planned edit whose changes are those that were looked at. A small one is done when this returns.

    Raises Conflict when it was begun already or is to change something else by now.
    """
    with transaction() as session:
        edit = require_planned(actor, edit_id)
        _, changes = unpack(edit.changes)
        if changes.is_nothing or changes.seal != seal:
            raise Conflict(NOT_AS_SEEN)
        edit.state, edit.created_at = "running", session.scalars(select(db_now())).one()
        count = get_edit(actor, edit_id).total
        audit.record_event("bulk.started", actor=actor, thing=("bulk", edit_id), count=count)
        if count > AT_ONCE:
            after_commit(wake)
    if count <= AT_ONCE:
        while _do_some(edit_id, lambda: False):
            pass


def stop_edit(actor: Actor, edit_id: int) -> None:
    """Have a running edit end where it is: what was changed stays so, the rest stays as it was."""
    with transaction():
        get_edit(actor, edit_id)
        running = update(BulkEdit).where(BulkEdit.id == edit_id, BulkEdit.state == "running")
        if run(running.values(state="stopped", closed_at=db_now())).rowcount:
            audit.record_event("bulk.stopped", actor=actor, thing=("bulk", edit_id))


def run_edits(is_ending: Callable[[], bool]) -> None:
    """Go on with what is running, a little of each in turn, for a moment; then let the worker come back to it."""
    forget_plans()
    until = time.monotonic() + SLICE_SECONDS
    while not is_ending():
        running = db.session.scalars(select(BulkEdit.id).where(BulkEdit.state == "running").order_by(BulkEdit.id)).all()
        done = [_do_some(edit_id, is_ending) for edit_id in running]
        if not any(done):  # all is done, or somebody else is at the last of it
            return
        if time.monotonic() > until:
            wake()
            return


def wake() -> None:
    """Have the worker look at edits soon."""
    jobs.wake(LOOK)


def _do_some(edit_id: int, is_ending: Callable[[], bool]) -> int:
    """Change some documents of an edit; how many."""
    count = 0
    while count < ROUND and not is_ending():
        began = time.monotonic()
        if not _step(edit_id):
            _close(edit_id)
            break
        count += 1
        give_way(time.monotonic() - began)
    return count


def _step(edit_id: int) -> bool:
    """Do the next document of an edit; False when there is none that nobody is at."""
    document_id = 0
    try:
        with transaction() as session:
            found = session.scalar(_next(edit_id).with_for_update(skip_locked=True, of=BulkItem))
            if found is None:
                return False
            document_id = found
            _write(edit_id, document_id, _change(edit_id, document_id))
    except PortalError as problem:
        _refuse(edit_id, document_id, problem.sentence)
    except (ArithmeticError, LookupError, TypeError, ValueError, IntegrityError):
        _log.exception("A document could not be changed together with others")
        _refuse(edit_id, document_id, PortalError.sentence)
    return True


def _next(edit_id: int) -> Select[int]:
    is_running = exists().where(BulkEdit.id == edit_id, BulkEdit.state == "running")
    waiting = (BulkItem.bulk_edit_id == edit_id, BulkItem.outcome.is_(None), is_running)
    return select(BulkItem.document_id).where(*waiting).order_by(BulkItem.document_id.desc()).limit(1)


def _change(edit_id: int, document_id: int) -> Verdict:
    """Change one document as far as whoever asked may do so now, inside the transaction."""
    edit = db.session.get_one(BulkEdit, edit_id)
    user = db.session.get_one(User, edit.created_by_id)
    if user.disabled_at is not None or user.erased_at is not None:
        return Verdict("refused", CLOSED)
    actor, (_, changes) = accounts.actor_of(user), unpack(edit.changes)
    with suppress(DocumentNotFound):  # from here on it stays as it is found, and so does where it is to go
        hold(document_id, *filter(None, [changes.category_id]))
    looker = Looker(actor, changes)
    for standing, verdict in looker.judge([document_id]):
        if verdict.outcome == "changed":
            _apply(actor, looker, standing)
        return verdict
    return Verdict("refused", GONE)


def _apply(actor: Actor, looker: Looker, standing: Standing) -> None:
    """Make the changes by the verbs that make them one by one."""
    changes = looker.ground.changes
    document_id = standing.document_id
    if changes.place == "back":
        restore_document(actor, document_id)
    elif changes.place == "trash":
        trash_document(actor, document_id)
    else:
        if is_moved(changes, standing) and changes.category_id is not None:
            move_document(actor, document_id, changes.category_id)
        _describe(actor, looker, standing)


def _describe(actor: Actor, looker: Looker, standing: Standing) -> None:
    changes = looker.ground.changes
    published_at, expires_at = dates(looker.ground, standing)
    is_whole = changes.visible == "now" and changes.ends != ""  # both at once, for one must come before the other
    change_document(
        actor,
        standing.document_id,
        responsible_id=responsible(changes, standing) if changes.asked else KEEP,
        published_at=published_at if changes.visible in ("at", "draft") or is_whole else KEEP,
        expires_at=expires_at if changes.ends else KEEP,
        tags=_tags(looker, standing.document_id) if changes.add_tags or changes.remove_tags else KEEP,
        fields={changes.field_id: changes.field_value} if changes.field_id is not None else None,
    )
    if changes.visible == "now" and not is_whole:
        publish_document(actor, standing.document_id)


def _tags(looker: Looker, document_id: int) -> list[str]:
    """All that the document is to have: those it keeps as they are spelled, and the new ones."""
    kept = [
        tag.name
        for tag in list_tags([document_id]).get(document_id, [])
        if tag.name_key not in looker.ground.remove_keys
    ]
    return [*kept, *looker.ground.changes.add_tags]


def _write(edit_id: int, document_id: int, verdict: Verdict) -> None:
    """Say what became of a document, unless somebody said so already."""
    this = (BulkItem.bulk_edit_id == edit_id, BulkItem.document_id == document_id, BulkItem.outcome.is_(None))
    db.session.execute(update(BulkItem).where(*this).values(outcome=verdict.outcome, reason=verdict.reason))


def _refuse(edit_id: int, document_id: int, sentence: str) -> None:
    """It stays as it was, for all that was begun is undone by now."""
    with transaction():
        _write(edit_id, document_id, Verdict("refused", sentence))


def _close(edit_id: int) -> None:
    """An edit of which nothing is left to be done is done."""
    is_open = exists().where(BulkItem.bulk_edit_id == edit_id, BulkItem.outcome.is_(None))
    over = update(BulkEdit).where(BulkEdit.id == edit_id, BulkEdit.state == "running", ~is_open)
    with transaction() as session:
        session.execute(over.values(state="done", closed_at=db_now()))
