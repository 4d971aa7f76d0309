"""Many people at once: what a list would do is shown row by row, and done all together or not at all."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from portal import audit, notices
from portal.accounts.factors import hold_rules
from portal.accounts.groups import get_group, list_all_groups, put_in
from portal.accounts.inviting_rows import KINDS, KNOWN, NEW, Row, chunks, read_rows
from portal.accounts.pasting import read_people
from portal.accounts.references import change_reference
from portal.accounts.spelling import email_key
from portal.accounts.tokens import LIFETIME
from portal.actors import Actor
from portal.addresses import setup_address
from portal.errors import BadInput, Conflict
from portal.extensions import db, release_connection, settings, transaction
from portal.models import OneTimeToken, User, db_later
from portal.settings import last_address
from portal.tokens import make_token, token_hash

PURPOSE = "invitation"
NAMED = 5
"""How many lines a refusal names."""
MEANWHILE = "Somebody changed people or groups just now. Nobody was invited. Look again."
NOBODY = "There is nobody to invite and nobody to put into a group."


@dataclass(frozen=True)
class Plan:
    """What a list would do, in its order."""

    rows: list[Row]
    names: dict[int, str] = field(default_factory=dict)
    """Groups in it to their names."""

    @property
    def counts(self) -> dict[str, int]:
        """How many rows there are of each kind, and of known people those it puts into a group (``joining``) and those
        who get a reference (``referred``).
        """
        counted = Counter(row.kind for row in self.rows)
        known = [row for row in self.rows if row.kind == KNOWN]
        joining, referred = sum(bool(row.groups) for row in known), sum(bool(row.reference) for row in known)
        return {**{kind: counted[kind] for kind in KINDS}, "joining": joining, "referred": referred}

    @property
    def seal(self) -> str:
        """What it would do in short, to be compared with what it would do later: a letter for each row, and a hash."""
        said = [(row.line, row.kind, row.key, row.name, sorted(row.groups), row.reference) for row in self.rows]
        letters = "".join(row.kind[0] for row in self.rows)
        return f"{letters}.{hashlib.sha256(repr(said).encode('utf-8', 'replace')).hexdigest()}"


@dataclass(frozen=True)
class Invited:
    """What was done: everybody new with the token of their invitation, how many others joined a group, and how many of
    them have another reference now.
    """

    people: list[tuple[User, str]]
    joined: int
    referred: int


@dataclass(frozen=True)
class _Letters:
    tokens: list[str]
    until: datetime
    mails: list[dict[str, object]]


def plan_invitations(text: str, group_ids: Iterable[int] = ()) -> Plan:
    """What a list of people would do, everybody put into these groups as well; nothing is done.

    Raises BadInput for a list of nobody or of more than ten thousand, and GroupNotFound.
    """
    common = frozenset(group_ids)
    for group_id in common:
        get_group(group_id)
    groups = {group.name_key: group for group in list_all_groups()}
    rows = read_rows(read_people(text), groups, common)
    used = {group_id for row in rows for group_id in row.groups}
    return Plan(rows, {group.id: group.name for group in groups.values() if group.id in used})


def invite_all(actor: Actor | None, text: str, group_ids: Iterable[int] = (), seal: str | None = None) -> Invited:
    """Do what ``plan_invitations`` says of the same list, all of it in one transaction.

    Everybody new gets an invitation by mail. With the ``seal`` of what was shown nothing is done unless it still would
    be the same. Raises like ``plan_invitations``, BadInput when there is nothing to do, and Conflict.
    """
    group_ids = tuple(group_ids)
    plan = plan_invitations(text, group_ids)
    if seal is not None and plan.seal != seal:
        raise Conflict(_difference(plan, seal))
    new = [row for row in plan.rows if row.kind == NEW]
    known = [row for row in plan.rows if row.kind == KNOWN and (row.groups or row.reference)]
    if not new and not known:
        raise BadInput(NOBODY, field="people")
    release_connection()
    letters = _write(new)
    try:
        with transaction():
            hold_rules()
            if plan_invitations(text, group_ids) != plan:
                raise Conflict(MEANWHILE)
            users = _add_users(actor, new)
            _invite(actor, users, letters)
            placed = [replace(row, user_id=user.id) for row, user in zip(new, users, strict=True)]
            _put_in(actor, [*placed, *known])
            _refer(actor, known)
    except IntegrityError as problem:  # PostgreSQL lets somebody else add one of them meanwhile
        raise Conflict(MEANWHILE) from problem
    joined, referred = plan.counts["joining"], plan.counts["referred"]
    return Invited([(user, letters.tokens[place]) for place, user in enumerate(users)], joined, referred)


def _add_users(actor: Actor | None, rows: Sequence[Row]) -> list[User]:
    if not rows:
        return []
    values = [
        {
            "email": row.email,
            "email_key": row.key,
            "name": row.name,
            "name_key": email_key(row.name),
            "reference": row.reference,
        }
        for row in rows
    ]
    db.session.execute(insert(User.__table__), values)  # type: ignore[arg-type]  # it is a Table
    added: dict[str, User] = {}
    for keys in chunks([row.key for row in rows]):
        added.update(
            (user.email_key, user) for user in db.session.scalars(select(User).where(User.email_key.in_(keys)))
        )
    users = [added[row.key] for row in rows]
    audit.introduce_many([(user.id, user.name, user.email) for user in users])
    _record(actor, "user.added", users, is_admin=False)
    return users


def _write(rows: Sequence[Row]) -> _Letters:
    """The invitations of these people, before there are accounts: in a transaction it would take too long."""
    tokens = [make_token() for _ in rows]
    until = db.session.scalars(select(db_later(LIFETIME[PURPOSE]))).one()
    release_connection()
    base_url = last_address(settings())
    said = [
        (row.email, {"name": row.name, "address": setup_address(base_url, token), "until": until})
        for row, token in zip(rows, tokens, strict=True)
    ]
    return _Letters(tokens, until, notices.write_mails(PURPOSE, said))


def _invite(actor: Actor | None, users: Sequence[User], letters: _Letters) -> None:
    if not users:
        return
    common = {"purpose": PURPOSE, "expires_at": letters.until, "created_by_id": actor.user_id if actor else None}
    rows = [
        common | {"user_id": user.id, "token_hash": token_hash(PURPOSE, token)}
        for user, token in zip(users, letters.tokens, strict=True)
    ]
    db.session.execute(insert(OneTimeToken.__table__), rows)  # type: ignore[arg-type]  # it is a Table
    _record(actor, "token.issued", users, purpose=PURPOSE)
    notices.add_written(letters.mails, [user.id for user in users])


def _record(actor: Actor | None, action: str, users: Sequence[User], **details: Any) -> None:
    things = [("user", user.id, "") for user in users]
    audit.record_events(action, actor=actor, things=things, details=[details] * len(users))


def _put_in(actor: Actor | None, rows: Iterable[Row]) -> None:
    members: dict[int, set[int]] = {}
    for row in rows:
        for group_id in row.groups if row.user_id is not None else ():
            members.setdefault(group_id, set()).add(row.user_id or 0)
    for group_id in sorted(members):
        put_in(actor, get_group(group_id), members[group_id])


def _refer(actor: Actor | None, rows: Iterable[Row]) -> None:
    for row in rows:
        if row.reference and row.user_id is not None:
            change_reference(actor, row.user_id, row.reference)


def _difference(plan: Plan, seal: str) -> str:
    """Which lines would do something else now than when they were shown."""
    letters = seal.partition(".")[0]
    others = [row for row, letter in zip(plan.rows, letters, strict=False) if row.kind[0] != letter]
    if len(letters) != len(plan.rows) or not others:
        return "Groups or people changed since you looked. Nobody was invited. Look again."
    named = ", ".join(f"{row.email} (line {row.line})" for row in others[:NAMED])
    more = f" and {len(others) - NAMED:,} more" if len(others) > NAMED else ""
    return f"Since you looked something changed for {named}{more}. Nobody was invited. Look again."
