"""The rows of a list of people: what each would do, compared with the accounts there are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from portal.accounts.pasting import Entry
from portal.accounts.references import TAKEN, find_owners, require_reference
from portal.accounts.spelling import email_key, require_email, require_name
from portal.errors import BadInput
from portal.extensions import db
from portal.models import Group, Membership, User

NEW, KNOWN, REPEATED, BROKEN = "new", "known", "repeated", "broken"
KINDS = (NEW, KNOWN, REPEATED, BROKEN)
CHUNK = 500


@dataclass(frozen=True)
class Row:
    """What one line would do.

    ``kind`` is ``new`` (an account is added), ``known`` (there is one), ``repeated`` (the line ``first`` is the same
    person, and gets the groups of this one, too) or ``broken``, with the ``problem``.
    """

    line: int
    kind: str
    email: str
    name: str = ""
    groups: frozenset[int] = frozenset()
    """Those the person is not in yet."""
    reference: str = ""
    """The one the person gets; "" for none, or when it is the one they have."""
    user_id: int | None = None
    first: int | None = None
    problem: str = ""

    @property
    def key(self) -> str:
        """What the address is known by."""
        return email_key(self.email)


def read_rows(entries: Iterable[Entry], groups: dict[str, Group], common: frozenset[int]) -> list[Row]:
    """What each entry would do, in their order. ``groups`` are by their keys; everybody joins the ``common`` ones."""
    return _with_free_references(_without_known(_merged([_row(entry, groups, common) for entry in entries])))


def _row(entry: Entry, groups: dict[str, Group], common: frozenset[int]) -> Row:
    if entry.problem:
        return Row(entry.line, BROKEN, entry.email, problem=entry.problem)
    try:
        email = require_email(entry.email)
        name = require_name(entry.name or email.rpartition("@")[0])
        named = {_group(name, groups).id for name in entry.groups}
        reference = require_reference(entry.reference)
    except BadInput as problem:
        return Row(entry.line, BROKEN, entry.email, problem=problem.sentence)
    return Row(entry.line, NEW, email, name, common | named, reference)


def _group(name: str, groups: dict[str, Group]) -> Group:
    found = groups.get(email_key(name))
    if found is None:
        raise BadInput(f"There is no group called {name}.")
    return found


def _merged(rows: Sequence[Row]) -> list[Row]:
    """Of several rows of one person the first has the groups of all, and the others say which that is."""
    firsts: dict[str, int] = {}
    merged: list[Row] = []
    for row in rows:
        place = firsts.setdefault(row.key, len(merged)) if row.kind == NEW else len(merged)
        if place < len(merged):
            first = merged[place]
            merged[place] = replace(first, groups=first.groups | row.groups, reference=first.reference or row.reference)
            merged.append(replace(row, kind=REPEATED, groups=frozenset(), reference="", first=first.line))
        else:
            merged.append(row)
    return merged


def _without_known(rows: Sequence[Row]) -> list[Row]:
    """Rows of people who have an account say so, with the groups they are not in yet."""
    keys = [row.key for row in rows if row.kind == NEW]
    ids: dict[str, int] = {}
    for some in chunks(keys):
        found = select(User.email_key, User.id).where(User.email_key.in_(some))
        ids.update((key, user_id) for key, user_id in db.session.execute(found))
    joined: dict[int, set[int]] = {}
    for some_ids in chunks(list(ids.values())):
        memberships = select(Membership.user_id, Membership.group_id).where(Membership.user_id.in_(some_ids))
        for user_id, group_id in db.session.execute(memberships):
            joined.setdefault(user_id, set()).add(group_id)

    def told(row: Row) -> Row:
        user_id = ids.get(row.key) if row.kind == NEW else None
        if user_id is None:
            return row
        return replace(row, kind=KNOWN, user_id=user_id, groups=row.groups - joined.get(user_id, set()))

    return [told(row) for row in rows]


def _with_free_references(rows: Sequence[Row]) -> list[Row]:
    """A reference that somebody else has, or an earlier row gets, is not given; who has it already gets nothing new."""
    owners: dict[str, int | str] = dict(find_owners(row.reference for row in rows if row.kind in (NEW, KNOWN)))

    def told(row: Row) -> Row:
        if not row.reference or row.kind not in (NEW, KNOWN):
            return row
        who = row.user_id or row.key
        if row.user_id is not None and owners.get(row.reference) == row.user_id:
            return replace(row, reference="")
        if owners.setdefault(row.reference, who) != who:
            return Row(row.line, BROKEN, row.email, problem=TAKEN.format(row.reference))
        return row

    return [told(row) for row in rows]


def chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """The values in parts that fit into one statement."""
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))
