"""Lists of people as they come: every way people write them, and no broken line breaks another."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.accounts.pasting import MOST_ENTRIES, Entry, read_people
from portal.cells import cell, kept_cell, read_cell
from portal.errors import BadInput

ADA, BO = "ada@example.org", "bo@example.org"


def found(text: str) -> list[tuple[str, str]]:
    return [(entry.email, entry.name) for entry in read_people(text)]


@pytest.mark.parametrize(
    ("text", "people"),
    [
        (f"{ADA}\n{BO}", [(ADA, ""), (BO, "")]),
        (f"{ADA} {BO}", [(ADA, ""), (BO, "")]),
        (f"{ADA};{BO} , ", [(ADA, ""), (BO, "")]),
        (f"\ufeff  \r\n{ADA}\r\n\r\n", [(ADA, "")]),
        (f"Ada Byron <{ADA}>", [(ADA, "Ada Byron")]),
        (f"<{ADA}>", [(ADA, "")]),
        (f'"Byron, Ada" <{ADA}>; Bo <{BO}>', [(ADA, "Byron, Ada"), (BO, "Bo")]),
        (f"Ada Byron {ADA}", [(ADA, "Ada Byron")]),
        (f"{ADA},Ada Byron", [(ADA, "Ada Byron")]),
        (f'{ADA},"Byron, Ada"', [(ADA, "Byron, Ada")]),
        (f"email,name\n{ADA},Ada", [(ADA, "Ada")]),
        (f"name;e-mail\nAda;{ADA}", [(ADA, "Ada")]),
        (f"Name\tEmail\nAda\t{ADA}", [(ADA, "Ada")]),
        (f"EMAIL\n{ADA}", [(ADA, "")]),
    ],
)
def test_people_are_read_as_people_write_them(text: str, people: list[tuple[str, str]]) -> None:
    assert found(text) == people


def test_groups_stand_in_their_column_with_semicolons_between() -> None:
    (entry,) = read_people(f"email,name,groups,phone\n{ADA},Ada,Clients; Board ;,555")
    assert entry == Entry(2, ADA, "Ada", ("Clients", "Board"))
    assert read_people(f"{ADA},Ada,Clients;Board")[0].groups == ("Clients", "Board")


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("nobody", "There is no email address here."),
        ('"Ada, a quote too many', "There is no email address here."),
        ("x" * 5000, "This is too long for one person."),
        ("<>", "There is no email address here."),
    ],
)
def test_a_broken_line_breaks_no_other_and_says_why(broken: str, why: str) -> None:
    entries = read_people(f"{ADA}\n{broken}\n{BO}")
    assert [entry.email for entry in entries if not entry.problem] == [ADA, BO]
    assert {(entry.line, entry.problem) for entry in entries} == {(1, ""), (2, why), (3, "")}
    assert all(len(entry.email) <= 80 for entry in entries)


@pytest.mark.parametrize(
    ("line", "name", "groups"),
    [
        (f"Ada Byron, {ADA}", "Ada Byron", ()),
        (f"Ada Byron, {ADA}, Clients", "Ada Byron", ("Clients",)),
        (f"Ada Byron;{ADA};Clients", "Ada Byron", ("Clients",)),
        (f"Ada Byron\t{ADA}\tClients; Board", "Ada Byron", ("Clients", "Board")),
        (f"{ADA},Ada,Clients;Board", "Ada", ("Clients", "Board")),
        (f"{ADA},,Clients", "", ("Clients",)),
        (f"Ada, Clients, {ADA}", "Ada", ("Clients",)),
        (f'"Byron, Ada",{ADA},,', "Byron, Ada", ()),
        (f"Ada Byron <{ADA}>, Clients", "Ada Byron", ("Clients",)),
        (f'"Byron, Ada" <{ADA}>; Clients', "Byron, Ada", ("Clients",)),
        (f"Ada Byron,<{ADA}>,Clients", "Ada Byron", ("Clients",)),
    ],
)
def test_a_line_with_one_address_is_one_person_wherever_it_stands(line: str, name: str, groups: tuple[str]) -> None:
    assert read_people(line) == [Entry(1, ADA, name, groups)]


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (f"Ada, {ADA}, Clients, 555", 4),
        (f"Ada <{ADA}>, Clients, 555", 3),
        (f"Byron, Ada <{ADA}>", 2),
        (f"Byron, Ada; {ADA}", 2),
    ],
)
def test_a_line_that_is_not_clear_is_one_complaint_that_says_what_helps(line: str, parts: int) -> None:
    (entry,) = read_people(line)
    assert entry == Entry(
        1,
        line,
        problem=f"This line is read as {parts} parts, and which is which is not clear; begin the list with a line that"
        " names the columns: email, name, groups.",
    )


@pytest.mark.parametrize("line", ["Ada Byron, Clients, 555", f"Ada, {ADA}, Bo, {BO}"])
def test_no_line_has_two_complaints(line: str) -> None:
    entries = read_people(line)
    assert [entry.problem for entry in entries if entry.problem] == ["There is no email address here."]


def test_names_of_columns_that_do_not_stand_first_are_said_once() -> None:
    entries = read_people(f"{ADA}\nname,email,groups\nBo,{BO},Clients")
    assert [(entry.line, entry.problem) for entry in entries] == [
        (1, ""),
        (2, "These are names of columns: they belong into the first line."),
        (3, ""),
    ]


def test_in_a_csv_a_quote_that_never_ends_is_the_problem_of_its_line_alone() -> None:
    entries = read_people(f'email,name\n{ADA},"Ada\n{BO},Bo\n,Cy')
    assert [(entry.line, entry.problem) for entry in entries] == [
        (2, "The quotes do not fit together."),
        (3, ""),
        (4, "There is no email address here."),
    ]


def test_who_is_disabled_where_the_list_comes_from_is_not_taken() -> None:
    (entry,) = read_people(f"email,state\n{ADA},Disabled")
    assert entry.problem == "Is disabled where the list comes from."


@pytest.mark.parametrize("text", ["", " \n\t\n", "\ufeff", "email,name"])
def test_a_list_of_nobody_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="nobody in this list"):
        read_people(text)


def test_ten_thousand_are_taken_and_one_more_is_not() -> None:
    lines = [f"p{number}@example.org" for number in range(MOST_ENTRIES)]
    assert len(read_people("\n".join(lines))) == MOST_ENTRIES
    with pytest.raises(BadInput, match="at most 10,000"):
        read_people("\n".join([*lines, ADA]))


@pytest.mark.parametrize("text", ['"' * 300_000, "<" * 300_000, "a@b " * 9_000, 'x"<' * 100_000, "," * 300_000 + "a@b"])
def test_a_hostile_list_is_read_in_the_time_of_its_length(text: str) -> None:
    begun = time.process_time()
    read_people(text)
    assert time.process_time() - begun < 5


@given(st.text())
def test_a_cell_is_read_as_it_was_and_is_no_formula(text: str) -> None:
    written = kept_cell(text)
    unquoted = written[1:-1].replace('""', '"') if written.startswith('"') else written
    assert read_cell(unquoted) == text
    assert not unquoted.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))


@pytest.mark.parametrize("text", ["=1+1", "+4", "-4", "@x", "'=1", "''=1", "'", "plain", 'a "b", c'])
def test_apostrophes_of_a_name_are_told_from_those_that_guard(text: str) -> None:
    unquoted = kept_cell(text)
    unquoted = unquoted[1:-1].replace('""', '"') if unquoted.startswith('"') else unquoted
    assert read_cell(unquoted) == text
    assert cell("plain") == "plain"


@given(st.text(alphabet="a@,;\t \n\"'<>=", min_size=1))
def test_whatever_is_pasted_is_read_or_refused(text: str) -> None:
    try:
        entries = read_people(text)
    except BadInput:
        return
    assert all(entry.problem or "@" in entry.email for entry in entries)
