"""What goes over the line for a page in a real browser: by its own count of bytes, and by the server's of requests."""

import pytest
from playwright.sync_api import Browser

from portal.settings import Settings
from tests import full, makers
from tests.attacks.oracle import session_of
from tests.servers import Server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

LIGHT = 60_000
REQUESTS = 6


def test_a_first_visit_is_light_and_a_second_is_one_request(
    chromium: Browser, empty_house: Settings, server: Server
) -> None:
    address = f"http://127.0.0.1:{server.port}"
    with makers.running(empty_house) as app, app.app_context():
        people, paths = full.fill()
        token = session_of(people["reader"].id)
    for path in paths:
        with chromium.new_context(base_url=address) as context:
            context.add_cookies([{"name": "portal", "value": token, "url": address}])
            page = context.new_page()
            cdp = context.new_cdp_session(page)
            cdp.send("Network.enable")
            taken: list[int] = []
            cdp.on("Network.loadingFinished", lambda event, taken=taken: taken.append(event["encodedDataLength"]))

            asked = _lines(server)
            page.goto(path, wait_until="networkidle")
            assert 1 < _lines(server) - asked <= REQUESTS, path
            assert 10_000 < sum(taken) <= LIGHT, path

            asked = _lines(server)
            page.goto(path, wait_until="networkidle")
            assert _lines(server) - asked == 1, path


def _lines(server: Server) -> int:
    """Requests answered so far, by the log of the server."""
    return server.output.count(" GET /")
