"""The worker that sends mails: one beside `portal serve`, or alone; real processes and a real mail server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from portal import accounts
from portal.extensions import db
from portal.models import Mail
from portal.notices import add_mail
from portal.settings import Settings
from tests import makers, servers
from tests.cli.conftest import Command
from tests.databases import SQLITE_ONLY
from tests.postbox import Postbox, free_port, postbox
from tests.servers import Caller, Server, serving

PATIENCE = 30
SOON = 10
"""Seconds in which a worker that was woken has sent: far fewer than until its next sweep."""
HURRIED = "import portal.cli.keeping\nportal.cli.keeping.PAUSE_SECONDS = 0.1\n"
TEXT = "Something was changed."


@pytest.fixture
def box() -> Iterator[Postbox]:
    with postbox() as found:
        yield found


@pytest.fixture
def house(settings: Settings, box: Postbox) -> Settings:
    """An installation with this mail server."""
    return replace(settings, mail_url=box.url)


@pytest.fixture
def sqlite_house(sqlite_settings: Settings, box: Postbox) -> Settings:
    return replace(sqlite_settings, mail_url=box.url)


def put(settings: Settings, email: str = "ada@example.org") -> None:
    with makers.core(settings):
        add_mail("role_changed", user_id=None, email=email, what=TEXT)


def states(settings: Settings) -> list[str]:
    with makers.core(settings):
        return list(db.session.scalars(select(Mail.state).order_by(Mail.id)))


def until(is_so: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_so()


def the_worker(server: Server) -> int:
    assert until(lambda: len(server.mailers) == 1), server.mailers
    (found,) = server.mailers
    return found


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_serve_starts_one_worker_whatever_its_workers_are_and_it_is_woken_by_a_mail(
    house: Settings, box: Postbox
) -> None:
    with serving(house, "--workers", "4", has_worker=True) as server:
        worker = the_worker(server)
        assert until(lambda: len(server.children) == 5)
        put(house)
        box.wait_for(1, SOON)
        put(house, "bob@example.org")
        box.wait_for(2, SOON)
        assert until(lambda: states(house) == ["sent", "sent"])
        assert server.mailers == {worker}

        server.process.terminate()

        assert server.process.wait(PATIENCE) == 0
        assert is_gone(worker)
    assert [arrived.recipients for arrived in box.received] == [["ada@example.org"], ["bob@example.org"]]


def test_a_worker_that_dies_is_started_anew(sqlite_house: Settings, box: Postbox) -> None:
    with serving(sqlite_house, has_worker=True, program=HURRIED) as server:
        first = the_worker(server)
        os.kill(first, signal.SIGKILL)
        assert until(lambda: bool(server.mailers - {first}))
        put(sqlite_house)
        box.wait_for(1)
        assert "The worker that sends mails has ended. It is started again." in server.output
        assert Caller(server.port).get("/healthz").status == 200


def test_a_worker_that_cannot_start_keeps_nobody_from_being_answered(sqlite_house: Settings) -> None:
    broken = f"{HURRIED}\ndef fail(parent): raise RuntimeError('on purpose')\nportal.cli.keeping.run_for = fail"
    with serving(sqlite_house, has_worker=True, program=broken) as server:
        assert until(lambda: server.output.count("It is started again.") >= 2)
        assert Caller(server.port).get("/healthz").status == 200
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0


def test_a_reload_leaves_one_worker_which_has_read_the_settings_anew(sqlite_house: Settings, box: Postbox) -> None:
    with serving(sqlite_house, has_worker=True) as server:
        first = the_worker(server)
        (sqlite_house.data.parent / "portal.toml").write_text('mail_from = "New <new@example.org>"\n')

        server.process.send_signal(signal.SIGHUP)

        assert until(lambda: is_gone(first))
        assert the_worker(server) != first
        put(sqlite_house)
        (arrived,) = box.wait_for(1)
        assert arrived.sender == "new@example.org"
        assert len(server.mailers) == 1


def test_a_worker_does_not_outlive_a_server_that_is_killed(sqlite_house: Settings) -> None:
    with serving(sqlite_house, has_worker=True) as server:
        worker = the_worker(server)
        server.process.kill()
        server.process.wait()
        assert until(lambda: is_gone(worker))


def test_an_interrupt_from_the_terminal_ends_it_too(sqlite_house: Settings) -> None:
    with serving(sqlite_house, has_worker=True) as server:
        worker = the_worker(server)
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(PATIENCE) == 0
        assert is_gone(worker)


def test_a_mail_that_is_being_sent_is_finished_when_the_server_is_told_to_end(
    sqlite_house: Settings, box: Postbox
) -> None:
    box.silent_seconds = 2
    put(sqlite_house)
    put(sqlite_house)
    with serving(sqlite_house, has_worker=True) as server:
        box.wait_to_begin()
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
    assert (len(box.received), states(sqlite_house)) == (1, ["sent", "waiting"])


def test_a_server_without_a_worker_starts_none(sqlite_house: Settings, box: Postbox) -> None:
    put(sqlite_house)
    with serving(sqlite_house) as server:
        assert until(lambda: len(server.children) == 1)
        time.sleep(1)
        assert len(server.children) == 1
        assert box.received == []


@contextmanager
def working(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """`portal worker` as a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "portal.cli", "worker"],
        env=servers.environment(settings) | {"PORTAL_BASE_URL": "https://papers.example.org"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_a_worker_alone_sends_what_waits_and_what_comes_and_ends_when_told(house: Settings, box: Postbox) -> None:
    put(house)
    with working(house) as process:
        box.wait_for(1)
        put(house)
        box.wait_for(2, SOON)
        assert until(lambda: states(house) == ["sent", "sent"])
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_who_forgot_their_password_hears_from_the_worker(sqlite_house: Settings, box: Postbox) -> None:
    with makers.core(sqlite_house):
        makers.person("Ada", password=makers.PASSWORD)
        accounts.request_reset("ada@example.org", makers.NETWORK)
        accounts.request_reset("nobody@example.org", makers.NETWORK)
    with working(sqlite_house):
        (arrived,) = box.wait_for(1)
    assert arrived.recipients == ["ada@example.org"]
    assert arrived.addresses[0].startswith("https://papers.example.org/setup/")


def test_without_a_mail_server_the_whole_mail_is_printed_and_logs_stay_masked(sqlite_settings: Settings) -> None:
    token = "t" * 43
    with makers.core(sqlite_settings):
        add_mail("role_changed", user_id=None, email="ada@example.org", what=f"http://localhost/setup/{token}")
    with serving(sqlite_settings, has_worker=True) as server:
        assert until(lambda: "Subject: What you may do" in server.output)
        assert Caller(server.port).get(f"/setup/{token}").status == 404
        assert until(lambda: "GET /setup/" in server.output)
        lines = [line for line in server.output.splitlines() if token in line]
        assert lines == [f"http://localhost/setup/{token}"], "in the mail, and in no line of the log"


@SQLITE_ONLY
def test_check_says_whether_the_mail_server_answers(command: Command, box: Postbox) -> None:
    good = command("check", PORTAL_MAIL_URL=box.url)
    assert f"mail      127.0.0.1:{box.port} answers" in good.stdout
    port = free_port()
    bad = command("check", PORTAL_MAIL_URL=f"smtp://user:hush-hush@127.0.0.1:{port}")
    assert bad.exit_code == 1
    assert bad.stderr == f"mail      The mail server 127.0.0.1:{port} does not let the portal in: Connection refused.\n"
    assert "mail      printed by the worker: no mail server is set" in command("check").stdout
