"""How many downloads and connections may run at once, over HTTP: what is refused, with which words, and what is not."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.cli.serve import THREADS, most_lines
from portal.downloads.lines import PART, Lines, lines
from portal.downloads.sending import AT_ONCE
from portal.settings import Settings
from tests import makers
from tests.databases import SQLITE_ONLY

EACH, ALL = 2, 3
LINES = 12
OURS = LINES - LINES // PART
"""So many one person gets while nobody else has one."""
TOO_MANY, BUSY = b"Too many downloads are running at once.", b"The portal is busy. Try again in a few seconds."


@dataclass
class House:
    """Two readers, large documents and a small one; answers stay open until the end."""

    one: FlaskClient
    other: FlaskClient
    large: list[int]
    small: int
    open: list[TestResponse] = field(default_factory=list)

    def begin(self, document: int, by: FlaskClient, **headers: str) -> TestResponse:
        """An answer of which the first bytes have left."""
        answer = by.get(f"/documents/{document}/download", headers=headers, buffered=False)
        next(iter(answer.iter_encoded()), b"")
        self.open.append(answer)
        return answer

    def end(self) -> None:
        """Every line is cut."""
        for answer in self.open:
            answer.close()


@contextmanager
def housed(settings: Settings) -> Iterator[House]:
    with makers.running(settings) as app:
        house = furnished(app)
        with ExitStack() as stack:
            stack.callback(house.end)
            yield house


def furnished(app: Flask) -> House:
    with app.app_context():
        one, other, shelf = makers.person("One"), makers.person("Other"), makers.category()
        makers.grant(shelf, everyone=True)
        large = [makers.document(shelf, f"{n}.bin", bytes(2 * AT_ONCE) + bytes([n])).id for n in range(ALL + 1)]
        small = makers.document(shelf, "small.bin", bytes(1000)).id
        return House(makers.signed_in(app, one), makers.signed_in(app, other), large, small)


def refusal(answer: TestResponse) -> tuple[int, str | None]:
    return answer.status_code, answer.headers.get("Retry-After")


@SQLITE_ONLY
def test_one_download_too_many_by_one_person_is_refused_until_another_ends(settings: Settings) -> None:
    with housed(replace(settings, transfers_each=EACH)) as house:
        first, *_ = [house.begin(document, house.one) for document in house.large[:EACH]]

        refused = house.one.get(f"/documents/{house.large[EACH]}/download")

        assert refusal(refused) == (429, "10")
        assert TOO_MANY in refused.data
        assert house.begin(house.large[EACH], house.other).status_code == 200, "somebody else has places of their own"
        first.close()
        assert house.begin(house.large[EACH], house.one).status_code == 200


@SQLITE_ONLY
def test_one_download_too_many_by_everybody_is_refused_as_busy(settings: Settings) -> None:
    with housed(replace(settings, transfers_all=ALL)) as house:
        first, *_ = [house.begin(document, house.one) for document in house.large[:ALL]]

        refused = house.other.get(f"/documents/{house.large[ALL]}/download")

        assert refusal(refused) == (503, "5")
        assert BUSY in refused.data
        first.close()
        assert house.begin(house.large[ALL], house.other).status_code == 200


@pytest.fixture
def few_lines() -> Iterator[None]:
    """A process that sends on a dozen lines."""
    lines.limit(LINES)
    yield
    lines.limit(math.inf)


@pytest.fixture
def lines_as_served() -> Iterator[None]:
    """A process that sends on as many lines as `portal serve` does."""
    lines.limit(most_lines(THREADS))
    yield
    lines.limit(math.inf)


@SQLITE_ONLY
@pytest.mark.usefixtures("few_lines")
def test_the_connections_of_one_download_count_once_and_yet_leave_some_to_others(settings: Settings) -> None:
    with housed(replace(settings, transfers_each=1)) as house:
        large = house.large[0]
        running = [house.begin(large, house.one, Range=f"bytes={number}-") for number in range(OURS)]
        assert {answer.status_code for answer in running} == {206}

        refused = house.one.get(f"/documents/{large}/download", headers={"Range": "bytes=5-"})

        assert refusal(refused) == (429, "10")
        assert TOO_MANY in refused.data
        assert house.other.get(f"/documents/{house.small}/download").status_code == 200
        assert house.one.get("/").status_code == 200
        running[0].close()
        assert house.begin(large, house.one, Range="bytes=5-").status_code == 206


@SQLITE_ONLY
@pytest.mark.usefixtures("few_lines")
def test_when_no_line_is_left_the_portal_is_busy(settings: Settings) -> None:
    with housed(settings) as house:
        for number in range(LINES):
            house.begin(house.large[0], house.one if number < OURS else house.other, Range=f"bytes={number}-")

        refused = house.other.get(f"/documents/{house.small}/download")

        assert refusal(refused) == (503, "5")
        assert BUSY in refused.data
        assert house.other.get("/").status_code == 200


@SQLITE_ONLY
@pytest.mark.usefixtures("few_lines")
def test_small_documents_and_zips_hold_lines_too(settings: Settings) -> None:
    with housed(settings) as house:
        for _ in range(OURS - 1):
            house.begin(house.small, house.one)
        running = house.one.get("/categories/reports/download", buffered=False)
        house.open.append(running)
        assert running.status_code == 200

        assert refusal(house.one.get(f"/documents/{house.small}/download")) == (429, "10")
        assert refusal(house.one.get("/categories/reports/download")) == (429, "10")
        running.close()
        assert house.one.get(f"/documents/{house.small}/download").status_code == 200


@SQLITE_ONLY
@pytest.mark.usefixtures("few_lines")
def test_answers_without_a_body_need_no_line(settings: Settings) -> None:
    with housed(settings) as house:
        path = f"/documents/{house.small}/download"
        etag = house.one.head(path).headers["ETag"]
        for _ in range(OURS):
            house.begin(house.small, house.one)

        assert house.one.head(path).status_code == 200
        assert house.one.get(path, headers={"If-None-Match": etag}).status_code == 304


@SQLITE_ONLY
@pytest.mark.usefixtures("few_lines")
def test_bytes_that_cannot_be_opened_take_no_line(settings: Settings) -> None:
    with housed(settings) as house:
        (blob,) = (path for path in settings.storage.glob("blobs/*/*/*") if path.stat().st_size == 1000)
        blob.rename(blob.with_suffix(".away"))
        path = f"/documents/{house.small}/download"
        refused = [refusal(house.one.get(path)) for _ in range(LINES + 1)]
        assert refused == [(503, "300")] * len(refused)

        blob.with_suffix(".away").rename(blob)

        assert house.one.get(path).status_code == 200


@SQLITE_ONLY
@pytest.mark.usefixtures("lines_as_served")
def test_sixteen_connections_to_each_of_five_documents_are_not_too_many(settings: Settings) -> None:
    with housed(settings) as house:
        documents = [*house.large, house.small]

        answers = [house.begin(document, house.one, Range="bytes=1-") for document in documents for _ in range(16)]

        assert {answer.status_code for answer in answers} == {206}


def test_a_line_that_is_lost_takes_no_place_for_ever() -> None:
    own = Lines(1)
    held = [own.take("u:1")]
    held.clear()

    own.take("u:2")


def test_every_server_can_send_and_keeps_a_thread_for_the_rest() -> None:
    assert [most_lines(threads) for threads in (1, 2, 64, THREADS)] == [1, 1, 57, 1980]
