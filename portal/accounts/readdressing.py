"""A new address that people give themselves: it counts once somebody who reads its mail has said yes."""

from sqlalchemy import delete

from portal import audit
from portal.accounts.letters import send_address, tell
from portal.accounts.people import actor_of, find_user, get_account, store_email
from portal.accounts.sessions import SignedIn
from portal.accounts.spelling import require_email
from portal.accounts.throttle import record_try
from portal.accounts.tickets import end_tickets
from portal.accounts.tokens import expiry_of, issue_token, require_token, spend
from portal.errors import BadInput, Conflict, TokenNotFound
from portal.extensions import settings, transaction
from portal.mailservers import mail_server
from portal.models import Session, User

PURPOSE = "email"
HOUR, MOST_ASKED = 3600, 5
"""How often somebody may have mails sent to addresses that may be anybody's."""
NO_MAIL = "This portal sends no mails. Ask an administrator to change your address."


def sends_mail() -> bool:
    """Whether mails leave the portal; otherwise they are only printed where the worker runs."""
    return mail_server(settings().mail_url) is not None


def request_email_change(person: SignedIn, email: str) -> None:
    """Send the new address a mail with a one-time address that confirms it; nothing is changed before.

    An address that has an account gets a mail that says so, and the person hears of no difference. Raises BadInput for
    one that cannot be or is theirs already, Conflict where no mail leaves the portal, and TooManyTries.
    """
    email = require_email(email)
    if not sends_mail():
        raise Conflict(NO_MAIL)
    with transaction():
        user = get_account(person.user_id or 0)
        if email == user.email:
            raise BadInput("This is your address already.", field="email")
        record_try((f"email-change:{user.id}", MOST_ASKED, HOUR))
        audit.record_event("user.email_asked", actor=person, thing=("user", user.id))
        owner = find_user(email)
        if owner is None or owner.id == user.id:
            token = issue_token(person, PURPOSE, user.id, email=email)
            send_address(user, "email_confirm", token, expiry_of(PURPOSE, token), email=email)
        elif owner.disabled_at is None:
            tell(owner, "email_taken")


def confirm_email(token: str, present: SignedIn | None = None) -> User:
    """Give a person the address their token was made for. Every session but the ``present`` one of theirs ends.

    Every one-time address of the person is used up, and the old address is told. Raises TokenNotFound and TokenGone
    like ``require_token``, and NameTaken when somebody got the address meanwhile.
    """
    found = require_token(token)
    if found.purpose != PURPOSE or found.user_id is None or found.email is None:
        raise TokenNotFound
    with transaction() as session:
        spend(token, PURPOSE)
        user = get_account(found.user_id)
        kept = present.session_id if present is not None and present.user_id == user.id else 0
        store_email(actor_of(user), user, found.email)
        session.execute(delete(Session).where(Session.user_id == user.id, Session.id != kept))
        end_tickets(user.id)
    return user
