"""What administrators decide about mails that were not taken: once more, or not at all."""

from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update

from portal import audit
from portal.actors import Actor
from portal.errors import Conflict, MailNotFound
from portal.extensions import after_commit, db, transaction
from portal.models import Mail, db_now
from portal.notices.outbox import wake

RESTORED = "It came back with a backup, so it may have been sent already. Try it again if it is still wanted."
NOT_NOW = "This mail was sent or given up meanwhile, or is being sent just now. Nothing was changed."
_STUCK = or_(Mail.state == "parked", and_(Mail.state == "waiting", Mail.problem != ""))
"""Parked or put off. Of a mail that somebody is sending the last problem is not written down."""
_ANEW = {"state": "waiting", "due_at": db_now(), "tries": 0, "problem": ""}


def retry_mail(actor: Actor | None, mail_id: int) -> None:
    """Have a mail that is parked or put off tried again now, with all its tries. Raises MailNotFound and Conflict."""
    with transaction():
        about = _settle(mail_id, _STUCK, _ANEW)
        audit.record_event("mail.retried", actor=actor, thing=("mail", mail_id), **about)
        after_commit(wake)


def retry_parked(actor: Actor | None) -> int:
    """Have every parked mail tried again now; how many these are. For when the mail server was the reason."""
    with transaction() as session:
        changed = session.execute(update(Mail).where(Mail.state == "parked").values(_ANEW).returning(Mail.id))
        count = len(changed.all())
        if count:
            audit.record_event("mail.all_retried", actor=actor, count=count)
            after_commit(wake)
    return count


def drop_mail(actor: Actor | None, mail_id: int) -> None:
    """Do not send a mail. What it says is gone, for good. Raises MailNotFound and Conflict.

    One that somebody is sending at this moment may still arrive; it counts as sent then.
    """
    unsent = Mail.state.in_(("waiting", "parked"))
    with transaction():
        about = _settle(mail_id, unsent, {"state": "dropped", "text": None, "html": None})
        audit.record_event("mail.dropped", actor=actor, thing=("mail", mail_id), **about)


def park_waiting() -> None:
    """Park what waits in a backup that was just brought back; inside the transaction that does so."""
    waiting = update(Mail).where(Mail.state == "waiting")
    db.session.execute(waiting.values(state="parked", problem=RESTORED))


def _settle(mail_id: int, condition: ColumnElement[bool], values: dict[str, object]) -> dict[str, Any]:
    """Change the mail if it is as the condition says; what the log tells of it. Raises MailNotFound and Conflict."""
    found = db.session.execute(select(Mail.user_id, Mail.kind).where(Mail.id == mail_id)).first()
    if found is None:
        raise MailNotFound
    this = update(Mail).where(Mail.id == mail_id, condition).values(values)
    if db.session.execute(this.returning(Mail.id)).first() is None:
        raise Conflict(NOT_NOW)
    person = audit.person_hash(found.user_id) if found.user_id is not None else None
    return {"kind": found.kind, "person": person}
