"""What the programs that people unpack with make of our zips: small ones, very many entries, very large ones."""

import os
import subprocess
from hashlib import sha256
from pathlib import Path
from uuid import UUID
from zipfile import ZipFile, ZipInfo

import pytest

from portal.archives import CHECKSUMS, MANIFEST, Layout, Member, Row, Text, lists, unique_names
from portal.archives.records import end_records
from tests.archives.zips import MODIFIED, member, write_sparse, zip_of
from tests.parts import program

GIGANTIC = 0xFFFFFFFF
CONTENTS = {
    "weather.csv": b"day,rain\r\n1,2\r\n",
    "2018/feb/Ωmega report (2).pdf": b"%PDF-1.7\n" * 1000,
    "2018/feb/empty.txt": b"",
    "名前/\U0001f600.png": bytes(range(256)),
    "2018/-rf": b"x",
}
ZIP64, COMMON = 45, 10


def run(name: str, package: str, *arguments: str | Path, where: Path | None = None) -> bytes:
    """What the program prints, complaints included, if it is content."""
    command = [program(name, package), *map(str, arguments)]
    environment = os.environ | {"LC_ALL": "C.UTF-8"}  # unzip spells other letters in any other way without
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout + done.stderr


def assert_accepted(path: Path, *names: str) -> None:
    """By unzip and by 7-Zip: nothing wrong in those entries, or in any."""
    assert run("unzip", "unzip", "-tqq", path, *names) == b""
    tested = run("7z", "p7zip-full", "t", path, *names)
    assert b"Everything is Ok" in tested
    assert b"WARNING" not in tested.upper()


def entries_of(path: Path) -> dict[str, ZipInfo]:
    with ZipFile(path) as archive:
        return {entry.filename: entry for entry in archive.infolist()}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.zip"
    path.write_bytes(zip_of(CONTENTS, [Text(MANIFEST, b"path\r\n"), Text(CHECKSUMS, b"")]))
    return path


def test_python_accepts_a_small_zip(small: Path) -> None:
    with ZipFile(small) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in CONTENTS} == CONTENTS
        assert archive.namelist() == [*CONTENTS, MANIFEST, CHECKSUMS]


def test_unzip_and_7_zip_accept_a_small_zip(small: Path) -> None:
    assert_accepted(small)


def test_unzip_writes_names_contents_and_modes(small: Path, tmp_path: Path) -> None:
    run("unzip", "unzip", "-q", small, "-d", tmp_path / "out")
    for name, content in CONTENTS.items():
        assert (tmp_path / "out" / name).read_bytes() == content
        assert (tmp_path / "out" / name).stat().st_mode == 0o100644


def test_7_zip_writes_names_and_contents(small: Path, tmp_path: Path) -> None:
    run("7z", "p7zip-full", "x", f"-o{tmp_path / 'out'}", small)
    assert {name: (tmp_path / "out" / name).read_bytes() for name in CONTENTS} == CONTENTS


def test_an_entry_is_stored_made_by_unix_and_says_when_its_name_is_utf_8(small: Path) -> None:
    for name, entry in entries_of(small).items():
        assert (entry.compress_type, entry.extract_version, entry.create_system) == (0, COMMON, 3)
        assert (entry.external_attr, entry.extra, entry.comment) == (0o100644 << 16, b"", b"")
        assert entry.flag_bits == (0 if name.isascii() else 0x800)


@pytest.mark.parametrize(
    ("count", "size", "offset", "is_zip64"),
    [
        (65_534, GIGANTIC - 1, GIGANTIC - 1, False),
        (65_535, 0, 0, True),
        (1, GIGANTIC, 0, True),
        (1, 0, GIGANTIC, True),
    ],
)
def test_the_end_has_zip64_records_only_when_a_number_does_not_fit(
    count: int, size: int, offset: int, is_zip64: bool
) -> None:
    end = end_records(count, size, offset)
    assert len(end) == (56 + 20 + 22 if is_zip64 else 22)
    assert end.startswith(b"PK\6\6") == is_zip64


def test_more_entries_than_a_zip_can_count_without_zip64_are_accepted(tmp_path: Path) -> None:
    layout = Layout(member(f"{number:05}") for number in range(70_000))
    path = write_sparse(layout, tmp_path / "many.zip")

    assert_accepted(path)
    with ZipFile(path) as archive:
        assert len(archive.infolist()) == 70_000
        assert archive.read("69999") == b""


@pytest.mark.parametrize(
    ("size", "version", "extra"),
    [(GIGANTIC - 1, COMMON, 0), (GIGANTIC, ZIP64, 4 + 16), (5 << 30, ZIP64, 4 + 16)],
)
def test_a_large_member_has_its_size_in_zip64_only_when_it_must(
    size: int, version: int, extra: int, tmp_path: Path
) -> None:
    layout = Layout([Member("large.bin", size, 0, MODIFIED)])
    path = write_sparse(layout, tmp_path / "large.zip")

    entry = entries_of(path)["large.bin"]

    assert (entry.file_size, entry.compress_size, entry.extract_version) == (size, size, version)
    assert len(entry.extra) == extra
    with ZipFile(path) as archive, archive.open("large.bin") as opened:
        assert opened.read(10) == bytes(10)


def test_what_follows_a_large_member_is_found_by_all(tmp_path: Path) -> None:
    members = [Member("large.bin", 5 << 30, 0, MODIFIED), Member("Ω.bin", 4 << 30, 0, MODIFIED)]
    layout = Layout(members, [Text("late.txt", b"found")])
    path = write_sparse(layout, tmp_path / "large.zip")

    entry = entries_of(path)["late.txt"]

    assert entry.header_offset > 9 << 30
    assert (entry.extract_version, len(entry.extra)) == (ZIP64, 4 + 8)
    assert run("unzip", "unzip", "-p", path, "late.txt") == b"found"
    assert run("7z", "p7zip-full", "x", "-so", path, "late.txt") == b"found"
    assert_accepted(path, "late.txt")
    assert b"9663676421 bytes uncompressed" in run("unzip", "unzip", "-Zt", path)


def test_a_small_member_ending_at_the_border_needs_no_zip64(tmp_path: Path) -> None:
    """The last offset that fits, and the first that does not, of the central directory and of a member."""
    header = 30 + len("large.bin")
    for size, is_zip64 in ((GIGANTIC - 1 - header, False), (GIGANTIC - header, True)):
        layout = Layout([Member("large.bin", size, 0, MODIFIED), member("b")])
        path = write_sparse(layout, tmp_path / "border.zip")

        entry = entries_of(path)["b"]

        assert entry.header_offset == header + size
        assert bool(entry.extra) == is_zip64


def test_unpacked_documents_pass_the_check_of_sha256sum(tmp_path: Path) -> None:
    contents = dict(
        zip(unique_names([*CONTENTS, MANIFEST, "a\\b\nc.txt", "WEATHER.csv"]), map(str.encode, "abcdefgh"), strict=True)
    )
    rows = [
        Row(name, UUID(int=1), 1, "A title", len(content), sha256(content).hexdigest(), MODIFIED)
        for name, content in contents.items()
    ]
    texts = [Text(name, content) for name, content in zip((MANIFEST, CHECKSUMS), lists(rows), strict=True)]
    (tmp_path / "whole.zip").write_bytes(zip_of(contents, texts))

    run("unzip", "unzip", "-q", "whole.zip", "-d", "out", where=tmp_path)
    told = run("sha256sum", "coreutils", "--strict", "-c", CHECKSUMS, where=tmp_path / "out")

    assert told.count(b": OK\n") == len(contents) + 1
    (tmp_path / "out" / "weather.csv").write_bytes(b"tampered")
    with pytest.raises(AssertionError):
        run("sha256sum", "coreutils", "-c", CHECKSUMS, where=tmp_path / "out")


def test_sha256sum_understands_the_escapes_of_any_name(tmp_path: Path) -> None:
    names = ["a\\b", "a\nb", "a\rb", " a  b ", "*a"]
    rows = [Row(name, UUID(int=1), 1, "", 1, sha256(name.encode()).hexdigest(), None) for name in names]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    for name, content in zip((MANIFEST, CHECKSUMS), lists(rows), strict=True):
        (tmp_path / name).write_bytes(content)

    told = run("sha256sum", "coreutils", "--strict", "-c", CHECKSUMS, where=tmp_path)

    assert told.count(b": OK\n") == len(names) + 1
