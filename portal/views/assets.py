"""Our own static files: each under an address of its own content, kept for ever, and small on the way.

A script names the scripts it imports as files beside it; it leaves with their addresses in place of these names.

Pages are not compressed: they say again what was asked for, beside secrets of forms and names of documents, and the
length of what is compressed together tells one from the other (BREACH). Here is neither: the same bytes for everybody.
"""

import gzip
import hashlib
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Flask, Response, request, url_for

from portal.errors import NotFound
from portal.views.guard import allow

STATIC = Path(__file__).resolve().parent.parent / "static"
YEAR = 31_536_000
IMPORTED = re.compile(r'(?<=from ")(\.\.?/[a-z/.]+\.js)(?=";)', re.ASCII)
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    """A static file as it is kept in memory, once plain and once compressed."""

    content: bytes
    packed: bytes
    content_type: str
    fingerprint: str


def init_app(app: Flask) -> None:
    """Serve them in place of Flask, which knows no compressed ones."""
    app.add_url_rule("/static/<path:filename>", "static", serve)
    app.jinja_env.globals.update(asset=asset)


def asset(name: str) -> str:
    """The address of a static file, which changes with its content, so that browsers may keep it for ever."""
    return url_for("static", filename=name, v=_assets()[name].fingerprint)


@allow("anyone")
def serve(filename: str) -> Response:
    """A static file. By its fingerprint it never changes; otherwise browsers ask again each time."""
    found = _assets().get(filename)
    if found is None:
        raise NotFound
    is_packed = request.accept_encodings.quality("gzip") > 0
    answer = Response(found.packed if is_packed else found.content, content_type=found.content_type)
    if is_packed:
        answer.content_encoding = "gzip"
    answer.set_etag(f"{found.fingerprint}-gzip" if is_packed else found.fingerprint)
    answer.vary.add("Accept-Encoding")
    is_named = request.args.get("v") == found.fingerprint
    answer.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable" if is_named else "no-cache"
    answer.make_conditional(request)
    return answer


@cache
def _assets() -> dict[str, Asset]:
    paths = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.is_file()}

    @cache
    def read(name: str) -> Asset:
        return _read(paths[name], lambda imported: read(posixpath.normpath(f"{posixpath.dirname(name)}/{imported}")))

    return {name: read(name) for name in paths}


def _read(path: Path, find: Callable[[str], Asset]) -> Asset:
    """A file with what its address depends on: its own content, and by their addresses that of all it imports."""
    content = path.read_bytes()
    if path.suffix == ".js":
        named = IMPORTED.sub(lambda imported: f"{imported[0]}?v={find(imported[0]).fingerprint}", content.decode())
        content = named.encode()
    fingerprint = hashlib.sha256(content).hexdigest()[:12]
    return Asset(content, gzip.compress(content, mtime=0), TYPES[path.suffix], fingerprint)
