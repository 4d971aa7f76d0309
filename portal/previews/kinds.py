"""Who makes a preview of what: told by the content type and by the first bytes, which both must say the same."""

import re
from dataclasses import dataclass

from portal import filenames
from portal.previews.fence import Refused

PDF_HEADER_WITHIN = 1024
"""As whoever takes uploads has it: readers take a PDF whose header comes late."""
ZIP = b"PK\x03\x04"
OFFICE = "application/vnd.openxmlformats-officedocument."
OPEN = "application/vnd.oasis.opendocument."
UNICODE = (b"\xff\xfe", b"\xfe\xff")
"""A text that begins so has every other byte zero."""
SIGNED: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "application/pdf": ("pages", (b"%PDF-",)),
    "image/bmp": ("pictures", (b"BM",)),
    "image/gif": ("pictures", (b"GIF87a", b"GIF89a")),
    "image/jpeg": ("pictures", (b"\xff\xd8\xff",)),
    "image/png": ("pictures", (b"\x89PNG\r\n\x1a\n",)),
    "image/tiff": ("pictures", (b"II*\0", b"MM\0*")),
    "image/webp": ("pictures", (b"RIFF",)),
    f"{OFFICE}spreadsheetml.sheet": ("workbooks", (ZIP,)),
    f"{OFFICE}wordprocessingml.document": ("office", (ZIP,)),
    f"{OPEN}presentation": ("office", (ZIP,)),
    f"{OPEN}spreadsheet": ("office", (ZIP,)),
    f"{OPEN}text": ("office", (ZIP,)),
}
"""Content type to who makes it, and what its bytes begin with."""
OTHER_NAMES = {"image/x-ms-bmp": "image/bmp", "image/jpg": "image/jpeg"}
TABLES = frozenset({"text/csv", "text/tab-separated-values"})
TEXTS = frozenset(
    {
        "application/javascript",
        "application/json",
        "application/sql",
        "application/toml",
        "application/x-ndjson",
        "application/x-sh",
        "application/x-tex",
        "application/xml",
        "application/yaml",
        "message/rfc822",
    }
)
"""Besides every ``text/``."""
TEXT_ENDING = re.compile(
    r"\.(bat|c|cfg|conf|cpp|css|go|h|ini|java|js|json|log|md|py|rs|rst|sh|sql|tex|toml|ts|txt|yaml|yml)"
)
"""Of files whose type nobody knows."""
UNKNOWN = "application/octet-stream"
FOREIGN = (b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", ZIP, b"\x7fELF", b"\xd0\xcf\x11\xe0")
"""No text begins so."""


@dataclass(frozen=True)
class Maker:
    """The module that makes it, of which kind that is, and the content type as the module knows it."""

    name: str
    kind: str
    content_type: str
    reads_all: bool
    """Whether it needs the whole source at once, and not only its beginning."""


KINDS = {
    "pages": "pages",
    "pictures": "image",
    "workbooks": "table",
    "office": "text",
    "tables": "table",
    "texts": "text",
}


def maker_of(content_type: str, filename: str, head: bytes) -> Maker | Refused:
    """Who makes a preview of bytes that begin so and were given this type; or why nobody does."""
    content_type = OTHER_NAMES.get(content_type, content_type)
    name = _named(content_type, filename)
    if name is None:
        return Refused("type")
    if not head:
        return Refused("empty")
    if not (_is_text(head) if name in ("tables", "texts") else _keeps(content_type, head)):
        return Refused("mismatch")
    return Maker(name, KINDS[name], content_type, reads_all=name not in ("tables", "texts"))


def foreseen_kind(content_type: str, filename: str) -> str | None:
    """Of which kind a preview will be if the bytes are what they are called; None where nobody makes any."""
    name = _named(OTHER_NAMES.get(content_type, content_type), filename)
    return KINDS[name] if name is not None else None


def _named(content_type: str, filename: str) -> str | None:
    if content_type in SIGNED:
        return SIGNED[content_type][0]
    if content_type in TABLES:
        return "tables"
    is_text = content_type.startswith("text/") or content_type in TEXTS
    is_text = is_text or bool(content_type == UNKNOWN and TEXT_ENDING.fullmatch(filenames.extension(filename)))
    return "texts" if is_text else None


def _keeps(content_type: str, head: bytes) -> bool:
    signs = SIGNED[content_type][1]
    if content_type == "application/pdf":
        return signs[0] in head[:PDF_HEADER_WITHIN]
    return head.startswith(signs) and (content_type != "image/webp" or head[8:12] == b"WEBP")


def _is_text(head: bytes) -> bool:
    return not head.startswith(FOREIGN) and (b"\0" not in head or head.startswith(UNICODE))
