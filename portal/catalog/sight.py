"""Who would see what no more, or for the first time, if a category were moved, merged, sealed or opened: in names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from portal import access
from portal.catalog.tree import counting_ids, list_ancestors
from portal.extensions import db
from portal.models import Category, User

NAMED = 5
"""People who are named, those whose accounts are the oldest; of the others there is a number."""


@dataclass(frozen=True)
class Some:
    """So many people, and a few of them by name."""

    count: int
    names: tuple[str, ...]

    @property
    def others(self) -> int:
        """How many are not named."""
        return self.count - len(self.names)


@dataclass(frozen=True)
class Shift:
    """What a change does to people whose accounts are open: who begins and ceases to see, who may do more or less."""

    gaining: Some
    losing: Some
    more: Some
    less: Some

    @property
    def is_none(self) -> bool:
        """Whether all stays as it is for everybody."""
        return not any(some.count for some in (self.gaining, self.losing, self.more, self.less))


def shift_of_move(category: Category, parent: Category | None) -> Shift:
    """What hanging a category under another one, or at the top, does."""
    from_above = counting_ids(parent) if parent is not None and not category.is_sealed else []
    return _shift([(counting_ids(category), [category.id, *from_above])])


def shift_of_seal(category: Category, is_sealed: bool) -> Shift:
    """What sealing a category, or opening its seal, does."""
    above = list_ancestors(category)[-2:-1]
    from_above = counting_ids(above[0]) if above and not is_sealed else []
    return _shift([(counting_ids(category), [category.id, *from_above])])


def shift_of_merge(pairs: Iterable[tuple[Category, Category]]) -> Shift:
    """What it does that the documents of each first category are seen by who sees the second one."""
    return _shift([(counting_ids(gone), counting_ids(into)) for gone, into in pairs])


def _shift(changes: Sequence[tuple[list[int], list[int]]]) -> Shift:
    gaining: set[int] = set()
    losing: set[int] = set()
    more: set[int] = set()
    less: set[int] = set()
    for ids_before, ids_after in changes:
        before, after = _levels(ids_before), _levels(ids_after)
        gaining |= after.keys() - before.keys()
        losing |= before.keys() - after.keys()
        more |= {user_id for user_id, level in after.items() if 0 < before.get(user_id, 0) < level}
        less |= {user_id for user_id, level in before.items() if 0 < after.get(user_id, 0) < level}
    return Shift(_some(gaining), _some(losing), _some(more), _some(less))


def _levels(category_ids: list[int]) -> dict[int, int]:
    found = access.holders_by(category_ids).subquery()
    statement = select(found.c.user_id, found.c.level).join(User, User.id == found.c.user_id)
    return dict(db.session.execute(statement.where(User.disabled_at.is_(None))).all())


def _some(user_ids: set[int]) -> Some:
    if not user_ids:
        return Some(0, ())
    first = select(User.name).where(User.id.in_(sorted(user_ids)[:NAMED])).order_by(User.name_key, User.id)
    return Some(len(user_ids), tuple(db.session.scalars(first)))
