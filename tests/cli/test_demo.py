"""`portal demo`: made once, the same ever after, and far from any real portal."""

import csv
import io
import re
import struct
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, select

from portal import integrity
from portal.accounts import actor_of, sign_in
from portal.catalog import saved
from portal.cli.demo import figures
from portal.cli.demo.library import KENJI, PEOPLE, first_editions, second_editions
from portal.cli.demo.papers import Row, csv_table, pdf, png_bars
from portal.cli.inputs import get_user
from portal.extensions import db
from portal.models import (
    Document,
    DocumentTag,
    Download,
    FieldValue,
    Follow,
    SavedSearch,
    ShareLink,
    User,
    Version,
    db_now,
)
from portal.settings import Settings, load
from portal.uploads import require_fitting
from tests.cli.conftest import SCRIPT, Command
from tests.databases import SQLITE_ONLY
from tests.makers import NETWORK, running
from tests.servers import Caller

TODAY = date(2026, 11, 22)


@dataclass
class Shown:
    """What a start printed: passwords by address, paths of links."""

    port: int
    passwords: dict[str, str]
    links: list[str]


@contextmanager
def demonstration(environment: dict[str, str]) -> Iterator[Shown]:
    """The demonstration, served on a free port and ended."""
    command = [str(SCRIPT), "demo", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as it:
        try:
            assert it.stdout is not None
            printed = ""
            for line in it.stdout:
                printed += line
                if line.startswith("Listening at "):
                    break
            port = re.search(r"Listening at http://127\.0\.0\.1:(\d+)", printed)
            assert port is not None, printed
            passwords = dict(re.findall(r"(\S+@\S+) +(\S+)$", printed, re.MULTILINE))
            yield Shown(int(port[1]), passwords, re.findall(rf"http://127\.0\.0\.1:{port[1]}(/s/\S+)", printed))
        finally:
            it.terminate()
            it.communicate(timeout=30)


@SQLITE_ONLY
def test_it_is_made_once_and_shows_the_same_at_every_start(
    environment: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    own = tmp_path / "demo"
    (tmp_path / ".demo.making" / "blobs").mkdir(parents=True)  # a start that broke off
    environment = environment | {"PORTAL_DATA": str(own)}
    del environment["PORTAL_BASE_URL"]
    with demonstration(environment) as first:
        assert len(first.passwords) == 4
        assert [Caller(first.port).get(link).status for link in first.links] == [200, 200]
    with demonstration(environment) as second:
        assert second.passwords == first.passwords
        assert second.links == first.links
    assert not (tmp_path / ".demo.making").exists()
    with running(settings) as app, app.app_context():
        assert db.session.scalars(select(func.count()).select_from(User)).one() == 0, "the real portal is untouched"
    with running(load({"PORTAL_CONFIG": str(own / "portal.toml")}, data=str(own))) as app, app.app_context():
        for email, password in first.passwords.items():
            assert sign_in(email, password, network=NETWORK, agent="tests").token
        require_what_is_promised()
        assert integrity.verify().is_clean


def require_what_is_promised() -> None:
    """Drafts, schedules, versions, tags, fields, searches, links and downloads for every page to show."""
    documents = select(func.count()).select_from(Document)
    assert db.session.scalars(documents).one() >= 25
    assert db.session.scalars(documents.where(Document.published_at.is_(None))).one() == 1
    assert db.session.scalars(documents.where(Document.published_at > db_now())).one() == 1
    assert db.session.scalars(documents.where(Document.version_count > 1)).one() == 2
    assert db.session.scalars(select(func.count()).where(Version.created_at > db_now())).one() == 0
    for kind in (DocumentTag, FieldValue, SavedSearch, Follow):
        assert db.session.scalars(select(func.count()).select_from(kind)).one() > 1
    assert db.session.scalars(documents.where(Document.responsible_id.is_(None))).one() == 0
    [news] = saved.list_with_news(actor_of(get_user(KENJI.email)))
    assert news.count == 1
    links = select(func.count()).select_from(ShareLink)
    assert db.session.scalars(links.where(ShareLink.expires_at < db_now())).one() == 1
    assert db.session.scalars(links.where(ShareLink.used > 0)).one() == 1
    states = select(Download.state, func.count()).group_by(Download.state)
    assert {state: count > 0 for state, count in db.session.execute(states)} == {"completed": True, "aborted": True}


@SQLITE_ONLY
def test_a_directory_with_something_else_is_left_alone(command: Command, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "portal.db").write_text("a portal that is no demonstration")
    result = command("demo", PORTAL_DATA=str(tmp_path / "real"))
    assert result.exit_code == 1
    assert "is not empty and holds no demonstration" in result.stderr
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["portal.db"]


@pytest.mark.parametrize("today", [TODAY, date(2027, 1, 1), date(2028, 2, 29), date(2026, 3, 31)])
def test_every_paper_is_what_its_name_says_and_has_a_place_of_its_own(today: date) -> None:
    papers = first_editions(today)
    places = [(paper.shelf, paper.filename) for paper in papers]
    assert len(places) == len(set(places))
    assert {(paper.shelf, paper.filename) for paper in second_editions(today)} < set(places)
    for paper in [*papers, *second_editions(today)]:
        require_fitting(paper.filename, paper.content[:4096], frozenset())


def test_people_have_different_addresses() -> None:
    assert len({person.email for person in PEOPLE}) == len(PEOPLE)


def test_a_pdf_says_where_each_of_its_objects_begins() -> None:
    written = pdf("House", "A (long) title", "é · \\", ["Words:", "x " * 3000, Row("Sum", ("1,234",), is_total=True)])
    table = int(re.search(rb"startxref\n(\d+)\n%%EOF\n\Z", written)[1])  # type: ignore[index]
    begins = [int(begin) for begin in re.findall(rb"^(\d{10}) 00000 n $", written[table:], re.MULTILINE)]
    assert written[table:].startswith(b"xref\n0 %d\n" % (len(begins) + 1))
    for number, begin in enumerate(begins, 1):
        assert written[begin:].startswith(b"%d 0 obj\n" % number)
    for length, content in re.findall(rb"/Length (\d+) >>\nstream\n(.*?)\nendstream", written, re.DOTALL):
        assert int(length) == len(content)
    assert written.count(b"/Type /Page ") == int(re.search(rb"/Count (\d+)", written)[1]) > 1  # type: ignore[index]
    assert rb"A \(long\) title" in written
    assert b"\xe9 \xb7 \\\\" in written


def test_a_png_has_as_many_pixels_as_it_says() -> None:
    written = png_bars((1, 5, 3))
    assert written.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", written[16:24])
    start = written.index(b"IDAT")
    size = struct.unpack(">I", written[start - 4 : start])[0]
    assert len(zlib.decompress(written[start + 4 : start + 4 + size])) == height * (1 + 3 * width)


def test_a_table_is_csv() -> None:
    written = csv_table(("a", "b"), [("1,5", 'say "x"')])
    assert list(csv.reader(io.StringIO(written.decode(), newline=""))) == [["a", "b"], ["1,5", 'say "x"']]


def test_the_books_balance() -> None:
    for table in (figures.trial_balance(), figures.payroll_journal()):
        rows = list(csv.DictReader(io.StringIO(table.decode(), newline="")))
        assert sum(int(row["Debit"] or 0) for row in rows) == sum(int(row["Credit"] or 0) for row in rows) > 0
