"""The whole story in a browser: from the setup address to somebody without an account who downloads."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import as_installed
from tests.browser.looking import look_at
from tests.databases import SqliteTemplate
from tests.servers import Server, serving

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PASSWORD = "four words without meaning"
REPORT = b"%PDF-1.4\n% a report that only this test knows\n%%EOF\n"


def open_context(chromium: Browser, server: Server) -> BrowserContext:
    """A fresh browser profile."""
    context = chromium.new_context(base_url=f"http://127.0.0.1:{server.port}")
    context.set_default_timeout(15_000)
    return context


def set_up(page: Page, server: Server) -> None:
    """Become the first administrator at the address the server printed."""
    found = re.search(r"Setup: \S+(/setup/\S+)", server.output)
    assert found is not None
    page.goto(found[1])
    page.locator("input[name=name]").fill("Ada Byron")
    page.locator("input[name=email]").fill("ada@example.org")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("form button.primary").click()
    expect(page).to_have_url(re.compile(r"/$"))


def add_category(page: Page, name: str) -> None:
    """A category at the top."""
    page.goto("/admin/categories")
    page.locator("form").filter(has=page.locator("input[name=name]")).first.locator("input[name=name]").fill(name)
    page.locator("form").filter(has=page.locator("input[name=name]")).first.locator("button").click()
    expect(page.get_by_text(name).first).to_be_visible()


def upload(page: Page, category: str, path: Path) -> None:
    """A document by the upload page."""
    page.goto("/admin/upload")
    page.locator("select[name=category]").select_option(category)
    page.locator("input[name=files]").set_input_files(path)
    page.locator("main button.primary").click()
    expect(page.get_by_role("link", name=path.name, exact=True)).to_be_visible()  # before it was sent, it was no link


def download(page: Page) -> bytes:
    """What the one primary button gives."""
    with page.expect_download() as waiting:
        page.locator("main .button.primary").click()
    return Path(waiting.value.path()).read_bytes()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reports") / "Annual report 2026.pdf"
    path.write_bytes(REPORT)
    return path


@pytest.mark.timeout(240)
def test_from_setup_to_a_download_by_a_reader_and_by_a_recipient(
    chromium: Browser, server: Server, report: Path
) -> None:
    with open_context(chromium, server) as staff:
        page = staff.new_page()
        set_up(page, server)
        add_category(page, "reports")
        upload(page, "reports", report)

        page.goto("/admin/people/new")
        page.locator("input[name=name]").fill("Bob Rider")
        page.locator("input[name=email]").fill("bob@example.org")
        page.locator("main button.primary").click()
        address = find_address(page, "/setup/")
        page.goto("/search?q=annual")
        page.get_by_role("link", name="Annual report 2026").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Annual report 2026")
        document = page.url
        page.goto(f"{document}/links")
        page.locator("input[name=label]").fill("For the auditor")
        page.locator("main button.primary").click()
        link = find_address(page, "/s/")
        grant_everyone(page)

    with open_context(chromium, server) as reader:
        page = reader.new_page()
        page.goto(address)
        page.locator("input[name=password]").fill(PASSWORD)
        page.locator("form button.primary").click()
        expect(page).to_have_url(re.compile(r"/$"))
        page.goto(document)
        expect(page.get_by_role("heading", level=1)).to_have_text("Annual report 2026")
        assert download(page) == REPORT
        page.reload()
        expect(page.get_by_text("You have").first).to_be_visible()
        page.locator(".me summary").click()
        page.get_by_role("button", name="Sign out").first.click()
        expect(page).to_have_url(re.compile("/login"))

    with open_context(chromium, server) as recipient:
        page = recipient.new_page()
        page.goto(link)
        expect(page.get_by_role("heading", level=1)).to_contain_text("Annual report 2026")
        assert hashlib.sha256(download(page)).digest() == hashlib.sha256(REPORT).digest()


def find_address(page: Page, part: str) -> str:
    """A one-time or share address shown on the page, or on the one that is just coming."""
    expect(page.locator("main")).to_contain_text(part)
    found = re.search(rf"http://[^\s\"'<]*{part}[A-Za-z0-9_-]{{43}}", page.content().replace("<wbr>", ""))
    assert found is not None, page.content()
    return found[0]


def grant_everyone(page: Page) -> None:
    """Let everybody signed in read the category."""
    page.goto("/admin/categories")
    page.locator("main").get_by_role("link", name="reports").first.click()
    form = page.locator("form[action$='/grants']").filter(has=page.locator("[value=everyone]")).first
    choice = form.locator("[value=everyone]")
    if choice.evaluate("element => element.tagName") == "OPTION":
        form.locator("select:has([value=everyone])").select_option("everyone")
    else:
        choice.check()
    form.locator("button").last.click()
    expect(page.get_by_text("Everyone").first).to_be_visible()


PAGES = ["/", "/documents", "/categories/reports", "/search?q=annual", "/account", "/admin/", "/admin/upload"]
PAGES += ["/admin/people", "/admin/groups", "/admin/categories", "/admin/links", "/admin/downloads", "/admin/log"]
PAGES += ["/admin/trash", "/admin/storage", "/nowhere"]
PAGES += [f"/admin/categories/1{more}" for more in ("", "/fields", "/move?parent=top", "/trash")]


@pytest.fixture(scope="module")
def staff(
    chromium: Browser, sqlite_template: SqliteTemplate, report: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """An administrator signed in to a portal with one document."""
    settings = as_installed(sqlite_template, tmp_path_factory.mktemp("house"))
    with serving(settings) as server, open_context(chromium, server) as context:
        page = context.new_page()
        set_up(page, server)
        add_category(page, "reports")
        upload(page, "reports", report)
        page.close()
        yield context


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_accessible_and_fits(staff: BrowserContext, path: str) -> None:
    page = staff.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    look_at(page, path)
    page.close()
    assert [text for text in problems if "404" not in text] == []
