"""Search as a reader meets it: what was asked stands in the address, and no query breaks the page."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from portal import search
from portal.catalog import put_document
from portal.extensions import close_connections, db, transaction
from portal.models import PUBLISH, Document, DocumentTag, Tag
from portal.search import LONGEST_QUERY
from portal.settings import Settings
from tests import makers
from tests.databases import SQLITE_ONLY, watched

HOSTILE = (
    "a" * 5000, "😀" * 3000, "'; DROP TABLE documents;--", '"', '"""', "\"open phrase", "*", "**a*b*", "-", "--", "-*",
    ":", "::", "type:", "tag:\"", "in:/", "in:////", "in:../..", "after:x", "after:9999999999", "before:0000-00-00",
    "by:", "AND OR NOT NEAR(a b)", "{title} : a", "a & b | !c <-> d:*", "=c1", "=i1 =u1", "%_\\", "a\x01b\x1fc",
    "\u200b\u202e", "type:pdf " * 300, "-a " * 300, " ".join(map(str, range(500))), "after:2026 before:2025",
    "<script>alert(1)</script>", "{{ 7 * 7 }}",
)  # fmt: skip

INNER = ("--", "PRAGMA", "SELECT k, v")
"""What SQLite asks its own tables behind the index."""


@dataclass
class House:
    """A portal in which Ada is signed in, who may read ``reports``."""

    app: Flask
    browser: FlaskClient

    def add(
        self, title: str, *, days: float = 1, path: str = "reports/2018", filename: str = "", **columns: Any
    ) -> int:
        with self.app.app_context():
            name = filename or f"{re.sub('[^a-z0-9]+', '_', title.lower())}.pdf"
            made = makers.document(makers.category(path), name, title.encode())
            makers.change(made, title=title, published_at=makers.now(days=-days), **columns)
            return made.id

    def tag(self, document_id: int, name: str) -> None:
        with self.app.app_context(), transaction() as session:
            tag = session.scalars(insert(Tag).values(name=name, name_key=name.casefold()).returning(Tag.id)).one()
            session.add(DocumentTag(document_id=document_id, tag_id=tag))
            search.index_documents([document_id])

    def html(self, query: str, **more: str) -> str:
        answer = self.browser.get("/search", query_string={"q": query.encode("utf-8", "surrogatepass"), **more})
        assert answer.status_code == 200
        return answer.text

    def look(self, query: str, **more: str) -> str:
        return words(self.html(query, **more))

    def offered(self, typed: str) -> list[str]:
        """The titles that are offered while somebody types."""
        answer = self.browser.get("/search/suggest", query_string={"q": typed.encode("utf-8", "surrogatepass")})
        assert answer.status_code == 200
        return [one["title"] for one in answer.get_json()["documents"]]


def words(html: str) -> str:
    """The main part of a page as somebody reads it; what breaks a name or marks it does not part it."""
    main = html[html.index("<main") :]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", re.sub(r"</?(wbr|mark|span)\b[^>]*>", "", main))).split())


def titles(html: str) -> list[str]:
    found = re.findall(r'class="title"[^>]*>(.*?)</a>', html)
    return [unescape(re.sub(r"<[^>]+>", "", title)) for title in found]


def facets(html: str) -> dict[str, str]:
    """What is offered to narrow the search, each with the query it leads to."""
    part = html[html.index('aria-label="Narrow down"') : html.index('id="side"')]
    found = re.findall(r'<a href="([^"]+)"[^>]*><span dir="auto">(.*?)</span>', part)
    return {unescape(re.sub("<[^>]+>", "", label)): asked(unescape(href)) for href, label in found}


def asked(address: str) -> str:
    return parse_qs(urlsplit(address).query)["q"][0]


def leading(html: str, label: str) -> str:
    """Where the link with these words leads."""
    found = re.search(rf'<a [^>]*href="([^"]+)"[^>]*>(?:<span[^>]*>)?{label}', html)
    assert found is not None, label
    return unescape(found[1])


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    with makers.running(settings) as app:
        with app.app_context():
            ada = makers.person("Ada")
            makers.grant(makers.category("reports"), user=ada)
        yield House(app, makers.signed_in(app, ada))


@SQLITE_ONLY
def test_words_are_found_in_title_filename_and_description(house: House) -> None:
    house.add("Tax return", filename="vat_2026.pdf", description="What the office wants to know of Straße 14.")
    house.add("Something else")
    for query in ("tax", "RETURN tax", "vat", "2026", "office", "strasse", '"tax return"', "ta* -else"):
        assert "One document mentions" in house.look(query), query
        assert titles(house.html(query)) == ["Tax return"], query


@SQLITE_ONLY
def test_every_word_must_be_found(house: House) -> None:
    house.add("Tax return")
    page = house.look("tax payroll")

    assert "Nothing mentions “tax payroll”" in page
    assert "try fewer of them" in page


@SQLITE_ONLY
def test_what_was_found_is_marked_where_it_was_found(house: House) -> None:
    house.add("Tax return", filename="return_2026.pdf", description="Sent.\nThe return of the year, <b>in full</b>.")
    html = house.html("RETURN")

    assert "Tax <mark>return</mark>" in html
    assert "<mark>return</mark>_<wbr>2026.pdf" in html
    assert "The <mark>return</mark> of the year, &lt;b&gt;in full&lt;/b&gt;." in html


@SQLITE_ONLY
def test_a_description_without_the_words_is_not_shown(house: House) -> None:
    house.add("Tax return", description="For the office.")

    assert "For the office" not in house.look("tax")
    assert "For the office" not in house.look("type:pdf")


@SQLITE_ONLY
def test_the_query_and_its_filters_stand_apart(house: House) -> None:
    house.add("Tax return")
    html = house.html('tax type:pdf in:reports -tag:"old stuff"')

    assert 'value="tax type:pdf in:reports -tag:&#34;old stuff&#34;"' in html
    assert "One document mentions “tax”" in words(html)
    assert "Only PDF remove in reports remove not tag old stuff remove Without these" in words(html)
    assert asked(leading(html, "in reports")) == 'tax type:pdf -tag:"old stuff"'
    assert asked(leading(html, "Without these")) == "tax"


@SQLITE_ONLY
def test_facets_narrow_and_widen_by_plain_links(house: House) -> None:
    house.tag(house.add("Tax return", days=400), "old stuff")
    house.add("Tax figures", filename="tax.csv", path="reports/2019")
    offered = facets(house.html("tax"))

    assert offered["PDF"] == "tax type:pdf"
    assert offered["CSV"] == "tax type:csv"
    assert offered["reports / 2019"] == "tax in:reports/2019"
    assert offered["old stuff"] == 'tax tag:"old stuff"'
    assert titles(house.html(offered["PDF"])) == ["Tax return"]
    assert titles(house.html(offered["old stuff"])) == ["Tax return"]
    narrowed = house.html("tax type:csv")
    assert 'aria-current="true"><span dir="auto">CSV' in narrowed
    assert facets(narrowed)["CSV"] == "tax"


@SQLITE_ONLY
def test_a_year_is_one_filter(house: House) -> None:
    house.add("Tax return", days=800)
    house.add("Tax figures", days=1)
    with house.app.app_context():
        year = (makers.now(days=-800)).year
    query = facets(house.html("tax"))[str(year)]

    assert query == f"tax after:{year} before:{year + 1}"
    html = house.html(query)
    assert titles(html) == ["Tax return"]
    assert f"Only {year} remove Without these" in words(html)
    assert facets(html)[str(year)] == "tax"


@SQLITE_ONLY
def test_counts_that_were_not_finished_say_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.add("Tax return")
    found = search.Facets(types=[("type:pdf", "pdf", 1000)], total=1000, is_capped=True)
    monkeypatch.setattr(search, "facets", lambda *_, **__: found)
    html = house.html("tax")

    assert "At least 1,000 documents mention “tax”" in words(html)
    assert "<small>1,000+</small>" in html


@SQLITE_ONLY
def test_no_fewer_are_said_to_be_there_than_are_shown(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.add("Tax return")
    monkeypatch.setattr(search, "facets", lambda *_, **__: search.Facets(is_capped=True))

    assert "At least 1 document mentions “tax”" in words(house.html("tax"))


@SQLITE_ONLY
def test_the_best_first_on_demand_and_in_the_address(house: House) -> None:
    house.add("Letter", days=1, description="About the annual report.")
    house.add("Annual report", days=9)
    html = house.html("annual report")
    best = leading(html, "Best match first")

    assert titles(html) == ["Letter", "Annual report"]
    assert best == "/search?q=annual+report&order=relevance"
    html = house.browser.get(best).text
    assert titles(html) == ["Annual report", "Letter"]
    assert leading(html, "Newest first") == "/search?q=annual+report"


@SQLITE_ONLY
def test_what_was_corrected_is_said(house: House) -> None:
    house.add("Rechnung")
    with house.app.app_context():
        search.catch_up(lambda: False)  # the worker learns new words
    page = house.look("rechnugn")

    assert "Nothing for “rechnugn”. Shown for “ rechnung ”" in page
    assert titles(house.html("rechnugn")) == ["Rechnung"]
    assert asked(leading(house.html("rechnugn"), "rechnung")) == "rechnung"


@SQLITE_ONLY
def test_what_could_not_be_read_is_said_and_the_rest_is_found(house: House) -> None:
    house.add("Tax return")
    page = house.look("tax after:someday")

    assert "after:someday has no date that can be read." in page
    assert "One document mentions" in page


def many(house: House, count: int) -> None:
    """So many documents with long titles and descriptions, one second after the other."""
    with house.app.app_context(), transaction() as session:
        shelf, start = makers.category("reports/2018"), makers.now(hours=-2)
        for number in range(count):
            made = put_document(None, shelf.id, f"payslip-{number:02}.pdf", makers.content_of(f"{number}".encode()))
            row = session.get_one(Document, made.document_id)
            row.title, row.published_at = f"Payslip of number {number:02}", start + timedelta(seconds=number)
            row.description = "The payslip of somebody who works here, with what was held back. " * 5
            search.index_documents([row.id])


@SQLITE_ONLY
def test_everything_is_shown_once_page_by_page(house: House) -> None:
    many(house, 60)
    shown: list[str] = []
    address: str | None = "/search?q=payslip"
    pages = 0
    while address:
        html = house.browser.get(address).text
        shown += titles(html)
        found = re.search(r'href="([^"]+after=[^"]+)"', html)
        address, pages = (unescape(found[1]) if found else None), pages + 1

    assert shown == [f"Payslip of number {number:02}" for number in reversed(range(60))]
    assert pages == 3


@SQLITE_ONLY
def test_a_full_page_is_light_and_costs_few_questions(house: House) -> None:
    many(house, 40)
    house.html("payslip")
    close_connections(house.app)
    with house.app.app_context(), watched(db.engine) as seen:
        html = house.html("payslip in:reports type:pdf")

    assert len(titles(html)) == 20
    assert len(html.encode()) <= 60_000
    own = [statement for statement in seen if not statement.startswith(INNER)]
    assert len(own) <= 22, own


def test_whatever_is_asked_there_is_a_page(house: House) -> None:
    house.add("Tax return")
    for query in HOSTILE:
        html = house.html(query)
        assert html.count("<h1") == 1, ascii(query[:40])
        assert "<script>alert" not in html, ascii(query[:40])
        assert len(html.encode()) <= 60_000, ascii(query[:40])
        assert isinstance(house.offered(query), list), ascii(query[:40])


@SQLITE_ONLY
def test_what_no_text_can_have_is_a_page_too(house: House) -> None:
    for path in ("/search", "/search/suggest"):
        answer = house.browser.get(path, query_string={"q": "\ud800".encode("utf-8", "surrogatepass")})
        assert answer.status_code in (200, 404), path


def test_what_nobody_can_write_is_taken_for_a_space_and_told(house: House) -> None:
    house.add("Tax return")

    html = house.html("tax\0return")

    assert "A sign that nobody can write was taken for a space." in html
    assert "Tax return" in re.sub("</?mark>", "", html)
    assert len(house.offered("tax\0return")) == 1


@SQLITE_ONLY
def test_the_field_takes_as_much_as_is_read_in_whatever_script(house: House) -> None:
    field = re.search(r'<input type="search" name="q"[^>]* maxlength="(\d+)"', house.html("東" * LONGEST_QUERY))

    assert field is not None
    assert int(field[1]) == LONGEST_QUERY


@SQLITE_ONLY
@pytest.mark.parametrize("after", ["x", "-1", "1" * 30, "٣", "1;2", " "])
def test_a_page_that_never_was_is_refused_or_empty(house: House, after: str) -> None:
    house.add("Tax return")

    assert house.browser.get("/search", query_string={"q": "tax", "after": after}).status_code in (200, 400)


@SQLITE_ONLY
def test_nothing_asked_is_how_to_ask(house: House) -> None:
    house.add("Tax return")
    for query in ("", "   ", "\u200b", "*"):
        page = house.look(query)
        assert "How to ask" in page, repr(query)
        assert "Tax return" not in page, repr(query)


@SQLITE_ONLY
def test_where_nothing_was_found_the_filters_are_the_first_suspects(house: House) -> None:
    house.add("Tax return")
    html = house.html("tax type:csv")

    assert "Look without the filters" in words(html)
    assert asked(leading(html, "CSV")) == "tax"


@SQLITE_ONLY
def test_documents_are_offered_while_one_types(house: House) -> None:
    house.add("Annual report", days=2)
    house.add("Annual figures", days=1)
    house.add("Letter", description="annual")
    answer = house.browser.get("/search/suggest?q=annu")

    assert answer.headers["Cache-Control"] == "private, no-store"
    assert [one["title"] for one in answer.get_json()["documents"]] == ["Annual figures", "Annual report"]
    assert answer.get_json()["documents"][1]["where"] == "reports / 2018"
    assert house.browser.get(answer.get_json()["documents"][1]["href"]).status_code == 200


def test_nobody_is_told_of_what_they_may_not_read(house: House) -> None:
    """Not by a hit, a suggestion, a count, a facet or a tag."""
    secret = house.add("Annual secrets", path="board", filename="annual.xlsx")
    house.tag(secret, "takeover")
    draft = house.add("Annual draft", filename="draft.docx")
    house.tag(draft, "unripe")
    with house.app.app_context():
        makers.change(db.session.get_one(Document, draft), published_at=None)
    house.add("Annual report")

    assert titles(house.html("annual")) == ["Annual report"]
    assert "One document mentions" in house.look("annual")
    assert house.offered("annual") == ["Annual report"]
    page = house.html("annual")
    for word in ("XLSX", "DOCX", "board", "takeover", "unripe"):
        assert word not in page, word
    assert "Nothing" in house.look("tag:takeover")
    assert "No document you may read has a tag" in house.browser.get("/tags").text


@SQLITE_ONLY
def test_what_is_offered_stays_while_the_next_word_is_one_letter(house: House) -> None:
    house.add("Annual report", days=2)
    house.add("Annual figures", days=1)

    assert house.offered("annual ") == house.offered("annual f") == ["Annual figures", "Annual report"]
    assert house.offered("annual fi") == ["Annual figures"]


@SQLITE_ONLY
def test_the_page_of_tags_leads_to_what_has_them(house: House) -> None:
    house.tag(house.add("Tax return"), "annual report")
    html = house.browser.get("/tags").text

    assert asked(leading(html, "annual report")) == 'tag:"annual report"'
    assert titles(house.html('tag:"annual report"')) == ["Tax return"]


@SQLITE_ONLY
def test_a_publisher_finds_what_is_not_out(house: House) -> None:
    with house.app.app_context():
        bob = makers.person("Bob")
        makers.grant(makers.category("reports"), user=bob, permission=PUBLISH)
        made = makers.document(makers.category("reports"), "draft.pdf")
        makers.change(made, title="Annual draft", published_at=None)
        browser = makers.signed_in(house.app, bob)

    assert titles(browser.get("/search?q=annual").text) == ["Annual draft"]
    assert titles(house.html("annual")) == []
