"""A client of tus 1.0 on top of a test client, for the tests of uploads."""

import base64
import hashlib
from collections.abc import Mapping

from flask import Flask
from werkzeug.test import TestResponse

from portal import accounts
from portal.models import User
from tests.views.desk import Desk

BODY = "application/offset+octet-stream"


def metadata(**said: str | bytes) -> str:
    """``Upload-Metadata`` of these values."""
    plain = {key: value.encode() if isinstance(value, str) else value for key, value in said.items()}
    return ",".join(f"{key} {base64.b64encode(value).decode()}" for key, value in plain.items())


def checksum(content: bytes, algorithm: str = "sha256") -> str:
    """``Upload-Checksum`` of these bytes."""
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"


class Sender:
    """Somebody who uploads: in a browser, with the token of its forms, or as a program with a token of its own.

    Made inside an application context.
    """

    def __init__(self, app: Flask, user: User, *, is_program: bool = False) -> None:
        self.app = app
        self._desk = Desk(app, user) if not is_program else None
        self.client = self._desk.client if self._desk is not None else app.test_client()
        self._headers = {"Tus-Resumable": "1.0.0"}
        if is_program:
            _, token = accounts.add_api_token(None, user.id, "Script", "publish")
            self._headers["Authorization"] = f"Bearer {token}"

    @property
    def headers(self) -> dict[str, str]:
        """What every request has."""
        return self._headers | ({"X-CSRFToken": self._desk.token()} if self._desk is not None else {})

    def ask(
        self, method: str, path: str, headers: Mapping[str, str | None] | None = None, body: bytes | None = None
    ) -> TestResponse:
        """One request; a header of None is left out."""
        sent = {**self.headers, **(headers or {})}
        kept = {name: value for name, value in sent.items() if value is not None}
        return self.client.open(path, method=method, headers=kept, data=body)

    def create(
        self, size: int, headers: Mapping[str, str | None] | None = None, /, **said: str | bytes
    ) -> TestResponse:
        """Announce a file; without anything said, ``a.txt`` for the category ``inbox``."""
        known = metadata(**({"filename": "a.txt", "category": "inbox"} | said))
        return self.ask("POST", "/uploads", {"Upload-Length": str(size), "Upload-Metadata": known, **(headers or {})})

    def begin(self, size: int, **said: str | bytes) -> str:
        """The address of a new upload."""
        answer = self.create(size, None, **said)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"]

    def patch(
        self, path: str, offset: int, body: bytes, headers: Mapping[str, str | None] | None = None
    ) -> TestResponse:
        """Send bytes that follow the first ``offset`` ones."""
        return self.ask("PATCH", path, {"Upload-Offset": str(offset), "Content-Type": BODY, **(headers or {})}, body)

    def offset(self, path: str) -> int:
        """How far it is."""
        answer = self.ask("HEAD", path)
        assert answer.status_code == 200, answer.status_code
        return int(answer.headers["Upload-Offset"])

    def send(self, body: bytes, **said: str | bytes) -> TestResponse:
        """Announce a file and send it in one piece; what answered the last of the two."""
        created = self.create(len(body), None, **said)
        if created.status_code != 201 or not body:
            return created
        return self.patch(created.headers["Location"], 0, body)
