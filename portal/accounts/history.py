"""The history of sign-ins: who came in how, and who was refused, as the log has it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from portal import audit
from portal.actors import Actor
from portal.extensions import db, transaction
from portal.models import AuditEvent
from portal.programs import device

PAGE = 50
STARTED, REFUSED = "session.started", "session.refused"


@dataclass(frozen=True)
class SignIn:
    """One sign-in, or a try at one that was refused.

    ``method`` is the first factor and ``second_factor`` the second, as in ``Session``; they and ``program`` are ""
    where nobody wrote them down.
    """

    at: datetime
    is_refused: bool
    method: str
    is_two_factor: bool
    second_factor: str
    network: str
    program: str


def list_sign_ins(user_id: int, after: int | None = None, limit: int = PAGE) -> tuple[list[SignIn], int | None]:
    """How a person came in, or somebody tried to as them, the newest first, with the id to go on after."""
    about = (AuditEvent.object_type == "user", AuditEvent.object_id == user_id)
    statement = select(AuditEvent).where(*about, AuditEvent.action.in_((STARTED, REFUSED)))
    if after is not None:
        statement = statement.where(AuditEvent.id < after)
    events = list(db.session.scalars(statement.order_by(AuditEvent.id.desc()).limit(limit + 1)))
    return [_sign_in(event) for event in events[:limit]], events[limit - 1].id if len(events) > limit else None


def has_come_back(user_id: int) -> bool:
    """Whether a person has signed in more than once."""
    about = (AuditEvent.object_type == "user", AuditEvent.object_id == user_id, AuditEvent.action == STARTED)
    return len(db.session.scalars(select(AuditEvent.id).where(*about).limit(2)).all()) > 1


def record_refusal(user_id: int | None, method: str, *, network: str, agent: str) -> None:
    """Write down that a sign-in was refused; without a person nobody knows as whom."""
    with transaction():
        who = Actor(user_id=None, kind="portal", network=network)
        thing = ("user", user_id) if user_id is not None else None
        audit.record_event("session.refused", actor=who, thing=thing, method=method, program=program_of(agent))


def program_of(agent: str) -> str:
    """What the log keeps of a client, for ever: ``Firefox on Linux`` tells no person from another."""
    return device(agent) if agent else ""


def _sign_in(event: AuditEvent) -> SignIn:
    told = event.details
    return SignIn(
        at=event.at,
        is_refused=event.action == REFUSED,
        method=told.get("method") or "",
        is_two_factor=bool(told.get("is_two_factor")),
        second_factor=told.get("second_factor") or "",
        network=event.network,
        program=told.get("program") or "",
    )
