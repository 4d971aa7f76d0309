"""The queue, which only wakes: what is to be done are rows of whoever has something to do, and those are looked at.

A task is one word, the name of a look. Nothing is lost when the queue is lost: every look is also taken from time to
time, without anybody having asked for it.
"""

import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from huey.api import Huey, PostgresHuey, SqliteHuey
from huey.consumer import Consumer, Scheduler
from huey.registry import Message
from huey.serializer import Serializer

from portal.extensions import settings
from portal.settings import Settings

Look = Callable[[Callable[[], bool]], None]
"""Do what is due now. It is handed a function that says whether the worker is to end, and asks it often."""

NAME = "portal"
POLL_SECONDS = 1.0
"""How long a wake may wait on SQLite, where nobody tells the worker of a new row; PostgreSQL does (NOTIFY)."""
SWEEP_SECONDS = 30
"""How often every look is taken unasked."""
WATCH_SECONDS = 0.5
CONNECT_SECONDS = 5
NO_SUCH_TABLE = "42P01"
"""What PostgreSQL says where no worker has ever run."""

_log = logging.getLogger("portal.jobs")


class Words(Serializer):
    """A task as the word it is. huey would pickle it, and whoever can write into the queue could have code run."""

    def serialize(self, data: Any) -> bytes:
        """The name of the look in a message."""
        name: str = data.args[0]
        return name.encode()

    def deserialize(self, data: Any) -> Any:
        """The message for a name."""
        name = bytes(data).decode()
        found = {"id": name, "name": f"{__name__}.look", "retries": 0, "args": (name,), "kwargs": {}}
        return Message(**found)  # what is missing is None by itself


def wake(name: str) -> None:
    """Ask the worker to take this look soon; once is enough, however often it is said.

    Never fails: without a queue, or without anybody who ever worked, the row waits until the next sweep.
    """
    chosen = settings()
    if not _is_postgresql(chosen) and not (chosen.data / "jobs.db").exists():
        return
    try:
        storage = _queue(chosen, create_tables=False).storage
        try:
            if name.encode() not in {bytes(item) for item in storage.enqueued_items()}:
                storage.enqueue(name.encode())
        finally:
            storage.close()
    except Exception as problem:  # whatever the storage of the queue raises: the change is committed already
        if getattr(problem, "sqlstate", "") == NO_SUCH_TABLE:
            return
        _log.warning("The worker was not woken, and looks by itself within a minute: %s", type(problem).__name__)


def work(
    chosen: Settings,
    looks: Mapping[str, Look],
    context: Callable[[], AbstractContextManager[object]],
    is_wanted: Callable[[], bool],
) -> None:
    """Take looks until SIGTERM, SIGINT or SIGHUP comes, or until nobody wants it any more.

    What was begun is finished first; a second signal ends it at once. ``context`` enters the application.
    """
    queue = _fresh_queue(chosen)

    def look(name: str) -> None:
        with context():
            looks[name](consumer.stop_flag.is_set)

    queue.task()(look)
    consumer: Consumer = Worker(queue, [partial(look, name) for name in looks], is_wanted)
    queue.on_shutdown()(queue.storage.close)  # by the thread that listens, for the connection is its own
    consumer.run()


class Worker(Consumer):
    """huey's consumer: one thread that is woken and one that sweeps, and no task that is periodic.

    A sweep needs no queue, so a broken one delays work and loses none.
    """

    def __init__(self, queue: Huey, looks: Sequence[Callable[[], None]], is_wanted: Callable[[], bool]) -> None:
        self._looks, self._is_wanted = looks, is_wanted
        super().__init__(queue, workers=1, periodic=False, max_delay=POLL_SECONDS, graceful_signal="TERM")  # type: ignore[no-untyped-call]
        self._signal_actions = dict.fromkeys((signal.SIGTERM, signal.SIGINT, signal.SIGHUP), (False, True))
        self._stop_flag_timeout = WATCH_SECONDS

    def start(self) -> None:
        """Begin, with the handlers of signals in place before anything is done that they should wait for."""
        self._set_signal_handlers()  # type: ignore[no-untyped-call]
        super().start()  # type: ignore[no-untyped-call]

    def loop(self, health_check_ts: float | None = None) -> float | None:
        """Wait half a second; end when whoever started this is gone."""
        if not self._is_wanted() and not self.stop_flag.is_set():
            self.stop(graceful=True)  # type: ignore[no-untyped-call]
        found: float | None = super().loop(health_check_ts)  # type: ignore[no-untyped-call]
        return found

    def _create_scheduler(self) -> "Sweeper":
        return Sweeper(self.huey, self.stop_flag, self._looks)


class Sweeper(Scheduler):
    """In the place of huey's scheduler: takes every look at the start and then from time to time."""

    def __init__(self, queue: Huey, stop_flag: Any, looks: Sequence[Callable[[], None]]) -> None:
        super().__init__(queue, stop_flag, interval=1, periodic=False)  # type: ignore[no-untyped-call]
        self._looks = looks

    def loop(self, now: Any = None) -> None:
        """One sweep; whatever a look came to, the others follow, and there is a next time."""
        for look in self._looks:
            try:
                look()
            except Exception:
                _log.exception("A look broke off")
        self.stop_flag.wait(SWEEP_SECONDS)


def _fresh_queue(chosen: Settings) -> Huey:
    """The queue with its tables. A file that is no database any more gives way: it held nothing but wakes."""
    try:
        return _queue(chosen, create_tables=True)
    except Exception:
        if _is_postgresql(chosen):
            raise
        for ending in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(chosen.data / f"jobs.db{ending}")
        return _queue(chosen, create_tables=True)


def _queue(chosen: Settings, *, create_tables: bool) -> Huey:
    common = {"results": False, "serializer": Words(), "create_tables": create_tables}  # type: ignore[no-untyped-call]
    if _is_postgresql(chosen):
        dsn = chosen.database_url.replace("postgresql+psycopg:", "postgresql:", 1)
        options = "-c statement_timeout=10s -c lock_timeout=5s"
        return PostgresHuey(
            NAME, dsn=dsn, table_prefix="jobs", connect_timeout=CONNECT_SECONDS, options=options, **common
        )
    return SqliteHuey(NAME, filename=str(chosen.data / "jobs.db"), cache_mb=0, timeout=CONNECT_SECONDS, **common)


def _is_postgresql(chosen: Settings) -> bool:
    return urlsplit(chosen.database_url).scheme.startswith("postgresql")
