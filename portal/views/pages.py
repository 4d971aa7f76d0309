"""What every page shows and how it says sizes, moments and types."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from flask import Flask, Response, render_template
from markupsafe import Markup, escape

from portal import catalog, filenames, search
from portal.catalog import Branch
from portal.errors import PortalError
from portal.extensions import settings
from portal.models import Category
from portal.search import Query
from portal.sizes import exact_size_text, size_text
from portal.views.clock import local, zone_of, zone_words
from portal.views.guard import find_person, person
from portal.views.reaching import reach

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905
FULL_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()  # noqa: SIM905


NUMBERS = "no one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
SHEETS = {
    "letter": {"doc", "docx", "eml", "htm", "html", "md", "msg", "odt", "pdf", "rtf", "tex", "txt"},
    "sheet": {"csv", "ods", "tsv", "xls", "xlsb", "xlsm", "xlsx"},
    "pile": {"7z", "gz", "rar", "tar", "tar.bz2", "tar.gz", "tar.xz", "xz", "zip"},
    "picture": {"avif", "bmp", "gif", "heic", "jpeg", "jpg", "png", "svg", "tif", "tiff", "webp"},
    "slides": {"key", "odp", "ppt", "pptx"},
    "code": {"geojson", "ics", "json", "vcf", "xml", "yaml", "yml"},
}
"""The little sheet that stands for a type, one symbol each in static/thumbs.svg, and the endings it is for."""


def init_app(app: Flask) -> None:
    """Filters and values for the templates."""
    env = app.jinja_env
    env.trim_blocks = env.lstrip_blocks = True  # a page is half as heavy without the lines of its macros
    env.filters.update(size=size_text, day=day, moment=full_moment, date=date, weekday=weekday, clock=clock, iso=iso)
    env.filters["exact_size"] = exact_size_text
    env.filters.update(kind=kind, sheet=sheet, breakable=breakable, marked=marked, pieces=pieces)
    env.filters.update(written=written, tagged=tagged)
    env.filters.update(counted=counted, plural=plural, initials=initials)
    env.tests.update(future=is_future, mixed=filenames.mixes_scripts)
    env.globals.update(zone=zone_words)
    app.context_processor(common)


def render(template: str, *, category: Category | None = None, **values: Any) -> str:
    """A page inside the frame: with the tree of the person at its side, open at ``category``.

    ``trail`` leads through what the person may see of the tree down to the category: it is the breadcrumb, and its last
    branch says what they may do there.
    """
    who = person()
    tree, is_publisher = catalog.look_round(who, category, reach=reach())
    place = {"tree": tree, "trail": trail_to(tree, category), "category": category, "is_publisher": is_publisher}
    return render_template(template, **place, **values)


def answer(page: str, problem: PortalError | None = None) -> Response:
    """A page as an answer; with a ``problem`` it is a form shown again, with its status and when to try again."""
    response = Response(page, problem.status if problem else 200)
    if problem is not None and problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


def trail_to(tree: Iterable[Branch], category: Category | None) -> list[Branch]:
    """From a branch at the top down to the one of ``category``; empty when it is not in the tree."""
    if category is None:
        return []
    for branch in tree:
        if branch.category.id == category.id:
            return [branch]
        below = trail_to(branch.children, category)
        if below:
            return [branch, *below]
    return []


def common() -> dict[str, Any]:
    """What every template may use."""
    return {"portal_name": settings().name, "find_person": find_person}


def day(moment: datetime | None, now: datetime | None = None) -> Markup:
    """``Today, 09:12``, ``Yesterday``, ``16 Nov``, ``16 Nov 2025``, inside a ``time`` element with the full moment."""
    if moment is None:
        return Markup("")
    here, now = local(moment), local(now or datetime.now(UTC))
    days = (now.date() - here.date()).days
    if days == 0:
        words = f"Today, {here:%H:%M}"
    elif days == 1:
        words = "Yesterday"
    else:
        words = f"{here.day} {MONTHS[here.month - 1]}"
        if here.year != now.year or here > now + timedelta(days=300):
            words += f" {here.year}"
    return _time(moment, words)


def full_moment(moment: datetime | None) -> Markup:
    """``Tuesday, 17 November 2026, 14:20 UTC``, in the zone of whoever asks, inside a ``time`` element."""
    if moment is None:
        return Markup("")
    here = local(moment)
    words = f"{DAYS[here.weekday()]}, {_unbroken(here)} {here.year}, {here:%H:%M}\u00a0{zone_of(moment)}"
    return _time(moment, words)


def date(moment: datetime | None, now: datetime | None = None) -> Markup:
    """``12 November``, with the year when it is another one; for sentences."""
    if moment is None:
        return Markup("")
    here = local(moment)
    year = "" if here.year == local(now or datetime.now(UTC)).year else f" {here.year}"
    return _time(moment, f"{_unbroken(here)}{year}")


def weekday(moment: datetime) -> Markup:
    """``Thursday, 12 November``."""
    return Markup("{}, {}").format(DAYS[local(moment).weekday()], date(moment))


def clock(moment: datetime) -> Markup:
    """``14:20``, where the day stands above; inside a ``time`` element with the full moment."""
    return _time(moment, f"{local(moment):%H:%M}")


def written(value: str, kind: str) -> str:
    """What stands in a field of a document, as people read it: a day as ``30 November 2026``, the rest as it is."""
    if kind != "date":
        return value
    found = datetime.fromisoformat(value)
    return f"{_unbroken(found)}\u00a0{found.year}"


def tagged(name: str) -> str:
    """The search for a tag."""
    return f"tag:{name}" if re.fullmatch(r"\w+", name) else f'tag:"{name}"'


def is_future(moment: datetime | None) -> bool:
    """Whether a moment is still to come; for words only, the database's clock decides about rights."""
    return moment is not None and moment > datetime.now(UTC)


def counted(count: int) -> str:
    """A number as it stands in a sentence: in words up to twelve, then in figures."""
    return NUMBERS[count] if 0 <= count < len(NUMBERS) else f"{count:,}"


def plural(count: int, one: str, many: str) -> str:
    """The word that goes with a number."""
    return one if count == 1 else many


def initials(name: str) -> str:
    """The first letters of the first and the last word of a name, for where there is no room for all of it."""
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()


def iso(moment: datetime | None) -> str:
    """The value of a ``datetime-local`` field."""
    return local(moment).strftime("%Y-%m-%dT%H:%M") if moment else ""


def kind(filename: str) -> str:
    """The type as the download tag says it: ``PDF``, ``CSV``; ``File`` for a name without an ending."""
    return filenames.extension(filename).lstrip(".").upper()[:8] or "File"


def breakable(name: str) -> Markup:
    """A name that may be broken after ``_``, ``-`` and ``@``, so that it is never cut."""
    text = str(escape(name))
    for sign in "_-@":
        text = text.replace(sign, f"{sign}<wbr>")
    return Markup(text)  # noqa: S704 - escaped above


def sheet(filename: str) -> str:
    """Which little sheet stands for the type of a document."""
    ending = filenames.extension(filename).lstrip(".")
    return next((name for name, endings in SHEETS.items() if ending in endings), "plain")


def marked(text: str, query: Query | None) -> Markup:
    """A name with what a query looks for marked, and breakable where nothing is."""
    return breakable(text) if query is None else pieces(search.snippet(query, text, len(text)))


def pieces(parts: Iterable[tuple[str, bool]]) -> Markup:
    """Pieces of a text, as ``search.snippet`` gives them, each marked or breakable; marks that touch are one."""
    runs = [("".join(words for words, _ in run), is_found) for is_found, run in groupby(parts, itemgetter(1))]
    found = Markup("<mark>{}</mark>")
    return Markup("").join(found.format(words) if is_found else breakable(words) for words, is_found in runs)


def _unbroken(moment: datetime) -> str:
    """Day and month, which belong together at the end of a line."""
    return f"{moment.day}\u00a0{FULL_MONTHS[moment.month - 1]}"


def _time(moment: datetime, words: str) -> Markup:
    at = f"{moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
    full = f"{local(moment):%Y-%m-%d %H:%M} {zone_of(moment)}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at, full, words)
