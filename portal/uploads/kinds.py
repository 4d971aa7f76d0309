"""What bytes are: told from their first ones and from the ending of their name, compared as content types."""

import mimetypes
import re

import puremagic

from portal import filenames
from portal.errors import UploadTypeRejected

UNKNOWN = "application/octet-stream"
SHAPE = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+", re.ASCII)
BY_ENDING = {
    ".bmp": "image/bmp",
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
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".tsv": "text/tab-separated-values",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xml": "text/xml",
    ".zip": "application/zip",
}
"""Endings whose type must not depend on what this machine's mime table happens to say."""
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
"""How a zip begins, and one with nothing in it."""
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""An OLE file, such as what is left of a modern Office document once it has a password."""
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
SIGNED: dict[str, tuple[bytes, ...]] = {
    "application/pdf": (b"%PDF-",),
    "application/gzip": (b"\x1f\x8b",),
    "application/x-bzip2": (b"BZh",),
    "application/x-xz": (b"\xfd7zXZ\0",),
    "application/zip": ZIP,
    "image/bmp": (b"BM",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/tiff": TIFF,
    **{BY_ENDING[ending]: (*ZIP, COMPOUND) for ending in (".docx", ".pptx", ".xlsx")},
    **{BY_ENDING[ending]: ZIP for ending in (".odp", ".ods", ".odt")},
}
"""Types that can be told for sure from their first bytes: a name that promises one must keep it."""
PDF_HEADER_WITHIN = 1024
"""Readers take a PDF whose header comes late; so do we (PDF 32000-1, annex H), unless it is something else before."""
TELLING = ("text/", "image/", "audio/", "video/", "application/vnd.", "application/msword", "application/rtf")
"""Types that are no program, whatever else their bytes may be."""
BINARIES = (b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"MZ\x90\0")
"""Programs for a processor, which are no text whatever is said of them."""
PROGRAMS = (*BINARIES, b"MZ", b"#!")
PAGES = re.compile(rb"\s*<(?:!doctype|html|head|body|script|svg|\?xml)", re.IGNORECASE)
"""How what a browser would run begins."""


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
    if allowed and not filenames.ends_in(filename, allowed):
        names = ", ".join(sorted(allowed)).upper()
        raise UploadTypeRejected(f"{filename} is of a type that is not taken here. Taken are: {names}.")
    if head and not _keeps(type_by_ending(filename), head):
        raise UploadTypeRejected(f"{filename} is not what its name says: its content is of another type.")


def _keeps(promised: str, head: bytes) -> bool:
    if promised == "application/pdf":
        late = head[:PDF_HEADER_WITHIN]
        return SIGNED[promised][0] in late and not head.startswith(PROGRAMS) and not PAGES.match(head)
    if promised == "image/webp":
        return head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    if promised in SIGNED:
        return head.startswith(SIGNED[promised])
    return not (promised.startswith(TELLING) and head.startswith(BINARIES))


def _sniffed(head: bytes, filename: str) -> str:
    if not head:
        return UNKNOWN
    try:
        found = puremagic.from_string(head, mime=True, filename=filename).strip().lower()
    except (puremagic.PureError, ValueError):
        return UNKNOWN
    return found if SHAPE.fullmatch(found) else UNKNOWN
