"""`portal serve`, as a process of its own."""

import os
import re
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sqlalchemy import func, select

from portal.accounts import find_token
from portal.catalog import Edition, find_edition
from portal.cli.serve import options
from portal.downloads import claim_of
from portal.downloads.ledger import begin
from portal.extensions import db
from portal.models import Category, Download, OneTimeToken, Transfer
from portal.settings import Settings, last_address
from portal.tokens import make_token
from tests.cli.conftest import Command
from tests.databases import SQLITE_ONLY
from tests.makers import actor, category, change, document, person, running
from tests.servers import Caller, Server, serving

PATIENCE = 30


def until(is_so: Callable[[], bool]) -> bool:
    """Whether it comes to be so while there is patience."""
    deadline = time.monotonic() + PATIENCE
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_so()


def is_gone(server: Server) -> bool:
    """Whether nothing of the server's process group is left."""
    try:
        os.killpg(server.process.pid, 0)
    except ProcessLookupError:
        return True
    return False


def workers(server: Server) -> set[str]:
    pid = server.process.pid
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def open_files(pid: int | str) -> set[str]:
    return {os.path.realpath(path) for path in Path(f"/proc/{pid}/fd").iterdir()}


def test_a_new_portal_offers_its_setup_once_masks_tokens_and_ends_when_told(
    sqlite_settings: Settings, tmp_path: Path
) -> None:
    with serving(sqlite_settings, is_anew=True) as server:
        found = re.findall(rf"^Setup: http://127\.0\.0\.1:{server.port}/setup/(\S+)$", server.output, re.MULTILINE)
        assert len(found) == 1
        assert server.output.index("Setup: ") < server.output.index("Listening at ")
        caller, secret = Caller(server.port), make_token()
        assert caller.get("/healthz").status == 200
        for path in (f"/s/{secret}", f"/t/{secret}?x=1", f"/login?next=%2Fs%2F{secret}", f"/setup/{found[0]}"):
            assert caller.get(path, **{"User-Agent": f'say "{secret}"'}).status < 500
        assert str(tmp_path / "portal.db") not in open_files(server.process.pid)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        assert is_gone(server)
    assert secret not in server.output
    assert server.output.count(found[0]) == 1, "only where it is offered"
    assert server.output.count(f"/s/{secret[:6]}…") == 1
    assert server.output.count(f"/login?next=%2Fs%2F{secret[:6]}…") == 1
    lines = [line for line in server.output.splitlines() if " GET " in line]
    assert len(lines) == 5
    assert all(re.fullmatch(r'\S+Z 127\.0\.0\.0/24 GET \S+ \d{3} \d+ \d+ms ".*"', line) for line in lines)
    assert not (tmp_path / "portal.db-wal").exists()
    assert last_address(replace(sqlite_settings, base_url="")) == f"http://127.0.0.1:{server.port}"
    with running(sqlite_settings) as app, app.app_context():
        assert find_token(found[0]) is not None


def test_a_portal_in_use_starts_with_its_house_in_order(sqlite_settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "a.csv").write_text("a,b\n")
    with running(sqlite_settings) as app, app.app_context():
        cut_off = document(category("reports"), "a.txt", b"a" * 100)
        edition = find_edition(cut_off.id, None)
        assert isinstance(edition, Edition)
        begin(claim_of(actor(person("Ada")), "tests"), edition, [(0, 100)], [])
        assert db.session.scalars(select(Download.state)).one() == "started"
        change(db.session.scalars(select(Transfer)).one(), worker="")  # else it is said of a process that lives: ours
    extra = {"PORTAL_BASE_URL": "http://portal.example.org", "PORTAL_CLIENT_CSV": str(tmp_path / "tables")}
    with serving(sqlite_settings, extra=extra, is_anew=True) as server:
        assert "Setup:" not in server.output
        assert server.output.count("travel unencrypted by http://portal.example.org.") == 1
        assert server.output.count("Mails are printed here, one-time addresses and all, and not sent") == 1
        assert Caller(server.port).get("/healthz", Host="portal.example.org").status == 200
        before = workers(server)
        server.process.send_signal(signal.SIGHUP)
        assert until(lambda: bool(workers(server)) and not before & workers(server))
        assert Caller(server.port).get("/healthz").status == 200
        server.process.kill()
        server.process.wait()
        assert until(lambda: is_gone(server)), "workers do not outlive the one that started them"
    with running(sqlite_settings) as app, app.app_context():
        assert db.session.scalars(select(Download.state)).one() == "interrupted"
        assert db.session.scalars(select(Category.document_count).where(Category.path == "csv")).one() == 1


@SQLITE_ONLY
def test_a_port_that_is_taken_is_told_in_one_line(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = command("serve", "--port", str(port))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Cannot listen on 127.0.0.1:{port}: the port is taken; choose another with --port.\n"


@SQLITE_ONLY
def test_an_address_of_another_machine_is_told_in_one_line(command: Command) -> None:
    result = command("serve", "--host", "203.0.113.7", "--port", "0")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Cannot listen on 203.0.113.7:0: Cannot assign requested address.\n"


@SQLITE_ONLY
def test_a_refused_start_spends_no_setup_token(command: Command, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = command("serve", "--port", str(other.getsockname()[1]))
    assert "Setup:" not in result.output
    with running(settings) as app, app.app_context():
        assert db.session.scalars(select(func.count()).select_from(OneTimeToken)).one() == 0


def test_the_server_trusts_no_header_and_opens_no_control_socket() -> None:
    chosen = options(3, 1, 600, lambda: None)
    assert chosen["forwarded_allow_ips"] == ""
    assert chosen["secure_scheme_headers"] == {}
    assert chosen["control_socket_disable"] is True
