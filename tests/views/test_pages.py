"""What pages say and are made of: words for figures, whole names, nothing inline, one headline, light enough."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal import accounts, search
from portal.extensions import db
from portal.models import MANAGE, PUBLISH, READ, Document, User
from portal.settings import Settings
from portal.views import pages
from tests import makers

ROOT = Path(__file__).parents[2] / "portal"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script> & \"quoted\" '{{ 7 * 7 }}' <img src=x onerror=alert(2)>"
LONG = "Lohnjournal_November_2026-" * 11
ARABIC = "عقد إيجار المستودع رقم ١٢"
JAPANESE = "株主間契約書（最終版）に関する覚書"


class Page(HTMLParser):
    """What a test wants to know of a page, read as a browser reads it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words += data

    @property
    def text(self) -> str:
        """The words of the page with white space made one."""
        return " ".join(self.words.split())

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        """The attributes of each of these elements that has the values ``wanted``."""
        return [found for name, found in self.tags if name == tag and wanted.items() <= found.items()]


def read(client: FlaskClient, path: str, status: int = 200) -> Page:
    answer = client.get(path)
    assert answer.status_code == status, path
    return Page(answer.text)


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (NOON - timedelta(hours=3), "Today, 09:00"),
        (NOON - timedelta(hours=13), "Yesterday"),
        (NOON - timedelta(days=2), "16 Nov"),
        (NOON - timedelta(days=366), "17 Nov 2025"),
        (NOON + timedelta(days=14), "2 Dec"),
        (NOON + timedelta(days=60), "17 Jan 2027"),
    ],
)
def test_a_day_is_said_from_where_one_stands(moment: datetime, words: str) -> None:
    said = pages.day(moment, NOON)

    assert re.sub("<[^>]+>", "", said) == words
    assert f'datetime="{moment:%Y-%m-%dT%H:%MZ}"' in said


@pytest.mark.usefixtures("inside")
def test_a_whole_moment_says_weekday_time_and_zone() -> None:
    said = re.sub("<[^>]+>", "", pages.full_moment(NOON))

    assert said == "Wednesday, 18\u00a0November 2026, 12:00\u00a0UTC"


@pytest.mark.usefixtures("inside")
def test_a_date_in_a_sentence_names_the_year_only_when_it_is_another() -> None:
    assert "18\u00a0November<" in pages.date(NOON, NOON)
    assert "18\u00a0November 2025<" in pages.date(NOON.replace(year=2025), NOON)


@pytest.mark.parametrize("said", [pages.day(None), pages.full_moment(None), pages.date(None), pages.iso(None)])
def test_no_moment_is_no_words(said: str) -> None:
    assert said == ""


@pytest.mark.parametrize(
    ("filename", "kind", "sheet"),
    [
        ("report.pdf", "PDF", "letter"),
        ("Annual Report 2018.PDF", "PDF", "letter"),
        ("figures.csv", "CSV", "sheet"),
        ("backup.tar.gz", "TAR.GZ", "pile"),
        ("002.jpg", "JPG", "picture"),
        ("README", "File", "plain"),
        ("x.averyverylongending", "AVERYVER", "plain"),
    ],
)
def test_a_type_is_told_by_the_ending(filename: str, kind: str, sheet: str) -> None:
    assert (pages.kind(filename), pages.sheet(filename)) == (kind, sheet)


def test_every_type_has_its_little_sheet() -> None:
    drawn = set(re.findall(r'<symbol id="(\w+)"', (ROOT / "static/thumbs.svg").read_text()))

    assert drawn == {*pages.SHEETS, "plain"}


def test_every_icon_that_is_used_is_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', (ROOT / "static/icons.svg").read_text()))
    used = {name for file in TEMPLATES for name in re.findall(r'\bicon\("([\w-]+)"', file.read_text())}
    states = {name for file in TEMPLATES for name in re.findall(r'\bstate\("([\w-]+)"', file.read_text())}

    assert used <= drawn
    assert {f"state-{name}" for name in states - {"new", "soon", "fail"}} <= drawn


def test_a_name_breaks_after_its_signs_and_is_never_cut() -> None:
    assert pages.breakable("a_b-c@d.e") == "a_<wbr>b-<wbr>c@<wbr>d.e"
    assert pages.breakable("<b>_x") == "&lt;b&gt;_<wbr>x"


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [
        ("Payroll journal", "JOURNAL", "Payroll <mark>journal</mark>"),
        ("Straße 14", "strasse", "<mark>Straße</mark> 14"),
        ("Señor", "senor", "<mark>Señor</mark>"),
        ("a<b", "b", "a&lt;<mark>b</mark>"),
        ("<mark>", "mark", "&lt;<mark>mark</mark>&gt;"),
        ("payslip_2026.pdf", "payslip", "<mark>payslip</mark>_<wbr>2026.pdf"),
        ("payslips", "pays*", "<mark>payslips</mark>"),
        (JAPANESE, "最終版", "株主間契約書（<mark>最終版</mark>）に関する覚書"),
        ("ﬁle", "file", "<mark>ﬁle</mark>"),
        ("nothing", "else", "nothing"),
    ],
)
def test_words_that_were_found_are_marked(text: str, query: str, marked: str) -> None:
    assert pages.marked(text, search.parse(query)) == marked


@pytest.mark.parametrize(("count", "words"), [(0, "no"), (1, "one"), (12, "twelve"), (13, "13"), (1234, "1,234")])
def test_small_numbers_are_words(count: int, words: str) -> None:
    assert pages.counted(count) == words


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Zofia Wiśniewska-Albrecht", "ZW"), ("Ada", "A"), ("Li Ming 李明", "L李"), ("", ""), ("ßeta", "SS")],
)
def test_initials_are_first_and_last(name: str, letters: str) -> None:
    assert pages.initials(name) == letters


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_inline_stands_in_a_template(file: Path) -> None:
    source = file.read_text()

    assert not re.search(r"\sstyle\s*=|<style|\son[a-z]+\s*=|javascript:", source, re.IGNORECASE)
    assert not re.search(r"<script(?![^>]*\ssrc=)", source, re.IGNORECASE)


def test_scripts_make_no_markup_from_text() -> None:
    scripts = "".join(file.read_text() for file in (ROOT / "static").glob("*.js"))

    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", scripts)


def test_the_stylesheet_everybody_loads_stays_small() -> None:
    assert len((ROOT / "static/portal.css").read_bytes()) <= 27_500


@pytest.fixture
def app(sqlite_settings: Settings) -> Iterator[Flask]:
    """The application on SQLite: what a page looks like does not depend on the database."""
    with makers.running(sqlite_settings) as app:
        yield app


@pytest.fixture
def inside(app: Flask) -> Iterator[None]:
    """Within the application, which knows the zone of the portal."""
    with app.app_context():
        yield


@pytest.fixture
def reader(app: Flask) -> FlaskClient:
    """Ada, who may read one category with documents of every difficult name, on her second visit."""
    with app.app_context():
        ada = makers.person("Ada Byron", password=makers.PASSWORD)
        shelf = makers.category("reports/2018")
        makers.grant(shelf, user=ada)
        for number, title in enumerate((HOSTILE, LONG, ARABIC, JAPANESE)):
            made = makers.document(shelf, f"weather_{number}.csv", f"{number}".encode(), "text/csv")
            makers.change(made, title=title[:300], search_text=search.text_of(title[:300], made.filename))
        client = makers.signed_in(app, ada)
        makers.change(ada, visited_at=makers.now(days=-1))
    return client


def _address(app: Flask, title: str) -> str:
    with app.app_context():
        uuid = db.session.scalars(select(Document.uuid).where(Document.title == title[:300])).one()
    return f"/documents/{uuid}"


PAGES = ["/", "/documents", "/categories/reports/2018", "/search?q=weather", "/search?q=nothing", "/search", "/account"]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_of_a_reader_has_one_headline_and_a_way_out(reader: FlaskClient, path: str) -> None:
    page = read(reader, path)

    assert len(page.all("h1")) == 1
    assert len([tag for tag in page.all("button") + page.all("a") if "primary" in tag.get("class", "")]) <= 1
    assert page.all("form", action="/logout", method="post")
    assert page.all("form", role="search", action="/search")
    assert page.all("html", lang="en")
    assert "Ada Byron" in page.text


@pytest.mark.parametrize("path", [*PAGES, "/login", "/nothing"])
def test_every_page_is_well_made(reader: FlaskClient, path: str) -> None:
    page = Page(reader.get(path, follow_redirects=True).text)
    ids = Counter(found["id"] for _, found in page.tags if "id" in found)
    fields = [found for found in page.all("input") if found.get("type") not in ("hidden", "checkbox")]
    labels = {found["for"] for found in page.all("label") if "for" in found}

    assert not [name for name, count in ids.items() if count > 1]
    assert all(found.get("id") in labels or "aria-label" in found or "hidden" in found for found in fields)
    assert not [found for _, found in page.tags if "style" in found or any(name.startswith("on") for name in found)]
    assert not page.all("style")
    assert all(found.get("src", "").startswith("/static/") for found in page.all("script"))


def test_every_form_that_posts_carries_its_token(reader: FlaskClient) -> None:
    html = reader.get("/account").text
    forms = re.findall(r'<form[^>]*method="post".*?</form>', html, re.DOTALL)

    assert len(forms) >= 2
    assert all('name="csrf_token"' in form for form in forms)


@pytest.mark.parametrize("path", ["/", "/documents", "/categories/reports/2018", "/search?q=weather"])
def test_titles_stand_whole_and_literal_in_every_list(reader: FlaskClient, path: str) -> None:
    answer = reader.get(path)
    page = Page(answer.text)

    for title in (HOSTILE, LONG[:300], ARABIC, JAPANESE):
        assert title in page.words
    assert "<script>alert" not in answer.text
    assert "<img" not in answer.text
    assert all(found["dir"] == "auto" for found in page.all("a") if found.get("class") == "title")


@pytest.mark.parametrize("title", [HOSTILE, LONG, ARABIC, JAPANESE])
def test_a_document_page_shows_any_title_whole(app: Flask, reader: FlaskClient, title: str) -> None:
    answer = reader.get(_address(app, title))
    page = Page(answer.text)

    assert answer.status_code == 200
    assert page.words.count(title[:300]) >= 2  # in the headline and in the window's title
    assert "<script>alert" not in answer.text
    assert page.all("h1", dir="auto")


def test_a_query_is_shown_as_it_was_typed_and_never_run(reader: FlaskClient) -> None:
    answer = reader.get("/search", query_string={"q": HOSTILE})
    page = Page(answer.text)

    assert "<script>alert" not in answer.text
    assert page.all("input", name="q")[0]["value"] == HOSTILE


@pytest.mark.parametrize("name", ["<b>Mallory</b>", "Σταύρος Παπαδόπουλος", "ا" * 200])
def test_a_person_is_named_literally_whatever_the_name(app: Flask, name: str) -> None:
    with app.app_context():
        person = makers.person("Mallory")
        makers.change(person, name=name)
    page = read(makers.signed_in(app, person), "/account")

    assert name in page.words
    assert not page.all("b")


def test_a_portal_may_call_itself_anything(app: Flask) -> None:
    settings = app.config["PORTAL"]
    object.__setattr__(settings, "name", HOSTILE)  # frozen for the program, not for this test

    answer = app.test_client().get("/login")

    assert "<script>alert" not in answer.text
    assert HOSTILE in Page(answer.text).words


def test_the_page_for_nothing_is_the_same_for_everybody(app: Flask, reader: FlaskClient) -> None:
    seen = {
        client.get(path).data
        for client in (reader, app.test_client())
        for path in ("/nothing", "/s/" + "a" * 43, "/setup/short", "/static/nothing")
    }
    seen.add(reader.get("/documents/999999").data)
    answer = app.test_client().get("/nothing")

    assert seen == {answer.data}
    assert "Set-Cookie" not in answer.headers
    assert "csrf" not in answer.text
    assert len(Page(answer.text).all("h1")) == 1


def test_a_failure_says_what_happened_and_where_to_go(reader: FlaskClient) -> None:
    page = read(reader, "/documents?after=x", 400)

    assert "This page of the list does not exist." in page.text
    assert page.all("a", href="/")


def test_the_sign_in_page_has_address_and_password_in_one_form(app: Flask) -> None:
    html = app.test_client().get("/login?next=/account").text
    form = re.findall(r"<form.*?</form>", html, re.DOTALL)
    page = Page(form[0])

    assert len(form) == 1
    assert page.all("input", type="email", name="email", autocomplete="username")
    assert page.all("input", type="password", name="password", autocomplete="current-password")
    assert page.all("input", name="next", value="/account")


def test_a_refused_sign_in_says_so_and_keeps_the_address(app: Flask) -> None:
    client = app.test_client()
    token = Page(client.get("/login").text).all("input", name="csrf_token")[0]["value"]

    answer = client.post("/login", data={"csrf_token": token, "email": '"><b>x', "password": "wrong"})
    page = Page(answer.text)

    assert answer.status_code == 401
    assert "do not belong together" in page.text
    assert page.all("input", name="email")[0]["value"] == '"><b>x'
    assert page.all("input", name="password")[0]["value"] == ""


@pytest.mark.parametrize("purpose", ["invitation", "reset"])
def test_a_one_time_page_asks_for_a_password_only(app: Flask, purpose: str) -> None:
    with app.app_context():
        token = accounts.issue_token(None, purpose, makers.person("Ada Byron").id)
    page = read(app.test_client(), f"/setup/{token}")

    assert page.all("input", type="email", value="ada.byron@example.org", readonly="True")
    assert page.all("input", type="password", name="password", autocomplete="new-password")
    assert not page.all("input", name="name")


def test_the_first_setup_asks_who_runs_the_portal(app: Flask) -> None:
    with app.app_context():
        token = accounts.issue_token(None, "setup")
    page = read(app.test_client(), f"/setup/{token}")

    assert {"name", "email", "password"} <= {found.get("name") for found in page.all("input")}
    assert len(page.all("h1")) == 1


def _shared(app: Flask, **terms: Any) -> tuple[Document, str]:
    author: User = makers.person("Amelie Vale", is_admin=True)
    made = makers.document(makers.category("contracts"), "lotus_agreement.pdf")
    makers.change(made, title="Shareholder agreement")
    return made, makers.link(made, by=author, **terms)[1]


def test_a_shared_document_is_a_letter(app: Flask) -> None:
    with app.app_context():
        made, token = _shared(
            app, label="Đặng Thị Hồng Nhung", message="Dear Ms Đặng,\nhere it is.", max_downloads=3, used=1,
            expires_at=makers.now(days=14),
        )  # fmt: skip
        sha256 = makers.edition(made).sha256
    page = read(app.test_client(), f"/s/{token}")

    assert "For Đặng Thị Hồng Nhung" in page.text
    assert "Shareholder agreement" in page.text
    assert "Dear Ms Đặng, here it is." in page.text
    assert "Amelie Vale" in page.text
    assert "2 of 3 downloads left, until" in page.text
    assert "Download PDF, 16 bytes" in page.text
    assert "lotus_agreement.pdf" in page.text
    assert sha256 in page.text
    assert [form["action"] for form in page.all("form", method="post")] == [f"/s/{token}/download"]


def test_a_link_with_a_password_tells_nothing_before_it(app: Flask) -> None:
    with app.app_context():
        made, token = _shared(app, password="open sesame", label="Đặng", message="Dear Ms", max_downloads=7)
        sha256 = makers.edition(made).sha256
    answer = app.test_client().get(f"/s/{token}")
    page = Page(answer.text)

    assert answer.status_code == 200
    told = ("Shareholder", "lotus", "PDF", "pdf", "16 bytes", "Amelie", "Đặng", "Dear Ms", "7", sha256, str(made.uuid))
    assert not [word for word in told if word in page.words]
    assert not [word for word in ("lotus", "Shareholder", "Amelie", sha256, str(made.uuid)) if word in answer.text]
    assert len(page.all("form")) == 1
    assert page.all("form")[0]["action"].endswith("/download")
    assert page.all("input", type="password", name="password")


def test_a_wrong_link_password_is_said_and_nothing_told(app: Flask) -> None:
    with app.app_context():
        _, token = _shared(app, password="open sesame")
    client = app.test_client()
    csrf = Page(client.get(f"/s/{token}").text).all("input", name="csrf_token")[0]["value"]

    answer = client.post(f"/s/{token}/download", data={"csrf_token": csrf, "password": "wrong one"})

    assert answer.status_code == 403
    assert '<a href="#password">Password of the link:</a> This is not the password of this link.' in answer.text
    assert '<p class="wrong" id="password-wrong">This is not the password of this link.</p>' in answer.text
    assert "Shareholder" not in answer.text


@pytest.mark.parametrize(
    ("state", "headline"),
    [
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "This link has expired"),
        ({"revoked_at": datetime(2020, 1, 1, tzinfo=UTC)}, "This link was revoked by the people who made it"),
        ({"max_downloads": 2, "used": 2}, "All downloads of this link are used"),
    ],
)
def test_a_closed_link_says_which_way_and_names_nobody(app: Flask, state: dict[str, Any], headline: str) -> None:
    with app.app_context():
        _, token = _shared(app, label="Đặng", **state)
    page = read(app.test_client(), f"/s/{token}", 410)

    assert headline in page.text
    assert "ask the person who sent it to you for a new link" in page.text
    assert not [word for word in ("Đặng", "Amelie", "Shareholder", "lotus") if word in page.words]


def test_hostile_words_of_a_link_are_literal(app: Flask) -> None:
    with app.app_context():
        _, token = _shared(app, label=HOSTILE, message=HOSTILE)
    answer = app.test_client().get(f"/s/{token}", headers={"Accept": "text/html"})

    assert Page(answer.text).words.count(HOSTILE) == 2
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(("permission", "is_led"), [(READ, False), (PUBLISH, True), (MANAGE, True)])
def test_publishers_are_led_to_the_house_and_readers_are_not(app: Flask, permission: int, is_led: bool) -> None:
    with app.app_context():
        person, shelf = makers.person("Ada"), makers.category("reports")
        makers.grant(shelf, user=person, permission=permission)
        client = makers.signed_in(app, person)

    assert ("/admin/" in client.get("/categories/reports").text) is is_led


def test_the_name_of_somebody_signed_in_stands_in_no_error_page(reader: FlaskClient) -> None:
    for path in ("/nothing", "/documents?after=x"):
        assert "Ada" not in reader.get(path).text
