"""What is in a document, in a browser: pages turned without a script, images, tables, texts, or why there is none."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from portal import previews
from portal.accounts.sessions import start_session
from portal.previews import making
from portal.settings import Settings
from tests import makers
from tests.browser.looking import look_at
from tests.browser.test_scripts import signed_in
from tests.previews.samples import paper, picture
from tests.servers import serving

pytestmark = pytest.mark.browser

LONG = "A_name_of_a_column_that_is_longer_than_any_column_should_be_and_cannot_be_broken"


def furnish(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, str]]:
    """A document of every kind, all made; the token of a session, and the addresses."""
    monkeypatch.setattr(making, "SLICE_SECONDS", 600.0)
    table = f"{LONG},two,\n" + "".join(f"{'word ' * 40},{number},<b>\n" for number in range(80))
    files = {
        "pages": ("accounts.pdf", paper("Balance sheet", 100), "application/pdf"),
        "image": ("photo.png", picture("PNG", (1600, 900)), "image/png"),
        "table": ("figures.csv", table.encode(), "text/csv"),
        "text": ("readme.md", f"# Title\n\n{LONG * 5}\n<script>alert(1)</script>\n".encode() * 40, "text/markdown"),
        "nothing": ("archive.zip", b"PK\x05\x06" + bytes(18), "application/zip"),
    }
    with makers.running(settings) as app, app.app_context():
        admin, shelf = makers.person("Ada Byron", is_admin=True), makers.category("reports")
        made = {kind: f"/documents/{makers.document(shelf, *file).uuid}" for kind, file in files.items()}
        previews.take_turn(lambda: False)
        makers.document(shelf, "later.pdf", paper("Later"))
        return start_session(admin.id, network=makers.NETWORK, agent="tests"), made


@pytest.mark.timeout(240)
def test_what_is_in_a_document_is_seen(
    chromium: Browser, empty_house: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, paths = furnish(empty_house, monkeypatch)
    with serving(empty_house) as server:
        address = f"http://127.0.0.1:{server.port}"
        with chromium.new_context(base_url=address, java_script_enabled=True) as context:
            context.add_cookies([{"name": "portal", "value": token, "url": address}])
            page = context.new_page()
            page.on("dialog", lambda dialog: pytest.fail(dialog.message))
            for path in (*paths.values(), f"{paths['pages']}/versions/1?page=2", "/"):
                look_at(page, path)
            require_thumbnails(page)
        with chromium.new_context(base_url=address, java_script_enabled=False) as context:
            context.add_cookies([{"name": "portal", "value": token, "url": address}])
            turn(context.new_page(), paths["pages"])


def require_thumbnails(page: Page) -> None:
    """Of what has pages or is an image; drawn, and as large as the sheets of the others."""
    page.set_viewport_size({"width": 1280, "height": 1200})
    thumbs = page.locator("img.thumb")
    expect(thumbs).to_have_count(2)
    for thumb in thumbs.all():
        thumb.scroll_into_view_if_needed()
        expect(thumb).to_have_js_property("naturalWidth", 108)
    expect(page.locator("svg.thumb")).to_have_count(4)


def turn(page: Page, path: str) -> None:
    """On to the second page, and back; then the page alone."""
    page.goto(path)
    expect(page.locator("img.page")).to_have_attribute("alt", re.compile("Page 1 of 3"))
    page.get_by_role("link", name="Page 2", exact=True).click()
    expect(page.locator("img.page")).to_have_attribute("alt", re.compile("Page 2 of 3"))
    page.get_by_role("link", name="Page 1", exact=True).click()
    expect(page.locator("img.page")).to_have_attribute("alt", re.compile("Page 1 of 3"))
    page.get_by_role("link", name="Page 1 of 3").click()
    expect(page).to_have_url(re.compile("/preview/1$"))


PLACES = """names => Object.fromEntries(
    names.map(name => [name, document.querySelector(name).getBoundingClientRect().top]))"""
AROUND = ["h1", ".facts", "#versions", ".foot"]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("file", "shown"),
    [
        (("later.pdf", paper("Balance sheet"), "application/pdf"), "img.page"),
        (("later.png", picture("PNG", (300, 1600)), "image/png"), "img.page"),
        (("later.csv", b"one,two\n" * 90, "text/csv"), ".few"),
        (("later.md", b"one\n" * 90, "text/markdown"), "pre.inside"),
    ],
    ids=["pages", "image", "table", "text"],
)
def test_a_preview_that_was_being_made_comes_by_itself_and_moves_nothing(
    chromium: Browser, empty_house: Settings, file: tuple[str, bytes, str], shown: str
) -> None:
    with makers.running(empty_house) as app, serving(empty_house) as server:
        with app.app_context():
            path = f"/documents/{makers.document(makers.category('reports'), *file).uuid}"
            context = signed_in(chromium, server, makers.person("Ada Byron", is_admin=True))
        with context:
            page = context.new_page()
            look_at(page, path)
            expect(page.get_by_text("It comes here by itself.")).to_be_visible()
            expect(page.get_by_text("load this page again")).to_be_hidden()
            before = page.evaluate(PLACES, AROUND)

            with app.app_context():
                previews.take_turn(lambda: False)

            expect(page.locator(f"#made {shown}")).to_be_visible(timeout=40_000)
            expect(page.get_by_text("A preview is being made.")).to_have_count(0)
            assert page.evaluate(PLACES, AROUND) == before


@pytest.mark.timeout(240)
def test_what_came_by_itself_is_printed_whole(chromium: Browser, empty_house: Settings) -> None:
    with makers.running(empty_house) as app, serving(empty_house) as server:
        with app.app_context():
            file = ("later.md", b"one\n" * 90, "text/markdown")
            path = f"/documents/{makers.document(makers.category('reports'), *file).uuid}"
            context = signed_in(chromium, server, makers.person("Ada Byron", is_admin=True))
        with context:
            page = context.new_page()
            page.goto(path)
            with app.app_context():
                previews.take_turn(lambda: False)
            text = page.locator("#made pre.inside")
            expect(text).to_be_visible(timeout=40_000)
            is_cut = "element => element.scrollHeight > element.clientHeight"
            assert text.evaluate(is_cut), "on the screen it is scrolled in the place that was kept for it"

            page.emulate_media(media="print")

            assert not text.evaluate(is_cut)


@pytest.mark.timeout(240)
def test_a_page_does_not_wait_for_ever_for_a_preview(chromium: Browser, empty_house: Settings) -> None:
    with makers.running(empty_house) as app, serving(empty_house) as server:
        with app.app_context():
            path = f"/documents/{makers.document(makers.category('reports'), 'later.pdf', paper('Later')).uuid}"
            context = signed_in(chromium, server, makers.person("Ada Byron", is_admin=True))
        with context:
            page = context.new_page()
            page.clock.install()
            page.goto(path)
            for seconds in (2, 4, 8, 16, 32):
                expect(page.get_by_text("It comes here by itself.")).to_be_visible()
                with page.expect_response(re.compile(f"{path}$")):
                    page.clock.run_for(seconds * 1000)

            expect(page.get_by_text("load this page again in a moment")).to_be_visible()
            expect(page.get_by_text("It comes here by itself.")).to_be_hidden()
