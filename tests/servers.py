"""A real ``portal serve`` for tests: started on a free port, spoken to over a socket, ended by its own pid."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlencode

from portal.settings import Settings
from tests import ready

START_SECONDS = 60
FORM = "application/x-www-form-urlencoded"
TOKEN = re.compile(rb'name="csrf_token"[^>]*value="([^"]+)"')


def environment(settings: Settings) -> dict[str, str]:
    """The environment a command needs to work on the same installation as ``settings``."""
    own = {
        "PORTAL_CONFIG": str(settings.data.parent / "portal.toml"),
        "PORTAL_DATA": str(settings.data),
        "PORTAL_STORAGE": str(settings.storage),
        "PORTAL_DATABASE_URL": settings.database_url,
        "PORTAL_SECRET_KEY": settings.secret_key,
        "PORTAL_PASSWORD_MEMORY": str(settings.password_memory),
        "PORTAL_PASSWORD_PASSES": str(settings.password_passes),
        "PORTAL_MAX_UPLOAD": str(settings.max_upload),
        "PORTAL_CLAMD": settings.clamd,
        "PORTAL_MAIL_URL": settings.mail_url,
        "PYTHONUNBUFFERED": "1",
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    return clean | own


@dataclass
class Server:
    """A running portal; ``output`` is everything it has printed so far."""

    process: subprocess.Popen[bytes] | ready.Process
    port: int
    log: Path

    @property
    def output(self) -> str:
        """What the server printed."""
        return self.log.read_text()

    @property
    def children(self) -> set[int]:
        """Its processes, of both kinds."""
        pid = self.process.pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    @property
    def mailers(self) -> set[int]:
        """Those of its processes that answer nobody: they send mails."""
        return {pid for pid in self.children if not self._listens(pid)}

    def _listens(self, pid: int) -> bool:
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        ours = {f"socket:[{line[9]}]" for line in lines if line[1].endswith(f":{self.port:04X}") and line[3] == "0A"}
        try:
            held = {os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()}
        except OSError:
            held = set()
        return not held or bool(held & ours)  # one that holds nothing is just ending, or waits to be reaped

    def kill(self) -> None:
        """End it and its workers at once, as a power cut would; then its port is free."""
        workers = self.children
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        while any(_is_running(pid) for pid in workers):
            time.sleep(0.01)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def serving(
    settings: Settings,
    *arguments: str,
    extra: Mapping[str, str] | None = None,
    program: str = "",
    has_worker: bool = False,
    is_anew: bool = False,
) -> Iterator[Server]:
    """``portal serve`` on a free port of loopback, with its own process group; ``program`` is Python to run first.

    Without the worker that sends mails, unless they are asked for. It is forked from a process that has imported the
    portal, unless it is to start anew, as operators start it.
    """
    log = settings.data.parent / f"serve-{os.urandom(4).hex()}.log"
    command = ["serve", "--port", "0", "--threads", "64", *arguments, *([] if has_worker else ["--no-worker"])]
    env = environment(settings) | dict(extra or {})
    log.touch()
    if is_anew:
        process: subprocess.Popen[bytes] | ready.Process = _started_anew(command, env, log, program)
    else:
        process = ready.starter().start(command, env=env, log=log, program=program)
    try:
        yield Server(process, await_port(process, log), log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _started_anew(arguments: list[str], env: dict[str, str], log: Path, program: str) -> subprocess.Popen[bytes]:
    start = ["-c", f"{program}\nimport portal.cli\nportal.cli.main()"] if program else ["-m", "portal.cli"]
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, *start, *arguments],
            env=env,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd=ready.ROOT,
        )


def await_port(process: subprocess.Popen[bytes] | ready.Process, log: Path) -> int:
    """The port a starting server says it listens on."""
    for _ in range(START_SECONDS * 20):
        found = re.search(r"Listening at http://[^:]+:(\d+)", log.read_text())
        if found:
            return int(found[1])
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


@dataclass
class Answer:
    """One whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Caller:
    """A client over a real socket, with its cookies."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        """GET an address of the server."""
        return self.send("GET", path, b"", headers)

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Answer:
        """POST a form."""
        return self.send("POST", path, urlencode(fields).encode(), {"Content-Type": FORM, **headers})

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a request and read the whole answer, keeping its cookies."""
        with self._answering(method, path, body, headers) as response:
            return Answer(response.status, dict(response.getheaders()), response.read())

    def reading(self, path: str, **headers: str) -> AbstractContextManager[HTTPResponse]:
        """GET an address and leave the body to be read inside the block."""
        return self._answering("GET", path, b"", headers)

    @contextmanager
    def _answering(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Iterator[HTTPResponse]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            own = {"Cookie": cookie} if cookie else {}
            connection.request(method, path, body or None, {**own, **headers})
            response = connection.getresponse()
            self._keep_cookies(response)
            yield response
        finally:
            connection.close()

    def form_token(self, path: str) -> str:
        """The CSRF token of the first form on a page."""
        page = self.get(path)
        found = TOKEN.search(page.body)
        assert found is not None, f"{path} answered {page.status} without a form"
        return found[1].decode()

    def _keep_cookies(self, response: HTTPResponse) -> None:
        for line in response.headers.get_all("Set-Cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
