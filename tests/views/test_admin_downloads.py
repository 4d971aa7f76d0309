"""The ledger as a list: who got what and how far, narrowed by document, person, link and state."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import select

from portal.downloads import count_downloads
from portal.downloads.claims import Claim
from portal.downloads.ledger import advance, begin, confirm
from portal.extensions import db
from portal.models import PUBLISH, Document, Download, User
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk

SIZE = 1000


@dataclass
class World:
    """Two documents that Pam publishes, one of which Bo has, one he got 41 % of; a link; one document elsewhere."""

    app: Flask
    admin: Desk
    publisher: Desk
    ids: dict[str, int]


def fetch(document: Document, share: float, *, by: User | None = None, link_id: int | None = None) -> None:
    """A download that got so far."""
    edition = makers.edition(document)
    key = f"u:{by.id}" if by else f"l:{link_id}:x:y"
    claim = Claim(key=key, user_id=by.id if by else None, link_id=link_id, network="192.0.2.0/24")
    stop = int(SIZE * share)
    entry = begin(claim, edition, [(0, SIZE)], [])
    advance(entry, SIZE, [(0, stop)], stop, "aborted")
    confirm(entry)


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            ada, pam, bo = makers.person("Ada", is_admin=True), makers.person("Pam"), makers.person("Bo")
            shelf = makers.category("reports")
            makers.grant(shelf, user=pam, permission=PUBLISH)
            annual = makers.document(shelf, "annual.pdf", b"a" * SIZE)
            minutes = makers.document(shelf, "minutes.pdf", b"m" * SIZE)
            secret = makers.document(makers.category("vault"), "secret.pdf", b"s" * SIZE)
            link, _ = makers.link(annual, label="Ernst & Jung")
            fetch(annual, 1, by=bo)
            fetch(minutes, 0.419, by=bo)
            fetch(annual, 1, link_id=link.id)
            fetch(secret, 1, by=bo)
            ids = {"annual": annual.id, "minutes": minutes.id, "secret": secret.id, "bo": bo.id, "link": link.id}
            made = World(app, Desk(app, ada), Desk(app, pam), ids)
        yield made


def rows(page: str) -> list[str]:
    """Each row of the list as words."""
    body = re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    found = re.findall(r"<tr>(.*?)</tr>", body[0], re.DOTALL) if body else []
    spoken = re.compile(r'<span class="visually-hidden">, download by .*?</span>')
    seen = [spoken.sub("", row.replace("<wbr>", "")) for row in found]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in seen]


def test_a_row_says_what_who_and_how_far(world: World) -> None:
    found = rows(world.publisher.read("/admin/downloads"))

    assert [row.split(" Today")[0] for row in found] == [
        "annual Version 1, 1 KB Ernst & Jung 192.0.2.0/24 Downloaded",
        "minutes Version 1, 1 KB Bo 192.0.2.0/24 Stopped at 41 %",
        "annual Version 1, 1 KB Bo 192.0.2.0/24 Downloaded",
    ]


def test_what_others_publish_is_for_administrators(world: World) -> None:
    assert "secret" not in world.publisher.read(f"/admin/downloads?document={world.ids['secret']}")
    assert "secret" in world.admin.read(f"/admin/downloads?document={world.ids['secret']}")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("document={annual}", 2),
        ("person={bo}", 2),
        ("link={link}", 1),
        ("email=BO@example.org", 2),
        ("email=bo", 2),
        ("email=O@EXAMPLE", 2),
        ("email=nobody@example.org", 0),
        ("email=%25", 0),
        ("email=_o", 0),
        ("email=+", 3),
        ("state=aborted", 1),
        ("state=nonsense", 3),
        ("document={annual}&person={bo}", 1),
        ("document={annual}&state=aborted", 0),
        ("document=999", 0),
        ("document=99999999999999999999999", 3),
        ("after=1", 0),
        ("after=x", 3),
    ],
)
def test_the_list_is_narrowed_and_nonsense_narrows_nothing(world: World, query: str, count: int) -> None:
    page = world.publisher.read("/admin/downloads?" + query.format(**world.ids))

    assert len(rows(page)) == count


def test_of_several_people_who_are_called_alike_one_is_chosen(world: World) -> None:
    with world.app.app_context():
        shelf = makers.category("reports")
        document = db.session.get_one(Document, world.ids["annual"])
        limbo = makers.person("Limbo Bones")
        fetch(document, 1, by=limbo)
        fetch(makers.document(shelf, "other.pdf", b"o" * SIZE), 1, by=limbo)
    page = world.publisher.read("/admin/downloads?email=BO&state=completed")

    assert "Two people are called like that" in page
    assert rows(page) == []
    offered = re.findall(r'<a class="button quiet" href="([^"]+)"', page)
    assert [len(rows(world.publisher.read(href))) for href in offered] == [1, 2]
    assert len(rows(world.publisher.read("/admin/downloads?email=bo@example.org"))) == 2


def test_a_publisher_is_offered_only_people_whose_downloads_they_see(world: World) -> None:
    with world.app.app_context():
        secret = db.session.get_one(Document, world.ids["secret"])
        for name in ("Bob Else", "Bojan Else"):
            fetch(secret, 1, by=makers.person(name))
        makers.person("Boaz Never")

    assert "people are called like that" not in world.publisher.read("/admin/downloads?email=bo")
    page = world.admin.read("/admin/downloads?email=bo")
    assert "Three people are called like that" in page
    assert "Boaz" not in page


def test_of_very_many_who_are_called_alike_the_first_are_offered(world: World) -> None:
    with world.app.app_context():
        annual = db.session.get_one(Document, world.ids["annual"])
        for number in range(14):
            fetch(annual, 1, by=makers.person(f"Zed n{number:02}"))
    page = world.admin.read("/admin/downloads?email=zed")

    assert "More than twelve people are called like that" in page
    assert len(re.findall(r"Zed (?:<wbr>)?n\d\d</span>", page)) >= 12
    assert "Type more of a name or address." in page


def test_what_the_list_is_narrowed_to_is_named_only_to_whom_may_know_it(world: World) -> None:
    annual, secret = world.ids["annual"], world.ids["secret"]
    named = re.sub(r"<[^>]+>", "", world.publisher.read(f"/admin/downloads?document={annual}"))
    hidden = world.publisher.read(f"/admin/downloads?document={secret}")
    nothing = world.publisher.read("/admin/downloads?document=999")

    none = re.sub(r"<[^>]+>", "", world.publisher.read(f"/admin/downloads?document={annual}&state=started"))

    assert "Only of annual" in named
    assert "Only of annual" in none
    assert hidden.replace(f"document={secret}", "document=999").replace(f'value="{secret}"', 'value="999"') == nothing


def test_the_tally_keeps_what_the_list_is_narrowed_to(world: World) -> None:
    page = world.publisher.read(f"/admin/downloads?person={world.ids['bo']}")
    tally = re.findall(r'<a href="([^"]+)"[^>]*><b>([\d,+]+)</b>([^<]+)</a>', page)

    assert [(count, words) for _, count, words in tally] == [("2", "all"), ("1", "completed"), ("1", "stopped")]
    for href, count, _ in tally:
        assert len(rows(world.publisher.read(href))) == int(count), href


@pytest.mark.parametrize("address", ["/admin/downloads", "/admin/", "/admin/downloads/{}"])
def test_a_download_of_which_nothing_moves_is_not_said_to_run(world: World, address: str) -> None:
    with world.app.app_context():
        row = db.session.scalars(select(Download).where(Download.state == "aborted")).one()
        makers.change(row, state="started", active_at=makers.now(minutes=-3))
        address = address.format(row.id)
    page = world.publisher.read(address)

    assert "Broke off at 41" in page
    assert "Running" not in page
    assert "is being sent" not in page


def test_the_list_goes_on_where_a_page_ends_none_twice_none_missing(world: World) -> None:
    with world.app.app_context():
        shelf, bo = makers.category("reports"), db.session.get_one(User, world.ids["bo"])
        for number in range(52):
            fetch(makers.document(shelf, f"n{number:02}.pdf", str(number).zfill(SIZE).encode()), 1, by=bo)
    first = world.publisher.read("/admin/downloads?state=completed")
    more = re.search(r'href="(/admin/downloads\?[^"]*after=\d+[^"]*)"', first)
    assert more is not None

    titles = re.findall(r">(n\d\d)<", first + world.publisher.read(more[1]))
    assert titles == [f"n{number:02}" for number in reversed(range(52))]


def test_counting_stops_where_nobody_needs_to_know_more(context: Flask) -> None:
    bo, shelf = makers.person("Bo"), makers.category("reports")
    for number in range(4):
        fetch(makers.document(shelf, f"{number}.pdf", str(number).zfill(SIZE).encode()), 1, by=bo)
    fetch(makers.document(shelf, "half.pdf", b"h" * SIZE), 0.5, by=bo)
    admin = makers.actor(makers.person("Ada", is_admin=True))

    assert count_downloads(admin) == {
        "all": 5,
        "completed": 4,
        "aborted": 1,
        "started": 0,
        "interrupted": 0,
        "delegated": 0,
    }
    assert count_downloads(admin, most=2)["all"] == 3
    assert count_downloads(makers.actor(makers.person("Zoë")))["all"] == 0
    assert count_downloads(makers.actor(bo), user_id=bo.id)["completed"] == 4


@pytest.mark.parametrize(
    ("wanted", "for_admin", "for_publisher"),
    [
        ("person={bo}", "Only by Bo.", "Only by one person."),
        ("link={link}", "Only through the link for Ernst & Jung.", "Only through the link for Ernst & Jung."),
        (
            "document=999&person=999",
            "Only of one document and by one person.",
            "Only of one document and by one person.",
        ),
    ],
)
def test_an_empty_list_still_says_what_it_is_narrowed_to(
    world: World, wanted: str, for_admin: str, for_publisher: str
) -> None:
    path = f"/admin/downloads?state=started&{wanted.format(**world.ids)}"

    for desk, words in ((world.admin, for_admin), (world.publisher, for_publisher)):
        assert words in " ".join(re.sub(r"<[^>]+>", "", desk.read(path)).split())


def test_an_unconfirmed_end_is_a_footnote_for_administrators_and_no_failure(world: World) -> None:
    with world.app.app_context():
        row = db.session.scalars(select(Download).where(Download.link_id.is_not(None))).one()
        makers.change(row, is_confirmed=False)

    ledger = f"/admin/downloads?link={world.ids['link']}"
    assert "end not confirmed" in world.admin.read(ledger)
    assert "* All of it was handed over." in world.admin.read(ledger)
    assert "* All of it was handed over." not in world.admin.read(f"/admin/downloads?person={world.ids['bo']}")
    for page in (world.publisher.read(ledger), world.admin.read("/admin/")):
        assert "Downloaded" in page
        assert "confirmed" not in page
