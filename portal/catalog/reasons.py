"""Why somebody may see a document or a category, or may not: the rows the policy decides by, told one by one.

What is told is worked out from every grant for the person between the category and the root, also from those that do
not count. That it always comes to what ``access`` decides is proved by a property test.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Integer, case, literal, or_, select
from sqlalchemy.orm import aliased

from portal import access
from portal.accounts import actor_of, is_called
from portal.catalog.grants import GrantRow
from portal.catalog.paths import is_live
from portal.catalog.refs import Ref
from portal.catalog.tree import get_category, list_ancestors
from portal.errors import DocumentNotFound
from portal.extensions import db
from portal.models import MANAGE, PUBLISH, READ, Category, Document, Grant, Group, User, db_now

PAGE = 50


@dataclass(frozen=True)
class Ground:
    """One grant for the person, and what keeps it from counting."""

    row: GrantRow
    is_over: bool
    is_cut_off: bool
    """A seal stands between where it was given and where it would be felt."""

    @property
    def counts(self) -> bool:
        """Whether it gives anything here and now."""
        return not self.is_over and not self.is_cut_off


@dataclass(frozen=True)
class Step:
    """One category on the way from where the question was asked up to the root, with what was given on it."""

    category: Category
    grounds: list[Ground]


@dataclass(frozen=True)
class Reasons:
    """All of it: the steps, the category itself first, and what they come to."""

    user: User
    steps: list[Step]
    document: Document | None
    standing: str
    """Of the document: ``out``, ``draft``, ``scheduled``, ``expired`` or ``trashed``; "" without one."""

    @property
    def level(self) -> int:
        """The permission on the category, as ``access.permission_on`` gives it."""
        if self.user.is_admin:
            return MANAGE
        if self.steps[0].category.trashed_at is not None:
            return 0
        counting = (ground for step in self.steps for ground in step.grounds if ground.counts)
        return max((ground.row.grant.permission for ground in counting), default=0)

    @property
    def may_read(self) -> bool:
        """Whether the policy lets them read the document, as ``access.may_read``; without one, see the category."""
        if self.standing == "trashed":
            return False
        return self.level >= (READ if self.standing in ("out", "") else PUBLISH)

    @property
    def is_shut_out(self) -> bool:
        """Whether the account is disabled: it has its rights and cannot use them."""
        return self.user.disabled_at is not None


@dataclass(frozen=True)
class SeenCategory:
    """A category somebody has a permission on, with the grants that give just that; none for an administrator."""

    category: Category
    level: int
    rows: list[GrantRow]


@dataclass(frozen=True)
class Holder:
    """Somebody who may see the document or category, and their permission there."""

    user: User
    level: int


def find_document(ref: Ref | None) -> Document | None:
    """A document by id or uuid, also one that is in the trash; for those who may publish where it is shelved."""
    if ref is None:
        return None
    return db.session.scalar(
        select(Document).where(Document.id == ref if isinstance(ref, int) else Document.uuid == ref)
    )


def explain_document(user: User, document_id: int) -> Reasons:
    """Why this person may read a document, or may not; also of one in the trash. Raises DocumentNotFound."""
    standing = case(
        (Document.trashed_at.is_not(None), "trashed"),
        (Document.published_at.is_(None), "draft"),
        (Document.published_at > db_now(), "scheduled"),
        (access.is_out(), "out"),
        else_="expired",
    )
    row = db.session.execute(select(Document, standing).where(Document.id == document_id)).first()
    if row is None:
        raise DocumentNotFound
    document, stands = row
    return Reasons(user, _steps(user, db.session.get_one(Category, document.category_id)), document, stands)


def explain_category(user: User, category_id: int) -> Reasons:
    """Why this person may see a category, or may not. Raises CategoryNotFound."""
    return Reasons(user, _steps(user, get_category(category_id)), None, "")


def list_seen(user: User, after: int | None = None, limit: int = PAGE) -> tuple[list[SeenCategory], int | None]:
    """The categories a person has a permission on by path, with the reason, and the id to go on after."""
    shown = access.shown_categories(actor_of(user)).subquery()
    statement = select(Category, shown.c.level).join(shown, shown.c.category_id == Category.id).order_by(Category.path)
    last = db.session.get(Category, after) if after else None
    if last is not None:
        statement = statement.where(Category.path > last.path)
    found = [(category, level) for category, level in db.session.execute(statement.limit(limit + 1))]
    page = found[:limit]
    above = _with_ancestors(category for category, _ in page)
    given = _grounds_on(user, list(above)) if not user.is_admin else {}
    rows = [SeenCategory(category, level, _giving(category, level, above, given)) for category, level in page]
    return rows, page[-1][0].id if len(found) > limit else None


def list_holders(
    category_id: int, document_id: int | None = None, *, query: str = "", after: int | None = None, limit: int = PAGE
) -> tuple[list[Holder], int | None]:
    """Who may read the document now, or without one has a permission on the category, by name; and where to go on."""
    may = (access.readers(document_id) if document_id is not None else access.holders(category_id)).subquery()
    statement = select(User, may.c.level).join(may, may.c.user_id == User.id).where(is_called(query))
    last = db.session.get(User, after) if after else None
    if last is not None:
        is_same = User.name_key == last.name_key
        statement = statement.where(or_(User.name_key > last.name_key, is_same & (User.id > last.id)))
    statement = statement.order_by(User.name_key, User.id).limit(limit + 1)
    found = [Holder(user, level) for user, level in db.session.execute(statement)]
    return found[:limit], found[limit - 1].user.id if len(found) > limit else None


def is_holder(user_id: int, category_id: int, document_id: int | None = None) -> bool:
    """Whether a person is on the list of ``list_holders``."""
    may = access.readers(document_id) if document_id is not None else access.holders(category_id)
    found = may.subquery()
    return db.session.scalar(select(found.c.level).where(found.c.user_id == user_id)) is not None


def seals_below(category_ids: Iterable[int]) -> dict[int, list[Category]]:
    """Category to the sealed ones below it at which what is given on it ends, by path; those below these left out."""
    above = aliased(Category)
    is_below = Category.lineage.startswith(above.lineage) & (Category.id != above.id)
    statement = select(above.id, Category).join(above, is_below).where(above.id.in_(list(category_ids)))
    found: dict[int, list[Category]] = {}
    live = statement.where(Category.is_sealed, is_live()).order_by(Category.path)
    for category_id, sealed in db.session.execute(live):
        ends = found.setdefault(category_id, [])
        if not any((sealed.lineage or "").startswith(end.lineage or "/") for end in ends):
            ends.append(sealed)
    return found


def _steps(user: User, category: Category) -> list[Step]:
    steps: list[Step] = []
    is_cut_off = False
    chain = list_ancestors(category)
    given = _grounds_on(user, [one.id for one in chain])
    for one in reversed(chain):
        grounds = [Ground(row, is_over, is_cut_off) for row, is_over in given.get(one.id, [])]
        steps.append(Step(one, grounds))
        is_cut_off = is_cut_off or one.is_sealed
    return steps


def _grounds_on(user: User, category_ids: Sequence[int]) -> dict[int, list[tuple[GrantRow, bool]]]:
    """Category to the grants on it that are for this person, each with whether it is over."""
    statement = (
        select(Grant, Category, Group, User, access.in_force())
        .join(Category, Category.id == Grant.category_id)
        .outerjoin(Group, Group.id == Grant.group_id)
        .outerjoin(User, User.id == Grant.user_id)
        .where(Grant.category_id.in_(category_ids), access.is_for(literal(user.id, Integer)))
        .order_by(Grant.permission.desc(), Grant.id)
    )
    found: dict[int, list[tuple[GrantRow, bool]]] = {}
    for grant, category, group, owner, is_in_force in db.session.execute(statement):
        found.setdefault(category.id, []).append((GrantRow(grant, category, group, owner), not is_in_force))
    return found


def _with_ancestors(categories: Iterable[Category]) -> dict[int, Category]:
    """These categories and all above them, by id."""
    ids = {int(part) for category in categories for part in (category.lineage or "").strip("/").split("/")}
    return {one.id: one for one in db.session.scalars(select(Category).where(Category.id.in_(ids)))}


def _giving(
    category: Category, level: int, above: dict[int, Category], given: dict[int, list[tuple[GrantRow, bool]]]
) -> list[GrantRow]:
    """The grants by which somebody has this permission on a category, the nearest first."""
    rows: list[GrantRow] = []
    step: Category | None = category
    while step is not None:
        rows += [row for row, is_over in given.get(step.id, []) if not is_over and row.grant.permission == level]
        step = above.get(step.parent_id or 0) if not step.is_sealed else None
    return rows
