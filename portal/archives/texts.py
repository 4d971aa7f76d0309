"""The two texts in every zip: what is in it, for people and programs, and how to check it.

Neither says when it was made, so the same documents give the same bytes each time.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from uuid import UUID

from portal.archives.names import MANIFEST
from portal.cells import cell, moment_cell

_COLUMNS = ("path", "document", "version", "title", "size", "sha256", "published", "left_out")
_ESCAPED = re.compile(r"[\\\n\r]")
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True, slots=True)
class Row:
    """One document of a zip: `path` is its name in there, `sha256` in hex, `published` aware, or None for a draft.

    `left_out` says why it is not in there after all, in words without commas; "" for what is.
    """

    path: str
    document: UUID
    version: int
    title: str
    size: int
    sha256: str
    published: datetime | None
    left_out: str = ""


def lists(rows: Iterable[Row]) -> tuple[bytes, bytes]:
    """MANIFEST.csv and SHA256SUMS of the same documents, which are gone through once.

    The first is a line of names, then one of each document (RFC 4180, UTF-8), moments in UTC as in RFC 3339; a cell
    that a spreadsheet could take for a formula gets an apostrophe in front. The second is for ``sha256sum -c`` in the
    unpacked folder: all documents that are in there, then the manifest.
    """
    manifest, sums = BytesIO(), BytesIO()
    manifest.write((",".join(_COLUMNS) + "\r\n").encode())
    for row in rows:
        manifest.write(_line(row))
        if not row.left_out:
            sums.write(_sum(row.sha256, row.path))
    listed = manifest.getvalue()
    sums.write(_sum(sha256(listed).hexdigest(), MANIFEST))
    return listed, sums.getvalue()


def _line(row: Row) -> bytes:
    """What people gave is path and title; nothing else can need quotes."""
    middle, end = f"{row.document},{row.version}", f"{row.size},{row.sha256},{moment_cell(row.published)}"
    return f"{cell(row.path)},{middle},{cell(row.title)},{end},{row.left_out}\r\n".encode()


def _sum(digest: str, path: str) -> bytes:
    """A line; a backslash before it says that those in the path are escapes."""
    if _ESCAPED.search(path):
        return f"\\{digest}  {path.translate(_ESCAPES)}\n".encode()
    return f"{digest}  {path}\n".encode()
