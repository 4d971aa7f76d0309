"""The oracle of every attack: a real server, asked over a raw socket, and all that must be true of each of its answers.

O1 the status is the one expected, the worker that answers is the one that began; O2 nothing of the inside is told;
O3 no row, no file has changed; O5 the answer has its headers; O6 one line in the log, of what can be seen. O4 (time and
memory) is measured by the benchmarks, for a test has no clock; O7 is ``ON_BOTH``, for what reaches the database.
"""

import os
import re
import socket
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from flask import Flask
from sqlalchemy import Connection, select, text

from portal.accounts.sessions import start_session
from portal.extensions import db
from portal.models import Base, Session
from portal.settings import Settings
from tests import makers
from tests.servers import START_SECONDS, TOKEN, Server

ON_BOTH = pytest.mark.parametrize("target", ["sqlite", "postgresql"], indirect=True, scope="session")
"""For tests of what one database takes and the other does not."""
ROOT = Path(__file__).parents[2]
OUTSIDE = b"a secret that lies outside of everything the portal may open\n"
"""What is in ``outside.txt`` beside the data of the portal; attacks try to get it."""
BOUNDARY = b"a-boundary-of-the-attacks"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY.decode()}"
LINE = re.compile(r'\S+Z \S+ \S+ .* (?P<status>\d{3}) \d+ \d+ms ".*"')
"""One line of the access log."""
NOTED = {"seen"}
"""Whoever opens the page of a document that is theirs has opened it: of all pages one that writes down it was shown."""
REFUSED = re.compile(r"\S+Z WARNING refused (?P<status>\d{3}) from \S+ before it was read: .*")
"""The line of what nobody could read."""
BLOB = re.compile(r"/data/blobs/[0-9a-f]{2}(/[0-9a-f]{2}(/[0-9a-f]{64})?)?\Z")
INSIDE = re.compile(
    rb"Traceback|File \"/|site-packages|\bSELECT\b.+\bFROM\b|INSERT INTO|\bUPDATE\b.+\bSET\b|sqlalchemy|sqlite3|psycopg"
    rb"|werkzeug|root:x:0|-----BEGIN",
    re.DOTALL,
)
"""What tells how the portal is made or what is on its machine."""
HEADERS = {
    "X-Content-Type-Options": r"nosniff",
    "Content-Security-Policy": r"(?=.*default-src 'none')(?=.*base-uri 'none')(?=.*frame-ancestors 'none').*",
    "Cross-Origin-Opener-Policy": r"same-origin",
    "Cross-Origin-Resource-Policy": r"same-origin",
    "Permissions-Policy": r"camera=\(\).*",
    "Referrer-Policy": r"same-origin|no-referrer",
    "Cache-Control": r"private, no-(store|cache)",
}
"""What every answer says, by hand from R-HDR of the reference, not read from the product."""

MARKS = {
    "sqlite": "PRAGMA data_version",
    "postgresql": "SELECT pg_snapshot_xmax(pg_current_snapshot())::text",
}
"""What is another value once another connection has written."""

Rows = dict[str, list[str]]
Files = dict[str, tuple[int, ...]]


@dataclass
class Answer:
    """One whole answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """A header that comes once; "" when it is missing."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) < 2, (name, found)
        return found[0] if found else ""

    @property
    def text(self) -> str:
        """The body as words."""
        return self.body.decode()


@dataclass
class Target:
    """A running portal on one database, somebody signed in for each role, and all that an attack must leave alone."""

    app: Flask
    server: Server
    database: Connection
    tokens: dict[str, str]
    things: dict[str, str]
    _forms: dict[str, str] = field(default_factory=dict)
    _is_watched: bool = False
    _mark: object = None
    _rows: Rows = field(default_factory=dict)

    def __post_init__(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.workers() and time.monotonic() < deadline:
            time.sleep(0.05)  # a server says where it listens before its worker is there
        self._workers = self.workers()

    @property
    def settings(self) -> Settings:
        """Those of the installation."""
        found: Settings = self.app.config["PORTAL"]
        return found

    @property
    def directory(self) -> Path:
        """Where the portal, its data and what lies outside of them are."""
        return self.settings.data.parent

    @contextmanager
    def untouched(self, writes: Collection[str] = ()) -> Iterator[None]:
        """Fails when another row is there after the block, but in the tables named, or any other file.

        Only where blobs may be written may there be a new one; no file that was there is ever another.
        """
        if self._is_watched:
            yield
            return
        self._is_watched = True
        try:
            rows, files = self.rows(), self.files()
            yield
            after, found = self.rows(), self.files()
            changed = {name for name in rows if rows[name] != after[name]} - NOTED - set(writes)
            assert not changed, {name: set(after[name]) ^ set(rows[name]) for name in changed}
            new = found.keys() - files.keys() if "blobs" in writes else set()
            assert all(BLOB.search(path) for path in new), new
            assert {path: stat for path, stat in found.items() if path not in new} == files
        finally:
            self._is_watched = False

    def ask(
        self,
        path: str | bytes,
        status: int | Collection[int],
        *,
        who: str = "reader",
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        writes: Collection[str] = (),
        told: str | Sequence[str] = "",
    ) -> Answer:
        """What the server says to these very bytes; ``told`` is part of each message the operator gets besides."""
        target = path.encode() if isinstance(path, str) else path
        own = {"Host": f"127.0.0.1:{self.server.port}", "Connection": "close"}
        if who != "nobody":
            own["Cookie"] = f"portal={self.tokens[who]}"
        if body:
            own["Content-Length"] = str(len(body))
        lines = [f"{name}: {value}".encode() for name, value in (own | dict(headers or {})).items()]
        head = b"\r\n".join([method.encode() + b" " + target + b" HTTP/1.1", *lines, b"", b""])
        with self.untouched(writes):
            return self.say(head + body, status, told=told)

    def post(
        self,
        path: str,
        status: int,
        fields: Mapping[str, str | bytes],
        *,
        who: str,
        writes: Collection[str] = (),
    ) -> Answer:
        """What the server says to a form from its own page."""
        values = {name: value.encode() if isinstance(value, str) else value for name, value in fields.items()}
        body = "&".join(f"{name}={quote_from_bytes(value)}" for name, value in values.items()).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-CSRFToken": self.form(who)}
        return self.ask(path, status, who=who, method="POST", headers=headers, body=body, writes=writes)

    def upload(
        self, path: str, status: int, fields: Mapping[str, str], part: bytes, *, who: str, writes: Collection[str] = ()
    ) -> Answer:
        """What the server says to a form with one document."""
        headers = {"Content-Type": MULTIPART, "X-CSRFToken": self.form(who)}
        body = multipart(fields, part)
        return self.ask(path, status, who=who, method="POST", headers=headers, body=body, writes=writes)

    def say(self, request: bytes, status: int | Collection[int], *, told: str | Sequence[str] = "") -> Answer:
        """Send bytes, read the whole answer, and hold it against the oracle."""
        since = self.server.log.stat().st_size
        answer = self.exchange(request)
        asked, expected = request[:200], {status} if isinstance(status, int) else set(status)
        assert answer.status in expected, (asked, answer.status, answer.body[-600:])
        assert answer.status < 500 or told, asked
        assert self.workers() == self._workers, asked
        require_silence(answer, OUTSIDE, makers.SECRET.encode(), str(self.directory).encode(), str(ROOT).encode())
        require_headers(answer, is_static=b" /static/" in asked)
        with self.server.log.open() as log:
            log.seek(since)
            require_one_line(log.read(), answer.status, told)
        return answer

    def admit(self, who: str, user_id: int) -> None:
        """Let one more person be signed in, by this name; inside a context."""
        self.tokens[who] = session_of(user_id)
        self._forms.pop(who, None)

    def form(self, who: str) -> str:
        """The secret of this person's forms."""
        if who == "nobody":
            return ""
        if who not in self._forms:
            found = TOKEN.search(self.ask("/account", 200, who=who).body)
            assert found is not None
            self._forms[who] = found[1].decode()
        return self._forms[who]

    def rows(self) -> Rows:
        """Every row of every table, read again only when the database says that somebody has written since."""
        mark = self.database.execute(text(MARKS[self.database.dialect.name])).scalar_one()
        if mark != self._mark:
            self._mark = mark
            tables = Base.metadata.sorted_tables
            read = {table.name: select(text("*")).select_from(table) for table in tables}
            self._rows = {name: sorted(map(repr, self.database.execute(rows))) for name, rows in read.items()}
        self.database.rollback()
        return self._rows

    def files(self) -> Files:
        """Every file and directory of the installation and beside it, but the database and the log of the server."""
        found: Files = {}
        for directory, folders, names in os.walk(self.directory):
            for name in folders:
                stat = os.lstat(path := os.path.join(directory, name))
                found[path] = (stat.st_ino, stat.st_mode)
            for name in names:
                if not name.startswith(("portal.db", "serve-")):
                    stat = os.lstat(path := os.path.join(directory, name))
                    found[path] = (stat.st_ino, stat.st_mode, stat.st_size, stat.st_mtime_ns)
        return found

    def workers(self) -> str:
        """The processes that answer."""
        pid = self.server.process.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text()

    def exchange(self, request: bytes) -> Answer:
        """The answer itself, for many who ask at once: whose line in the log is whose nobody could say."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as line:
            line.sendall(request)
            response = HTTPResponse(line, method=request.partition(b" ")[0].decode("latin-1"))
            response.begin()
            answer = Answer(response.status, response.getheaders(), response.read())
            assert line.recv(1) == b""  # everything about the request is over once the server has closed
        return answer


def require_silence(answer: Answer, *secrets: bytes) -> None:
    """Fails when headers or body tell of the inside, or hold one of these."""
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers).encode()
    for told in (head, answer.body):
        found = INSIDE.search(told)
        assert found is None, found
        assert not [secret for secret in secrets if secret in told]


def require_one_line(output: str, status: int, told: str | Sequence[str] = "") -> None:
    """Fails unless the log has one line for the answer, one message for what is to be told each, and no control."""
    expected = [told] if isinstance(told, str) and told else told
    lines = output.removesuffix("\n").split("\n")
    assert all(line.isprintable() for line in lines), lines
    about = {line: LINE.fullmatch(line) or REFUSED.fullmatch(line) for line in lines}
    assert [found["status"] for found in about.values() if found] == [str(status)], lines
    messages = [line for line, found in about.items() if not found]
    assert len(messages) == len(expected) == len(lines) - 1, lines
    assert all(part in line for part, line in zip(expected, messages, strict=True)), lines


def require_headers(answer: Answer, *, is_static: bool) -> None:
    """Fails when one of the headers is missing or says something else; what is static may be kept by anybody."""
    for name, said in HEADERS.items():
        if is_static and name == "Cache-Control":
            continue
        assert re.fullmatch(said, answer.header(name)), (name, answer.header(name))


def session_of(user_id: int) -> str:
    """The token of a session used an hour from now: so no request has to write down that it is used. In a context."""
    token = start_session(user_id, network=makers.NETWORK, agent="tests")
    newest = select(Session).where(Session.user_id == user_id).order_by(Session.id.desc()).limit(1)
    makers.change(db.session.scalars(newest).one(), seen_at=makers.now(hours=1))
    return token


def multipart(fields: Mapping[str, str], part: bytes) -> bytes:
    """A form with one document; ``part`` is its whole part, head and content."""
    values = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
    parts = [*(value.encode() for value in values), part]
    return b"".join(b"--%s\r\n%s\r\n" % (BOUNDARY, one) for one in parts) + b"--%s--\r\n" % BOUNDARY


def part(name: str, filename: bytes, content: bytes) -> bytes:
    """A document in a form as browsers write it: the name in quotes, whatever bytes it has."""
    quoted = filename.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'Content-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s' % (name.encode(), quoted, content)


def extended_part(name: str, filename: str, content: bytes) -> bytes:
    """The same with the name percent-encoded (RFC 8187), which carries also line breaks and NUL."""
    encoded = quote_from_bytes(filename.encode("utf-8", "surrogatepass"), safe="").encode()
    head = f"Content-Disposition: form-data; name=\"{name}\"; filename*=UTF-8''".encode()
    return head + encoded + b"\r\n\r\n" + content
