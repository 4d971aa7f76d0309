"""The front of a line is what the plain statement gives, whichever way it was found."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import literal, select

from portal import access, reach
from portal.actors import Actor
from portal.catalog import lines
from portal.catalog.lines import FIRST, Line, list_front
from portal.catalog.shown import COME, OUT, PENDING, TO_COME, TRASH
from portal.extensions import db
from portal.models import Category, Document
from tests.databases import POSTGRESQL_ONLY, SQLITE_ONLY
from tests.properties import examples
from tests.test_access import ACTORS, MOMENTS, PAST, Paper, World, build, worlds

LINES = (COME, OUT, TO_COME, *PENDING, TRASH)
WAYS = ((1000, 1000, 1000), (0, 2, 5), (0, 2, 1000), (0, 1000, 1000))
"""How many categories are many, and how far is walked, at first and at the most: shelf by shelf, both, walking."""

MEASURES = ((reach, "MANY"), (lines, "MANY"), (lines, "SOME"))

shared_database = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@st.composite
def catalogs(draw: st.DrawFn) -> World:
    """A world with more documents, few of which came at the same time."""
    world = draw(worlds())
    dates = MOMENTS | st.integers(1, 6).map(lambda days: PAST + timedelta(days=days))
    papers = st.builds(
        Paper, st.integers(1, len(world.shelves)), dates, dates, st.sampled_from([None, None, None, PAST])
    )
    return replace(world, papers=tuple(draw(st.lists(papers, min_size=4, max_size=15))))


def check(world: World) -> None:
    try:
        build(world)
        shelf = db.session.get_one(Category, 1)
        for who in ACTORS:
            for line in LINES:
                compare(who, line, shelf)
    finally:
        db.session.rollback()


def compare(who: Actor, line: Line, shelf: Category) -> None:
    """Every way, some lengths, from the beginning and after what is there, in all categories and in one."""
    all_of_it = plain(who, line)
    for many, lines.WALK, lines.LONG_WALK in WAYS:
        for module, name in MEASURES:
            setattr(module, name, many)
        for most in (1, 3, 50):
            assert list_front(who, line, most, **NOWHERE) == all_of_it[:most]
    inside = set(
        db.session.scalars(select(Document.id).join(Category).where(Category.lineage.startswith(shelf.lineage)))
    )
    on_it = set(db.session.scalars(select(Document.id).where(Document.category_id == shelf.id)))
    for directly, there in ((True, on_it), (False, inside)):
        found = list_front(who, line, 50, category=shelf, directly=directly, **NOWHERE)
        assert found == [number for number in all_of_it if number in there]
    if line in (COME, TRASH) and all_of_it:
        document = db.session.get_one(Document, all_of_it[0])
        values = NOWHERE | {"at": getattr(document, line.key.key), "last_id": document.id}
        assert list_front(who, line, 50, **values) == all_of_it[1:]


NOWHERE: dict[str, Any] = {"at": None, "last_id": None, "since": FIRST}


def plain(who: Actor, line: Line) -> list[int]:
    """Every document looked at, by the permission on its category."""
    level = access.level_at(Document.category_id, who)
    statement = line.ids(line.shows(level, Document), level >= literal(line.permission))
    return list(db.session.scalars(statement, NOWHERE))


@pytest.fixture(autouse=True)
def _measures(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (*MEASURES, (lines, "WALK"), (lines, "LONG_WALK")):
        monkeypatch.setattr(module, name, getattr(module, name))


@SQLITE_ONLY
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("context")
@examples(10, suppress_health_check=shared_database)
@given(catalogs())
def test_every_way_finds_what_the_plain_statement_does_on_sqlite(world: World) -> None:
    check(world)


@POSTGRESQL_ONLY
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("context")
@examples(5, suppress_health_check=shared_database)
@given(catalogs())
def test_every_way_finds_what_the_plain_statement_does_on_postgresql(world: World) -> None:
    check(world)
