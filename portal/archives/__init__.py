"""Zips whose every byte is known before the first one is sent, so that any range of them can be sent again.

Pure: computes names, texts and the layout; the bytes of the documents are read elsewhere, where a Slice says.
"""

from portal.archives.layout import LITERAL, Layout, Member, Slice, Text
from portal.archives.names import CHECKSUMS, MANIFEST, unique_names
from portal.archives.texts import Row, lists

__all__ = [
    "CHECKSUMS",
    "LITERAL",
    "MANIFEST",
    "Layout",
    "Member",
    "Row",
    "Slice",
    "Text",
    "lists",
    "unique_names",
]
