"""Many who ask the portal at the same moment."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from urllib.parse import urlencode

from tests.attacks.oracle import Answer, Target
from tests.servers import FORM


def asked(target: Target, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """A whole request on a connection of its own."""
    own = {"Host": f"127.0.0.1:{target.server.port}", "Connection": "close"} | dict(headers)
    if method == "POST":
        own |= {"Content-Length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in own.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def got(target: Target, path: str, who: str, **headers: str) -> bytes:
    """The request of somebody signed in."""
    return asked(target, "GET", path, {"Cookie": f"portal={target.tokens[who]}"} | headers)


def sent(target: Target, path: str, fields: Mapping[str, str], who: str) -> bytes:
    """A form somebody signed in sends."""
    headers = {"Cookie": f"portal={target.tokens[who]}", "X-CSRFToken": target.form(who), "Content-Type": FORM}
    return asked(target, "POST", path, headers, urlencode(fields).encode())


def race(target: Target, *requests: bytes) -> list[Answer]:
    """What each is answered; all are sent at the same moment, and no worker may die of it."""
    start, workers = Barrier(len(requests), timeout=60), target.workers()

    def run(request: bytes) -> Answer:
        start.wait()
        return target.exchange(request)

    with ThreadPoolExecutor(len(requests)) as pool:
        answers = list(pool.map(run, requests))
    assert target.workers() == workers
    return answers
