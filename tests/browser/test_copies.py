"""Is my copy current? A real browser hashes the copy itself, and tells nobody anything but the hash."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from playwright.sync_api import Browser, FilePayload, Page, Request, expect

from tests import makers
from tests.browser.conftest import as_installed
from tests.browser.looking import look
from tests.browser.test_scripts import signed_in
from tests.databases import SqliteTemplate
from tests.servers import Server, serving

FIRST, SECOND = b"%PDF-1.7 first" * 400_001, b"%PDF-1.7 second"
IMPORTED = "await import(document.querySelector('script[src*=copies]').src)"
HASH_PATTERNS = f"""async ([sizes, parts]) => {{
    const {{ Sha256 }} = {IMPORTED};
    return sizes.map((size) => {{
        const bytes = Uint8Array.from({{ length: size }}, (_, i) => (i * 31 + (i >> 8) * 7) & 255);
        const sum = new Sha256();
        for (let start = 0, i = 0; start < size; i += 1) {{
            sum.update(bytes.subarray(start, start + parts[i % parts.length]));
            start += parts[i % parts.length];
        }}
        return sum.digest();
    }});
}}"""
"""The hashes of what ``pattern`` makes, by size, given in parts of these lengths, over and over."""
HASH_MANY = f"""async ([size, times]) => {{
    const {{ Sha256 }} = {IMPORTED};
    const [piece, sum] = [new Uint8Array(size).fill(7), new Sha256()];
    for (let i = 0; i < times; i += 1) sum.update(piece);
    return sum.digest();
}}"""


def pattern(size: int) -> bytes:
    """Bytes that do not repeat soon, made alike on both sides."""
    return bytes((i * 31 + (i >> 8) * 7) & 255 for i in range(size))


@dataclass
class Reader:
    """A page of somebody who may read the document, and every request it has sent."""

    page: Page
    path: str
    sent: list[Request]

    def note(self, request: Request) -> None:
        """Remember it; the icon of the page is none of its own, and it asks for itself until its preview is made."""
        if not request.url.partition("?")[0].endswith("/favicon.svg") and not request.url.endswith(self.path):
            self.sent.append(request)

    def choose(self, name: str, content: bytes) -> None:
        """Choose a file as the copy."""
        file = FilePayload(name=name, mimeType="application/pdf", buffer=content)
        self.page.get_by_label("Your copy").set_input_files([file])


@pytest.fixture(scope="module")
def house(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flask, Server]]:
    settings = as_installed(sqlite_template, tmp_path_factory.mktemp("copies"))
    with makers.running(settings) as app, serving(settings) as server:
        yield app, server


@pytest.fixture(scope="module")
def reader(chromium: Browser, house: tuple[Flask, Server]) -> Iterator[Reader]:
    app, server = house
    with app.app_context():
        ada, shelf = makers.person("Ada"), makers.category("reports")
        makers.grant(shelf, user=ada)
        for content in (FIRST, SECOND):
            document = makers.document(shelf, "annual.pdf", content)
        path, context = f"/documents/{document.uuid}", signed_in(chromium, server, ada)
    with context:
        page = context.new_page()
        found = Reader(page, path, [])
        page.on("request", found.note)
        page.goto(path)
        yield found


@pytest.fixture
def at_document(reader: Reader) -> Reader:
    reader.page.goto(reader.path)
    reader.sent.clear()
    return reader


@pytest.mark.parametrize("parts", [[1 << 20], [1, 63, 64, 65], [7, 128, 3]], ids=["whole", "around blocks", "odd"])
def test_the_hash_is_that_of_hashlib_for_every_size_and_however_the_bytes_come(
    at_document: Reader, parts: list[int]
) -> None:
    sizes = [*range(260), 511, 512, 513, 65_535, 65_536, 65_537, 1_000_003]

    found = at_document.page.evaluate(HASH_PATTERNS, [sizes, parts])

    assert found == [hashlib.sha256(pattern(size)).hexdigest() for size in sizes]


@pytest.mark.soak
def test_more_bits_than_fit_into_one_word_are_counted(at_document: Reader) -> None:
    size, times = 1 << 20, 513
    expected = hashlib.sha256()
    for _ in range(times):
        expected.update(b"\x07" * size)

    assert at_document.page.evaluate(HASH_MANY, [size, times]) == expected.hexdigest()


def test_a_copy_that_was_replaced_is_told_from_the_current_one_and_only_its_hash_is_sent(at_document: Reader) -> None:
    page, answer = at_document.page, at_document.page.locator("#copy-answer")
    for name, content, words in (
        ("my copy.pdf", FIRST, "That is version 1, replaced on"),
        ("new.pdf", SECOND, "Your copy is current."),
        ("other.pdf", b"", "That is no version of this document."),
    ):
        at_document.choose(name, content)
        expect(answer).to_contain_text(words)
        digest = hashlib.sha256(content).hexdigest()
        expect(page.get_by_label("Its SHA-256")).to_have_value(digest)
        assert [(one.method, one.url.partition(at_document.path)[2]) for one in at_document.sent] == [
            ("GET", f"/current?sha256={digest}")
        ]
        assert at_document.sent[0].post_data_buffer is None
        at_document.sent.clear()


def test_where_a_browser_brings_no_hash_along_the_answer_is_the_same(at_document: Reader) -> None:
    """As where a portal is reached by plain http under a name of its own."""
    at_document.page.evaluate("Object.defineProperty(crypto, 'subtle', { value: undefined })")
    at_document.choose("new.pdf", SECOND)

    expect(at_document.page.locator("#copy-answer")).to_contain_text("Your copy is current.")


def test_reading_a_large_copy_can_be_stopped_and_sends_nothing(at_document: Reader) -> None:
    page = at_document.page
    page.evaluate("""() => {
        const read = Blob.prototype.arrayBuffer;
        Blob.prototype.arrayBuffer = async function () {
            await new Promise((go) => setTimeout(go, 200));
            return read.call(this);
        };
    }""")
    at_document.choose("large.pdf", FIRST)
    expect(page.get_by_text("Reading large.pdf")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.get_by_role("button", name="Stop").click()

    expect(page.get_by_text("Reading large.pdf")).to_be_hidden()
    expect(page.get_by_label("Your copy")).to_be_focused()
    page.wait_for_timeout(500)
    assert at_document.sent == []
    expect(page.locator("#copy-answer")).to_have_text("")


def test_a_copy_that_cannot_be_read_is_said_and_another_can_be_chosen(at_document: Reader) -> None:
    page = at_document.page
    page.evaluate("""() => {
        const read = Blob.prototype.arrayBuffer;
        Blob.prototype.arrayBuffer = async function () {
            Blob.prototype.arrayBuffer = read;
            throw new DOMException("gone", "NotReadableError");
        };
    }""")
    at_document.choose("gone.pdf", FIRST)
    expect(page.get_by_text("The browser could not read the copy.")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()

    at_document.choose("new.pdf", SECOND)
    expect(page.locator("#copy-answer")).to_contain_text("Your copy is current.")
    expect(page.get_by_text("The browser could not read the copy.")).to_be_hidden()


def test_the_pages_of_versions_and_copies_keep_to_the_rules_of_all_pages(at_document: Reader) -> None:
    at_document.choose("my copy.pdf", FIRST)
    expect(at_document.page.locator("#copy-answer")).to_contain_text("That is version 1")
    look(at_document.page, at_document.path)
    for path in (
        "/versions/1",
        "/versions/2",
        f"/current?sha256={hashlib.sha256(FIRST).hexdigest()}",
        "/current?sha256=x",
    ):
        at_document.page.goto(f"{at_document.path}{path}")
        look(at_document.page, path)
