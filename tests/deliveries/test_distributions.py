"""Who has theirs of a distribution, and who has not: everybody it gave something to is in exactly one state."""

import pytest
from sqlalchemy import select, update

from portal import access, accounts, deliveries
from portal.actors import Actor
from portal.deliveries import Reception
from portal.errors import BadRequest, DistributionNotFound, Forbidden
from portal.extensions import db, transaction
from portal.models import PUBLISH, STATES, Category, Distribution, Document, Download, Grant, User, Version
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.uploads.dropping import PDF, begin, confirm, employee, manager, papers, shelves

pytestmark = pytest.mark.usefixtures("context")

LINES = "filename,person\na.pdf,Ada\nb.pdf,Bob\nc.pdf,Cid\nteam.pdf,Team\n"
FILES = {f"{name}.pdf": PDF + name.encode() for name in ("a", "b", "c", "team")}


@pytest.fixture
def people() -> dict[str, User]:
    """Ada, Bob and Cid, of whom Ada and Bob are the team, and Root, whom nothing is for."""
    found = {name: employee(name, name) for name in ("Ada", "Bob", "Cid")}
    makers.group("Team", found["Ada"], found["Bob"])
    return found | {"Root": makers.person("Root", is_admin=True)}


def given(actor: Actor | None, payroll: Category, files: dict[str, bytes] = FILES) -> Distribution:
    made = begin(actor, payroll, files, lines=LINES)
    confirm(actor, made.id)
    return made


def fetch(document: Document, by: User, *, state: str = "completed", number: int = 1) -> None:
    """A row of the ledger."""
    this = (Version.document_id == document.id, Version.number == number)
    row = Download(
        actor_key=f"u:{by.id}",
        user_id=by.id,
        document_id=document.id,
        version_id=db.session.scalars(select(Version.id).where(*this)).one(),
        state=state,
        intervals=[[0, 1]],
        closed_at=makers.now(),
    )
    with transaction() as session:
        session.add(row)


def everybody(actor: Actor | None, made: Distribution, state: str = "", limit: int = 50) -> list[Reception]:
    """All pages of a list."""
    rows, after = deliveries.list_receptions(actor, made.id, state, limit=limit)
    while after is not None:
        more, after = deliveries.list_receptions(actor, made.id, state, limit=limit, after=after)
        assert more
        rows += more
    return rows


def states(actor: Actor | None, made: Distribution) -> list[tuple[str, str, int, int]]:
    """Name, state, how many files, and how many of them were got, in the order of the list."""
    return [(row.name, row.state, row.got, row.files) for row in everybody(actor, made)]


def one(payroll: Category, name: str, filename: str) -> Document:
    """A document on somebody's shelf."""
    return papers(shelves(payroll)[name])[filename]


def test_everybody_is_there_those_without_theirs_first_by_name(
    mia: Actor, payroll: Category, people: dict[str, User]
) -> None:
    made = given(mia, payroll)
    fetch(one(payroll, "Ada", "a.pdf"), people["Ada"])
    fetch(one(payroll, "Cid", "c.pdf"), people["Cid"])
    fetch(one(payroll, "Team", "team.pdf"), people["Bob"])

    assert states(mia, made) == [("Ada", "none", 1, 2), ("Bob", "none", 1, 2), ("Cid", "has", 1, 1)]
    assert deliveries.count_receptions(mia, made.id) == {"all": 3, "none": 2, "old": 0, "has": 1, "closed": 0}


@pytest.mark.parametrize("state", sorted(set(STATES) - {"completed"}))
def test_what_was_only_begun_is_not_had(mia: Actor, payroll: Category, people: dict[str, User], state: str) -> None:
    made = given(mia, payroll)
    fetch(one(payroll, "Cid", "c.pdf"), people["Cid"], state=state)

    assert ("Cid", "none", 0, 1) in states(mia, made)


def test_what_somebody_else_fetched_is_nobody_elses(mia: Actor, payroll: Category, people: dict[str, User]) -> None:
    made = given(mia, payroll)
    fetch(one(payroll, "Cid", "c.pdf"), people["Root"])
    fetch(one(payroll, "Team", "team.pdf"), people["Cid"])

    assert deliveries.count_receptions(mia, made.id)["has"] == 0


def test_an_older_version_is_not_what_was_given_and_a_newer_one_is_as_good(
    mia: Actor, payroll: Category, people: dict[str, User]
) -> None:
    first = given(mia, payroll)
    paper = one(payroll, "Cid", "c.pdf")
    fetch(paper, people["Cid"])
    second = given(mia, payroll, {"c.pdf": PDF + b"mended"})
    assert (states(mia, first)[-1], states(mia, second)) == (("Cid", "has", 1, 1), [("Cid", "old", 0, 1)])

    fetch(paper, people["Cid"], number=2)

    assert (states(mia, first)[-1], states(mia, second)) == (("Cid", "has", 1, 1), [("Cid", "has", 1, 1)])


def test_what_was_there_already_counts_as_given(mia: Actor, payroll: Category, people: dict[str, User]) -> None:
    given(mia, payroll)
    fetch(one(payroll, "Cid", "c.pdf"), people["Cid"])

    again = given(mia, payroll, {"c.pdf": FILES["c.pdf"]})

    assert states(mia, again) == [("Cid", "has", 1, 1)]


@pytest.mark.parametrize("change", ["disabled", "trashed", "expired", "draft", "grant ended", "moved", "shelf trashed"])
def test_who_cannot_get_it_any_more_stands_apart_and_who_has_it_has_it(
    mia: Actor, payroll: Category, people: dict[str, User], change: str
) -> None:
    made = given(mia, payroll)
    fetch(one(payroll, "Bob", "b.pdf"), people["Bob"])
    fetch(one(payroll, "Team", "team.pdf"), people["Bob"])
    for name in ("Bob", "Cid"):
        shelf, paper = shelves(payroll)[name], one(payroll, name, f"{name[0].lower()}.pdf")
        match change:
            case "disabled":
                accounts.disable_user(None, people[name].id)
            case "trashed":
                makers.change(paper, trashed_at=makers.now())
            case "expired":
                makers.change(paper, expires_at=makers.now(days=-1))
            case "draft":
                makers.change(paper, published_at=None)
            case "grant ended":
                with transaction() as session:
                    past = update(Grant).where(Grant.category_id == shelf.id)
                    session.execute(past.values(expires_at=makers.now(days=-1)))
            case "moved":
                makers.change(paper, category_id=makers.category("elsewhere").id)
            case _:
                makers.change(shelf, trashed_at=makers.now())

    assert states(mia, made) == [("Ada", "none", 0, 2), ("Bob", "has", 2, 2), ("Cid", "closed", 0, 1)]


def test_only_who_may_read_theirs_is_said_to_lack_it(payroll: Category, people: dict[str, User]) -> None:
    made = given(None, payroll, {f"{name}.pdf": PDF + name.encode() for name in "abc"})
    found = {name: one(payroll, name, f"{name[0].lower()}.pdf") for name in ("Ada", "Bob", "Cid")}
    makers.change(found["Ada"], category_id=makers.category("nowhere").id)
    makers.change(found["Bob"], expires_at=makers.now(days=-1))
    makers.change(people["Bob"], is_admin=True)
    makers.change(found["Cid"], category_id=makers.category("elsewhere").id)
    makers.grant(makers.category("elsewhere"), everyone=True)

    lacking = {row.name for row in everybody(None, made, state="none")}

    assert lacking == {name for name in found if access.may_read(makers.actor(people[name]), found[name].id)}
    assert lacking == {"Bob", "Cid"}


@SQLITE_ONLY
def test_whoever_publishes_on_their_own_shelf_lacks_what_is_not_out_there(
    payroll: Category, people: dict[str, User]
) -> None:
    made = given(None, payroll, {"c.pdf": FILES["c.pdf"]})
    makers.change(one(payroll, "Cid", "c.pdf"), published_at=None)
    assert states(None, made) == [("Cid", "closed", 0, 1)]

    with transaction() as session:
        theirs = update(Grant).where(Grant.category_id == shelves(payroll)["Cid"].id)
        session.execute(theirs.values(permission=PUBLISH))

    assert states(None, made) == [("Cid", "none", 0, 1)]


@SQLITE_ONLY
def test_a_group_is_who_is_in_it_now(mia: Actor, payroll: Category, people: dict[str, User]) -> None:
    made = given(mia, payroll, {"team.pdf": FILES["team.pdf"]})
    group_id = db.session.scalars(select(Grant.group_id).where(Grant.group_id.is_not(None))).one()
    accounts.leave_group(None, group_id or 0, people["Ada"].id)
    accounts.join_group(None, group_id or 0, people["Cid"].id)

    assert [row.name for row in everybody(mia, made)] == ["Bob", "Cid"]


def test_pages_hold_everybody_once_in_the_order_of_the_list(
    mia: Actor, payroll: Category, people: dict[str, User]
) -> None:
    made = given(mia, payroll)
    fetch(one(payroll, "Ada", "a.pdf"), people["Ada"])
    fetch(one(payroll, "Team", "team.pdf"), people["Ada"])

    assert everybody(mia, made, limit=1) == everybody(mia, made)
    assert [row.name for row in everybody(mia, made)] == ["Bob", "Cid", "Ada"]
    assert [row.name for row in everybody(mia, made, state="none", limit=1)] == ["Bob", "Cid"]
    with pytest.raises(BadRequest):
        deliveries.list_receptions(mia, made.id, after="x")


@SQLITE_ONLY
def test_it_is_for_its_maker_while_they_manage_the_category_and_for_administrators(
    mia: Actor, payroll: Category, people: dict[str, User]
) -> None:
    made = given(mia, payroll)
    root = makers.actor(people["Root"])
    assert (deliveries.may_follow(mia, made.id), deliveries.may_follow(root, made.id)) == (True, True)
    assert len(everybody(root, made)) == 3
    with pytest.raises(DistributionNotFound):
        deliveries.may_follow(manager(payroll, "Max"), made.id)
    with pytest.raises(DistributionNotFound):
        deliveries.list_receptions(makers.actor(people["Ada"]), made.id)

    with transaction() as session:
        session.execute(update(Grant).where(Grant.category_id == payroll.id).values(permission=PUBLISH))

    assert not deliveries.may_follow(mia, made.id)
    with pytest.raises(Forbidden):
        deliveries.list_receptions(mia, made.id)
    with pytest.raises(Forbidden):
        deliveries.count_receptions(mia, made.id)
    assert [line.split(",")[-1] for line in report(mia, made)] == ["downloaded", "", "", "", ""]


def report(actor: Actor | None, made: Distribution) -> list[str]:
    """The lines of the CSV."""
    return "".join(deliveries.export_files(actor, made.id)).splitlines()


@SQLITE_ONLY
def test_the_report_has_a_line_for_each_file_and_whether_it_was_downloaded(
    mia: Actor, payroll: Category, people: dict[str, User]
) -> None:
    made = given(mia, payroll, {**FILES, "=x.pdf": PDF})
    fetch(one(payroll, "Ada", "a.pdf"), people["Ada"])
    fetch(one(payroll, "Team", "team.pdf"), people["Bob"])
    accounts.disable_user(None, people["Cid"].id)

    assert report(mia, made)[1:] == [
        "a.pdf,10,new,Ada,1,,yes",
        "b.pdf,10,new,Bob,2,,no",
        "c.pdf,10,new,Cid,3,,may not read it now",
        "team.pdf,13,new,Team,4,,1 of 2",
        '"\'=x.pdf",9,left out,,,No line names it.,',
    ]


@SQLITE_ONLY
def test_a_list_its_numbers_and_a_part_of_the_report_are_as_many_queries_however_many_people(
    payroll: Category, people: dict[str, User], statements: list[str]
) -> None:
    def asked(made: Distribution) -> int:
        makers.release()
        statements.clear()
        deliveries.list_receptions(None, made.id)
        deliveries.count_receptions(None, made.id)
        report(None, made)
        return len(statements)

    few = asked(given(None, payroll, {"c.pdf": FILES["c.pdf"]}))
    many = {f"{number}.pdf": PDF + str(number).encode() for number in range(20)}
    lines = "".join(f"{name},{employee(f'Zoe {name}', f'z{name}').email}\n" for name in many)
    made = begin(None, payroll, many, lines="filename,person\n" + lines)
    confirm(None, made.id)

    assert asked(made) == few
