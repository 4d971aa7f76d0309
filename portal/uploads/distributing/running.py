"""Filing what was confirmed: file by file, each in a transaction of its own that also says what became of it.

Whoever dies leaves files that are wholly with their person and say so, and others that wait: the next look goes on
with those. What may be done is asked anew for each, and whose it is was settled when it was confirmed.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Select, bindparam, exists, select, update
from sqlalchemy.exc import IntegrityError

from portal import access, accounts, jobs
from portal.actors import Actor
from portal.catalog import Content, Facts, rules_of
from portal.catalog.documents import place_document
from portal.catalog.recipients import ensure_shelf
from portal.errors import Conflict, PortalError
from portal.extensions import after_commit, db, give_way, run, transaction
from portal.models import MANAGE, Blob, Distribution, Upload, User, db_now
from portal.uploads.distributing.directory import list_recipients
from portal.uploads.distributing.making import (
    forget_left,
    get_own,
    hold_collecting,
    record_distribution,
    require_manager,
)
from portal.uploads.distributing.planning import CLOSED, INFECTED, Plan, assignment, plan_distribution
from portal.uploads.distributing.telling import tell
from portal.uploads.kinds import type_by_ending

LOOK = "distributions"
"""What the worker is asked to take a look at."""
AT_ONCE = 20
"""So many are filed while whoever confirmed waits; more are left to the worker."""
SLICE_SECONDS = 2.0
"""After so long the worker looks at what else there is to do, and then goes on here."""
ROUND = 20
"""Files of one distribution before it is the turn of another."""
NOT_AS_SEEN = "Something came to it or was changed meanwhile. Look at it once more."
STILL_COMING = "Some files are still on their way. Wait for them, or take them out."
NOTHING_TO_FILE = "None of the files would go to anybody."
MAKER_CLOSED = "The account of whoever made this distribution is closed."
MAY_NOT = "Whoever made this distribution may not manage that category any more."
RECIPIENT_GONE = "Whose it was is not here any more."

_UPLOADS = Upload.metadata.tables[Upload.__tablename__]
_ASSIGN = update(_UPLOADS).where(_UPLOADS.c.id == bindparam("upload")).values(facts=bindparam("said"))
_LEAVE = (
    update(_UPLOADS)
    .where(_UPLOADS.c.id == bindparam("upload"), _UPLOADS.c.state == "arrived")
    .values(state="refused", reason=bindparam("why"), blob_id=None, closed_at=db_now())
)
_log = logging.getLogger("portal.distributions")


def start_distribution(actor: Actor | None, distribution_id: int, seal: str) -> None:
    """Confirm one whose plan was looked at. A small one is done when this returns.

    Raises Conflict when it was begun already, when files are still coming, and when it would come to something else.
    """
    get_own(actor, distribution_id)
    plan = plan_distribution(actor, distribution_id)
    if plan.counts.get("coming"):
        raise Conflict(STILL_COMING)
    if not plan.filed:
        raise Conflict(NOTHING_TO_FILE)
    with transaction() as session:
        found = hold_collecting(actor, distribution_id)
        if plan.seal != seal or _arrived(distribution_id) != _planned(plan):
            raise Conflict(NOT_AS_SEEN)
        found.state, found.confirmed_at = "running", session.scalars(select(db_now())).one()
        session.flush()
        _settle(plan)
        record_distribution(actor, "distribution.started", found, count=plan.filed)
        if plan.filed > AT_ONCE:
            after_commit(wake)
    if plan.filed <= AT_ONCE:
        finish(distribution_id)


def stop_distribution(actor: Actor | None, distribution_id: int) -> None:
    """Have a running one end where it is: what was filed stays, and its people are told; the rest is not filed."""
    with transaction():
        found = get_own(actor, distribution_id)
        running = (Distribution.id == distribution_id, Distribution.state == "running")
        if run(update(Distribution).where(*running).values(state="stopped", closed_at=db_now())).rowcount:
            record_distribution(actor, "distribution.stopped", found)
            after_commit(wake)


def finish(distribution_id: int) -> None:
    """File all that is left of one, and tell its people; for whoever waits for it."""
    while _do_some(distribution_id, lambda: False):
        pass
    _end(distribution_id)


def run_distributions(is_ending: Callable[[], bool]) -> None:
    """Go on with what is running, a little of each in turn, for a moment; then let the worker come back to it."""
    forget_left()
    until = time.monotonic() + SLICE_SECONDS
    due = select(Distribution.id).where(Distribution.state != "collecting", Distribution.told_at.is_(None))
    while not is_ending():
        ids = db.session.scalars(due.order_by(Distribution.id)).all()
        done = [_do_some(distribution_id, is_ending) or _end(distribution_id) for distribution_id in ids]
        if not any(done):  # all is done, or somebody else is at the last of it
            return
        if time.monotonic() > until:
            wake()
            return


def wake() -> None:
    """Have the worker look at distributions soon."""
    jobs.wake(LOOK)


def _arrived(distribution_id: int) -> set[int]:
    arrived = (Upload.distribution_id == distribution_id, Upload.state.in_(("arrived", "receiving")))
    return set(db.session.scalars(select(Upload.id).where(*arrived)))


def _planned(plan: Plan) -> set[int]:
    return {one.file.id for one in plan.files if one.file.state == "arrived"}


def _settle(plan: Plan) -> None:
    """Write down whose each file is, and of the others why they stay out; their bytes go by themselves."""
    connection = db.session.connection()
    connection.execute(
        _ASSIGN, [{"upload": one.file.id, "said": assignment(one)} for one in plan.files if one.is_filed]
    )
    others = [one for one in plan.files if not one.is_filed and one.file.state == "arrived"]
    if others:
        connection.execute(_LEAVE, [{"upload": one.file.id, "why": one.reason} for one in others])


def _do_some(distribution_id: int, is_ending: Callable[[], bool]) -> int:
    """File some of one distribution; how many."""
    count = 0
    while count < ROUND and not is_ending():
        began = time.monotonic()
        if not _step(distribution_id):
            break
        count += 1
        give_way(time.monotonic() - began)
    return count


def _step(distribution_id: int) -> bool:
    """File the next one; False when there is none that nobody is at."""
    upload_id = 0
    try:
        with transaction() as session:
            found = session.scalars(_next(distribution_id)).first()
            if found is None:
                return False
            upload_id = found.id
            _file(session.get_one(Distribution, distribution_id), found)
    except PortalError as problem:
        _refuse(upload_id, problem.sentence)
    except (ArithmeticError, LookupError, TypeError, ValueError, IntegrityError):
        _log.exception("A file of a distribution could not be filed")
        _refuse(upload_id, PortalError.sentence)
    return True


def _next(distribution_id: int) -> Select[Upload]:
    is_running = exists().where(Distribution.id == distribution_id, Distribution.state == "running")
    waiting = (Upload.distribution_id == distribution_id, Upload.state == "arrived", is_running)
    first = select(Upload).where(*waiting).order_by(Upload.id).limit(1)
    return first.with_for_update(skip_locked=True, of=Upload).execution_options(populate_existing=True)


def _file(distribution: Distribution, upload: Upload) -> None:
    """Put one file into the category of its recipient, as far as it may be done now; inside the transaction."""
    actor = _maker(distribution)
    said = upload.facts
    recipient = list_recipients([said["recipient"]]).get(said["recipient"])
    if recipient is None:
        raise Conflict(RECIPIENT_GONE)
    if recipient.is_closed:
        raise Conflict(CLOSED.format(recipient.name))
    content = _content(upload)
    shelf = ensure_shelf(actor, distribution.category_id or access.NO_CATEGORY, recipient, said["category"])
    rules_of(shelf).require(upload.filename)
    ends = datetime.fromisoformat(said["expires_at"]) if said["expires_at"] else None
    facts = Facts(title=said["title"] or None, expires_at=ends)
    outcome = place_document(actor, shelf.id, upload.filename, content, facts=facts)
    upload.state, upload.outcome, upload.blob_id = "done", outcome.kind, None
    upload.version_id = outcome.version_id
    upload.closed_at = db.session.scalar(select(db_now()))


def _maker(distribution: Distribution) -> Actor | None:
    """Whoever made it, when they may still distribute there. Raises Conflict."""
    if distribution.created_by_id is None:
        require_manager(None, distribution.category_id)
        return None
    user = db.session.get_one(User, distribution.created_by_id)
    if user.disabled_at is not None or user.erased_at is not None:
        raise Conflict(MAKER_CLOSED)
    actor = accounts.actor_of(user)
    if access.permission_on(actor, distribution.category_id or access.NO_CATEGORY) < MANAGE:
        raise Conflict(MAY_NOT)
    return actor


def _content(upload: Upload) -> Content:
    """The bytes as the catalog takes them. Raises Conflict for harmful ones."""
    blob = db.session.get_one(Blob, upload.blob_id or 0)
    if blob.finding is not None:
        raise Conflict(INFECTED.format(blob.finding))
    kind = upload.facts["content_type"] or type_by_ending(upload.filename)
    return Content(blob.sha256, blob.crc32, blob.size, kind)


def _refuse(upload_id: int, sentence: str) -> None:
    """It goes to nobody, for all that was begun is undone by now."""
    this = (Upload.id == upload_id, Upload.state == "arrived")
    over = {"state": "refused", "reason": sentence, "blob_id": None, "closed_at": db_now()}
    with transaction() as session:
        session.execute(update(Upload).where(*this).values(over))


def _end(distribution_id: int) -> bool:
    """Close one of which nothing is left to be done, and tell its people; whether something was done."""
    is_open = exists().where(Upload.distribution_id == distribution_id, Upload.state == "arrived")
    over = update(Distribution).where(Distribution.id == distribution_id, Distribution.state == "running", ~is_open)
    with transaction():
        run(over.values(state="done", closed_at=db_now()))
    return tell(distribution_id)
