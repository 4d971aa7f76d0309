"""What every page shows and how it says sizes, moments and types."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, render_template
from markupsafe import Markup, escape

from portal import access, catalog, filenames
from portal.extensions import settings
from portal.models import Category
from portal.views.guard import find_person, person

KIB = 1024
UNITS = ("bytes", "KB", "MB", "GB", "TB")
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905
FULL_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()  # noqa: SIM905


def init_app(app: Flask) -> None:
    """Filters and values for the templates."""
    app.jinja_env.filters.update(size=size, day=day, moment=full_moment, kind=kind, breakable=breakable, iso=iso)
    app.context_processor(common)


def render(template: str, *, category: Category | None = None, **values: Any) -> str:
    """A page inside the frame: with the tree of the person at its side, open at ``category``."""
    who = person()
    tree = catalog.tree(who, category)
    is_publisher = access.publishes_somewhere(who)
    return render_template(template, tree=tree, category=category, is_publisher=is_publisher, **values)


def common() -> dict[str, Any]:
    """What every template may use."""
    return {"portal_name": settings().name, "find_person": find_person}


def size(count: int) -> str:
    """Bytes as people read them: ``96 KB``, ``2.4 MB``. Powers of 1024, as file managers count."""
    value, unit = float(count), 0
    while value >= KIB and unit < len(UNITS) - 1:
        value, unit = value / KIB, unit + 1
    if unit == 0:
        return f"{count} bytes" if count != 1 else "1 byte"
    digits = 1 if value < 10 and unit > 1 else 0
    return f"{value:.{digits}f} {UNITS[unit]}"


def day(moment: datetime | None, now: datetime | None = None) -> Markup:
    """``Today, 09:12``, ``Yesterday``, ``16 Nov``, ``16 Nov 2025``, inside a ``time`` element with the full moment."""
    if moment is None:
        return Markup("")
    now = now or datetime.now(UTC)
    days = (now.date() - moment.date()).days
    if days == 0:
        words = f"Today, {moment:%H:%M}"
    elif days == 1:
        words = "Yesterday"
    else:
        words = f"{moment.day} {MONTHS[moment.month - 1]}"
        if moment.year != now.year or moment > now + timedelta(days=300):
            words += f" {moment.year}"
    return _time(moment, words)


def full_moment(moment: datetime | None) -> Markup:
    """``Tuesday, 17 November 2026, 14:20``, in UTC, inside a ``time`` element."""
    if moment is None:
        return Markup("")
    words = f"{DAYS[moment.weekday()]}, {moment.day} {FULL_MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M}"
    return _time(moment, words)


def iso(moment: datetime | None) -> str:
    """The value of a ``datetime-local`` field."""
    return moment.strftime("%Y-%m-%dT%H:%M") if moment else ""


def kind(filename: str) -> str:
    """The type as the download tag says it: ``PDF``, ``CSV``; ``File`` for a name without an ending."""
    return filenames.extension(filename).lstrip(".").upper()[:8] or "File"


def breakable(name: str) -> Markup:
    """A name that may be broken after ``_``, ``-``, ``@`` and ``.``, so that it is never cut."""
    text = str(escape(name))
    for sign in "_-@.":
        text = text.replace(sign, f"{sign}<wbr>")
    return Markup(text)  # noqa: S704 - escaped above


def _time(moment: datetime, words: str) -> Markup:
    full = moment.strftime("%Y-%m-%d %H:%M UTC")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(moment.isoformat(), full, words)
