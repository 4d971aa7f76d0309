"""Is my copy current: what the page answers without scripts, by a hash that was pasted."""

import hashlib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import select

from portal.extensions import db
from portal.models import Blob
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk

TAG = re.compile(r"<[^>]+>")
ONE, TWO, SECRET = b"%PDF one", b"%PDF two", b"%PDF secret"


@dataclass
class World:
    """A document in its second version that a reader sees, and one that nobody sees."""

    app: Flask
    path: str
    reader: Desk

    def ask(self, sha256: str, path: str = "") -> str:
        """The words of the answer."""
        page = self.reader.read(f"{path or self.path + '/current'}?sha256={sha256}")
        answer = page.split('id="copy-answer"')[1].split("<footer")[0]
        return " ".join(TAG.sub(" ", html.unescape(answer)).split()).partition("> ")[2]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            shelf, reader = makers.category("reports"), makers.person("Bo")
            makers.grant(shelf, user=reader)
            makers.document(shelf, "annual.pdf", ONE)
            document = makers.document(shelf, "annual.pdf", TWO)
            makers.document(makers.category("vault"), "secret.pdf", SECRET)
            world = World(app, f"/documents/{document.uuid}", Desk(app, reader))
        yield world


def test_the_newest_version_is_current(world: World) -> None:
    assert world.ask(sha256(TWO)).startswith("Your copy is current. It is version 2, the newest there is.")


def test_an_older_version_was_replaced_and_the_newest_can_be_downloaded(world: World) -> None:
    answer = world.ask(sha256(ONE))

    assert answer.startswith("That is version 1 , replaced on ")
    assert "Version 2 came then and is the newest. Download version 2 PDF, 8 bytes" in answer
    assert f'href="{world.path}/download"' in world.reader.read(f"{world.path}/current?sha256={sha256(ONE)}")


@pytest.mark.parametrize(
    ("state", "finding", "own", "newer"),
    [
        ("infected", "Eicar", "A virus was found in your copy.", "A virus was found in that: nobody gets it."),
        ("waiting", None, "Your copy is version 2", "That is looked at for viruses: until"),
    ],
)
def test_what_no_door_gives_out_is_not_called_good_nor_shown_the_way_to(
    world: World, state: str, finding: str | None, own: str, newer: str
) -> None:
    with world.app.app_context():
        blob = db.session.scalars(select(Blob).where(Blob.sha256 == sha256(TWO))).one()
        makers.change(blob, scan_state=state, finding=finding)

    for path in ("", "/current"):
        assert world.ask(sha256(TWO), path).startswith(own)
        answer = world.ask(sha256(ONE), path)
        assert newer in answer
        assert "Download" not in answer


def test_when_several_versions_came_since_the_newest_is_named_too(world: World) -> None:
    with world.app.app_context():
        makers.document(makers.category("reports"), "annual.pdf", b"%PDF three")

    assert "Version 2 came then, and version 3 is the newest." in world.ask(sha256(ONE))


def test_other_bytes_are_no_version_and_lead_to_all_documents(world: World) -> None:
    assert world.ask("0" * 64).startswith("That is no version of this document.")
    assert f"/current?sha256={'0' * 64}" in world.reader.read(f"{world.path}/current?sha256={'0' * 64}")


def test_among_all_documents_it_is_said_which_one_it_is(world: World) -> None:
    assert "That is version 1 of annual , replaced on" in world.ask(sha256(ONE), "/current")


def test_forbidden_and_unknown_get_the_same_answer(world: World) -> None:
    pages = [world.reader.read(f"/current?sha256={asked}").replace(asked, "") for asked in (sha256(SECRET), "0" * 64)]
    assert pages[0] == pages[1]
    assert "No document here has a version like that." in pages[0]


def test_what_programs_print_is_taken(world: World) -> None:
    assert world.ask(f"SHA256:{sha256(TWO).upper()}").startswith("Your copy is current.")
    assert world.ask(f"{sha256(TWO)}  annual.pdf").startswith("Your copy is current.")


@pytest.mark.parametrize("path", ["", "/current"])
def test_what_is_no_hash_is_said_at_its_field(world: World, path: str) -> None:
    page = world.reader.read(f"{path or world.path + '/current'}?sha256=abc", 422)

    assert "A SHA-256 has 64 signs. These are 3." in page
    assert 'value="abc"' in page


@pytest.mark.parametrize("path", ["", "/current"])
def test_what_nobody_can_write_is_a_space_in_a_hash(world: World, path: str) -> None:
    assert world.ask(f"{sha256(TWO)[:32]}%00{sha256(TWO)[32:]}", path).startswith("Your copy is current.")


@pytest.mark.parametrize("path", ["", "/current"])
def test_without_a_question_there_is_the_form(world: World, path: str) -> None:
    page = world.reader.read(path or f"{world.path}/current")

    assert 'name="sha256"' in page
    assert "Your copy is current" not in page


def test_the_form_on_the_page_of_a_document_asks_about_it(world: World) -> None:
    page = world.reader.read(world.path)

    assert f'action="{world.path}/current" data-copy-form' in page
    assert re.search(r'<input id="own-copy" type="file"[^>]*>', page)
    assert not re.search(r'<input id="own-copy"[^>]*name=', page)


def test_a_hostile_question_stays_words(world: World) -> None:
    answer = world.reader.client.get(f"{world.path}/current?sha256=%22%3E%3Cimg%20src=x%3E")

    assert (answer.status_code, "<img" in answer.text) == (422, False)
