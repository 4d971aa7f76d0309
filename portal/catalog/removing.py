"""Categories removed for good, once they are empty and nothing names them any more."""

from sqlalchemy import ColumnElement, and_, case, delete, func, select, update

from portal.actors import Actor
from portal.catalog.categories import TREE, lock_shelves, record_category, require_manage
from portal.catalog.tree import below, get_category
from portal.errors import Conflict
from portal.extensions import db, lock_on, transaction
from portal.models import (
    Category,
    CategoryAlias,
    CategoryField,
    Distribution,
    Document,
    FieldValue,
    FileRequest,
    Follow,
    Grant,
    ShareLink,
    SourceDirectory,
    Upload,
    Version,
    db_now,
)

NAMED_AT_THE_TOP = (
    "The ledger still names documents that were in this category and are gone for good, and there is no category above"
    " to hand them to. Move it into another category first; then it can be removed."
)


GONE = "The category it was to go to was removed."


def remove_category(actor: Actor | None, category_id: int) -> None:
    """Remove an empty category with its grants. Raises Conflict while anything is in it or refers to it.

    Documents whose bytes were given up for good are still named by the ledger: they go on to the category above.
    """
    with transaction():
        lock_on(TREE)
        lock_shelves(category_id)
        lock_on(f"grants:{category_id}")
        require_manage(actor, category_id)
        category = get_category(category_id)
        _require_empty(category_id)
        if not hand_on_purged(category):
            raise Conflict(NAMED_AT_THE_TOP)
        record_category(actor, "category.removed", category)
        erase_category(category)


def erase_category(category: Category) -> None:
    """Delete the row of an empty category, and what is only about it: grants, old paths, fields, who follows it, and
    uploads that were to go there.

    Inside the transaction of whoever made sure that nothing names it any more, and writes down why.
    """
    session = db.session()
    fields = select(CategoryField.id).where(CategoryField.category_id == category.id)
    session.execute(delete(FieldValue).where(FieldValue.field_id.in_(fields)))
    session.execute(delete(CategoryField).where(CategoryField.category_id == category.id))
    session.execute(delete(Grant).where(Grant.category_id == category.id))
    session.execute(delete(CategoryAlias).where(CategoryAlias.category_id == category.id))
    session.execute(delete(Follow).where(Follow.category_id == category.id))
    _end_what_comes_in(category.id)
    session.execute(delete(Category).where(Category.id == category.id))


def _end_what_comes_in(category_id: int) -> None:
    """What was to come here comes no more; what is over stays, and names no category."""
    asked, many, one = FileRequest.category_id, Distribution.category_id, Upload.category_id
    revoked = func.coalesce(FileRequest.revoked_at, db_now())
    db.session.execute(update(FileRequest).where(asked == category_id).values(category_id=None, revoked_at=revoked))
    state = case((Distribution.closed_at.is_(None), "stopped"), else_=Distribution.state)
    stopped = {"category_id": None, "state": state, "closed_at": func.coalesce(Distribution.closed_at, db_now())}
    db.session.execute(update(Distribution).where(many == category_id).values(stopped))
    is_open = Upload.closed_at.is_(None)
    refused = {
        "category_id": None,
        "state": case((is_open, "refused"), else_=Upload.state),
        "reason": case((is_open, GONE), else_=Upload.reason),
        "closed_at": func.coalesce(Upload.closed_at, db_now()),
    }
    db.session.execute(update(Upload).where(one == category_id).values(refused))


def is_purged() -> ColumnElement[bool]:
    """Whether a document has given up its bytes for good and only its name is left."""
    has_bytes = select(Version.id).where(Version.document_id == Document.id, Version.purged_at.is_(None))
    return and_(Document.trashed_at.is_not(None), ~has_bytes.exists())


def hand_on_purged(category: Category) -> bool:
    """Have documents that are only a name by now count to the category above; False where there is none to take them.

    The ledger still names them.
    """
    here = Document.category_id == category.id
    if category.parent_id is not None:
        db.session.execute(update(Document).where(here).values(category_id=category.parent_id))
        return True
    return db.session.scalar(select(Document.id).where(here).limit(1)) is None


def _require_empty(category_id: int) -> None:
    for what in (
        select(Category.id).where(below(category_id)),
        select(Document.id).where(Document.category_id == category_id, ~is_purged()),
        select(ShareLink.id).where(ShareLink.category_id == category_id),
        select(SourceDirectory.id).where(SourceDirectory.category_id == category_id),
    ):
        if db.session.scalar(what.limit(1)) is not None:
            raise Conflict("Only an empty category can be removed; what is in the trash counts.")
