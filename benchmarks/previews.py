"""Previews: how long after its commit a document has a thumbnail, and how fast many are made."""

import io
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import median

from PIL import Image
from sqlalchemy import func, select

from benchmarks.house import House
from benchmarks.settings import ROUNDS
from portal import uploads
from portal.catalog import find_ref
from portal.cli.demo.papers import pdf
from portal.extensions import db
from portal.models import Preview
from portal.settings import load
from tests.servers import serving

SHELF = "bench/previews"
MANY = 40
PATIENCE = 60.0
LOOK_SECONDS = 0.01


def measure(house: House) -> None:
    """From the commit of a document to the answer with its thumbnail, by a running server with its worker."""
    figures = []
    with serving(load(house.environment), has_worker=True) as server:
        _until_done(house)
        for words, ending, make in (
            ("a PDF of one page", "pdf", lambda: _paper(3)),
            ("a PDF of twenty pages", "pdf", lambda: _paper(700)),
            ("a photograph of 12 megapixels", "jpg", _photograph),
        ):
            taken = sorted(_seconds(house, server.port, f"{turn}-{words}.{ending}", make) for turn in range(ROUNDS))
            figures.append(f"{words}: {median(taken):.2f} s, at most {taken[-1]:.2f} s")
        began = time.perf_counter()
        _put(house, {f"many-{number}.pdf": _paper(3) for number in range(MANY)})
        _until_done(house)
        figures.append(f"{MANY} PDFs of one page at once: {MANY / (time.perf_counter() - began):.1f} a second")
    print("\n## previews\n\nFrom the commit of a document to an answer with its thumbnail.\n")
    print("\n".join(f"* {figure}" for figure in figures), flush=True)


def _seconds(house: House, port: int, name: str, make: Callable[[], bytes]) -> float:
    _until_done(house)  # of a long one the first page is there before the others
    _put(house, {name: make()})
    began = time.perf_counter()
    with house.app.app_context():
        found = find_ref(f"{SHELF}/{name}")
        db.session.remove()
    if found is None:
        raise KeyError(name)
    header, _, cookie = house.cookies[0].strip().partition(": ")
    address = f"http://127.0.0.1:{port}/documents/{found.id}/preview/thumb"
    request = urllib.request.Request(address, headers={header: cookie})
    while time.perf_counter() - began < PATIENCE:
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server on loopback
                answer.read()
                return time.perf_counter() - began
        except urllib.error.HTTPError as problem:
            if problem.code != 404:
                raise
        time.sleep(LOOK_SECONDS)
    raise TimeoutError(name)


def _put(house: House, files: dict[str, bytes]) -> None:
    directory = Path(house.work) / f"previews-{os.urandom(4).hex()}"
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_bytes(content)
    with house.app.app_context():
        uploads.import_directory(None, directory, SHELF)
        db.session.remove()


def _until_done(house: House) -> None:
    deadline = time.perf_counter() + PATIENCE
    waiting = select(func.count(Preview.id)).where(Preview.state == "waiting")
    while time.perf_counter() < deadline:
        with house.app.app_context():
            count = db.session.scalar(waiting)
            db.session.remove()
        if not count:
            return
        time.sleep(LOOK_SECONDS)
    raise TimeoutError("previews that wait")


def _paper(paragraphs: int) -> bytes:
    """A PDF nobody has seen before, of about 35 paragraphs a page."""
    return pdf(
        "The house", os.urandom(8).hex(), "To measure with", [f"Paragraph {n} of it." for n in range(paragraphs)]
    )


def _photograph() -> bytes:
    out = io.BytesIO()
    noise = Image.frombytes("RGB", (400, 300), os.urandom(360_000))
    noise.resize((4000, 3000)).save(out, "JPEG", quality=85)
    return out.getvalue()
