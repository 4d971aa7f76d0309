"""Erasing a person: what names them goes, for good; ledger and log stay whole and say “Erased person 12”."""

import re
from collections.abc import Collection

from sqlalchemy import delete, func, or_, select, update

from portal import audit, notices
from portal.accounts.entrances import close_entrances
from portal.accounts.people import get_account, require_another_administrator
from portal.actors import Actor
from portal.errors import Conflict
from portal.extensions import after_commit, db, empty_journal, transaction
from portal.models import (
    ApiToken,
    AuditPerson,
    AuthenticatorApp,
    Category,
    DistributionLine,
    Document,
    Download,
    Follow,
    Grant,
    Identity,
    Mail,
    Membership,
    OneTimeToken,
    Passkey,
    RecoveryCode,
    SavedSearch,
    Seen,
    Submission,
    Ticket,
    Upload,
    User,
    db_now,
)

THEIRS = (
    AuthenticatorApp,
    RecoveryCode,
    Passkey,
    ApiToken,
    Identity,
    Membership,
    OneTimeToken,
    SavedSearch,
    Follow,
    Seen,
)
"""Rows that are about nobody else."""


def erased_name(user_id: int) -> str:
    """What an erased person is called wherever they are named."""
    return f"Erased person {user_id}"


def erase_user(actor: Actor | None, user_id: int) -> str:
    """Erase a person for good; gives the name they have from now on. A last mail tells them.

    Gone are name, address, password, second factors, passkeys, tokens, accounts at a provider, sessions, groups, own
    permissions, time zone, reference, saved searches, what they follow and have seen, mails, and from where and with
    what program they downloaded. What they downloaded and did stays, under that name; links they made count for
    nothing, as those of disabled people do. The address is free.

    Raises Conflict for one's own account and for who is erased already, LastAdministrator when nobody would be left to
    run the portal. Who is asked to erase somebody does it by ``catalog.erase_person``, which ends with this.
    """
    if actor is not None and actor.user_id == user_id:
        raise Conflict("This is your own account. Somebody else has to erase it.")
    with transaction():
        user = get_account(user_id)
        if user.is_admin:
            require_another_administrator(user_id)
        email = user.email
        _take_back_grants(actor, user)
        audit.record_event("user.erased", actor=actor, thing=("user", user_id))
        _remove_rows(user)
        _forget(user)
        notices.add_mail("account_erased", user_id=None, email=email)
        after_commit(empty_journal)
    return erased_name(user_id)


def _take_back_grants(actor: Actor | None, user: User) -> None:
    given = select(Category).join(Grant, Grant.category_id == Category.id).where(Grant.user_id == user.id)
    person = audit.person_hash(user.id)
    for category in db.session.scalars(given).all():
        thing, path = ("category", category.id), audit.told_path(category)
        audit.record_event("grant.removed", actor=actor, thing=thing, label=path, person=person)
    db.session.execute(delete(Grant).where(Grant.user_id == user.id))


def _remove_rows(user: User) -> None:
    close_entrances(user.id)
    for kind in THEIRS:
        db.session.execute(delete(kind).where(kind.user_id == user.id))
    db.session.execute(delete(Mail).where(or_(Mail.user_id == user.id, func.lower(Mail.email) == user.email.lower())))


def _forget(user: User) -> None:
    """Make what has to stay nameless: the row itself, what the log may say of it, and the rows of the ledger."""
    name = erased_name(user.id)
    _forget_spellings(user)
    user.name, user.name_key = name, name.casefold()
    user.reference = ""
    user.email, user.email_key = "", f"erased:{user.id}"  # no address has a colon: nobody can be invited as it
    user.password_hash = user.passkey_handle = user.timezone = None
    user.seen_at = user.visited_at = None
    user.is_admin = False
    user.erased_at = db.session.scalar(select(db_now()))
    user.disabled_at = user.disabled_at or user.erased_at
    whose = AuditPerson.user_id == user.id
    db.session.execute(update(AuditPerson).where(whose).values(name=None, email=None, salt=None))
    db.session.execute(update(Download).where(Download.user_id == user.id).values(network="", agent=""))
    db.session.execute(update(Document).where(Document.responsible_id == user.id).values(responsible_id=None))
    db.session.execute(update(Ticket).where(Ticket.user_id == user.id).values(network=""))


def _forget_spellings(user: User) -> None:
    """Where others wrote their address or reference: distributions, and what somebody sent from outside."""
    spellings = {one.lower() for one in (user.email, user.reference) if one}
    named = func.lower(DistributionLine.recipient).in_(spellings)
    db.session.execute(update(DistributionLine).where(named).values(recipient=""))
    sent = func.lower(Submission.email) == user.email.lower()
    db.session.execute(update(Submission).where(sent).values(email=None, sender=erased_name(user.id), note=""))
    _forget_refusals(user, spellings)


def _forget_refusals(user: User, spellings: Collection[str]) -> None:
    """Why files were left out of distributions: whose account is closed, whom else it could be for, who is unknown.

    A name counts where a sentence or list has it whole: that of Ada is not that of Ada Byron.
    """
    named = or_(*(Upload.reason.icontains(one, autoescape=True) for one in (user.name, *spellings)))
    refused = select(Upload.id, Upload.reason).where(Upload.distribution_id.is_not(None), named)
    reference = f"(?: {re.escape(f'({user.reference})')})?" if user.reference else ""
    whole = rf"(?<=: |, |f ){re.escape(user.name)}{reference}(?=, |\.$| is closed)"
    quoted = f"(?i:(?<=“)(?:{'|'.join(map(re.escape, spellings))})(?=”))"
    for upload_id, reason in db.session.execute(refused).all():
        forgotten = re.sub(f"{whole}|{quoted}", erased_name(user.id), reason)
        db.session.execute(update(Upload).where(Upload.id == upload_id).values(reason=forgotten))
