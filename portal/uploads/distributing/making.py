"""A distribution comes to be: its title and place, the files dropped for it, and what says whose each of them is."""

from collections.abc import Sequence
from datetime import tzinfo

from sqlalchemy import delete, func, insert, select, update

from portal import access, audit, filenames
from portal.actors import Actor
from portal.catalog import Content, get_category
from portal.catalog.categories import lock_shelves, refuse_source
from portal.catalog.contents import ensure_blob
from portal.catalog.documents import stand_in_line
from portal.catalog.texts import require_line
from portal.errors import BadInput, Conflict, DistributionNotFound
from portal.extensions import db, release_connection, run, storage, transaction
from portal.models import MANAGE, Distribution, DistributionLine, Upload, db_later, db_now
from portal.uploads.distributing.lines import read_lines
from portal.uploads.distributing.matching import read_pattern
from portal.uploads.quotas import require_room
from portal.uploads.storing import Arrival, kept

MOST_FILES = 10_000
KEPT_SECONDS = 30 * 86400
"""One that was never confirmed goes by itself after so long."""
TITLE_LENGTH = 200
OPEN = ("receiving", "arrived")
CANCELLED = {"state": "cancelled", "blob_id": None, "closed_at": db_now()}
BEGUN = "This was begun already, or is over. Look at what became of it."
TOO_MANY = f"One distribution takes {MOST_FILES:,} files. Confirm this one, and make another."


def add_distribution(actor: Actor | None, category_id: int, title: str, *, wants_notice: bool = True) -> Distribution:
    """Begin one: files for it are dropped into it, below this category. Needs ``manage`` there.

    Publishing is not enough: it gives permissions, and it says who is known here by which number. Raises BadInput.
    """
    title = require_line(title, TITLE_LENGTH, "title")
    if not title:
        raise BadInput("Say what this is, such as Payslips March 2027.", field="title")
    with transaction() as session:
        lock_shelves(category_id)  # nobody merges or removes it until the distribution is there
        require_manager(actor, category_id)
        refuse_source(get_category(category_id), "given categories of people")
        made = Distribution(
            title=title,
            category_id=category_id,
            wants_notice=wants_notice,
            created_by_id=actor.user_id if actor else None,
        )
        session.add(made)
        session.flush()
        record_distribution(actor, "distribution.added", made, category=category_id)
    return made


def get_own(actor: Actor | None, distribution_id: int) -> Distribution:
    """A distribution of one's own; for administrators and the operator anybody's. Raises DistributionNotFound."""
    found = db.session.get(Distribution, distribution_id)
    if found is None or not is_theirs(actor, found):
        raise DistributionNotFound
    return found


def is_theirs(actor: Actor | None, distribution: Distribution) -> bool:
    """Whether somebody may look at a distribution and go on with it."""
    return actor is None or actor.is_admin or distribution.created_by_id == actor.user_id


def require_manager(actor: Actor | None, category_id: int | None) -> None:
    """Raise CategoryNotFound or Forbidden for who may not distribute below a category."""
    if actor is not None:
        access.require_permission(actor, category_id or access.NO_CATEGORY, MANAGE)
    get_category(category_id or access.NO_CATEGORY)


def hold_collecting(actor: Actor | None, distribution_id: int) -> Distribution:
    """A distribution that still takes files, which stays so until the transaction ends.

    Raises DistributionNotFound, Conflict for one that was begun, and like ``require_manager``.
    """
    get_own(actor, distribution_id)
    held = select(Distribution).where(Distribution.id == distribution_id).with_for_update()
    found = db.session.scalars(held, execution_options={"populate_existing": True}).one()
    if found.state != "collecting":
        raise Conflict(BEGUN)
    require_manager(actor, found.category_id)
    return found


def require_places(distribution_id: int, more: int) -> None:
    """Raise Conflict where so many more files would be too many; inside the transaction that holds it."""
    mine = (Upload.distribution_id == distribution_id, Upload.state != "cancelled")
    there = db.session.scalars(select(func.count()).select_from(Upload).where(*mine)).one()
    if there + more > MOST_FILES:
        raise Conflict(TOO_MANY)


def add_files(actor: Actor | None, distribution_id: int, arrivals: Sequence[Arrival]) -> list[int]:
    """Keep files that arrived, for this distribution; the ids of their uploads, in order.

    Their bytes are safe then, and in no catalog. One of a name that was dropped before takes its place. Either way no
    temporary bytes are left. Raises QuotaExceeded.
    """
    with kept(*arrivals):
        hold = get_own(actor, distribution_id)
        require_manager(actor, hold.category_id)
        release_connection()
        with storage().placing():
            stamps = storage().keep_all([arrival.received for arrival in arrivals])
            contents = [arrival.content(stamps[arrival.received.sha256]) for arrival in arrivals]
            with transaction():
                made = hold_collecting(actor, distribution_id)
                names = [arrival.filename for arrival in arrivals]
                stand_in_line([], contents)
                _take_out_named(distribution_id, names)
                require_places(distribution_id, len(names))
                ids = [_add(actor, distribution_id, *one) for one in zip(names, contents, strict=True)]
                if actor is not None:
                    require_room(actor.user_id, sum(content.size for content in contents), is_counted=True)
                record_distribution(actor, "distribution.files_added", made, count=len(ids))
    return ids


def refuse_file(actor: Actor | None, distribution_id: int, filename: str, size: int, reason: str) -> None:
    """Write down that a file was not taken, and why, for the list of its distribution."""
    with transaction() as session:
        hold_collecting(actor, distribution_id)
        require_places(distribution_id, 1)
        row = _row(actor, distribution_id, filenames.clean(filename), size) | {"state": "refused", "reason": reason}
        session.execute(insert(Upload).values(**row, closed_at=db_now()))


def set_lines(actor: Actor | None, distribution_id: int, content: bytes, zone: tzinfo) -> int:
    """Have the lines of a CSV say whose each file is; how many these are. Raises BadInput, with the lines."""
    lines = read_lines(content, zone, db.session.scalars(select(db_now())).one())
    with transaction() as session:
        made = hold_collecting(actor, distribution_id)
        made.pattern = ""
        forget_lines(distribution_id)
        rows = [
            {
                "distribution_id": distribution_id,
                "number": line.number,
                "filename": line.filename,
                "recipient": line.recipient,
                "title": line.title,
                "category": line.category,
                "expires_at": line.expires_at,
            }
            for line in lines
        ]
        session.execute(insert(DistributionLine), rows)
        record_distribution(actor, "distribution.lines_set", made, count=len(lines))
    return len(lines)


def set_pattern(actor: Actor | None, distribution_id: int, pattern: str) -> None:
    """Have the names of the files say whose each of them is. Raises BadInput."""
    read_pattern(pattern)
    with transaction():
        made = hold_collecting(actor, distribution_id)
        made.pattern = pattern.strip()
        forget_lines(distribution_id)
        record_distribution(actor, "distribution.pattern_set", made, pattern=made.pattern)


def change_notice(actor: Actor | None, distribution_id: int, *, wants_notice: bool) -> None:
    """Say whether each person gets a mail."""
    with transaction():
        made = hold_collecting(actor, distribution_id)
        if made.wants_notice != wants_notice:
            made.wants_notice = wants_notice
            record_distribution(actor, "distribution.notice_changed", made)


def take_out(actor: Actor | None, distribution_id: int, upload_id: int) -> None:
    """Take a file out again; its bytes go by themselves."""
    with transaction():
        made = hold_collecting(actor, distribution_id)
        mine = (Upload.id == upload_id, Upload.distribution_id == distribution_id)
        if run(update(Upload).where(*mine, Upload.state.in_(OPEN)).values(CANCELLED)).rowcount:
            record_distribution(actor, "distribution.file_removed", made)


def drop_distribution(actor: Actor | None, distribution_id: int) -> None:
    """Give up one that was never confirmed: nothing was done, and the bytes of its files go by themselves."""
    with transaction():
        made = hold_collecting(actor, distribution_id)
        _give_up(made)
        record_distribution(actor, "distribution.dropped", made)


def forget_left() -> None:
    """Give up what was begun long ago and never confirmed."""
    old = (Distribution.state == "collecting", Distribution.created_at < db_later(-KEPT_SECONDS))
    for distribution_id in db.session.scalars(select(Distribution.id).where(*old)).all():
        with transaction() as session:
            held = select(Distribution).where(Distribution.id == distribution_id, *old).with_for_update()
            found = session.scalars(held, execution_options={"populate_existing": True}).first()
            if found is not None:
                _give_up(found)


def cancel_open(distribution_id: int) -> None:
    """Cancel the files of a distribution of which nothing became; inside the transaction that ends it."""
    mine = (Upload.distribution_id == distribution_id, Upload.state.in_(OPEN))
    db.session.execute(update(Upload).where(*mine).values(CANCELLED))


def forget_lines(distribution_id: int) -> None:
    """Forget who was named in lines, once that is needed no more."""
    db.session.execute(delete(DistributionLine).where(DistributionLine.distribution_id == distribution_id))


def record_distribution(actor: Actor | None, action: str, distribution: Distribution, **details: object) -> None:
    """Write down one thing that was done to a distribution."""
    audit.record_event(
        action, actor=actor, thing=("distribution", distribution.id), label=distribution.title, **details
    )


def _give_up(distribution: Distribution) -> None:
    cancel_open(distribution.id)
    forget_lines(distribution.id)
    over = {"state": "stopped", "closed_at": db_now(), "told_at": db_now()}
    db.session.execute(update(Distribution).where(Distribution.id == distribution.id).values(over))


def _add(actor: Actor | None, distribution_id: int, filename: str, content: Content) -> int:
    arrived = {
        "state": "arrived",
        "blob_id": ensure_blob(actor, content),
        "facts": {"content_type": content.content_type},
    }
    row = _row(actor, distribution_id, filename, content.size) | arrived
    return db.session.scalars(insert(Upload).values(**row).returning(Upload.id)).one()


def _row(actor: Actor | None, distribution_id: int, filename: str, size: int) -> dict[str, object]:
    return {
        "distribution_id": distribution_id,
        "user_id": actor.user_id if actor else None,
        "filename": filename,
        "size": size,
        "received": size,
        "temp": "",
        "expires_at": db_later(KEPT_SECONDS),
    }


def _take_out_named(distribution_id: int, names: Sequence[str]) -> None:
    """What is dropped once more takes the place of what was there, also of what was refused."""
    mine = (Upload.distribution_id == distribution_id, Upload.filename.in_(names))
    standing = Upload.state.in_((*OPEN, "refused"))
    db.session.execute(update(Upload).where(*mine, standing).values(CANCELLED))
