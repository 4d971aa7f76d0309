"""The same with nginx in front, which sends the documents and whose log tells what left: everybody is killed here.

What the portal learns comes from the log alone, whenever ``portal ledger follow`` reads it. Two things are not promised
(docs/promises.md), and are what the tests allow: of an answer whose nginx worker was killed nobody tells, so a row may
wait for it in vain, and lack it; and who asks for a document anew before the log of the first time was read goes on
with the same download, so one row stands for both.
"""

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from portal.downloads import Follower
from portal.ranges import covers, without
from portal.settings import Settings
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.faults.torment import PAUSE, SENT, Account, House, accounts_of, furnish, torment
from tests.offload.conftest import OFFLOAD
from tests.offload.nginx import Nginx, free_port, fronted
from tests.servers import environment

pytestmark = [pytest.mark.faults, SQLITE_ONLY]

NGINX = 0.25
"""How often it is nginx whose workers are killed: seldom, so that most of what it sends is reported."""


@dataclass
class Fronted(House):
    """A portal behind nginx, with somebody who follows its log."""

    nginx: Nginx | None = None
    follower: subprocess.Popen[bytes] | None = None

    sender = "nginx"

    def start(self) -> None:
        """Serve, with nginx and the follower started once and for all."""
        self.serve(**OFFLOAD)
        if self.nginx is None:
            assert self.server is not None
            work, self.port = self.settings.data.parent / "nginx", free_port()
            listen = f"listen 127.0.0.1:{self.port}"
            small = {f"{listen};": f"{listen} sndbuf={SENT};"}
            blobs = self.settings.storage / "blobs"
            self.nginx = self.stack.enter_context(fronted(blobs, work, self.server.port, small, self.port))
            self.stack.callback(self.stop_following)
            self.follow()

    def follow(self) -> None:
        """Start to follow the log."""
        assert self.nginx is not None
        command = [sys.executable, "-m", "portal.cli", "ledger", "follow", str(self.nginx.log)]
        with (self.settings.data.parent / "follow.out").open("ab") as out:
            self.follower = subprocess.Popen(command, env=environment(self.settings), stdout=out, stderr=out)

    def stop_following(self) -> None:
        """Kill the follower, wherever it is."""
        assert self.follower is not None
        self.follower.kill()
        self.follower.wait()

    def kill_workers(self, dice: random.Random) -> None:
        """End the workers of nginx, or those of the portal."""
        assert self.nginx is not None
        if dice.random() < NGINX:
            self.kill_children("nginx", self.nginx.process.pid)
        else:
            super().kill_workers(dice)

    def disturb(self, dice: random.Random) -> None:
        """Start the portal anew, or the follower."""
        if dice.random() < 0.5:
            super().disturb(dice)
        else:
            self.stop_following()
            self.follow()

    def finish(self) -> None:
        """Have nginx end what it sends, and read its log to the end."""
        assert self.nginx is not None
        self.nginx.process.send_signal(signal.SIGQUIT)
        self.nginx.process.wait(30)
        self.stop_following()
        with makers.running(self.settings) as app, app.app_context():
            caught = Follower(self.nginx.log).catch_up()
        assert (caught.strange, caught.refused) == (0, [])


@pytest.fixture
def house(settings: Settings) -> Iterator[Fronted]:
    found = furnish(settings, Fronted)
    with closing(found):
        found.start()
        yield found


def require_truth(house: Fronted) -> None:
    """A completed row for each whole body whose answers nginx could report; in no row more or less than there was."""
    house.finish()
    for journal, accounts in zip(house.journals, accounts_of(house), strict=True):
        whole = {id(answer) for answer in journal.whole}
        for account in accounts:
            require_all_is_claimed(house, account)
            require_anew(account)
            assert without(account.claimed, account.possible) == [], account.story
            assert account.row.is_confirmed == (account.row.state == "completed"), account.story
            if whole & {id(answer) for answer in account.answers}:
                require_completed(house, account)
        assert whole <= {id(answer) for account in accounts for answer in account.answers}


def require_all_is_claimed(house: Fronted, account: Account) -> None:
    """All that came is in the row, or was sent by a worker that was killed; then a report of it is waited for."""
    got = [(answer.start, answer.stop) for answer in account.answers]
    reported = [(answer.start, answer.stop) for answer in account.answers if not house.is_hit(answer)]
    assert without(reported, account.claimed) == [], account.story
    assert without(got, [*account.claimed, *account.waiting]) == [], account.story
    is_somebody_killed = any(house.is_hit(answer, ("nginx", "portal")) for answer in account.answers)
    assert not account.waiting or is_somebody_killed, account.story


def require_completed(house: Fronted, account: Account) -> None:
    """The row of a whole body is completed, unless a report of what it lacks is waited for in vain."""
    if account.row.state != "completed":
        assert any(house.is_hit(answer) for answer in account.answers), account.story
        assert account.row.state in ("started", "aborted", "delegated"), account.story
        assert covers([*account.claimed, *account.waiting], account.size), account.story


def require_anew(account: Account) -> None:
    """Who asks for all of a document after its row was completed has another one."""
    closed = account.row.closed_at
    anew = [answer.asked_at for answer in account.answers if answer.is_begun and not answer.start]
    assert closed is None or not anew or max(anew) < closed.timestamp() + PAUSE, account.story


def test_every_whole_body_nginx_reported_has_its_completed_row_whatever_is_cut_and_killed(house: Fronted) -> None:
    torment(house, 4, seed=7, every=3)

    require_truth(house)


def test_the_rows_of_those_who_cut_their_lines_to_nginx_claim_what_they_got(house: Fronted) -> None:
    torment(house, 4, seed=8)

    assert house.kills == []
    require_truth(house)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_two_thousand_downloads_through_nginx(house: Fronted, seed: int) -> None:
    torment(house, 34, seed=1000 * seed, every=8)

    require_truth(house)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2))
def test_four_hundred_downloads_through_nginx_and_cuts(house: Fronted, seed: int) -> None:
    torment(house, 34, seed=1000 * seed + 500)

    require_truth(house)
