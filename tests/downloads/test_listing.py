"""Lists of downloads: publishers see those of their documents, everybody their own; numbers agree with lists."""

from dataclasses import dataclass
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import select

from portal.actors import Actor
from portal.downloads import DownloadRow, count_downloads, get_download, list_downloads, list_handed_over
from portal.downloads.statements import ACTIVE_SECONDS
from portal.errors import DownloadNotFound
from portal.extensions import db, transaction
from portal.models import PUBLISH, STATES, Delegation, Document, Download, ShareLink, User
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")


@dataclass
class House:
    """One document that was downloaded in every state by a reader, once by somebody else, and once through a link."""

    document: Document
    link: ShareLink
    reader: Actor
    other: Actor
    publisher: Actor
    administrator: Actor


@pytest.fixture
def house(context: Flask) -> House:
    shelf, people = makers.category(), [makers.person(name) for name in ("Reader", "Other", "Publisher")]
    makers.grant(shelf, user=people[2], permission=PUBLISH)
    document = makers.document(shelf, content=bytes(100))
    link, _ = makers.link(document, label="For Ada")
    reader, other, publisher = (makers.actor(user) for user in people)
    for state in STATES:
        add(document, state, reader)
    add(document, "completed", other)
    add(document, "completed", link=link)
    return House(document, link, reader, other, publisher, makers.actor(makers.person("Root", is_admin=True)))


def add(document: Document, state: str, actor: Actor | None = None, link: ShareLink | None = None) -> None:
    """A row of the ledger that got half of the bytes."""
    with transaction() as session:
        session.add(
            Download(
                actor_key=actor.key if actor else f"l:{link.id if link else 0}",
                user_id=actor.user_id if actor else None,
                link_id=link.id if link else None,
                document_id=document.id,
                version_id=document.current_version_id,
                state=state,
                intervals=[[0, 25], [50, 75]],
                closed_at=makers.now(),
            )
        )


def seen(actor: Actor, **narrowed: int | str) -> list[DownloadRow]:
    """All rows of a list."""
    rows, after = list_downloads(actor, **narrowed)  # type: ignore[arg-type]
    assert after is None
    return rows


def test_publishers_see_all_and_everybody_their_own(house: House) -> None:
    assert len(seen(house.administrator)) == len(seen(house.publisher)) == 7
    assert {row.user_name for row in seen(house.reader)} == {"Reader"}
    assert len(seen(house.reader)) == 5
    assert [row.user_name for row in seen(house.other)] == ["Other"]
    assert seen(Actor(user_id=None, kind="link")) == []


def test_a_list_is_narrowed(house: House) -> None:
    assert len(seen(house.publisher, user_id=house.reader.user_id or 0)) == 5
    assert [row.link_label for row in seen(house.publisher, link_id=house.link.id)] == ["For Ada"]
    assert len(seen(house.publisher, state="completed")) == 3
    assert len(seen(house.publisher, document_id=house.document.id)) == 7
    assert seen(house.publisher, document_id=4711) == []


def test_counts_agree_with_lists(house: House) -> None:
    for actor in (house.publisher, house.reader, house.other, house.administrator):
        counts = count_downloads(actor)
        assert counts["all"] == len(seen(actor))
        assert {state: counts[state] for state in STATES} == {state: len(seen(actor, state=state)) for state in STATES}


def test_what_says_it_runs_and_moves_nothing_is_shown_as_interrupted(house: House) -> None:
    rows = {row.state: row.id for row in seen(house.reader)}
    silent = db.session.get_one(Download, rows["started"])
    makers.change(silent, active_at=makers.now(seconds=-ACTIVE_SECONDS - 1), closed_at=None)

    assert get_download(house.reader, silent.id).state == "interrupted"
    assert {row.id for row in seen(house.reader, state="interrupted")} == {silent.id, rows["interrupted"]}
    assert seen(house.reader, state="started") == []
    counts = count_downloads(house.reader)
    assert (counts["started"], counts["interrupted"]) == (0, 2)


def test_looking_at_what_moves_nothing_changes_no_row(house: House) -> None:
    silent = db.session.scalars(select(Download).where(Download.state == "started")).one()
    makers.change(silent, active_at=makers.now(seconds=-ACTIVE_SECONDS - 1), closed_at=None)
    seen(house.reader)
    count_downloads(house.reader)
    get_download(house.reader, silent.id)

    assert db.session.scalars(select(Download.state).where(Download.id == silent.id)).one() == "started"


def test_what_moved_just_now_runs_and_what_a_proxy_has_stays_handed_over(house: House) -> None:
    for state, seconds in (("started", 60 - ACTIVE_SECONDS), ("delegated", -7200)):
        row = db.session.scalars(select(Download).where(Download.state == state)).one()
        makers.change(row, active_at=makers.now(seconds=seconds))

    counts = count_downloads(house.reader)
    assert (counts["started"], counts["delegated"], counts["interrupted"]) == (1, 1, 1)


@SQLITE_ONLY
def test_counting_stops_after_the_most(house: House) -> None:
    assert count_downloads(house.publisher, most=2) == {"all": 3, **dict.fromkeys(STATES, 1), "completed": 3}


@SQLITE_ONLY
def test_a_row_says_how_far_it_got(house: House) -> None:
    row = next(row for row in seen(house.publisher) if row.user_id == house.other.user_id)

    assert (row.part, row.size, row.number, row.title) == (0.5, 100, 1, "report")


@SQLITE_ONLY
def test_who_may_not_see_a_document_any_more_reads_the_filename_they_got(house: House) -> None:
    assert seen(house.other)[0].title == "report.pdf"


@SQLITE_ONLY
def test_pages_hold_every_row_once_newest_first(house: House) -> None:
    ids: list[int] = []
    after = None
    while True:
        rows, after = list_downloads(house.publisher, after=after, limit=3)
        ids += [row.id for row in rows]
        if after is None:
            break

    assert ids == list(db.session.scalars(select(Download.id).order_by(Download.id.desc())))


def test_one_row_is_for_whom_the_list_shows_it(house: House) -> None:
    of_other = next(row for row in seen(house.publisher) if row.user_id == house.other.user_id)

    for actor in (house.publisher, house.other, house.administrator):
        assert get_download(actor, of_other.id).id == of_other.id
    for actor, download_id in ((house.reader, of_other.id), (Actor(None, kind="link"), of_other.id)):
        with pytest.raises(DownloadNotFound):
            get_download(actor, download_id)
    with pytest.raises(DownloadNotFound):
        get_download(house.administrator, 4711)


@pytest.mark.parametrize(
    ("column", "is_theirs", "title_for_publisher"),
    [("trashed_at", False, "report"), ("expires_at", True, "report"), ("published_at", True, "report")],
)
def test_whether_the_document_may_be_read_now_is_told_to_each_as_it_is_for_them(
    house: House, column: str, is_theirs: bool, title_for_publisher: str
) -> None:
    makers.grant(makers.category(), user=db.session.get_one(User, house.reader.user_id))
    assert {row.is_readable for row in seen(house.reader)} == {True}
    makers.change(house.document, **{column: makers.now(hours=1 if column == "published_at" else -1)})

    assert {(row.is_readable, row.title) for row in seen(house.reader)} == {(False, "report.pdf")}
    assert {(row.is_readable, row.title) for row in seen(house.publisher)} == {(is_theirs, title_for_publisher)}


def test_what_a_proxy_was_told_to_send_is_listed_until_it_is_reported(house: House) -> None:
    row = seen(house.publisher, state="delegated")[0]
    with transaction() as session:
        for start in (75, 25):
            session.add(Delegation(uuid=uuid4(), download_id=row.id, start=start, stop=start + 25))

    assert list_handed_over(row.id) == [(25, 50), (75, 100)]
    assert list_handed_over(row.id + 1) == []
