"""Many small documents through the upload page of a real browser: chosen at once, until the last is in the catalog."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.house import House
from benchmarks.peers import started
from benchmarks.settings import DATABASE, KIB, ROUNDS

COUNT, SIZE = 1000, 100 * KIB
WANTED = 60.0
MOST_ROUNDS = 3
LONGEST = 600_000
SMOOTH = 100
"""Milliseconds after which a page that does not answer is felt."""
FLAGS = ["--no-sandbox", "--disable-gpu"]
WATCH = """() => {
    window.tasks = [];
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)))
        .observe({ type: "longtask" });
}"""


def measure(house: House) -> None:
    """Seconds from pressing the button to the last document, for new ones and once more for the same ones."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is not installed (Debian package chromium).")
    with started(house) as peers, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        address = f"http://127.0.0.1:{peers[0].server.port}"
        rounds = [_round(house, browser, address, number) for number in range(min(ROUNDS, MOST_ROUNDS))]
        browser.close()
    new, again, longest = (median(figures) for figures in zip(*rounds, strict=True))
    print(f"\n## dropping\n\n{DATABASE}, {COUNT:,} files of {SIZE // KIB} KiB through Chromium.\n")
    print(f"* new ones: {new:.1f} s, {COUNT / new:.0f} a second; at most {WANTED:.0f} s is wanted")
    print(f"* the same ones once more, of which none is sent: {again:.1f} s")
    print(f"* the page was busy for {longest:.0f} ms at a stretch at most; {SMOOTH} ms are felt", flush=True)


def _round(house: House, browser: Browser, address: str, number: int) -> tuple[float, float, float]:
    files = _files(house.work / f"dropped-{number}")
    name, _, value = house.publisher.removeprefix("Cookie: ").strip().partition("=")
    with browser.new_context(base_url=address) as context:
        context.add_cookies([{"name": name, "value": value, "url": address}])
        page = context.new_page()
        page.add_init_script(f"({WATCH})()")
        new = _timed(page, files)
        longest: float = page.evaluate("Math.max(0, ...tasks)")
        again = _timed(page, files)
    shutil.rmtree(files)
    return new, again, longest


def _timed(page: Page, files: Path) -> float:
    page.goto("/admin/upload?category=inbox")
    page.locator("#files").set_input_files(sorted(files.iterdir()))
    page.locator(".uploads > li").first.wait_for()
    press: Callable[[], None] = page.locator("main .button.primary").click
    began = perf_counter()
    press()
    done = page.locator("#uploads [data-count]").filter(has_text=f"{COUNT:,} of {COUNT:,} are done.")
    done.wait_for(timeout=LONGEST)
    return perf_counter() - began


def _files(directory: Path) -> Path:
    """Each of bytes that nobody has sent before."""
    directory.mkdir()
    for number in range(COUNT):
        (directory / f"paper {directory.name} {number:04}.bin").write_bytes(os.urandom(SIZE))
    return directory
