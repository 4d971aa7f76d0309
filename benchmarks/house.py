"""A portal with documents and people to measure with, and the same documents as plain files for its peers."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from sqlalchemy import func, select

from benchmarks.settings import DATABASE, GIB, KIB, MIB
from portal import create_app, schema, uploads
from portal.accounts import add_group, add_members, add_user
from portal.accounts.sessions import start_session
from portal.catalog import Principal, add_grant, ensure_category, find_ref
from portal.extensions import close_connections, db, transaction
from portal.models import Download
from portal.settings import load
from tests.databases import PostgresServer

READERS = 1100
"""Enough for a thousand who read slowly and some who do not."""
SIZES = {"small": KIB, "large": GIB, "huge": 2 * GIB}
"""The documents, in bytes. The huge one reaches the portal as an upload, see ``benchmarks.memory``."""
SECRET = "a secret that only the benchmark has, and forgets"


@dataclass
class House:
    """An installation with nobody serving it.

    ``cookies`` are header lines of readers, who may read by their group; ``publisher`` is that of somebody who may
    upload. ``files`` holds the documents for the peers, ``work`` all there is.
    """

    app: Flask
    environment: dict[str, str]
    cookies: Sequence[str]
    publisher: str
    paths: dict[str, str]
    files: Path
    work: Path

    @property
    def blobs(self) -> Path:
        """Where the bytes of the portal lie."""
        storage: Path = self.app.config["PORTAL"].storage
        return storage / "blobs"

    def adopt(self, document: str, path: str) -> None:
        """Know a document of the catalog by a name of ``SIZES``. Raises KeyError when there is none at this path."""
        with self.app.app_context():
            ref = find_ref(path)
        if ref is None:
            raise KeyError(path)
        self.paths[document] = f"/documents/{ref.id}/download"

    def completed(self) -> int:
        """How many downloads the ledger holds as completed."""
        with self.app.app_context():
            return db.session.scalars(select(func.count(Download.id)).where(Download.state == "completed")).one()


@contextmanager
def installed(work: Path) -> Iterator[House]:
    """Such a house below ``work``, made anew."""
    work.chmod(0o755)  # the workers of nginx are somebody else
    files = work / "files"
    files.mkdir()
    for name in ("small", "large"):
        make_file(files / f"{name}.bin", SIZES[name])
    environment = {
        "PORTAL_CONFIG": str(work / "portal.toml"),
        "PORTAL_DATA": str(work / "data"),
        "PORTAL_SECRET_KEY": SECRET,
    }
    with database() as chosen:
        app = prepared(work, environment | chosen)
        with app.app_context():
            cookies, publisher = _people()
            uploads.import_directory(None, files, "bench/deep/er")
        house = House(app, environment | chosen, cookies, publisher, {}, files, work)
        for name in ("small", "large"):
            house.adopt(name, f"bench/deep/er/{name}.bin")
        try:
            yield house
        finally:
            close_connections(app)


def make_file(path: Path, size: int) -> None:
    """A file without holes and without a pattern within its blocks of 1 MiB."""
    block = os.urandom(MIB)
    with path.open("wb") as out:
        for start in range(0, size, MIB):
            out.write(block[: size - start])
        out.flush()
        os.fsync(out.fileno())


@contextmanager
def database() -> Iterator[dict[str, str]]:
    """What to set for the database that was chosen; a server for PostgreSQL, as durable as it comes."""
    if DATABASE != "postgresql":
        yield {}
        return
    server = PostgresServer(is_durable=True)
    try:
        yield {"PORTAL_DATABASE_URL": server.create("portal")}
    finally:
        server.stop()


def prepared(work: Path, environment: dict[str, str]) -> Flask:
    """An empty installation with its data below ``work``."""
    (work / "portal.toml").touch()
    settings = load(environment)
    settings.data.mkdir()
    schema.migrate(settings.database_url)
    return create_app(settings)


def _people() -> tuple[list[str], str]:
    """Readers in one group that may read, and a publisher, all signed in."""
    with transaction():
        shelf, inbox = (ensure_category(None, path) for path in ("bench", "inbox"))
        group = add_group(None, "Readers")
        readers = [add_user(None, f"reader{number}@example.org", f"Reader {number}") for number in range(READERS)]
        for start in range(0, READERS, 500):
            add_members(None, group.id, [reader.email for reader in readers[start : start + 500]])
        publisher = add_user(None, "publisher@example.org", "Publisher")
        add_grant(None, shelf.id, Principal(group_id=group.id), "read")
        add_grant(None, inbox.id, Principal(user_id=publisher.id), "publish")
        add_grant(None, inbox.id, Principal(group_id=group.id), "read")
        cookies = [_signed_in(person.id) for person in (*readers, publisher)]
    return cookies[:-1], cookies[-1]


def _signed_in(user_id: int) -> str:
    return f"Cookie: portal={start_session(user_id, network='bench', agent='bench')}\r\n"
