"""Resumable uploads (tus 1.0) against a pipe of programs that does the same work and keeps no promise but the flush."""

import itertools
import os
import re
import socket
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.house import SIZES, House
from benchmarks.peers import PORTAL, Peer, started
from benchmarks.rounds import Reading, interleaved
from benchmarks.settings import MIB, ROUNDS
from benchmarks.table import DURATION, GROWTH, Table
from benchmarks.uploading import form_token

PIPE = "dd, tee and sha256sum"
LARGE = SIZES["large"]
CHUNK = 8 * MIB
"""As much as the upload page sends at once."""
SENDERS = 8
MOST_ROUNDS = 5
RECEIVE = 'dd bs=1M iflag=fullblock status=none | tee "$0" | sha256sum && sync "$0"'


class Sender:
    """A client of tus on one connection: bytes nobody has sent before, then the same block over and over."""

    def __init__(self, port: int, cookie: str, token: str) -> None:
        self._line = socket.create_connection(("127.0.0.1", port))
        self._fixed = f"Host: 127.0.0.1:{port}\r\nTus-Resumable: 1.0.0\r\n{cookie}X-CSRFToken: {token}\r\n"
        self._block = os.urandom(MIB)

    def upload(self, filename: str, size: int, chunk: int) -> None:
        """Send a document in goes of ``chunk`` bytes; there once the last is answered. Raises RuntimeError."""
        known = {"filename": filename, "category": "inbox"}
        said = ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in known.items())
        head = self._ask(f"POST /uploads HTTP/1.1\r\nUpload-Length: {size}\r\nUpload-Metadata: {said}\r\n", 0)
        path = re.search(r"(?i)\r\nLocation: (\S+)", head)
        if path is None:
            raise RuntimeError(head)
        for offset in range(0, size, chunk):
            fields = f"Upload-Offset: {offset}\r\nContent-Type: application/offset+octet-stream\r\n"
            self._ask(f"PATCH {path[1]} HTTP/1.1\r\n{fields}", min(chunk, size - offset))
        self._line.close()

    def _ask(self, request: str, size: int) -> str:
        self._line.sendall(f"{request}{self._fixed}Content-Length: {size}\r\n\r\n".encode())
        for _ in range(size // MIB):
            self._line.sendall(self._block)
        answer = self._line.recv(16_384).decode()
        if not answer.startswith(("HTTP/1.1 201", "HTTP/1.1 204")):
            raise RuntimeError(answer[:400])
        return answer


def measure(house: House) -> None:
    """Seconds until 1 GiB is hashed and durable, in one go and in many; what 8 at once cost in memory."""
    table = Table("uploading")
    rounds, turns = min(ROUNDS, MOST_ROUNDS), itertools.count()
    with started(house) as peers:
        peer = peers[0]
        for words, chunk in (("in one PATCH", LARGE), ("in PATCHes of 8 MiB", CHUNK)):
            measures: dict[str, Callable[[], Reading]] = {
                PORTAL: partial(_by_portal, house, peer, turns, chunk),
                PIPE: partial(_by_pipe, house, turns),
            }
            table.line(f"1 GiB uploaded {words}, hashed and durable", DURATION, interleaved(measures, rounds))
        grown = GROWTH.show(_grown_by_many(house, peer, turns))
    table.end(
        "The other end of the pipe reads from a socket of loopback, as the portal does, and ends with a flush.",
        f"{SENDERS} × 1 GiB at once: the worker grew by {grown}.",
    )


def _sender(house: House, peer: Peer) -> Sender:
    return Sender(peer.server.port, house.publisher, form_token(peer.server.port, house.publisher))


def _by_portal(house: House, peer: Peer, turns: Iterator[int], chunk: int) -> Reading:
    sender, name = _sender(house, peer), f"large{next(turns)}.bin"
    began = time.perf_counter()
    sender.upload(name, LARGE, chunk)
    seconds = time.perf_counter() - began
    _let_go(house)
    return Reading(seconds)


def _let_go(house: House) -> None:
    """Have the kernel forget the bytes it still holds of documents, as it does of what the pipe wrote, by removal.

    Else only one side would write into memory that was never used before, which costs a virtual machine most of all.
    """
    for blob in house.blobs.rglob("*"):
        if blob.is_file() and blob.stat().st_size == LARGE:
            with blob.open("rb") as handle:
                os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _by_pipe(house: House, turns: Iterator[int]) -> Reading:
    """What a script would do: bytes from a socket into a file and through a hash, and the file flushed."""
    target, block = house.work / f"piped{next(turns)}.bin", os.urandom(MIB)
    with socket.create_server(("127.0.0.1", 0)) as door:
        began = time.perf_counter()
        with socket.create_connection(door.getsockname()) as line:
            taken, _ = door.accept()
            with taken:
                command = ["sh", "-c", RECEIVE, str(target)]
                pipe = subprocess.Popen(command, stdin=taken.fileno(), stdout=subprocess.DEVNULL)
            for _ in range(LARGE // MIB):
                line.sendall(block)
        if pipe.wait() != 0:
            raise RuntimeError("the pipe broke")
    seconds = time.perf_counter() - began
    target.unlink()
    return Reading(seconds)


def _grown_by_many(house: House, peer: Peer, turns: Iterator[int]) -> float:
    before = peer.server.forget_peak()
    senders = [
        threading.Thread(target=_sender(house, peer).upload, args=(f"large{next(turns)}.bin", LARGE, LARGE))
        for _ in range(SENDERS)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    return peer.server.peak() - before
