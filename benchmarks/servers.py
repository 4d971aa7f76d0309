"""The servers that are measured, each in a process of its own on a free port of loopback."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GTHREAD = "-k gthread -w 1 --threads 600 --worker-connections 4000 --keep-alive 30 --no-control-socket"
NGINX = """
daemon off; worker_processes 1; error_log {work}/error.log; pid {work}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  sendfile on; access_log off; keepalive_requests 1000000; types {{}} default_type application/octet-stream;
  client_body_temp_path {work}/a; proxy_temp_path {work}/b; fastcgi_temp_path {work}/c;
  uwsgi_temp_path {work}/d; scgi_temp_path {work}/e;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def nginx(root: Path, work: Path) -> Iterator[int]:
    """nginx serving a directory as static files; its port."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    port = free_port()
    work.mkdir(parents=True, exist_ok=True)
    config = work / "nginx.conf"
    config.write_text(NGINX.format(work=work, port=port, root=root))
    with _running([program, "-e", str(work / "error.log"), "-c", str(config)], port, {}):
        yield port


@contextmanager
def bare(directory: Path) -> Iterator[int]:
    """The bare tutorial route under the same server with the same settings as the portal; its port."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", *GTHREAD.split(), "-b", f"127.0.0.1:{port}", "benchmarks.bare:app"]
    with _running(command, port, {"BARE_DIRECTORY": str(directory)}):
        yield port


@contextmanager
def portal(environment: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """``portal serve``; its port and the pid of its worker."""
    port = free_port()
    command = [sys.executable, "-m", "portal.cli", "serve", "--port", str(port)]
    with _running(command, port, environment) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield port, int(children[0])


def peak_kib(pid: int) -> int:
    """The largest resident size of a process so far, in KiB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


def forget_peak(pid: int) -> None:
    """Begin to measure the peak anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@contextmanager
def _running(command: list[str], port: int, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    env = os.environ | dict(environment)
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(process, port)
        yield process
    finally:
        process.terminate()
        process.wait(40)


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(400):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
            continue
        time.sleep(0.5)
        return
    raise RuntimeError(f"{process.args!r} did not start")
