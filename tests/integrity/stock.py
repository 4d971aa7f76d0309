"""The stock as tests of integrity see it: where bytes lie, how old things are, what is in every table."""

import hashlib
import os
import signal
import threading
import time
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import ColumnElement, CursorResult, inspect, select, table, text, update

from portal.catalog import Content
from portal.downloads import open_bytes
from portal.extensions import release_connection, storage, transaction
from portal.models import Blob, Document, Version, db_later
from portal.settings import Settings
from tests.databases import connected
from tests.forking import Forks
from tests.makers import edition
from tests.servers import environment

POSTGRESQL_IN_SOAK = pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)], indirect=True
)
"""For kills at every step, which take long."""
DAY = 86400


def ago(days: float) -> ColumnElement[Any]:
    """The database's clock so many days back, as SQL."""
    return db_later(-int(days * DAY))


def version_of(document: Document) -> Version:
    """The current version, as it is stored now."""
    with transaction() as session:
        return session.scalars(select(Version).where(Version.id == document.current_version_id)).one()


def path_of(sha256: str) -> Path:
    """Where the bytes of this key belong."""
    place = storage().place(sha256)
    return place.directory / place.name


def blob_path(document: Document) -> Path:
    """Where the bytes of the current version belong."""
    return path_of(version_of(document).sha256)


def content_of(document: Document) -> bytes:
    """The bytes that would be given out."""
    with open_bytes(edition(document)) as opened:
        return opened.handle.read()


def keep_without_row(content: bytes) -> Path:
    """What an upload leaves that is killed before its commit."""
    with storage().receive() as incoming:
        incoming.write(content)
        received = incoming.finish()
        storage().keep(received)
    return path_of(received.sha256)


def facts_of(content: bytes) -> Content:
    """What the catalog writes down about these bytes."""
    return Content(hashlib.sha256(content).hexdigest(), zlib.crc32(content), len(content), "text/plain")


def age(path: Path, days: float = 2) -> None:
    """Make a file look as if it was written so long ago."""
    moment = time.time() - days * DAY
    os.utime(path, (moment, moment), follow_symlinks=False)


def age_blobs(days: float = 2) -> None:
    """Make every blob, row and file, look as if it was last used so long ago."""
    with transaction() as session:
        session.execute(update(Blob).values(touched_at=ago(days)))
    for path in files_below(storage().root / "blobs"):
        age(path, days)


def files_below(directory: Path) -> list[Path]:
    """Every file below a directory, links among them."""
    return sorted(path for path in directory.rglob("*") if path.is_symlink() or not path.is_dir())


def rows_of(url: str, without: Collection[str] = ()) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, sorted; columns of some names left out."""
    with connected(url) as connection:
        names = inspect(connection).get_table_names()
        return {name: _rows(connection.execute(select(text("*")).select_from(table(name))), without) for name in names}


def _rows(found: CursorResult[Any], without: Collection[str]) -> list[tuple[Any, ...]]:
    wanted = [number for number, name in enumerate(found.keys()) if name not in without]
    return sorted((tuple(row[number] for number in wanted) for row in found), key=repr)


@contextmanager
def beside(app: Flask, work: Any) -> Iterator[threading.Thread]:
    """Run ``work`` in a thread with a context of its own; an exception in it fails the test at the end."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with app.app_context():
                work()
        except BaseException as problem:
            failures.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        release_connection()
        thread.join(60)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


def wait_for_lock(thread: threading.Thread) -> bool:
    """Wait until the thread stands before the storage's lock, or has ended; whether it stands there."""
    inode = f":{(storage().root / 'tmp' / '.lock').stat().st_ino} "
    while thread.is_alive():
        waiting = [line for line in Path("/proc/locks").read_text().splitlines() if " -> " in line and inode in line]
        if waiting:
            return True
        time.sleep(0.01)
    return False


def wait_for_database_lock(thread: threading.Thread, url: str) -> bool:
    """The same for any lock of PostgreSQL."""
    with connected(url) as connection:
        while thread.is_alive():
            if connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                return True
            time.sleep(0.01)
    return False


class Dying(Forks):
    """The process of ``dying.py``."""

    def __init__(self) -> None:
        super().__init__("tests.integrity.dying")

    def work(self, settings: Settings, verb: str, step: int, argument: Path = Path()) -> bool:
        """Whether it was killed at that step of the work; False when the work was done before."""
        code = self.order(verb=verb, step=step, argument=str(argument), environment=environment(settings))
        assert code in (0, -signal.SIGKILL), self.output
        return code != 0
