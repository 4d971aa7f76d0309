"""Albums: the images of a preview, all of them or none."""

import errno
import os
import stat
from pathlib import Path

import pytest

from portal.errors import ContentUnavailable, StorageFull
from portal.storage import LocalStorage

KEY = "ab12" + "0" * 60
IMAGES = [b"small", b"", b"the first page", b"the second"]


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    made = LocalStorage(tmp_path / "storage")
    made.prepare()
    return made


def test_each_image_comes_back(storage: LocalStorage) -> None:
    storage.albums.keep(KEY, 1, IMAGES)
    assert [storage.albums.read(KEY, 1, number) for number in range(len(IMAGES))] == IMAGES


def test_an_album_is_for_nobody_else_on_the_machine(storage: LocalStorage) -> None:
    storage.albums.keep(KEY, 1, IMAGES)
    found = storage.root / "previews" / "ab" / "12" / f"{KEY}-1"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (found, *found.parents[:3])]
    assert modes == [0o600, 0o700, 0o700, 0o700]


@pytest.mark.parametrize("number", [-1, 4, 1000])
def test_there_is_no_other_image(storage: LocalStorage, number: int) -> None:
    storage.albums.keep(KEY, 1, IMAGES)
    with pytest.raises(ContentUnavailable):
        storage.albums.read(KEY, 1, number)


def test_another_maker_has_another_album(storage: LocalStorage) -> None:
    storage.albums.keep(KEY, 1, IMAGES)
    storage.albums.keep(KEY, 2, [b"finer"])
    assert storage.albums.read(KEY, 1, 0) == b"small"
    assert storage.albums.read(KEY, 2, 0) == b"finer"
    assert [(sha256, maker) for sha256, maker, _ in storage.albums.list_all()] == [(KEY, 1), (KEY, 2)]


def test_one_made_anew_takes_the_place_of_the_other(storage: LocalStorage) -> None:
    storage.albums.keep(KEY, 1, IMAGES)
    storage.albums.keep(KEY, 1, [b"new"])
    assert storage.albums.read(KEY, 1, 0) == b"new"


def test_what_is_removed_is_gone(storage: LocalStorage) -> None:
    storage.albums.keep(KEY, 1, IMAGES)
    assert [storage.albums.remove(KEY, 1), storage.albums.remove(KEY, 1)] == [True, False]
    with pytest.raises(ContentUnavailable):
        storage.albums.read(KEY, 1, 0)


@pytest.mark.parametrize("key", ["..", "../../secrets", "AB12" + "0" * 60, ""])
def test_no_other_name_leads_anywhere(storage: LocalStorage, key: str) -> None:
    with pytest.raises(ContentUnavailable):
        storage.albums.read(key, 1, 0)


@pytest.mark.parametrize("cut", [0, 3, 4, 15, 21, 40])
def test_an_album_that_was_cut_gives_no_half_image(storage: LocalStorage, cut: int) -> None:
    storage.albums.keep(KEY, 1, IMAGES)
    path = storage.root / "previews" / "ab" / "12" / f"{KEY}-1"
    os.truncate(path, cut)
    with pytest.raises(ContentUnavailable):
        storage.albums.read(KEY, 1, 3)


def test_a_link_in_its_place_is_not_followed(storage: LocalStorage, tmp_path: Path) -> None:
    storage.albums.keep(KEY, 1, IMAGES)
    path = storage.root / "previews" / "ab" / "12" / f"{KEY}-1"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ContentUnavailable):
        storage.albums.read(KEY, 1, 0)
    assert list(storage.albums.list_all()) == []


def test_a_full_disk_leaves_nothing(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull):
        storage.albums.keep(KEY, 1, IMAGES)
    assert [path.name for path in (storage.root / "tmp").iterdir() if path.name != ".lock"] == []
    assert list(storage.albums.list_all()) == []
