"""The servers that are measured, each started anew in a process of its own on a free port of loopback."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from benchmarks.settings import ROOT
from portal.cli.serve import CONNECTIONS
from tests.offload.nginx import fronted

GUNICORN = f"-w 1 --worker-connections {CONNECTIONS} --keep-alive 30 --timeout 120 --no-control-socket"
NGINX = """
daemon off; worker_processes 1; error_log {work}/error.log; pid {work}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  sendfile on; access_log off; keepalive_requests 1000000; types {{}} default_type application/octet-stream;
  client_body_temp_path {work}/a; proxy_temp_path {work}/b; fastcgi_temp_path {work}/c;
  uwsgi_temp_path {work}/d; scgi_temp_path {work}/e;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {root}; }}
}}
"""
COPYPARTY = f"-i 127.0.0.1 --http-only --no-thumb --no-acode --no-dav --no-robots -nid -nih -q -nc {CONNECTIONS}"
"""Announcements (-z, --zm, --zs), the look for newer versions (--vc-url) and the index (-e2d) are off by default."""

IDLE = 0.05
"""The part of a processor below which a server does nothing that matters."""


@dataclass(frozen=True)
class Server:
    """A server that answers on ``port``; ``pid`` is of the process that does the work."""

    port: int
    pid: int

    def peak(self) -> float:
        """The largest resident size so far, in MiB."""
        return self._size("VmHWM")

    def forget_peak(self) -> float:
        """Begin to measure the peak anew; the resident size now, in MiB."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self._size("VmRSS")

    def settle(self) -> None:
        """Wait, a minute at most, until it has nothing left to do."""
        for _ in range(60):
            before = self._busy()
            time.sleep(1)
            if self._busy() - before < IDLE:
                return

    def _busy(self) -> float:
        """Seconds of processor time so far (the 14th and 15th field of proc(5))."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _size(self, name: str) -> float:
        found = re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0


@contextmanager
def nginx(root: Path, work: Path) -> Iterator[Server]:
    """nginx serving a directory as static files; ``work`` is for its own."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    port = free_port()
    work.mkdir(exist_ok=True)
    config = work / "nginx.conf"
    config.write_text(NGINX.format(work=work, port=port, root=root))
    with _running([program, "-e", str(work / "error.log"), "-c", str(config)], port, {}) as server:
        yield server


@contextmanager
def gunicorn(
    application: str,
    directory: Path,
    threads: int,
    worker: str = "gthread",
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Server]:
    """A Flask application that serves a directory, under the same server with the same settings as the portal.

    ``worker`` is gunicorn's own, which is what a tutorial leads to, or the class the portal derives from it.
    """
    port = free_port()
    options = [*GUNICORN.split(), "-k", worker, "--threads", str(threads), "-b", f"127.0.0.1:{port}", application]
    wanted = {"BENCH_DIRECTORY": str(directory), **environment}
    with _running([sys.executable, "-m", "gunicorn", *options], port, wanted) as server:
        yield server


@contextmanager
def copyparty(root: Path, inbox: Path, work: Path) -> Iterator[Server]:
    """copyparty serving a directory to everybody, and taking uploads to ``/in``; nothing of it leaves loopback."""
    port = free_port()
    work.mkdir(exist_ok=True)
    inbox.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "copyparty", *COPYPARTY.split(), "-p", str(port)]
    command += ["-v", f"{root}::r", "-v", f"{inbox}:in:rw"]
    with _running(command, port, {"HOME": str(work), "XDG_CONFIG_HOME": str(work)}) as server:
        yield server


@contextmanager
def portal(environment: Mapping[str, str], threads: int) -> Iterator[Server]:
    """``portal serve``."""
    port = free_port()
    command = [sys.executable, "-m", "portal.cli", "serve", "--port", str(port), "--threads", str(threads)]
    with _running(command, port, environment) as server:
        yield server


@contextmanager
def offloaded(environment: Mapping[str, str], blobs: Path, work: Path, threads: int) -> Iterator[Server]:
    """``portal serve`` behind nginx with config/nginx.conf, whose log is followed."""
    work.mkdir(exist_ok=True)
    extra = {"PORTAL_OFFLOAD": "nginx", "PORTAL_TRUSTED_PROXIES": "127.0.0.1/32"}
    with (
        portal(dict(environment) | extra, threads) as behind,
        fronted(blobs, work, behind.port, {"worker_processes auto;": "worker_processes 1;"}) as front,
        _following(environment, front.log),
    ):
        yield Server(front.port, _worker(front.process.pid))


@contextmanager
def _following(environment: Mapping[str, str], log: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "portal.cli", "ledger", "follow", str(log)]
    silence = subprocess.DEVNULL
    follower = subprocess.Popen(command, cwd=ROOT, env=os.environ | dict(environment), stdout=silence, stderr=silence)
    try:
        yield
    finally:
        follower.terminate()
        follower.wait(40)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(command: list[str], port: int, environment: Mapping[str, str]) -> Iterator[Server]:
    env = os.environ | dict(environment)
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(process, port)
        yield Server(port, _worker(process.pid))
    finally:
        process.terminate()
        process.wait(40)


def _worker(pid: int) -> int:
    """The one worker of a server that has a master process, otherwise the server itself."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else pid


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    """Until it answers anything. Raises RuntimeError when it ends before that or takes longer than 30 seconds."""
    stop = time.monotonic() + 30
    while time.monotonic() < stop and process.poll() is None:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 30) as line:
            line.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
            if line.recv(1):
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not start")
