"""``python -m benchmarks``: everything in one run, printed as the table that docs/performance.md shows."""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import importing, servers
from benchmarks.load import Target, per_second, seconds_of
from benchmarks.uploading import upload
from portal import create_app, schema, uploads
from portal.accounts import add_user
from portal.accounts.sessions import start_session
from portal.catalog import Principal, add_grant, ensure_category, find_ref
from portal.settings import load

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))
FILES = int(os.environ.get("BENCH_FILES", "10000"))
KIB, GIB = 1024, 1024**3
SECRET = "a secret that only the benchmark has, and forgets"


@dataclass
class House:
    """A portal with documents to measure with, and the headers of somebody signed in."""

    environment: dict[str, str]
    cookie: str
    small: int
    large: int
    files: Path
    work: Path


def main() -> None:
    """Run every comparison and print one line for each."""
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as name, installed(Path(name)) as house:
        print(
            f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, {ROUNDS} rounds"
        )
        print("\n| work | portal | beside it | ratio |\n|---|---|---|---|")
        with ExitStack() as stack:
            nginx = stack.enter_context(servers.nginx(house.files, house.work / "nginx"))
            bare = stack.enter_context(servers.bare(house.files))
            port, worker = stack.enter_context(servers.portal(house.environment))
            compare_requests(house, port, bare, nginx)
            measure_memory(house, port, worker)
        compare_import(house)


def compare_requests(house: House, port: int, bare: int, nginx: int) -> None:
    """Small downloads and late ranges."""
    small = Target(port, f"/documents/{house.small}/download", house.cookie)
    tutorial = Target(bare, "/get/small.bin")
    rate(
        "small download, signed in, checked, durable ledger; bare tutorial route",
        lambda: per_second(small, seconds=SECONDS),
        lambda: per_second(tutorial, seconds=SECONDS),
    )
    etag = {port: etag_of(small), bare: etag_of(tutorial)}
    rate(
        "304 for an unchanged document; bare tutorial route",
        lambda: per_second(_if_none_match(small, etag[port]), seconds=SECONDS, status=304),
        lambda: per_second(_if_none_match(tutorial, etag[bare]), seconds=SECONDS, status=304),
    )
    last = f"Range: bytes={GIB - KIB}-\r\n"
    late = Target(port, f"/documents/{house.large}/download", house.cookie + last)
    static = Target(nginx, "/large.bin", last)
    took("last 1 KiB of 1 GiB; nginx", lambda: seconds_of(late, status=206), lambda: seconds_of(static, status=206), 20)
    whole = Target(port, f"/documents/{house.large}/download", house.cookie)
    took("1 GiB, one stream; nginx", lambda: seconds_of(whole), lambda: seconds_of(Target(nginx, "/large.bin")), 1)


def measure_memory(house: House, port: int, worker: int) -> None:
    """2 GiB in and out: how much larger the worker becomes."""
    servers.forget_peak(worker)
    before = servers.peak_kib(worker)
    upload(port, house.cookie, "inbox", 2 * GIB)
    up = servers.peak_kib(worker) - before
    for _ in range(2):
        seconds_of(Target(port, f"/documents/{house.large}/download", house.cookie))
    down = servers.peak_kib(worker) - before
    print(f"| 2 GiB uploaded, memory growth | {up / KIB:.0f} MiB | | |")
    print(f"| and 2 GiB downloaded | {down / KIB:.0f} MiB | | |", flush=True)


def compare_import(house: House) -> None:
    """Many small files into the catalog."""
    source = house.work / "many"
    importing.make_files(source, FILES)
    own, script = [], []
    for number in range(3):
        own.append(importing.by_portal(house.environment, source, f"many{number}"))
        script.append(importing.by_script(source, house.work / f"bare{number}"))
        # The second run of the portal finds the bytes in place; each round gets other bytes.
        for path in source.rglob("*.txt"):
            path.write_bytes(path.read_bytes() + b"%d" % number)
    _line(f"import of {FILES:,} small files; bare script, same durability", own, script, "s")


def rate(work: str, own: Callable[[], float], other: Callable[[], float]) -> None:
    """Interleaved rounds of requests per second."""
    pairs = [(own(), other()) for _ in range(ROUNDS)]
    _line(work, [a for a, _ in pairs], [b for _, b in pairs], "/s")


def took(work: str, own: Callable[[], float], other: Callable[[], float], times: int) -> None:
    """Interleaved rounds of seconds, each the median of ``times``."""
    pairs = [
        (statistics.median(own() for _ in range(times)), statistics.median(other() for _ in range(times)))
        for _ in range(ROUNDS)
    ]
    _line(work, [a for a, _ in pairs], [b for _, b in pairs], "s")


def etag_of(target: Target) -> str:
    """The validator a server gives for a document."""
    command = ["curl", "-sI", f"http://127.0.0.1:{target.port}{target.path}"]
    for header in target.headers.split("\r\n"):
        command += ["-H", header] if header else []
    head = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return next(line.split(": ", 1)[1].strip() for line in head.splitlines() if line.lower().startswith("etag"))


@contextmanager
def installed(work: Path) -> Iterator[House]:
    """A portal with a reader who may publish, a small document and one of 1 GiB."""
    files = work / "files"
    files.mkdir()
    work.chmod(0o755)
    (files / "small.bin").write_bytes(os.urandom(KIB))
    with (files / "large.bin").open("wb") as out:
        out.truncate(GIB)
    environment = {
        "PORTAL_CONFIG": str(work / "portal.toml"),
        "PORTAL_DATA": str(work / "data"),
        "PORTAL_SECRET_KEY": SECRET,
    }
    (work / "portal.toml").touch()
    settings = load(environment)
    settings.data.mkdir()
    schema.migrate(settings.database_url)
    app = create_app(settings)
    with app.app_context():
        person = add_user(None, "bench@example.org", "Bench")
        shelf = ensure_category(None, "bench/deep/er")
        for category in (ensure_category(None, "bench"), ensure_category(None, "inbox")):
            add_grant(None, category.id, Principal(user_id=person.id), "publish")
        uploads.import_directory(None, files, shelf.path)
        refs = [find_ref(f"{shelf.path}/{name}.bin") for name in ("small", "large")]
        ids = [ref.id for ref in refs if ref is not None]
        token = start_session(person.id, network="bench", agent="bench")
    yield House(environment, f"Cookie: portal={token}\r\n", ids[0], ids[1], files, work)


def _if_none_match(target: Target, etag: str) -> Target:
    return Target(target.port, target.path, f"{target.headers}If-None-Match: {etag}\r\n")


def _line(work: str, own: list[float], other: list[float], unit: str) -> None:
    ratios = [a / b for a, b in zip(own, other, strict=True)]
    a, b, ratio = statistics.median(own), statistics.median(other), statistics.median(ratios)
    print(f"| {work} | {_figure(a, unit)} | {_figure(b, unit)} | {ratio:.2f} |", flush=True)


def _figure(value: float, unit: str) -> str:
    if unit == "s" and value < 1:
        return f"{value * 1000:.1f} ms"
    return f"{value:,.0f}{unit}" if unit == "/s" else f"{value:.2f} {unit}"


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    sys.stderr.write(f"{time.perf_counter() - began:.0f} s\n")
