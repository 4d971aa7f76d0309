"""The queue wakes, and that is all: whatever it is made of and whatever became of it, nothing depends on it."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask

from portal import jobs
from portal.integrity import postgresql
from portal.settings import Settings
from tests import makers
from tests.databases import POSTGRESQL_ONLY, SQLITE_ONLY

WAITING = 20.0


@contextmanager
def working(
    settings: Settings, looks: dict[str, jobs.Look], context: Callable[[], Flask], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A worker in a thread of its own, which no signal reaches; asked to end at the end."""
    wanted = threading.Event()
    wanted.set()
    monkeypatch.setattr(jobs.Worker, "_set_signal_handlers", lambda self: None)
    app = context()
    thread = threading.Thread(target=jobs.work, args=(settings, looks, app.app_context, wanted.is_set))
    thread.start()
    try:
        yield
    finally:
        wanted.clear()
        thread.join(WAITING)
        assert not thread.is_alive()


class Seen:
    """A look that counts how often it was taken."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def look(self, is_ending: Callable[[], bool]) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def reaches(self, count: int, seconds: float = WAITING) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.count >= count, seconds)


def test_a_worker_looks_at_once_and_whenever_it_is_woken(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen()
    with makers.core(settings) as app, working(settings, {"mail": seen.look}, lambda: app, monkeypatch):
        assert seen.reaches(1), "unasked, at the start"
        jobs.wake("mail")
        assert seen.reaches(2), "long before the next sweep"


def test_who_is_asked_often_looks_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen()
    with makers.core(settings) as app:
        with working(settings, {"mail": seen.look}, lambda: app, monkeypatch):
            assert seen.reaches(1)
        for _ in range(5):
            jobs.wake("mail")
        jobs.wake("other")
        queue = jobs._queue(settings, create_tables=False)
        assert sorted(bytes(item) for item in queue.storage.enqueued_items()) == [b"mail", b"other"]
        queue.storage.close()


def test_a_look_that_fails_keeps_no_other_from_its_turn(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(is_ending: Callable[[], bool]) -> None:
        raise RuntimeError("on purpose")

    seen = Seen()
    monkeypatch.setattr(jobs, "SWEEP_SECONDS", 0.1)
    with makers.core(settings) as app, working(settings, {"a": fail, "b": seen.look}, lambda: app, monkeypatch):
        assert seen.reaches(3)


def test_without_anybody_who_ever_worked_waking_is_silent_and_makes_nothing(
    context: Flask, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    jobs.wake("mail")
    assert caplog.text == ""
    assert not (settings.data / "jobs.db").exists()


@SQLITE_ONLY
def test_a_broken_queue_neither_fails_the_change_nor_stops_the_worker(
    context: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (settings.data / "jobs.db").write_bytes(b"this is no database " * 500)

    jobs.wake("mail")

    assert "The worker was not woken" in caplog.text
    seen = Seen()
    with working(settings, {"mail": seen.look}, lambda: context, monkeypatch):
        assert seen.reaches(1)
        jobs.wake("mail")
        assert seen.reaches(2), "it was made anew"


@SQLITE_ONLY
def test_a_queue_that_is_lost_under_a_worker_is_no_harm(
    context: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Seen()
    monkeypatch.setattr(jobs, "SWEEP_SECONDS", 0.1)
    with working(settings, {"mail": seen.look}, lambda: context, monkeypatch):
        assert seen.reaches(1)
        for file in settings.data.glob("jobs.db*"):
            file.unlink()
        jobs.wake("mail")
        assert seen.reaches(5)


@POSTGRESQL_ONLY
def test_a_backup_holds_nothing_of_the_queue(context: Flask, settings: Settings, tmp_path: Path) -> None:
    jobs._queue(settings, create_tables=True).storage.close()
    postgresql.dump(tmp_path / "dump")
    content = (tmp_path / "dump").read_bytes()
    assert b'COPY "users"' in content
    assert b"jobs_" not in content


def test_a_task_is_a_word_and_nothing_that_could_run() -> None:
    words = jobs.Words()  # type: ignore[no-untyped-call]
    message = words.deserialize(b"mail")
    assert (message.args, words.serialize(message)) == (("mail",), b"mail")
    hostile = b"cos\nsystem\n(S'true'\ntR."
    assert words.deserialize(hostile).args == (hostile.decode(),)


def test_a_worker_ends_on_a_signal(sqlite_settings: Settings) -> None:
    file, data = str(sqlite_settings.data.parent / "portal.toml"), str(sqlite_settings.data)
    program = "\n".join(
        [
            "from contextlib import nullcontext",
            "from portal import jobs, settings",
            f"chosen = settings.load({{'PORTAL_CONFIG': {file!r}}}, data={data!r}, secret_key='x' * 40)",
            "chosen.data.mkdir(exist_ok=True)",
            "look = lambda is_ending: print('looked', flush=True)",
            "jobs.work(chosen, {'mail': look}, nullcontext, lambda: True)",
            "print('ended', flush=True)",
        ]
    )
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "looked\n"
        process.send_signal(number)
        rest, _ = process.communicate(timeout=WAITING)
        assert (process.returncode, rest) == (0, "ended\n")
