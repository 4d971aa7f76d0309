"""A portal that hands its documents to a real nginx in front of it, shared by the tests of one file."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal.accounts.sessions import start_session
from portal.downloads import CaughtUp, Follower
from portal.extensions import db
from portal.models import Download, User, Version
from portal.settings import Settings
from tests import makers
from tests.databases import SqliteTemplate
from tests.offload.nginx import Nginx, fronted
from tests.servers import Server, serving

PATIENCE = 30
OFFLOAD = {"PORTAL_OFFLOAD": "nginx", "PORTAL_TRUSTED_PROXIES": "127.0.0.1/32"}


def until(is_so: Callable[[], bool]) -> bool:
    """Whether it comes to be so while there is patience."""
    deadline = time.monotonic() + PATIENCE
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_so()


@dataclass
class Reply:
    """One whole answer; names of headers in lower case, in the order they came, each as often as it came."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str | None:
        """The one header of this name."""
        found = [value for key, value in self.headers if key == name.lower()]
        assert len(found) < 2, f"{name} came {len(found)} times"
        return found[0] if found else None


@dataclass
class Reader:
    """Somebody signed in who may read everything there is."""

    user_id: int
    name: str
    token: str

    @property
    def cookie(self) -> str:
        return f"portal={self.token}"


@dataclass
class House:
    """The portal, nginx in front of it, and the database behind both."""

    app: Flask
    settings: Settings
    server: Server
    nginx: Nginx

    def url(self, document_id: int) -> str:
        """The address of a document through nginx."""
        return f"http://127.0.0.1:{self.nginx.port}/documents/{document_id}/download"

    def reader(self, name: str = "Reader") -> Reader:
        """Somebody new."""
        with self.app.app_context():
            person = makers.person(f"{name} {secrets.token_hex(8)}")
            token = start_session(person.id, network=makers.NETWORK, agent="tests")
            return Reader(person.id, person.name, token)

    def document(self, content: bytes, filename: str = "", content_type: str = "application/octet-stream") -> int:
        """A document everybody signed in may read."""
        with self.app.app_context():
            shelf = makers.category("reports")
            return makers.document(shelf, filename or secrets.token_hex(8), content, content_type).id

    def private(self, content: bytes, reader: Reader) -> int:
        """A document one person may read."""
        with self.app.app_context():
            shelf = makers.category(f"private/{secrets.token_hex(8)}")
            makers.grant(shelf, user=db.session.get_one(User, reader.user_id))
            return makers.document(shelf, secrets.token_hex(8), content, "application/octet-stream").id

    def ask(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        port: int | None = None,
        reader: Reader | None = None,
    ) -> Reply:
        """Send a request, through nginx unless another port is given."""
        sent = dict(headers or {})
        if reader is not None:
            sent["Cookie"] = reader.cookie
        connection = HTTPConnection("127.0.0.1", port or self.nginx.port, timeout=60)
        try:
            connection.request(method, path, headers=sent)
            answer = connection.getresponse()
            named = [(name.lower(), value) for name, value in answer.getheaders()]
            return Reply(answer.status, named, answer.read())
        finally:
            connection.close()

    def fetch(self, document_id: int, reader: Reader, headers: Mapping[str, str] | None = None) -> Reply:
        """Download a document."""
        return self.ask(f"/documents/{document_id}/download", headers, reader=reader)

    def catch_up(self, log: Path | None = None) -> CaughtUp:
        """Read what nginx has written down so far; perhaps another nginx than ours."""
        with self.app.app_context():
            return Follower(log or self.nginx.log).catch_up()

    def has_written(self, lines: int) -> bool:
        """Whether nginx writes down so many transfers and no more; it does a moment after the client has its bytes."""
        return until(lambda: len(self.nginx.lines) >= lines) and len(self.nginx.lines) == lines

    def rows(self, document_id: int | None = None) -> list[Download]:
        """The ledger, or what it has of one document."""
        with self.app.app_context():
            statement = select(Download).order_by(Download.id)
            if document_id is not None:
                statement = statement.where(Download.document_id == document_id)
            return list(db.session.scalars(statement))

    def row(self, document_id: int, reader: Reader) -> Download:
        """The one download of a document by somebody."""
        (found,) = [row for row in self.rows(document_id) if row.user_id == reader.user_id]
        return found

    def change_version(self, document_id: int, **columns: object) -> None:
        """Set columns of the version of a document, past the verbs."""
        with self.app.app_context():
            version = db.session.scalars(select(Version).where(Version.document_id == document_id)).one()
            makers.change(version, **columns)


@contextmanager
def opened(database: str, directory: Path, **extra: str) -> Iterator[House]:
    """A house whose portal has these variables besides."""
    settings = makers.settings_for(database, directory)
    with makers.running(settings) as app:
        with app.app_context():
            makers.grant(makers.category("reports"), everyone=True)
        with (
            serving(settings, extra=OFFLOAD | extra) as server,
            fronted(settings.storage / "blobs", directory / "nginx", server.port) as nginx,
        ):
            yield House(app, settings, server, nginx)


@pytest.fixture(scope="module")
def house(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("offload")
    with opened(sqlite_template.copy(directory / "portal.db"), directory) as house:
        yield house
