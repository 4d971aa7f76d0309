"""Where mails go, as operators write it: the address of a mail server, and whom mails come from. Pure."""

from dataclasses import dataclass, field
from email.headerregistry import Address
from email.utils import getaddresses
from urllib.parse import parse_qs, unquote, urlsplit

from portal.errors import SettingsProblem

CONSOLE = "console:"
"""Instead of an address: mails are printed where the worker runs, and go nowhere."""
PORTS = {"smtp": 25, "smtps": 465}
FORMS = 'mail_url must be "console:", smtp://[user:password@]host[:port] or smtps://[user:password@]host[:port]'


@dataclass(frozen=True)
class MailServer:
    """A mail server, and how to speak to it."""

    host: str
    port: int
    is_encrypted: bool
    """TLS from the first byte (``smtps``, RFC 8314); otherwise STARTTLS when the server offers it."""
    requires_starttls: bool
    user: str
    password: str = field(repr=False)

    @property
    def name(self) -> str:
        """Host and port, for sentences."""
        return f"{self.host}:{self.port}"


def mail_server(url: str) -> MailServer | None:
    """The server of a ``mail_url``; None for the console. Raises SettingsProblem, which never says the password."""
    if url == CONSOLE:
        return None
    try:
        parts = urlsplit(url)
        port, options = parts.port, parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError as problem:
        raise SettingsProblem(f"{FORMS}.") from problem
    if parts.scheme not in PORTS or not parts.hostname or port == 0 or parts.path not in ("", "/") or parts.fragment:
        raise SettingsProblem(f"{FORMS}.")
    if options not in ({}, {"starttls": ["required"]}) or (options and parts.scheme == "smtps"):
        raise SettingsProblem("mail_url takes nothing behind the host but ?starttls=required, and that only for smtp.")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(password) or not (user + password).isascii():
        raise SettingsProblem("mail_url needs a user and a password, both ASCII, or neither.")
    return MailServer(
        parts.hostname, port or PORTS[parts.scheme], parts.scheme == "smtps", bool(options), user, password
    )


def sender(text: str) -> Address:
    """Whom mails come from: ``Portal <portal@example.org>`` or the address alone. Raises SettingsProblem."""
    found = getaddresses([text]) if text.isprintable() else []
    name, address = found[0] if len(found) == 1 else ("", "")
    local, _, host = address.rpartition("@")
    try:
        if not (local and host and address.isascii() and " " not in address):
            raise ValueError(address)
        return Address(name, addr_spec=address)
    except (ValueError, IndexError) as problem:
        raise SettingsProblem('mail_from must be an address, such as "Portal <portal@example.org>".') from problem
