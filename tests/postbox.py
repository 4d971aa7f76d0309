"""A real SMTP server of this process, on a free port of loopback, that takes mails or does not."""

import asyncio
import email
import email.policy
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TAKEN = "250 OK"
DROP = "drop"
"""In the place of an answer: the line is closed without one."""
USER, PASSWORD = "portal", "hush/hush"
ADDRESS = re.compile(r"https?://\S+")


@dataclass
class Received:
    """One mail that was taken."""

    message: EmailMessage
    sender: str
    recipients: list[str]
    is_encrypted: bool

    @property
    def text(self) -> str:
        """The plain text of it."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML of it."""
        return self._part("html")

    @property
    def addresses(self) -> list[str]:
        """Every web address in the plain text."""
        return ADDRESS.findall(self.text)

    def _part(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        assert body is not None
        content: str = body.get_content()
        return content


@dataclass
class Postbox:
    """What arrived, and what is answered: each answer is given once, then everything is taken again.

    ``on_data`` runs once a mail is whole and before it is answered, in the thread of the server.
    """

    port: int = 0
    received: list[Received] = field(default_factory=list)
    recipient_answers: list[str] = field(default_factory=list)
    data_answers: list[str] = field(default_factory=list)
    on_data: Callable[[], None] = lambda: None
    silent_seconds: float = 0
    begun: int = 0
    """How many mails somebody began to send."""
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        """Its address as a setting."""
        return f"smtp://127.0.0.1:{self.port}"

    def wait_for(self, count: int, seconds: float = 30) -> list[Received]:
        """What arrived, once it is so many mails."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.received) >= count, seconds), self.received
        return self.received

    def wait_to_begin(self, seconds: float = 30) -> None:
        """Wait until somebody sends a mail."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: self.begun > 0, seconds)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the address or not."""
        with self._arrived:
            self.begun += 1
            self._arrived.notify_all()
        answer = self.recipient_answers.pop(0) if self.recipient_answers else TAKEN
        if answer == TAKEN:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take the mail or not; what is answered by closing the line was taken, and nobody is told."""
        await asyncio.sleep(self.silent_seconds)
        answer = self.data_answers.pop(0) if self.data_answers else TAKEN
        if answer in (TAKEN, DROP):
            self._take(session, envelope)
        self.on_data()
        if answer == DROP:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return answer

    def _take(self, session: Session, envelope: Envelope) -> None:
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, EmailMessage, policy=email.policy.default)
        with self._arrived:
            self.received.append(
                Received(message, envelope.mail_from or "", list(envelope.rcpt_tos), session.ssl is not None)
            )
            self._arrived.notify_all()


@contextmanager
def postbox(**options: Any) -> Iterator[Postbox]:
    """A server; ``options`` are those of aiosmtpd, such as ``enable_SMTPUTF8``."""
    box = Postbox(port=free_port())
    options = {"enable_SMTPUTF8": False, "data_size_limit": 1_000_000} | options
    controller = Controller(box, "127.0.0.1", box.port, **options)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


def signing_in(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
    """Let USER in with PASSWORD: ``authenticator=signing_in``."""
    fits = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=fits, handled=fits)


def certificate(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """TLS for a server on 127.0.0.1 and localhost, and the file of the certificate, which signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail server of the tests")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    own, secret = directory / "mail.pem", directory / "mail.key"
    own.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own, secret)
    return context, own


def free_port() -> int:
    """A port of loopback nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
