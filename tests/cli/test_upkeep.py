"""migrate and check, what every command says before them, and how failures look."""

import dataclasses
import stat
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal import settings as configuration
from portal.cli import cli
from portal.downloads import claim_of, delegate
from portal.extensions import db
from portal.models import Delegation
from portal.previews import fence
from portal.ranges import Span
from portal.schema import head
from portal.settings import DEFAULTS, Settings
from tests.cli.conftest import Command, Portal
from tests.databases import SQLITE_ONLY
from tests.makers import actor, category, change, document, edition, group, now, person
from tests.providers import lying

ROOT = Path(__file__).parents[2]
MIGRATE_FIRST = "The database does not fit this version of the portal. Run: portal migrate\n"
COMMANDS = [
    ("serve", "--port", "0"),
    ("worker",),
    ("user", "add", "ada@example.org", "--name", "Ada"),
    ("user", "reset", "ada@example.org"),
    ("user", "list"),
    ("user", "quota", "ada@example.org", "5GB"),
    ("user", "reference", "ada@example.org", "S-1"),
    ("group", "add", "Clients"),
    ("group", "join", "Clients", "ada@example.org"),
    ("group", "list"),
    ("group", "quota", "Clients", "5GB"),
    ("user", "disable", "ada@example.org"),
    ("user", "enable", "ada@example.org"),
    ("token", "add", "ada@example.org", "--name", "Nightly"),
    ("token", "list", "ada@example.org"),
    ("token", "revoke", "1"),
    ("category", "add", "reports"),
    ("grant", "reports", "--everyone"),
    ("import", ".", "--into", "reports"),
    ("distribute", ".", "--into", "reports", "--pattern", "{reference}.pdf"),
    ("list",),
    ("rescan",),
    ("share", "add", "1"),
    ("share", "list"),
    ("share", "revoke", "1"),
    ("request", "add", "reports", "--title", "Proofs"),
    ("request", "list"),
    ("request", "revoke", "1"),
    ("verify",),
    ("scrub", "--once"),
    ("scan", "--all"),
    ("gc",),
    ("reindex",),
    ("previews", "status"),
    ("previews", "rebuild"),
    ("backup", "portal.tar"),
    ("restore", "portal.tar"),
    ("audit", "verify"),
    ("ledger", "follow", "handed-over.log"),
]


@pytest.fixture
def fresh(tmp_path: Path) -> dict[str, str]:
    """The variables of an installation nothing was ever done with."""
    return {"PORTAL_DATA": str(tmp_path / "fresh"), "PORTAL_DATABASE_URL": "", "PORTAL_STORAGE": ""}


@SQLITE_ONLY
def test_migrate_makes_a_private_installation_and_may_be_repeated(
    command: Command, fresh: dict[str, str], tmp_path: Path
) -> None:
    first, second = command("migrate", **fresh), command("migrate", **fresh)
    expected = (0, f"The database is at schema {head()}.\n", "")
    assert (first.exit_code, first.stdout, first.stderr) == expected
    assert (second.exit_code, second.stdout, second.stderr) == expected
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "fresh", tmp_path / "fresh" / "portal.db")]
    assert modes == [0o700, 0o600]


@SQLITE_ONLY
def test_migrate_works_on_every_database(command: Command, empty_database: str, tmp_path: Path) -> None:
    variables = {"PORTAL_DATABASE_URL": empty_database}
    assert command("list", **variables).stderr == MIGRATE_FIRST
    assert command("migrate", **variables).exit_code == 0
    assert command("list", **variables).exit_code == 0


@SQLITE_ONLY
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_before_migrate_every_command_says_so_and_leaves_nothing(
    command: Command, fresh: dict[str, str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    result = command(*arguments, **fresh)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", MIGRATE_FIRST)
    assert not (tmp_path / "fresh").exists()


@SQLITE_ONLY
def test_every_command_that_needs_the_schema_is_tested_above(command: Command) -> None:
    needing = set(cli.commands) - {"migrate", "check", "demo"}
    assert needing == {arguments[0] for arguments in COMMANDS}


def test_check_says_one_line_for_each_part(command: Command) -> None:
    result = command("check")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split()[0] for line in result.stdout.splitlines()] == [
        "settings",
        "schema",
        "storage",
        "sources",
        "previews",
        "mail",
    ]


@SQLITE_ONLY
def test_check_fails_for_an_old_schema_and_still_looks_at_the_storage(command: Command, fresh: dict[str, str]) -> None:
    result = command("check", **fresh)
    assert result.exit_code == 1
    said = ["settings", "storage", "sources", "previews", "mail"]
    assert [line.split()[0] for line in result.stdout.splitlines()] == said
    assert result.stderr == f"schema    {MIGRATE_FIRST}"


@SQLITE_ONLY
def test_check_says_that_no_previews_are_made_where_there_is_no_fence(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "CHILD", Path("/nowhere"))
    result = command("check")
    assert result.exit_code == 0
    assert "previews  none are made" in result.stdout.splitlines()
    assert "cannot put a fence around what makes previews" in result.stderr


@SQLITE_ONLY
def test_check_fails_for_a_storage_that_takes_nothing(command: Command, settings: Settings) -> None:
    settings.data.mkdir(exist_ok=True)
    (settings.data / "blobs").write_text("in the way")
    result = command("check")
    assert result.exit_code == 1
    assert result.stderr.startswith("storage   ")
    assert result.stderr.count("\n") == 1


def test_check_tells_what_would_go_wrong_slowly_behind_nginx(command: Command, context: Flask) -> None:
    result = command("check", PORTAL_OFFLOAD="nginx", PORTAL_TRUSTED_PROXIES="127.0.0.1/32")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1].startswith("offload   nginx sends the documents in /")

    claim = claim_of(actor(person("Ada")), "tests")
    delegate(claim, edition(document(category("reports"), "a.txt", b"a" * 100)), Span(0, 100))
    change(db.session.scalars(select(Delegation)).one(), made_at=now(hours=-2))
    result = command("check", PORTAL_OFFLOAD="nginx")

    assert result.exit_code == 0
    assert result.stderr == (
        "trusted_proxies is empty: everybody who comes through nginx counts as one network.\n"
        "1 transfer handed over more than an hour ago and not reported. Is `portal ledger follow` running?\n"
    )


@SQLITE_ONLY
def test_check_asks_the_provider_and_looks_for_the_groups_it_fills(command: Command, context: Flask) -> None:
    with lying() as liar:
        chosen = {"PORTAL_OIDC_ISSUER": liar.address, "PORTAL_OIDC_CLIENT_ID": "portal"}
        groups = {"PORTAL_OIDC_GROUPS_CLAIM": "groups", "PORTAL_OIDC_GROUPS": "staff=Staff,board=Board"}
        group("Staff")
        result = command("check", **chosen, **groups)
        assert result.exit_code == 0, result.output
        back = "it must know the address http://localhost/login/provider/callback"
        assert result.stdout.splitlines()[-1] == f"provider  {liar.address} answers; {back}"
        assert result.stderr == "oidc_groups names groups that are not there: Board.\n"
        liar.discovery = {"issuer": "https://elsewhere.example"}
        result = command("check", **chosen)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"provider  The provider {liar.address} will not do: {liar.address}/.well-known")
    assert "is of the issuer 'https://elsewhere.example'" in result.stderr


def test_check_makes_no_secret(command: Command, settings: Settings) -> None:
    command("check", PORTAL_OFFLOAD="nginx", PORTAL_SECRET_KEY="")
    assert not settings.data.joinpath("secrets").exists()


@SQLITE_ONLY
@pytest.mark.parametrize("name", ["check", "migrate", "list"])
def test_a_wrong_setting_is_named_in_one_line(command: Command, name: str) -> None:
    result = command(name, PORTAL_MAX_UPLOAD="much")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "PORTAL_MAX_UPLOAD must be a whole number.\n"


@SQLITE_ONLY
@pytest.mark.parametrize("name", ["check", "migrate", "list"])
def test_a_database_that_does_not_answer_is_told_in_one_line(command: Command, tmp_path: Path, name: str) -> None:
    url = f"postgresql://portal:never-shown@/portal?host={tmp_path}"
    result = command(name, PORTAL_DATABASE_URL=url)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "never-shown" not in result.output


@SQLITE_ONLY
def test_a_directory_that_cannot_be_written_is_told_in_one_line(
    command: Command, fresh: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "fresh").write_text("in the way")
    result = command("migrate", **fresh)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{tmp_path / 'fresh'}: File exists.\n"


@SQLITE_ONLY
def test_the_real_command_works_from_the_first_to_the_last_step(
    portal: Portal, fresh: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "report 文.txt").write_text("named in three scripts")
    variables = fresh | {"PYTHONIOENCODING": "latin-1"}
    for arguments in (("migrate",), ("import", str(tmp_path / "tree"), "--into", "reports")):
        done = portal(*arguments, **variables)
        assert (done.returncode, done.stderr) == (0, "")
    done = portal("list", **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert r"reports/report \u6587.txt" in done.stdout
    failed = portal("list", "letters", **variables)
    assert (failed.returncode, failed.stdout, failed.stderr) == (1, "", "There is no category letters.\n")


@SQLITE_ONLY
@pytest.mark.parametrize("arguments", [("lisst",), ("list", "--jsn"), ("import", "."), ("serve", "--port", "70000")])
def test_a_mistake_of_usage_is_told_apart(command: Command, arguments: tuple[str, ...]) -> None:
    result = command(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_the_example_for_production_can_be_read() -> None:
    chosen = configuration.load({"PORTAL_CONFIG": str(ROOT / "config" / "production.example.toml")})
    assert chosen.is_secure
    assert chosen.database_url.startswith("postgresql:")
    assert chosen.trusted_proxies


def test_the_example_for_production_changes_what_it_names() -> None:
    example = configuration.load({"PORTAL_CONFIG": str(ROOT / "config" / "production.example.toml")})
    default = configuration.load({"PORTAL_CONFIG": str(DEFAULTS)})
    changed = {
        field.name
        for field in dataclasses.fields(Settings)
        if getattr(example, field.name) != getattr(default, field.name)
    }
    assert changed >= {"data", "database_url", "base_url", "trusted_proxies", "offload", "name", "max_upload"}
    assert changed >= {"allowed_types", "session_idle_hours"}
