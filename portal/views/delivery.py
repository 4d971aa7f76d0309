"""From an edition to an HTTP answer: conditions and ranges first, then the ledger, then the bytes."""

import secrets
from collections.abc import Iterator

from flask import Flask, Response, current_app, request, send_from_directory

from portal import filenames, ranges
from portal.catalog import Edition
from portal.downloads import Claim, Sending, open_for_download
from portal.errors import Forbidden
from portal.ranges import Answer, Span
from portal.views.headers import BYTES_POLICY

ACTIVE_DESTINATIONS = frozenset(
    {"script", "style", "worker", "sharedworker", "serviceworker", "object", "embed", "font"}
)
PARTIAL, NOT_SATISFIABLE, PRECONDITION_FAILED = 206, 416, 412


class Body:
    """The body of an answer as the server takes it: blocks, and the heads of the parts when there are several.

    It pushes an application context for each block, so that nothing is held while the network is slow.
    """

    def __init__(self, app: Flask, sending: Sending, boundary: str) -> None:
        self._app = app
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
        with self._app.app_context():
            self._sending.close()

    def _one(self) -> Iterator[bytes]:
        while (got := self._next()) is not None:
            yield got[1]

    def _several(self) -> Iterator[bytes]:
        edition, spans = self._sending.edition, self._sending.spans
        heads = iter(ranges.multipart_heads(spans, edition.size, content_type(edition), self._boundary))
        starts = {span.start for span in spans}
        while (got := self._next()) is not None:
            yield next(heads) + got[1] if got[0].start in starts else got[1]
        yield ranges.multipart_tail(self._boundary)

    def _next(self) -> tuple[Span, bytes] | None:
        with self._app.app_context():
            return self._sending.next_block()


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
        return _dressed(_empty(answer, edition), edition)
    sending = open_for_download(claim, edition, answer.spans)
    try:
        return _dressed(_sent(sending, answer), edition)
    except BaseException:
        sending.close()
        raise


def content_type(edition: Edition) -> str:
    """The type as a header says it; texts are UTF-8."""
    kind = edition.content_type
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def _empty(answer: Answer, edition: Edition) -> Response:
    response = Response(status=answer.status)
    if answer.status == NOT_SATISFIABLE:
        response.headers["Content-Range"] = ranges.unsatisfied(edition.size)
    elif answer.status not in (304, PRECONDITION_FAILED):
        response.headers["Content-Type"] = content_type(edition)
        response.headers["Content-Length"] = str(edition.size)
        response.headers["Content-Disposition"] = filenames.content_disposition(edition.filename)
    return response


def _sent(sending: Sending, answer: Answer) -> Response:
    """``send_from_directory`` resolves the path and gives the headers; what is streamed is our checked handle."""
    edition, place = sending.edition, sending.place
    response = send_from_directory(
        place.directory,
        place.name,
        mimetype=edition.content_type,
        as_attachment=True,
        download_name="document",
        conditional=False,
        etag=False,
    )
    response.response.close()  # type: ignore[union-attr]  # the handle of its own, which nobody checked
    is_partial = answer.status == PARTIAL and sending.spans == answer.spans
    response.status_code = PARTIAL if is_partial else 200
    boundary = secrets.token_hex(16)  # not to be guessed: else a document could hold parts of its own
    _set_range(response, sending, boundary, is_partial=is_partial)
    response.headers["Content-Disposition"] = filenames.content_disposition(edition.filename)
    response.response = Body(_application(), sending, boundary)
    return response


def _set_range(response: Response, sending: Sending, boundary: str, *, is_partial: bool) -> None:
    edition, spans = sending.edition, sending.spans
    if len(spans) > 1:
        kind = content_type(edition)
        response.headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
        length = ranges.multipart_length(spans, edition.size, kind, boundary)
    else:
        response.headers["Content-Type"] = content_type(edition)
        length = spans[0].length
        if is_partial:
            response.headers["Content-Range"] = ranges.content_range(spans[0], edition.size)
    response.headers["Content-Length"] = str(length)


def _dressed(response: Response, edition: Edition) -> Response:
    headers = response.headers
    headers["ETag"] = edition.etag
    headers["Last-Modified"] = edition.created_at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers["Accept-Ranges"] = "bytes"
    headers["Repr-Digest"] = edition.digest
    headers["Cache-Control"] = "private, no-cache"
    headers["Content-Security-Policy"] = BYTES_POLICY
    headers["Referrer-Policy"] = "no-referrer"
    return response


def _application() -> Flask:
    found: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return found
