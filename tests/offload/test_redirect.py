"""The portal's half of a hand-off: what it answers to nginx, and what is written down by then (P6)."""

import uuid as uuids
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_network

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.downloads import opening
from portal.extensions import db
from portal.integrity.scrubbing import Scrubber
from portal.models import Blob, Delegation, Document, Download
from portal.settings import Settings
from portal.shares import reserve
from tests import makers
from tests.damages import path_of
from tests.databases import SQLITE_ONLY, connected

CONTENT = b"%PDF-1.7\n" + bytes(range(256)) * 8
FOREIGN = {"X-Accel-Redirect": "/_bytes/whole/secret", "X-Sendfile": "/etc/passwd", "X-Portal-Delegation": "mine"}


@dataclass
class House:
    """A document, somebody who may read it, and the application in front of both."""

    app: Flask
    settings: Settings
    document_id: int
    client: FlaskClient

    @property
    def path(self) -> str:
        return f"/documents/{self.document_id}/download"


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    chosen = replace(settings, offload="nginx")
    with makers.running(chosen) as app:
        with app.app_context():
            reader, shelf = makers.person("Reader"), makers.category("reports")
            makers.grant(shelf, user=reader)
            document_id = makers.document(shelf, "Bericht – 2025.pdf", CONTENT).id
            client = makers.signed_in(app, reader)
        yield House(app, chosen, document_id, client)


def same_browser(house: House, app: Flask) -> FlaskClient:
    """The reader's browser at another application on the same installation."""
    cookie = house.client.get_cookie("portal")
    assert cookie is not None
    client = app.test_client()
    client.set_cookie("portal", cookie.value)
    return client


def test_the_row_is_committed_before_the_redirect(house: House) -> None:
    with connected(house.settings.database_url) as connection:
        answer = house.client.get(house.path, buffered=False)

        assert answer.headers["X-Accel-Redirect"].startswith("/_bytes/whole/")
        assert connection.execute(select(Download.state)).scalars().all() == ["delegated"]
        told = connection.execute(select(Delegation.uuid, Delegation.start, Delegation.stop)).one()
        assert told == (uuids.UUID(answer.headers["X-Portal-Delegation"]), 0, len(CONTENT))
    assert answer.data == b""


@SQLITE_ONLY
def test_the_headers_are_those_of_our_own_answer(house: House, settings: Settings) -> None:
    handed_over = dict(house.client.get(house.path).headers)
    with makers.running(settings) as app:
        sent = dict(same_browser(house, app).get(house.path).headers)

    digest = sent["ETag"].strip('"').removeprefix("sha256-")
    assert handed_over.pop("X-Accel-Redirect") == f"/_bytes/whole/{digest[:2]}/{digest[2:4]}/{digest}"
    assert handed_over.pop("X-Portal-Delegation")
    assert handed_over.pop("Content-Length") == "0"
    assert sent.pop("Content-Length") == str(len(CONTENT))
    assert handed_over == sent


@SQLITE_ONLY
def test_one_range_leads_to_the_place_where_ranges_are_looked_at(house: House) -> None:
    answer = house.client.get(house.path, headers={"Range": "bytes=9-18"})

    assert answer.headers["X-Accel-Redirect"].startswith("/_bytes/part/")
    with connected(house.settings.database_url) as connection:
        assert connection.execute(select(Delegation.start, Delegation.stop)).one() == (9, 19)


@SQLITE_ONLY
def test_a_range_that_does_not_hold_leads_to_the_place_where_they_are_not(house: House) -> None:
    answer = house.client.get(house.path, headers={"Range": "bytes=9-18", "If-Range": '"other"'})

    assert answer.headers["X-Accel-Redirect"].startswith("/_bytes/whole/")


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": "*"}, 304),
        ({"If-Match": '"other"'}, 412),
        ({"Range": f"bytes={len(CONTENT)}-"}, 416),
        ({"If-Match": "*"}, 200),
        ({"Range": "bytes=0-3,10-13"}, 206),
    ],
)
def test_what_nginx_could_get_wrong_is_answered_by_ourselves(
    house: House, headers: dict[str, str], status: int
) -> None:
    answer = house.client.get(house.path, headers=headers)

    assert answer.status_code == status
    assert "X-Accel-Redirect" not in answer.headers
    with connected(house.settings.database_url) as connection:
        assert connection.execute(select(Delegation)).all() == []


@SQLITE_ONLY
def test_head_is_answered_by_ourselves_and_writes_nothing(house: House) -> None:
    answer = house.client.head(house.path)

    assert (answer.headers["Content-Length"], "X-Accel-Redirect" in answer.headers) == (str(len(CONTENT)), False)
    with connected(house.settings.database_url) as connection:
        assert connection.execute(select(Download)).all() == []


@SQLITE_ONLY
def test_who_comes_past_the_proxy_gets_the_bytes(house: House) -> None:
    with makers.running(replace(house.settings, trusted_proxies=(ip_network("192.0.2.7"),))) as app:
        client = same_browser(house, app)
        assert client.get(house.path).data == CONTENT
        through = client.get(house.path, environ_base={"REMOTE_ADDR": "192.0.2.7"})
        assert "X-Accel-Redirect" in through.headers


@SQLITE_ONLY
@pytest.mark.parametrize("offload", ["none", "nginx"])
@pytest.mark.parametrize("path", ["/healthz", "/login", "/documents/999/download", "/nowhere", "document"])
def test_what_a_client_says_of_redirects_is_never_echoed(house: House, offload: str, path: str) -> None:
    with makers.running(replace(house.settings, offload=offload)) as app:
        client = same_browser(house, app)
        address = house.path if path == "document" else path
        query = "?X-Accel-Redirect=/_bytes/whole/secret"
        for method in ("GET", "HEAD"):
            answer = client.open(address + query, method=method, headers=FOREIGN | {"If-None-Match": "*"})
            assert not {name.lower() for name, _ in answer.headers} & {name.lower() for name in FOREIGN}
        told = client.get(address + query, headers=FOREIGN).headers
        assert not set(told.values()) & set(FOREIGN.values())


@SQLITE_ONLY
def test_a_name_that_looks_like_a_header_is_a_name(house: House) -> None:
    with house.app.app_context():
        named = makers.document(makers.category("reports"), "X-Accel-Redirect： _bytes", CONTENT).id

    answer = house.client.get(f"/documents/{named}/download")

    assert answer.headers.getlist("X-Accel-Redirect") == [answer.headers["X-Accel-Redirect"]]
    assert answer.headers["X-Accel-Redirect"].startswith("/_bytes/whole/")


@SQLITE_ONLY
def test_a_ticket_is_handed_over_too(house: House) -> None:
    with house.app.app_context():
        _, token = makers.link(db.session.get_one(Document, house.document_id), max_downloads=1)
        ticket = reserve(token, None, network=makers.NETWORK, agent="tests")

    answer = house.app.test_client().get(f"/t/{ticket}")

    assert answer.headers["X-Accel-Redirect"].startswith("/_bytes/whole/")
    assert answer.headers["X-Robots-Tag"] == "noindex"


@SQLITE_ONLY
def test_a_stranger_is_not_sent_anywhere(house: House) -> None:
    with house.app.app_context():
        stranger = makers.signed_in(house.app, makers.person("Stranger"))

    answer = stranger.get(house.path)

    assert (answer.status_code, "X-Accel-Redirect" in answer.headers) == (404, False)


@pytest.mark.parametrize("wanted", [{}, {"Range": "bytes=9-18"}], ids=["whole", "range"])
def test_damage_is_noticed_before_nginx_is_told_of_it(house: House, wanted: dict[str, str]) -> None:
    with house.app.app_context():
        document = db.session.get_one(Document, house.document_id)
        path_of(document).write_bytes(CONTENT.swapcase())

    answer = house.client.get(house.path, headers=wanted)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "300")
    assert not {"X-Accel-Redirect", "X-Portal-Delegation"} & set(answer.headers.keys())
    with connected(house.settings.database_url) as connection:
        assert connection.execute(select(Download)).all() == []
        assert connection.execute(select(Delegation)).all() == []
        assert connection.execute(select(Blob.damage)).scalars().all() == ["bytes"]


@SQLITE_ONLY
def test_what_was_touched_and_is_large_is_handed_over_once_it_was_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "INLINE", len(CONTENT) - 1)
    with house.app.app_context():
        path_of(db.session.get_one(Document, house.document_id)).chmod(0o400)

    waiting = house.client.get(house.path)
    assert (waiting.status_code, waiting.headers["Retry-After"]) == (503, "10")
    with house.app.app_context():
        Scrubber(lambda _: False).turn()
    assert house.client.get(house.path).headers["X-Accel-Redirect"].startswith("/_bytes/whole/")
