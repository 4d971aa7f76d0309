"""From an edition or a zip to an HTTP answer: conditions and ranges first, then the ledger, then the bytes."""

import secrets
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from flask import Response, send_from_directory
from werkzeug.datastructures import Headers
from werkzeug.http import http_date

from portal import filenames, ranges
from portal.catalog import Edition
from portal.downloads import (
    SENT_DIRECTLY,
    Archive,
    Claim,
    Delegated,
    Sending,
    ZipSending,
    delegate,
    open_for_download,
    open_for_zip,
    require_released,
)
from portal.errors import Forbidden
from portal.ranges import Answer, Span
from portal.views import offload
from portal.views.headers import PortalResponse, of_bytes
from portal.views.requests import current_request

ACTIVE_DESTINATIONS = frozenset(
    {"script", "style", "worker", "sharedworker", "serviceworker", "object", "embed", "font"}
)
PARTIAL, NOT_MODIFIED, PRECONDITION_FAILED, NOT_SATISFIABLE = 206, 304, 412, 416
REMEMBERED = 1024
"""So many headers that were worked out are kept: they follow from what they are asked with alone."""


@dataclass(frozen=True)
class Representation:
    """What is asked for, in the words of HTTP (RFC 9110, 8): ``kind`` is its Content-Type, ``size`` in bytes."""

    filename: str
    kind: str
    size: int
    etag: str
    modified: datetime | None = None
    digest: str | None = None


class Body:
    """The body of an answer as the server takes it: blocks, and the heads of the parts when there are several.

    Of one span only the first block goes through the server, which sends the headers before it; the rest goes from the
    files to the socket, if the server lends it.
    """

    def __init__(self, sending: Sending | ZipSending, of: Representation, boundary: str) -> None:
        self._sending = sending
        self._environ = current_request().environ
        self._line = _line(self._environ) if len(sending.spans) == 1 else None
        self._pieces = self._several(of, boundary) if len(sending.spans) > 1 else self._one()
        # The first block is read before any header leaves, so that damage is still a clean refusal.
        self._first = next(self._pieces, b"")

    def __iter__(self) -> Iterator[bytes]:
        yield self._take_first()
        if self._line is None:
            yield from self._pieces
        else:
            self._pieces = iter(())
            yield b""  # the server lets go of the first block: else it would wait in memory until all has left
            while count := self._sending.send_block(self._line):
                self._environ[SENT_DIRECTLY] = self._environ.get(SENT_DIRECTLY, 0) + count

    def close(self) -> None:
        """The server is done with the answer, for whatever reason."""
        self._sending.close()

    def _take_first(self) -> bytes:
        """Given away, so that it does not wait in memory until a slow reader has all the rest."""
        first, self._first = self._first, b""
        return first

    def _one(self) -> Iterator[bytes]:
        while (got := self._sending.next_block()) is not None:
            yield got[1]

    def _several(self, of: Representation, boundary: str) -> Iterator[bytes]:
        spans = self._sending.spans
        heads = iter(ranges.multipart_heads(spans, of.size, of.kind, boundary))
        starts = {span.start for span in spans}
        while (got := self._sending.next_block()) is not None:
            yield next(heads) + got[1] if got[0].start in starts else got[1]
        yield ranges.multipart_tail(boundary)


def _line(environ: dict[str, Any]) -> int | None:
    """The socket of the client, when the server is one that lends it and what is sent on it is sent as it is."""
    lent = environ.get("gunicorn.socket")
    return lent.fileno() if type(lent) is socket.socket and lent.gettimeout() is None else None


def deliver(edition: Edition, claim: Claim) -> Response:
    """The answer to a request for the bytes of an edition, which ``claim`` is entitled to.

    304, 412, 416 and HEAD end here: nothing is opened and nothing written down. Raises ContentUnavailable, at once
    for what is held or quarantined: no copy that somebody has of it is called good.
    """
    require_released(edition)
    kind, digest = content_type(edition), edition.digest
    wanted = Representation(edition.filename, kind, edition.size, edition.etag, edition.created_at, digest)
    answer = _judged(wanted)
    if _is_bodiless(answer):
        return _empty(answer, wanted)
    if offload.is_for_nginx(answer):
        delegated = delegate(claim, edition, answer.spans[0])
        if delegated is not None:
            return _handed_over(delegated, answer, wanted)
    sending = open_for_download(claim, edition, answer.spans)
    try:
        return _streamed(_resolved(sending), sending, answer, wanted)
    except BaseException:
        sending.close()
        raise


def deliver_zip(archive: Archive, claim: Claim) -> Response:
    """The same for a zip, whose members ``claim`` is entitled to; they are opened one after another as it is sent."""
    wanted = Representation(archive.filename, "application/zip", archive.layout.size, archive.etag)
    answer = _judged(wanted)
    if _is_bodiless(answer):
        return _empty(answer, wanted)
    sending = open_for_zip(claim, archive, answer.spans)
    try:
        return _streamed(PortalResponse(), sending, answer, wanted)
    except BaseException:
        sending.close()
        raise


def content_type(edition: Edition) -> str:
    """The type as a header says it; texts are UTF-8."""
    kind = edition.content_type
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def _judged(wanted: Representation) -> Answer:
    asked = current_request()
    if asked.headers.get("Sec-Fetch-Dest") in ACTIVE_DESTINATIONS:
        raise Forbidden("Documents are for downloading, not for running in a page.")
    return ranges.answer(asked.method, asked.headers, etag=wanted.etag, size=wanted.size, modified=wanted.modified)


def _is_bodiless(answer: Answer) -> bool:
    return not answer.spans or current_request().method == "HEAD"


def _empty(answer: Answer, wanted: Representation) -> Response:
    headers = _common(wanted)
    if answer.status == NOT_MODIFIED:  # only what guides a cache (RFC 9110, 15.4.5); the ETag does better than a date
        headers = [(name, value) for name, value in headers if name != "Last-Modified"]
    elif answer.status == NOT_SATISFIABLE:
        headers += [("Content-Range", ranges.unsatisfied(wanted.size)), ("Content-Length", "0")]
    elif answer.status == PRECONDITION_FAILED:
        headers.append(("Content-Length", "0"))
    else:
        length = str(wanted.size)
        headers += [("Content-Type", wanted.kind), ("Content-Length", length), _disposition(wanted.filename)]
    return _final(PortalResponse(status=answer.status), headers)


def _handed_over(delegated: Delegated, answer: Answer, wanted: Representation) -> Response:
    """An answer without a body. All that it says about the edition, nginx says to the client."""
    is_partial = answer.status == PARTIAL and delegated.span == answer.spans[0]
    redirect = offload.redirect_headers(delegated, is_partial=is_partial)
    # No ``_final``: the server puts the length of the body there is, none, beside these.
    response = PortalResponse()
    response.headers = Headers(
        [*_common(wanted), *redirect, ("Content-Type", wanted.kind), _disposition(wanted.filename)]
    )
    return response


def _resolved(sending: Sending) -> Response:
    """``send_from_directory`` resolves the path; the headers will be ours, and what is streamed our checked handle."""
    place, kind = sending.place, sending.edition.content_type
    response = send_from_directory(place.directory, place.name, mimetype=kind, conditional=False, etag=False)
    response.response.close()  # type: ignore[union-attr]  # the handle of its own, which nobody checked
    return response


def _streamed(response: Response, sending: Sending | ZipSending, answer: Answer, wanted: Representation) -> Response:
    is_partial = answer.status == PARTIAL and sending.spans == answer.spans
    response.status_code = PARTIAL if is_partial else 200
    # Not to be guessed: else a document could hold parts of its own.
    boundary = secrets.token_hex(16) if len(sending.spans) > 1 else ""
    extent = _extent(sending.spans, wanted, boundary, is_partial=is_partial)
    response.response = Body(sending, wanted, boundary)
    return _final(response, [*_common(wanted), *extent, _disposition(wanted.filename)])


def _final(response: Response, headers: Iterable[tuple[str, str]]) -> Response:
    if not isinstance(response, PortalResponse):
        raise TypeError("every answer of the application is one of ours")
    response.headers = Headers(headers)
    response.is_final = True
    return response


def _extent(spans: Sequence[Span], wanted: Representation, boundary: str, *, is_partial: bool) -> list[tuple[str, str]]:
    """Type, length and place of what is sent."""
    if len(spans) > 1:
        length = ranges.multipart_length(spans, wanted.size, wanted.kind, boundary)
        return [("Content-Type", f"multipart/byteranges; boundary={boundary}"), ("Content-Length", str(length))]
    extent = [("Content-Type", wanted.kind), ("Content-Length", str(spans[0].length))]
    if is_partial:
        extent.append(("Content-Range", ranges.content_range(spans[0], wanted.size)))
    return extent


@lru_cache(maxsize=REMEMBERED)
def _disposition(filename: str) -> tuple[str, str]:
    return "Content-Disposition", filenames.content_disposition(filename)


def _common(wanted: Representation) -> list[tuple[str, str]]:
    """What every answer about it says, with bytes or without."""
    return [*of_bytes(), *_about(wanted)]


@lru_cache(maxsize=REMEMBERED)
def _about(wanted: Representation) -> Sequence[tuple[str, str]]:
    headers = [("ETag", wanted.etag), ("Accept-Ranges", "bytes")]
    if wanted.modified is not None:
        headers.append(("Last-Modified", http_date(wanted.modified)))
    if wanted.digest is not None:
        headers.append(("Repr-Digest", wanted.digest))
    return headers
