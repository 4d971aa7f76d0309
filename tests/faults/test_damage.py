"""Stored bytes damaged at random before and during requests: no complete wrong answer, each damage noticed (P3)."""

import random
import shutil
import time
from dataclasses import dataclass, field
from http.client import IncompleteRead
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.accounts.sessions import start_session
from portal.downloads import opening
from portal.errors import ContentUnavailable
from portal.extensions import db
from portal.integrity.scrubbing import Scrubber
from portal.models import Blob, Document
from portal.settings import Settings
from portal.uploads import arrive, receive, store_documents
from tests import makers
from tests.damages import DAMAGES, keeping_times, path_of, swap
from tests.databases import SQLITE_ONLY
from tests.servers import Caller, serving

pytestmark = pytest.mark.faults

SIZES = [40, 41, 5_000, 64 * 1024, 200_000, 300_000]
"""Of one block, of exactly one, of several; the last two are left to the scrub."""
INLINE = 150_000
SHORT, LONG = 60, 1_000


@dataclass
class House:
    """Documents with their bytes, and a reader of all of them."""

    app: Flask
    reader: FlaskClient
    documents: list[int]
    contents: dict[int, bytes]
    tally: dict[str, int] = field(default_factory=dict)

    def path(self, document_id: int) -> Path:
        """Where the bytes belong."""
        with self.app.app_context():
            return path_of(db.session.get_one(Document, document_id))

    def damage_of(self, document_id: int) -> str | None:
        """What is known to be wrong, once those who wait were served."""
        with self.app.app_context():
            Scrubber(lambda _: False).turn()
            sha256 = path_of(db.session.get_one(Document, document_id)).name
            return db.session.scalars(select(Blob.damage).where(Blob.sha256 == sha256)).one()

    def get(self, document_id: int, wanted: str | None, spoil: "Spoil | None" = None) -> bytes | None:
        """The body of a complete answer, which is the right one; None for a refusal or an answer cut short.

        ``spoil`` is called when the first block has left.
        """
        content = self.contents[document_id]
        answer = self.reader.get(
            f"/documents/{document_id}/download", headers={"Range": wanted} if wanted else {}, buffered=False
        )
        try:
            body = b""
            for block in answer.response:
                if not body and spoil is not None:
                    spoil()
                body += block if isinstance(block, bytes) else block.encode()
        except ContentUnavailable:
            return None
        finally:
            answer.close()
        if answer.status_code == 503:
            return None
        assert answer.status_code == (206 if wanted else 200)
        assert len(body) == int(answer.headers["Content-Length"])
        assert body == (part_of(content, wanted) if wanted else content), "a complete wrong answer"
        return body


class Spoil:
    """A damage chosen at random, to be done to one document (and to another one, when two are swapped)."""

    def __init__(self, house: House, choice: random.Random) -> None:
        self.document_id, other = choice.sample(house.documents, 2)
        self.hit = [self.document_id]
        self.path, self._other = house.path(self.document_id), house.path(other)
        self.name = choice.choice([*DAMAGES, "swapped files"])
        self.is_quiet = choice.random() < 0.5
        self._choice = choice
        if self.name == "swapped files":
            self.hit.append(other)

    def __call__(self) -> None:
        if self.name == "swapped files":
            swap(self.path, self._other)
        else:
            damage = DAMAGES[self.name]
            (keeping_times(damage) if self.is_quiet else damage)(self.path, self._choice)


def part_of(content: bytes, wanted: str) -> bytes:
    """What a single range names."""
    start, _, last = wanted.removeprefix("bytes=").partition("-")
    return content[int(start) : int(last) + 1] if start else content[-int(last) :]


def a_range(choice: random.Random, size: int) -> str | None:
    """None for the whole in half of the cases; else a first and a last byte, or the last so many."""
    kind = choice.random()
    if kind < 0.5:
        return None
    if kind < 0.6:
        return f"bytes=-{choice.randint(1, size)}"
    start = choice.randrange(size)
    return f"bytes={start}-{choice.randrange(start, size)}"


def put_back(house: House, document_id: int, choice: random.Random) -> None:
    """Bring the right bytes: by storing the document once more, or as an operator does from a backup."""
    content = house.contents[document_id]
    with house.app.app_context():
        document = db.session.get_one(Document, document_id)
        path = path_of(document)
        if choice.random() < 0.5:
            incoming = receive()
            incoming.write(content)
            store_documents(None, document.category_id, [arrive(incoming, document.filename)])
            return
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.write_bytes(content)


def play(house: House, choice: random.Random) -> None:
    """One case: damage, ask, see that it was noticed, bring the bytes back, ask again."""
    spoil = Spoil(house, choice)
    wanted = a_range(choice, len(house.contents[spoil.document_id]))
    is_during = choice.random() < 0.3
    told = (spoil.name, spoil.is_quiet, wanted, is_during)
    if is_during:
        house.get(spoil.document_id, wanted, spoil)
    else:
        spoil()
        assert house.get(spoil.document_id, wanted) is None, told
    for document_id in spoil.hit:
        house.get(document_id, None)
        assert house.damage_of(document_id) is not None, told
        put_back(house, document_id, choice)
    for document_id in spoil.hit:
        house.damage_of(document_id)  # whoever scrubs looks at what is wanted
        if house.get(document_id, None) is None:
            assert house.damage_of(document_id) is None, told
            assert house.get(document_id, None) is not None, told
    house.tally[spoil.name] = house.tally.get(spoil.name, 0) + 1


@pytest.fixture
def house(app: Flask, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(opening, "INLINE", INLINE)
    choice = random.Random(1)
    with app.app_context():
        shelf = makers.category("reports")
        user = makers.person("Ada")
        makers.grant(shelf, user=user)
        contents = {}
        for number, size in enumerate(SIZES):
            content = choice.randbytes(size)
            contents[makers.document(shelf, f"{number}.bin", content).id] = content
        reader = makers.signed_in(app, user)
    return House(app, reader, list(contents), contents)


@SQLITE_ONLY
def test_damage_at_random_never_passes_and_is_always_noticed(house: House) -> None:
    choice = random.Random(20261125)
    for _ in range(SHORT):
        play(house, choice)
    assert house.tally.keys() == {*DAMAGES, "swapped files"}


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_thousand_damages_never_pass_and_are_all_noticed(house: House) -> None:
    choice = random.Random(20261127)
    for _ in range(LONG):
        play(house, choice)
    print(f"{sum(house.tally.values())} damages, each noticed: {house.tally}")


@pytest.fixture
def large(settings: Settings) -> tuple[Settings, int, Path, str]:
    """An installation with one document that does not fit into the buffers of a socket."""
    with makers.running(settings) as app, app.app_context():
        shelf, user = makers.category("reports"), makers.person("Ada")
        makers.grant(shelf, user=user)
        document = makers.document(shelf, "large.bin", random.Random(2).randbytes(48 * 1024 * 1024))
        token = start_session(user.id, network=makers.NETWORK, agent="tests")
        return settings, document.id, path_of(document), token


@pytest.mark.timeout(300)
def test_a_real_server_breaks_off_and_its_scrub_tells_soon_after(large: tuple[Settings, int, Path, str]) -> None:
    settings, document_id, path, token = large
    with serving(settings, "--workers", "2") as server:
        caller = Caller(server.port, {"portal": token})
        assert caller.get("/readyz").body == b"ready\n"
        with caller.reading(f"/documents/{document_id}/download") as answer:
            assert len(answer.read(64 * 1024)) == 64 * 1024
            DAMAGES["a stray write"](path, random.Random(3))
            with pytest.raises(IncompleteRead):
                answer.read()
        until = time.monotonic() + 60
        while caller.get("/readyz").body != b"degraded\n":
            assert time.monotonic() < until, server.output
            time.sleep(0.5)
        assert caller.get("/readyz").status == 200
        assert caller.get(f"/documents/{document_id}/download").status == 503
        assert "damaged and quarantined" in server.output


@SQLITE_ONLY
@pytest.mark.timeout(300)
def test_a_zip_that_is_broken_off_by_a_damaged_member_is_one_warning_and_no_trace(settings: Settings) -> None:
    with makers.running(settings) as app, app.app_context():
        shelf, user = makers.category("reports"), makers.person("Ada")
        makers.grant(shelf, user=user)
        makers.document(shelf, "a.bin", random.Random(2).randbytes(3 * 1024 * 1024))
        path = path_of(makers.document(shelf, "b.bin", random.Random(3).randbytes(3 * 1024 * 1024)))
        token = start_session(user.id, network=makers.NETWORK, agent="tests")
    path.unlink()
    with serving(settings) as server:
        caller = Caller(server.port, {"portal": token})
        with pytest.raises(IncompleteRead):
            caller.get("/categories/reports/download")
        assert Caller(server.port).get("/healthz").status == 200
        output = server.output
    assert output.count("WARNING ContentDamaged, so an answer was broken off: ") == 1, output
    assert "ERROR" not in output
    assert "Traceback" not in output
