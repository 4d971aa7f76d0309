"""A limit is never exceeded (P4): many clients, many processes, one download."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import func, select

from portal import shares
from portal.extensions import db
from portal.models import Download, ShareLink, Ticket
from portal.settings import Settings
from portal.shares import Terms
from tests import makers
from tests.servers import Caller, serving

pytestmark = pytest.mark.faults

CLIENTS, WORKERS = 50, 4
CONTENT = b"only once"


def race(callers: list[Caller], forms: list[str], token: str) -> list[int]:
    """Every client presses the button of one link at the same moment; the statuses they get."""
    barrier = Barrier(CLIENTS)

    def press(caller: Caller, form: str) -> int:
        barrier.wait(30)
        return caller.post(f"/s/{token}/download", {"csrf_token": form}).status

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(press, callers, forms))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("rounds", [4, pytest.param(40, marks=pytest.mark.soak)])
def test_one_download_is_granted_once_whatever_the_number_of_clients_and_processes(
    settings: Settings, rounds: int
) -> None:
    with makers.running(settings) as app, app.app_context():
        document = makers.document(makers.category("reports"), "once.txt", CONTENT, "text/plain")
        tokens = [shares.add_link(None, document.id, Terms(max_downloads=1))[1] for _ in range(rounds)]

    with serving(settings, "--workers", str(WORKERS)) as server:
        callers = [Caller(server.port) for _ in range(CLIENTS)]
        forms = [caller.form_token(f"/s/{tokens[0]}") for caller in callers]
        answers = [race(callers, forms, token) for token in tokens]

    assert [statuses.count(303) for statuses in answers] == [1] * rounds
    assert {status for statuses in answers for status in statuses} == {303, 410}
    with makers.running(settings) as app, app.app_context():
        assert db.session.scalars(select(func.sum(ShareLink.used))).one() == rounds
        assert db.session.scalars(select(func.count()).select_from(Ticket)).one() == rounds
        assert db.session.scalars(select(func.count()).select_from(Download)).one() == 0, "nobody fetched yet"
