"""The rows of edits of many documents: whose they are, how far they are, and what became of each document."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, or_, select, true

from portal import access
from portal.actors import Actor
from portal.catalog.bulk_edits.changes import Changes, Choice, unpack
from portal.errors import BulkEditNotFound, Conflict
from portal.extensions import db
from portal.models import PUBLISH, BulkEdit, BulkItem, Document, User

PAGE = 50
BEGUN = "This was begun already, or is over. Look at what became of it."


@dataclass(frozen=True)
class EditRow:
    """One edit: what was chosen and asked for, by whom, and how many documents it is at."""

    id: int
    state: str
    """``planned``, ``running``, ``done`` or ``stopped``."""
    choice: Choice
    changes: Changes
    user_id: int
    user_name: str
    created_at: datetime
    closed_at: datetime | None
    counts: dict[str, int]
    """Outcome to how many documents; ``open`` are still to be done."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is done to any document."""
        return self.state in ("done", "stopped")

    @property
    def total(self) -> int:
        """All its documents."""
        return sum(self.counts.values())

    @property
    def finished(self) -> int:
        """Those of which is known what became of them."""
        return self.total - self.counts.get("open", 0)


@dataclass(frozen=True)
class ItemRow:
    """One document of an edit; without a title for whoever may not know it."""

    document_id: int
    title: str
    is_readable: bool
    """Whether its page is there for whoever asks; not while it is in the trash."""
    outcome: str
    reason: str


def get_edit(actor: Actor, edit_id: int) -> EditRow:
    """An edit of one's own, or for administrators anybody's. Raises BulkEditNotFound."""
    found = db.session.execute(_rows(actor).where(BulkEdit.id == edit_id)).first()
    if found is None:
        raise BulkEditNotFound
    return _edit_row(*found, counts=_counts([edit_id]).get(edit_id, {}))


def list_edits(actor: Actor, *, after: int | None = None, limit: int = PAGE) -> tuple[list[EditRow], int | None]:
    """The person's own edits, for administrators everybody's, the newest first, and the id to go on after.

    What is only planned is its maker's alone.
    """
    statement = _rows(actor).where((BulkEdit.state != "planned") | (BulkEdit.created_by_id == actor.user_id))
    if after is not None:
        statement = statement.where(BulkEdit.id < after)
    found = db.session.execute(statement.order_by(BulkEdit.id.desc()).limit(limit + 1)).all()
    counts = _counts([edit.id for edit, _ in found[:limit]])
    rows = [_edit_row(edit, name, counts=counts.get(edit.id, {})) for edit, name in found[:limit]]
    return rows, rows[-1].id if len(found) > limit else None


def list_items(
    actor: Actor, edit_id: int, outcome: str = "", *, after: int | None = None, limit: int = PAGE
) -> tuple[list[ItemRow], int | None]:
    """Documents of an edit in the order of changing, those still to be done left out, and the id to go on after."""
    get_edit(actor, edit_id)
    here = (BulkItem.bulk_edit_id == edit_id, BulkItem.outcome == outcome if outcome else BulkItem.outcome.is_not(None))
    statement = select(BulkItem.document_id, BulkItem.outcome, BulkItem.reason).where(*here)
    if after is not None:
        statement = statement.where(BulkItem.document_id < after)
    found = db.session.execute(statement.order_by(BulkItem.document_id.desc()).limit(limit + 1)).all()
    known = _known(actor, [row.document_id for row in found])
    rows = [
        ItemRow(row.document_id, *known.get(row.document_id, ("", False)), row.outcome, row.reason)
        for row in found[:limit]
    ]
    return rows, rows[-1].document_id if len(found) > limit else None


def list_reasons(actor: Actor, edit_id: int) -> list[tuple[str, int]]:
    """Why documents of an edit were refused, and how many for each reason, the most frequent first."""
    get_edit(actor, edit_id)
    here = (BulkItem.bulk_edit_id == edit_id, BulkItem.outcome == "refused")
    count = func.count().label("count")
    statement = select(BulkItem.reason, count).where(*here).group_by(BulkItem.reason)
    return [(reason, number) for reason, number in db.session.execute(statement.order_by(count.desc()).limit(20))]


def get_own(actor: Actor, edit_id: int) -> BulkEdit:
    """The row of an edit this person asked for. Raises BulkEditNotFound."""
    edit = db.session.scalar(select(BulkEdit).where(BulkEdit.id == edit_id, BulkEdit.created_by_id == actor.user_id))
    if edit is None:
        raise BulkEditNotFound
    return edit


def require_planned(actor: Actor, edit_id: int) -> BulkEdit:
    """The same of one that is only planned, held until the transaction ends. Raises Conflict for one that was begun."""
    get_own(actor, edit_id)
    edit = db.session.get_one(BulkEdit, edit_id, with_for_update=True, populate_existing=True)
    if edit.state != "planned":
        raise Conflict(BEGUN)
    return edit


def _rows(actor: Actor) -> Select[BulkEdit, str]:
    theirs: ColumnElement[bool] = true() if actor.is_admin else BulkEdit.created_by_id == actor.user_id
    return select(BulkEdit, User.name).join(User, User.id == BulkEdit.created_by_id).where(theirs)


def _edit_row(edit: BulkEdit, name: str, *, counts: dict[str, int]) -> EditRow:
    choice, changes = unpack(edit.changes)
    return EditRow(
        edit.id, edit.state, choice, changes, edit.created_by_id, name, edit.created_at, edit.closed_at, counts
    )


def _counts(edit_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    outcome = func.coalesce(BulkItem.outcome, "open")
    statement = select(BulkItem.bulk_edit_id, outcome, func.count()).where(BulkItem.bulk_edit_id.in_(edit_ids))
    found: dict[int, dict[str, int]] = {}
    for edit_id, name, count in db.session.execute(statement.group_by(BulkItem.bulk_edit_id, BulkItem.outcome)):
        found.setdefault(edit_id, {})[name] = count
    return found


def _known(actor: Actor, document_ids: Sequence[int]) -> dict[int, tuple[str, bool]]:
    """Titles, and whether it may be read, of what the person may read now or may bring back from the trash."""
    level = access.level_at(Document.category_id, actor)
    is_readable = access.visible(level)
    statement = select(Document.id, Document.title, is_readable).where(Document.id.in_(document_ids))
    rows = db.session.execute(statement.where(or_(is_readable, level >= PUBLISH)))
    return {document_id: (title, bool(may_read)) for document_id, title, may_read in rows}
