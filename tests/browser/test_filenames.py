"""Names in a real browser: a document is saved under the name it has (A158, A159); joiners Chromium itself replaces."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from portal.settings import Settings
from tests import makers
from tests.attacks.oracle import session_of
from tests.servers import Server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NAMES = [
    "a'b (1), c;d.txt",
    "100%25 a%0d%0ab%22.txt",
    "\u062a\u0642\u0631\u064a\u0631.txt",
    "\u5831\u544a\u66f8.txt",
    "\u0440\u0430ypal.txt",
]


def test_a_document_is_saved_under_its_own_name(chromium: Browser, empty_house: Settings, server: Server) -> None:
    with makers.running(empty_house) as app, app.app_context():
        reader, shelf = makers.person("Ada"), makers.category("names")
        makers.grant(shelf, user=reader)
        ids = [makers.document(shelf, name, name.encode(), "text/plain").id for name in NAMES]
        token = session_of(reader.id)
    address = f"http://127.0.0.1:{server.port}"
    context = chromium.new_context(base_url=address)
    context.add_cookies([{"name": "portal", "value": token, "url": address}])
    page = context.new_page()

    for document_id, name in zip(ids, NAMES, strict=True):
        page.goto(f"/documents/{document_id}")
        with page.expect_download() as waiting:
            page.locator("main .button.primary").click()
        assert waiting.value.suggested_filename == name
        assert Path(waiting.value.path()).read_bytes() == name.encode()
    context.close()
