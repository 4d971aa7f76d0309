"""The page about the storage in a browser: while all is well, and with damage while a pass is under way."""

import pytest
from playwright.sync_api import Browser
from sqlalchemy import update

from portal.accounts.quotas import change_quota_of_group
from portal.accounts.sessions import start_session
from portal.extensions import db, transaction
from portal.integrity import passes, scrub
from portal.models import Blob, Document, ScrubPass, User, db_now
from portal.settings import Settings
from tests import makers
from tests.browser.looking import look_at
from tests.damages import path_of
from tests.servers import serving

pytestmark = pytest.mark.browser

TITLES = [
    "Annual report of 2025 with the notes of the auditors",
    "Quarterly_figures_consolidated_final_version_for_the_board_of_trustees_2026",
    "التقرير السنوي",
    "Minutes",
]


def furnish(settings: Settings, *, is_damaged: bool) -> str:
    """Documents that were read once, some of them damaged if wanted; the token of an administrator's session."""
    with makers.running(settings) as app, app.app_context():
        admin = makers.person("Ada Byron", is_admin=True)
        shelf = makers.category("reports/2018/february and everything about it")
        made = [makers.document(shelf, f"{title}.pdf", title.encode() * 9) for title in TITLES]
        makers.document(shelf, f"{TITLES[0]}.pdf", b"%PDF-1.7 second edition")
        if is_damaged:
            quarantine(admin, made)
            path_of(made[1]).write_bytes(b"other bytes")
            path_of(made[2]).unlink()
            path_of(made[3]).write_bytes(b"setunim" * 9)
        scrub()
        if is_damaged:
            begun = passes.begin()
            makers.change(db.session.get_one(ScrubPass, begun.id), files=2, bytes=begun.total_bytes // 3, damaged=1)
        return start_session(admin.id, network=makers.NETWORK, agent="tests")


def quarantine(admin: User, made: list[Document]) -> None:
    """Viruses in some documents, one that the scanner could not look at, and quotas that are nearly taken."""
    editions = [makers.edition(document) for document in made]
    infected = {
        "scan_state": "infected",
        "finding": "Win.Trojan.Agent_with_a_long_name-6598770-0",
        "scanned_at": db_now(),
    }
    with transaction() as session:
        for edition in editions[:2]:
            session.execute(update(Blob).where(Blob.id == edition.blob_id).values(infected))
        refused = {"scan_state": "waiting", "scanned_at": db_now()}
        session.execute(update(Blob).where(Blob.id == editions[3].blob_id).values(refused))
    makers.change(admin, used_bytes=3_800_000_000, quota_bytes=5_000_000_000)
    change_quota_of_group(None, makers.group("Staff of the northern office", admin).id, 10**12)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("is_damaged", [False, True], ids=["well", "damaged"])
def test_the_storage_is_accessible_and_fits_on_every_screen(
    chromium: Browser, empty_house: Settings, is_damaged: bool
) -> None:
    token = furnish(empty_house, is_damaged=is_damaged)
    with serving(empty_house) as server:
        address = f"http://127.0.0.1:{server.port}"
        with chromium.new_context(base_url=address) as context:
            context.add_cookies([{"name": "portal", "value": token, "url": address}])
            page = context.new_page()
            look_at(page, "/admin/storage")
            look_at(page, "/admin/")
            if is_damaged:
                for path in (
                    "/admin/storage/viruses",
                    "/admin/people/1",
                    "/admin/groups/1",
                    "/documents/1",
                    "/documents/4",
                ):
                    look_at(page, path)
