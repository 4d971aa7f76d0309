"""What one person reaches, asked once for all that one request looks for, and handed from one statement to the next.

It is never kept for another request. What ``access`` found comes from the database as one value and goes back to it as
that, so that the next need not walk down from the grants again: on PostgreSQL that takes longer than all the rest.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, CTE, Integer, Select, String, bindparam, cast, column, func, select

from portal import access
from portal.actors import Actor
from portal.extensions import ask, db
from portal.models import READ

MANY = 400
"""Who reaches more categories than this walks over the newest documents."""
ME = bindparam("me", type_=Integer)
_MOST = bindparam("most", type_=Integer)
_REACHED, _LEVELS = bindparam("reached", type_=String), bindparam("levels", type_=String)


@dataclass(frozen=True)
class Given:
    """The categories on which somebody has a permission: about how many, the highest permission, and all as values.

    SQLite gives none of them to somebody who reaches many, for it is quicker there to go up from each document;
    ``documents``, how many are directly in all of them, is too little then.
    """

    met: int
    highest: int
    documents: int
    values: dict[str, Any] | None


class Reach:
    """What somebody who is no administrator reaches at this moment, found when it is first asked for."""

    def __init__(self, actor: Actor) -> None:
        self._me = actor.user_id
        self._found: dict[int, Given] = {}

    def at(self, permission: int) -> Given:
        """The categories on which they have at least this permission, and perhaps others on which they have less."""
        everything = self._ask(READ)
        return everything if everything.values is not None else self._ask(permission)

    def _ask(self, permission: int) -> Given:
        if permission not in self._found:
            met, highest, documents, *values = ask(_asking(_dialect(), permission), me=self._me, most=MANY + 1).one()
            names = ("reached", "levels")
            is_given = _dialect() != "sqlite" or met <= MANY
            found = dict(zip(names, values, strict=False)) if is_given else None
            self._found[permission] = Given(met, highest, documents, found)
        return self._found[permission]


@cache
def given(dialect: str) -> CTE:
    """The rows ``(category_id, level)`` in the values of ``Given``."""
    if dialect == "sqlite":
        each = func.json_each(_REACHED).table_valued("key", "value", name="each")
        rows = select(cast(each.c.key, Integer).label("category_id"), cast(each.c.value, Integer).label("level"))
        return rows.cte("reachable").prefix_with("MATERIALIZED")  # or the text would be read again for every document
    arrays = (cast(value, ARRAY(Integer)) for value in (_REACHED, _LEVELS))
    table = func.unnest(*arrays).table_valued(column("category_id", Integer), column("level", Integer), name="each")
    return select(*table.render_derived().c).cte("reachable")


@cache
def _asking(dialect: str, permission: int) -> Select[*tuple[Any, ...]]:
    reach = access.reached(ME, permission, _MOST if dialect == "sqlite" else None)
    totals = (func.sum(reach.c.met), func.max(reach.c.level), func.sum(reach.c.documents))
    counted = select(*(cast(func.coalesce(total, 0), Integer) for total in totals))
    if dialect == "sqlite":
        return counted.add_columns(func.json_group_object(reach.c.category_id, reach.c.level))
    arrays = (func.coalesce(cast(func.array_agg(one), String), "{}") for one in (reach.c.category_id, reach.c.level))
    return counted.add_columns(*arrays)


def _dialect() -> str:
    return db.session.get_bind().dialect.name
