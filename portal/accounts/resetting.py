"""A forgotten password. The request writes down what was typed and nothing else, whoever it belongs to; the worker sees
whose it is and writes to them. So neither the answer nor the work done for it tells who has an account.
"""

from collections.abc import Callable
from functools import partial

from sqlalchemy import delete, func, insert, select

from portal import jobs
from portal.accounts.letters import send_address
from portal.accounts.people import find_user
from portal.accounts.spelling import require_email
from portal.accounts.throttle import record_try
from portal.accounts.tokens import expiry_of, issue_token
from portal.actors import PORTAL
from portal.extensions import after_commit, db, settings, transaction
from portal.models import OneTimeToken, ResetRequest, User, db_later

RESETS = "resets"
"""What the worker is asked to take a look at."""
QUARTER, HOUR = 15 * 60, 3600
LIFETIME = HOUR
"""Seconds in which an address works that somebody asked for who may be anybody."""
MOST_MAILS = 3
"""In an hour, to one person."""


def request_reset(email: str, network: str) -> None:
    """Write down that somebody wants a new password for this address.

    The same statements and one commit, whether it has an account or not. Raises BadInput for what can be no address,
    and TooManyTries when a network asks too often.
    """
    email = require_email(email)
    with transaction() as session:
        record_try((f"reset-network:{network}", settings().network_tries, QUARTER))
        session.execute(insert(ResetRequest).values(email=email))
        after_commit(partial(jobs.wake, RESETS))


def resolve_resets(is_ending: Callable[[], bool]) -> None:
    """Write to everybody who asked and has an account, one after another, until nobody is left or it is to end."""
    while not is_ending() and db.session.scalar(select(ResetRequest.id).limit(1)) is not None:
        if not _resolve_oldest():
            return


def _resolve_oldest() -> bool:
    """The request goes in the transaction in which the mail comes: whatever dies, it is one of the two.

    False when somebody else is at the last one.
    """
    with transaction() as session:
        oldest = select(ResetRequest.id).order_by(ResetRequest.id).limit(1).with_for_update(skip_locked=True)
        taken = delete(ResetRequest).where(ResetRequest.id == oldest.scalar_subquery()).returning(ResetRequest.email)
        email = session.scalar(taken)
        user = find_user(email) if email is not None else None
        if user is not None and user.disabled_at is None and _count_recent(user) < MOST_MAILS:
            token = issue_token(PORTAL, "reset", user.id, seconds=LIFETIME)
            send_address(user, "reset", token, expiry_of("reset", token))
    return email is not None


def _count_recent(user: User) -> int:
    """How many of these the person was sent within an hour; those that people made for them do not count."""
    asked_for = (OneTimeToken.purpose == "reset", OneTimeToken.created_by_id.is_(None))
    recent = (OneTimeToken.user_id == user.id, OneTimeToken.created_at > db_later(-HOUR))
    return db.session.scalars(select(func.count()).select_from(OneTimeToken).where(*asked_for, *recent)).one()
