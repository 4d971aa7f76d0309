"""The pictures of the README, taken from the demonstration. ``make pictures`` keeps them in docs/images."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.servers import await_port

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

ROOT = Path(__file__).parents[2]
LARGEST = 200 * 1024


@contextmanager
def demonstration(directory: Path) -> Iterator[tuple[int, list[dict[str, str]]]]:
    """``portal demo`` in a directory of its own: its port, and the people in it."""
    log = directory / "demo.log"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    env = clean | {"PORTAL_DATA": str(directory / "demo"), "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as out:
        command = [sys.executable, "-m", "portal.cli", "demo", "--port", "0"]
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        port = await_port(process, log)
        yield port, json.loads((directory / "demo" / "demo.json").read_text())["people"]
    finally:
        process.terminate()
        process.wait(40)


def sign_in(page: Page, person: dict[str, str]) -> None:
    """Sign in as one of the people of the demonstration."""
    page.goto("/login")
    page.locator("input[name=email]").fill(person["email"])
    page.locator("input[name=password]").fill(person["password"])
    page.locator("form button.primary").click()


def take(page: Page, target: Path) -> None:
    """A picture of what is on the screen."""
    page.screenshot(path=target)
    assert target.stat().st_size <= LARGEST, f"{target.name} is too large for a README"
    if os.environ.get("PORTAL_PICTURES"):
        shutil.copy(target, ROOT / "docs" / "images" / target.name)


def wait_for_previews(page: Page, images: str, count: int) -> None:
    """Until so many are there, which the worker makes beside; only for pictures that are kept."""
    deadline = time.monotonic() + 60
    while os.environ.get("PORTAL_PICTURES") and page.locator(images).count() < count and time.monotonic() < deadline:
        page.wait_for_timeout(500)
        page.reload()


@pytest.mark.timeout(240)
def test_the_demonstration_looks_as_the_readme_shows_it(chromium: Browser, tmp_path: Path) -> None:
    with demonstration(tmp_path) as (port, people):
        reader = next(person for person in people if person["role"].lower().startswith("reader"))
        options = {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light"}
        with chromium.new_context(base_url=f"http://127.0.0.1:{port}", **options) as context:  # type: ignore[arg-type]
            page = context.new_page()
            sign_in(page, reader)
            expect(page.locator(".docs > li").first).to_be_visible()
            wait_for_previews(page, "img.thumb", 6)
            take(page, tmp_path / "home.png")
            page.locator(".docs .title").first.click()
            expect(page.locator(".button.primary.big")).to_be_visible()
            wait_for_previews(page, "img.page", 1)
            take(page, tmp_path / "document.png")
