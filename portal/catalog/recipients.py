"""Categories that are one reader's own: sealed, directly below a chosen one, with their grant and nobody else's.

Such a category carries the key of its reader, so that it is found again whatever it is called by then. One that was
made by hand and is just like that is taken for theirs too, and marked.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, and_, or_, select

from portal.actors import Actor
from portal.catalog.categories import TREE, make_category, require_manage, seal_category
from portal.catalog.grants import Principal, add_grant
from portal.catalog.paths import is_live, lineage_ids
from portal.catalog.tree import find_child, get_category
from portal.errors import Conflict
from portal.extensions import db, lock_on, transaction
from portal.filenames import MAX_CATEGORY, category_name_problem, normal, numbered_category
from portal.models import PERSON, READ, Category, Grant

GROUP = "g:"
UNNAMED = "Recipient"
SHARED = "{} is not theirs alone: it must be sealed, with their permission to read, without an end, and no other one."


@dataclass(frozen=True)
class Recipient:
    """Whom something is for: a person or a group."""

    key: str
    """``u:12`` or ``g:3``."""
    name: str
    reference: str = ""
    is_closed: bool = False
    """Whether the account is disabled or erased."""

    @property
    def id(self) -> int:
        """Of the person or group."""
        return int(self.key[2:])

    @property
    def principal(self) -> Principal:
        """What a grant for them is for."""
        return Principal(user_id=self.id) if self.key.startswith(PERSON) else Principal(group_id=self.id)


@dataclass
class Shelf:
    """A category that is marked as somebody's, or is like one."""

    category_id: int
    path: str
    key: str
    """Its mark; "" without one."""
    is_sealed: bool
    allowed_types: str | None
    given: list[Grant] = field(default_factory=list)
    """All grants on this very category."""

    @property
    def owner(self) -> str:
        """The key of whoever it is for: by its mark, or because it is sealed and theirs alone; "" for nobody."""
        return self.key or (_key_of(self.given[0]) if self.given and self.is_sealed and _is_one(self.given) else "")

    @property
    def is_alone(self) -> bool:
        """Whether it is sealed, and nobody but its reader was given anything on it."""
        return self.is_sealed and _is_one(self.given) and _key_of(self.given[0]) == self.owner


def list_shelves(parent_id: int, keys: Collection[str] | None = None) -> dict[str, Shelf]:
    """Key of a recipient to the category below the parent that is theirs, for these keys or for all there are.

    One with a mark comes before one without.
    """
    found: dict[int, Shelf] = {}
    columns = (Category.id, Category.path, Category.recipient_key, Category.is_sealed, Category.allowed_types, Grant)
    statement = select(*columns).outerjoin(Grant, Grant.category_id == Category.id)
    for which in _may_be_theirs(keys):
        here = statement.where(Category.parent_id == parent_id, is_live(), which)
        for row in db.session.execute(here.order_by(Category.id)):
            shelf = Shelf(row.id, row.path, row.recipient_key or "", row.is_sealed, row.allowed_types)
            shelf = found.setdefault(row.id, shelf)
            if row.Grant is not None:
                shelf.given.append(row.Grant)
    owned: dict[str, Shelf] = {}
    for shelf in found.values():
        if shelf.owner and (keys is None or shelf.owner in keys):
            owned.setdefault(shelf.owner, shelf)
    return owned


def ensure_shelf(actor: Actor | None, parent_id: int, recipient: Recipient, inside: str = "") -> Category:
    """The category of a recipient below the parent, or the one of the path ``inside`` of it; what is missing is made.

    Making one needs ``manage`` on the parent. Raises Conflict for one that is not theirs alone.
    """
    with transaction():
        lock_on(TREE)
        shelf = list_shelves(parent_id, [recipient.key]).get(recipient.key)
        category = get_category(shelf.category_id) if shelf is not None else _make(actor, parent_id, recipient)
        own_id = category.id
        if category.recipient_key is None:
            category.recipient_key = recipient.key
            db.session.flush()
        for name in inside.split("/") if inside else ():
            category = find_child(category.id, name) or make_category(actor, category.id, name)
        _require_alone(category, own_id, recipient)
    return category


def _make(actor: Actor | None, parent_id: int, recipient: Recipient) -> Category:
    """Given away before it is sealed: the seal ends what its maker may do there."""
    require_manage(actor, parent_id)
    category = make_category(actor, parent_id, _free_name(parent_id, recipient), recipient_key=recipient.key)
    add_grant(actor, category.id, recipient.principal, "read")
    seal_category(actor, category.id, True)
    return category


def _require_alone(category: Category, own_id: int, recipient: Recipient) -> None:
    """Raise Conflict unless the reader has the only grant on their category, and none was given inside of it."""
    chain = lineage_ids(category)
    here = Category.id.in_(chain[chain.index(own_id) :])
    sealed = set(db.session.scalars(select(Category.id).where(here, Category.is_sealed)))
    given = db.session.scalars(select(Grant).join(Category, Category.id == Grant.category_id).where(here)).all()
    if sealed != {own_id} or not _is_one(given) or (given[0].category_id, _key_of(given[0])) != (own_id, recipient.key):
        raise Conflict(SHARED.format(category.path))


def _free_name(parent_id: int, recipient: Recipient) -> str:
    """The name of the recipient; where that is taken, with their reference, and else with a number."""
    name = _as_category(recipient.name) or UNNAMED
    if recipient.reference and find_child(parent_id, name) is not None:
        name = _as_category(f"{name[: MAX_CATEGORY // 2].rstrip()} ({recipient.reference})") or name
    number, free = 2, name
    while find_child(parent_id, free) is not None:
        free = numbered_category(name, number)
        number += 1
    return free


def _as_category(name: str) -> str:
    """A name as one of a category; "" when it cannot be one."""
    spelled = normal(name.replace("/", "-")[:MAX_CATEGORY]).strip()
    return "" if category_name_problem(spelled) else spelled


def _may_be_theirs(keys: Collection[str] | None) -> list[ColumnElement[bool]]:
    """Those with a mark, and then those without: by two questions, of which each is answered by an index."""
    without = and_(Category.recipient_key.is_(None), Category.is_sealed)
    if keys is None:
        return [Category.recipient_key.is_not(None), without]
    theirs = or_(
        Grant.user_id.in_([int(key[2:]) for key in keys if key.startswith(PERSON)]),
        Grant.group_id.in_([int(key[2:]) for key in keys if key.startswith(GROUP)]),
    )
    given = db.session.scalars(select(Grant.category_id).where(theirs)).all()
    return [Category.recipient_key.in_(keys), and_(Category.id.in_(given), without)]


def _key_of(grant: Grant) -> str:
    if grant.user_id is not None:
        return f"{PERSON}{grant.user_id}"
    return f"{GROUP}{grant.group_id}" if grant.group_id is not None else ""


def _is_one(given: Sequence[Grant]) -> bool:
    return len(given) == 1 and given[0].permission == READ and given[0].expires_at is None
