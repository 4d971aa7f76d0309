"""How a mail leaves: by SMTP, or printed where the operator sees it. Nothing here knows the database."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from smtplib import (
    SMTP,
    SMTP_SSL,
    SMTPDataError,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)
from typing import Protocol

from portal.addresses import is_loopback
from portal.mailservers import MailServer

PATIENCE_SECONDS = 60
"""How long the server may take for each answer. There are at most eleven of them before a mail is taken or refused."""
MAILS_EACH = 20
"""So many mails go by one connection; some servers take no more."""
CLOSING = 421
"""What a server says that closes the connection."""
RULE = "-" * 72


class NotTaken(Exception):
    """A mail that was not taken; the text says why, in the words of the server.

    ``is_final``: it never will be. ``is_about_all``: nothing else would be taken now either.
    """

    def __init__(self, why: str, *, is_final: bool = False, is_about_all: bool = False) -> None:
        super().__init__(why)
        self.is_final = is_final
        self.is_about_all = is_about_all


class Carrier(Protocol):
    """Somebody who takes mails along."""

    def carry(self, mail: EmailMessage, to: str) -> None:
        """Hand the mail over for this one address. Raises NotTaken."""

    def close(self) -> None:
        """Let go of whatever is held; never fails."""


class Console:
    """Prints mails instead of sending them, for a portal on somebody's desk."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show

    def carry(self, mail: EmailMessage, to: str) -> None:
        """Print it, with the one-time addresses in it: there is no other way to them."""
        body = mail.get_body(("plain",))
        text = body.get_content().rstrip() if body is not None else ""
        headers = "".join(f"{name}: {mail[name]}\n" for name in ("From", "Subject", "Message-ID"))
        self._show(f"{RULE}\nTo: {to}\n{headers}\n{text}\n{RULE}")

    def close(self) -> None:
        """Nothing is held."""


class Smtp:
    """Hands mails to a server, several by one connection, which is opened when it is needed."""

    def __init__(self, server: MailServer, sender: Address) -> None:
        self._server, self._sender = server, sender
        self._line: SMTP | None = None
        self._carried = 0

    def carry(self, mail: EmailMessage, to: str) -> None:
        """Hand the mail over; a connection on which anything went wrong is not used again."""
        if self._carried >= MAILS_EACH:
            self.close()
        try:
            line = self._open()
            self._carried += 1
            line.send_message(mail, self._sender.addr_spec, [to])
        except BaseException as problem:
            self.close()
            if isinstance(problem, OSError):  # every SMTPException is one
                raise _refusal(problem) from problem
            raise

    def close(self) -> None:
        """End the connection politely, when it still listens."""
        line, self._line, self._carried = self._line, None, 0
        if line is not None:
            with suppress(OSError):
                line.quit()
            line.close()

    def _open(self) -> SMTP:
        if self._line is None:
            self._line = connect(self._server, self._sender.domain)
        return self._line


def connect(server: MailServer, own_name: str) -> SMTP:
    """A connection to the server, encrypted and signed in as its address asks for. Raises NotTaken."""
    try:
        line = _call(server, own_name)
    except OSError as problem:
        raise _unreachable(problem) from problem
    try:
        _introduce(line, server)
    except BaseException as problem:
        line.close()
        if isinstance(problem, OSError):
            raise _unreachable(problem) from problem
        raise
    return line


def _call(server: MailServer, own_name: str) -> SMTP:
    if server.is_encrypted:
        context = ssl.create_default_context()
        return SMTP_SSL(server.host, server.port, own_name, timeout=PATIENCE_SECONDS, context=context)
    return SMTP(server.host, server.port, own_name, timeout=PATIENCE_SECONDS)


def _introduce(line: SMTP, server: MailServer) -> None:
    line.ehlo_or_helo_if_needed()
    if not server.is_encrypted:
        is_needed = server.requires_starttls or (bool(server.user) and not is_loopback(server.host))
        if line.has_extn("starttls"):
            line.starttls(context=_context(is_verified=is_needed))
            line.ehlo_or_helo_if_needed()
        elif is_needed:
            raise SMTPNotSupportedError("The server offers no STARTTLS, and without it nothing is sent.")
    if server.user:
        line.login(server.user, server.password)


def _context(*, is_verified: bool) -> ssl.SSLContext:
    """Encryption that was not asked for takes any certificate: the alternative is none at all."""
    context = ssl.create_default_context()
    if not is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _refusal(problem: OSError) -> NotTaken:
    """What a refusal of one mail means: RFC 5321 calls 4xx a passing one, and 5xx one that stays."""
    if isinstance(problem, SMTPRecipientsRefused):
        return _about_one(*next(iter(problem.recipients.values())))
    if isinstance(problem, SMTPDataError):
        return _about_one(problem.smtp_code, problem.smtp_error)
    if isinstance(problem, SMTPNotSupportedError):
        return NotTaken("The server takes no address with letters beyond ASCII before the @.", is_final=True)
    if isinstance(problem, (SMTPServerDisconnected, ConnectionError)):
        return NotTaken(_what_broke(problem))  # over this mail; the next one gets a connection, or learns there is none
    return _unreachable(problem)


def _about_one(code: int, words: bytes | str) -> NotTaken:
    return NotTaken(_words(code, words), is_final=code >= 500, is_about_all=code == CLOSING)


def _unreachable(problem: OSError) -> NotTaken:
    """What went wrong before there was any talk of one mail, or without a word about it."""
    if isinstance(problem, SMTPResponseException):
        return NotTaken(_words(problem.smtp_code, problem.smtp_error), is_about_all=True)
    return NotTaken(_what_broke(problem), is_about_all=True)


def _what_broke(problem: OSError) -> str:
    return problem.strerror or str(problem) or type(problem).__name__


def _words(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"{code} {text}"
