"""The life of one download: who, what, when, and which bytes were sent; in words that claim what the ledger knows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from flask import Flask

from portal.extensions import db, transaction
from portal.models import PUBLISH, STATES, Delegation, Document, Download, Version
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk

SIZE = 48_000_000
ENDED = datetime(2026, 11, 20, tzinfo=UTC)
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class World:
    """A document that Pam publishes and Bo reads, a link to it, and one that only administrators know."""

    app: Flask
    desks: dict[str, Desk]
    bo: int
    link: int
    annual: int
    secret: int

    def add(self, document: int, state: str, intervals: list[list[int]], **columns: object) -> int:
        """A row of the ledger, Bo's unless said otherwise; its id."""
        is_by_link = "link_id" in columns
        whose = {"actor_key": "l"} if is_by_link else {"actor_key": f"u:{self.bo}", "user_id": self.bo}
        values = {
            "document_id": document,
            "state": state,
            "intervals": intervals,
            "bytes_sent": sum(stop - start for start, stop in intervals),
            "network": "192.0.2.0/24",
            "agent": AGENT,
        }
        with self.app.app_context(), transaction() as session:
            version_id = session.get_one(Document, document).current_version_id
            row = Download(version_id=version_id, **{**values, **whose, **columns})
            session.add(row)
            session.flush()
            return row.id

    def read(self, download_id: int, who: str = "Pam") -> str:
        """The page as words."""
        page = self.desks[who].read(f"/admin/downloads/{download_id}")
        return " ".join(re.sub(r"<[^>]+>", " ", page.replace("<wbr>", "")).replace("\xa0", " ").split())


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            people = {name: makers.person(name) for name in ("Pam", "Bo", "Lou")}
            people["Ada"] = makers.person("Ada", is_admin=True)
            shelf = makers.category("reports")
            makers.grant(shelf, user=people["Pam"], permission=PUBLISH)
            makers.grant(makers.category("elsewhere"), user=people["Lou"], permission=PUBLISH)
            makers.grant(shelf, user=people["Lou"])
            annual = makers.document(shelf, "annual.pdf")
            secret = makers.document(makers.category("vault"), "secret.pdf", b"s")
            version = makers.edition(annual).version_id
            link, _ = makers.link(annual, label="Ernst & Jung")
            desks = {name: Desk(app, user) for name, user in people.items()}
            makers.change(db.session.get_one(Version, version), size=SIZE)
            made = World(app, desks, people["Bo"].id, link.id, annual.id, secret.id)
        yield made


def test_it_says_who_what_and_how_far_in_words_and_in_bytes(world: World) -> None:
    pieces = [[0, 1_234_567], [5_000_000, 10_000_000], [46_000_000, SIZE]]
    page = world.read(world.add(world.annual, "aborted", pieces, bytes_sent=9_000_000))

    assert "17 % of annual was sent to Bo" in page
    assert "8.2 MB of 48 MB sent" in page
    assert "The first 1.2 MB Bytes 0 to 1,234,566 1.2 MB 2 %" in page
    assert "Bytes 5,000,000 to 9,999,999 5.0 MB 10 %" in page
    assert "The last 2.0 MB Bytes 46,000,000 to 47,999,999 2.0 MB 4 %" in page
    assert "8,234,567 of 48,000,000 bytes 8.2 MB 17 %" in page
    assert "Sent in all 9.0 MB 765 KB of it more than once" in page
    assert "Firefox on Linux" in page
    assert "192.0.2.0/24" in page


def test_the_bar_shows_each_piece_where_it_is(world: World) -> None:
    row = world.add(world.annual, "aborted", [[0, 12_000_000], [36_000_000, 36_000_001]])
    bar = re.search(r'<svg class="strip".*?</svg>', world.desks["Pam"].read(f"/admin/downloads/{row}"), re.DOTALL)

    assert bar is not None
    assert re.findall(r'class="f-accent" x="([\d.]+)" width="([\d.]+)"', bar[0]) == [("0.0", "250.0"), ("750.0", "1")]
    assert "style=" not in bar[0]


def test_what_nginx_was_told_and_has_not_reported_is_not_claimed(world: World) -> None:
    row = world.add(world.annual, "delegated", [[0, 12_000_000]])
    with world.app.app_context(), transaction() as session:
        session.add(Delegation(uuid=uuid4(), download_id=row, start=12_000_000, stop=SIZE))
    page = world.read(row)

    assert "12 MB of 48 MB sent" in page
    assert "Told to nginx, and not reported yet: the last 36 MB." in page
    assert "until then nothing is claimed" in page


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"is_confirmed": True}, "and the network then took the last one too"),
        ({"is_confirmed": False}, "the end is not confirmed"),
    ],
)
def test_complete_says_what_it_does_not_mean(world: World, columns: dict[str, object], words: str) -> None:
    page = world.read(world.add(world.annual, "completed", [[0, SIZE]], closed_at=ENDED, **columns))

    assert "All of annual was sent to Bo" in page
    assert words in page
    assert "begins another one" not in page


@pytest.mark.parametrize("state", [state for state in STATES if state != "completed"])
def test_what_is_open_may_go_on_and_what_is_closed_is_over(world: World, state: str) -> None:
    is_open = world.read(world.add(world.annual, state, [[0, 5]]))
    is_over = world.read(world.add(world.annual, state, [[0, 5]], closed_at=ENDED))

    assert "Whoever goes on within 24 hours" in is_open
    assert "It is over: the next request begins another one." in is_over


def test_many_pieces_fold_away_behind_the_first_twenty(world: World) -> None:
    page = world.read(world.add(world.annual, "aborted", [[at * 1000, at * 1000 + 500] for at in range(50)]))

    assert "The other 30 parts" in page
    assert "Bytes 49,000 to 49,499" in page


def test_a_download_by_a_link_goes_by_its_label_and_the_way_it_came(world: World) -> None:
    page = world.read(world.add(world.annual, "completed", [[0, SIZE]], link_id=world.link))

    assert "All of annual was sent to whoever has the link for Ernst & Jung" in page
    assert "directly by the link, as programs do" in page


def test_what_is_nobody_elses_and_what_is_not_there_are_the_same_bytes(world: World) -> None:
    row, own = world.add(world.secret, "completed", [[0, 1]]), world.add(world.annual, "completed", [[0, 1]])
    unknown = world.desks["Pam"].client.get("/admin/downloads/999999")

    for who, path in (("Pam", row), ("Lou", own), ("Bo", own), ("Pam", "x"), ("Pam", "007")):
        answer = world.desks[who].client.get(f"/admin/downloads/{path}")
        assert (answer.status_code, answer.data) == (404, unknown.data), (who, path)
    assert "secret" in world.read(row, "Ada")


def test_each_row_of_the_ledger_leads_to_its_life(world: World) -> None:
    row = world.add(world.annual, "aborted", [[0, 5]])

    for path in ("/admin/downloads", "/admin/"):
        assert f'href="/admin/downloads/{row}"' in world.desks["Pam"].read(path)
