"""The words for machines: anybody may ask for them, and nobody can keep the portal busy by asking."""

import math

from flask import Flask

from portal.settings import Settings
from portal.views.health import Readiness
from tests.databases import SQLITE_ONLY

pytestmark = SQLITE_ONLY


def written_at(settings: Settings) -> int:
    """When a probe was last put among the blobs and taken away again."""
    return (settings.storage / "blobs").stat().st_mtime_ns


def readiness(app: Flask) -> Readiness:
    found: Readiness = app.extensions["portal.readiness"]
    return found


def test_asking_again_at_once_writes_nothing(app: Flask, settings: Settings) -> None:
    browser = app.test_client()
    assert browser.get("/readyz").text == "ready\n"
    readiness(app).until = math.inf
    before = written_at(settings)

    assert {browser.get("/readyz").text for _ in range(20)} == {"ready\n"}

    assert written_at(settings) == before


def test_after_some_seconds_it_looks_again(app: Flask, settings: Settings) -> None:
    browser = app.test_client()
    browser.get("/readyz")
    readiness(app).until = 0
    (settings.storage / "tmp").rename(settings.storage / "gone")

    answer = browser.get("/readyz")

    assert (answer.status_code, answer.text) == (503, "degraded\n")
    (settings.storage / "gone").rename(settings.storage / "tmp")
    readiness(app).until = 0
    assert browser.get("/readyz").text == "ready\n"
