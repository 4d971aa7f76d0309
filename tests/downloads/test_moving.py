"""A storage that was moved, copied or mounted for reading alone: what is whole is given out, whoever looks first."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from portal.audit import list_events
from portal.catalog import find_edition
from portal.downloads import looking, open_bytes, opening
from portal.errors import ContentUnavailable, ContentUnverified
from portal.extensions import db, storage
from portal.integrity import scrub
from portal.models import Document
from portal.settings import Settings
from tests import makers
from tests.damages import blob_of, path_of
from tests.databases import SQLITE_ONLY

CONTENT = b"Report of February, second edition\n"
OTHER = CONTENT.swapcase()
ROOT = Path(__file__).parents[2]


@pytest.fixture
def stored(context: Flask) -> Document:
    return makers.document(makers.category("reports"), "february.txt", CONTENT, "text/plain")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of what is hashed from now on."""
    keys: list[str] = []
    real = looking._hash

    def hashing(opened: object, each: object) -> str:
        keys.append(real(opened, each))  # type: ignore[arg-type]
        return keys[-1]

    monkeypatch.setattr(looking, "_hash", hashing)
    return keys


def content_of(document_id: int) -> bytes:
    edition = find_edition(document_id, None)
    assert edition is not None
    with open_bytes(edition) as opened:
        return opened.handle.read()


class TestAnotherDirectory:
    @SQLITE_ONLY
    def test_a_renamed_one_costs_no_hashing(
        self, stored: Document, settings: Settings, hashed: list[str], tmp_path: Path
    ) -> None:
        document_id = stored.id
        makers.release()
        settings.storage.rename(tmp_path / "elsewhere")
        with makers.core(replace(settings, storage=tmp_path / "elsewhere")) as app, app.app_context():
            assert (content_of(document_id), hashed) == (CONTENT, [])

    @SQLITE_ONLY
    def test_a_copy_is_hashed_at_the_first_opening_and_remembered(
        self, stored: Document, settings: Settings, hashed: list[str], tmp_path: Path
    ) -> None:
        """Other inodes and times, as a backup of the file system brings them."""
        document_id = stored.id
        makers.release()
        shutil.copytree(settings.storage, tmp_path / "copy")
        with makers.core(replace(settings, storage=tmp_path / "copy")) as app, app.app_context():
            assert (content_of(document_id), content_of(document_id)) == (CONTENT, CONTENT)
        assert len(hashed) == 1

    @SQLITE_ONLY
    def test_a_large_file_of_a_copy_waits_for_the_scrub_once(
        self, stored: Document, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(opening, "INLINE", 1)
        document_id = stored.id
        makers.release()
        shutil.copytree(settings.storage, tmp_path / "copy")
        with makers.core(replace(settings, storage=tmp_path / "copy")) as app, app.app_context():
            with pytest.raises(ContentUnverified):
                content_of(document_id)
            scrub()
            assert content_of(document_id) == CONTENT

    @SQLITE_ONLY
    def test_what_was_spoilt_on_the_way_is_noticed(self, stored: Document, settings: Settings, tmp_path: Path) -> None:
        document_id, name = stored.id, path_of(stored).relative_to(storage().root)
        shutil.copytree(settings.storage, tmp_path / "copy")
        (tmp_path / "copy" / name).write_bytes(OTHER)
        elsewhere = replace(settings, storage=tmp_path / "copy")
        with makers.core(elsewhere) as app, app.app_context(), pytest.raises(ContentUnavailable):
            content_of(document_id)
        assert blob_of(stored).damage == "bytes"


READ = """
import sys
from pathlib import Path

from portal.downloads import opening
from portal.errors import ContentUnverified
from portal.integrity.scrubbing import keep_scrubbing
from tests import makers
from tests.downloads.test_moving import content_of

database, directory, document_id, inline = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
opening.INLINE = inline
with makers.core(makers.settings_for(database, directory)) as app, app.app_context():
    try:
        (directory / "data" / "blobs" / "probe").touch()
    except OSError as problem:
        print(problem.strerror)
    try:
        print(content_of(document_id))
    except ContentUnverified:
        print("waits")
        rests = iter([False, True])
        keep_scrubbing(lambda seconds: seconds > 0 and next(rests))
        print(content_of(document_id))
"""


@pytest.fixture
def read_only(tmp_path: Path) -> tuple[str, ...]:
    """A command prefix that runs a program to which ``data`` below ``tmp_path`` can only be read."""
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    mount = f'mount --bind "{data}" "{data}" && mount -o remount,ro,bind "{data}" && exec "$@"'
    for unshare in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        prefix = (*unshare, "sh", "-c", mount, "sh")
        if shutil.which("unshare") and subprocess.call([*prefix, "true"], stderr=subprocess.DEVNULL) == 0:
            return prefix
    pytest.skip("this system does not let a test mount a file system of its own (unshare --mount)")


@SQLITE_ONLY
@pytest.mark.parametrize("inline", [1000, 1], ids=["at once", "by the scrub"])
def test_a_storage_that_can_only_be_read_gives_out_what_was_touched(
    stored: Document, settings: Settings, read_only: tuple[str, ...], inline: int, tmp_path: Path
) -> None:
    scrub()
    path_of(stored).chmod(0o400)
    makers.release()
    command = [sys.executable, "-c", READ, settings.database_url, str(tmp_path), str(stored.id), str(inline)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    child = subprocess.run(
        [*read_only, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    said = ["Read-only file system", *([] if inline > 1 else ["waits"]), repr(CONTENT)]
    assert child.stdout.splitlines() == said, child.stderr


@pytest.mark.parametrize("content", [CONTENT, OTHER], ids=["whole", "damaged"])
def test_two_who_notice_at_once_agree_and_write_it_down_once(app: Flask, content: bytes) -> None:
    with app.app_context():
        document = makers.document(makers.category("reports"), "february.txt", CONTENT, "text/plain")
        document_id, path = document.id, path_of(document)
        makers.release()
    path.write_bytes(content)
    found = makers.at_once(app, *[lambda: content_of(document_id)] * 4)
    with app.app_context():
        events = list_events(actions=["blob.damaged"])[0]
        damage = blob_of(db.session.get_one(Document, document_id)).damage
    if content == CONTENT:
        assert (found, damage, len(events)) == ([CONTENT] * 4, None, 0)
    else:
        assert all(isinstance(one, ContentUnavailable) for one in found), found
        assert (damage, len(events)) == ("bytes", 1)
