"""Blobs on a local disk: in whole, flushed in the right order, out again only as what they were."""

import errno
import fcntl
import gc
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage
from werkzeug.formparser import FormDataParser

import portal.storage
from portal.errors import ContentUnavailable, PortalError, StorageFailed, StorageFull, UploadTooLarge
from portal.storage import BLOCK, Incoming, LocalStorage, Received
from portal.storage.files import stamp_of

CONTENT = b"Report of February, second edition\n"
KEY = hashlib.sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)
# A child imports the very package under test, also when that is a copy somewhere else; and not the rest of the portal,
# of which the storage knows nothing and which takes a second of a processor.
STORAGE_ALONE = f"""
import sys, types
sys.modules["portal"] = types.ModuleType("portal")
sys.modules["portal"].__path__ = [{str(Path(portal.storage.__file__).parents[1])!r}]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def storage(root: Path) -> LocalStorage:
    storage = LocalStorage(root)
    storage.prepare()
    return storage


def receive(storage: LocalStorage, content: bytes = CONTENT) -> Received:
    with_bytes = storage.receive()
    with_bytes.write(content)
    return with_bytes.finish()


def keep(storage: LocalStorage, content: bytes = CONTENT) -> str:
    """The key under which the content is kept."""
    received = receive(storage, content)
    storage.keep(received)
    return received.sha256


def blob_path(root: Path, key: str = KEY) -> Path:
    return root / "blobs" / key[:2] / key[2:4] / key


def temps(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "tmp").iterdir() if path.name != ".lock")


def files_below(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if not path.is_dir() or path.is_symlink()]


def failing(code: int) -> Callable[..., int]:
    def fail(*_: object, **__: object) -> int:
        raise OSError(code, os.strerror(code))

    return fail


def run_child(script: str, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, sys.executable, "-c", STORAGE_ALONE + script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class TestPreparing:
    def test_makes_the_directories_for_us_alone(self, umask: None, root: Path) -> None:
        LocalStorage(root / "deep" / "down").prepare()
        made = [root, root / "deep", root / "deep/down", root / "deep/down/blobs", root / "deep/down/tmp"]
        assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o700] * 5

    def test_flushes_every_new_name_into_its_directory(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        steps = record_steps(monkeypatch, root)
        LocalStorage(root).prepare()
        assert steps == ["flush ..", "flush ."]

    def test_twice_changes_and_removes_nothing(self, storage: LocalStorage, root: Path) -> None:
        keep(storage)
        (root / "tmp" / "from-somebody-else").touch()
        root.chmod(0o750)
        storage.prepare()
        assert storage.digest(KEY, SIZE) == KEY
        assert temps(root) == ["from-somebody-else"]
        assert stat.S_IMODE(root.stat().st_mode) == 0o750

    def test_a_root_reached_through_a_link_is_fine(self, tmp_path: Path) -> None:
        (tmp_path / "disk").mkdir()
        (tmp_path / "link").symlink_to("disk")
        storage = LocalStorage(tmp_path / "link")
        storage.prepare()
        keep(storage)
        assert storage.digest(KEY, SIZE) == KEY
        assert storage.place(KEY).directory == tmp_path / "disk" / "blobs"

    def test_a_relative_root_stays_where_it_was(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        storage = LocalStorage(Path("storage"))
        monkeypatch.chdir("/")
        storage.prepare()
        assert (tmp_path / "storage" / "blobs").is_dir()

    @pytest.mark.parametrize("name", ["blobs", "tmp"])
    def test_a_link_below_the_root_is_not_accepted(self, tmp_path: Path, root: Path, name: str) -> None:
        (tmp_path / "elsewhere").mkdir()
        root.mkdir()
        (root / name).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StorageFailed):
            LocalStorage(root).prepare()

    def test_a_root_that_cannot_be_one_is_a_failure(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "loop").symlink_to("loop")
        for name in ("file", "file/below", "loop"):
            with pytest.raises(StorageFailed):
                LocalStorage(tmp_path / name).prepare()


class TestReceiving:
    def test_counts_and_hashes_what_comes(self, storage: LocalStorage) -> None:
        content = os.urandom(2 * BLOCK + 17)
        with storage.receive() as incoming:
            for start in range(0, len(content), BLOCK):
                incoming.write(content[start : start + BLOCK])
            assert incoming.size == len(content)
            assert incoming.head == content[:4096]
            received = incoming.finish()
            assert received.temp.read_bytes() == content
        assert received.sha256 == hashlib.sha256(content).hexdigest()
        assert received.crc32 == zlib.crc32(content)
        assert received.size == len(content)
        assert received.head == content[:4096]

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(blocks=st.lists(st.binary(max_size=5000), max_size=6))
    def test_however_the_bytes_are_cut_the_facts_are_the_same(self, storage: LocalStorage, blocks: list[bytes]) -> None:
        content = b"".join(blocks)
        with storage.receive() as incoming:
            assert [incoming.write(block) for block in blocks] == [len(block) for block in blocks]
            received = incoming.finish()
            assert received.temp.read_bytes() == content
        facts = (received.sha256, received.crc32, received.size, received.head)
        assert facts == (hashlib.sha256(content).hexdigest(), zlib.crc32(content), len(content), content[:4096])

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_takes_any_buffer(self, storage: LocalStorage, kind: Callable[[bytes], bytes]) -> None:
        with storage.receive() as incoming:
            assert incoming.write(kind(CONTENT)) == SIZE
            assert incoming.finish().sha256 == KEY

    def test_nothing_is_a_document_too(self, storage: LocalStorage) -> None:
        key = keep(storage, b"")
        assert storage.digest(key, 0) == key == hashlib.sha256(b"").hexdigest()

    def test_the_rest_follows_when_the_kernel_takes_a_part(
        self, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write = os.write
        monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
        with storage.receive() as incoming:
            incoming.write(CONTENT)
            received = incoming.finish()
            assert received.temp.read_bytes() == CONTENT
        assert received.sha256 == KEY

    @pytest.mark.usefixtures("umask")
    def test_the_temp_file_is_ours_alone(self, storage: LocalStorage, root: Path) -> None:
        with storage.receive():
            (name,) = temps(root)
            assert stat.S_IMODE((root / "tmp" / name).stat().st_mode) == 0o600

    def test_every_temp_file_has_a_name_of_its_own(self, storage: LocalStorage, root: Path) -> None:
        with storage.receive(), storage.receive():
            assert len(temps(root)) == 2

    def test_the_limit_itself_is_allowed(self, storage: LocalStorage) -> None:
        with storage.receive(limit=SIZE) as incoming:
            incoming.write(CONTENT[:10])
            incoming.write(CONTENT[10:])
            assert incoming.finish().size == SIZE

    def test_one_byte_beyond_the_limit_is_too_large_and_leaves_nothing(self, storage: LocalStorage, root: Path) -> None:
        incoming = storage.receive(limit=SIZE - 1)
        incoming.write(CONTENT[:10])
        with pytest.raises(UploadTooLarge):
            incoming.write(CONTENT[10:])
        assert incoming.closed
        assert temps(root) == []

    @pytest.mark.parametrize(
        ("code", "fact"),
        [
            (errno.ENOSPC, StorageFull),
            (errno.EDQUOT, StorageFull),
            (errno.EFBIG, StorageFull),
            (errno.EIO, StorageFailed),
        ],
    )
    def test_a_failed_write_leaves_nothing(
        self, storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch, code: int, fact: type[PortalError]
    ) -> None:
        incoming = storage.receive()
        incoming.write(CONTENT)
        monkeypatch.setattr(os, "write", failing(code))
        with pytest.raises(fact):
            incoming.write(CONTENT)
        assert temps(root) == []
        with pytest.raises(ValueError, match="closed"):
            incoming.finish()

    def test_a_failed_flush_is_a_failed_upload_and_is_not_tried_again(
        self, storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tries = []

        def fail(descriptor: int) -> None:
            tries.append(descriptor)
            raise OSError(errno.EIO, "the disk is ill")

        monkeypatch.setattr(os, "fsync", fail)
        incoming = storage.receive()
        incoming.write(CONTENT)
        with pytest.raises(StorageFailed):
            incoming.finish()
        with pytest.raises(ValueError, match="closed"):
            incoming.finish()
        assert len(tries) == 1
        assert temps(root) == []

    def test_the_flush_comes_after_the_last_byte(self, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
        sizes = []
        monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
        with storage.receive() as incoming:
            incoming.write(CONTENT)
            incoming.write(CONTENT)
            incoming.finish()
        assert sizes == [2 * SIZE]

    def test_an_interruption_while_writing_leaves_nothing(
        self, storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: object) -> int:
            raise KeyboardInterrupt

        incoming = storage.receive()
        monkeypatch.setattr(os, "write", interrupt)
        with pytest.raises(KeyboardInterrupt):
            incoming.write(CONTENT)
        assert temps(root) == []

    def test_without_its_directory_nothing_is_received(self, storage: LocalStorage, root: Path) -> None:
        shutil.rmtree(root / "tmp")
        with pytest.raises(StorageFailed):
            storage.receive()

    def test_no_temp_file_is_made_behind_a_link(self, storage: LocalStorage, root: Path, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (root / "tmp").rmdir()
        (root / "tmp").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StorageFailed):
            storage.receive()
        assert list((tmp_path / "elsewhere").iterdir()) == []


class TestLettingGo:
    @pytest.mark.parametrize("way", [Incoming.close, Incoming.discard])
    def test_before_the_end_removes_the_temp_file(
        self, storage: LocalStorage, root: Path, way: Callable[[Incoming], None]
    ) -> None:
        incoming = storage.receive()
        incoming.write(CONTENT)
        way(incoming)
        way(incoming)
        assert temps(root) == []

    def test_closing_after_the_end_leaves_it_to_be_kept(self, storage: LocalStorage) -> None:
        incoming = storage.receive()
        incoming.write(CONTENT)
        received = incoming.finish()
        incoming.close()
        del incoming
        gc.collect()
        storage.keep(received)
        assert storage.digest(KEY, SIZE) == KEY

    def test_discarding_after_the_end_removes_it(self, storage: LocalStorage, root: Path) -> None:
        incoming = storage.receive()
        incoming.finish()
        incoming.discard()
        assert temps(root) == []

    def test_discarding_what_is_kept_changes_nothing(self, storage: LocalStorage) -> None:
        with storage.receive() as incoming:
            incoming.write(CONTENT)
            storage.keep(incoming.finish())
        incoming.discard()
        assert storage.digest(KEY, SIZE) == KEY

    def test_a_block_that_fails_before_keeping_leaves_nothing(self, storage: LocalStorage, root: Path) -> None:
        def reject() -> None:
            with storage.receive() as incoming:
                incoming.finish()
                raise KeyError

        with pytest.raises(KeyError):
            reject()
        assert temps(root) == []

    def test_forgetting_it_leaves_nothing(self, storage: LocalStorage, root: Path) -> None:
        storage.receive().write(CONTENT)
        gc.collect()
        assert temps(root) == []


class TestReadingBack:
    def test_what_has_come_can_be_read_before_the_end(self, storage: LocalStorage) -> None:
        with storage.receive() as incoming:
            incoming.write(CONTENT)
            assert incoming.tell() == SIZE
            assert incoming.seek(3) == 3
            assert incoming.read(4) == CONTENT[3:7]
            assert incoming.read() == CONTENT[7:]
            assert incoming.seek(-2, os.SEEK_END) == SIZE - 2

    def test_writing_after_reading_still_appends(self, storage: LocalStorage) -> None:
        with storage.receive() as incoming:
            incoming.write(CONTENT[:9])
            incoming.seek(0)
            incoming.write(CONTENT[9:])
            received = incoming.finish()
            assert received.temp.read_bytes() == CONTENT
        assert received.sha256 == KEY

    def test_it_is_a_file_for_who_asks(self, storage: LocalStorage) -> None:
        with storage.receive() as incoming:
            assert incoming.readable()
            assert incoming.writable()
            assert incoming.seekable()
            assert not incoming.closed

    @pytest.mark.parametrize(
        "use",
        [lambda incoming: incoming.read(1), lambda incoming: incoming.seek(0), lambda incoming: incoming.write(b"1")],
        ids=["read", "seek", "write"],
    )
    def test_a_closed_one_is_of_no_more_use(self, storage: LocalStorage, use: Callable[[Incoming], object]) -> None:
        incoming = storage.receive()
        incoming.close()
        with pytest.raises(ValueError, match="closed"):
            use(incoming)


class TestInAForm:
    """The stream factory of the form parser that Flask uses."""

    BODY = (
        b'--cut\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
        + CONTENT
        + b"\r\n--cut--\r\n"
    )

    def parse(self, storage: LocalStorage, body: bytes) -> dict[str, FileStorage]:
        parser = FormDataParser(stream_factory=lambda *_, **__: storage.receive())  # type: ignore[arg-type]
        _, _, files = parser.parse(BytesIO(body), "multipart/form-data", len(body), {"boundary": "cut"})
        return dict(files.items())

    def test_a_file_part_streams_into_the_temp_file(self, storage: LocalStorage) -> None:
        stream = self.parse(storage, self.BODY)["files"].stream
        assert isinstance(stream, Incoming)
        assert stream.head == CONTENT
        assert stream.read() == CONTENT
        received = stream.finish()
        storage.keep(received)
        assert storage.digest(KEY, SIZE) == KEY

    def test_a_form_that_is_closed_unused_leaves_nothing(self, storage: LocalStorage, root: Path) -> None:
        self.parse(storage, self.BODY)["files"].close()
        assert temps(root) == []

    def test_a_form_cut_short_leaves_nothing(self, storage: LocalStorage, root: Path) -> None:
        assert self.parse(storage, self.BODY[:-20]) == {}
        gc.collect()
        assert temps(root) == []


class TestKeeping:
    def test_the_blob_is_named_by_its_hash_on_its_shelf(self, storage: LocalStorage, root: Path) -> None:
        assert keep(storage) == KEY
        assert files_below(root) == [blob_path(root)]
        assert blob_path(root).read_bytes() == CONTENT

    @pytest.mark.usefixtures("umask")
    def test_blob_and_shelves_are_ours_alone(self, storage: LocalStorage, root: Path) -> None:
        keep(storage)
        with storage.placing():
            pass
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*")}
        assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
        assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
        assert root / "tmp" / ".lock" in modes

    def test_flush_rename_flush_in_this_order(
        self, storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        steps = record_steps(monkeypatch, root)
        received = receive(storage)
        storage.keep(received)
        temp = f"tmp/{received.temp.name}"
        shelf = f"blobs/{KEY[:2]}/{KEY[2:4]}"
        assert steps == [
            f"flush {temp}",
            f"rename {temp} to {shelf}/{KEY}",
            f"flush {shelf}",
            f"flush blobs/{KEY[:2]}",
            "flush blobs",
        ]

    def test_a_blob_used_again_has_its_shelves_flushed_too(
        self, storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever put it there may have died before flushing them."""
        keep(storage)
        received = receive(storage)
        steps = record_steps(monkeypatch, root)
        storage.keep(received)
        shelf = f"blobs/{KEY[:2]}/{KEY[2:4]}"
        assert steps == [f"flush {shelf}", f"flush blobs/{KEY[:2]}", "flush blobs"]

    def test_many_are_all_renamed_then_each_directory_is_flushed_once(
        self, storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        received = [receive(storage, b"%d" % number) for number in range(40)]
        steps = record_steps(monkeypatch, root)
        storage.keep_all(received)
        verbs = [step.split()[0] for step in steps]
        flushed = steps[40:]
        assert verbs == ["rename"] * 40 + ["flush"] * len(flushed)
        directories = {one.sha256[:2] for one in received} | {f"{one.sha256[:2]}/{one.sha256[2:4]}" for one in received}
        assert sorted(flushed) == sorted({"flush blobs"} | {f"flush blobs/{name}" for name in directories})
        assert all(storage.digest(one.sha256, one.size) == one.sha256 for one in received)

    def test_the_same_bytes_twice_in_a_batch_are_one_blob(self, storage: LocalStorage, root: Path) -> None:
        storage.keep_all([receive(storage), receive(storage)])
        assert files_below(root) == [blob_path(root)]

    def test_keeping_none_is_nothing(self, storage: LocalStorage, root: Path) -> None:
        storage.keep_all([])
        assert files_below(root) == []

    def test_a_sound_blob_is_used_again_and_not_touched(self, storage: LocalStorage, root: Path) -> None:
        """A touch would change its ctime, and everybody would have to hash it again."""
        first = storage.keep(receive(storage))
        assert storage.keep(receive(storage)) == first == stamp_of(blob_path(root).stat())
        assert temps(root) == []

    def test_the_stamp_is_that_of_the_file_as_it_ended_up(self, storage: LocalStorage, root: Path) -> None:
        received = [receive(storage, b"%d" % number) for number in range(5)]
        stamps = storage.keep_all(received)
        assert stamps == {one.sha256: stamp_of(blob_path(root, one.sha256).stat()) for one in received}

    @pytest.mark.parametrize("is_first", [True, False])
    def test_whatever_is_done_to_a_blob_afterwards_changes_its_stamp(
        self, storage: LocalStorage, root: Path, is_first: bool
    ) -> None:
        """At once, and by somebody who sets the times back: nothing hides in one tick of the clock."""
        for number in range(20):
            received = receive(storage, b"%d" % number)
            if not is_first:
                storage.keep(receive(storage, b"%d" % number))
            stamp = storage.keep(received)
            path = blob_path(root, received.sha256)
            with path.open("r+b") as file:
                file.write(b"x")
            os.utime(path, ns=(stamp.mtime_ns, stamp.mtime_ns))
            after = stamp_of(path.stat())
            assert after != stamp
            assert after[:3] == stamp[:3], "all but the ctime can be set back"

    @pytest.mark.parametrize("damage", [b"", CONTENT[:-1], CONTENT + b"x", CONTENT.swapcase()])
    def test_a_damaged_blob_is_replaced_by_the_good_bytes(
        self, storage: LocalStorage, root: Path, damage: bytes
    ) -> None:
        keep(storage)
        blob_path(root).write_bytes(damage)
        keep(storage)
        assert storage.digest(KEY, SIZE) == KEY

    @pytest.mark.parametrize("kind", ["link", "hard link", "fifo"])
    def test_what_stands_in_the_place_is_replaced_and_not_written_through(
        self, storage: LocalStorage, root: Path, tmp_path: Path, kind: str
    ) -> None:
        target = tmp_path / "target"
        target.write_bytes(CONTENT.swapcase())
        blob_path(root).parent.mkdir(parents=True)
        make = {"link": blob_path(root).symlink_to, "hard link": blob_path(root).hardlink_to}
        make.get(kind, lambda _: os.mkfifo(blob_path(root)))(target)
        keep(storage)
        assert storage.digest(KEY, SIZE) == KEY
        assert target.read_bytes() == CONTENT.swapcase()

    def test_a_directory_in_the_place_is_set_aside_with_all_that_is_in_it(
        self, storage: LocalStorage, root: Path
    ) -> None:
        blob_path(root).mkdir(parents=True)
        (blob_path(root) / "somebody's").touch()
        keep(storage)
        assert storage.digest(KEY, SIZE) == KEY
        (aside,) = temps(root)
        assert aside.startswith("aside-")
        assert [path.name for path in (root / "tmp" / aside).iterdir()] == ["somebody's"]

    @pytest.mark.parametrize("depth", [0, 1, 2])
    def test_nothing_is_kept_behind_a_linked_shelf(
        self, storage: LocalStorage, root: Path, tmp_path: Path, depth: int
    ) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        shelf = blob_path(root).parents[2 - depth]
        shutil.rmtree(root / "blobs")
        shelf.parent.mkdir(parents=True, exist_ok=True)
        shelf.symlink_to(elsewhere)
        with pytest.raises(StorageFailed):
            keep(storage)
        assert list(elsewhere.iterdir()) == []
        assert temps(root) == []

    def test_a_failed_rename_leaves_no_temp_file_of_the_whole_batch(
        self, storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        received = [receive(storage, b"%d" % number) for number in range(3)]
        monkeypatch.setattr(os, "rename", failing(errno.ENOSPC))
        with pytest.raises(StorageFull):
            storage.keep_all(received)
        assert files_below(root) == []

    def test_a_failed_flush_of_a_shelf_is_a_failure(
        self, storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        received = receive(storage)
        monkeypatch.setattr(os, "fsync", failing(errno.EIO))
        with pytest.raises(StorageFailed):
            storage.keep(received)
        assert temps(root) == []

    def test_threads_that_keep_the_same_bytes_at_once_make_one_sound_blob(
        self, storage: LocalStorage, root: Path
    ) -> None:
        barrier = threading.Barrier(8, timeout=60)
        kept: list[str] = []

        def work() -> None:
            for _ in range(5):
                received = receive(storage)
                barrier.wait()
                storage.keep(received)
                kept.append(received.sha256)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert kept == [KEY] * 40
        assert storage.digest(KEY, SIZE) == KEY
        assert files_below(root) == [blob_path(root)]

    def test_processes_that_keep_the_same_bytes_at_once_make_one_sound_blob_each(
        self, storage: LocalStorage, root: Path
    ) -> None:
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", STORAGE_ALONE + KEEP_THIRTY, str(root)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for _ in range(3)
        ]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"ready\n"
        for worker in workers:
            worker.communicate(timeout=60)
        assert [worker.returncode for worker in workers] == [0, 0, 0]
        keys = sorted(hashlib.sha256(b"%d" % number).hexdigest() for number in range(30))
        assert [key for key, _ in storage.list_keys()] == keys
        assert all(storage.digest(key, found.st_size) == key for key, found in storage.list_keys())
        assert temps(root) == []


def record_steps(monkeypatch: pytest.MonkeyPatch, root: Path) -> list[str]:
    """What is flushed and renamed from now on, in order, by paths below the root."""
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def path_of(descriptor: int) -> str:
        return os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), root)

    def recorded_fsync(descriptor: int) -> None:
        steps.append(f"flush {path_of(descriptor)}")
        fsync(descriptor)

    def recorded_rename(source: Path, target: str, *, dst_dir_fd: int) -> None:
        steps.append(f"rename {os.path.relpath(source, root)} to {path_of(dst_dir_fd)}/{target}")
        rename(source, target, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "rename", recorded_rename)
    return steps


KEEP_THIRTY = """
import sys
from pathlib import Path
from portal.storage import LocalStorage

storage = LocalStorage(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read()
for number in range(30):
    incoming = storage.receive()
    incoming.write(b"%d" % number)
    storage.keep(incoming.finish())
"""


class TestOpening:
    def test_gives_a_handle_with_size_and_place(self, storage: LocalStorage, root: Path) -> None:
        keep(storage)
        with storage.open(KEY, SIZE) as opened:
            assert opened.handle.read() == CONTENT
            assert opened.size == SIZE
            assert opened.place == storage.place(KEY)
        assert opened.handle.closed
        assert opened.place.directory / opened.place.name == blob_path(root)

    def test_an_open_blob_outlives_its_removal(self, storage: LocalStorage) -> None:
        keep(storage)
        with storage.open(KEY, SIZE) as opened:
            storage.remove(KEY)
            assert opened.handle.read() == CONTENT

    def test_a_missing_blob_is_unavailable(self, storage: LocalStorage) -> None:
        with pytest.raises(ContentUnavailable):
            storage.open(KEY, SIZE)

    @pytest.mark.parametrize(
        "key",
        [
            KEY.upper(),
            KEY[:63],
            KEY + "0",
            KEY + "\n",
            "g" + KEY[1:],
            "\N{ARABIC-INDIC DIGIT ONE}" + KEY[1:],
            "",
            "../../../etc/passwd",
            "../" + KEY,
            f"{KEY[:2]}/{KEY[2:4]}/{KEY}",
            KEY[:63] + "/",
            KEY[:63] + "\0",
        ],
    )
    def test_a_key_spelled_otherwise_opens_names_and_removes_nothing(self, storage: LocalStorage, key: str) -> None:
        keep(storage)
        for use in (storage.place, storage.remove, lambda key: storage.open(key, SIZE)):
            with pytest.raises(ContentUnavailable):
                use(key)
        assert storage.digest(KEY, SIZE) == KEY

    @pytest.mark.parametrize("size", [SIZE - 1, SIZE + 1, 0, -1])
    def test_another_size_than_the_row_says_is_unavailable(self, storage: LocalStorage, size: int) -> None:
        keep(storage)
        with pytest.raises(ContentUnavailable):
            storage.open(KEY, size)

    def test_a_truncated_blob_is_unavailable(self, storage: LocalStorage, root: Path) -> None:
        keep(storage)
        os.truncate(blob_path(root), SIZE - 1)
        with pytest.raises(ContentUnavailable):
            storage.open(KEY, SIZE)

    def test_a_blob_replaced_by_a_link_is_unavailable(self, storage: LocalStorage, root: Path, tmp_path: Path) -> None:
        (tmp_path / "same").write_bytes(CONTENT)
        blob_path(root).parent.mkdir(parents=True)
        blob_path(root).symlink_to(tmp_path / "same")
        with pytest.raises(ContentUnavailable):
            storage.open(KEY, SIZE)

    @pytest.mark.parametrize("depth", [0, 1, 2])
    def test_a_shelf_replaced_by_a_link_is_unavailable(
        self, storage: LocalStorage, root: Path, tmp_path: Path, depth: int
    ) -> None:
        keep(storage)
        shelf = blob_path(root).parents[2 - depth]
        shelf.rename(tmp_path / "moved")
        shelf.symlink_to(tmp_path / "moved")
        assert blob_path(root).read_bytes() == CONTENT
        with pytest.raises(ContentUnavailable):
            storage.open(KEY, SIZE)

    def test_a_fifo_in_the_place_is_unavailable_at_once(self, storage: LocalStorage, root: Path) -> None:
        blob_path(root).parent.mkdir(parents=True)
        os.mkfifo(blob_path(root))
        with pytest.raises(ContentUnavailable):
            storage.open(KEY, 0)

    def test_a_directory_in_the_place_is_unavailable(self, storage: LocalStorage, root: Path) -> None:
        blob_path(root).mkdir(parents=True)
        with pytest.raises(ContentUnavailable):
            storage.open(KEY, blob_path(root).stat().st_size)

    def test_changed_bytes_of_the_same_size_are_found_by_the_digest(self, storage: LocalStorage, root: Path) -> None:
        keep(storage)
        blob_path(root).write_bytes(CONTENT.swapcase())
        assert storage.digest(KEY, SIZE) == hashlib.sha256(CONTENT.swapcase()).hexdigest()

    def test_a_digest_that_cannot_be_read_is_unavailable(
        self, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep(storage)
        monkeypatch.setattr(hashlib, "file_digest", failing(errno.EIO))
        with pytest.raises(ContentUnavailable):
            storage.digest(KEY, SIZE)


class TestRemoving:
    def test_removes_the_bytes_and_flushes_the_shelf(
        self, storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep(storage)
        steps = record_steps(monkeypatch, root)
        assert storage.remove(KEY)
        assert not blob_path(root).exists()
        assert steps == [f"flush blobs/{KEY[:2]}/{KEY[2:4]}"]

    def test_what_is_not_there_is_not_removed(self, storage: LocalStorage) -> None:
        assert not storage.remove(KEY)
        keep(storage)
        assert storage.remove(KEY)
        assert not storage.remove(KEY)

    def test_nothing_is_removed_behind_a_link(self, storage: LocalStorage, root: Path, tmp_path: Path) -> None:
        keep(storage)
        shelf = blob_path(root).parent
        shelf.rename(tmp_path / "moved")
        shelf.symlink_to(tmp_path / "moved")
        with pytest.raises(StorageFailed):
            storage.remove(KEY)
        assert (tmp_path / "moved" / KEY).exists()

    def test_a_failed_flush_says_so(self, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
        keep(storage)
        monkeypatch.setattr(os, "fsync", failing(errno.EIO))
        with pytest.raises(StorageFailed):
            storage.remove(KEY)


DIE_WHILE_PLACING = """
import os, signal, sys
from pathlib import Path
from portal.storage import LocalStorage

with LocalStorage(Path(sys.argv[1])).placing():
    os.kill(os.getpid(), signal.SIGKILL)
"""


class TestTheLock:
    """Tried without waiting, through a descriptor of our own: what another process would see."""

    def is_free(self, root: Path, kind: int) -> bool:
        with (root / "tmp" / ".lock").open("rb") as lock:
            try:
                fcntl.flock(lock, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def test_while_somebody_places_nobody_removes(self, storage: LocalStorage, root: Path) -> None:
        with storage.placing():
            assert not self.is_free(root, fcntl.LOCK_EX)
            assert self.is_free(root, fcntl.LOCK_SH)
        assert self.is_free(root, fcntl.LOCK_EX)

    def test_while_somebody_removes_nobody_places(self, storage: LocalStorage, root: Path) -> None:
        with storage.removing():
            assert not self.is_free(root, fcntl.LOCK_SH)
        assert self.is_free(root, fcntl.LOCK_EX)

    def test_many_place_at_once(self, storage: LocalStorage, root: Path) -> None:
        with storage.placing():
            with storage.placing():
                pass
            assert not self.is_free(root, fcntl.LOCK_EX)

    def test_it_waits_for_its_turn(self, storage: LocalStorage) -> None:
        order: list[str] = []

        def remove() -> None:
            with storage.removing():
                order.append("removed")

        remover = threading.Thread(target=remove)
        with storage.placing():
            remover.start()
            remover.join(timeout=0.2)
            order.append("committed")
        remover.join()
        assert order == ["committed", "removed"]

    @pytest.mark.parametrize("name", ["placing", "removing"])
    def test_a_failure_inside_frees_it_and_passes_unchanged(self, storage: LocalStorage, root: Path, name: str) -> None:
        locked: AbstractContextManager[None] = getattr(storage, name)()
        with pytest.raises(FileNotFoundError), locked:
            raise FileNotFoundError(errno.ENOENT, "of somebody else")
        assert self.is_free(root, fcntl.LOCK_EX)

    def test_a_file_system_without_locks_is_a_failure(
        self, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fcntl, "flock", failing(errno.ENOLCK))
        with pytest.raises(StorageFailed), storage.placing():
            pass

    def test_only_one_scrubs_and_nobody_else_minds(self, storage: LocalStorage) -> None:
        with storage.scrubbing() as first, storage.scrubbing() as second, storage.placing():
            assert (first, second) == (True, False)
        with storage.scrubbing() as third:
            assert third

    def test_a_patient_scrub_waits_for_the_other_to_end(self, storage: LocalStorage) -> None:
        order: list[str] = []

        def wait() -> None:
            with storage.scrubbing(patiently=True) as is_mine:
                order.append(f"second {is_mine}")

        with storage.scrubbing():
            thread = threading.Thread(target=wait)
            thread.start()
            thread.join(0.2)
            order.append("first")
        thread.join(60)
        assert order == ["first", "second True"]

    def test_a_process_that_dies_frees_it(self, storage: LocalStorage, root: Path) -> None:
        assert run_child(DIE_WHILE_PLACING, str(root)).returncode == -9
        assert self.is_free(root, fcntl.LOCK_EX)


class TestStat:
    def test_says_what_lies_at_the_place_of_a_key(self, storage: LocalStorage, root: Path) -> None:
        keep(storage)
        found = storage.stat(KEY)
        assert found is not None
        assert (found.st_size, found.st_ino) == (SIZE, blob_path(root).stat().st_ino)

    def test_of_a_link_it_says_that_it_is_one(self, storage: LocalStorage, root: Path, tmp_path: Path) -> None:
        keep(storage)
        blob_path(root).unlink()
        blob_path(root).symlink_to(tmp_path)
        found = storage.stat(KEY)
        assert found is not None
        assert stat.S_ISLNK(found.st_mode)

    def test_of_nothing_it_says_none(self, storage: LocalStorage, root: Path) -> None:
        assert storage.stat(KEY) is None, "not even its shelf is there"
        keep(storage)
        blob_path(root).unlink()
        assert storage.stat(KEY) is None

    def test_behind_a_link_it_says_nothing(self, storage: LocalStorage, root: Path, tmp_path: Path) -> None:
        keep(storage)
        shelf = blob_path(root).parent
        shelf.rename(tmp_path / "elsewhere")
        shelf.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StorageFailed):
            storage.stat(KEY)

    def test_what_is_no_key_has_no_place(self, storage: LocalStorage) -> None:
        with pytest.raises(ContentUnavailable):
            storage.stat("../tmp")


class TestListing:
    def test_every_blob_by_key_in_order(self, storage: LocalStorage, root: Path) -> None:
        contents = {hashlib.sha256(content).hexdigest(): content for content in (b"%d" % n for n in range(30))}
        for content in contents.values():
            keep(storage, content)
        listed = list(storage.list_keys())
        assert [key for key, _ in listed] == sorted(contents)
        assert [found.st_size for _, found in listed] == [len(contents[key]) for key in sorted(contents)]
        assert [found.st_ino for _, found in listed] == [blob_path(root, key).stat().st_ino for key in sorted(contents)]

    def test_only_a_storage_without_any_shelf_is_empty(self, storage: LocalStorage, root: Path) -> None:
        assert storage.is_empty()
        keep(storage)
        assert not storage.is_empty()
        shutil.rmtree(root / "blobs")
        with pytest.raises(StorageFailed):
            storage.is_empty()

    def test_an_empty_storage_lists_nothing(self, storage: LocalStorage) -> None:
        assert list(storage.list_keys()) == []
        assert list(storage.list_strangers()) == []

    def test_strangers_are_no_keys_but_are_told(self, storage: LocalStorage, root: Path, tmp_path: Path) -> None:
        keep(storage)
        blobs = root / "blobs"
        other = KEY[:4] + "0" * 60
        wrong_shelf = blobs / "00" / "00"
        wrong_shelf.mkdir(parents=True, exist_ok=True)
        strangers = [blobs / "README", wrong_shelf / KEY, blob_path(root).with_name("notes.txt")]
        for path in strangers:
            path.touch()
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "file").touch()
        links = [blobs / "ff", blob_path(root, other)]
        for path in links:
            path.symlink_to(tmp_path / "outside")
        (blobs / "lost+found" / "deep").mkdir(parents=True)
        os.mkfifo(blobs / "fifo")
        expected = {*strangers, *links, blobs / "lost+found", blobs / "fifo"}
        assert set(storage.list_strangers()) == expected
        assert [key for key, _ in storage.list_keys()] == [KEY]

    def test_a_shelf_that_cannot_be_read_is_a_failure_not_an_empty_shelf(
        self, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep(storage)
        monkeypatch.setattr(os, "listdir", failing(errno.EIO))
        with pytest.raises(StorageFailed):
            list(storage.list_keys())
        monkeypatch.undo()

    def test_a_listing_left_half_way_leaves_nothing_open(self, storage: LocalStorage) -> None:
        for number in range(5):
            keep(storage, b"%d" % number)
        before = os.listdir("/proc/self/fd")
        listing = storage.list_keys()
        next(listing)
        assert os.listdir("/proc/self/fd") == before


class TestStaleTemps:
    def test_only_old_ones_of_our_own_are_removed(self, storage: LocalStorage, root: Path) -> None:
        old, young = receive(storage), receive(storage)
        foreign = root / "tmp" / "upload-of-another-room"
        foreign.touch()
        for path in (old.temp, foreign):
            os.utime(path, (1, 1))
        assert storage.remove_stale_temps(3600) == 1
        assert temps(root) == sorted([young.temp.name, foreign.name])

    def test_a_probe_left_among_the_blobs_is_no_stranger_and_goes_too(self, storage: LocalStorage, root: Path) -> None:
        probe = receive(storage).temp.rename(root / "blobs" / f"incoming-{'0' * 32}")
        os.utime(probe, (1, 1))
        assert list(storage.list_strangers()) == []
        assert storage.remove_stale_temps(3600) == 1
        assert not probe.exists()

    def test_the_lock_stays(self, storage: LocalStorage, root: Path) -> None:
        with storage.placing():
            os.utime(root / "tmp" / ".lock", (1, 1))
            assert storage.remove_stale_temps(0) == 0
        assert (root / "tmp" / ".lock").exists()

    def test_a_link_of_that_name_is_left_alone(self, storage: LocalStorage, root: Path) -> None:
        link = root / "tmp" / f"incoming-{'0' * 32}"
        link.symlink_to("nowhere")
        os.utime(link, (1, 1), follow_symlinks=False)
        assert storage.remove_stale_temps(0) == 0


class TestTheCheck:
    def test_passes_and_leaves_nothing(self, storage: LocalStorage, root: Path) -> None:
        storage.check()
        assert files_below(root) == []

    @pytest.mark.parametrize("name", ["blobs", "tmp"])
    def test_a_missing_directory_fails(self, storage: LocalStorage, root: Path, name: str) -> None:
        (root / name).rmdir()
        with pytest.raises(StorageFailed):
            storage.check()
        assert files_below(root) == []

    @pytest.mark.parametrize(
        ("call", "fault", "fact"),
        [
            ("write", failing(errno.ENOSPC), StorageFull),
            ("fsync", failing(errno.EIO), StorageFailed),
            ("rename", failing(errno.EXDEV), StorageFailed),
        ],
    )
    def test_each_step_that_fails_is_told_and_leaves_nothing(
        self, storage: LocalStorage, root: Path, call: str, fault: Callable[..., int], fact: type[PortalError]
    ) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, call, fault)
            with pytest.raises(fact):
                storage.check()
        assert files_below(root) == []

    def test_a_directory_that_cannot_be_flushed_fails(
        self, storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse_directories(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "fsync", refuse_directories)
        with pytest.raises(StorageFailed):
            storage.check()
        assert files_below(root) == []

    def test_a_disk_that_gives_back_something_else_fails(
        self, storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rename = os.rename

        def rename_and_spoil(source: Path, target: str, *, dst_dir_fd: int) -> None:
            source.write_bytes(b"something else")
            rename(source, target, dst_dir_fd=dst_dir_fd)

        monkeypatch.setattr(os, "rename", rename_and_spoil)
        with pytest.raises(StorageFailed, match="does not give back"):
            storage.check()
        assert files_below(root) == []


FILL_THE_DISK = """
import sys
from pathlib import Path
from portal.errors import StorageFull
from portal.storage import LocalStorage

root = Path(sys.argv[1])
storage = LocalStorage(root)
storage.prepare()
before = storage.free_bytes()
incoming = storage.receive()
try:
    while True:
        incoming.write(bytes(65536))
except StorageFull as full:
    print(full.status, incoming.size, *[path.name for path in (root / "tmp").iterdir()])
"""

FILL_IT_AND_GO_ON = f"""
{FILL_THE_DISK}
assert storage.free_bytes() == before
(root / "ballast").write_bytes(bytes(before))
assert storage.free_bytes() == 0
try:
    storage.check()
except StorageFull as full:
    print(full.status)
(root / "ballast").unlink()
storage.check()
incoming = storage.receive()
incoming.write(b"again")
storage.keep(incoming.finish())
print("kept")
"""


@pytest.fixture
def tiny_disk(tmp_path: Path) -> tuple[str, ...]:
    """A command prefix that runs a program with 512 KiB of tmpfs on ``tmp_path``, a mount that ends with it."""
    mount = f'mount -t tmpfs -o size=512k tmpfs "{tmp_path}" && exec "$@"'
    for unshare in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        prefix = (*unshare, "sh", "-c", mount, "sh")
        if shutil.which("unshare") and subprocess.call([*prefix, "true"], stderr=subprocess.DEVNULL) == 0:
            return prefix
    pytest.skip("this system does not let a test mount a file system of its own (unshare --mount)")


class TestNoSpace:
    def test_a_file_size_limit_is_full_and_leaves_nothing(self, storage: LocalStorage, root: Path) -> None:
        limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))"
        child = run_child(limit + FILL_THE_DISK, str(root))
        assert child.stdout == "507 196608\n", child.stderr
        assert temps(root) == []

    def test_a_full_disk_is_full_and_works_again_with_space(self, tiny_disk: tuple[str, ...], tmp_path: Path) -> None:
        child = run_child(FILL_IT_AND_GO_ON, str(tmp_path), prefix=tiny_disk)
        (full, *sizes), *rest = (line.split() for line in child.stdout.splitlines())
        assert full == "507", child.stderr
        assert len(sizes) == 1, "a temp file was left"
        assert rest == [["507"], ["kept"]], child.stderr
