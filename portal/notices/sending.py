"""Sending what is in the outbox. Each mail is claimed, sent outside of any transaction, and then written off.

Whoever dies between the claim and the last step leaves a row that becomes due again when its lease is over. From the
moment in which a server has taken a mail to the commit that says so, only the server knows that it was taken: who dies
then has it sent a second time, under the same Message-ID.
"""

import re
from collections.abc import Callable
from contextlib import closing, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from sqlalchemy import Select, and_, case, delete, select, update

from portal.addresses import default_base_url
from portal.extensions import after_commit, db, empty_journal, settings, transaction
from portal.mailservers import MailServer, mail_server, sender
from portal.models import Mail, db_later, db_now
from portal.notices.carriers import Carrier, Console, NotTaken, Smtp, connect
from portal.notices.outbox import domain_of
from portal.notices.texts import one_line
from portal.settings import Settings, last_address
from portal.tokens import mask_all

LEASE_SECONDS = 15 * 60
"""For so long a mail is left to whoever claimed it: more than a server that answers at all can keep one waiting."""
PAUSES = (60, 5 * 60, 15 * 60, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
"""Seconds until the next try, after the first one that failed, after the second, and so on."""
TRIES = len(PAUSES) + 1
KEPT_DAYS = 90
"""What was sent, or is not to be sent, is listed for so long."""
PROBLEM_LENGTH = 500
MORE_THAN_ONE = re.compile(r"""[@\s,;:<>()\[\]\\"]""")
"""What stands in no address but between its halves, and has a meaning in headers (RFC 5322, 3.4)."""
UNFINISHED = f"It was tried {TRIES} times, and whoever sent it ended each time before it was known how that went."


def send_due(show: Callable[[str], None], is_ending: Callable[[], bool]) -> None:
    """Send what is due, one mail after another, until nothing is, or until it is to end.

    ``show`` prints a mail where no server is set. When the server takes nothing from anybody, the others wait for the
    next time.
    """
    _park_unfinished()
    has_sent = False
    with closing(_carrier(settings(), show)) as carrier:
        while not is_ending() and (mail := _claim()) is not None:
            try:
                carrier.carry(compose(mail, sender_of(settings())), _on_the_wire(mail.email))
            except NotTaken as problem:
                _put_off(mail, problem)
                if problem.is_about_all:
                    break
            else:
                _write_off(mail)
                has_sent = True
    if has_sent:
        _forget_old()


def try_server(server: MailServer, chosen: Settings) -> None:
    """Call the mail server as for a mail, and send none. Raises NotTaken."""
    with suppress(OSError):
        connect(server, sender_of(chosen).domain).quit()


def compose(mail: Mail, of: Address) -> EmailMessage:
    """The message as it travels, the same at every try. Raises NotTaken for an address no header can have."""
    message = EmailMessage(policy=SMTP)
    message["From"] = of
    message["To"] = _on_the_wire(mail.email)
    message["Subject"] = mail.subject
    message["Date"] = mail.created_at
    message["Message-ID"] = mail.message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer of a machine is wanted
    message.set_content(mail.text or "", cte="quoted-printable")
    message.add_alternative(mail.html or "", subtype="html", cte="quoted-printable")
    return message


def sender_of(chosen: Settings) -> Address:
    """Whom mails come from: as it was set, or the name of the portal at the host of its address."""
    if chosen.mail_from:
        return sender(chosen.mail_from)
    return Address(one_line(chosen.name), "portal", domain_of(last_address(chosen) or default_base_url()))


def _carrier(chosen: Settings, show: Callable[[str], None]) -> Carrier:
    server = mail_server(chosen.mail_url)
    return Console(show) if server is None else Smtp(server, sender_of(chosen))


def _due() -> Select[int]:
    waiting = and_(Mail.state == "waiting", Mail.due_at <= db_now(), Mail.tries < TRIES)
    return select(Mail.id).where(waiting).order_by(Mail.due_at, Mail.id).limit(1)


def _claim() -> Mail | None:
    """The mail that has been due for longest, for nobody else until the lease is over; None when nothing is due.

    Its row as it is now, whatever becomes of it: ``tries`` tells this claim from a later one.
    """
    if db.session.scalar(_due()) is None:  # without standing in line with those who write
        return None
    with transaction() as session:
        found = session.scalar(_due().with_for_update(skip_locked=True))
        claim = update(Mail).where(Mail.id == found, Mail.state == "waiting", Mail.due_at <= db_now())
        claim = claim.values(tries=Mail.tries + 1, due_at=db_later(LEASE_SECONDS), problem="")
        mail = session.scalars(claim.returning(Mail)).first()
        if mail is not None:
            session.expunge(mail)
    return mail


def _write_off(mail: Mail) -> None:
    """It was taken: that is true whatever else became of the row. What was in it is not kept, nor who was erased."""
    kept = case((Mail.kind == "account_erased", ""), else_=Mail.email)
    values = {"state": "sent", "sent_at": db_now(), "problem": "", "text": None, "html": None, "email": kept}
    with transaction() as session:
        session.execute(update(Mail).where(Mail.id == mail.id).values(values))
        if mail.kind == "account_erased":
            after_commit(empty_journal)


def _put_off(mail: Mail, problem: NotTaken) -> None:
    """It was not taken: try again after a pause, or park it. Somebody else who has it by now knows better."""
    is_over = problem.is_final or mail.tries >= TRIES
    values: dict[str, object] = {"problem": mask_all(one_line(str(problem)))[:PROBLEM_LENGTH]}
    values |= {"state": "parked"} if is_over else {"due_at": db_later(PAUSES[mail.tries - 1])}
    own = (Mail.id == mail.id, Mail.state == "waiting", Mail.tries == mail.tries)
    with transaction() as session:
        session.execute(update(Mail).where(*own).values(values))


def _park_unfinished() -> None:
    """Park what was claimed as often as a mail is tried, and of which nobody said what became of it."""
    lost = and_(Mail.state == "waiting", Mail.due_at <= db_now(), Mail.tries >= TRIES)
    if db.session.scalar(select(Mail.id).where(lost).limit(1)) is None:
        return
    with transaction() as session:
        session.execute(update(Mail).where(lost).values(state="parked", problem=UNFINISHED))


def _forget_old() -> None:
    old = and_(Mail.state.in_(("sent", "dropped")), Mail.due_at < db_later(-KEPT_DAYS * 86400))
    with transaction() as session:
        session.execute(delete(Mail).where(old))


def _on_the_wire(email: str) -> str:
    """The address with its domain as mail servers write it. Raises NotTaken for what could be more than one address."""
    local, _, domain = email.rpartition("@")
    try:
        wired = domain.encode("idna").decode()
    except UnicodeError:
        wired = ""
    is_one = bool(local and wired) and email.isprintable() and not MORE_THAN_ONE.search(local + wired)
    if not is_one:
        raise NotTaken("This is no address a mail can be sent to.", is_final=True)
    return f"{local}@{wired}"
