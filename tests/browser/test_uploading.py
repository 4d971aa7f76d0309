"""Uploading in a real browser: many files and folders, over lines that are cut, and by whoever closes the page."""

import hashlib
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Error, Locator, Page, Request, Route, expect
from sqlalchemy import select

from portal.catalog import change_category
from portal.extensions import db
from portal.models import PUBLISH, Category, Document, Upload, User, Version
from tests import makers
from tests.browser.conftest import as_installed
from tests.browser.looking import look
from tests.browser.test_scripts import signed_in
from tests.databases import SqliteTemplate
from tests.servers import Server, serving

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

MIB = 1024 * 1024
LARGE = bytes(range(256)) * 4096 * 5
"""Five MiB: more than comes with one request."""
LONG = 30_000
"""Milliseconds that sending may take on a busy machine."""
UPLOADS = re.compile(r"/uploads(/[0-9a-f-]+)?$")


@dataclass
class Desk:
    """A publisher before the upload page, and what their browser has sent to /uploads."""

    page: Page
    context: BrowserContext
    document: Document
    sent: list[Request] = field(default_factory=list)

    def choose(self, *files: Path) -> None:
        """Choose these files."""
        self.page.locator("#files").set_input_files(list(files))

    def start(self) -> None:
        """Press the one button."""
        self.page.locator("main .button.primary").click()

    def row(self, name: str) -> Locator:
        """The row of an upload."""
        return self.page.locator(".uploads > li").filter(has_text=name)

    def patched(self) -> int:
        """How many bytes were sent in pieces so far."""
        return sum(len(one.post_data_buffer or b"") for one in self.sent if one.method == "PATCH")


class Line:
    """A line to a server that is cut after so many bytes have gone over it, until somebody mends it."""

    def __init__(self, port: int, *, cut_after: int) -> None:
        self._server, self._left, self.is_cut = port, cut_after, False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> "Line":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def mend(self) -> None:
        """It holds from now on."""
        self._left, self.is_cut = 10**12, False

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                browser, _ = self._listener.accept()
                if self.is_cut:
                    browser.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._server))
                threading.Thread(target=self._pass_on, args=(browser, server, True), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(server, browser, False), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_up: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
                self._left -= len(data) if is_up else 0
                self.is_cut = self.is_cut or self._left < 0
                if self.is_cut:
                    break
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@dataclass
class Held:
    """Requests of a browser that wait until they are let go."""

    routes: list[Route] = field(default_factory=list)
    is_over: bool = False

    def let_go(self) -> None:
        """Let all go, and those to come."""
        self.is_over = True
        for route in self.routes:
            route.continue_()
        self.routes.clear()


@contextmanager
def held_back(page: Page, *, after: int) -> Iterator[Held]:
    """After so many pieces the next ones go nowhere, as if the line were very slow; what is held at the end is lost."""
    held = Held()
    passing = iter(range(after))

    def hold(route: Route) -> None:
        if route.request.method != "PATCH" or held.is_over or next(passing, None) is not None:
            route.continue_()
        else:
            held.routes.append(route)

    page.route(UPLOADS, hold)
    yield held
    held.is_over = True
    for route in held.routes:
        with suppress(Error):  # the page has given it up itself
            route.abort()
    page.unroute(UPLOADS, hold)


@pytest.fixture(scope="module")
def server(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = as_installed(sqlite_template, tmp_path_factory.mktemp("uploading"))
    with makers.running(settings) as app, serving(settings) as server, app.app_context():
        yield server


@pytest.fixture
def desk(chromium: Browser, server: Server) -> Iterator[Desk]:
    """Somebody who has never uploaded anything, and publishes in an `inbox` that is new each time."""
    inbox = makers.category("inbox")
    ada = makers.person(f"Ada {inbox.id}")
    makers.grant(inbox, user=ada, permission=PUBLISH)
    document = makers.document(inbox, "annual.pdf", b"%PDF-1.7 annual")
    with signed_in(chromium, server, ada) as context:
        page = context.new_page()
        page.set_default_timeout(15_000)
        found = Desk(page, context, document)
        page.on("request", lambda request: found.sent.append(request) if UPLOADS.search(request.url) else None)
        page.on("pageerror", lambda problem: pytest.fail(str(problem)))
        page.goto("/admin/upload?category=inbox")
        yield found
    change_category(None, inbox.id, name=f"inbox {inbox.id} of before", description="")


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.bin"
    path.write_bytes(LARGE)
    return path


def leave_unfinished(desk: Desk, large: Path) -> None:
    """Close the page when one piece has arrived, and open it again."""
    with held_back(desk.page, after=1):
        desk.choose(large)
        desk.start()
        expect(desk.row("large.bin")).to_contain_text("1.0 of 5.2 MB", timeout=LONG)
        desk.page.on("dialog", lambda dialog: dialog.accept())
        desk.page.reload()
        expect(desk.row("large.bin")).to_contain_text("Not finished.")
    desk.sent.clear()


def drop(page: Page, *paths: Path, on: str = "main") -> None:
    """Drop files and folders from the machine's file manager on a part of the page."""
    page.locator(on).scroll_into_view_if_needed()
    box = page.locator(on).bounding_box()
    assert box is not None
    place = {"x": box["x"] + min(box["width"], 100) / 2, "y": box["y"] + min(box["height"], 40) / 2}
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    tools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        tools.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rename(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))


def press_tab_until(page: Page, wanted: Locator) -> None:
    """Go on with the keyboard until something has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    pytest.fail("it is not reached with the keyboard")


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    for _ in range(300):
        if holds():
            return
        time.sleep(0.05)
    pytest.fail("it never holds")


def states() -> list[str]:
    """Of all uploads to `inbox`."""
    db.session.rollback()
    return sorted(db.session.scalars(select(Upload.state).join(Category).where(Category.path == "inbox")))


def stored() -> dict[str, str]:
    """Path to the hash of what is in the catalog."""
    db.session.rollback()
    rows = db.session.execute(
        select(Category.path, Document.filename, Version.sha256)
        .join(Document, Document.category_id == Category.id)
        .join(Version, Version.id == Document.current_version_id)
        .where(Category.path.startswith("inbox/") | (Category.path == "inbox"))
    )
    return {f"{path}/{filename}": sha256 for path, filename, sha256 in rows}


def test_several_documents_and_an_empty_one_come_in(desk: Desk, large: Path) -> None:
    for name, content in (("a.txt", b"one"), ("b.txt", b"")):
        (large.parent / name).write_bytes(content)
    files = [large.parent / name for name in ("a.txt", "b.txt", "large.bin")]
    desk.choose(*files)
    expect(desk.page.locator(".uploads > li")).to_have_count(3)
    expect(desk.page.locator("main .button.primary")).to_have_text("Upload 3 documents 5.2 MB")
    desk.start()
    expect(desk.page.locator("#uploads [data-count]")).to_have_text("3 of 3 are done.", timeout=LONG)

    for file in files:
        assert stored()[f"inbox/{file.name}"] == sha256_of(file)
    desk.page.get_by_role("link", name="a.txt", exact=True).click()
    expect(desk.page.locator("h1")).to_have_text("a")


def test_what_was_chosen_is_in_the_list_and_no_longer_in_the_field(desk: Desk, large: Path) -> None:
    desk.choose(large)
    expect(desk.row("large.bin")).to_be_visible()
    expect(desk.page.locator("#files")).to_have_css("font-size", "0px")  # that of "No file chosen", not of the button
    desk.page.get_by_label("Choose documents, or drop them here").focus()
    expect(desk.page.locator("#files")).to_be_focused()


def test_once_all_is_in_nothing_is_said_of_what_is_unfinished(desk: Desk, tmp_path: Path) -> None:
    page, unfinished = desk.page, desk.page.get_by_text("Unfinished uploads wait 24 hours", exact=False)
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    desk.choose(tmp_path / "a.txt")
    expect(unfinished).to_be_visible()
    desk.start()
    expect(page.locator("#uploads [data-count]")).to_have_text("1 of 1 is done.", timeout=LONG)
    expect(unfinished).to_be_hidden()

    desk.choose(tmp_path / "b.txt")
    expect(page.locator("#uploads [data-count]")).to_have_text("1 of 2 is done.")
    expect(unfinished).to_be_visible()


def test_what_is_said_of_an_upload_is_not_asked_any_more_once_it_is_in(desk: Desk, tmp_path: Path) -> None:
    page = desk.page
    (tmp_path / "a.txt").write_text("a")
    desk.choose(tmp_path / "a.txt")
    page.get_by_role("button", name="More for a.txt").click()
    form = page.get_by_role("form", name="a.txt")
    expect(form).to_be_visible()
    desk.start()
    expect(desk.row("a.txt")).to_contain_text("Done.", timeout=LONG)
    expect(form).to_have_count(0)


def test_words_that_come_too_late_for_an_upload_are_not_called_saved(desk: Desk, tmp_path: Path) -> None:
    page = desk.page
    (tmp_path / "a.txt").write_text("a")
    desk.choose(tmp_path / "a.txt")
    page.get_by_role("button", name="More for a.txt").click()
    form = page.get_by_role("form", name="a.txt")
    form.get_by_label("Title").fill("Too late")
    desk.start()
    expect(desk.row("a.txt")).to_contain_text("Done.", timeout=LONG)
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("It is in by now, and this was not saved.")
    expect(form.get_by_label("Title")).to_have_value("Too late")


def test_what_is_said_in_passing_does_not_lie_over_the_menu(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    for name in (".hidden", "a.txt"):
        (folder / name).write_text(name)
    desk.page.locator("[data-folder]").set_input_files(folder)
    expect(desk.page.locator(".toast")).to_have_text("1 hidden file or folder was left out.")
    for width in (1440, 1280, 1000):
        desk.page.set_viewport_size({"width": width, "height": 800})
        left = "element => element.getBoundingClientRect().left"
        assert desk.page.locator(".toast").evaluate(left) == desk.page.locator("main").evaluate(left), width


def test_a_folder_becomes_a_category_with_those_below_it(desk: Desk, tmp_path: Path) -> None:
    for path in ("2026/jan/a.txt", "2026/feb/a.txt", "2026/b.txt", "2026/.hidden/c.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    desk.page.locator("[data-folder]").set_input_files(tmp_path / "2026")
    expect(desk.page.get_by_text("1 hidden file or folder was left out.")).to_be_visible()
    desk.start()
    expect(desk.page.locator("#uploads [data-count]")).to_have_text("3 of 3 are done.", timeout=LONG)

    assert set(stored()) == {"inbox/annual.pdf", "inbox/2026/jan/a.txt", "inbox/2026/feb/a.txt", "inbox/2026/b.txt"}


def test_what_is_dropped_on_a_category_goes_there_folders_and_all(desk: Desk, tmp_path: Path) -> None:
    page = desk.page
    (tmp_path / "sheets").mkdir()
    for path in ("sheets/a.csv", "b.csv"):
        (tmp_path / path).write_text(path)
    page.goto("/categories/inbox")
    drop(page, tmp_path / "sheets", tmp_path / "b.csv")
    button = page.get_by_role("button", name="Upload 2 documents")
    expect(button).to_be_focused()
    assert set(stored()) == {"inbox/annual.pdf"}
    look(page, "a category with what was dropped on it")
    button.click()
    expect(page.locator("#uploads [data-count]")).to_have_text("2 of 2 are done.", timeout=LONG)

    assert set(stored()) == {"inbox/annual.pdf", "inbox/sheets/a.csv", "inbox/b.csv"}


def test_what_is_dropped_on_a_document_becomes_its_next_version(desk: Desk, tmp_path: Path) -> None:
    page = desk.page
    for name in ("new.pdf", "other.pdf"):
        (tmp_path / name).write_bytes(b"%PDF-1.7 " + name.encode())
    page.goto(f"/documents/{desk.document.uuid}")
    drop(page, tmp_path / "new.pdf", tmp_path / "other.pdf")
    expect(page.get_by_text("A document gets one new version. Drop one file.")).to_be_visible()
    drop(page, tmp_path / "new.pdf")
    page.get_by_role("button", name="More for new.pdf").click()
    page.get_by_label("What changed").fill("The vote is in")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Add it as version 2").click()
    expect(page.locator("#uploads [data-count]")).to_have_text("1 of 1 is done.", timeout=LONG)
    page.get_by_role("link", name="See the document as it is now").click()
    expect(page.locator(".notice.info")).to_contain_text("The vote is in")


def test_what_is_dropped_on_the_field_for_copies_is_not_uploaded(desk: Desk, tmp_path: Path) -> None:
    page = desk.page
    (tmp_path / "copy.pdf").write_bytes(b"%PDF-1.7 annual")
    page.goto(f"/documents/{desk.document.uuid}")
    drop(page, tmp_path / "copy.pdf", on="#own-copy")

    expect(page.locator("#copy-answer")).to_contain_text("Your copy is current.")
    expect(page.locator("#uploads")).to_have_count(0)


def test_a_line_that_is_cut_in_the_middle_of_the_bytes_goes_on_by_itself(
    desk: Desk, server: Server, large: Path
) -> None:
    with Line(server.port, cut_after=3 * MIB) as line:
        desk.page.goto(f"http://127.0.0.1:{line.port}/admin/upload?category=inbox")
        desk.choose(large)
        desk.start()
        expect(desk.row("large.bin")).to_contain_text("Waiting for the line.")
        expect(desk.row("large.bin")).to_contain_text("1.0 of 5.2 MB are here")
        line.mend()
        expect(desk.row("large.bin")).to_contain_text("Done.", timeout=LONG)

    assert stored()["inbox/large.bin"] == sha256_of(large)
    assert desk.patched() == len(LARGE) + len(LARGE) - MIB


def test_the_same_file_goes_on_where_it_was_after_the_page_was_closed(desk: Desk, large: Path) -> None:
    leave_unfinished(desk, large)
    row = desk.row("large.bin")
    expect(row).to_contain_text("Not finished. 1.0 of 5.2 MB are here.")
    look(desk.page, "an upload that was left unfinished")
    desk.choose(large)
    expect(row).to_contain_text("Done.", timeout=LONG)

    assert desk.patched() == len(LARGE) - MIB
    assert stored()["inbox/large.bin"] == sha256_of(large)
    assert desk.page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('upload:'))") == []


def test_it_goes_on_also_when_the_category_is_chosen_after_the_file(desk: Desk, large: Path) -> None:
    ada = db.session.scalars(select(User).order_by(User.id.desc())).first()
    makers.grant(makers.category("elsewhere"), user=ada, permission=PUBLISH)
    leave_unfinished(desk, large)
    desk.page.goto("/admin/upload")
    expect(desk.row("large.bin")).to_contain_text("Not finished.")
    desk.choose(large)
    expect(desk.page.locator(".uploads > li")).to_have_count(2)
    desk.page.locator("#category").select_option("inbox")
    desk.start()
    expect(desk.page.locator(".uploads > li")).to_have_count(1)
    expect(desk.row("large.bin")).to_contain_text("Done.", timeout=LONG)

    assert desk.patched() == len(LARGE) - MIB
    assert stored()["inbox/large.bin"] == sha256_of(large)


def test_a_file_that_was_changed_since_does_not_go_on_with_the_bytes_of_before(desk: Desk, large: Path) -> None:
    leave_unfinished(desk, large)
    large.write_bytes(LARGE[::-1])
    os.utime(large, (1, 1))
    desk.choose(large)
    expect(desk.page.locator(".uploads > li")).to_have_count(2)
    desk.start()
    expect(desk.page.locator("#uploads [data-count]")).to_have_text("1 of 2 is done.", timeout=LONG)

    assert stored()["inbox/large.bin"] == sha256_of(large)


def test_another_browser_goes_on_with_it_and_asks_for_the_file(desk: Desk, large: Path) -> None:
    leave_unfinished(desk, large)
    page = desk.page
    page.evaluate("localStorage.clear()")
    page.reload()
    (large.parent / "other.bin").write_bytes(b"other")
    go_on = page.get_by_role("button", name="Go on with large.bin")
    with page.expect_file_chooser() as choosing:
        go_on.click()
    choosing.value.set_files(large.parent / "other.bin")
    expect(page.get_by_text("This is another file")).to_be_visible()
    with page.expect_file_chooser() as choosing:
        go_on.click()
    choosing.value.set_files(large)
    expect(desk.row("large.bin")).to_contain_text("Done.", timeout=LONG)

    assert stored()["inbox/large.bin"] == sha256_of(large)


def test_it_pauses_goes_on_and_is_cancelled(desk: Desk, large: Path) -> None:
    page, row = desk.page, desk.row("large.bin")
    with held_back(page, after=1):
        desk.choose(large)
        desk.start()
        expect(row).to_contain_text("1.0 of 5.2 MB", timeout=LONG)
        page.get_by_role("button", name="Pause large.bin").click()
        expect(row).to_contain_text("Paused. 1.0 of 5.2 MB are here")
        words, bar = (row.locator(part).bounding_box() for part in (".meta", "progress"))
        assert words is not None
        assert bar is not None
        assert bar["x"] >= words["x"] + words["width"], "on a wide screen the bar stands beside the words"
    page.get_by_role("button", name="Go on with large.bin").click()
    expect(row).to_contain_text("Done.", timeout=LONG)
    assert desk.patched() == len(LARGE) + len(LARGE) - MIB  # what was under way when it paused was sent again

    (large.parent / "more.bin").write_bytes(LARGE + b"more")
    with held_back(page, after=1):
        desk.choose(large.parent / "more.bin")
        desk.start()
        expect(desk.row("more.bin")).to_contain_text("1.0 of 5.2 MB", timeout=LONG)
        page.get_by_role("button", name="Pause all").click()
        expect(desk.row("more.bin")).to_contain_text("Paused.")
        page.get_by_role("button", name="Cancel more.bin").click()
    expect(desk.row("more.bin")).to_have_count(0)
    until(lambda: states() == ["cancelled", "done"])
    assert "inbox/more.bin" not in stored()


def test_what_is_refused_is_told_on_top_and_can_be_tried_again(desk: Desk, tmp_path: Path) -> None:
    page = desk.page
    (tmp_path / "annual.pdf").write_bytes(b"no pdf at all")
    (tmp_path / "fine.txt").write_bytes(b"fine")
    desk.choose(tmp_path / "fine.txt", tmp_path / "annual.pdf")
    desk.start()
    first = page.locator(".uploads > li").first
    expect(first).to_contain_text("annual.pdf")
    expect(first).to_contain_text("Not accepted. annual.pdf is not what its name says")
    expect(desk.row("fine.txt")).to_contain_text("Done.", timeout=LONG)
    look(page, "uploads of which one was refused")
    assert len(stored()) == 2

    (tmp_path / "taken.pdf").write_bytes(b"%PDF-1.7 other")
    page.reload()
    page.get_by_label("When the category has a document of this filename").select_option("refuse")
    desk.choose(rename(tmp_path / "taken.pdf", "annual.pdf"))
    desk.start()
    expect(desk.row("annual.pdf")).to_contain_text("There is already a document called annual.pdf here.")
    page.get_by_role("button", name="More for annual.pdf").click()
    form = page.get_by_role("form", name="annual.pdf")
    form.get_by_label("When the category has a document of this filename").select_option("rename")
    form.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Try again annual.pdf").click()
    expect(desk.row("annual.pdf")).to_contain_text("Done.", timeout=LONG)
    assert set(stored()) == {"inbox/annual.pdf", "inbox/annual (2).pdf", "inbox/fine.txt"}


def test_what_is_there_already_is_not_sent_and_what_is_new_of_it_is_said(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "annual.pdf").write_bytes(b"%PDF-1.7 annual")
    (tmp_path / "fresh.pdf").write_bytes(b"%PDF-1.7 annual")
    desk.choose(tmp_path / "annual.pdf", tmp_path / "fresh.pdf")
    desk.start()
    expect(desk.page.locator("#uploads [data-count]")).to_have_text("2 of 2 are done.", timeout=LONG)

    expect(desk.row("annual.pdf")).to_contain_text("The same bytes are already there; nothing had to be sent.")
    link = desk.page.get_by_role("link", name="annual.pdf", exact=True)
    expect(link).to_have_attribute("href", f"/documents/{desk.document.uuid}")
    expect(desk.row("fresh.pdf")).to_contain_text("Version 1", timeout=LONG)
    assert sum(one.method == "POST" for one in desk.sent) == 1


def test_what_is_said_of_it_changes_while_it_is_on_its_way(desk: Desk, large: Path) -> None:
    page = desk.page
    page.get_by_label("Title").fill("As first said")
    with held_back(page, after=1):
        desk.choose(large)
        desk.start()
        expect(desk.row("large.bin")).to_contain_text("1.0 of 5.2 MB", timeout=LONG)
        page.get_by_role("button", name="More for large.bin").click()
        form = page.get_by_role("form", name="large.bin")
        expect(form.get_by_label("Title")).to_be_focused()
        expect(form.get_by_label("Title")).to_have_value("As first said")
        form.get_by_label("Title").fill("Said better")
        form.get_by_label("Tags").fill("spring, members")
        form.get_by_label("As a draft").check()
        form.get_by_label("Readers see it from").fill("2999-01-01T09:00")
        form.get_by_role("button", name="Save").click()
        expect(form.get_by_role("alert")).to_contain_text("A draft is seen from no moment on.")
        look(page, "what is said of an upload on its way")
        page.set_viewport_size({"width": 1280, "height": 800})
        form.get_by_label("Readers see it from").fill("")
        form.get_by_role("button", name="Save").click()
        expect(form).to_have_count(0)
        expect(page.get_by_role("button", name="More for large.bin")).to_be_focused()
        page.get_by_role("button", name="Pause large.bin").click()
    page.get_by_role("button", name="Go on with large.bin").click()
    expect(desk.row("large.bin")).to_contain_text("a draft", timeout=LONG)

    db.session.rollback()
    here = select(Document).join(Category).where(Category.path == "inbox", Document.filename == "large.bin")
    found = db.session.scalars(here).one()
    assert (found.title, found.published_at) == ("Said better", None)


def test_somebody_signed_out_meanwhile_goes_on_after_signing_in_again(desk: Desk, large: Path) -> None:
    page = desk.page
    cookies = desk.context.cookies()
    with held_back(page, after=1) as line:
        desk.choose(large)
        desk.start()
        expect(desk.row("large.bin")).to_contain_text("1.0 of 5.2 MB", timeout=LONG)
        desk.context.clear_cookies()
        line.let_go()
        expect(page.get_by_role("alert").filter(has_text="You are signed out.")).to_be_visible()
        expect(desk.row("large.bin")).to_contain_text("Paused.")
    desk.context.add_cookies(
        [{"name": "portal", "value": cookies[0]["value"], "url": page.evaluate("location.origin")}]
    )
    page.get_by_role("button", name="Go on with all").click()
    expect(desk.row("large.bin")).to_contain_text("Done.", timeout=LONG)


def test_all_of_it_is_done_with_the_keyboard_alone(desk: Desk, large: Path) -> None:
    page = desk.page
    desk.choose(large)
    with held_back(page, after=1):
        page.locator("main .button.primary").focus()
        page.keyboard.press("Enter")
        expect(desk.row("large.bin")).to_contain_text("1.0 of 5.2 MB", timeout=LONG)
        pause = page.get_by_role("button", name="Pause large.bin")
        press_tab_until(page, pause)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Go on with large.bin")).to_be_focused()
        expect(page.locator("#uploads [role=status]")).to_contain_text("0 of 1 is done.")
    page.keyboard.press("Enter")
    expect(desk.row("large.bin")).to_contain_text("Done.", timeout=LONG)
    expect(page.get_by_role("link", name="large.bin", exact=True)).to_be_focused()


def test_whoever_leaves_while_it_sends_is_asked(desk: Desk, large: Path) -> None:
    page = desk.page
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    with held_back(page, after=1):
        desk.choose(large)
        desk.start()
        expect(desk.row("large.bin")).to_contain_text("1.0 of 5.2 MB", timeout=LONG)
        page.evaluate("location.assign('/')")
        until(lambda: asked == ["beforeunload"])


def test_many_rows_are_shown_in_parts_and_by_how_they_are(desk: Desk, tmp_path: Path) -> None:
    page = desk.page
    for number in range(60):
        (tmp_path / f"paper {number:03}.txt").write_text(str(number))
    desk.choose(*sorted(tmp_path.glob("*.txt")))
    expect(page.locator(".uploads > li")).to_have_count(50)
    page.get_by_role("button", name="Show 10 more").click()
    expect(page.locator(".uploads > li")).to_have_count(60)
    desk.start()
    expect(page.locator("#uploads [data-count]")).to_have_text("60 of 60 are done.", timeout=LONG)
    page.get_by_role("button", name="failed").click()
    expect(page.locator(".uploads > li")).to_have_count(0)
    page.get_by_role("button", name="60 done").click()
    expect(page.locator(".uploads > li")).to_have_count(50)
    assert len(stored()) == 61


def test_without_scripts_the_form_takes_several_documents(chromium: Browser, desk: Desk, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    with chromium.new_context(
        base_url=desk.page.url, java_script_enabled=False, storage_state=desk.context.storage_state()
    ) as context:
        page = context.new_page()
        page.goto("/admin/upload")
        page.locator("#category").select_option("inbox")
        page.locator("#files").set_input_files([tmp_path / "a.txt", tmp_path / "b.txt"])
        expect(page.get_by_text("Stay on this page until the answer comes.")).to_be_visible()
        expect(page.locator("#uploads")).to_be_hidden()
        page.get_by_role("button", name="Upload").click()
        expect(page.locator("h1")).to_have_text("Two documents are in")
    assert set(stored()) == {"inbox/annual.pdf", "inbox/a.txt", "inbox/b.txt"}
