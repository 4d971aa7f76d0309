"""What must hold for every page, however it is looked at."""

from typing import Any, Literal

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page, expect

CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
ALL_ELSE = {"rules": {"color-contrast": {"enabled": False}}}
LOOKS: tuple[tuple[Literal["light", "dark"], int, dict[str, Any]], ...] = (
    ("light", 1280, {}),
    ("dark", 1280, CONTRAST),
    ("light", 375, ALL_ELSE),
    ("dark", 320, CONTRAST),
)
"""Colours depend on the scheme, and what is shown at all on the width; the rest is the same in both schemes."""
HAS_AXE = "typeof axe !== 'undefined'"
BROKEN = "options => axe.run(options).then(({violations}) => ({violations}))"
"""Only what is broken: a list of all that is well, with a picture of each element, takes longer than finding it."""
WIDTHS = (1440, 1280, 375, 320)
WIDER = """width => [...document.querySelectorAll("main *")]
    .filter(element => element.getBoundingClientRect().right > width)
    .map(element => element.outerHTML.slice(0, 160))"""


def look_at(page: Page, path: str) -> None:
    """Open a page and look at it."""
    page.goto(path)
    look(page, path)


def look(page: Page, path: str) -> None:
    """No rule of axe is broken in light and dark, wide and narrow, and nothing reaches beyond a screen.

    After a click, first expect something that only the page to come has: the one before it has a heading, too.
    """
    expect(page.locator("h1"), path).to_have_count(1)
    page.wait_for_load_state()
    assert page.locator("main .button.primary").count() <= 1, path
    for scheme, width, options in LOOKS:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # or colours would be measured on their way
        page.set_viewport_size({"width": width, "height": 800})
        found = broken_rules(page, options)
        assert found.violations_count == 0, f"{path}, {scheme}, {width}: {found.generate_report()}"
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wide = page.evaluate(WIDER, width)
        assert overflow <= 0, f"{path} scrolls sideways by {overflow} at {width}: {wide}"


def broken_rules(page: Page, options: dict[str, Any]) -> AxeResults:
    """What axe finds; it is put into the page once, however often it looks."""
    if not page.evaluate(HAS_AXE):
        page.evaluate(AXE_SCRIPT)
    return AxeResults(page.evaluate(BROKEN, {"resultTypes": ["violations"], **options}))
