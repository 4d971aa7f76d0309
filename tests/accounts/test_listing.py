"""Lists of people: narrowed as asked, in pages that follow an index however many people there are."""

from collections.abc import Callable

import pytest

from portal import accounts
from portal.accounts import erase_user, has_second_factor, listing
from portal.accounts.listing import PeoplePage, count_members, count_people, list_people, state_of_person
from tests.factors import with_app
from tests.makers import PASSWORD, change, group, now, passkey, person, release
from tests.plans import Asked, plan

pytestmark = pytest.mark.usefixtures("context")


def names(page: PeoplePage) -> list[str]:
    return [user.name for user in page.people]


def people_of_every_kind() -> None:
    """Ada is an administrator and was here, Bob was invited, Carl disabled, Dora erased; Eve has a password."""
    change(person("Ada", is_admin=True, password=PASSWORD), seen_at=now())
    person("Bob")
    change(person("Carl"), disabled_at=now(), seen_at=now())
    erase_user(None, person("Dora").id)
    person("Eve", password=PASSWORD)
    change(person("Finn"), seen_at=now())


@pytest.mark.parametrize(
    ("state", "found"),
    [("active", ["Ada", "Eve", "Finn"]), ("waiting", ["Bob"]), ("disabled", ["Carl"]), ("erased", ["Erased person 4"])],
)
def test_everybody_is_in_one_state_which_the_list_and_the_counts_agree_on(state: str, found: list[str]) -> None:
    people_of_every_kind()
    page = list_people(state=state)
    assert names(page) == found
    assert {state_of_person(user) for user in page.people} == {state}
    assert count_people()[state] == len(found)


def test_people_are_narrowed_to_administrators_to_who_never_came_and_to_a_group() -> None:
    people_of_every_kind()
    board = group("Board", *list_people("eve").people, *list_people("finn").people)
    assert names(list_people(trait="administrators")) == ["Ada"]
    assert names(list_people(trait="never_here")) == ["Bob", "Eve"]
    assert names(list_people(group_id=board.id)) == ["Eve", "Finn"]
    assert names(list_people("f", trait="never_here", group_id=board.id)) == []
    assert names(list_people("e", trait="never_here", group_id=board.id)) == ["Eve"]


def test_who_has_no_second_factor_is_listed_and_agrees_with_what_the_sign_in_asks() -> None:
    with_app(person("Ada"))
    passkey(person("Bob"))
    erase_user(None, person("Carl").id)
    person("Dora")
    everybody = list_people().people
    assert names(list_people(trait="unprotected")) == ["Dora"]
    assert [user.name for user in everybody if has_second_factor(user.id)] == ["Ada", "Bob"]


def test_a_large_group_has_the_same_list_as_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    board = group("Board", person("Bob"), person("Ada"))
    person("Carl")
    small = names(list_people(group_id=board.id))
    monkeypatch.setattr(listing, "LARGE_GROUP", 1)
    assert names(list_people(group_id=board.id)) == small == ["Ada", "Bob"]


def test_counting_stops_at_one_more_than_anybody_needs() -> None:
    board = group("Board", *(person(name) for name in ("Ada", "Bob", "Carl")))
    empty = group("Empty")
    assert count_people(1) == {"all": 2, "active": 0, "waiting": 2, "disabled": 0, "erased": 0}
    assert count_members([board.id, empty.id], 1) == {board.id: 2, empty.id: 0}
    assert count_members([]) == {}


@pytest.mark.parametrize(
    ("index", "ask"),
    [
        ("ix_users_name", list_people),
        ("ix_users_name", lambda: list_people(after=1)),
        ("ix_users_name", lambda: list_people("nobody", after=1)),
        ("ix_users_name", lambda: list_people(state="active", after=1)),
        ("ix_users_never_here", lambda: list_people(state="waiting")),
        ("ix_users_disabled", lambda: list_people(state="disabled", after=1)),
        ("ix_users_erased", lambda: list_people(state="erased")),
        ("ix_users_administrators", lambda: list_people(trait="administrators", after=1)),
        ("ix_users_never_here", lambda: list_people(trait="never_here", after=1)),
    ],
)
def test_each_list_is_read_off_an_index_in_its_order(index: str, ask: Callable[[], object], asked: Asked) -> None:
    person("Ada")
    release()
    ask()
    way = plan(asked)
    assert index in way
    assert "TEMP B-TREE" not in way
    assert "Sort" not in way


def test_a_page_of_a_large_group_is_read_off_the_index_of_names(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "LARGE_GROUP", 1)
    board = group("Board", person("Ada"))
    release()
    list_people(group_id=board.id)
    way = plan(asked)
    assert "ix_users_name" in way
    assert "TEMP B-TREE" not in way
    assert "Sort" not in way


@pytest.mark.parametrize("name", ["\ufdfa" * 200, "".join(chr(0x3300 + number % 88) for number in range(200))])
def test_a_name_that_grows_when_it_is_folded_still_fits_the_index(name: str) -> None:
    user = accounts.add_user(None, f"{'ä' * 180}@example.org", name)
    assert len(user.name_key) > 200
    assert [one.id for one in list_people(name[:5]).people] == [user.id]


def test_who_was_erased_is_in_no_list_but_that_of_the_erased() -> None:
    person("Ada")
    change(person("Dora"), disabled_at=now(), erased_at=now())
    assert names(list_people()) == names(list_people("d")) == ["Ada"]
    assert count_people()["all"] == 1
    assert names(list_people(state="erased")) == ["Dora"]
    assert names(list_people("dora", with_erased=True)) == ["Dora"], "the log knows them still"
