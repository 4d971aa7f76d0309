"""Texts, Markdown and code: their beginning, as it is written."""

from portal.previews.fenced.decoding import decoded, encoding_of
from portal.previews.fenced.making import MOST_TEXT, Desk, Refusal

WIDEST = 4
"""A character takes at most so many bytes."""


def make(desk: Desk) -> None:
    """As much of it as is kept."""
    content = desk.read(MOST_TEXT * WIDEST)
    if not content:
        raise Refusal("empty")
    desk.put_text(decoded(content, encoding_of(content)))
    desk.finish()
