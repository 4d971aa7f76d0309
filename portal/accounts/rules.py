"""Of whom a second factor is asked: the rule of the house and those of groups; and help for who lost theirs."""

from typing import Literal, get_args

from sqlalchemy import delete, select

from portal import audit
from portal.accounts.entrances import close_entrances
from portal.accounts.factors import RULE, end_weak_sessions, hold_rules
from portal.accounts.groups import get_group
from portal.accounts.letters import tell
from portal.accounts.people import get_account
from portal.accounts.recovery import forget_recovery_codes
from portal.accounts.sessions import SignedIn
from portal.actors import Actor
from portal.errors import Conflict
from portal.extensions import db, lock_on, transaction
from portal.models import AuthenticatorApp, HouseRule, Passkey, Session, db_now

Of = Literal["nobody", "administrators", "everybody"]
OF: tuple[Of, ...] = get_args(Of)
"""Of whom a second factor may be asked."""
OWN_FIRST = (
    "You gave no second factor in this session yourself, and would be the first to be signed out."
    " Set one up under “How you sign in” in your account, then come back."
)
RESET = "An administrator removed your second factors. Your recovery codes and passkeys open nothing any more."


def second_factor_rule() -> str:
    """Of whom the house asks a second factor, one of ``OF``."""
    return db.session.scalar(select(HouseRule.value).where(HouseRule.name == RULE)) or "nobody"


def change_second_factor_rule(person: SignedIn, of: Of) -> None:
    """Ask a second factor of these people; their sessions in which none was given end.

    Raises Conflict for somebody who has given none in their own session: they would lock themself out.
    """
    with transaction() as session:
        hold_rules()
        if second_factor_rule() == of:
            return
        if of != "nobody":
            _require_own(person)
        session.merge(HouseRule(name=RULE, value=of))
        session.flush()
        audit.record_event("rule.changed", actor=person, of=of)
        end_weak_sessions()


def ask_group(person: SignedIn, group_id: int, *, asks: bool) -> None:
    """Ask a second factor of everybody in a group, or of nobody because of it. Raises like the rule of the house."""
    with transaction() as session:
        hold_rules()
        lock_on(f"members:{group_id}")
        group = get_group(group_id)
        if (group.second_factor_since is not None) == asks:
            return
        if asks:
            _require_own(person)
        group.second_factor_since = session.scalar(select(db_now())) if asks else None
        session.flush()
        action = "group.asks" if asks else "group.asks_not"
        audit.record_event(action, actor=person, thing=("group", group_id), label=group.name)
        end_weak_sessions()


def reset_factors(actor: Actor | None, user_id: int) -> bool:
    """Remove every second factor of a person who lost them, passkeys and recovery codes with them; False for none.

    They are signed out everywhere and told by mail. The password stays; where a second factor is asked of them, the
    next sign-in leads through setting one up. Raises Conflict for one's own.
    """
    if actor is not None and actor.user_id == user_id:
        raise Conflict("These are your own. You find them under “How you sign in” in your account.")
    with transaction() as session:
        user = get_account(user_id)
        kinds = (AuthenticatorApp, Passkey)
        gone = [session.execute(delete(kind).where(kind.user_id == user_id).returning(kind.id)).all() for kind in kinds]
        had_codes = forget_recovery_codes(user_id)
        if not any(gone) and not had_codes:
            return False
        close_entrances(user_id)
        audit.record_event("factor.reset", actor=actor, thing=("user", user_id))
        tell(user, "second_factor_changed", what=RESET)
    return True


def _require_own(person: SignedIn) -> None:
    own = select(Session.second_factor_at).where(Session.id == person.session_id, Session.user_id == person.user_id)
    if db.session.scalar(own) is None:
        raise Conflict(OWN_FIRST)
