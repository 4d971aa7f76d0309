"""The real nginx with config/nginx.conf: the very file, its host, paths and ports replaced by those of a test."""

import os
import pwd
import random
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.parts import program

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config" / "nginx.conf"
START_SECONDS = 30
LOWEST, HIGHEST = 10_000, 30_000
"""Of the ports that servers are told; the system gives higher ones to whoever asks for any, at any moment."""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


_numbers = count(random.randrange(HIGHEST - LOWEST))  # every worker begins elsewhere


@dataclass(frozen=True)
class Nginx:
    """A running nginx; ``log`` is where it writes what became of documents handed over."""

    port: int
    log: Path
    errors: Path
    process: subprocess.Popen[bytes]

    @property
    def lines(self) -> list[str]:
        """What the log says so far."""
        return self.log.read_text().splitlines() if self.log.exists() else []


def account() -> str:
    """Whom the tests run as, and so the portal: nginx must run as nobody else to read its blobs."""
    return pwd.getpwuid(os.getuid()).pw_name


def free_port() -> int:
    """A port nobody listens on now, nor soon by chance."""
    for number in _numbers:
        port = LOWEST + number % (HIGHEST - LOWEST)
        if is_free(port):
            return port
    raise AssertionError("numbers do not end")


def is_free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def rendered(blobs: Path, work: Path, port: int, upstream: int, replace: Mapping[str, str] | None = None) -> str:
    """The text of config/nginx.conf for this machine. Whatever is to be replaced must be there."""
    text = CONFIG.read_text()
    own = {
        "user portal;": f"user {account()};",
        "worker_processes auto;": "worker_processes 2;",
        "/run/nginx.pid": f"{work}/nginx.pid",
        "/var/log/nginx/error.log": f"{work}/error.log",
        "/var/log/portal/handed-over.log": f"{work}/handed-over.log",
        "        listen 80;\n        listen [::]:80;\n        server_name documents.example.org;": (
            f"        listen 127.0.0.1:{port};\n        server_name 127.0.0.1;"
        ),
        "server 127.0.0.1:8000;": f"server 127.0.0.1:{upstream};",
        "/var/lib/portal/blobs": str(blobs),
        "http {\n": "http {\n" + "".join(f"    {name}_temp_path {work}/{name};\n" for name in TEMPORARY),
        **(replace or {}),
    }
    for line, instead in own.items():
        assert line in text, f"config/nginx.conf has no {line!r}"
        text = text.replace(line, instead)
    return text


@contextmanager
def fronted(
    blobs: Path, work: Path, upstream: int, replace: Mapping[str, str] | None = None, port: int = 0
) -> Iterator[Nginx]:
    """nginx with our configuration in front of the portal that listens on ``upstream``."""
    port = port or free_port()
    with started(rendered(blobs, work, port, upstream, replace), work, port) as process:
        yield Nginx(port, work / "handed-over.log", work / "error.log", process)


@contextmanager
def started(config: str, work: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """nginx with a configuration, listening on ``port`` of loopback; ended by its own pid."""
    work.mkdir(parents=True, exist_ok=True)
    file, errors = work / "nginx.conf", work / "error.log"
    file.write_text(config)
    paths = ["-e", str(errors), "-p", str(work), "-c", str(file)]
    command = [program("nginx", "nginx-light"), *paths, "-g", "daemon off;"]
    with (work / "nginx.out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        await_port(process, port, work)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def await_port(process: subprocess.Popen[bytes], port: int, work: Path) -> None:
    """Wait until somebody listens."""
    for _ in range(START_SECONDS * 20):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nginx did not start:\n{(work / 'nginx.out').read_text()}{(work / 'error.log').read_text()}")
