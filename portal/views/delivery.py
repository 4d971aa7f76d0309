"""From an edition to an HTTP answer: conditions and ranges first, then the ledger, then the bytes."""

import secrets
from collections.abc import Iterator

from flask import Response, request, send_from_directory
from werkzeug.datastructures import Headers
from werkzeug.http import http_date

from portal import filenames, ranges
from portal.catalog import Edition
from portal.downloads import Claim, Sending, open_for_download
from portal.errors import Forbidden
from portal.ranges import Answer
from portal.views.headers import BYTES_POLICY

ACTIVE_DESTINATIONS = frozenset(
    {"script", "style", "worker", "sharedworker", "serviceworker", "object", "embed", "font"}
)
PARTIAL, NOT_SATISFIABLE, PRECONDITION_FAILED = 206, 416, 412


class Body:
    """The body of an answer as the server takes it: blocks, and the heads of the parts when there are several."""

    def __init__(self, sending: Sending, boundary: str) -> None:
        self._sending = sending
        self._boundary = boundary
        self._pieces = self._several() if len(sending.spans) > 1 else self._one()
        # The first block is read before any header leaves, so that damage is still a clean refusal.
        self._first = next(self._pieces, b"")

    def __iter__(self) -> Iterator[bytes]:
        yield self._first
        yield from self._pieces

    def close(self) -> None:
        """The server is done with the answer, for whatever reason."""
        self._sending.close()

    def _one(self) -> Iterator[bytes]:
        while (got := self._sending.next_block()) is not None:
            yield got[1]

    def _several(self) -> Iterator[bytes]:
        edition, spans = self._sending.edition, self._sending.spans
        heads = iter(ranges.multipart_heads(spans, edition.size, content_type(edition), self._boundary))
        starts = {span.start for span in spans}
        while (got := self._sending.next_block()) is not None:
            yield next(heads) + got[1] if got[0].start in starts else got[1]
        yield ranges.multipart_tail(self._boundary)


def deliver(edition: Edition, claim: Claim) -> Response:
    """The answer to a request for the bytes of an edition, which ``claim`` is entitled to.

    304, 412, 416 and HEAD end here: nothing is opened and nothing written down. Raises ContentUnavailable.
    """
    if request.headers.get("Sec-Fetch-Dest") in ACTIVE_DESTINATIONS:
        raise Forbidden("Documents are for downloading, not for running in a page.")
    answer = ranges.answer(
        request.method, request.headers, etag=edition.etag, size=edition.size, modified=edition.created_at
    )
    if not answer.spans or request.method == "HEAD":
        return _empty(answer, edition)
    sending = open_for_download(claim, edition, answer.spans)
    try:
        return _sent(sending, answer)
    except BaseException:
        sending.close()
        raise


def content_type(edition: Edition) -> str:
    """The type as a header says it; texts are UTF-8."""
    kind = edition.content_type
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def _empty(answer: Answer, edition: Edition) -> Response:
    headers = _common(edition)
    if answer.status == NOT_SATISFIABLE:
        headers.append(("Content-Range", ranges.unsatisfied(edition.size)))
    elif answer.status not in (304, PRECONDITION_FAILED):
        headers += [
            ("Content-Type", content_type(edition)),
            ("Content-Length", str(edition.size)),
            ("Content-Disposition", filenames.content_disposition(edition.filename)),
        ]
    response = Response(status=answer.status)
    response.headers = Headers(headers)
    return response


def _sent(sending: Sending, answer: Answer) -> Response:
    """``send_from_directory`` resolves the path; the headers are ours, and what is streamed is our checked handle."""
    edition, place = sending.edition, sending.place
    response = send_from_directory(
        place.directory, place.name, mimetype=edition.content_type, conditional=False, etag=False
    )
    response.response.close()  # type: ignore[union-attr]  # the handle of its own, which nobody checked
    is_partial = answer.status == PARTIAL and sending.spans == answer.spans
    response.status_code = PARTIAL if is_partial else 200
    boundary = secrets.token_hex(16)  # not to be guessed: else a document could hold parts of its own
    response.headers = Headers(
        [
            *_common(edition),
            *_extent(sending, boundary, is_partial=is_partial),
            ("Content-Disposition", filenames.content_disposition(edition.filename)),
        ]
    )
    response.response = Body(sending, boundary)
    return response


def _extent(sending: Sending, boundary: str, *, is_partial: bool) -> list[tuple[str, str]]:
    """Type, length and place of what is sent."""
    edition, spans = sending.edition, sending.spans
    kind = content_type(edition)
    if len(spans) > 1:
        length = ranges.multipart_length(spans, edition.size, kind, boundary)
        return [("Content-Type", f"multipart/byteranges; boundary={boundary}"), ("Content-Length", str(length))]
    extent = [("Content-Type", kind), ("Content-Length", str(spans[0].length))]
    if is_partial:
        extent.append(("Content-Range", ranges.content_range(spans[0], edition.size)))
    return extent


def _common(edition: Edition) -> list[tuple[str, str]]:
    """What every answer about an edition says, with bytes or without."""
    return [
        ("ETag", edition.etag),
        ("Last-Modified", http_date(edition.created_at)),
        ("Accept-Ranges", "bytes"),
        ("Repr-Digest", edition.digest),
        ("Cache-Control", "private, no-cache"),
        ("Content-Security-Policy", BYTES_POLICY),
        ("Referrer-Policy", "no-referrer"),
    ]
