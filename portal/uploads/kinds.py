"""What bytes are: told from their first ones and from the ending of their name, compared as content types."""

import mimetypes
import re

import puremagic

from portal import filenames
from portal.errors import UploadTypeRejected

UNKNOWN = "application/octet-stream"
SHAPE = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+", re.ASCII)
BY_ENDING = {
    ".csv": "text/csv",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".gz": "application/gzip",
    ".md": "text/markdown",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".tar.bz2": "application/x-bzip2",
    ".tar.gz": "application/gzip",
    ".tar.xz": "application/x-xz",
    ".tsv": "text/tab-separated-values",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xml": "text/xml",
    ".zip": "application/zip",
}
"""Endings whose type must not depend on what this machine's mime table happens to say."""
SIGNED = {
    "application/pdf": b"%PDF-",
    "image/gif": b"GIF8",
    "image/jpeg": b"\xff\xd8\xff",
    "image/png": b"\x89PNG\r\n\x1a\n",
}
"""Types that can be told for sure from their first bytes: a name that promises one must keep it."""
PDF_HEADER_WITHIN = 1024
"""Readers take a PDF whose header comes late; so do we (PDF 32000-1, annex H)."""
PROGRAMS = (b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"#!")


def content_type_of(filename: str, head: bytes) -> str:
    """The content type to serve: what the ending says, or for an unknown ending what the first bytes say."""
    named = type_by_ending(filename)
    if named != UNKNOWN:
        return named
    return _sniffed(head, filename)


def type_by_ending(filename: str) -> str:
    """The content type an ending stands for; unknown and packed ones (``.svgz``) are ``application/octet-stream``."""
    ending = filenames.extension(filename)
    if ending in BY_ENDING:
        return BY_ENDING[ending]
    guessed, packing = mimetypes.guess_type(f"x{ending}", strict=True)
    return guessed if guessed and not packing else UNKNOWN


def require_fitting(filename: str, head: bytes, allowed: frozenset[str]) -> None:
    """Raise UploadTypeRejected when the ending is not allowed, or the bytes are not what it promises.

    ``allowed`` are endings without the dot; empty means every one. Not knowing a type is no mismatch.
    """
    ending = filenames.extension(filename).lstrip(".")
    if allowed and ending not in allowed:
        names = ", ".join(sorted(allowed)).upper()
        raise UploadTypeRejected(f"{filename} is of a type that is not taken here. Taken are: {names}.")
    promised = type_by_ending(filename)
    if not head or promised not in SIGNED:
        return
    if not _keeps(promised, head):
        raise UploadTypeRejected(f"{filename} is not what its name says: its content is of another type.")


def _keeps(promised: str, head: bytes) -> bool:
    if promised == "application/pdf":
        return SIGNED[promised] in head[:PDF_HEADER_WITHIN] and not head.startswith(PROGRAMS)
    return head.startswith(SIGNED[promised])


def _sniffed(head: bytes, filename: str) -> str:
    if not head:
        return UNKNOWN
    try:
        found = puremagic.from_string(head, mime=True, filename=filename).strip().lower()
    except (puremagic.PureError, ValueError):
        return UNKNOWN
    return found if SHAPE.fullmatch(found) else UNKNOWN
