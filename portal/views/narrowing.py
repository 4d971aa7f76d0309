"""A query as people see it: its words, and the filters beside them, each put in or taken out by a plain link."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import url_for

from portal.search import Facets

PART = re.compile(r'(-*)(?:([^\W\d_]+):)?(?:"([^"]*)"?\*?|([^\s"]+))')
"""As ``search.parse`` takes a query apart."""
SINGLE = frozenset({"type", "in", "by", "after", "before"})
"""Filters of which a new one takes the place of the one before: no document has two types."""
FILTERS = SINGLE | {"tag"}
SHOWN = 6
"""Values of a facet that are offered; who wants another one types it."""
ROOM = 15_000
"""Characters that all their addresses may take: each has the whole query in it."""


@dataclass(frozen=True)
class Choice:
    """One value of a facet, and the address with it, or without it when it is chosen."""

    label: str
    href: str
    count: int
    is_chosen: bool


@dataclass(frozen=True)
class Part:
    """A word, phrase or filter as it stands in a query; ``key`` is "" unless it is a filter."""

    text: str
    key: str
    value: str
    is_excluded: bool


def parts_of(text: str) -> Iterator[Part]:
    """The query taken apart at its blanks; what stands in quotes stays together."""
    for match in PART.finditer(text):
        key = (match[2] or "").casefold()
        value = match[3] if match[3] is not None else match[4]
        yield Part(match[0], key if key in FILTERS and value.strip() else "", value.strip(), bool(match[1]))


def words_in(text: str) -> str:
    """The query without its filters."""
    return " ".join(part.text for part in parts_of(text) if not part.key)


def without(text: str, *gone: Part) -> str:
    """The query without some of its parts."""
    return " ".join(part.text for part in parts_of(text) if part not in gone)


def with_filter(text: str, value: str) -> str:
    """The query narrowed by one more filter, such as ``type:pdf``."""
    keys = {part.key for part in parts_of(value)} & SINGLE
    kept = [part.text for part in parts_of(text) if part.key not in keys or part.is_excluded]
    return " ".join([*kept, value])


def address(text: str, order: str = "") -> str:
    """The page of what a query finds."""
    return url_for("searching.show", q=text, order=order or None)


def chips(text: str, order: str = "") -> list[tuple[str, str]]:
    """The filters in force, each in words and with the address without it."""
    filters = [part for part in parts_of(text) if part.key]
    made: list[tuple[str, str]] = []
    for part in filters:
        year = _year(part, filters)
        if year and part.key == "after":
            made.append((part.value, address(without(text, *year), order)))
        elif not year:
            made.append((said(part), address(without(text, part), order)))
    return made


def _year(part: Part, filters: Sequence[Part]) -> tuple[Part, ...]:
    """The two filters that are one year together, if this is one of them."""
    for since in filters:
        for until in filters:
            is_year = (since.key, until.key) == ("after", "before") and since.value.isdecimal()
            is_year = is_year and until.value.isdecimal() and int(until.value) == int(since.value) + 1
            if is_year and part in (since, until) and not (since.is_excluded or until.is_excluded):
                return since, until
    return ()


def said(part: Part) -> str:
    """A filter in words."""
    if part.key == "type":
        words = part.value.upper()
    elif part.key == "in":
        words = "in " + part.value.replace("/", " / ")
    else:
        words = f"{part.key} {part.value}"
    return f"not {words}" if part.is_excluded else words


def choices(text: str, order: str, found: Facets) -> list[tuple[str, list[Choice]]]:
    """The facets that have something to choose, each with its heading."""
    groups = (
        ("Where", [(value, label.replace("/", " / "), count) for value, label, count in found.categories]),
        ("Published", found.years),
        ("Type", [(value, label.upper(), count) for value, label, count in found.types]),
        ("Tags", found.tags),
        ("By", found.people),
    )
    most = min(SHOWN, ROOM // len(groups) // len(address(text, order)))
    made = [(heading, [_choice(text, order, *row) for row in values[:most]]) for heading, values in groups]
    return [(heading, offered) for heading, offered in made if offered]


def _choice(text: str, order: str, value: str, label: str, count: int) -> Choice:
    meant = {_meant(part) for part in parts_of(value)}
    chosen = [part for part in parts_of(text) if _meant(part) in meant]
    is_chosen = len(chosen) >= len(meant)
    wanted = without(text, *chosen) if is_chosen else with_filter(text, value)
    return Choice(label, address(wanted, order), count, is_chosen)


def _meant(part: Part) -> tuple[str, str, bool]:
    return part.key, part.value.casefold(), part.is_excluded
