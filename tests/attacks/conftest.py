"""The portal that is attacked: one server for each database, with one thing of every kind in it."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import select

from portal.accounts import issue_token
from portal.catalog import add_field, change_category, trash_document
from portal.extensions import db
from portal.models import MANAGE, PUBLISH, READ, Category, Document, Session, User
from portal.shares import reserve
from portal.uploads import index_directory
from tests import makers
from tests.attacks.oracle import OUTSIDE, Target, session_of
from tests.databases import TEMPLATE, connected
from tests.servers import serving

HOLDERS = {"reader": READ, "publisher": PUBLISH, "manager": MANAGE}
"""What each of them may do in every category but ``vault``, ``reports2`` and ``elsewhere``."""
OLD, NEW, WEATHER, TAKEOVER = b"%PDF-1.7 old", b"%PDF-1.7 annual", b"day,rain\n1,2\n", b"%PDF-1.7 takeover"
_numbers = count(1)


@pytest.fixture(scope="session", params=["sqlite"])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The portal of all attacks on one database. A test may add to it; what it takes away it has brought along."""
    directory = tmp_path_factory.mktemp("attacked")
    settings = makers.settings_for(_database(request, directory), directory)
    (directory / "outside.txt").write_bytes(OUTSIDE)
    with makers.running(settings) as app:
        with app.app_context():
            tokens, things = furnish(directory)
        # So that a test may ask for what is not there as often as it likes; the throttle has tests of its own.
        # And a server for mails, or nobody could ask for a new password.
        extra = {"PORTAL_UNKNOWN_TRIES": "1000000", "PORTAL_MAIL_URL": "smtp://127.0.0.1:1"}
        # While somebody else scrubs, the server does not: it would write of itself what no request has written.
        with (
            app.extensions["portal.storage"].scrubbing(),
            serving(settings, extra=extra) as server,
            connected(settings.database_url) as connection,
        ):
            yield Target(app, server, connection, tokens, things)


def furnish(directory: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Who asks, by the token of their session; and what there is to ask for, by the name of its id or secret."""
    names = (*HOLDERS, "stranger", "elsewhere", "admin")
    people = {name: makers.person(name.title(), name == "admin", makers.PASSWORD) for name in names}
    things = {f"{name}_user": str(user.id) for name, user in people.items()}
    for path in ("reports", "pdf", "csv", "images", "shown"):
        for name, permission in HOLDERS.items():
            makers.grant(makers.category(path), user=people[name], permission=permission)
    makers.grant(makers.category("elsewhere"), user=people["elsewhere"], permission=MANAGE)
    things |= _documents(directory) | _house(people["reader"])
    tokens = {name: session_of(user.id) for name, user in people.items()}
    of_reader = db.session.scalars(select(Session.id).where(Session.user_id == people["reader"].id)).one()
    return tokens, things | {"reader_session": str(of_reader)}


def _documents(directory: Path) -> dict[str, str]:
    reports, pdf = makers.category("reports"), makers.category("pdf")
    makers.document(reports, "annual.pdf", OLD)
    made = {
        "annual": makers.document(reports, "annual.pdf", NEW),
        "weather": makers.document(makers.category("reports/2018"), "weather.csv", WEATHER, "text/csv"),
        "letter": makers.document(pdf, "lettre.pdf", b"%PDF-1.7 letter"),
        "beyond": makers.document(makers.category("reports2"), "beyond.pdf", b"%PDF-1.7 beyond"),
        "takeover": makers.document(makers.category("vault"), "takeover.pdf", TAKEOVER),
        "trashed": makers.document(reports, "trashed.pdf", b"%PDF-1.7 trashed"),
    }
    trash_document(None, made["trashed"].id)
    vault = makers.category("old vault")
    change_category(None, vault.id, name="older vault", description="", is_sealed=False)
    folder = directory / "folder"
    (folder / "below").mkdir(parents=True)
    for name in ("plain.txt", "below/deep.txt"):
        (folder / name).write_text(f"words of {name}")
    (folder / "link.txt").symlink_to("../outside.txt")
    (folder / "linked").symlink_to("..")
    index_directory(None, folder, "shown")
    return _names(made)


def _house(reader: User) -> dict[str, str]:
    """What publishers and administrators look after."""
    shelf: Category = makers.category("reports/2018")
    documents = {
        "shared": makers.document(makers.category("reports"), "shared.pdf"),
        "unseen": makers.document(makers.category("vault"), "unseen.pdf"),
    }
    links = {name: makers.link(document) for name, document in documents.items()}
    group = makers.group("Clients", reader)
    token = links["shared"][1]
    return _names(documents) | {
        "category": str(shelf.id),
        "field": str(add_field(None, shelf.id, "Number", "number").id),
        "vault": str(makers.category("vault").id),
        "grant": str(makers.grant(shelf, group=group).id),
        "group": str(group.id),
        "link": str(links["shared"][0].id),
        "unseen_link": str(links["unseen"][0].id),
        "token": token,
        "ticket": reserve(token, None, network=makers.NETWORK, agent="tests"),
        "setup": issue_token(None, "reset", reader.id),
    }


def _names(documents: dict[str, Document]) -> dict[str, str]:
    """The uuid of each, and its id as ``<name>_id``."""
    uuids = {name: str(document.uuid) for name, document in documents.items()}
    return uuids | {f"{name}_id": str(document.id) for name, document in documents.items()}


def _database(request: pytest.FixtureRequest, directory: Path) -> str:
    """The URL of a fresh, migrated database that lasts as long as the module."""
    if request.param == "sqlite":
        file: str = request.getfixturevalue("sqlite_template").copy(directory / "portal.db")
        return file
    server, name = request.getfixturevalue("postgres_server"), f"attacked_{next(_numbers)}"
    url: str = server.create(name, TEMPLATE)
    request.addfinalizer(lambda: server.drop(name))
    return url
