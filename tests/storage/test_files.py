"""The low-level promises: no link is followed, nothing is readable by others, no descriptor is left."""

import errno
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.errors import ContentDamaged, ContentUnavailable, PortalError, StorageFailed, StorageFull
from portal.storage.files import (
    Place,
    drop,
    held,
    list_directory,
    make_directories,
    make_directory,
    make_file,
    open_bytes,
    open_directory,
    outlast_tick,
    stamp_of,
    storage_faults,
    sync_directory,
)

# Which of the two a system says of a link that was to be opened as a directory.
NO_LINKS = re.compile("Not a directory|Too many levels")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def is_open(descriptor: int) -> bool:
    return Path(f"/proc/self/fd/{descriptor}").exists()


def test_a_held_descriptor_is_closed_when_the_block_fails(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(KeyError), held(descriptor):
        raise KeyError
    assert not is_open(descriptor)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_space_no_quota_and_a_size_limit_all_mean_full(code: int) -> None:
    with pytest.raises(StorageFull) as caught, storage_faults():
        raise OSError(code, os.strerror(code))
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.EROFS, errno.EMFILE, errno.ENOENT])
def test_any_other_fault_means_the_storage_failed(code: int) -> None:
    with pytest.raises(StorageFailed) as caught, storage_faults():
        raise OSError(code, os.strerror(code))
    assert isinstance(caught.value.__cause__, OSError)


def test_what_is_no_fault_of_the_storage_passes_unchanged() -> None:
    with pytest.raises(PortalError) as caught, storage_faults():
        raise ContentUnavailable
    assert type(caught.value) is ContentUnavailable


def test_a_directory_is_opened_name_by_name(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with held(open_directory(tmp_path, "a", "b")) as descriptor:
        assert os.path.samestat(os.fstat(descriptor), (tmp_path / "a" / "b").stat())


@pytest.mark.parametrize("linked", ["a", "a/b"])
def test_a_directory_behind_a_link_is_not_opened(tmp_path: Path, linked: str) -> None:
    (tmp_path / "elsewhere" / "b").mkdir(parents=True)
    (tmp_path / linked).parent.mkdir(exist_ok=True)
    (tmp_path / linked).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=NO_LINKS):
        open_directory(tmp_path, "a", "b")


def test_a_directory_that_is_a_link_itself_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(OSError, match=NO_LINKS):
        open_directory(tmp_path / "link")


@pytest.mark.usefixtures("umask")
def test_a_new_directory_is_for_us_alone_whatever_the_umask(tmp_path: Path) -> None:
    with held(open_directory(tmp_path)) as parent, held(make_directory(parent, "new")):
        assert mode_of(tmp_path / "new") == 0o700


def test_a_directory_that_is_there_is_opened_and_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old").chmod(0o750)
    with held(open_directory(tmp_path)) as parent, held(make_directory(parent, "old")) as descriptor:
        assert os.path.samestat(os.fstat(descriptor), (tmp_path / "old").stat())
    assert mode_of(tmp_path / "old") == 0o750


def test_no_directory_is_made_where_a_link_stands(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    with held(open_directory(tmp_path)) as parent, pytest.raises(OSError, match=NO_LINKS):
        make_directory(parent, "link")


@pytest.mark.usefixtures("umask")
def test_missing_parents_are_made_for_us_alone(tmp_path: Path) -> None:
    make_directories(tmp_path / "a" / "b" / "c")
    assert [mode_of(tmp_path / path) for path in ("a", "a/b", "a/b/c")] == [0o700] * 3


def test_every_new_directory_is_flushed_into_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    make_directories(tmp_path / "a" / "b")
    assert flushed == [str(tmp_path), str(tmp_path / "a")]


def test_directories_that_are_there_keep_their_mode(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o755)
    make_directories(tmp_path / "a" / "b")
    assert mode_of(tmp_path / "a") == 0o755


@pytest.mark.usefixtures("umask")
def test_a_new_file_is_for_us_alone_whatever_the_umask(tmp_path: Path) -> None:
    with held(open_directory(tmp_path)) as parent, held(make_file(parent, "new")):
        assert mode_of(tmp_path / "new") == 0o600


@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
def test_a_new_file_never_takes_a_name_that_is_there(tmp_path: Path, kind: str) -> None:
    (tmp_path / "target").write_bytes(b"as it was")
    if kind == "file":
        (tmp_path / "name").write_bytes(b"as it was")
    else:
        (tmp_path / "name").symlink_to("target" if kind == "link" else "nowhere")
    with held(open_directory(tmp_path)) as parent, pytest.raises(FileExistsError):
        make_file(parent, "name")
    assert (tmp_path / "target").read_bytes() == b"as it was"
    assert not (tmp_path / "nowhere").exists()


def test_a_new_file_is_not_inherited_by_other_programs(tmp_path: Path) -> None:
    with held(open_directory(tmp_path)) as parent, held(make_file(parent, "new")) as descriptor:
        assert not os.get_inheritable(descriptor)
        assert not os.get_inheritable(parent)


def test_a_file_whose_mode_cannot_be_set_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, mode: int) -> None:
        raise PermissionError(errno.EPERM, "no modes here")

    monkeypatch.setattr(os, "fchmod", refuse)
    with held(open_directory(tmp_path)) as parent, pytest.raises(PermissionError):
        make_file(parent, "new")
    assert list(tmp_path.iterdir()) == []


def test_flushing_a_directory_reaches_that_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    (tmp_path / "a").mkdir()
    sync_directory(tmp_path, "a")
    assert flushed == [str(tmp_path / "a")]


def test_a_directory_is_listed_in_order_and_links_are_told_as_links(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"12")
    (tmp_path / "a").symlink_to("b")
    with held(open_directory(tmp_path)) as descriptor:
        (first, link), (second, file) = list_directory(descriptor)
    assert (first, second) == ("a", "b")
    assert stat.S_ISLNK(link.st_mode)
    assert file.st_size == 2


def test_a_name_that_vanishes_while_listing_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stays").touch()
    monkeypatch.setattr(os, "listdir", lambda descriptor: ["gone", "stays"])
    with held(open_directory(tmp_path)) as descriptor:
        assert [name for name, _ in list_directory(descriptor)] == ["stays"]
    monkeypatch.undo()


def test_opened_bytes_know_their_size_time_and_place(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"content")
    with open_bytes(Place(tmp_path, "a/file")) as opened:
        assert opened.handle.read() == b"content"
        assert (opened.size, opened.mtime_ns) == (7, (tmp_path / "a" / "file").stat().st_mtime_ns)
        assert opened.place == Place(tmp_path, "a/file")
        assert not os.get_inheritable(opened.handle.fileno())


CHANGES: dict[str, Callable[[Path], object]] = {
    "written to": lambda path: path.write_bytes(b"CONTENT"),
    "cut": lambda path: os.truncate(path, 3),
    "given other times": lambda path: os.utime(path, (1, 1)),
    "given another mode": lambda path: path.chmod(0o400),
    "linked": lambda path: path.with_name("link").hardlink_to(path),
    "renamed": lambda path: path.rename(path.with_name("other")),
    "removed": lambda path: path.unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_done_to_an_opened_file_is_seen(tmp_path: Path, change: str) -> None:
    (tmp_path / "file").write_bytes(b"content")
    outlast_tick(stamp_of((tmp_path / "file").stat()))
    with open_bytes(Place(tmp_path, "file")) as opened:
        opened.handle.read()
        assert opened.is_unchanged(), "reading does nothing to it"
        CHANGES[change](tmp_path / "file")
        assert not opened.is_unchanged()


def test_forgetting_what_was_read_changes_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with open_bytes(Place(tmp_path, "file")) as opened:
        opened.forget()
        assert opened.handle.read() == b"content"
        assert opened.is_unchanged()


def test_an_inode_fits_into_what_databases_hold(tmp_path: Path) -> None:
    found = list(tmp_path.stat())
    found[stat.ST_INO] = 2**64 - 1
    assert stamp_of(os.stat_result(found)).inode == 2**63 - 1


@pytest.mark.parametrize(
    ("make", "damage"),
    [
        (lambda path: None, "missing"),
        (lambda path: path.mkdir(), "kind"),
        (os.mkfifo, "kind"),
        (lambda path: path.symlink_to("target"), "kind"),
    ],
)
def test_what_is_wrong_with_a_file_by_itself_is_told_apart(
    tmp_path: Path, make: Callable[[Path], object], damage: str
) -> None:
    (tmp_path / "target").touch()
    make(tmp_path / "file")
    with pytest.raises(ContentDamaged) as refusal:
        open_bytes(Place(tmp_path, "file"))
    assert refusal.value.damage == damage


@pytest.mark.parametrize(
    ("code", "damage"),
    [(errno.EACCES, "missing"), (errno.EIO, "missing"), (errno.EMFILE, None), (errno.ENOMEM, None)],
)
def test_a_disk_that_does_not_give_it_is_damage_and_a_process_without_room_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, damage: str | None
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(ContentUnavailable) as refusal:
        open_bytes(Place(tmp_path, "file"))
    assert getattr(refusal.value, "damage", None) == damage


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "/",
        "../secret",
        "a/../../secret",
        "a/..",
        "./secret",
        "a//secret",
        "a/",
        "/etc/passwd",
        "a\0b",
        "\ud800",
        "x" * 300,
        "missing",
        "file/below",
        "a",
    ],
)
def test_a_path_that_is_no_plain_file_below_the_directory_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    directory = tmp_path / "directory"
    (directory / "a").mkdir(parents=True)
    (directory / "secret").write_bytes(b"plain")
    (directory / "a" / "secret").write_bytes(b"plain")
    (directory / "file").write_bytes(b"plain")
    with pytest.raises(ContentUnavailable):
        open_bytes(Place(directory, name))


def test_a_link_is_not_opened_even_if_it_stays_inside(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(ContentUnavailable):
        open_bytes(Place(tmp_path, "link"))


def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ContentUnavailable):
        open_bytes(Place(tmp_path, "fifo"))


def test_dropping_a_file_that_is_gone_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    drop(tmp_path / "file")
    drop(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
