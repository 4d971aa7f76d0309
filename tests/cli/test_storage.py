"""verify, gc, backup and restore on the command line."""

import json
import os
import re
import stat
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from portal import schema, search
from portal.actors import PORTAL
from portal.catalog import soundness
from portal.extensions import transaction
from portal.models import Document
from portal.settings import Settings
from tests.cli.conftest import SCRIPT, Command
from tests.damages import blob_of
from tests.databases import SQLITE_ONLY
from tests.makers import category, document, edition, release
from tests.scanners import EICAR, Clamd, require_clamd

pytestmark = SQLITE_ONLY


@pytest.fixture
def report(context: Flask) -> Document:
    """One document, the only one."""
    made = document(category("reports"), "report.pdf", b"%PDF-1.7 the report")
    release()
    return made


def blobs(settings: Settings) -> list[Path]:
    return [path for path in (settings.data / "blobs").rglob("*") if path.is_file()]


def test_verify_finds_nothing_wrong_with_what_is_right(command: Command, report: Document) -> None:
    result = command("verify")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "1 document, 1 version, 19 bytes read: 0 problems.\n"


def test_verify_names_what_is_damaged_and_fails(command: Command, report: Document, settings: Settings) -> None:
    blobs(settings)[0].chmod(0o600)
    blobs(settings)[0].write_bytes(b"%PDF-1.7 the rep0rt")
    result = command("verify", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["documents"] == 1
    assert result.stderr.splitlines() == found["problems"]
    assert f"document {report.id}" in result.stderr


def test_scrub_reads_everything_once_and_says_how_much(command: Command, report: Document) -> None:
    result = command("scrub", "--once")
    assert (result.exit_code, result.stderr) == (0, "")
    assert re.fullmatch(r"1 file, 19 bytes, read since \d{4}-\d\d-\d\d \d\d:\d\d UTC: 0 damaged\.\n", result.stdout)


def test_scrub_fails_when_something_is_damaged(command: Command, report: Document, settings: Settings) -> None:
    blobs(settings)[0].write_bytes(b"%PDF-1.7 the rep0rt")
    result = command("scrub", "--once")
    assert result.exit_code == 1
    assert result.stdout.endswith(": 1 damaged.\n")


def test_scrub_goes_on_until_it_is_told_to_end(report: Document, environment: dict[str, str]) -> None:
    """What it does shows that it runs: somebody waits, and is served."""
    soundness.want(edition(report).kept)
    with subprocess.Popen([SCRIPT, "scrub"], env=environment) as process:
        until = time.monotonic() + 60
        while blob_of(report).wanted_at is not None:
            assert time.monotonic() < until
            time.sleep(0.1)
        process.terminate()
        assert process.wait(30) == 0


def test_gc_removes_what_nobody_needs_once_it_is_old(command: Command, report: Document, settings: Settings) -> None:
    stray = settings.data / "blobs" / "ab" / "cd" / ("abcd" + "0" * 60)
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"stray")
    assert json.loads(command("gc", "--json").stdout)["files"] == 0
    two_days_ago = time.time() - 2 * 86400
    os.utime(stray, (two_days_ago, two_days_ago))
    result = command("gc")
    assert result.stdout.startswith("1 file removed, 5 bytes freed;")
    assert len(blobs(settings)) == 1


def test_a_backup_is_one_private_tar_with_the_bytes_in_it(
    command: Command, report: Document, settings: Settings, tmp_path: Path
) -> None:
    target = tmp_path / "portal.tar"
    result = command("backup", str(target))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"1 document in {target}, ")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with tarfile.open(target) as tar:
        assert {path.name for path in blobs(settings)} <= {Path(name).name for name in tar.getnames()}


def test_a_backup_overwrites_nothing(command: Command, report: Document, tmp_path: Path) -> None:
    target = tmp_path / "portal.tar"
    target.write_text("of last year")
    result = command("backup", str(target))
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert target.read_text() == "of last year"


def test_a_backup_of_damaged_bytes_is_made_and_fails(
    command: Command, report: Document, settings: Settings, tmp_path: Path
) -> None:
    blobs(settings)[0].unlink()
    result = command("backup", str(tmp_path / "portal.tar"))
    assert result.exit_code == 1
    assert "missing or damaged" in result.stderr
    assert (tmp_path / "portal.tar").exists()


def test_a_backup_comes_back_elsewhere_with_its_signing_key(command: Command, tmp_path: Path) -> None:
    unset: dict[str, str | None] = dict.fromkeys(("PORTAL_DATABASE_URL", "PORTAL_STORAGE", "PORTAL_SECRET_KEY"))
    here, there = ({**unset, "PORTAL_DATA": str(tmp_path / where)} for where in ("here", "there"))
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.txt").write_text("a")
    target = str(tmp_path / "portal.tar")
    for arguments in (("migrate",), ("import", str(tmp_path / "tree"), "--into", "a"), ("backup", target)):
        assert command(*arguments, **here).exit_code == 0
    restored = command("restore", target, **there)
    assert (restored.exit_code, restored.stderr) == (0, "")
    assert restored.stdout.startswith("1 document brought back, as of ")
    assert command("list", "--json", **there).stdout == command("list", "--json", **here).stdout
    assert command("verify", **there).exit_code == 0
    keys = [tmp_path / where / "secrets" / "secret_key" for where in ("here", "there")]
    assert keys[0].read_text() == keys[1].read_text()


def test_a_database_of_an_older_schema_is_left_to_the_operator(
    command: Command, report: Document, tmp_path: Path
) -> None:
    target, there = str(tmp_path / "portal.tar"), tmp_path / "there"
    assert command("backup", target).exit_code == 0
    there.mkdir()
    schema.migrate(f"sqlite:///{there / 'portal.db'}", "20261122_first")
    refused = command("restore", target, PORTAL_DATA=str(there), PORTAL_DATABASE_URL="", PORTAL_STORAGE="")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.endswith("Run: portal migrate\n")


def test_without_a_backup_nothing_is_made(command: Command, tmp_path: Path) -> None:
    there = {"PORTAL_DATA": str(tmp_path / "there"), "PORTAL_DATABASE_URL": "", "PORTAL_STORAGE": ""}
    assert command("restore", str(tmp_path / "nothing.tar"), **there).exit_code == 1
    assert not (tmp_path / "there").exists()


def test_a_backup_is_not_restored_over_documents(command: Command, report: Document, tmp_path: Path) -> None:
    target = str(tmp_path / "portal.tar")
    command("backup", target)
    result = command("restore", target)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)


@pytest.mark.parametrize("content", [None, "this is no tar"])
def test_what_is_no_backup_is_not_restored(command: Command, tmp_path: Path, content: str | None) -> None:
    source = tmp_path / "portal.tar"
    if content is not None:
        source.write_text(content)
    result = command("restore", str(source))
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)


def test_reindex_makes_the_index_anew(command: Command, report: Document) -> None:
    with transaction() as session:
        session.execute(text("DELETE FROM document_words"))

    assert command("reindex").stdout == "1 document indexed.\n"
    assert json.loads(command("reindex", "--json").stdout) == {"documents": 1}
    assert search.find(PORTAL, search.parse("report")).document_ids == [report.id]


def test_scan_says_what_was_found_and_fails_then(
    command: Command, report: Document, settings: Settings, tmp_path: Path
) -> None:
    require_clamd()
    document(category("reports"), "bad.com", EICAR, "application/octet-stream")
    release()
    clamd = Clamd(tmp_path).start()
    try:
        result = command("scan", "--all", PORTAL_CLAMD=clamd.address)
        assert result.exit_code == 1
        assert result.stdout == "2 files looked at, 1 with a virus, 0 that the scanner could not look at.\n"
        assert command("scan", PORTAL_CLAMD=clamd.address).stdout.startswith("0 files looked at")
        assert f"clamd     {clamd.address} answers\n" in command("check", PORTAL_CLAMD=clamd.address).stdout
    finally:
        clamd.remove()
    down = command("scan", "--all", PORTAL_CLAMD=clamd.address)
    assert (down.exit_code, down.stderr) == (1, "The virus scanner does not answer.\n")
    assert "does not answer: what comes in is held." in command("check", PORTAL_CLAMD=clamd.address).stderr


def test_check_names_the_directories_that_no_scanner_looks_at(
    command: Command, report: Document, tmp_path: Path
) -> None:
    require_clamd()
    for name in ("shown", "set"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("words")
    clamd = Clamd(tmp_path).start()
    try:
        assert command("check", PORTAL_CLAMD=clamd.address).stderr == ""
        assert command("import", str(tmp_path / "shown"), "--into", "minutes", "--in-place").exit_code == 0
        result = command("check", PORTAL_CLAMD=clamd.address, PORTAL_CLIENT_CSV=str(tmp_path / "set"))
        assert command("check").stderr == ""
    finally:
        clamd.remove()
    assert result.exit_code == 0
    assert result.stderr == "Nobody looks for viruses in the files of directories shown in place: csv, minutes.\n"


def test_scan_without_a_scanner_says_which_setting_is_missing(command: Command, report: Document) -> None:
    assert command("scan").stderr == "No scanner is set: clamd (PORTAL_CLAMD) names none.\n"
