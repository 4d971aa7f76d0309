"""The pages of the ledger in a real browser: the life of a download, one's own downloads, who got a document."""

from dataclasses import dataclass
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from portal.extensions import transaction
from portal.models import PUBLISH, Delegation, Document, Download, User
from portal.settings import Settings
from tests import makers
from tests.attacks.oracle import session_of
from tests.browser.looking import look_at
from tests.servers import Server

pytestmark = pytest.mark.browser

SIZE = 300_000


@dataclass
class Ledger:
    """A document in two versions that several people and a link got in part or whole; Pam publishes it."""

    chromium: Browser
    address: str
    token: str
    category: str
    pages: tuple[str, ...]

    def context(self, **options: object) -> BrowserContext:
        """A browser in which Pam is signed in."""
        context = self.chromium.new_context(base_url=self.address, **options)  # type: ignore[arg-type]
        context.add_cookies([{"name": "portal", "value": self.token, "url": self.address}])
        return context


@pytest.fixture
def ledger(chromium: Browser, empty_house: Settings, server: Server) -> Ledger:
    with makers.running(empty_house) as app, app.app_context():
        names = ("Pam", "Ayşe Yıldırım", "Bo", "Maximiliane Freifrau von und zu Hohenberg-Trautmannsdorff", "محمد")
        people = [makers.person(f"{name} {number}") for number, name in enumerate(names)]
        shelf = makers.category("reports")
        makers.grant(shelf, user=people[0], permission=PUBLISH)
        for user in people[1:]:
            makers.grant(shelf, user=user)
        makers.document(shelf, "annual_accounts-2026-with_a-rather_long-name.pdf", bytes(SIZE))
        document = makers.document(shelf, "annual_accounts-2026-with_a-rather_long-name.pdf", b"2" * SIZE)
        makers.document(shelf, "other.pdf")
        link, _ = makers.link(document, label="Ernst & Jung")
        lives = [
            fetch(document, people[0], "completed", [[0, SIZE]]),
            fetch(document, people[1], "aborted", [[0, 50_000], [90_000, 90_001], [250_000, SIZE]]),
            fetch(document, people[2], "delegated", [[at * 9000, at * 9000 + 100] for at in range(30)]),
            fetch(document, None, "completed", [[0, SIZE]], link.id),
        ]
        with transaction() as session:
            session.add(Delegation(uuid=uuid4(), download_id=lives[2], start=280_000, stop=SIZE))
        pages: tuple[str, ...] = ("/account/downloads", f"/documents/{document.uuid}/deliveries", "/admin/downloads")
        pages += tuple(f"/admin/downloads/{life}" for life in lives)
        token = session_of(people[0].id)
    return Ledger(chromium, f"http://127.0.0.1:{server.port}", token, "/categories/reports", pages)


def fetch(
    document: Document, by: User | None, state: str, intervals: list[list[int]], link_id: int | None = None
) -> int:
    """A row of the ledger; its id."""
    with transaction() as session:
        row = Download(
            actor_key=f"u:{by.id}" if by else "l",
            user_id=by.id if by else None,
            link_id=link_id,
            document_id=document.id,
            version_id=document.current_version_id,
            state=state,
            intervals=intervals,
            bytes_sent=SIZE,
            network="192.0.2.0/24",
            agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            closed_at=makers.now() if state == "completed" else None,
        )
        session.add(row)
        session.flush()
        return row.id


@pytest.mark.timeout(240)
def test_each_page_is_accessible_and_fits(ledger: Ledger) -> None:
    with ledger.context() as context:
        page = context.new_page()
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        for path in ledger.pages:
            look_at(page, path)
    assert problems == []


def test_without_scripts_one_goes_from_a_document_to_who_got_it_and_to_the_life_of_a_download(ledger: Ledger) -> None:
    with ledger.context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(ledger.pages[1].removesuffix("/deliveries"))
        page.get_by_role("link", name="Who got it").click()
        page.locator("tr", has_text="Ayşe Yıldırım").get_by_role("link", name="download by").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("33\u00a0% of")
        expect(page.locator(".strip rect.f-accent")).to_have_count(3)


def test_a_category_has_one_filled_button_also_when_documents_are_chosen(ledger: Ledger) -> None:
    with ledger.context() as context:
        page = context.new_page()
        page.goto(ledger.category)
        page.locator("[name=document]").first.check()
        expect(page.locator("main .button.primary")).to_have_count(1)
        expect(page.locator("main .button.primary")).to_have_text("Download 1 as zip")
