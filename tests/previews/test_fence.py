"""The fence: whatever runs inside has one open file, a little memory and time, and nothing else of this world."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import portal.previews
from portal.previews import fence
from portal.previews.fence import Broken, FenceMissing, Made, Refused
from portal.previews.fenced import frames
from portal.storage.files import Place, open_bytes
from tests.previews.samples import MIB, task

HERE = Path(portal.previews.__file__).parent
ESCAPE = f"""
import sys
from importlib import import_module
from types import ModuleType
for name, directory in (("portal", {str(HERE.parent)!r}), ("portal.previews", {str(HERE)!r})):
    package = ModuleType(name)
    package.__path__ = [directory]
    sys.modules[name] = package
running = import_module("portal.previews.fenced.running")
maker = ModuleType("portal.previews.fenced.texts")
sys.modules[maker.__name__] = maker
import ctypes, errno, json, mmap, os, signal, socket, subprocess, time
"""
"""A child like any other, whose maker was taken over."""


@pytest.fixture
def taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Taken":
    return Taken(tmp_path, monkeypatch)


class Taken:
    """Runs code inside the fence, as a library would that was taken over by the file it reads."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.child = directory / "child.py"
        monkeypatch.setattr(fence, "CHILD", self.child)

    def run(self, code: str, **limits: Any) -> Made | Refused | Broken:
        """What the parent makes of it."""
        body = textwrap.indent(textwrap.dedent(code), "    ")
        self.child.write_text(f"{ESCAPE}\ndef make(desk):\n{body}\nmaker.make = make\nrunning.main()\n")
        source = self.directory / "source"
        source.write_bytes(b"What it is to look at.")
        with open_bytes(Place(self.directory, source.name)) as opened:
            return fence.look_at(opened, task("texts", size=22, **limits))

    def said(self, code: str) -> str:
        """What it said as the text of the document."""
        outcome = self.run(code)
        assert isinstance(outcome, Made), outcome
        return outcome.text or ""

    def refused(self, statement: str) -> bool:
        """Whether the kernel refused what it tried."""
        said = self.said(
            f"""
            try:
                {statement}
            except OSError as problem:
                desk.put_text(errno.errorcode[problem.errno])
            else:
                desk.put_text("done")
            desk.finish()
            """
        )
        return said == "EPERM"


def test_it_reads_what_it_was_given(taken_over: Taken) -> None:
    assert taken_over.said("desk.put_text(desk.read(100).decode()); desk.finish()") == "What it is to look at."


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"])
def test_it_has_no_network(taken_over: Taken, family: str) -> None:
    assert taken_over.refused(f"socket.socket(socket.{family})")


@pytest.mark.parametrize(
    "statement",
    [
        "os.open('{}/new', os.O_WRONLY | os.O_CREAT)",
        "os.open('{}/source', os.O_WRONLY)",
        "os.open('{}/source', os.O_RDONLY)",
        "os.open('/proc/self/fd/0', os.O_RDWR)",
        "os.unlink('{}/source')",
        "os.rename('{}/source', '{}/other')",
        "os.mkdir('{}/new')",
        "os.symlink('/etc/passwd', '{}/new')",
        "os.truncate(0, 0)",
        "os.fchmod(0, 0o777)",
        "os.chdir('/tmp')",
        "os.listdir('{}')",
        "os.memfd_create('new')",
    ],
)
def test_it_opens_and_changes_no_file(taken_over: Taken, statement: str) -> None:
    assert taken_over.refused(statement.replace("{}", str(taken_over.directory)))
    assert (taken_over.directory / "source").read_bytes() == b"What it is to look at."
    assert not (taken_over.directory / "new").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "subprocess.run(['/bin/true'])",
        "os.kill(os.getppid(), signal.SIGTERM)",
        "os.kill(os.getpid(), signal.SIGUSR1)",
        "os.setuid(1)",
        "os.setpriority(os.PRIO_PROCESS, 0, -5)",
    ],
)
def test_it_starts_and_signals_nobody(taken_over: Taken, statement: str) -> None:
    assert taken_over.refused(statement)


def test_it_cannot_look_into_another_process(taken_over: Taken) -> None:
    code = """
        libc = ctypes.CDLL(None, use_errno=True)
        answer = libc.ptrace(16, os.getppid(), 0, 0), ctypes.get_errno() == errno.EPERM
        desk.put_text(repr(answer)); desk.finish()
    """
    assert taken_over.said(code) == "(-1, True)"


def test_what_it_made_in_memory_does_not_run(taken_over: Taken) -> None:
    assert taken_over.refused("mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)")


def test_it_knows_nothing_of_the_environment(taken_over: Taken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_SECRET_KEY", "a secret")
    assert "PORTAL" not in taken_over.said("desk.put_text(repr(dict(os.environ))); desk.finish()")


def test_it_has_none_of_our_files(taken_over: Taken, tmp_path: Path) -> None:
    code = """
        held = []
        for number in range(256):
            try:
                os.fstat(number)
                held.append(number)
            except OSError:
                pass
        desk.put_text(repr(held)); desk.finish()
    """
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        assert taken_over.said(code) == "[0, 1, 2]"


def test_too_much_memory_is_refused_by_the_kernel(taken_over: Taken) -> None:
    assert taken_over.run(f"bytearray({600 * MIB})") == Refused("memory")


def test_a_child_that_hangs_is_ended(taken_over: Taken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence, "STARTING_SECONDS", 0)
    assert taken_over.run("time.sleep(60)", seconds=1) == Broken("time")


def test_a_child_that_works_for_ever_is_ended_by_the_kernel(taken_over: Taken) -> None:
    assert taken_over.run("while True: pass", seconds=1) == Broken("time")


def test_a_child_that_says_too_much_is_cut_short(taken_over: Taken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence, "MOST_SAID", MIB)
    assert taken_over.run("while True: os.write(1, bytes(65536))") == Broken("flood")


@pytest.mark.parametrize(
    "code",
    [
        "os._exit(0)",
        "os._exit(3)",
        "ctypes.string_at(0)",
        "raise ValueError('x')",
        "os.write(1, b'T')",
        "os.write(1, b'T\\xff\\xff\\xff\\xff')",
        "os.write(1, b'M\\0\\0\\0\\4null' * 2)",
        "os.write(1, b'M\\0\\0\\0\\2-1')",
        "os.write(1, b'M\\0\\0\\0\\1x')",
        "os.write(1, b'T\\0\\0\\0\\1\\xff'); desk.finish()",
        "os.write(1, b'T\\0\\0\\0\\1\\0'); desk.finish()",
        "os.write(1, b'Z\\0\\0\\0\\0'); desk.finish()",
        "desk.put_image(1, 1, b'<svg>'); desk.finish()",
        "desk.put_image(0, 0, b'RIFF1234WEBP'); desk.finish()",
        "desk.put_table([['x'] * 31], 31); desk.finish()",
        "desk.put_table([['x']] * 52, 1); desk.finish()",
        "desk.put_table([['x' * 201]], 1); desk.finish()",
        "desk.put_table([[]], 1); desk.finish()",
        "desk.put_table([['x']], -1); desk.finish()",
        "os.write(1, b'I\\0\\0\\0\\2xx'); desk.finish()",
        "os.write(1, b'R\\0\\0\\0\\4[[1]'); desk.finish()",
        "n = 100000; os.write(1, b'R' + n.to_bytes(4, 'big') + b'[' * n); desk.finish()",
    ],
)
def test_nothing_is_believed_that_is_not_in_its_bounds(taken_over: Taken, code: str) -> None:
    assert taken_over.run(code) == Broken("crash")


def test_a_child_without_a_fence_makes_nothing(taken_over: Taken) -> None:
    start = taken_over.child
    code = "running.filter_self = lambda: None\n"
    start.write_text(f"{ESCAPE}\n{code}maker.make = lambda desk: desk.finish()\nrunning.main()\n")
    source = taken_over.directory / "source"
    source.write_bytes(b"x")
    with open_bytes(Place(taken_over.directory, source.name)) as opened, pytest.raises(FenceMissing, match="filter"):
        fence.look_at(opened, task("texts", size=1))


def test_no_child_is_left(taken_over: Taken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence, "MOST_SAID", 100_000)
    code = "os.write(1, str(os.getpid()).encode() + b' ' + bytes(200_000)); time.sleep(60)"
    before = children()
    assert taken_over.run(code) == Broken("flood")
    assert children() <= before


def children() -> set[str]:
    """The processes that this one has begun; other tests of the process may have left some running."""
    lists = Path("/proc/self/task").glob("*/children")
    return {pid for each in lists for pid in each.read_text().split()}


def test_a_child_ends_with_its_worker(taken_over: Taken) -> None:
    where = taken_over.directory / "pid"
    before = f"open({str(where)!r}, 'w').write(str(os.getpid()))\nmaker.make = lambda desk: time.sleep(60)\n"
    taken_over.child.write_text(f"{ESCAPE}\n{before}running.main()\n")
    code = f"""
        import pathlib
        from portal.previews import fence
        from portal.storage.files import Place, open_bytes
        from tests.previews.samples import task
        fence.CHILD = pathlib.Path({str(taken_over.child)!r})
        with open_bytes(Place(pathlib.Path(__file__).parent, "worker.py")) as opened:
            fence.look_at(opened, task("texts", seconds=60))
    """
    script = taken_over.directory / "worker.py"
    script.write_text(textwrap.dedent(code))
    worker = subprocess.Popen([sys.executable, str(script)], env={"PYTHONPATH": str(HERE.parents[1])})
    try:
        wait_for(lambda: where.exists() and is_fenced(where.read_text()))
    finally:
        worker.kill()
        worker.wait()
    wait_for(lambda: not Path(f"/proc/{where.read_text()}").exists())


def is_fenced(pid: str) -> bool:
    """Whether the filter of calls is in force in a process, as the kernel says."""
    return bool(pid) and "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text()


def wait_for(is_so: Callable[[], bool], seconds: float = 20) -> None:
    """Until it is so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_frames_come_out_as_they_went_in() -> None:
    said = frames.frame(b"T", b"one") + frames.frame(b"M", b"")
    assert list(frames.unframed(said)) == [(b"T", b"one"), (b"M", b"")]


@pytest.mark.parametrize("cut", range(1, 8))
def test_frames_that_are_cut_are_none(cut: int) -> None:
    with pytest.raises(frames.Garbled):
        list(frames.unframed(frames.frame(b"T", b"one")[:-cut]))
