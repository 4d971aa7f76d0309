"""curl with a token, against a real server: what scripts do today, and what the server writes down of it."""

import re
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal import accounts
from portal.extensions import db
from portal.models import PUBLISH, AuditEvent, Download
from portal.settings import Settings
from tests import makers
from tests.parts import program
from tests.servers import Server, serving

CONTENT = b"%PDF-1.7\n" + bytes(range(256)) * 800


@dataclass
class Script:
    """Somebody's script: curl, a directory to work in, and their token."""

    server: Server
    app: Flask
    directory: Path
    token: str
    document: int
    user_id: int

    def curl(self, path: str, *options: str, token: str | None = None) -> str:
        """What curl prints, which ends with the status."""
        header = f"Authorization: Bearer {token or self.token}"
        fixed = ["-sS", "-w", "\n%{http_code}", "-H", header, *options, f"http://127.0.0.1:{self.server.port}{path}"]
        done = subprocess.run(
            [program("curl", "curl"), *fixed], cwd=self.directory, capture_output=True, text=True, check=True
        )
        return done.stdout

    def status(self, path: str, *options: str) -> str:
        return self.curl(path, *options, "-o", "/dev/null").strip()

    def rows(self) -> list[Download]:
        with self.app.app_context():
            return list(db.session.scalars(select(Download).order_by(Download.id)))


@pytest.fixture
def script(sqlite_settings: Settings, tmp_path: Path) -> Iterator[Script]:
    directory = tmp_path / "work"
    directory.mkdir()
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            bo = makers.person("Bo")
            shelf = makers.category("reports/2026")
            makers.grant(makers.category("reports"), user=bo, permission=PUBLISH)
            document = makers.document(shelf, "annual report.pdf", CONTENT)
            _, token = accounts.add_api_token(None, bo.id, "Backup", "publish")
            document_id, user_id = document.id, bo.id
        with serving(sqlite_settings) as server:
            yield Script(server, app, directory, token, document_id, user_id)


def test_a_script_downloads_resumes_and_asks_again(script: Script) -> None:
    path = f"/documents/{script.document}/download"

    assert script.curl(path, "-OJ", "-D", "headers").endswith("200")
    assert (script.directory / "annual report.pdf").read_bytes() == CONTENT
    etag = re.search(r"(?i)^etag: (.+?)\r?$", (script.directory / "headers").read_text(), re.MULTILINE)
    assert etag is not None
    assert script.status(path, "-H", f"If-None-Match: {etag[1]}") == "304"
    (script.directory / "part").write_bytes(CONTENT[:1000])
    assert script.curl(path, "-C", "-", "-o", "part").strip() == "206"
    assert (script.directory / "part").read_bytes() == CONTENT
    assert script.status(path, "-I") == "200"
    assert {(row.actor_key, row.user_id, row.state) for row in script.rows()} == {
        (f"u:{script.user_id}", script.user_id, "completed")
    }


def test_a_script_fetches_a_category_searches_and_uploads(script: Script) -> None:
    assert script.curl("/categories/reports/download", "-o", "reports.zip").strip() == "200"
    with zipfile.ZipFile(script.directory / "reports.zip") as archive:
        name = next(name for name in archive.namelist() if name.endswith("annual report.pdf"))
        assert archive.read(name) == CONTENT
    assert "annual report" in script.curl("/search?q=annual")
    (script.directory / "minutes.txt").write_text("what was said\n")

    assert script.status("/admin/upload", "-F", "category=reports/2026", "-F", "files=@minutes.txt") == "200"

    with script.app.app_context():
        event = db.session.scalars(select(AuditEvent).where(AuditEvent.action == "document.added")).all()[-1]
        assert (event.object_label, event.actor_kind) == ("minutes", "person")


def test_a_script_with_a_wrong_token_reads_one_sentence_and_nothing_of_it_is_written_down(script: Script) -> None:
    wrong = "W" * 43

    said = script.curl(f"/documents/{script.document}/download", token=wrong)
    script.curl("/account")
    script.curl("/admin/people")

    assert said == "This token is unknown, has expired or was revoked.\n\n401"
    assert wrong not in script.server.output
    assert script.token not in script.server.output
    assert "Bearer" not in script.server.output
    assert "Authorization" not in script.server.output
    files = [path for path in script.app.config["PORTAL"].data.rglob("*") if path.is_file()]
    assert files
    assert not any(script.token.encode() in path.read_bytes() for path in files)
