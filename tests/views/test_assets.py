"""Static files: kept under their fingerprint, compressed for whoever takes that, and nothing beside them."""

import gzip
import posixpath
import re

import pytest
from flask import Flask

from portal.views import assets
from tests.databases import SQLITE_ONLY

NAMES = sorted(path.relative_to(assets.STATIC).as_posix() for path in assets.STATIC.rglob("*") if path.is_file())
IMPORTED = re.compile(rb'( from "[a-z./]+\.js)\?v=[0-9a-f]{12}(?=";)')
CODINGS = ("gzip", "identity")

pytestmark = SQLITE_ONLY


def coding_of(name: str) -> dict[str, str]:
    return {"Accept-Encoding": name}


def address_of(app: Flask, name: str) -> str:
    with app.test_request_context():
        return assets.asset(name)


def test_static_files_are_kept_under_their_fingerprint_only(app: Flask) -> None:
    client = app.test_client()
    address = address_of(app, "portal.css")

    kept = client.get(address)
    plain = client.get("/static/portal.css")
    stale = client.get("/static/portal.css?v=000000000000")

    assert kept.status_code == plain.status_code == stale.status_code == 200
    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert plain.headers["Cache-Control"] == stale.headers["Cache-Control"] == "no-cache"
    assert "Set-Cookie" not in kept.headers


def test_nothing_beside_static_files_is_reached_through_static(app: Flask) -> None:
    client = app.test_client()

    for path in ("/static/../settings.py", "/static/%2e%2e/settings.py", "/static/nothing.css?v=", "/static/"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("name", NAMES)
def test_a_static_file_is_compressed_for_who_takes_that(app: Flask, name: str) -> None:
    address, content = address_of(app, name), (assets.STATIC / name).read_bytes()

    packed = app.test_client().get(address, headers={"Accept-Encoding": "gzip, deflate, br"})
    plain = app.test_client().get(address)

    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) == int(packed.headers["Content-Length"]) < len(content)
    assert gzip.decompress(packed.data) == plain.data
    assert IMPORTED.sub(rb"\1", plain.data) == content
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["Content-Type"] == plain.headers["Content-Type"]
    assert packed.headers["Cache-Control"] == plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".js")])
def test_a_script_imports_others_by_their_own_addresses(app: Flask, name: str) -> None:
    text = app.test_client().get(address_of(app, name)).text

    imported = re.findall(r'^import .* from "(.*)";$|^export .* from "(.*)";$', text, re.MULTILINE)
    for address in (one or other for one, other in imported):
        path, _, fingerprint = address.partition("?v=")
        beside = posixpath.normpath(f"{posixpath.dirname(name)}/{path}")
        assert address_of(app, beside).endswith(f"/{beside}?v={fingerprint}")


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [("gzip", True), ("*", True), ("br;q=1, gzip;q=0.1", True), ("gzip;q=0", False), ("br", False), ("x", False)],
)
def test_a_static_file_is_compressed_as_accept_encoding_says(app: Flask, accepted: str, is_packed: bool) -> None:
    answer = app.test_client().get("/static/portal.css", headers=coding_of(accepted))

    assert answer.headers.get("Content-Encoding") == ("gzip" if is_packed else None)


def test_each_coding_has_a_tag_of_its_own(app: Flask) -> None:
    client = app.test_client()
    tags = {coding: client.get("/static/portal.css", headers=coding_of(coding)).headers["ETag"] for coding in CODINGS}
    assert len(set(tags.values())) == len(CODINGS)

    for coding in CODINGS:
        for known, tag in tags.items():
            answer = client.get("/static/portal.css", headers={**coding_of(coding), "If-None-Match": tag})
            assert answer.status_code == (304 if known == coding else 200)
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert bool(answer.data) == (known != coding)
