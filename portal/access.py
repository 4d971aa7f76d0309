"""The one policy: who may do what with which category and document.

Forms of the same predicate: ``may_read`` for one document, ``readable`` for a statement over many, ``readers`` the
other way round, everybody who may read one document, ``holders``, who has a permission on one category, and
``level_at``, the permission at one category as an expression, which the download line folds into its one query. What
they decide is told in words by ``catalog.reasons``. A property test proves them all equal.
"""

from collections.abc import Collection
from typing import TypeVarTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    SQLColumnExpression,
    Subquery,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from portal.actors import Actor
from portal.errors import CategoryNotFound, DocumentNotFound, Forbidden
from portal.extensions import db, run
from portal.models import MANAGE, PUBLISH, READ, Category, Document, Grant, Membership, User, db_now

Columns = TypeVarTuple("Columns")

NO_CATEGORY = 0
"""The id no category has."""

_START, _PARENT, _CHILD, _GIVEN = aliased(Category), aliased(Category), aliased(Category), aliased(Category)


def readable(statement: Select[*Columns], actor: Actor) -> Select[*Columns]:
    """Narrow a statement over ``Document`` to what ``actor`` may read now."""
    if actor.is_admin:
        return statement.where(Document.trashed_at.is_(None))
    reach = reachable(actor)
    return statement.join(reach, reach.c.category_id == Document.category_id).where(visible(reach.c.level))


def publishable(statement: Select[*Columns], actor: Actor) -> Select[*Columns]:
    """Narrow a statement over ``Document`` to where ``actor`` may publish, whatever the dates and the trash say."""
    if actor.is_admin:
        return statement
    reach = reachable(actor, PUBLISH)
    return statement.join(reach, reach.c.category_id == Document.category_id)


def reachable(actor: Actor, permission: int = READ) -> CTE:
    """Every category the actor has at least this permission on, as ``(category_id, level)``, one row each.

    Grants flow down from where they were given and stop above a seal, and above what is in the trash.
    """
    return reached(_me(actor), permission)


def reached(user_id: ColumnElement[int], permission: int = READ, most: ColumnElement[int] | None = None) -> CTE:
    """The same for somebody who is no administrator, given as an expression: for statements that are built once.

    ``met`` says how often each category was met on the way; ``most`` ends it after so many of these. ``documents`` is
    how many are directly in it, whether they may be read or not.
    """
    tree: FromClause = _granted(user_id, permission)
    if most is not None:
        tree = select(tree).limit(most).subquery()
    best = select(
        tree.c.category_id,
        func.max(tree.c.level).label("level"),
        func.count().label("met"),
        func.max(tree.c.documents).label("documents"),
    )
    return best.group_by(tree.c.category_id).cte("reachable")


def given_on(user_id: ColumnElement[int], permission: int = READ) -> Select[int]:
    """The categories on which somebody was given at least this permission, not those below them."""
    given = _grants_of(user_id, permission)
    return select(given.c.category_id).join(_GIVEN, _GIVEN.id == given.c.category_id).where(_GIVEN.trashed_at.is_(None))


def _granted(user_id: ColumnElement[int], permission: int) -> CTE:
    given = _grants_of(user_id, permission)
    down = select(given.c.category_id, given.c.level, _GIVEN.document_count.label("documents")).where(
        _GIVEN.id == given.c.category_id, _GIVEN.trashed_at.is_(None)
    )
    tree = down.cte("granted", recursive=True)
    return tree.union(
        select(_CHILD.id, tree.c.level, _CHILD.document_count).where(
            _CHILD.parent_id == tree.c.category_id, _CHILD.is_sealed.is_(False), _CHILD.trashed_at.is_(None)
        )
    )


def _grants_of(user_id: ColumnElement[int], permission: int) -> Subquery:
    """What somebody was given, looked up one way after the other: of ways in one condition PostgreSQL reads all grants
    there are.
    """
    given = select(Grant.category_id, Grant.permission.label("level")).where(Grant.permission >= permission, in_force())
    of_groups = given.join(Membership, Membership.group_id == Grant.group_id).where(Membership.user_id == user_id)
    for_everyone, own = given.where(_for_everyone(user_id)), given.where(Grant.user_id == user_id)
    return union_all(for_everyone, own, of_groups).subquery("given")


def level_at(category_id: SQLColumnExpression[int], actor: Actor) -> ColumnElement[int]:
    """The permission ``actor`` has on one category (0 for none), found by walking up to the first seal."""
    return literal(MANAGE, Integer) if actor.is_admin else level_of(category_id, _me(actor))


def level_of(category_id: SQLColumnExpression[int], user_id: ColumnElement[int]) -> ColumnElement[int]:
    """The same for somebody who is no administrator, given as an expression: for statements that are built once."""
    return _best_on(_ancestry(category_id), user_id)


def level_in_trash(category_id: SQLColumnExpression[int], actor: Actor) -> ColumnElement[int]:
    """The permission ``actor`` has again on a category once it is back from the trash; 0 for one that is not in it."""
    if actor.is_admin:
        return literal(MANAGE, Integer)
    return _best_on(_ancestry(category_id, in_trash=True), _me(actor))


def _best_on(up: CTE, user_id: ColumnElement[int]) -> ColumnElement[int]:
    granted = select(func.max(Grant.permission)).where(Grant.category_id == up.c.id, _granted_to(user_id))
    return func.coalesce(granted.scalar_subquery(), 0)


def readers(document_id: int) -> Select[int, int]:
    """``(user_id, level)`` of everybody who may read this document now, one row each, in one query.

    An account that is disabled is among them, as it is for ``may_read``: it has its rights and cannot use them.
    """
    shelf = select(Document.category_id).where(Document.id == document_id).scalar_subquery()
    best = _held_at(shelf)
    return select(best.c.user_id, best.c.level).where(Document.id == document_id, visible(best.c.level))


def holders(category_id: int) -> Select[int, int]:
    """``(user_id, level)`` of everybody who has a permission on this category, one row each, in one query."""
    best = _held_at(literal(category_id, Integer))
    return select(best.c.user_id, best.c.level)


def holders_by(category_ids: Collection[int]) -> Select[int, int]:
    """The same if what was given on these categories, and nothing else, counted: for what a change would come to."""
    best = _held_by(select(Grant).where(Grant.category_id.in_(category_ids), in_force()).subquery())
    return select(best.c.user_id, best.c.level)


def _held_at(category_id: SQLColumnExpression[int]) -> Subquery:
    up = _ancestry(category_id)
    return _held_by(select(Grant).join(up, up.c.id == Grant.category_id).where(in_force()).subquery())


def _held_by(here: Subquery) -> Subquery:
    held = union_all(
        select(here.c.user_id.label("user_id"), here.c.permission.label("level")).where(here.c.user_id.is_not(None)),
        select(Membership.user_id, here.c.permission).join(here, here.c.group_id == Membership.group_id),
        select(User.id, here.c.permission).join(here, here.c.is_everyone),
        select(User.id, literal(MANAGE, Integer)).where(User.is_admin),
    ).subquery()
    return select(held.c.user_id, func.max(held.c.level).label("level")).group_by(held.c.user_id).subquery()


def visible(level: ColumnElement[int], document: type[Document] = Document) -> ColumnElement[bool]:
    """Whether a document shows at this permission: publishers also see drafts and what is scheduled or expired.

    ``document`` is what a statement calls it, here and in ``is_out``.
    """
    return and_(document.trashed_at.is_(None), level >= case((is_out(document), READ), else_=PUBLISH))


def is_out(document: type[Document] = Document) -> ColumnElement[bool]:
    """Whether a document's time has come and is not over."""
    return and_(
        document.published_at <= db_now(),
        or_(document.expires_at.is_(None), document.expires_at > db_now()),
    )


def is_published(document_id: int) -> bool:
    """Whether a document is out and not in the trash, for whoever may read its category."""
    this = (Document.id == document_id, Document.trashed_at.is_(None), is_out())
    return db.session.scalar(select(literal(1)).where(*this)) is not None


def may_read(actor: Actor, document_id: int) -> bool:
    """Whether ``actor`` may read this document now."""
    level = level_at(Document.category_id, actor)
    statement = select(literal(1)).where(Document.id == document_id, visible(level))
    return db.session.scalar(statement) is not None


def require_read(actor: Actor, document_id: int) -> None:
    """Raise DocumentNotFound unless ``actor`` may read this document now."""
    if not may_read(actor, document_id):
        raise DocumentNotFound


def permission_on(actor: Actor, category_id: int) -> int:
    """The permission ``actor`` has on a category: 0, READ, PUBLISH or MANAGE."""
    if actor.is_admin:
        return MANAGE
    return db.session.scalar(_LEVEL, {"category": category_id, "me": actor.user_id}) or 0


def level_on(actor: Actor, found: Category | None) -> int:
    """``permission_on`` for what a path led to, 0 for nothing; the database is asked the same either way."""
    level = permission_on(actor, found.id if found is not None else NO_CATEGORY)
    return level if found is not None else 0


def require_permission(actor: Actor, category_id: int, permission: int) -> None:
    """Raise CategoryNotFound when the category is not theirs to see at all, Forbidden when they may only see it."""
    level = permission_on(actor, category_id)
    if level < READ:
        raise CategoryNotFound
    if level < permission:
        raise Forbidden


def manages_somewhere(actor: Actor) -> bool:
    """Whether there is any category this person may manage."""
    if actor.is_admin:
        return True
    mine = (_granted_to(_me(actor)), Grant.permission >= MANAGE, _counts())
    return db.session.scalar(select(literal(1)).select_from(Grant).where(*mine).limit(1)) is not None


def publishes_somewhere(actor: Actor) -> bool:
    """Whether there is any category this person may publish in, or one in the trash that they may bring back."""
    return actor.is_admin or run(_PUBLISHES, me=actor.user_id).first() is not None


def shown_categories(actor: Actor, permission: int = READ) -> Select[int, int]:
    """``(category_id, level)`` of every category to show: those with the permission, and for administrators all.

    What is in the trash is not shown to anybody.
    """
    if actor.is_admin:
        live = select(Category.id.label("category_id"), literal(MANAGE, Integer).label("level"))
        return live.where(Category.trashed_at.is_(None))
    reach = reachable(actor, permission)
    return select(reach.c.category_id, reach.c.level)


def _me(actor: Actor) -> ColumnElement[int]:
    # Bound as a value: plain None would be written as IS NULL, and a link, who is nobody, would match groups' grants.
    return literal(actor.user_id, Integer)


def _granted_to(me: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(is_for(me), in_force())


def is_for(user_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a grant is for this person: their own, one of a group of theirs, or one for everyone signed in."""
    groups = select(Membership.group_id).where(Membership.user_id == user_id)
    return or_(_for_everyone(user_id), Grant.user_id == user_id, Grant.group_id.in_(groups))


def _for_everyone(user_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a grant is for everyone signed in, and this is somebody: a link is nobody."""
    return and_(Grant.is_everyone, user_id.is_not(None))


def in_force() -> ColumnElement[bool]:
    """Whether a grant is not over."""
    return or_(Grant.expires_at.is_(None), Grant.expires_at > db_now())


def _counts() -> ColumnElement[bool]:
    """Whether a grant is on a category that is not in the trash."""
    return select(literal(1)).where(_GIVEN.id == Grant.category_id, _GIVEN.trashed_at.is_(None)).exists()


def _ancestry(category_id: SQLColumnExpression[int], *, in_trash: bool = False) -> CTE:
    """A category and those above it, up to the first seal; nothing for one in the trash (``in_trash``: for any other).

    Only the first one has to be asked: what is above a category that is not in the trash is not there either.
    """
    up = (
        select(_START.id, _START.parent_id, _START.is_sealed)
        .where(_START.id == category_id, _START.trashed_at.is_not(None) if in_trash else _START.trashed_at.is_(None))
        .correlate_except(_START)
        .cte("ancestry", recursive=True, nesting=True)
    )
    return up.union_all(
        select(_PARENT.id, _PARENT.parent_id, _PARENT.is_sealed).where(
            _PARENT.id == up.c.parent_id, up.c.is_sealed.is_(False)
        )
    )


_LEVEL = select(level_of(bindparam("category", type_=Integer), bindparam("me", type_=Integer)))
"""Asked several times for every upload: building it takes longer than the database does."""
_PUBLISHES = (
    select(literal(1))
    .select_from(Grant)
    .where(_granted_to(bindparam("me", type_=Integer)), Grant.permission >= case((_counts(), PUBLISH), else_=MANAGE))
    .limit(1)
)
