"""The one policy: its forms agree with each other and with a reference written the slow way."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from sqlalchemy import insert, select, text

from portal import access
from portal.actors import PORTAL, Actor
from portal.catalog import reasons
from portal.catalog.grants import remove_grant
from portal.catalog.tree import counting_ids
from portal.errors import CategoryNotFound, DocumentNotFound, Forbidden
from portal.extensions import db
from portal.models import MANAGE, PUBLISH, READ, Category, Document, Grant, Group, Membership, User
from tests.databases import POSTGRESQL_ONLY, SQLITE_ONLY
from tests.makers import actor, category, change, document, grant, group, now, person
from tests.properties import examples

PAST = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE = datetime(2120, 1, 1, tzinfo=UTC)
USERS, GROUPS, ADMINISTRATOR = (1, 2), (1, 2), 3

LINK = Actor(None, kind="link")
ACTORS = [*(Actor(user_id) for user_id in USERS), Actor(ADMINISTRATOR, is_admin=True), LINK]


@dataclass(frozen=True)
class Shelf:
    """A category by its number; ``parent`` is the number of an earlier one."""

    parent: int | None
    is_sealed: bool
    is_trashed: bool = False
    """With all below it, and with the documents there."""


@dataclass(frozen=True)
class Permit:
    """A grant: to ``("user", 2)``, ``("group", 1)`` or ``("everyone", 0)``."""

    shelf: int
    principal: tuple[str, int]
    level: int
    expires_at: datetime | None

    @property
    def is_over(self) -> bool:
        return self.expires_at == PAST


@dataclass(frozen=True)
class Paper:
    """A document: the shelf it is on and its dates."""

    shelf: int
    published_at: datetime | None
    expires_at: datetime | None
    trashed_at: datetime | None

    @property
    def is_published(self) -> bool:
        return self.published_at == PAST and self.expires_at != PAST


@dataclass(frozen=True)
class World:
    """A whole catalog; rows get the ids 1, 2, 3 … in this order."""

    shelves: tuple[Shelf, ...]
    members: frozenset[tuple[int, int]]
    permits: tuple[Permit, ...]
    papers: tuple[Paper, ...]


MOMENTS = st.sampled_from([None, PAST, FUTURE])
PRINCIPALS = st.sampled_from(
    [("user", user) for user in USERS] + [("group", one) for one in GROUPS] + [("everyone", 0)]
)


@st.composite
def shelves(draw: st.DrawFn) -> tuple[Shelf, ...]:
    """A forest of up to twelve categories; deep ones are as likely as broad ones."""
    made: list[Shelf] = []
    for number in range(1, draw(st.integers(1, 12)) + 1):
        parents = st.none() | st.integers(1, number - 1) | st.just(number - 1) if number > 1 else st.none()
        parent = draw(parents)
        is_trashed = made[parent - 1].is_trashed if parent else False
        made.append(Shelf(parent, draw(st.booleans()), is_trashed or draw(st.sampled_from([False] * 4 + [True]))))
    return tuple(made)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    tree = draw(shelves())
    somewhere = st.integers(1, len(tree))
    permits = st.builds(Permit, somewhere, PRINCIPALS, st.sampled_from([READ, PUBLISH, MANAGE]), MOMENTS)
    papers = st.builds(Paper, somewhere, MOMENTS, MOMENTS, st.sampled_from([None, None, PAST]))
    return World(
        tree,
        draw(st.frozensets(st.tuples(st.sampled_from(GROUPS), st.sampled_from(USERS)))),
        tuple(draw(st.lists(permits, max_size=10, unique_by=lambda permit: (permit.shelf, permit.principal)))),
        tuple(draw(st.lists(papers, min_size=1, max_size=5))),
    )


def level_by_hand(world: World, who: Actor, shelf: int | None) -> int:
    """The best permission on the way up from a shelf, ending at the first seal; none on one in the trash."""
    if who.is_admin:
        return MANAGE
    return 0 if shelf and world.shelves[shelf - 1].is_trashed else level_if_back(world, who, shelf)


def level_if_back(world: World, who: Actor, shelf: int | None) -> int:
    """The same as if nothing was in the trash."""
    best = 0
    while shelf is not None:
        mine = [permit for permit in world.permits if permit.shelf == shelf and is_for(world, permit, who)]
        best = max([best, *(permit.level for permit in mine if not permit.is_over)])
        here = world.shelves[shelf - 1]
        shelf = None if here.is_sealed else here.parent
    return best


def is_for(world: World, permit: Permit, who: Actor) -> bool:
    """Whether a grant is for this person; a link is no person, so nothing is."""
    if who.user_id is None:
        return False
    kind, number = permit.principal
    return {
        "everyone": True,
        "user": number == who.user_id,
        "group": (number, who.user_id) in world.members,
    }[kind]


def may_read_by_hand(world: World, who: Actor, paper: Paper) -> bool:
    """The rule of the design in words: not in the trash; publishers also see what is not out."""
    if paper.trashed_at is not None or world.shelves[paper.shelf - 1].is_trashed:
        return False
    return level_by_hand(world, who, paper.shelf) >= (READ if paper.is_published else PUBLISH)


def build(world: World) -> None:
    """Put the world's rows into the open transaction, which is never committed."""
    people = [
        {
            "id": user,
            "email": address,
            "email_key": address,
            "name": str(user),
            "name_key": str(user),
            "is_admin": user == ADMINISTRATOR,
        }
        for user, address in ((user, f"{user}@example.org") for user in (*USERS, ADMINISTRATOR))
    ]
    db.session.execute(insert(User), people)
    db.session.execute(insert(Group), [{"id": one, "name": str(one), "name_key": str(one)} for one in GROUPS])
    insert_all(Membership, [{"group_id": group_id, "user_id": user_id} for group_id, user_id in world.members])
    for number, shelf in enumerate(world.shelves, 1):
        above = db.session.get_one(Category, shelf.parent) if shelf.parent else None
        row = Category(id=number, name=f"c{number}", parent_id=shelf.parent, is_sealed=shelf.is_sealed)
        row.path = f"{above.path}/c{number}" if above else f"c{number}"
        row.lineage = f"{above.lineage if above else '/'}{number}/"
        row.depth = above.depth + 1 if above else 1
        row.trashed_at = PAST if shelf.is_trashed else None
        db.session.add(row)
    db.session.flush()
    insert_all(Grant, [permit_row(permit) for permit in world.permits])
    insert_all(Document, [paper_row(world, number, paper) for number, paper in enumerate(world.papers, 1)])


def insert_all(model: type, rows: list[dict[str, object]]) -> None:
    if rows:
        db.session.execute(insert(model), rows)


def permit_row(permit: Permit) -> dict[str, object]:
    kind, number = permit.principal
    return {
        "category_id": permit.shelf,
        "permission": permit.level,
        "expires_at": permit.expires_at,
        "user_id": number if kind == "user" else None,
        "group_id": number if kind == "group" else None,
        "is_everyone": kind == "everyone",
    }


def paper_row(world: World, number: int, paper: Paper) -> dict[str, object]:
    trashed_at = PAST if world.shelves[paper.shelf - 1].is_trashed else paper.trashed_at
    dates = {"published_at": paper.published_at, "expires_at": paper.expires_at, "trashed_at": trashed_at}
    names = {"title": str(number), "filename": str(number), "search_text": str(number)}
    return {"id": number, "category_id": paper.shelf, **names, **dates}


def check_world(world: World) -> None:
    """Every form of the policy gives for every actor what the reference gives."""
    try:
        build(world)
        for who in ACTORS:
            check_documents(world, who)
            check_categories(world, who)
        check_readers(world)
        check_reasons(world)
    finally:
        db.session.rollback()


def check_documents(world: World, who: Actor) -> None:
    numbered = dict(enumerate(world.papers, 1))
    expected = {number for number, paper in numbered.items() if may_read_by_hand(world, who, paper)}
    level = access.level_at(Document.category_id, who)
    assert {number for number in numbered if access.may_read(who, number)} == expected
    assert sorted(db.session.scalars(access.readable(select(Document.id), who))) == sorted(expected)
    assert set(db.session.scalars(select(Document.id).where(access.visible(level)))) == expected


def check_readers(world: World) -> None:
    """The question asked the other way round: each document has the readers who may read it, each at their level."""
    people = [Actor(user_id) for user_id in USERS] + [Actor(ADMINISTRATOR, is_admin=True)]
    for number, paper in enumerate(world.papers, 1):
        expected = [
            (who.user_id, level_by_hand(world, who, paper.shelf)) for who in people if access.may_read(who, number)
        ]
        assert sorted(tuple(row) for row in db.session.execute(access.readers(number))) == expected


def check_reasons(world: World) -> None:
    """What is told in words comes to what is decided, for every person, document and category."""
    for user in db.session.scalars(select(User).order_by(User.id)):
        who = actor(user)
        for number in range(1, len(world.papers) + 1):
            told = reasons.explain_document(user, number)
            assert told.may_read == access.may_read(who, number)
            assert told.level == access.permission_on(who, world.papers[number - 1].shelf)
            assert reasons.is_holder(user.id, 0, number) == told.may_read
        live = [number for number, shelf in enumerate(world.shelves, 1) if not shelf.is_trashed]
        levels = {number: reasons.explain_category(user, number).level for number in live}
        assert levels == {number: level_by_hand(world, who, number) for number in levels}
        for number, level in levels.items():
            assert reasons.is_holder(user.id, number) == (level > 0)
        seen, _ = reasons.list_seen(user, limit=1000)
        assert {row.category.id: row.level for row in seen} == {number: one for number, one in levels.items() if one}
        assert all({given.grant.permission for given in row.rows} == {row.level} or user.is_admin for row in seen)


def check_categories(world: World, who: Actor) -> None:
    expected = {number: level_by_hand(world, who, number) for number in range(1, len(world.shelves) + 1)}
    trashed = {number for number, shelf in enumerate(world.shelves, 1) if shelf.is_trashed}
    shown = {number: level for number, level in expected.items() if level > 0 and number not in trashed}
    again = {number: who.is_admin * MANAGE or level_if_back(world, who, number) for number in trashed}
    back = select(Category.id, access.level_in_trash(Category.id, who).label("level"))
    assert {row.id: row.level for row in db.session.execute(back) if row.id in trashed or not who.is_admin} == {
        number: again.get(number, 0) for number in expected if number in trashed or not who.is_admin
    }
    levels = db.session.execute(select(Category.id, access.level_at(Category.id, who).label("level")))
    assert {row.id: row.level for row in levels} == expected
    assert sorted(tuple(row) for row in db.session.execute(access.shown_categories(who))) == sorted(shown.items())
    for number in {paper.shelf for paper in world.papers}:
        assert access.permission_on(who, number) == expected[number]
    brings_back = any(level >= MANAGE for level in again.values())
    assert access.publishes_somewhere(who) == (brings_back or any(level >= PUBLISH for level in expected.values()))
    assert access.manages_somewhere(who) == any(level >= MANAGE for level in expected.values())
    for number in shown:
        counting = counting_ids(db.session.get_one(Category, number))
        forms = access.holders_by(counting), access.holders(number)
        held, by_these = ({tuple(row) for row in db.session.execute(form)} for form in forms)
        assert held == by_these


DEEP = World(
    shelves=tuple(Shelf(number or None, is_sealed=False) for number in range(12)),
    members=frozenset({(1, 1)}),
    permits=(Permit(1, ("group", 1), READ, FUTURE), Permit(6, ("user", 1), PUBLISH, PAST)),
    papers=(Paper(12, PAST, None, None), Paper(12, None, None, None)),
)
TRASHED = replace(
    DEEP, shelves=tuple(replace(shelf, is_trashed=at >= 6) for at, shelf in enumerate(DEEP.shelves)), papers=DEEP.papers
)
SEALED = replace(DEEP, shelves=tuple(replace(shelf, is_sealed=at == 6) for at, shelf in enumerate(DEEP.shelves)))
ONLY_GROUPS = World(
    shelves=(Shelf(None, is_sealed=False),),
    members=frozenset(),
    permits=(Permit(1, ("group", 1), READ, None),),
    papers=(Paper(1, PAST, None, None),),
)

shared_database = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.mark.parametrize(
    ("level_by_hand_is", "who"), [(0, Actor(2)), (READ, Actor(1)), (MANAGE, Actor(3, is_admin=True)), (0, LINK)]
)
def test_the_reference_itself_knows_the_simplest_case(level_by_hand_is: int, who: Actor) -> None:
    assert level_by_hand(DEEP, who, 12) == level_by_hand_is


@SQLITE_ONLY
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("context")
@examples(25, suppress_health_check=shared_database)
@given(worlds())
@example(DEEP)
@example(SEALED)
@example(TRASHED)
@example(ONLY_GROUPS)
def test_every_form_of_the_policy_is_the_same_on_sqlite(world: World) -> None:
    check_world(world)


@POSTGRESQL_ONLY
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("context")
@examples(10, suppress_health_check=shared_database)
@given(worlds())
@example(DEEP)
@example(SEALED)
@example(TRASHED)
@example(ONLY_GROUPS)
def test_every_form_of_the_policy_is_the_same_on_postgresql(world: World) -> None:
    check_world(world)


def reads(user: User, paper: Document) -> bool:
    return access.may_read(actor(user), paper.id)


@pytest.mark.usefixtures("context")
def test_a_grant_flows_down_to_every_category_below() -> None:
    ada, paper = person(), document(category("reports/2018/feb"))
    assert not reads(ada, paper)
    grant(category("reports"), user=ada)
    assert reads(ada, paper)


@pytest.mark.usefixtures("context")
def test_a_grant_does_not_flow_up_or_sideways() -> None:
    ada, above, beside = person(), document(category("reports")), document(category("reports/2019"))
    grant(category("reports/2018"), user=ada)
    assert not reads(ada, above)
    assert not reads(ada, beside)


@pytest.mark.usefixtures("context")
def test_a_category_whose_name_only_begins_alike_is_another_one() -> None:
    ada, paper = person(), document(category("reports2/2018"))
    grant(category("reports"), user=ada)
    assert not reads(ada, paper)


@pytest.mark.usefixtures("context")
def test_a_seal_stops_what_comes_from_above() -> None:
    ada, paper = person(), document(category("reports/board/minutes"))
    grant(category("reports"), user=ada)
    assert reads(ada, paper)
    change(category("reports/board"), is_sealed=True)
    assert not reads(ada, paper)


@pytest.mark.usefixtures("context")
def test_a_grant_on_the_sealed_category_itself_counts_there_and_below() -> None:
    ada, board = person(), category("reports/board", is_sealed=True)
    grant(board, user=ada)
    assert reads(ada, document(board))
    assert reads(ada, document(category("reports/board/minutes")))


@pytest.mark.usefixtures("context")
def test_a_group_counts_for_its_members_only() -> None:
    ada, bob, paper = person("Ada"), person("Bob"), document(category())
    grant(category(), group=group("Clients", ada))
    assert reads(ada, paper)
    assert not reads(bob, paper)


@pytest.mark.usefixtures("context")
def test_everyone_means_every_person_but_no_link() -> None:
    ada, paper = person(), document(category())
    grant(category(), everyone=True)
    assert reads(ada, paper)
    assert not access.may_read(LINK, paper.id)


@pytest.mark.usefixtures("context")
def test_the_grant_of_a_group_is_nothing_to_a_link() -> None:
    paper = document(category())
    grant(category(), group=group())
    assert not access.may_read(LINK, paper.id)
    assert access.permission_on(LINK, category().id) == 0


@pytest.mark.usefixtures("context")
def test_the_best_of_several_grants_counts() -> None:
    ada, below = person(), category("reports/2018")
    grant(category("reports"), user=ada, permission=PUBLISH)
    grant(below, everyone=True, permission=READ)
    assert access.permission_on(actor(ada), below.id) == PUBLISH


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize(
    ("columns", "reader", "publisher"),
    [
        pytest.param({}, True, True, id="published"),
        pytest.param({"published_at": None}, False, True, id="a draft"),
        pytest.param({"published_at": FUTURE}, False, True, id="scheduled"),
        pytest.param({"expires_at": PAST}, False, True, id="expired"),
        pytest.param({"expires_at": FUTURE}, True, True, id="not yet expired"),
        pytest.param({"trashed_at": PAST}, False, False, id="in the trash"),
    ],
)
def test_dates_hide_a_document_from_readers(columns: dict[str, Any], reader: bool, publisher: bool) -> None:
    ada, bob, paper = person("Ada"), person("Bob"), document(category(), **columns)
    grant(category(), user=ada, permission=READ)
    grant(category(), user=bob, permission=PUBLISH)
    assert (reads(ada, paper), reads(bob, paper)) == (reader, publisher)


@pytest.mark.usefixtures("context")
def test_a_grant_that_is_over_counts_for_nothing() -> None:
    ada, paper = person(), document(category())
    given = grant(category(), user=ada, expires_at=now(hours=1))
    assert reads(ada, paper)
    change(given, expires_at=now(seconds=-1))
    assert not reads(ada, paper)


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize(("later", "is_open"), [(timedelta(0), False), (timedelta(milliseconds=1), True)])
def test_the_moment_of_expiry_itself_is_over(later: timedelta, is_open: bool) -> None:
    ada, noon = person(), datetime(2031, 5, 6, 12, tzinfo=UTC)
    paper = document(category(), published_at=PAST)
    given = grant(category(), user=ada)
    change(given, expires_at=noon + later)
    stop_clock(noon)
    assert reads(ada, paper) == is_open
    change(given, expires_at=None)
    stop_clock(noon)
    change(paper, expires_at=noon + later)
    stop_clock(noon)
    assert reads(ada, paper) == is_open


@pytest.mark.usefixtures("context")
def test_a_document_is_out_from_its_moment_on() -> None:
    ada, noon = person(), datetime(2031, 5, 6, 12, tzinfo=UTC)
    grant(category(), user=ada)
    paper = document(category(), published_at=noon)
    stop_clock(noon - timedelta(milliseconds=1))
    assert not reads(ada, paper)
    stop_clock(noon)
    assert reads(ada, paper)


def stop_clock(moment: datetime) -> None:
    """Let the database's clock show one moment, on the connection of the running transaction only."""
    connection = db.session.connection()
    if connection.dialect.name == "sqlite":
        days = moment.timestamp() / 86400 + 2440587.5
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.create_function("julianday", 1, lambda _: days)
        return
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS stopped"))
    body = f"SELECT timestamptz '{moment.isoformat()}'"
    head = "CREATE OR REPLACE FUNCTION stopped.statement_timestamp() RETURNS timestamptz LANGUAGE sql AS"
    connection.execute(text(f"{head} $${body}$$"))
    connection.execute(text("SET LOCAL search_path = stopped, public, pg_catalog"))


@pytest.mark.usefixtures("context")
def test_an_administrator_reads_everything_but_the_trash() -> None:
    root = person(is_admin=True)
    sealed = category("reports/board", is_sealed=True)
    assert reads(root, document(sealed, published_at=None))
    assert not reads(root, document(sealed, "old.pdf", trashed_at=PAST))
    assert access.may_read(PORTAL, document(sealed).id)


@pytest.mark.usefixtures("context")
def test_a_revoked_right_is_gone_at_the_next_question() -> None:
    ada, paper = person(), document(category())
    given = grant(category(), user=ada)
    assert reads(ada, paper)
    remove_grant(None, given.id)
    assert not reads(ada, paper)


@pytest.mark.usefixtures("context")
def test_what_may_not_be_read_is_said_not_to_exist() -> None:
    ada, paper = person(), document(category())
    with pytest.raises(DocumentNotFound) as forbidden:
        access.require_read(actor(ada), paper.id)
    with pytest.raises(DocumentNotFound) as unknown:
        access.require_read(actor(ada), paper.id + 1)
    assert forbidden.value.sentence == unknown.value.sentence
    grant(category(), user=ada)
    access.require_read(actor(ada), paper.id)


@pytest.mark.usefixtures("context")
def test_a_permission_that_is_too_small_is_refused_and_none_at_all_is_not_found() -> None:
    ada, shelf = person(), category()
    with pytest.raises(CategoryNotFound):
        access.require_permission(actor(ada), shelf.id, READ)
    grant(shelf, user=ada, permission=PUBLISH)
    access.require_permission(actor(ada), shelf.id, PUBLISH)
    with pytest.raises(Forbidden):
        access.require_permission(actor(ada), shelf.id, MANAGE)


def test_the_answer_comes_from_one_query_however_deep_the_tree(statements: list[str]) -> None:
    ada, paper = person(), document(category("/".join(f"level{number}" for number in range(40))))
    grant(category("level0"), user=ada)
    who, document_id = actor(ada), paper.id
    statements.clear()
    assert access.may_read(who, document_id)
    assert len(statements) == 1
