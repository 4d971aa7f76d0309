"""A crowd of slow readers in one process of its own: started as ``python -m benchmarks.crowd``, led by its input.

The first line it is sent says who reads and how fast. It answers with the seconds until everybody read, and to each
further line with how many still do. When its input ends, it ends.
"""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from benchmarks.load import Target
from benchmarks.settings import ROOT

PATIENCE = 120.0
"""Seconds in which everybody has to get a first byte; who does not is left standing."""
ALIVE = 5.0
"""Who has got bytes within so many seconds is still reading."""
TURN = 1.0
"""Seconds between two looks of a reader at its socket."""
WINDOW = 16 * 1024
"""The receive buffer, small as that of a slow line: a large one would swallow a minute of reading at once."""


@contextmanager
def crowd(targets: Sequence[Target], rate: int) -> Iterator[tuple[float, Callable[[], int]]]:
    """One slow reader for each target, ``rate`` in bytes per second.

    Gives the seconds until all of them were reading, and the question how many still are.
    """
    command = [sys.executable, "-m", "benchmarks.crowd"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        requests = [target.request.decode() for target in targets]
        arrival = _tell(process, json.dumps({"port": targets[0].port, "rate": rate, "requests": requests}))
        yield float(arrival), lambda: int(_tell(process, ""))


def _tell(process: subprocess.Popen[str], line: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline()


class Crowd:
    """The readers of one server."""

    def __init__(self, port: int, rate: int, requests: Sequence[str]) -> None:
        self._port = port
        self._portion = int(rate * TURN)
        self._requests = requests
        self._seen: dict[int, float] = {}

    async def follow(self) -> None:
        """Read, and answer each line of the input, until there are no more."""
        readers = [asyncio.create_task(self._read(number)) for number in range(len(self._requests))]
        began = time.monotonic()
        while len(self._seen) < len(readers) and time.monotonic() < began + PATIENCE:
            await asyncio.sleep(0.1)
        print(time.monotonic() - began, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(self._reading(), flush=True)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)

    def _reading(self) -> int:
        return sum(time.monotonic() - moment < ALIVE for moment in self._seen.values())

    async def _read(self, number: int) -> None:
        """Each begins at a moment of its own within the first turn, so that they do not all look at once."""
        await asyncio.sleep(TURN * number / len(self._requests))
        loop = asyncio.get_running_loop()
        with socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
            line.setblocking(False)
            await loop.sock_connect(line, ("127.0.0.1", self._port))
            await loop.sock_sendall(line, self._requests[number].encode())
            if (await loop.sock_recv(line, self._portion)).startswith(b"HTTP/1.1 200"):
                await self._trickle(line, number)

    async def _trickle(self, line: socket.socket, number: int) -> None:
        """A portion in each turn, until the server closes."""
        turn = time.monotonic()
        while await self._take_portion(line):
            self._seen[number] = time.monotonic()
            turn += TURN
            await asyncio.sleep(turn - time.monotonic())

    async def _take_portion(self, line: socket.socket) -> bool:
        left = self._portion
        while left and (block := await asyncio.get_running_loop().sock_recv(line, left)):
            left -= len(block)
        return not left


if __name__ == "__main__":
    asyncio.run(Crowd(**json.loads(sys.stdin.readline())).follow())
