"""Sessions: rows, found by one query, ended by deleting them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, bindparam, case, delete, or_, select, update
from sqlalchemy.orm import aliased

from portal import audit
from portal.accounts.history import program_of
from portal.accounts.tickets import end_tickets
from portal.actors import Actor
from portal.extensions import db, find_one, settings, transaction
from portal.models import PendingSignIn, Session, User, db_later, db_now
from portal.prepared import Prepared
from portal.tokens import is_token, make_token, token_hash

PURPOSE = "session"
SEEN_EVERY = timedelta(minutes=5)
NEW_VISIT_AFTER_SECONDS = 30 * 60
SESSIONS_EACH = 20
AGENT_LENGTH = 300
FRESH_FOR = timedelta(minutes=10)
"""How long after proving who they are somebody may do what is dangerous."""

_SEEN = aliased(User)
_FIND_SESSION = Prepared(
    select(Session.id, User.id, User.is_admin, User.name, User.email, Session.seen_at, User.visited_at, db_now())
    .add_columns(Session.fresh_at, User.timezone)
    .add_columns(_SEEN.id, _SEEN.name, _SEEN.email, _SEEN.visited_at, _SEEN.timezone)
    .join(User, User.id == Session.user_id)
    .outerjoin(_SEEN, and_(_SEEN.id == Session.viewing_as_id, _SEEN.disabled_at.is_(None), _SEEN.is_admin.is_(False)))
    .where(or_(Session.viewing_as_id.is_(None), User.is_admin))
    .where(Session.token_hash == bindparam("token_hash"), User.disabled_at.is_(None))
    .where(Session.expires_at > db_now(), Session.seen_at > db_later(bindparam("idle", type_=Integer)))
)


@dataclass(frozen=True)
class SignedIn(Actor):
    """A person in a session: who asks, and what the pages say about them."""

    name: str = ""
    email: str = ""
    seen_at: datetime | None = None
    visited_at: datetime | None = None
    checked_at: datetime | None = None
    fresh_at: datetime | None = None
    """When they last proved who they are in this session."""
    timezone: str | None = None
    scopes: frozenset[str] | None = None
    """What a program may do in their name; None in a session, which may do all that they may."""

    @property
    def is_fresh(self) -> bool:
        """Whether they proved it within the last ten minutes, by the clock of the database."""
        if self.checked_at is None or self.fresh_at is None:
            return False
        return self.checked_at - self.fresh_at < FRESH_FOR

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """What Flask-Login calls a person by."""
        return str(self.user_id)


def find_session(token: str, network: str = "") -> SignedIn | None:
    """The person of a session token, by one query; None when it is unknown, over, or the account is disabled.

    While an administrator looks at the portal as somebody else does, it is that person, with the administrator's id.
    """
    if not is_token(token):
        return None
    idle = -settings().session_idle_hours * 3600
    row = find_one(_FIND_SESSION, token_hash=token_hash(PURPOSE, token), idle=idle)
    if row is None:
        return None
    session_id, user_id, is_admin, name, email, seen_at, visited_at, now, fresh_at, timezone, *seen = row
    found = SignedIn(
        user_id=user_id,
        is_admin=is_admin,
        network=network,
        session_id=session_id,
        name=name,
        email=email,
        seen_at=seen_at,
        visited_at=visited_at,
        checked_at=now,
        fresh_at=fresh_at,
        timezone=timezone,
    )
    return found if seen[0] is None else _viewing(found, seen)


def note_visit(person: SignedIn) -> SignedIn:
    """Write down that the person is here, at most every five minutes; after half an hour away a new visit begins.

    Away is the person, not the browser: a second one ends no visit.

    Gives the person with what that changed, so that the first page of a visit already tells what is new.
    """
    if person.seen_at is None or person.checked_at is None:
        return person
    if person.checked_at - person.seen_at < SEEN_EVERY:
        return person
    with transaction() as session:
        session.execute(update(Session).where(Session.id == person.session_id).values(seen_at=db_now()))
        if person.viewer_id is not None:
            return person  # the one has not been here, and the other looks with different eyes
        noted = update(User).where(User.id == person.user_id).values(_here_now()).returning(User.visited_at)
        return replace(person, visited_at=session.scalars(noted).one())


def start_session(
    user_id: int,
    *,
    network: str,
    agent: str,
    method: str | None = None,
    is_two_factor: bool = False,
    second_factor: str | None = None,
) -> str:
    """A new session for a person who has just proved who they are; the oldest beyond twenty ends.

    ``method`` is what they proved it with, and ``second_factor`` what else, see ``Session``; ``is_two_factor`` says
    that they were two, which they also are where ``method`` is both at once.
    """
    token = make_token()
    with transaction() as session:
        user = session.get_one(User, user_id, with_for_update=True)  # or several at once would count to twenty each
        row = Session(
            token_hash=token_hash(PURPOSE, token),
            user_id=user_id,
            network=network,
            agent=agent[:AGENT_LENGTH],
            method=method,
            second_factor=second_factor,
            second_factor_at=session.scalar(select(db_now())) if is_two_factor else None,
            expires_at=session.scalars(select(db_later(settings().session_days * 86400))).one(),
        )
        session.add(row)
        session.flush()
        kept = select(Session.id).where(Session.user_id == user_id).order_by(Session.id.desc()).limit(SESSIONS_EACH)
        session.execute(delete(Session).where(Session.user_id == user_id, Session.id.not_in(kept)))
        session.execute(delete(Session).where(Session.expires_at <= db_now()))
        session.execute(update(User).where(User.id == user_id).values(_here_now()))
        who = Actor(user_id=user_id, is_admin=user.is_admin, network=network)
        told: dict[str, Any] = {"method": method, "is_two_factor": is_two_factor, "program": program_of(agent)}
        if second_factor is not None:
            told["second_factor"] = second_factor
        audit.record_event("session.started", actor=who, thing=("user", user_id), **told)
    return token


def sign_out(person: SignedIn) -> None:
    """End the session; its token is worth nothing from now on."""
    with transaction() as session:
        whose = person.viewer_id or person.user_id or 0
        if not _held(whose, Session.id == person.session_id):
            return
        if person.viewer_id is not None:
            record_view_ended(person)
        audit.record_event("session.ended", actor=person, thing=("user", whose))
        session.execute(delete(Session).where(Session.id == person.session_id))


def record_view_ended(person: SignedIn) -> None:
    """Write down that nobody looks at the portal as this person does any more, in the transaction that ends it."""
    admin = Actor(user_id=person.viewer_id, is_admin=True, network=person.network)
    audit.record_event("view.ended", actor=admin, thing=("user", person.user_id or 0))


def list_sessions(user_id: int) -> list[Session]:
    """The live sessions of a person, the last used first."""
    statement = select(Session).where(Session.user_id == user_id, *_alive())
    return list(db.session.scalars(statement.order_by(Session.seen_at.desc(), Session.id.desc())))


def end_session(person: SignedIn, session_id: int) -> bool:
    """End one of the person's own sessions; False when it is not theirs or is over."""
    with transaction() as session:
        whose = person.user_id or 0
        if not _held(whose, Session.id == session_id):
            return False
        audit.record_event("session.ended", actor=person, thing=("user", whose))
        session.execute(delete(Session).where(Session.id == session_id))
    return True


def end_other_sessions(person: SignedIn) -> int:
    """End every session of the person but the present one; how many that were."""
    with transaction() as session:
        others = (Session.user_id == person.user_id, Session.id != person.session_id)
        ended = len(session.execute(delete(Session).where(*others).returning(Session.id)).all())
        _end_waiting(person.user_id)
        end_tickets(person.user_id)
        audit.record_event("session.others_ended", actor=person, thing=("user", person.user_id or 0), count=ended)
    return ended


def end_all_sessions(actor: Actor, user_id: int) -> int:
    """End every session of a person, as an administrator; how many that were. Their password stays."""
    with transaction() as session:
        ended = _held(user_id)
        audit.record_event("session.all_ended", actor=actor, thing=("user", user_id), count=len(ended))
        session.execute(delete(Session).where(Session.id.in_(ended)))
        _end_waiting(user_id)
        end_tickets(user_id)
    return len(ended)


def _viewing(admin: SignedIn, seen: Sequence[Any]) -> SignedIn:
    """The person whose portal an administrator looks at."""
    user_id, name, email, visited_at, timezone = seen
    return replace(
        admin,
        is_admin=False,
        viewer_id=admin.user_id,
        user_id=user_id,
        name=name,
        email=email,
        visited_at=visited_at,
        timezone=timezone,
    )


def _held(user_id: int, *which: ColumnElement[bool]) -> Sequence[int]:
    """The sessions of a person that are about to end, whom nobody else ends meanwhile.

    They end after it is written down: the log takes nothing from whoever asks in a session that is over.
    """
    db.session.get(User, user_id, with_for_update=True)
    return db.session.scalars(select(Session.id).where(Session.user_id == user_id, *which)).all()


def _end_waiting(user_id: int | None) -> None:
    """End what is about to become a session once its second factor is given."""
    db.session.execute(delete(PendingSignIn).where(PendingSignIn.user_id == user_id))


def _here_now() -> dict[str, object]:
    """What changes of a person who is here: the last visit ended when they were last seen, if that is long ago."""
    was_away = User.seen_at < db_later(-NEW_VISIT_AFTER_SECONDS)
    return {"seen_at": db_now(), "visited_at": case((was_away, User.seen_at), else_=User.visited_at)}


def _alive() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    idle = db_later(-settings().session_idle_hours * 3600)
    return Session.expires_at > db_now(), Session.seen_at > idle
