"""The log of a proxy, followed: every line taken once, whatever happens to the file, and none made up."""

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid as uuids
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.catalog import Edition
from portal.downloads import CaughtUp, Follower, claim_of, delegate, following, forget
from portal.downloads.delegations import Report, settle
from portal.extensions import db
from portal.models import Delegation, Download, FollowedLog
from portal.ranges import Span
from portal.settings import Settings
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.servers import environment

SIZE = 1000
MONTH = 30 * 86_400

pytestmark = pytest.mark.usefixtures("context")


@pytest.fixture
def edition(context: Flask) -> Edition:
    return makers.edition(makers.document(makers.category(), "large.bin", bytes(SIZE)))


@pytest.fixture
def hand_over(edition: Edition) -> Callable[[], str]:
    """Hand the document over to somebody new; gives the line that says all of it was sent."""
    names = iter(range(1000))

    def one() -> str:
        claim = claim_of(makers.actor(makers.person(f"Reader {next(names)}")), "tests")
        delegated = delegate(claim, edition, Span(0, SIZE))
        assert delegated is not None
        return line(delegated.uuid)

    return one


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "handed-over.log"


def line(uuid: uuids.UUID, sent: int = SIZE, done: str = "OK") -> str:
    return f'{uuid} 200 {sent} "{done}" 2026-11-22T10:00:00+00:00\n'


def write(log: Path, *lines: str) -> None:
    with log.open("a") as out:
        out.write("".join(lines))


def completed() -> int:
    makers.release()
    found = db.session.scalars(select(func.count()).where(Download.state == "completed")).one()
    makers.release()
    return found


def test_what_is_written_is_settled_and_read_once(log: Path, hand_over: Callable[[], str]) -> None:
    follower = Follower(log)
    assert follower.catch_up() == CaughtUp()
    write(log, hand_over(), hand_over())
    assert follower.catch_up() == CaughtUp(settled=2)
    assert follower.catch_up() == CaughtUp()

    write(log, hand_over())
    assert Follower(log).catch_up() == CaughtUp(settled=1)

    assert completed() == 3
    (known,) = db.session.scalars(select(FollowedLog))
    assert known.position == log.stat().st_size


@SQLITE_ONLY
def test_whoever_starts_again_does_not_read_from_the_start(
    log: Path, hand_over: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, hand_over(), hand_over())
    Follower(log).catch_up()
    seen: list[Report] = []

    def see(reports: Sequence[Report]) -> int:
        seen.extend(reports)
        return 0

    monkeypatch.setattr(following, "settle", see)

    write(log, hand_over())
    Follower(log).catch_up()

    assert len(seen) == 1


@SQLITE_ONLY
def test_a_copy_under_another_name_is_known(log: Path, hand_over: Callable[[], str]) -> None:
    write(log, hand_over())
    assert Follower(log).catch_up().settled == 1
    copy = log.with_name("copy")
    shutil.copy(log, copy)
    write(copy, hand_over())

    assert Follower(copy).catch_up() == CaughtUp(settled=1)
    assert db.session.scalars(select(func.sum(Download.bytes_sent))).one() == 2 * SIZE


@SQLITE_ONLY
def test_a_line_still_being_written_waits(log: Path, hand_over: Callable[[], str]) -> None:
    follower, text = Follower(log), hand_over()
    for piece in (text[:50], text[50:-1]):
        write(log, piece)
        assert follower.catch_up() == CaughtUp()
    write(log, text[-1])
    assert follower.catch_up() == CaughtUp(settled=1)

    text = hand_over()
    write(log, text[:-1])
    assert follower.catch_up() == CaughtUp()
    write(log, text[-1])
    assert follower.catch_up() == CaughtUp(settled=1)


@SQLITE_ONLY
def test_a_file_that_is_renamed_is_read_to_its_end(log: Path, hand_over: Callable[[], str]) -> None:
    follower = Follower(log)
    write(log, hand_over())
    follower.catch_up()
    rotated = log.rename(log.with_name("handed-over.log.1"))
    log.touch()

    write(rotated, hand_over())  # nginx goes on writing to the old file until it is told
    assert follower.catch_up() == CaughtUp(settled=1)
    write(log, hand_over())
    write(rotated, hand_over())  # one of its processes is told a moment later than the others
    assert follower.catch_up() == CaughtUp(settled=2)

    assert completed() == 4


@SQLITE_ONLY
@pytest.mark.parametrize("name", ["handed-over.log.1", "handed-over.log-20261122", "handed-over.log-2026-11-22"])
def test_what_was_rotated_while_nobody_looked_is_not_lost(log: Path, hand_over: Callable[[], str], name: str) -> None:
    write(log, hand_over())
    Follower(log).catch_up()
    write(log, hand_over())
    log.rename(log.with_name(name))
    write(log, hand_over())

    assert Follower(log).catch_up() == CaughtUp(settled=2)


@SQLITE_ONLY
def test_a_file_that_is_copied_and_emptied_is_read_on(log: Path, hand_over: Callable[[], str]) -> None:
    follower = Follower(log)
    write(log, hand_over())
    follower.catch_up()
    write(log, hand_over())
    shutil.copy(log, log.with_name("handed-over.log.1"))
    os.truncate(log, 0)
    assert follower.catch_up() == CaughtUp(settled=1)

    write(log, *[hand_over() for _ in range(5)])  # longer than it was
    assert follower.catch_up() == CaughtUp(settled=5)


@SQLITE_ONLY
@pytest.mark.parametrize(
    "name", ["handed-over.log.1.gz", "handed-over.log~", "handed-over.logs", "other.log", "x.log.1"]
)
def test_other_files_are_not_looked_at(log: Path, hand_over: Callable[[], str], name: str) -> None:
    write(log.with_name(name), hand_over())
    (log.parent / "handed-over.log.2").mkdir()

    assert Follower(log).catch_up() == CaughtUp()


@SQLITE_ONLY
@pytest.mark.parametrize(
    "strange",
    [
        "\n",
        "GET / HTTP/1.1\n",
        '127.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5\n',
        f'{"-" * 36} 200 1000 "OK" \n',
        f'{uuids.UUID(int=1)} 200 -5 "OK" \n',
        f'{uuids.UUID(int=1)} 200 {"9" * 30} "OK" \n',
        "x" * 5000 + "\n",
        "\udcff\n",
    ],
)
def test_a_strange_line_is_passed_over_and_told(log: Path, hand_over: Callable[[], str], strange: str) -> None:
    text = hand_over()
    log.write_bytes((text + strange + hand_over()).encode("utf-8", "surrogateescape"))

    caught = Follower(log).catch_up()

    assert caught.settled == 2
    assert caught.strange >= 1
    assert Follower(log).catch_up() == CaughtUp()


@SQLITE_ONLY
def test_what_nginx_refused_is_told(log: Path, hand_over: Callable[[], str]) -> None:
    write(log, hand_over().replace(" 200 ", " 403 "), hand_over().replace(" 200 ", " 503 "))

    assert Follower(log).catch_up().refused == [403, 503]


@SQLITE_ONLY
def test_a_batch_that_fails_is_read_again(
    log: Path, hand_over: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "BATCH", 2)
    write(log, *[hand_over() for _ in range(3)])
    follower, fail = Follower(log), iter([False, True])

    def settle_some(reports: Sequence[Report]) -> int:
        told = settle(reports)
        if next(fail):
            raise OSError("in the middle")
        return told

    with monkeypatch.context() as patch:
        patch.setattr(following, "settle", settle_some)
        with pytest.raises(OSError, match="in the middle"):
            follower.catch_up()
    assert completed() == 2

    assert follower.catch_up() == CaughtUp(settled=1)


@SQLITE_ONLY
def test_gc_forgets_files_nobody_wrote_to_for_a_month(log: Path, hand_over: Callable[[], str]) -> None:
    write(log, hand_over())
    Follower(log).catch_up()
    makers.change(db.session.scalars(select(FollowedLog)).one(), read_at=makers.now(seconds=-60 - MONTH))

    forget()

    assert db.session.scalars(select(FollowedLog)).all() == []


@SQLITE_ONLY
def test_the_command_follows_until_it_is_ended_and_goes_on_where_it_was(
    settings: Settings, log: Path, hand_over: Callable[[], str]
) -> None:
    for _ in range(2):
        write(log, hand_over())
        told = log.with_name("follow.out")
        with told.open("wb") as out:
            command = [sys.executable, "-m", "portal.cli", "ledger", "follow", str(log)]
            env = environment(settings) | {"PORTAL_BASE_URL": "http://localhost"}
            process = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT)
        try:
            await_none_waiting()
            log.rename(log.with_name("handed-over.log.1"))
            write(log, hand_over())
            await_none_waiting()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        assert told.read_text() == f"Following {log}\n"
    assert completed() == 4
    assert db.session.scalars(select(func.sum(Download.bytes_sent))).one() == 4 * SIZE


def await_none_waiting() -> None:
    """Until every transfer has been reported."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        makers.release()
        if db.session.scalars(select(func.count()).select_from(Delegation)).one() == 0:
            return
        time.sleep(0.1)
    raise AssertionError("nobody followed the log")
