"""A real clamd with two signatures of our own, and the harmless text that every scanner takes for a virus (EICAR)."""

import hashlib
import io
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Self

import pytest

# Put together only here: as one piece it would keep scanners from letting anybody have this very file.
EICAR = ("X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-" + "ANTIVIRUS-TEST-" + "FILE!$H+H*").encode()
NAME = "Eicar.Test.UNOFFICIAL"
PATIENCE = 20
CLAMD = shutil.which("clamd") or "/usr/sbin/clamd"


def require_clamd() -> None:
    """Skip the test where there is no clamd; in CI that is a failure."""
    if not os.access(CLAMD, os.X_OK):
        if os.environ.get("CI"):
            pytest.fail("clamd is not here: install clamav-daemon")
        pytest.skip("clamd is not here: install clamav-daemon")


def zipped(content: bytes = EICAR) -> bytes:
    """A zip with it in it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a folder/harmless.txt", b"harmless\n" * 50)
        archive.writestr("a folder/inside.com", content)
    return packed.getvalue()


class Clamd:
    """A clamd of this test, on a port or on a socket of its own; may be stopped and started again."""

    def __init__(self, directory: Path, *, largest: str = "100M", is_unix: bool = False) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="clamd-"))  # a socket's name must be short
        self._is_unix, self._socket = is_unix, self._directory / "clamd.ctl"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._config = self._directory / "clamd.conf"
        signatures = self._directory / "signatures"
        signatures.mkdir()
        (signatures / "local.hdb").write_text(f"{hashlib.md5(EICAR).hexdigest()}:{len(EICAR)}:Eicar.Test\n")  # noqa: S324
        (signatures / "local.ndb").write_text(f"Eicar.Test:0:*:{EICAR.hex()}\n")
        where = f"LocalSocket {self._socket}" if is_unix else f"TCPSocket {self.port}\nTCPAddr 127.0.0.1"
        self._config.write_text(
            f"Foreground yes\n{where}\nDatabaseDirectory {signatures}\nStreamMaxLength {largest}\n"
            f"TemporaryDirectory {directory}\nUser {_user()}\n"
        )
        for path in (self._directory, signatures):
            path.chmod(0o755)

    @property
    def address(self) -> str:
        """What the setting names it by."""
        return f"unix:{self._socket}" if self._is_unix else f"127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Until it answers."""
        log = self._directory / "log"
        with log.open("wb") as out:
            self._process = subprocess.Popen([CLAMD, "-c", str(self._config)], stdout=out, stderr=out)
        patience = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < patience, log.read_text()
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """At once, as if its machine had gone. May be repeated."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """Stop it and leave nothing of it."""
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _answers(self) -> bool:
        family = socket.AF_UNIX if self._is_unix else socket.AF_INET
        with socket.socket(family) as line:
            try:
                line.connect(str(self._socket) if self._is_unix else ("127.0.0.1", self.port))
                line.sendall(b"zPING\0")
                return line.recv(10) == b"PONG\0"
            except OSError:
                return False


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port: int = line.getsockname()[1]
    return port


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name
