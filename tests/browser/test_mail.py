"""The page about mails in a browser: every state, long words, small screens, with and without a mail server."""

from dataclasses import replace

import pytest
from playwright.sync_api import Browser

from portal.accounts.sessions import start_session
from portal.settings import Settings
from tests import makers
from tests.browser.looking import look_at
from tests.servers import serving

pytestmark = pytest.mark.browser

LONG = "a.very.long.address.of.somebody.who.has.many.names.and.a.long.house" * 2 + "@" + "mail." * 12 + "example.org"
PROBLEM = "550-5.7.1 Our system has detected that this message is likely unsolicited mail " + "x" * 120


def furnish(settings: Settings) -> str:
    """A mail in every state; the token of an administrator's session."""
    with makers.running(settings) as app, app.app_context():
        admin, eve = makers.person("Ada Byron", is_admin=True), makers.person("Eve")
        makers.mail(eve)
        makers.mail(eve, state="sent", tries=2, sent_at=makers.now())
        makers.mail(eve, state="sent", tries=1, sent_at=makers.now(), user_id=None, email="")
        makers.mail(eve, state="parked", tries=8, problem=PROBLEM, email=LONG)
        makers.mail(eve, state="parked", tries=1, problem="550 5.1.1 No such reader")
        makers.mail(eve, tries=3, problem="Connection refused", due_at=makers.now(hours=1))
        makers.mail(eve, tries=1, due_at=makers.now(minutes=10))
        makers.mail(eve, state="dropped")
        makers.mail(eve, due_at=makers.now(hours=-1))
        return start_session(admin.id, network=makers.NETWORK, agent="tests")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("url", ["console:", "smtp://mail.example.org"])
def test_the_page_about_mails_is_accessible_and_fits_on_every_screen(
    chromium: Browser, empty_house: Settings, url: str
) -> None:
    settings = replace(empty_house, mail_url=url)
    token = furnish(settings)
    with serving(settings) as server:
        address = f"http://127.0.0.1:{server.port}"
        with chromium.new_context(base_url=address) as context:
            context.add_cookies([{"name": "portal", "value": token, "url": address}])
            page = context.new_page()
            look_at(page, "/admin/mail")
            look_at(page, "/admin/mail?state=dropped&email=nobody")
