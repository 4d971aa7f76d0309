"""A day of a publisher in a real browser, from a new category to its move, and what a reader sees of it meanwhile."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from portal.models import MANAGE
from portal.settings import Settings
from tests import makers
from tests.browser.looking import look
from tests.browser.test_scripts import signed_in
from tests.servers import Server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

FIRST, SECOND = b"%PDF-1.7 minutes as first written", b"%PDF-1.7 minutes with the vote"
COVERED = """() => [...document.querySelectorAll(".docs > li")].filter((row) => {
    const written = document.createRange();
    written.selectNodeContents(row.querySelector(":scope > time"));  // words go on beyond a box that is too narrow
    const [words, get] = [written, row.querySelector(":scope > .get")].map((part) => part.getBoundingClientRect());
    return words.right > innerWidth || (words.right > get.left && words.top < get.bottom - 1);
}).map((row) => row.innerText)"""
"""Rows of documents whose date lies over the size, or reaches beyond the screen."""
MINUTES, PLAN = "Minutes of the spring meeting", "Plan of the year"


class Day(NamedTuple):
    """Two browsers on the same portal."""

    publisher: Page
    reader: Page


@dataclass
class Paper:
    """A document of the day, and where it is."""

    name: str
    path: str = ""


@pytest.fixture
def day(chromium: Browser, empty_house: Settings, server: Server) -> Iterator[Day]:
    """A publisher manages `press` and `archive`; a reader may read both."""
    with makers.running(empty_house) as app, app.app_context():
        ada, bob = makers.person("Ada Byron"), makers.person("Bob Rider")
        for path in ("press", "archive"):
            shelf = makers.category(path)
            makers.grant(shelf, user=ada, permission=MANAGE)
            makers.grant(shelf, user=bob)
        house, street = signed_in(chromium, server, ada), signed_in(chromium, server, bob)
    with house, street:
        pages = Day(house.new_page(), street.new_page())
        for page in pages:
            page.set_default_timeout(15_000)
        yield pages


@pytest.mark.timeout(240)
def test_what_a_publisher_does_in_a_day_and_a_reader_sees_of_it(day: Day) -> None:
    minutes, plan = Paper(MINUTES), Paper(PLAN)
    create_a_category(day.publisher)
    upload_some(day.publisher, minutes, plan)
    schedule(day.publisher, plan)
    describe(day.publisher, minutes)
    only_what_is_out_is_seen(day.reader, minutes, plan)
    replace_and_bring_back(day, minutes)
    an_old_copy_is_told(day.reader, minutes)
    change_many(day.publisher)
    search_and_save(day.publisher)
    follow(day.publisher)
    trash_and_bring_back_a_document(day, minutes)
    trash_and_bring_back_the_category(day, minutes)
    move_the_category(day, minutes)


def create_a_category(page: Page) -> None:
    page.goto("/admin/categories")
    page.get_by_role("link", name="press", exact=True).first.click()
    page.get_by_label("Name of a new category in it").fill("meetings")
    page.get_by_role("button", name="Add it").click()
    expect(page.locator("h1")).to_have_text("press / meetings")
    page.get_by_label("Description").fill("What was said, and by whom.")
    page.get_by_role("button", name="Save the changes").click()
    expect(page.locator(".notice.done")).to_be_visible()
    page.get_by_label("Types that may be put in").select_option("these")
    page.get_by_label("Endings").fill("pdf docx")
    page.get_by_role("button", name="Save the rules").click()
    expect(page.locator("main")).to_contain_text("Taken are")
    page.get_by_role("link", name="Fields", exact=True).click()
    page.get_by_label("Name").fill("Held on")
    page.get_by_label("What may stand in it").select_option("date")
    page.get_by_role("button", name="Add the field").click()
    expect(page.get_by_role("link", name="Held on")).to_be_visible()


def upload_some(page: Page, *papers: Paper) -> None:
    page.goto("/categories/press/meetings")
    expect(page.get_by_text("What was said, and by whom.")).to_be_visible()
    page.get_by_role("link", name="Upload here").click()
    expect(page.get_by_text("It takes DOCX, PDF.").or_(page.get_by_text("It takes PDF, DOCX."))).to_be_visible()
    refused = FilePayload(name="Sheet.xlsx", mimeType="application/octet-stream", buffer=b"no")
    page.get_by_label("Choose documents").set_input_files([refused])
    page.get_by_role("button", name="Upload").click()
    expect(page.locator(".uploads > li").first).to_contain_text("Not accepted.")
    expect(page.locator(".uploads > li").first).to_contain_text("xlsx")
    names = (MINUTES, PLAN, "Minutes of the winter meeting")
    files = [
        FilePayload(name=f"{name}.pdf", mimeType="application/pdf", buffer=f"%PDF-1.7 {name}".encode())
        for name in names
    ]
    files[0]["buffer"] = FIRST
    page.get_by_label("Choose documents").set_input_files(files)
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#uploads [data-count]")).to_have_text("3 of 4 are done.")
    for paper in papers:
        page.goto("/categories/press/meetings")
        page.get_by_role("link", name=paper.name, exact=True).click()
        expect(page.locator("h1")).to_have_text(paper.name)
        paper.path = re.sub(r"^https?://[^/]+", "", page.url)


def schedule(page: Page, plan: Paper) -> None:
    page.goto(f"{plan.path}/edit")
    page.get_by_label("Readers see it", exact=True).select_option("at")
    page.get_by_label("From", exact=False).first.fill("2999-01-01T09:00")
    page.get_by_role("button", name="Save the changes").click()
    expect(page.get_by_text("It comes out on")).to_be_visible()


def describe(page: Page, minutes: Paper) -> None:
    page.goto(minutes.path)
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Reference").fill("M-2026/04")
    page.get_by_label("Tags").fill("spring, members")
    page.get_by_label("Held on").fill("2026-04-18")
    see(page, "the form of a document with fields of its category")
    page.get_by_role("button", name="Save the changes").click()
    for said in ("M-2026/04", "spring", "members", "18 April 2026"):
        expect(page.locator(".facts")).to_contain_text(said)


def only_what_is_out_is_seen(page: Page, minutes: Paper, plan: Paper) -> None:
    page.goto("/categories/press/meetings")
    expect(page.get_by_role("link", name=MINUTES, exact=True)).to_be_visible()
    expect(page.get_by_text(PLAN)).to_have_count(0)
    answer = page.goto(plan.path)
    assert answer is not None
    assert answer.status == 404
    page.goto(minutes.path)
    with page.expect_download() as waiting:
        page.locator("main .button.primary").click()
    assert waiting.value.suggested_filename == f"{MINUTES}.pdf"
    expect(page.locator("#mine")).to_contain_text("You have it")


def replace_and_bring_back(day: Day, minutes: Paper) -> None:
    page = day.publisher
    page.goto(minutes.path)
    page.get_by_role("link", name="New version").click()
    replacement = FilePayload(name="new.pdf", mimeType="application/pdf", buffer=SECOND)
    page.get_by_label("Document", exact=True).set_input_files([replacement])
    page.get_by_label("What changed").fill("With the result of the vote")
    see(page, "a new version")
    page.get_by_role("button", name="Add version 2").click()
    expect(page.locator(".notice.info")).to_contain_text("With the result of the vote")
    expect(page.get_by_text("One person has only an older version")).to_be_visible()
    see(page, "a document with versions")

    day.reader.goto("/")
    expect(day.reader.get_by_role("heading", name="You have an older version")).to_be_visible()
    see(day.reader, "the home page of who has an older version")

    page.get_by_role("link", name="Version 1", exact=True).click()
    page.get_by_role("link", name="Bring this version back").click()
    page.get_by_label("Why").fill("The vote is not official yet")
    see(page, "bringing a version back")
    page.get_by_role("button", name="Bring version 1 back").click()
    expect(page.locator(".facts")).to_contain_text("3, current")
    expect(page.locator(".facts")).to_contain_text("brought back from version 1")


def an_old_copy_is_told(page: Page, minutes: Paper) -> None:
    page.goto(f"{minutes.path}/versions/2")
    expect(page.get_by_text("This is not the newest version.")).to_be_visible()
    page.goto(minutes.path)
    for content, words in (
        (SECOND, "That is version 2, replaced on"),
        (FIRST, "Your copy is current."),
        (b"made up", "That is no version of this document."),
    ):
        page.get_by_label("Its SHA-256").fill(hashlib.sha256(content).hexdigest())
        page.get_by_role("button", name="Compare").click()
        expect(page.locator("#copy-answer")).to_contain_text(words)


def change_many(page: Page) -> None:
    page.goto("/categories/press/meetings")
    for name in (MINUTES, "Minutes of the winter meeting"):
        page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()
    for width in (375, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(COVERED) == [], width
    see(page, "a category with what may be done in it")
    page.get_by_role("button", name="Change…", exact=True).last.click()
    expect(page.locator("h1")).to_have_text("What should change in 2 documents?")
    page.get_by_label("Add tags").fill("protocol, spring")
    see(page, "what should change in many documents")
    page.locator("main button.primary").click()
    expect(page.locator("h1")).to_have_text("All 2 documents would change")
    see(page, "what would change")
    page.locator("main button.primary").click()
    expect(page.locator("h1")).to_have_text("2 documents were changed")
    see(page, "what became of many documents")
    page.get_by_role("link", name="Minutes of the winter meeting").click()
    expect(page.locator(".facts")).to_contain_text("protocol, spring")


def search_and_save(page: Page) -> None:
    page.goto("/")
    field = page.get_by_role("combobox", name="Search documents")
    field.press_sequentially("minutes")
    expect(page.get_by_role("option")).to_have_count(2)
    field.fill("meeting tag:protocol -winter")
    field.press("Enter")
    expect(page.locator(".docs .title")).to_have_text([MINUTES])
    page.goto("/search?q=meeting")
    expect(page.locator(".docs .title")).to_have_count(2)
    page.get_by_role("navigation", name="Narrow down").get_by_role("link", name=re.compile("^members")).click()
    expect(page.locator(".docs .title")).to_have_text([MINUTES])
    page.get_by_text("Save this search").click()
    page.get_by_label("Name", exact=True).fill("For the members")
    see(page, "a search with a facet")
    page.get_by_role("button", name="Save the search").click()
    expect(page.get_by_text("The search is saved.")).to_be_visible()


def follow(page: Page) -> None:
    page.goto("/categories/press/meetings")
    page.get_by_role("button", name="Follow", exact=True).click()
    expect(page.get_by_role("button", name="Stop following")).to_be_visible()
    page.goto("/account/following")
    expect(page.get_by_role("link", name="press / meetings")).to_be_visible()
    see(page, "what is followed")


def trash_and_bring_back_a_document(day: Day, minutes: Paper) -> None:
    page = day.publisher
    page.goto(f"{minutes.path}/edit")
    page.get_by_role("link", name="Put into the trash").click()
    page.get_by_role("button", name="Put into the trash").click()
    expect(page.locator(".notice.done")).to_be_visible()
    answer = day.reader.goto(minutes.path)
    assert answer is not None
    assert answer.status == 404
    page.goto("/admin/trash")
    see(page, "the trash")
    page.get_by_role("button", name=f"Bring back {MINUTES}").click()
    expect(page.locator(".notice.done")).to_be_visible()
    day.reader.goto(minutes.path)
    expect(day.reader.locator("h1")).to_have_text(MINUTES)


def trash_and_bring_back_the_category(day: Day, minutes: Paper) -> None:
    page = day.publisher
    edit_the_category(page)
    page.get_by_role("link", name="Put it into the trash").click()
    page.get_by_role("button", name="Put it into the trash").click()
    expect(page.locator(".notice.done")).to_be_visible()
    answer = day.reader.goto(minutes.path)
    assert answer is not None
    assert answer.status == 404
    page.goto("/admin/trash")
    expect(page.get_by_text("With three documents.")).to_be_visible()
    see(page, "the trash with a category")
    page.get_by_role("button", name="Bring back press/meetings").click()
    expect(page.locator(".notice.done")).to_be_visible()
    day.reader.goto(minutes.path)
    expect(day.reader.locator("h1")).to_have_text(MINUTES)


def move_the_category(day: Day, minutes: Paper) -> None:
    page = day.publisher
    edit_the_category(page)
    page.get_by_label("Move it into").select_option(label="archive")
    page.get_by_role("button", name="Move it …").click()
    expect(page.locator("h1")).to_have_text("Move press / meetings into archive?")
    page.get_by_role("button", name="Move it").click()
    expect(page.locator("h1")).to_have_text("archive / meetings")
    day.reader.goto("/categories/press/meetings")
    expect(day.reader).to_have_url(re.compile("/categories/archive/meetings$"))
    day.reader.get_by_role("link", name=MINUTES, exact=True).click()
    expect(day.reader).to_have_url(re.compile(f"{minutes.path}$"))


def edit_the_category(page: Page) -> None:
    """By its own page."""
    page.goto("/categories/press/meetings")
    page.get_by_role("link", name="Edit category").click()


def see(page: Page, what: str) -> None:
    """Look at a page of the day, and go on at the width of a desk."""
    look(page, what)
    page.set_viewport_size({"width": 1280, "height": 800})
