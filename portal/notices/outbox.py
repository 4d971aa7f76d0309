"""The outbox: what is to be sent is a row, committed together with the change it tells of, or not at all."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from urllib.parse import urlsplit

from sqlalchemy import insert, select

from portal import jobs
from portal.addresses import default_base_url
from portal.extensions import after_commit, db, settings, transaction
from portal.models import Mail, User
from portal.notices.kinds import KINDS
from portal.notices.texts import one_line, write_letter
from portal.settings import last_address
from portal.zones import find_zone

LOOK = "mail"
"""What the worker is asked to take a look at."""
HOST_LENGTH = 60
"""A Message-ID has 100 characters: 32 before the host, and three that hold it together."""
NO_HOST = "portal.invalid"

Written = dict[str, object]
"""The columns of a mail, but for whom it is."""


def add_mail(kind: str, *, user_id: int | None, email: str, **values: object) -> None:
    """Put a mail of this kind into the outbox, inside the transaction of the change it tells of.

    ``values`` are those that ``KINDS`` names for the kind: texts, or moments with a zone. ``email`` is the address of
    an account, or one that waits to become it. Addresses in a mail begin with that of the portal, never with what a
    request says. Raises KeyError for an unknown kind and ValueError for values that do not fit it.
    """
    with transaction() as session:
        head = {"kind": kind, "user_id": user_id, "email": one_line(email)}
        session.execute(insert(Mail), [head | _written(kind, _base_url(), _zone_of(user_id), values)])
        after_commit(wake)


def write_mails(kind: str, letters: Sequence[tuple[str, Mapping[str, object]]]) -> list[Written]:
    """Many mails at once, address and values of each, to people who have chosen no time zone; nothing is stored yet.

    Writing ten thousand takes seconds, in which no transaction should be open.
    """
    base_url, zone = _base_url(), settings().timezone
    return [{"kind": kind, "email": one_line(email)} | _written(kind, base_url, zone, of) for email, of in letters]


def add_written(mails: Sequence[Written], user_ids: Sequence[int]) -> None:
    """Put mails that were written into the outbox, inside the transaction; whom each is for."""
    rows = [mail | {"user_id": user_id} for mail, user_id in zip(mails, user_ids, strict=True)]
    db.session.execute(insert(Mail.__table__), rows)  # type: ignore[arg-type]  # it is a Table
    after_commit(wake)


def wake() -> None:
    """Have the worker look at the outbox soon."""
    jobs.wake(LOOK)


def domain_of(base_url: str) -> str:
    """The host people know the portal by as it stands behind an @: in ASCII, an IP address in brackets (RFC 5321)."""
    host = urlsplit(base_url).hostname or NO_HOST
    if ":" in host:
        return f"[IPv6:{host}]"
    if host.replace(".", "").isdigit():
        return f"[{host}]"
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return NO_HOST


def _base_url() -> str:
    return last_address(settings()) or default_base_url()


def _written(kind: str, base_url: str, zone: tzinfo, values: Mapping[str, object]) -> Written:
    """The columns of one mail that are not about who gets it."""
    if values.keys() != KINDS[kind]:
        raise ValueError(f"a mail of the kind {kind} takes {sorted(KINDS[kind])}, not {sorted(values)}")
    letter = write_letter(kind, zone, {"portal": settings().name, "base_url": base_url, **values})
    return {
        "message_id": _make_message_id(base_url),
        "subject": letter.subject,
        "text": letter.text,
        "html": letter.html,
    }


def _make_message_id(base_url: str) -> str:
    """A Message-ID (RFC 5322, 3.6.4) that nobody can guess, below the host people know the portal by."""
    domain = domain_of(base_url)
    return f"<{secrets.token_hex(16)}@{domain if len(domain) <= HOST_LENGTH else NO_HOST}>"


def _zone_of(user_id: int | None) -> tzinfo:
    """The zone the person reads moments in; that of the portal for whoever chose none that is known here."""
    return find_zone(db.session.scalar(select(User.timezone).where(User.id == user_id))) or settings().timezone
