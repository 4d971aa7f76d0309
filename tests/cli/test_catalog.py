"""Categories, grants, import and list on the command line."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from flask import Flask

from portal import access
from portal.catalog import find_category, trash_document
from portal.models import MANAGE, PUBLISH, READ
from portal.settings import Settings
from portal.uploads import Report
from tests.cli.conftest import Command
from tests.databases import SQLITE_ONLY
from tests.makers import actor, category, document, group, now, person, release

KEYS = ["id", "uuid", "path", "filename", "size", "sha256", "version"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with three documents, a dot file and a link."""
    root = tmp_path / "tree"
    (root / "2018" / "download").mkdir(parents=True)
    (root / "index.csv").write_text("a,b\n1,2\n")
    (root / "2018" / "report.txt").write_text("eighteen")
    (root / "2018" / "download" / "report.txt").write_text("eighteen again")
    (root / ".hidden").write_text("secret")
    (root / "link.csv").symlink_to(root / "index.csv")
    return root


def listed(command: Command, *path: str) -> list[dict[str, object]]:
    result = command("list", *path, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    rows: list[dict[str, object]] = json.loads(result.stdout)
    return rows


@SQLITE_ONLY
def test_a_category_is_added_with_those_above_it(command: Command, context: Flask) -> None:
    assert command("category", "add", "reports/2018/feb/").stdout == "reports/2018/feb is a category now.\n"
    assert command("category", "add", "reports/2018").exit_code == 0
    assert find_category("reports/2018/feb") is not None


@SQLITE_ONLY
def test_a_category_that_differs_in_capitals_only_is_named(command: Command, context: Flask, tree: Path) -> None:
    category("Reports/2018")
    release()

    refused = command("list", "reports/2018")
    assert refused.stderr == "There is no category reports/2018. Did you mean Reports/2018?\n"
    added = command("category", "add", "reports/2019")
    told = "Reports is another category than reports, which is new: capitals make a difference.\n"
    assert (added.exit_code, added.stderr) == (0, told)
    assert told.replace("reports,", "REPORTS,") in command("import", str(tree), "--into", "REPORTS").stderr
    assert command("import", str(tree), "--into", "Reports").stderr == ""


@SQLITE_ONLY
@pytest.mark.parametrize("path", ["reports/download", "reports//2018", "..", "/"])
def test_a_category_that_cannot_be_is_refused_whole(command: Command, context: Flask, path: str) -> None:
    result = command("category", "add", path)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert find_category("reports") is None


@SQLITE_ONLY
def test_a_category_is_moved_merged_trashed_and_brought_back(command: Command, context: Flask) -> None:
    document(category("old/2018"), "a.txt", b"one")
    document(category("new/2018"), "a.txt", b"two")

    assert command("category", "move", "old", "--into", "new/2018").stdout == "It is new/2018/old now.\n"
    assert command("category", "move", "new/2018/old/", "--top").stdout == "It is old now.\n"
    told = "new/2018/a.txt becomes new/2018/a (2).txt.\n1 document "
    dry = command("category", "merge", "old", "--into", "new", "--dry-run")
    assert dry.stdout == f"{told}would go from old to new. Nothing was changed.\n"
    assert command("category", "merge", "old", "--into", "new").stdout == f"{told}went to new.\n"
    assert command("category", "trash", "new").stdout == "new is in the trash, with 2 documents.\n"
    assert command("category", "restore", "new").stdout == "new is back.\n"
    release()
    assert (find_category("new/2018") is not None, find_category("old")) == (True, None)


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("move", "a"), 2),
        (("move", "a", "--top", "--into", "b"), 2),
        (("move", "a", "--into", "a/b"), 1),
        (("merge", "a", "--into", "nowhere"), 1),
        (("trash", "nowhere"), 1),
        (("restore", "a"), 1),
    ],
)
def test_what_cannot_be_done_with_a_category_is_refused_in_one_line(
    command: Command, context: Flask, words: tuple[str, ...], status: int
) -> None:
    category("a/b")
    result = command("category", *words)
    assert (result.exit_code, result.stdout) == (status, "")
    assert status == 2 or result.stderr.count("\n") == 1


@SQLITE_ONLY
def test_a_grant_lets_exactly_those_in_who_were_meant(command: Command, context: Flask) -> None:
    shelf = category("reports")
    ada, bo, cleo = person("Ada"), person("Bo"), person("Cleo")
    group("Clients", ada)
    release()
    assert command("grant", "reports", "--group", "Clients").stdout == "Clients may read in reports.\n"
    assert command("grant", "/reports", "--user", "bo@example.org", "--permission", "publish").exit_code == 0
    levels = [access.permission_on(actor(one), shelf.id) for one in (ada, bo, cleo)]
    assert levels == [READ, PUBLISH, 0]
    release()
    assert command("grant", "reports", "--everyone", "--permission", "manage").exit_code == 0
    assert access.permission_on(actor(cleo), shelf.id) == MANAGE


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("letters", "--everyone"), "There is no category letters."),
        (("reports", "--group", "Strangers"), "There is no group called Strangers."),
        (("reports", "--user", "nobody@example.org"), "There is no person with the address nobody@example.org."),
    ],
)
def test_a_grant_to_nobody_or_on_nothing_is_refused(
    command: Command, context: Flask, arguments: tuple[str, ...], reason: str
) -> None:
    category("reports")
    result = command("grant", *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", reason + "\n")


@SQLITE_ONLY
@pytest.mark.parametrize("whom", [(), ("--everyone", "--user", "ada@example.org"), ("--everyone", "--permission", "x")])
def test_a_grant_that_is_not_clear_is_a_mistake_of_usage(command: Command, whom: tuple[str, ...]) -> None:
    assert command("grant", "reports", *whom).exit_code == 2


def test_an_import_makes_categories_of_folders_and_documents_of_files(
    command: Command, context: Flask, tree: Path
) -> None:
    result = command("import", str(tree), "--into", "reports/")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "reports: 3 documents, 3 new, 2 skipped.\n"
    assert [row["path"] for row in listed(command)] == [
        "reports/2018/download_/report.txt",
        "reports/2018/report.txt",
        "reports/index.csv",
    ]


@SQLITE_ONLY
@pytest.mark.parametrize("in_place", [(), ("--in-place",)])
def test_a_second_import_changes_nothing(
    command: Command, context: Flask, tree: Path, in_place: tuple[str, ...]
) -> None:
    first = command("import", str(tree), "--into", "reports", "--json", *in_place)
    before = listed(command)
    second = command("import", str(tree), "--into", "reports", "--json", *in_place)
    nothing = asdict(Report(unchanged=3, skipped=2))
    assert json.loads(first.stdout) == nothing | {"added": 3, "unchanged": 0}
    assert json.loads(second.stdout) == nothing
    assert listed(command) == before


@SQLITE_ONLY
def test_an_import_takes_in_what_changed_as_a_version(command: Command, context: Flask, tree: Path) -> None:
    command("import", str(tree), "--into", "reports")
    (tree / "index.csv").write_text("a,b\n3,4\n")
    result = command("import", str(tree), "--into", "reports")
    assert result.stdout == "reports: 3 documents, 1 in a new version, 2 unchanged, 2 skipped.\n"
    assert [row["version"] for row in listed(command)] == [1, 1, 2]


@SQLITE_ONLY
def test_an_import_in_place_copies_nothing_and_notices_what_is_gone(
    command: Command, context: Flask, tree: Path, settings: Settings
) -> None:
    assert command("import", str(tree), "--into", "reports", "--in-place").exit_code == 0
    assert not [path for path in (settings.data / "blobs").rglob("*") if path.is_file()]
    (tree / "index.csv").unlink()
    result = command("import", str(tree), "--into", "reports", "--in-place")
    assert "1 gone from disk and now in the trash" in result.stdout
    assert len(listed(command)) == 2


@SQLITE_ONLY
def test_what_an_import_cannot_take_is_told_and_the_rest_is_taken(command: Command, context: Flask, tree: Path) -> None:
    (tree / " spaced").mkdir()
    (tree / " spaced" / "lost.txt").write_text("lost")
    result = command("import", str(tree), "--into", "reports", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["added"] == 3
    assert result.stderr.splitlines() == report["problems"]
    assert "' spaced'" in result.stderr


@SQLITE_ONLY
def test_an_import_of_nothing_or_of_itself_is_refused(command: Command, context: Flask, settings: Settings) -> None:
    for directory in (settings.data / "missing", settings.data):
        result = command("import", str(directory), "--into", "reports")
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert listed(command) == []


def test_list_is_ordered_by_path_on_every_database(command: Command, context: Flask) -> None:
    names = ["B.txt", "a.txt", "a b.txt", "a-b.txt", "é.txt", "Z.txt", "ä.txt", "中.txt", "_.txt"]
    for path in ("a", "a/b", "a-b", "A", "a b"):
        shelf = category(path)
        for name in names:
            document(shelf, name, path.encode() + name.encode())
    release()
    paths = [str(row["path"]) for row in listed(command)]
    assert len(paths) == 5 * len(names)
    assert paths == sorted(paths)


@SQLITE_ONLY
def test_list_tells_these_facts_of_every_live_document(command: Command, context: Flask) -> None:
    shelf = category("reports/2018")
    made = document(shelf, "feb.txt", b"second", published_at=None)
    document(shelf, "feb.txt", b"February")
    trash_document(None, document(shelf, "gone.txt", b"gone", expires_at=now()).id)
    row = listed(command)[0]
    assert list(row) == KEYS
    assert row == {
        "id": made.id,
        "uuid": str(made.uuid),
        "path": "reports/2018/feb.txt",
        "filename": "feb.txt",
        "size": 8,
        "sha256": hashlib.sha256(b"February").hexdigest(),
        "version": 2,
    }
    assert len(listed(command)) == 1


@SQLITE_ONLY
def test_list_takes_a_category_and_what_is_below_it_only(command: Command, context: Flask) -> None:
    for path in ("reports", "reports/2018", "reports2", "report"):
        document(category(path), "a.txt", path.encode())
    release()
    assert [row["path"] for row in listed(command, "reports/")] == ["reports/2018/a.txt", "reports/a.txt"]
    assert listed(command, "reports/2018") == listed(command, "reports")[:1]


@SQLITE_ONLY
def test_list_of_an_unknown_category_is_refused(command: Command) -> None:
    result = command("list", "nothing", "--json")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "There is no category nothing.\n")


@SQLITE_ONLY
def test_list_for_people_has_one_line_per_document(command: Command, context: Flask) -> None:
    document(category("reports"), "a b.txt", b"x" * 1500)
    release()
    assert command("list").stdout == "       1  v1         2 KB  reports/a b.txt\n"


@SQLITE_ONLY
def test_a_long_list_is_read_in_blocks(command: Command, context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.cli.catalog.BLOCK", 2)
    for number in range(7):
        document(category("reports"), f"{number}.txt", b"%d" % number)
    release()
    assert [row["filename"] for row in listed(command)] == [f"{number}.txt" for number in range(7)]


@SQLITE_ONLY
def test_an_import_shows_its_progress_on_a_terminal_and_only_there(
    command: Command, context: Flask, tree: Path
) -> None:
    watched = command("import", str(tree), "--into", "reports", TTY_COMPATIBLE="1")
    assert "Importing" in watched.stderr
    assert watched.stdout.count("\n") == 1
    assert command("import", str(tree), "--into", "reports", TTY_COMPATIBLE="0").stderr == ""


@SQLITE_ONLY
def test_a_dry_run_says_what_an_import_would_do(command: Command, context: Flask, tree: Path) -> None:
    result = command("import", str(tree), "--into", "reports", "--dry-run")
    assert result.stdout == "Nothing was changed. It would be: reports: 3 documents, 3 new, 2 skipped.\n"
    assert find_category("reports") is None


@SQLITE_ONLY
def test_an_import_takes_metadata_patterns_and_writes_a_report(
    command: Command, context: Flask, tree: Path, tmp_path: Path
) -> None:
    (tree / "about.csv").write_text("path,title\nindex.csv,The index\n")
    where = tmp_path / "report.csv"
    arguments = ("--metadata", str(tree / "about.csv"), "--ignore", "download/", "--report", str(where))
    result = command("import", str(tree), "--into", "reports", *arguments)
    assert result.stdout == "reports: 2 documents, 2 new, 1 described anew, 2 left out by a pattern, 2 skipped.\n"
    lines = where.read_text().splitlines()
    assert lines[0] == "path,outcome,document,problem"
    assert sorted(line.split(",")[:2] for line in lines[1:]) == [["2018/report.txt", "new"], ["index.csv", "new"]]


@SQLITE_ONLY
def test_an_import_says_what_becomes_of_metadata_that_lie_among_the_files(
    command: Command, context: Flask, tree: Path
) -> None:
    about = tree / "about.csv"
    about.write_text("path,title\nindex.csv,The index\n")
    first = command("import", str(tree), "--into", "reports", "--metadata", str(about))
    kept_out = command("import", str(tree), "--into", "reports", "--metadata", str(about), "--ignore", "about.csv")
    second = command("import", str(tree), "--into", "reports")

    assert "about.csv lies in DIR. It is left out now; a later run that does not name it" in first.stderr
    assert kept_out.stderr == ""
    assert second.stdout.startswith("reports: 4 documents, 1 new")


@SQLITE_ONLY
def test_metadata_that_does_not_fit_changes_nothing_and_names_the_lines(
    command: Command, context: Flask, tree: Path, tmp_path: Path
) -> None:
    about = tmp_path / "about.csv"
    about.write_text("path,title\nmissing.csv,T\n")
    result = command("import", str(tree), "--into", "reports", "--metadata", str(about))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Line 2: there is no missing.csv here" in result.stderr
    assert find_category("reports") is None


@SQLITE_ONLY
@pytest.mark.parametrize("option", ["--metadata", "--report"])
def test_a_file_that_cannot_be_used_is_refused(
    command: Command, context: Flask, tree: Path, tmp_path: Path, option: str
) -> None:
    place = tmp_path / "missing" / "a.csv"
    result = command("import", str(tree), "--into", "reports", option, str(place))
    assert (result.exit_code, str(place) in result.stderr) == (1, True)


@SQLITE_ONLY
def test_a_report_overwrites_nothing(command: Command, context: Flask, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mine")
    result = command("import", str(tree), "--into", "reports", "--report", str(tmp_path / "a.csv"))
    assert (result.exit_code, (tmp_path / "a.csv").read_text()) == (1, "mine")


@SQLITE_ONLY
def test_directories_shown_in_place_are_looked_through_again(command: Command, context: Flask, tree: Path) -> None:
    command("import", str(tree), "--into", "reports", "--in-place")
    (tree / "index.csv").unlink()
    result = command("rescan")
    assert result.stdout == "reports: 2 documents, 2 unchanged, 1 gone from disk and now in the trash, 2 skipped.\n"
    assert command("rescan", "elsewhere").exit_code == 1
