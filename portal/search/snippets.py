"""A piece of a text around what was looked for, with the words of the query marked. Pure."""

import re
from bisect import bisect_right

from portal.search.parsing import Query
from portal.search.tokens import spans

LONGEST_TEXT = 100_000
NEAR = 4_000
"""Of a long text only so many characters are looked at closely."""
BEFORE = 3
"""One part in three of a piece stands before the first word that was found."""
ELLIPSIS = "…"


def snippet(query: Query, text: str, length: int = 200) -> list[tuple[str, bool]]:
    """About ``length`` characters of the text, in pieces: True where a word of the query is. [] for an empty text.

    Where words of the query stand, the piece with most of them is given; else the beginning.
    """
    text = re.sub(r"\s+", " ", text[:LONGEST_TEXT]).strip()
    marks = _marks(query, text)
    start, end = _piece(text, marks, length)
    pieces: list[tuple[str, bool]] = [(ELLIPSIS, False)] if start else []
    at = start
    for begin, stop in marks:
        if begin >= start and stop <= end:
            pieces += [(text[at:begin], False), (text[begin:stop], True)]
            at = stop
    pieces.append((text[at:end], False))
    pieces.append((ELLIPSIS if end < len(text) else "", False))
    return [piece for piece in pieces if piece[0]]


def excerpt(query: Query, text: str, length: int = 200) -> list[tuple[str, bool]]:
    """A ``snippet`` of a long text: around the first word of the query in it, as far as that is soon found."""
    lowered = text.casefold()
    words = {token for part in query.parts if part.kind == "words" and not part.is_excluded for token in part.tokens}
    places = [found.start() for word in words if (found := re.search(rf"\b{re.escape(word)}", lowered))]
    start = max(min(places, default=0) - length, 0)
    return snippet(query, text[start : start + NEAR], length)


def _marks(query: Query, text: str) -> list[tuple[int, int]]:
    wanted = [part for part in query.parts if part.kind == "words" and not part.is_excluded]
    whole = {token for part in wanted for token in part.tokens}
    begun = tuple(part.tokens[-1] for part in wanted if part.is_prefix)
    parts = [part.tokens[0] for part in wanted if part.is_inside]

    def is_wanted(token: str) -> bool:
        return token in whole or token.startswith(begun) or any(part in token for part in parts)

    return [(start, end) for token, start, end in spans(text) if is_wanted(token)]


def _piece(text: str, marks: list[tuple[int, int]], length: int) -> tuple[int, int]:
    """Where to begin and to end: at blanks, if there are any near."""
    if len(text) <= length:
        return 0, len(text)
    best = _fullest(marks, length)
    start = max(best[0] - length // BEFORE, 0)
    start = min(start, len(text) - length)
    if start:
        blank = text.find(" ", start, best[0] or start + length // BEFORE)
        start = blank + 1 if blank >= 0 else start
    end = min(start + length, len(text))
    if end < len(text):
        blank = text.rfind(" ", max(end - length // BEFORE, best[1], start + 1), end)
        end = blank if blank > 0 else end
    return start, end


def _fullest(marks: list[tuple[int, int]], length: int) -> tuple[int, int]:
    """The first mark of the piece with most of them."""
    ends = [end for _, end in marks]
    counts = [bisect_right(ends, begin + length - length // BEFORE) - at for at, (begin, _) in enumerate(marks)]
    return marks[counts.index(max(counts))] if marks else (0, 0)
