"""People and groups on the command line."""

import json

import pytest
from flask import Flask
from sqlalchemy import text

from portal import accounts
from portal.accounts import find_token, find_user, has_second_factor, sign_in
from portal.cli import people
from portal.errors import SignInFailed
from portal.extensions import transaction
from portal.settings import Settings, remember_address
from tests.cli.conftest import Command
from tests.databases import SQLITE_ONLY
from tests.factors import with_app
from tests.makers import NETWORK, PASSWORD, group, person, release, upload

pytestmark = SQLITE_ONLY

MAIL_URL = "smtp://mail.invalid"
RESET = ("user", "reset", "ada@example.org")
ADA = ("user", "add", "ada@example.org", "--name", "Ada Byron")


def enter(email: str, password: str) -> str:
    return sign_in(email, password, network=NETWORK, agent="tests").token


def token_in(output: str) -> str:
    return output.strip().rpartition("/")[2]


def test_a_person_without_password_gets_a_one_time_address(command: Command, context: Flask) -> None:
    result = command(*ADA)
    assert result.exit_code == 0
    assert result.stderr == "Ada Byron chooses a password at this address. It works once, for seven days.\n"
    assert result.stdout.startswith("http://localhost/setup/")
    assert result.stdout.count("\n") == 1
    found, ada = find_token(token_in(result.stdout)), find_user("ada@example.org")
    assert found is not None
    assert ada is not None
    assert (found.purpose, found.user_id, ada.password_hash) == ("invitation", ada.id, None)


def test_a_password_on_standard_input_lets_the_person_in_and_is_not_shown(command: Command, context: Flask) -> None:
    result = command(*ADA, "--password-stdin", stdin=PASSWORD + "\n")
    assert result.exit_code == 0
    assert "/setup/" not in result.stdout
    assert PASSWORD not in result.output
    assert enter("ada@example.org", PASSWORD)


def test_only_one_line_end_is_no_part_of_the_password(command: Command, context: Flask) -> None:
    assert command(*ADA, "--password-stdin", stdin=PASSWORD + " \n\n").exit_code == 0
    with pytest.raises(SignInFailed):
        enter("ada@example.org", PASSWORD + " ")
    assert enter("ada@example.org", PASSWORD + " \n")


@pytest.mark.parametrize(
    ("stdin", "reason"),
    [
        ("", "No password came on standard input."),
        ("\n", "No password came on standard input."),
        ("short\n", "A password needs at least 15 characters. A sentence is easy to remember."),
        (b"\xff\xfe is no text at all\n", "The password on standard input is not UTF-8 text."),
    ],
)
def test_a_password_that_cannot_be_makes_no_account(
    command: Command, context: Flask, stdin: str | bytes, reason: str
) -> None:
    result = command(*ADA, "--password-stdin", stdin=stdin)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", reason + "\n")
    assert find_user("ada@example.org") is None


def test_a_person_gets_another_address(command: Command, context: Flask) -> None:
    person("Ada", password=PASSWORD)
    result = command("user", "readdress", "ada@example.org", "countess@example.org")
    assert (result.exit_code, result.stdout) == (0, "Ada signs in as countess@example.org now.\n")
    release()
    assert find_user("ada@example.org") is None
    assert find_user("countess@example.org") is not None


def test_who_never_signed_in_is_invited_at_the_new_address(command: Command, context: Flask) -> None:
    first = token_in(command(*ADA).stdout)
    result = command("user", "readdress", "ada@example.org", "countess@example.org", PORTAL_MAIL_URL=MAIL_URL)
    assert result.stderr.splitlines() == [
        "Ada Byron has the address countess@example.org now.",
        "Ada Byron chooses a password at this address. It works once, for seven days, and was mailed to"
        " countess@example.org.",
    ]
    release()
    assert find_token(first) is None
    assert find_token(token_in(result.stdout)) is not None


def test_a_person_is_disabled_and_enabled(command: Command, context: Flask) -> None:
    person("Ada", password=PASSWORD)
    assert command("user", "disable", "ada@example.org").stdout == (
        "Ada is disabled: nobody signs in as ada@example.org.\n"
    )
    with pytest.raises(SignInFailed):
        enter("ada@example.org", PASSWORD)
    assert command("user", "enable", "ADA@example.org").stdout == "Ada may sign in as ada@example.org again.\n"
    release()
    assert enter("ada@example.org", PASSWORD)


def test_an_address_that_is_mailed_says_so(command: Command, context: Flask) -> None:
    assert command(*ADA, PORTAL_MAIL_URL=MAIL_URL).stderr.endswith(", and was mailed to ada@example.org.\n")
    assert command(*RESET, PORTAL_MAIL_URL=MAIL_URL).stderr.endswith(", and was mailed to ada@example.org.\n")
    imported = command("user", "import", "-", stdin="bo@example.org\n", PORTAL_MAIL_URL=MAIL_URL)
    assert (imported.stdout, imported.stderr) == ("", "1 person is invited by mail, 0 joined groups.\n")


def test_an_address_that_is_taken_is_refused(command: Command, context: Flask) -> None:
    person("Ada")
    person("Bob")
    result = command("user", "readdress", "ada@example.org", "BOB@example.org")
    assert (result.exit_code, result.stderr) == (1, "BOB@example.org already has an account.\n")


def test_an_address_has_one_account_however_it_is_spelled(command: Command, context: Flask) -> None:
    person("Ada")
    result = command("user", "add", "ADA@example.org", "--name", "Somebody")
    assert (result.exit_code, result.stderr) == (1, "ADA@example.org already has an account.\n")


def test_an_administrator_is_made_on_request(command: Command, context: Flask) -> None:
    assert command(*ADA, "--admin").exit_code == 0
    found = find_user("ada@example.org")
    assert found is not None
    assert found.is_admin


def test_the_name_is_required(command: Command) -> None:
    result = command("user", "add", "ada@example.org")
    assert result.exit_code == 2
    assert "--name" in result.stderr


def test_a_reset_prints_an_address_and_leaves_the_password_until_it_is_used(command: Command, context: Flask) -> None:
    ada = person("Ada", password=PASSWORD)
    result = command("user", "reset", "Ada@Example.org")
    assert result.exit_code == 0
    found = find_token(token_in(result.stdout))
    assert found is not None
    assert (found.purpose, found.user_id) == ("reset", ada.id)
    release()
    assert enter("ada@example.org", PASSWORD)


def test_a_person_who_never_set_a_password_gets_another_invitation(command: Command, context: Flask) -> None:
    person("Ada")
    found = find_token(token_in(command("user", "reset", "ada@example.org").stdout))
    assert found is not None
    assert found.purpose == "invitation"


def test_a_disabled_person_gets_no_address_that_would_open_nothing(command: Command, context: Flask) -> None:
    accounts.disable_user(None, person("Ada", password=PASSWORD).id)
    result = command("user", "reset", "ada@example.org")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "This account is disabled. Enable it first, then make an address.\n"


def test_an_address_that_cannot_be_written_leaves_no_account(command: Command, context: Flask) -> None:
    with transaction() as session:
        session.execute(text("CREATE TRIGGER no BEFORE INSERT ON one_time_tokens BEGIN SELECT RAISE(ABORT, 'no'); END"))
    result = command(*ADA)
    assert (result.exit_code, result.stderr) == (1, "The database refuses: no.\n")
    assert find_user("ada@example.org") is None


def test_nobody_unknown_is_reset(command: Command) -> None:
    result = command("user", "reset", "nobody@example.org")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "There is no person with the address nobody@example.org.\n"


def test_without_a_base_url_an_address_says_where_it_is_right(command: Command) -> None:
    result = command(*ADA, PORTAL_BASE_URL=None)
    assert result.stdout.startswith("http://127.0.0.1:8000/setup/")
    assert "PORTAL_BASE_URL is not set" in result.stderr


def test_without_a_base_url_an_address_is_that_of_the_last_start(
    command: Command, context: Flask, settings: Settings
) -> None:
    remember_address(settings, "http://127.0.0.1:8101")
    result = command(*ADA, PORTAL_BASE_URL=None)
    assert result.stdout.startswith("http://127.0.0.1:8101/setup/")
    assert "PORTAL_BASE_URL" not in result.stderr
    assert command(*RESET).stdout.startswith("http://localhost/setup/"), "what is set wins"


def test_people_are_listed_by_name_over_all_pages(
    command: Command, context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "PAGE", 2)
    names = ["Ada", "bo", "Cleo", "dan", "Eve"]
    for name in reversed(names):
        person(name)
    listed = json.loads(command("user", "list", "--json").stdout)
    assert [one["name"] for one in listed] == names


def test_a_person_as_json_has_these_keys_and_no_secret(command: Command, context: Flask) -> None:
    ada = person("Ada", is_admin=True, password=PASSWORD)
    accounts.disable_user(None, person("Bo").id)
    ada_json, bo_json = json.loads(command("user", "list", "--json").stdout)
    assert ada_json == {
        "id": ada.id,
        "uuid": str(ada.uuid),
        "email": "ada@example.org",
        "name": "Ada",
        "reference": "",
        "is_admin": True,
        "has_password": True,
        "disabled_at": None,
        "seen_at": None,
    }
    assert not bo_json["has_password"]
    assert bo_json["disabled_at"].endswith("+00:00")


def test_people_are_listed_in_columns(command: Command, context: Flask) -> None:
    person("Ada", is_admin=True, password=PASSWORD)
    person("Zoë Quinn")
    head, ada, zoe = command("user", "list").stdout.splitlines()
    assert head.split() == ["Name", "Address", "Role", "Account", "Last", "here"]
    assert ada.split() == ["Ada", "ada@example.org", "administrator", "active", "-"]
    assert zoe.split() == ["Zoë", "Quinn", "zoë.quinn@example.org", "waiting", "-"]
    assert ada.index("ada@") == zoe.index("zoë.quinn@") == head.index("Address")


def test_a_group_is_added_and_joined_once(command: Command, context: Flask) -> None:
    person("Ada")
    assert command("group", "add", "Clients").stdout == "Clients is a group now.\n"
    assert command("group", "join", "clients", "ada@example.org").stdout == "Ada is in Clients.\n"
    assert command("group", "join", "Clients", "ada@example.org").stdout == "Ada is in Clients already.\n"
    assert json.loads(command("group", "list", "--json").stdout) == [{"id": 1, "name": "Clients", "members": 1}]
    assert "Clients  1 person" in command("group", "list").stdout


def test_several_join_a_group_together_or_nobody(command: Command, context: Flask) -> None:
    person("Ada"), person("Bob"), group("Clients")
    assert command("group", "join", "Clients", "ada@example.org", "nobody@example.org").stdout == ""
    joined = command("group", "join", "Clients", "ada@example.org", "bob@example.org")
    assert joined.stdout == "Ada is in Clients.\nBob is in Clients.\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("add", "Clients"), "There is already a group called Clients."),
        (("join", "Strangers", "ada@example.org"), "There is no group called Strangers."),
        (("join", "Clients", "nobody@example.org"), "There is no person with the address nobody@example.org."),
    ],
)
def test_what_a_group_cannot_do_is_said_in_one_line(
    command: Command, context: Flask, arguments: tuple[str, ...], reason: str
) -> None:
    group("Clients", person("Ada"))
    result = command("group", *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", reason + "\n")


def test_erasing_asks_unless_told_not_to(command: Command, context: Flask) -> None:
    ada = person("Ada")
    refused = command("user", "erase", "ada@example.org", stdin="n\n")
    assert refused.exit_code == 1
    release()
    assert find_user("ada@example.org") is not None
    done = command("user", "erase", "ada@example.org", "--yes")
    assert done.stdout == f"ada@example.org is erased. The ledger calls them Erased person {ada.id} from now on.\n"
    release()
    assert find_user("ada@example.org") is None


def test_erasing_whom_nobody_knows_says_so(command: Command, context: Flask) -> None:
    result = command("user", "erase", "ada@example.org", "--yes")
    assert (result.exit_code, result.stderr) == (1, "There is no person with the address ada@example.org.\n")


def test_an_import_invites_and_prints_the_addresses_where_no_mail_leaves(command: Command, context: Flask) -> None:
    group("Clients")
    stdin = "Ada Byron <ada@example.org>\nnobody\n"
    result = command("user", "import", "-", "--group", "clients", "--skip-broken", stdin=stdin)
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "Line 2: nobody: There is no email address here.",
        "1 person is invited, 0 joined groups.",
    ]
    email, address = result.stdout.strip().split(",")
    assert (email, find_token(token_in(address)) is not None) == ("ada@example.org", True)
    ada = find_user("ada@example.org")
    assert ada is not None
    assert [one.name for one in accounts.list_groups_of(ada.id)] == ["Clients"]


def test_a_line_that_cannot_be_taken_stops_an_import_unless_it_is_to_be_skipped(
    command: Command, context: Flask
) -> None:
    result = command("user", "import", "-", stdin="ada@example.org\nnobody\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "Line 2: nobody: There is no email address here.",
        "1 line cannot be taken. Nothing was done; --skip-broken takes the others.",
    ]
    assert find_user("ada@example.org") is None


def test_a_dry_run_says_what_would_happen_and_does_nothing(command: Command, context: Flask) -> None:
    clients = group("Clients")
    person("Bo")
    release()
    result = command(
        "user", "import", "-", "--group", "Clients", "--dry-run", stdin="ada@example.org\nbo@example.org\n"
    )
    assert result.stdout.splitlines() == [
        "ada@example.org: would be invited as ada, into Clients",
        "bo@example.org: has an account, would join Clients",
        "1 person would be invited, 1 of 1 account would join groups, 0 cannot be taken.",
    ]
    release()
    assert find_user("ada@example.org") is None
    assert accounts.list_people(group_id=clients.id).people == []


@pytest.mark.parametrize(
    ("stdin", "reason"),
    [("", "There is nobody in this list. Write one address on each line."), ("x", "1 line cannot be taken")],
)
def test_an_import_of_nobody_says_so(command: Command, context: Flask, stdin: str, reason: str) -> None:
    result = command("user", "import", "-", stdin=stdin)
    assert result.exit_code == 1
    assert reason in result.stderr


def test_what_is_exported_is_imported_again_without_a_change(command: Command, context: Flask) -> None:
    group("Clients", person("Ada"))
    release()
    exported = command("user", "export").stdout
    assert exported.splitlines()[0] == "email,name,groups,state,admin,created,last seen,reference"
    result = command("user", "import", "-", "--dry-run", stdin=exported)
    assert result.stdout == "0 people would be invited, 0 of 1 account would join groups, 0 cannot be taken.\n"


def test_whoever_lost_their_second_factors_gets_rid_of_them(command: Command, context: Flask) -> None:
    ada = person(password=PASSWORD)
    with_app(ada)
    release()
    assert "Ada has no second factor any more." in command("user", "reset-factors", "ada@example.org").output
    assert not has_second_factor(ada.id)
    assert "no second factor to remove" in command("user", "reset-factors", "ADA@example.org").output


def test_a_quota_and_a_reference_are_set_and_taken_away(command: Command, context: Flask) -> None:
    group("Clients", person("Ada"))
    release()
    assert command("user", "quota", "ada@example.org", "1.5GB").stdout == "Ada has put in 0 bytes of 1.5 GB.\n"
    assert command("user", "quota", "ada@example.org", "none").stdout.endswith("may put in any number of bytes.\n")
    shared = command("group", "quota", "clients", "10 MB").stdout
    assert shared == "The people of Clients have put in 0 bytes of 10 MB.\n"
    assert command("user", "quota", "ada@example.org", "lots").stderr.startswith("Write a size such as")
    assert command("user", "reference", "ada@example.org", "S-1").stdout == "Ada has the reference S-1 now.\n"
    assert command("user", "reference", "ada@example.org", "").stdout == "Ada has no reference now.\n"


def test_what_is_not_finished_counts_where_a_quota_is_set(command: Command, context: Flask) -> None:
    upload(person("Ada"), 7_000)
    release()
    assert command("user", "quota", "ada@example.org", "10 KB").stdout == "Ada has put in 7 KB of 10 KB.\n"
