"""Bytes of a text as characters, whatever encoding they are in."""

import codecs

from portal.previews.fenced.making import Refusal

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def encoding_of(head: bytes) -> str:
    """The encoding of a text that begins so. Raises Refusal for what is none."""
    for mark, name in MARKS:
        if head.startswith(mark):
            return name
    if b"\0" in head:
        raise Refusal("binary")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut
    except UnicodeDecodeError:
        return "cp1252" if any(0x80 <= byte < 0xA0 for byte in head) else "latin-1"
    return "utf-8"


def decoded(content: bytes, encoding: str) -> str:
    """The text, without the mark at its beginning; what makes no sense in it is replaced."""
    return content.decode(encoding, "replace").removeprefix("\ufeff")
