"""Conditions and byte ranges of RFC 9110 (sections 8.8, 13, 14): which bytes a request is to get.

Pure: it sees the headers, the entity tag, the size and the date of one stored representation, and opens nothing.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Protocol

MAX_RANGES = 8
MAX_DIGITS = 20

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
# The three forms of section 5.6.7: IMF-fixdate, the older one with two digits of the year, and that of C's asctime().
_DATES = (
    re.compile(rf"[A-Za-z]{{3}}, (?P<day>[0-9]{{2}}) (?P<month>[A-Za-z]{{3}}) (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(rf"[A-Za-z]{{6,9}}, (?P<day>[0-9]{{2}})-(?P<month>[A-Za-z]{{3}})-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(rf"[A-Za-z]{{3}} (?P<month>[A-Za-z]{{3}}) (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)
_ENTITY_TAG = re.compile(r'(?:W/)?"[^"]*"')
_RANGE = re.compile(r"(?P<first>[0-9]*)-(?P<last>[0-9]*)")
_BLANKS = " \t"


class Headers(Protocol):
    """Request headers by their standard names: werkzeug's Headers, or a dict with exactly these names."""

    def get(self, name: str, /) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` up to, not including, `stop`; only an empty document has an empty one, Span(0, 0)."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Answer:
    """Status code and the bytes that go with it.

    200 has one span, the whole; 206 has one, or 2 to 8 for `multipart/byteranges`; 304, 412 and 416 have none.
    """

    status: int
    spans: tuple[Span, ...]


def answer(method: str, headers: Headers, *, etag: str, size: int, modified: datetime | None) -> Answer:
    """What METHOD with HEADERS gets of a representation of SIZE bytes, in the order of section 13.2.2.

    `etag` is strong and in quotes; `modified` is aware, or None where no date is known. Raises nothing: what cannot be
    read as a condition or range is ignored, apart from an If-Match, which then matches nothing.
    """
    refusal = _refusal(method, headers, etag, modified)
    if refusal is not None:
        return Answer(refusal, ())
    whole = Answer(200, (Span(0, size),))
    if method != "GET" or not _is_range_wanted(headers, etag):
        return whole
    asked = _parse(headers.get("Range") or "")
    if not 1 <= len(asked) <= MAX_RANGES:
        return whole
    spans = tuple(span for first, last in asked if (span := _span(first, last, size)))
    if not spans:
        return whole if not size and any(_is_suffix(*positions) for positions in asked) else Answer(416, ())
    return whole if _overlap(spans) else Answer(206, spans)


def _refusal(method: str, headers: Headers, etag: str, modified: datetime | None) -> int | None:
    """304 or 412 when a condition ends the request, otherwise None."""
    if_match, if_none_match = headers.get("If-Match"), headers.get("If-None-Match")
    if if_match is not None:
        if not _is_listed(etag, if_match):
            return 412
    elif _is_newer(modified, headers.get("If-Unmodified-Since")) is True:
        return 412
    is_reading = method in ("GET", "HEAD")
    if if_none_match is not None:
        if _is_listed(etag, if_none_match, weakly=True):
            return 304 if is_reading else 412
    elif is_reading and _is_newer(modified, headers.get("If-Modified-Since")) is False:
        return 304
    return None


def _is_listed(etag: str, value: str, *, weakly: bool = False) -> bool:
    """Whether the list VALUE names ETAG (section 8.8.3.2) or is `*`; a list with anything but tags in it names none."""
    if _ENTITY_TAG.sub("", value).strip(_BLANKS + ","):
        return value.strip(_BLANKS) == "*"
    tags = _ENTITY_TAG.findall(value)
    return etag in tags or (weakly and f"W/{etag}" in tags)


def _is_range_wanted(headers: Headers, etag: str) -> bool:
    """If-Range (section 13.1.5): the very same strong tag; without the header, yes.

    A date is no strong validator (section 8.8.2.2), for two versions may be of one second: whoever resumes by a date
    gets the whole.
    """
    validator = headers.get("If-Range")
    return validator is None or validator.strip(_BLANKS) == etag


def _is_newer(modified: datetime | None, value: str | None) -> bool | None:
    """Whether MODIFIED, in whole seconds as HTTP has them, is after the date VALUE; None when either is not known."""
    date = _date(value or "")
    return None if date is None or modified is None else modified.replace(microsecond=0) > date


def _date(value: str) -> datetime | None:
    """The moment an HTTP-date names, None for anything else."""
    for form in _DATES:
        if found := form.fullmatch(value.strip(_BLANKS)):
            return _moment(found)
    return None


def _moment(found: re.Match[str]) -> datetime | None:
    day, year, hour, minute, second = (int(found[name]) for name in ("day", "year", "hour", "minute", "second"))
    if len(found["year"]) == 2:
        year += 1900 if year >= 69 else 2000  # as POSIX reads two digits
    try:
        return datetime(year, _MONTHS.index(found["month"]) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def _parse(value: str) -> list[tuple[int | None, int | None]]:
    """First and last positions asked for, as in section 14.1.1; empty unless VALUE is a well-formed set of bytes."""
    unit, _, elements = value.strip(_BLANKS).partition("=")
    if unit.lower() != "bytes":
        return []
    asked = []
    for element in filter(None, (part.strip(_BLANKS) for part in elements.split(","))):
        found = _RANGE.fullmatch(element)
        if not found or element == "-":
            return []
        if found["first"] and found["last"] and _order(found["last"]) < _order(found["first"]):
            return []
        asked.append((_number(found["first"]), _number(found["last"])))
    return asked


def _order(digits: str) -> tuple[int, str]:
    """Sorts as the numbers do, however long they are."""
    significant = digits.lstrip("0")
    return len(significant), significant


def _number(digits: str) -> int | None:
    """None for no digits. A number too long to be a size only has to stay beyond every size, not to be computed."""
    if not digits:
        return None
    length, significant = _order(digits)
    return int(significant or "0") if length <= MAX_DIGITS else 10**MAX_DIGITS


def _span(first: int | None, last: int | None, size: int) -> Span | None:
    """The part of SIZE bytes that one range selects, None when it selects nothing."""
    if first is None:
        start, stop = max(0, size - (last or 0)), size
    else:
        start, stop = first, size if last is None else min(last + 1, size)
    return Span(start, stop) if start < stop else None


def _is_suffix(first: int | None, last: int | None) -> bool:
    """Whether this asks for the end, and for some of it: that can be had of any document, an empty one too (14.1.2)."""
    return first is None and bool(last)


def _overlap(spans: Iterable[Span]) -> bool:
    ordered = sorted(spans, key=lambda span: span.start)
    return any(one.stop > other.start for one, other in pairwise(ordered))


def content_range(span: Span, size: int) -> str:
    """`Content-Range` of a part that is not empty (206); the last position in it is inclusive."""
    return f"bytes {span.start}-{span.stop - 1}/{size}"


def unsatisfied(size: int) -> str:
    """`Content-Range` of a 416."""
    return f"bytes */{size}"


def multipart_heads(spans: Sequence[Span], size: int, content_type: str, boundary: str) -> list[bytes]:
    """What stands before the bytes of each part of `multipart/byteranges` (section 14.6).

    `boundary` must occur in no document: make it from 128 random bits.
    """
    opening = f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: "
    return [f"{opening}{content_range(span, size)}\r\n\r\n".encode() for span in spans]


def multipart_tail(boundary: str) -> bytes:
    """What stands after the last part."""
    return f"\r\n--{boundary}--\r\n".encode()


def multipart_length(spans: Sequence[Span], size: int, content_type: str, boundary: str) -> int:
    """`Content-Length` of the whole `multipart/byteranges` body."""
    heads = multipart_heads(spans, size, content_type, boundary)
    return sum(map(len, heads)) + sum(span.length for span in spans) + len(multipart_tail(boundary))


def merge(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same bytes as half-open intervals in order, none empty, none touching another."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return merged


def covers(intervals: Sequence[tuple[int, int]], size: int) -> bool:
    """Whether every byte of a document of SIZE bytes is in INTERVALS, which may overlap and come in any order."""
    return size == 0 or any(start <= 0 and size <= stop for start, stop in merge(intervals))


def without(intervals: Iterable[tuple[int, int]], gaps: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The half-open intervals with everything in ``gaps`` cut out; sorted and disjoint."""
    left = merge(intervals)
    if not left:
        return []
    first, end = left[0][0], left[-1][1]
    for start, stop in gaps:
        if start < end and stop > first:  # of many gaps most are elsewhere
            pieces = [piece for low, high in left for piece in ((low, min(high, start)), (max(low, stop), high))]
            left = [(low, high) for low, high in pieces if low < high]
    return left
