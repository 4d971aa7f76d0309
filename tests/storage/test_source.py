"""A directory of somebody else's: indexed whole, given out only as indexed, never written to."""

import errno
import hashlib
import os
import socket
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.errors import ContentUnavailable, SourceChanged, StorageFailed
from portal.storage import BLOCK, Entry, OpenedBytes, Place, Source

CONTENT = b"date;rain\n2013-02-01;4.2\n"
PATH = "2013/feb/weather/weather_report.csv"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Four documents in three folders, one of them empty."""
    directory = tmp_path / "reports"
    for path in (PATH, "2013/feb/notes.txt", "2013/annual.pdf", "readme.txt"):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(CONTENT)
    (directory / "2014").mkdir()
    return directory


@pytest.fixture
def source(directory: Path) -> Source:
    return Source(directory)


def entry_of(source: Source, path: str = PATH) -> Entry:
    return next(entry for entry in source.walk().entries if entry.path == path)


def open_entry(source: Source, entry: Entry) -> OpenedBytes:
    return source.open(entry.path, entry.size, entry.mtime_ns)


def state_of(directory: Path) -> dict[str, tuple[int, ...]]:
    """All that a writer would change, of everything below a directory."""
    return {
        str(path): (found.st_mode, found.st_ino, found.st_nlink, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        for path in (directory, *directory.rglob("*"))
        for found in [path.lstat()]
    }


def change_while_reading(path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]) -> None:
    """Let somebody change the file as soon as its first block was read."""
    crc32 = zlib.crc32
    pending = [change]

    def crc32_and_change(data: bytes, value: int = 0) -> int:
        if pending:
            pending.pop()(path)
        return crc32(data, value)

    monkeypatch.setattr(zlib, "crc32", crc32_and_change)


def grow_in_secret(path: Path) -> None:
    mtime_ns = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes() + b"x")
    os.utime(path, ns=(mtime_ns, mtime_ns))


class TestWalking:
    def test_finds_every_regular_file_in_a_fixed_order(self, source: Source) -> None:
        walk = source.walk()
        assert [entry.path for entry in walk.entries] == ["readme.txt", "2013/annual.pdf", "2013/feb/notes.txt", PATH]
        assert walk.skipped == 0
        assert walk == source.walk()

    def test_an_entry_has_size_and_time_as_on_disk(self, source: Source, directory: Path) -> None:
        os.utime(directory / PATH, ns=(5, 1_361_000_000_123_456_789))
        found = (directory / PATH).stat()
        assert entry_of(source) == Entry(PATH, len(CONTENT), found.st_mtime_ns, found.st_ctime_ns)

    def test_folders_come_parents_first_and_empty_ones_too(self, source: Source) -> None:
        assert source.walk().directories == ["2013", "2013/feb", "2013/feb/weather", "2014"]

    def test_an_empty_source_is_empty(self, tmp_path: Path) -> None:
        walk = Source(tmp_path).walk()
        assert (walk.entries, walk.directories, walk.skipped, walk.skipped_names) == ([], [], 0, [])

    def test_dot_names_are_skipped_with_all_below_them(self, source: Source, directory: Path) -> None:
        (directory / ".git" / "objects").mkdir(parents=True)
        (directory / ".git" / "config").touch()
        (directory / "2013" / ".DS_Store").touch()
        walk = source.walk()
        assert (walk.skipped, walk.skipped_names) == (2, [".git", "2013/.DS_Store"])
        assert len(walk.entries) == 4
        assert ".git" not in walk.directories

    @pytest.mark.parametrize("target", ["readme.txt", "2014", "..", "nowhere", "/etc/passwd"])
    def test_links_are_skipped_wherever_they_lead(self, source: Source, directory: Path, target: str) -> None:
        (directory / "2014" / "link").symlink_to(directory / target)
        walk = source.walk()
        assert (walk.skipped, walk.skipped_names) == (1, ["2014/link"])
        assert len(walk.entries) == 4
        assert walk.directories[-1] == "2014"

    def test_special_files_are_skipped(self, source: Source, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        os.mkfifo(directory / "fifo")
        monkeypatch.chdir(directory)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket")
        assert source.walk().skipped_names == ["fifo", "socket"]

    def test_names_that_are_no_text_are_skipped_and_told_in_print(self, source: Source, directory: Path) -> None:
        (directory / os.fsdecode(b"caf\xe9.txt")).touch()
        (directory / os.fsdecode(b"\xff")).mkdir()
        (directory / os.fsdecode(b"\xff") / "inside.txt").touch()
        walk = source.walk()
        assert (walk.skipped, walk.skipped_names) == (2, [r"caf\udce9.txt", r"\udcff"])
        assert len(walk.entries) == 4

    def test_names_are_spelled_as_on_disk(self, tmp_path: Path) -> None:
        names = ["cafe\u0301.txt", "caf\u00e9.txt", "back\\slash", "two\nlines", " space "]
        for name in names:
            (tmp_path / name).touch()
        assert {entry.path for entry in Source(tmp_path).walk().entries} == set(names)

    def test_all_skipped_are_counted_but_only_twenty_are_named(self, source: Source, directory: Path) -> None:
        for number in range(25):
            (directory / f".hidden-{number:02}").touch()
        walk = source.walk()
        assert walk.skipped == 25
        assert walk.skipped_names == [f".hidden-{number:02}" for number in range(20)]

    def test_the_source_itself_may_be_reached_through_a_link(self, directory: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(directory)
        source = Source(tmp_path / "link")
        assert len(source.walk().entries) == 4
        with open_entry(source, entry_of(source)) as opened:
            assert opened.place == Place(directory, PATH)

    def test_a_source_that_is_not_there_is_a_failure(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "loop").symlink_to("loop")
        for name in ("missing", "file", "loop"):
            with pytest.raises(StorageFailed, match=name):
                Source(tmp_path / name).walk()

    def test_a_folder_that_cannot_be_read_is_a_failure_that_names_it(
        self, source: Source, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Left out instead, its documents would look deleted."""
        listdir = os.listdir
        refused = (directory / "2013" / "feb").stat().st_ino

        def refuse(descriptor: int) -> list[str]:
            if os.fstat(descriptor).st_ino == refused:
                raise PermissionError(errno.EACCES, "not yours")
            return listdir(descriptor)

        monkeypatch.setattr(os, "listdir", refuse)
        with pytest.raises(StorageFailed, match="The folder 2013/feb cannot be read"):
            source.walk()
        monkeypatch.undo()


class TestOpening:
    def test_gives_the_bytes_as_they_were_indexed(self, source: Source, directory: Path) -> None:
        entry = entry_of(source)
        with open_entry(source, entry) as opened:
            assert opened.handle.read() == CONTENT
            assert (opened.size, opened.mtime_ns) == (entry.size, entry.mtime_ns)
            assert opened.place == Place(directory, PATH)

    def test_another_size_means_changed(self, source: Source, directory: Path) -> None:
        entry = entry_of(source)
        with (directory / PATH).open("ab") as file:
            file.write(b"x")
        os.utime(directory / PATH, ns=(entry.mtime_ns, entry.mtime_ns))
        with pytest.raises(SourceChanged):
            open_entry(source, entry)

    def test_another_time_means_changed(self, source: Source, directory: Path) -> None:
        entry = entry_of(source)
        os.utime(directory / PATH, ns=(entry.mtime_ns, entry.mtime_ns + 1_000_000_000))
        with pytest.raises(SourceChanged):
            open_entry(source, entry)

    def test_a_file_that_is_gone_is_unavailable(self, source: Source, directory: Path) -> None:
        entry = entry_of(source)
        (directory / PATH).unlink()
        with pytest.raises(ContentUnavailable):
            open_entry(source, entry)

    def test_a_file_replaced_by_a_link_to_the_very_same_is_unavailable(self, source: Source, directory: Path) -> None:
        entry = entry_of(source)
        (directory / PATH).rename(directory / "moved.csv")
        (directory / PATH).symlink_to(directory / "moved.csv")
        with pytest.raises(ContentUnavailable):
            open_entry(source, entry)

    @pytest.mark.parametrize("folder", ["2013", "2013/feb", "2013/feb/weather"])
    def test_a_folder_replaced_by_a_link_is_unavailable(
        self, source: Source, directory: Path, tmp_path: Path, folder: str
    ) -> None:
        entry = entry_of(source)
        (directory / folder).rename(tmp_path / "moved")
        (directory / folder).symlink_to(tmp_path / "moved")
        assert (directory / PATH).read_bytes() == CONTENT
        with pytest.raises(ContentUnavailable):
            open_entry(source, entry)

    def test_the_source_replaced_by_a_link_is_unavailable(
        self, source: Source, directory: Path, tmp_path: Path
    ) -> None:
        entry = entry_of(source)
        directory.rename(tmp_path / "moved")
        directory.symlink_to(tmp_path / "moved")
        with pytest.raises(ContentUnavailable):
            open_entry(source, entry)

    @pytest.mark.parametrize(
        "path",
        [
            "../secret",
            "2013/../../secret",
            "./readme.txt",
            "2013//annual.pdf",
            "",
            "2013",
            "readme.txt/x",
            "\0",
            "\ud800",
        ],
    )
    def test_a_path_that_leads_elsewhere_is_unavailable(self, source: Source, tmp_path: Path, path: str) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(CONTENT)
        for use in (lambda: source.open(path, len(CONTENT), secret.stat().st_mtime_ns), lambda: source.digest(path)):
            with pytest.raises(ContentUnavailable):
                use()

    def test_an_absolute_path_is_unavailable(self, source: Source, directory: Path) -> None:
        found = (directory / "readme.txt").stat()
        with pytest.raises(ContentUnavailable):
            source.open(str(directory / "readme.txt"), found.st_size, found.st_mtime_ns)

    def test_a_fifo_is_unavailable_at_once(self, source: Source, directory: Path) -> None:
        os.mkfifo(directory / "fifo")
        found = (directory / "fifo").stat()
        with pytest.raises(ContentUnavailable):
            source.open("fifo", found.st_size, found.st_mtime_ns)


class TestDigesting:
    @pytest.mark.parametrize("size", [0, 1, 4096, 4097, BLOCK, 2 * BLOCK + 1])
    def test_gives_the_facts_of_the_whole_file(self, source: Source, directory: Path, size: int) -> None:
        content = os.urandom(size)
        (directory / PATH).write_bytes(content)
        digest = source.digest(PATH)
        assert digest.sha256 == hashlib.sha256(content).hexdigest()
        assert digest.crc32 == zlib.crc32(content)
        assert (digest.size, digest.head) == (size, content[:4096])
        assert digest.mtime_ns == (directory / PATH).stat().st_mtime_ns

    @pytest.mark.parametrize(
        "change",
        [
            lambda path: path.write_bytes(path.read_bytes() + b"x"),
            lambda path: os.truncate(path, 10),
            lambda path: os.utime(path, (1, 1)),
            grow_in_secret,
        ],
        ids=["grown", "cut", "rewritten", "grown and its time set back"],
    )
    def test_a_file_changed_while_it_is_read_is_not_described(
        self, source: Source, directory: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
    ) -> None:
        change_while_reading(directory / PATH, monkeypatch, change)
        with pytest.raises(SourceChanged):
            source.digest(PATH)

    def test_a_file_that_cannot_be_read_is_unavailable(self, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> int:
            raise OSError(errno.EIO, "the disk is ill")

        monkeypatch.setattr(zlib, "crc32", fail)
        with pytest.raises(ContentUnavailable) as caught:
            source.digest(PATH)
        assert type(caught.value) is ContentUnavailable

    def test_a_link_is_not_described(self, source: Source, directory: Path) -> None:
        (directory / "link").symlink_to("readme.txt")
        with pytest.raises(ContentUnavailable):
            source.digest("link")


def test_nothing_here_writes_to_the_source(source: Source, directory: Path) -> None:
    (directory / ".hidden").touch()
    (directory / "link").symlink_to("readme.txt")
    before = state_of(directory)
    for entry in source.walk().entries:
        source.digest(entry.path)
        with open_entry(source, entry) as opened:
            assert not opened.handle.writable()
    assert state_of(directory) == before
