"""Questions to a provider: of bounded length in time and bytes, and never led elsewhere."""

import io
import time
from typing import Any

import requests
from authlib.integrations.requests_client import OAuth2Session
from urllib3.exceptions import HTTPError

from portal.errors import ProviderUnavailable

SECONDS = 5
"""To connect, and between two pieces of an answer."""
BODY_SECONDS = 10
"""For all pieces of one answer."""
MOST_BYTES = 1024 * 1024
PIECE = 64 * 1024


class Asking(OAuth2Session):
    """A session that asks the provider of a portal.

    Every question is answered within time-outs and a mebibyte, or raises ProviderUnavailable; redirects are not
    followed, for an answer from elsewhere is not the provider's. Proxies and certificates of the environment count
    (``HTTPS_PROXY``, ``REQUESTS_CA_BUNDLE``), its ``.netrc`` does not.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.auth = _as_it_is

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send one question and read its whole answer."""
        kwargs |= {"stream": True, "timeout": SECONDS, "allow_redirects": False}
        try:
            response: requests.Response = super().send(request, **kwargs)
            with response:
                body = _read(response)
        except (requests.RequestException, HTTPError, OSError) as problem:
            raise ProviderUnavailable(f"{request.url} does not answer: {type(problem).__name__}") from problem
        response.raw = io.BytesIO(body)
        return response

    def document(self, url: str, token: str = "") -> dict[str, Any]:
        """The JSON object at an address. Raises ProviderUnavailable for anything else."""
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        response = self.request("GET", url, headers=headers, withhold_token=True)  # type: ignore[no-untyped-call]
        return as_object(response)


def as_object(response: requests.Response) -> dict[str, Any]:
    """The JSON object of an answer that went well. Raises ProviderUnavailable."""
    if response.status_code != 200:
        raise ProviderUnavailable(f"{response.url} answers {response.status_code}")
    try:
        found = response.json()
    except (ValueError, RecursionError) as problem:
        raise ProviderUnavailable(f"{response.url} answers no JSON") from problem
    if not isinstance(found, dict):
        raise ProviderUnavailable(f"{response.url} answers no JSON object")
    return found


def _read(response: requests.Response) -> bytes:
    """The body, piece by piece as it comes: a read for a whole number of bytes would wait for the last of them."""
    body, until = bytearray(), time.monotonic() + BODY_SECONDS
    while piece := response.raw.read1(PIECE, decode_content=True):
        body += piece
        if len(body) > MOST_BYTES:
            raise ProviderUnavailable(f"{response.url} answers more than {MOST_BYTES} bytes")
        if time.monotonic() > until:
            raise ProviderUnavailable(f"{response.url} takes longer than {BODY_SECONDS} seconds to answer")
    return bytes(body)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """No authentication: while there is any, ``requests`` looks for none in ``.netrc``."""
    return request
