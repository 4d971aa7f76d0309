"""People: what a sign-in costs, what finding the person of a request costs, and pages about very many of them."""

import statistics
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from unittest.mock import patch

from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from benchmarks import servers
from benchmarks.filler import fill
from benchmarks.house import SECRET, House, database, prepared
from benchmarks.load import Target, closed_loop
from benchmarks.peers import PORTAL
from benchmarks.rounds import Reading, interleaved
from benchmarks.settings import PEOPLE, SECONDS
from benchmarks.table import DURATION, PER_SECOND, Table
from portal.accounts import add_user, count_people, list_people, request_reset, sign_in
from portal.accounts.sessions import start_session
from portal.cli.serve import THREADS
from portal.extensions import close_connections, db
from tests.databases import watched

JOINED = "plain Flask-Login, a joined session"
FEWER = f"the same with {PEOPLE // 100:,} people"
PASSWORD = "four words without meaning"
AT_ONCE = 8
"""How many sign in at the same time, four times as many as may be hashed at once."""
RESETS = 100
REPEATS = 9
"""How often a page is asked for in one round; the median counts."""


def measure(house: House) -> None:
    """Counts, then rates, then pages."""
    table = Table("people", *_counted(house))
    _compare_signed_in(house, table)
    with _populated(house.work / "many", PEOPLE) as many, _populated(house.work / "few", PEOPLE // 100) as few:
        for what, work in _WORK.items():
            readings = interleaved({PORTAL: partial(_timed, many, work), FEWER: partial(_timed, few, work)})
            table.line(f"{what}, {PEOPLE:,} people", DURATION, readings)
    table.end("Lists, counts and pages are asked for in one process, without a server.")


def _counted(house: House) -> list[str]:
    return [_hashing(house.app), _queries(house), _resets(house.app)]


def _hashing(app: Flask) -> str:
    """How often argon2 runs for a sign-in, and how many at once."""
    with app.app_context():
        for number in range(AT_ONCE):
            add_user(None, f"hashed{number}@example.org", f"Hashed {number}", PASSWORD)
    meter = _Meter()
    with (
        patch.object(PasswordHasher, "verify", meter.around(PasswordHasher.verify)),
        patch.object(PasswordHasher, "hash", meter.around(PasswordHasher.hash)),
    ):
        began = perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(partial(_sign_in, app), range(AT_ONCE)))
        seconds = perf_counter() - began
    return (
        f"{AT_ONCE} sign-ins at once: {meter.calls} hashes with argon2, at most {meter.peak} of them at the same time, "
        f"{seconds / AT_ONCE * 1000:.0f} ms for each."
    )


class _Meter:
    """Counts calls, and how many of them run at the same time."""

    def __init__(self) -> None:
        self.calls = self.peak = self._running = 0
        self._lock = threading.Lock()

    def around(self, function: Callable[..., object]) -> Callable[..., object]:
        """The function, counted."""

        def counted(*args: object) -> object:
            with self._lock:
                self.calls += 1
                self._running += 1
                self.peak = max(self.peak, self._running)
            try:
                return function(*args)
            finally:
                with self._lock:
                    self._running -= 1

        return counted


def _sign_in(app: Flask, number: int) -> None:
    with app.app_context():
        sign_in(f"hashed{number}@example.org", PASSWORD, network=f"192.0.2.{number}/32", agent="bench")


def _queries(house: House) -> str:
    """How many statements a request of somebody signed in sends that needs nothing but to know who it is."""
    client = _client(house.app, house.cookies[0].split("=", 1)[1].strip())
    client.get("/login")
    with house.app.app_context():
        engine = db.engine
    close_connections(house.app)  # only those that are opened from now on are watched
    with watched(engine) as statements:
        assert client.get("/login").status_code == 302, "the reader is not signed in"
    return f"Statements of a request of somebody signed in who is only sent on: {len(statements)}."


def _resets(app: Flask) -> str:
    """The times of requests for a new password, of somebody known and of nobody, one after the other in turns."""
    times: dict[str, list[float]] = {"hashed0@example.org": [], "nobody@example.org": []}
    with app.app_context():
        for number in range(RESETS):
            for email, taken in times.items():
                began = perf_counter()
                request_reset(email, f"198.51.100.{number}/32")
                taken.append(perf_counter() - began)
    known, unknown = (statistics.median(taken) * 1000 for taken in times.values())
    return (
        f"A request for a new password takes {known:.2f} ms for an address with an account, {unknown:.2f} ms for one "
        f"without (medians of {RESETS})."
    )


def _compare_signed_in(house: House, table: Table) -> None:
    """The page that says who is signed in, by the portal and by the plain way, both in the portal's worker."""
    token = house.cookies[0].split("=", 1)[1].strip()
    url = house.app.config["SQLALCHEMY_DATABASE_URI"]
    worker = "portal.cli.worker.Worker"
    with ExitStack() as stack:

        def start(application: str, environment: dict[str, str]) -> int:
            server = servers.gunicorn(application, house.files, THREADS, worker, environment)
            return stack.enter_context(server).port

        own = start("benchmarks.named:app", house.environment)
        plain = start("benchmarks.joined:app", {"BENCH_DATABASE_URL": str(url)})
        targets = {
            PORTAL: Target(own, "/name", house.cookies[0], length=len("Reader 0")),
            JOINED: Target(plain, "/name", _entered(plain, token), length=len("Reader 0")),
        }
        for connections in (1, 4):
            readings = interleaved({name: partial(_rate, target, connections) for name, target in targets.items()})
            words = f"who is signed in, by one query; {connections} connection{'s' * (connections > 1)}"
            table.line(words, PER_SECOND, readings)


def _rate(target: Target, connections: int) -> Reading:
    return closed_loop(target, seconds=SECONDS, connections=connections).rate


def _entered(port: int, token: str) -> str:
    """The cookie that the plain way gives."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", f"/enter/{token}")
    cookie = connection.getresponse().headers["Set-Cookie"].partition(";")[0]
    connection.close()
    return f"Cookie: {cookie}\r\n"


@dataclass(frozen=True)
class Populated:
    """A portal with very many people, somebody signed in who may see them all, and where to look."""

    app: Flask
    client: FlaskClient
    group_id: int
    middle: int
    """The id of somebody in the middle of the list."""


@contextmanager
def _populated(work: Path, number: int) -> Iterator[Populated]:
    work.mkdir()
    own = {"PORTAL_CONFIG": str(work / "portal.toml"), "PORTAL_DATA": str(work / "data"), "PORTAL_SECRET_KEY": SECRET}
    with database() as chosen:
        app = prepared(work, own | chosen)
        try:
            with app.app_context():
                root, group_id = fill(number)
                token = start_session(root, network="bench", agent="bench")
                middle = list_people("m", limit=1).people[0].id
            yield Populated(app, _client(app, token), group_id, middle)
        finally:
            close_connections(app)


def _client(app: Flask, token: str) -> FlaskClient:
    client = app.test_client()
    client.set_cookie("portal", token)
    return client


def _timed(where: Populated, work: Callable[[Populated], object]) -> Reading:
    """The median of some times; each begins with nothing read before."""
    taken = []
    for _ in range(REPEATS):
        began = perf_counter()
        work(where)
        taken.append(perf_counter() - began)
    return Reading(statistics.median(taken))


def _page(query: str, where: Populated) -> None:
    answer = where.client.get(query.format(group=where.group_id, middle=where.middle))
    assert answer.status_code == 200, query


def _list(where: Populated) -> None:
    with where.app.app_context():
        list_people(after=where.middle)
        count_people()


_WORK: dict[str, Callable[[Populated], object]] = {
    "list and counts, SQL alone": _list,
    "page of people": partial(_page, "/admin/people"),
    "page from the middle on": partial(_page, "/admin/people?after={middle}"),
    "page of those who wait": partial(_page, "/admin/people?state=waiting"),
    "search that finds many": partial(_page, "/admin/people?q=lund"),
    "search that finds nobody": partial(_page, "/admin/people?q=nobody.at.all"),
    "page of a group with a tenth": partial(_page, "/admin/groups/{group}"),
}
