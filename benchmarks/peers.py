"""Who is measured, and by which address each of them has the same three documents."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection

from benchmarks import servers
from benchmarks.house import SIZES, House
from benchmarks.load import Target
from benchmarks.servers import Server
from portal.cli.serve import THREADS

PORTAL = "portal"
BARE = "bare tutorial route"
BARE_IN_WORKER = "the same in the portal's worker"
STOCK = "stock send_from_directory"
COPYPARTY = "copyparty"
NGINX = "nginx"
OFFLOADED = "portal behind nginx"


@dataclass(frozen=True)
class Peer:
    """A running server and the paths of its documents; ``cookies`` of its readers where it knows any."""

    name: str
    server: Server
    paths: Mapping[str, str]
    cookies: Sequence[str] = ()

    def target(self, document: str, reader: int = 0) -> Target:
        """The request for a whole document. The portal is asked by the reader of that number, signed in."""
        cookie = self.cookies[reader] if self.cookies else ""
        return Target(self.server.port, self.paths[document], cookie, length=SIZES[document])


@contextmanager
def started(house: House, *names: str, threads: int = THREADS) -> Iterator[list[Peer]]:
    """These servers, started side by side; the portal is always the first. ``threads`` is for those under gunicorn."""
    with ExitStack() as stack:
        yield [stack.enter_context(_START[name](house, threads)) for name in (PORTAL, *names)]


def condition(target: Target) -> str:
    """The header field by which somebody who has the document asks whether it is still the same."""
    connection = HTTPConnection("127.0.0.1", target.port)
    name, _, value = target.headers.strip().partition(": ")
    connection.request("HEAD", target.path, headers={name: value} if name else {})
    head = connection.getresponse()
    connection.close()
    etag = head.headers["ETag"]
    return f"If-None-Match: {etag}" if etag else f"If-Modified-Since: {head.headers['Last-Modified']}"


@contextmanager
def _portal(house: House, threads: int) -> Iterator[Peer]:
    with servers.portal(house.environment, threads) as server:
        yield Peer(PORTAL, server, house.paths, house.cookies)


@contextmanager
def _offloaded(house: House, threads: int) -> Iterator[Peer]:
    """The portal once more, handing its documents to an nginx in front of it; the work is counted as nginx's."""
    with servers.offloaded(house.environment, house.blobs, house.work / "front", threads) as server:
        yield Peer(OFFLOADED, server, house.paths, house.cookies)


@contextmanager
def _bare(house: House, threads: int) -> Iterator[Peer]:
    with servers.gunicorn("benchmarks.bare:app", house.files, threads) as server:
        yield Peer(BARE, server, _files("/get/"))


@contextmanager
def _bare_in_worker(house: House, threads: int) -> Iterator[Peer]:
    with servers.gunicorn("benchmarks.bare:app", house.files, threads, "portal.cli.worker.Worker") as server:
        yield Peer(BARE_IN_WORKER, server, _files("/get/"))


@contextmanager
def _stock(house: House, threads: int) -> Iterator[Peer]:
    with servers.gunicorn("benchmarks.stock:app", house.files, threads) as server:
        yield Peer(STOCK, server, _files("/stock/"))


@contextmanager
def _copyparty(house: House, _threads: int) -> Iterator[Peer]:
    with servers.copyparty(house.files, house.work / "inbox", house.work / "copyparty") as server:
        yield Peer(COPYPARTY, server, _files("/"))


@contextmanager
def _nginx(house: House, _threads: int) -> Iterator[Peer]:
    with servers.nginx(house.files, house.work / "nginx") as server:
        yield Peer(NGINX, server, _files("/"))


def _files(prefix: str) -> dict[str, str]:
    return {name: f"{prefix}{name}.bin" for name in SIZES}


_START: dict[str, Callable[[House, int], AbstractContextManager[Peer]]] = {
    PORTAL: _portal,
    BARE: _bare,
    BARE_IN_WORKER: _bare_in_worker,
    STOCK: _stock,
    COPYPARTY: _copyparty,
    NGINX: _nginx,
    OFFLOADED: _offloaded,
}
