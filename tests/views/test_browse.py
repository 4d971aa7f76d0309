"""What a reader finds: what is new, everything, one category, one document, and nothing they may not see."""

import re
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal import accounts, catalog, search
from portal.accounts.sessions import start_session
from portal.catalog.documents import put_document
from portal.extensions import transaction
from portal.models import MANAGE, PUBLISH, READ, Category, Document, Download, Version
from tests import makers
from tests.databases import SQLITE_ONLY


@dataclass
class Shelf:
    """One category of a fresh portal, and a browser in which somebody with a permission on it is signed in."""

    app: Flask
    category_id: int
    user_id: int
    browser: FlaskClient

    def add(self, title: str, *, days: float = 0, versions: int = 1, filename: str = "", **columns: Any) -> str:
        """A document published so many days ago; gives its address."""
        with self.app.app_context():
            shelf = catalog.get_category(self.category_id)
            name = filename or f"{title.lower().replace(' ', '_')}.pdf"
            for number in range(versions):
                made = makers.document(shelf, name, f"%PDF-1.7 {title} {number}".encode())
            dates = {"published_at": makers.now(days=-days)} | columns
            makers.change(made, title=title, search_text=search.text_of(title, name), **dates)
            return f"/documents/{made.uuid}"

    def visited(self, days: float) -> None:
        """The last visit was so many days ago."""
        with self.app.app_context():
            makers.change(accounts.get_user(self.user_id), visited_at=makers.now(days=-days))

    def look(self, path: str = "/", status: int = 200) -> str:
        """The words of a page, as somebody reads them."""
        answer = self.browser.get(path)
        assert answer.status_code == status
        return words(answer.text)


def words(html: str) -> str:
    """The text of a page without its marks; what breaks a name does not part it."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", re.sub(r"</?(wbr|mark|span)\b[^>]*>", "", html))).split())


def links(html: str) -> list[str]:
    return [unescape(found) for found in re.findall(r'href="([^"]+)"', html)]


@pytest.fixture
def shelf(app: Flask, request: pytest.FixtureRequest) -> Shelf:
    """A shelf for Ada, who may read it unless the test asks for more."""
    permission = getattr(request, "param", READ)
    with app.app_context():
        ada, category = makers.person("Ada"), makers.category("reports/2018")
        makers.grant(category, user=ada, permission=permission)
        made = Shelf(app, category.id, ada.id, makers.signed_in(app, ada))
    return made


publisher = pytest.mark.parametrize("shelf", [PUBLISH], indirect=True)
manager = pytest.mark.parametrize("shelf", [MANAGE], indirect=True)


def test_home_says_how_many_documents_are_new(shelf: Shelf) -> None:
    shelf.add("Old accounts", days=9)
    shelf.add("Tax return", days=1)
    shelf.add("Payroll", days=2)
    shelf.visited(days=5)
    page = shelf.look()

    assert "Two documents are new for you" in page
    assert "Your last visit was on" in page
    assert page.index("Tax return") < page.index("Payroll") < page.index("Earlier") < page.index("Old accounts")


@SQLITE_ONLY
def test_home_counts_beyond_twelve_in_figures(shelf: Shelf) -> None:
    for number in range(13):
        shelf.add(f"Letter {number}", days=1)
    shelf.visited(days=5)

    assert "13 documents are new for you" in shelf.look()


@SQLITE_ONLY
@pytest.mark.parametrize(("count", "has_more"), [(12, False), (13, True), (40, True)])
def test_home_leads_from_its_last_document_to_all_of_them(shelf: Shelf, count: int, has_more: bool) -> None:
    many(shelf, count)
    page = shelf.browser.get("/").text

    assert ("The newest 12 are shown. All documents" in words(page)) is has_more
    assert links(page[page.index('id="earlier"') :]).count("/documents") == (2 if has_more else 1)


@SQLITE_ONLY
def test_home_leads_on_to_what_it_did_not_even_look_at(shelf: Shelf) -> None:
    many(shelf, 33)
    with shelf.app.app_context():
        newest = select(Document.id).order_by(Document.published_at.desc()).limit(20)
        with transaction() as session:
            session.execute(update(Document).where(Document.id.not_in(newest)).values(published_at=makers.now(days=-9)))
    shelf.visited(days=5)
    page = shelf.look()

    assert "20 documents are new for you" in page
    assert "The newest 12 are shown. All documents" in page


@SQLITE_ONLY
def test_home_says_when_it_shows_no_more_of_the_new(shelf: Shelf) -> None:
    many(shelf, 28)
    shelf.visited(days=5)
    html = shelf.browser.get("/").text
    page = words(html)

    assert "More than 20 documents are new for you" in page
    assert "The newest 20 are shown." in page
    assert links(html[html.index("The newest 20 are shown.") :])[0] == "/documents"
    assert "Earlier" not in page


def test_one_new_document_is_one(shelf: Shelf) -> None:
    shelf.add("Tax return", days=1)
    shelf.visited(days=5)

    assert "One document is new for you" in shelf.look()


def test_a_first_visit_calls_nothing_new(shelf: Shelf) -> None:
    shelf.add("Tax return", days=1)
    page = shelf.look()

    assert "This is your first visit." in page
    assert "Tax return" in page
    assert "Not downloaded yet" in page
    assert "New" not in page.replace("Newest", "")


def test_the_note_of_a_first_visit_goes_with_the_first_download(shelf: Shelf) -> None:
    address = shelf.add("Tax return", days=1)
    assert "This is your first visit." in shelf.look()
    assert shelf.browser.get(f"{address}/download").status_code == 200

    assert "This is your first visit." not in shelf.look()


def test_the_note_of_a_first_visit_goes_with_the_second_sign_in(shelf: Shelf) -> None:
    shelf.add("Tax return", days=1)
    assert "This is your first visit." in shelf.look()
    with shelf.app.app_context():
        start_session(shelf.user_id, network=makers.NETWORK, agent="")

    page = shelf.look()

    assert "Your documents" in page
    assert "This is your first visit." not in page


def test_what_was_downloaded_is_no_longer_new(shelf: Shelf) -> None:
    address = shelf.add("Tax return", days=1)
    shelf.visited(days=5)
    assert shelf.browser.get(f"{address}/download").status_code == 200
    page = shelf.look()

    assert "You have everything" in page
    assert "You have it" in page


def test_nothing_new_is_not_yet_having_everything(shelf: Shelf) -> None:
    shelf.add("Tax return", days=9)
    shelf.visited(days=5)
    page = shelf.look()

    assert "Nothing is new for you" in page
    assert "You have everything" not in page


def test_a_newer_version_than_mine_needs_me_however_old_it_is(shelf: Shelf) -> None:
    address = shelf.add("Annual accounts", days=9)
    shelf.browser.get(f"{address}/download")
    shelf.add("Annual accounts", days=9, versions=2)
    shelf.visited(days=5)
    page = shelf.look()

    assert "One of your documents has a newer version" in page
    assert "You have version 1" in page
    assert "version 2 is out" in page


@SQLITE_ONLY
def test_an_empty_home_says_what_will_come(shelf: Shelf) -> None:
    page = shelf.look()

    assert "Nothing is here for you yet" in page
    assert "as soon as somebody publishes them for you" in page


@SQLITE_ONLY
@publisher
def test_an_empty_home_leads_a_publisher_to_the_upload(shelf: Shelf) -> None:
    assert "/admin/upload" in links(shelf.browser.get("/").text)


@publisher
def test_publishers_see_what_is_not_out_in_a_list_of_its_own(shelf: Shelf) -> None:
    shelf.visited(days=5)
    shelf.add("Draft letter", published_at=None)
    shelf.add("Planned letter", days=-3)
    with shelf.app.app_context():
        over = makers.now(days=-1)
    shelf.add("Past letter", days=3, expires_at=over)
    for path in ("/", "/categories/reports/2018"):
        page = shelf.look(path)
        assert "Not out" in page
        assert [page.count(title) for title in ("Draft letter", "Planned letter", "Past letter")] == [1, 1, 1]
        assert {"Draft", "Scheduled", "Expired"} <= set(page.split())
    assert "new for you" not in shelf.look()


def test_readers_see_nothing_of_what_is_not_out(shelf: Shelf) -> None:
    addresses = [shelf.add("Draft letter", published_at=None), shelf.add("Planned letter", days=-3)]
    with shelf.app.app_context():
        over = makers.now(days=-1)
    addresses.append(shelf.add("Past letter", days=3, expires_at=over))
    for path in ("/", "/documents", "/categories/reports/2018", "/search?q=letter"):
        html = shelf.browser.get(path).text
        assert "Not out" not in words(html), path
        assert not [title for title in ("Draft letter", "Planned letter", "Past letter") if title in words(html)], path
        assert not [address for address in addresses if address in html], path
    assert [shelf.browser.get(address).status_code for address in addresses] == [404, 404, 404]


def secret_id(shelf: Shelf, address: str) -> int:
    with shelf.app.app_context():
        found = catalog.find_ref(address.rpartition("/")[2])
        assert found is not None
        return found.id


def test_a_revoked_grant_empties_the_next_page(shelf: Shelf) -> None:
    shelf.add("Tax return")
    assert "Tax return" in shelf.look()
    with shelf.app.app_context():
        (row,) = catalog.list_grants(catalog.get_category(shelf.category_id))
        catalog.remove_grant(None, row.grant.id)

    assert "Tax return" not in shelf.look()
    shelf.look("/categories/reports/2018", 404)


def many(shelf: Shelf, count: int) -> None:
    """So many documents, published one second after the other, without bytes of their own in storage."""
    with shelf.app.app_context():
        start = makers.now(hours=-2)
        with transaction() as session:
            for number in range(count):
                content = makers.content_of(f"{number}".encode())
                made = put_document(None, shelf.category_id, f"payslip-{number:02}.pdf", content)
                at = start + timedelta(seconds=number)
                session.execute(update(Document).where(Document.id == made.document_id).values(published_at=at))


def test_a_long_list_goes_on_until_everything_was_shown_once(shelf: Shelf) -> None:
    many(shelf, 63)
    for path in ("/documents", "/categories/reports/2018"):
        titles, pages = walked(shelf, path)
        assert titles == [f"payslip-{number:02}" for number in reversed(range(63))], path
        assert pages == 3, path


def walked(shelf: Shelf, path: str) -> tuple[list[str], int]:
    """The titles of a list from its first page to its last, and the number of pages."""
    seen: list[str] = []
    pages = 0
    address: str | None = path
    while address:
        html = shelf.browser.get(address).text
        seen += re.findall(r'class="title"[^>]*>(.*?)</a>', re.sub("</?(wbr|mark)>", "", html))
        address = next((link for link in links(html) if "after=" in link), None)
        pages += 1
    return seen, pages


@SQLITE_ONLY
def test_a_list_says_how_much_of_it_is_shown(shelf: Shelf) -> None:
    many(shelf, 31)
    first = shelf.browser.get("/documents").text
    more = next(link for link in links(first) if "after=" in link)

    assert "The newest 30 are shown." in words(first)
    assert "That is all." in shelf.look(more)


def test_a_short_list_is_shown_whole(shelf: Shelf) -> None:
    shelf.add("Tax return")

    assert "1 document, all shown" in shelf.look("/documents")


@pytest.mark.parametrize("path", ["/documents?", "/categories/reports/2018?", "/search?q=a&"])
def test_a_page_that_never_was_is_refused_or_empty(shelf: Shelf, path: str) -> None:
    for after in ("x", "1-0", "1-", "-1", "٣-٤", "1-99999999999", "999999999999999999-1", "1;2"):
        assert shelf.browser.get(f"{path}after={after}").status_code in (200, 400), after


@publisher
def test_what_is_out_and_what_is_not_is_chosen_with_one_bar(shelf: Shelf) -> None:
    shelf.add("Draft letter", published_at=None)
    shelf.add("Letter")

    page = shelf.browser.get("/categories/reports/2018").text

    assert page.count("data-selection") == page.count("data-all") == 1
    assert "Select all 2 documents" in page
    form = page[page.index("data-selection") : page.index("</form>", page.index("data-selection"))]
    assert "Select Draft letter" in form
    assert "Select Letter" in form


@publisher
def test_a_category_shows_the_first_that_are_not_out_and_leads_to_the_others(shelf: Shelf) -> None:
    for number in range(9):
        shelf.add(f"Draft {number}", published_at=None)

    page = shelf.browser.get("/categories/reports/2018").text

    assert page.count('aria-label="Select Draft') == 8
    assert "The first 8 are shown." in words(page)
    assert "/admin/documents" in links(page)


def test_a_category_shows_its_own_documents_and_leads_below(shelf: Shelf) -> None:
    shelf.add("Annual report")
    with shelf.app.app_context():
        below = makers.category("reports/2018/feb")
        makers.document(below, "weather.csv")
        makers.category("reports/2018/mar", is_sealed=True)
    html = shelf.browser.get("/categories/reports/2018").text

    assert "Annual report" in words(html)
    assert "weather" not in words(html)
    assert links(html).count("/categories/reports/2018/feb") >= 2  # in the page, and in the tree
    assert "mar" not in words(html).split()


def test_a_number_in_the_tree_says_what_it_counts(shelf: Shelf) -> None:
    with shelf.app.app_context():
        makers.document(makers.category("letters"), "a.pdf")
        makers.document(makers.category("letters/2018"), "b.pdf")
        admin = makers.signed_in(shelf.app, makers.person("Root", is_admin=True))
    page = admin.get("/").text

    assert '<a href="/categories/letters" title="1 document directly in it">' in page
    assert "directly in it" not in shelf.browser.get("/").text


def test_the_way_to_a_category_leads_only_through_what_one_may_see(shelf: Shelf) -> None:
    with shelf.app.app_context():
        makers.category("reports/2018/feb")
        makers.category("reports/2017")
    html = shelf.browser.get("/categories/reports/2018/feb").text

    assert "/categories/reports/2018" in links(html)
    assert "/categories/reports" not in links(html)
    assert "2017" not in words(html)
    shelf.look("/categories/reports", 404)


@SQLITE_ONLY
def test_a_description_keeps_its_lines(shelf: Shelf) -> None:
    with shelf.app.app_context():
        makers.change(catalog.get_category(shelf.category_id), description="First line.\nSecond <b>line</b>.")
    html = shelf.browser.get("/categories/reports/2018").text

    assert "First line.\nSecond &lt;b&gt;line&lt;/b&gt;." in html


@SQLITE_ONLY
def test_an_empty_category_says_so_and_leads_back(shelf: Shelf) -> None:
    page = shelf.look("/categories/reports/2018")

    assert "Nothing here yet" in page
    assert "Back to Home" in page


@SQLITE_ONLY
def test_a_category_offers_a_reader_nothing_to_change(shelf: Shelf) -> None:
    page = shelf.look("/categories/reports/2018")

    assert "Upload here" not in page
    assert "Edit category" not in page


@SQLITE_ONLY
@publisher
def test_a_publisher_may_upload_but_not_edit(shelf: Shelf) -> None:
    html = shelf.browser.get("/categories/reports/2018").text

    assert "/admin/upload?category=reports/2018" in links(html)
    assert "Edit category" not in words(html)


@SQLITE_ONLY
@manager
def test_a_manager_may_do_both(shelf: Shelf) -> None:
    html = shelf.browser.get("/categories/reports/2018").text

    assert "/admin/upload?category=reports/2018" in links(html)
    assert f"/admin/categories/{shelf.category_id}" in links(html)


def _rename(shelf: Shelf, name: str) -> None:
    with shelf.app.app_context():
        category: Category = catalog.get_category(shelf.category_id)
        catalog.change_category(None, category.id, name=name, description="", is_sealed=False)


def test_an_old_address_of_a_category_leads_on(shelf: Shelf) -> None:
    _rename(shelf, "2018 and before")
    answer = shelf.browser.get("/categories/reports/2018")

    assert answer.status_code == 301
    assert answer.headers["Location"] == "/categories/reports/2018%20and%20before"
    assert "2018 and before" in shelf.look(answer.headers["Location"])


def test_an_old_address_tells_strangers_nothing(shelf: Shelf) -> None:
    _rename(shelf, "2018 and before")
    with shelf.app.app_context():
        stranger = makers.signed_in(shelf.app, makers.person("Eve"))
    answer = stranger.get("/categories/reports/2018")

    assert answer.status_code == 404
    assert "Location" not in answer.headers
    assert answer.data == stranger.get("/nothing").data


def test_a_document_tells_its_facts(shelf: Shelf) -> None:
    address = shelf.add(
        "Annual accounts", days=2, filename="annual_accounts-2025.pdf", description="Balance\nand notes."
    )
    html = shelf.browser.get(address).text
    page = words(html)

    assert "Annual accounts" in page
    assert "annual_accounts-2025.pdf" in page
    assert "Balance\nand notes." in html
    assert re.search(r"Published \w+day, \d+ \w+ \d{4}, \d\d:\d\d", page)
    assert re.search(r"SHA-256 [0-9a-f]{64}", page)
    assert "Download PDF, 26 bytes" in page
    assert "You do not have it yet." in page
    assert f"{address}/download" in links(html)


def test_a_document_is_reached_by_id_and_uuid(shelf: Shelf) -> None:
    address = shelf.add("Annual accounts")
    number = secret_id(shelf, address)

    assert shelf.browser.get(f"/documents/{number}").data.count(address.encode()) > 0


def test_a_document_says_what_i_have_of_it(shelf: Shelf) -> None:
    address = shelf.add("Annual accounts")
    shelf.browser.get(f"{address}/download")
    assert "You have it, downloaded on" in shelf.look(address)

    shelf.add("Annual accounts", versions=2)
    page = shelf.look(address)
    assert re.search(r"You have version 1, downloaded on \d+ \w+ ?\. Version 2 is newer\.", page)
    assert re.search(r"Version 2, current .* Not downloaded yet .* Version 1 .* Downloaded Today", page)


def test_a_download_that_broke_off_is_no_version_i_have(shelf: Shelf) -> None:
    address = shelf.add("Annual accounts")
    shelf.browser.get(f"{address}/download", headers={"Range": "bytes=0-3"})
    page = shelf.look(address)

    assert "You began to download it on" in page
    assert "You have" not in page


def test_a_later_download_that_broke_off_takes_nothing_back(shelf: Shelf) -> None:
    address = shelf.add("Annual accounts")
    shelf.browser.get(f"{address}/download")
    with shelf.app.app_context():
        yesterday = makers.now(days=-1)  # soon after, a piece would belong to that one
        with transaction() as session:
            session.execute(update(Download).values(closed_at=yesterday))
    shelf.browser.get(f"{address}/download", headers={"Range": "bytes=0-3"})

    assert "You have it, downloaded on" in shelf.look(address)


def test_every_version_has_its_own_download_and_note(shelf: Shelf) -> None:
    address = shelf.add("Annual accounts", versions=3)
    with shelf.app.app_context(), transaction() as session:
        session.execute(update(Version).where(Version.number == 3).values(note="Note 11, and\nthe <signature> page."))
    html = shelf.browser.get(address).text

    assert [f"{address}/versions/{number}/download" in links(html) for number in (1, 2, 3)] == [True] * 3
    assert "Changed in version 3" in words(html)
    assert html.count("Note 11, and\nthe &lt;signature&gt; page.") == 2


@SQLITE_ONLY
def test_a_document_says_what_was_just_done_with_it(shelf: Shelf) -> None:
    address = shelf.add("Annual accounts")

    assert "The changes are saved." in shelf.look(f"{address}?done=document-changed")
    assert 'role="status"' not in shelf.browser.get(f"{address}?done=something").text


@SQLITE_ONLY
def test_a_document_offers_a_reader_nothing_to_change(shelf: Shelf) -> None:
    html = shelf.browser.get(shelf.add("Annual accounts")).text

    assert "For publishers" not in html
    assert not [link for link in links(html) if link.endswith(("/edit", "/versions", "/move", "/links"))]


@SQLITE_ONLY
@publisher
def test_a_document_offers_a_publisher_what_to_do_with_it(shelf: Shelf) -> None:
    address = shelf.add("Annual accounts")
    html = shelf.browser.get(address).text

    assert {f"{address}/{what}" for what in ("edit", "versions", "move", "links", "deliveries")} <= set(links(html))


@SQLITE_ONLY
@publisher
@pytest.mark.parametrize(
    ("days", "is_draft", "sentence"),
    [(0, True, "This is a draft."), (-3, False, "It comes out on"), (3, False, "It expired on")],
)
def test_a_publisher_is_told_that_nobody_else_sees_it(shelf: Shelf, days: float, is_draft: bool, sentence: str) -> None:
    with shelf.app.app_context():
        over = makers.now(days=-1) if days > 0 else None
    columns: dict[str, Any] = {"expires_at": over} | ({"published_at": None} if is_draft else {})
    page = shelf.look(shelf.add("Letter", days=days, **columns))

    assert sentence in page
    assert "nly publishers" in page
