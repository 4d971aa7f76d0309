"""Somebody signed in who reads pages and sends forms as a browser does, for the tests of forms."""

import html
import io
import re
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from pathlib import Path

from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.extensions import db
from portal.models import Base, Document, User, Version
from tests import makers

File = tuple[str, bytes]
"""A filename and what is in it."""
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
NOTICE = re.compile(r'<p class="notice stop" role="alert"><span>(.*?)</span></p>', re.DOTALL)
DONE = re.compile(r'<div class="notice done" role="status"><p><b>(.*?)</b>', re.DOTALL)


class Desk:
    """A browser in which this person is signed in."""

    def __init__(self, app: Flask, user: User) -> None:
        self.app = app
        self.client = makers.signed_in(app, user)
        self._token = ""

    def read(self, path: str, status: int = 200) -> str:
        """The words and tags of a page, entities resolved, without the secrets of its forms."""
        answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.status_code)
        return html.unescape(tokenless(answer.text))

    def send(
        self,
        path: str,
        fields: Mapping[str, object] | None = None,
        *,
        files: Iterable[File] = (),
        field: str = "files",
        **more: object,
    ) -> TestResponse:
        """Post a form with its token; with ``files`` as multipart. A list of values is a field several times."""
        data: dict[str, object] = {**(fields or {}), **more, "csrf_token": self.token()}
        if files:
            data[field] = [(io.BytesIO(content), name) for name, content in files]
        return self.client.post(path, data=data)

    def save(self, path: str) -> TestResponse:
        """Send the form of a page that posts to the page's own address, as it stands there."""
        reader = FormReader(path)
        reader.feed(self.client.get(path).text)
        assert reader.fields, path
        return self.send(path, reader.fields)

    def token(self) -> str:
        """The secret of this browser's forms."""
        if not self._token:
            found = TOKEN.search(self.client.get("/account").text)
            assert found is not None
            self._token = found[1]
        return self._token


class FormReader(HTMLParser):
    """What a browser sends when nothing in the form with this action is touched."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._action = action
        self._is_inside = False
        self._choice = self._area = ""
        """The name of the choice or text area that is open."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the value of a field."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_inside = given.get("action") == self._action
        if not self._is_inside:
            return
        if tag == "select":
            self._choice = given["name"]
        elif tag == "textarea":
            self._area = given["name"]
            self.fields[self._area] = ""
        elif tag == "option" and ("selected" in given or self._choice not in self.fields):
            self.fields[self._choice] = given["value"]
        elif tag == "input" and (given.get("type") != "checkbox" or "checked" in given):
            self.fields[given["name"]] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        """Take the text of a text area, without the line break that begins it."""
        if self._area:
            self.fields[self._area] += data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        """Close what is open."""
        if tag == "form":
            self._is_inside = False
        self._choice = self._choice if tag != "select" else ""
        self._area = self._area if tag != "textarea" else ""


def sentence(answer: TestResponse) -> str:
    """What a refused form says in its notice, without the link to the field."""
    found = NOTICE.search(answer.text)
    assert found is not None, answer.text
    return html.unescape(re.sub(r"<a [^>]*>.*?</a> |<[^>]+>", "", found[1]))


def tokenless(page: str) -> str:
    """A page without the secrets of its forms, which change every second."""
    return TOKEN.sub("", page)


def said(desk: Desk, answer: TestResponse) -> str:
    """What the page says that a form led to."""
    assert answer.status_code == 303, (answer.status_code, answer.text)
    found = DONE.search(desk.client.get(answer.location).text)
    return html.unescape(found[1]) if found else ""


def documents(app: Flask) -> list[tuple[str, str, int]]:
    """Every document by filename, with its title and the number of its current version."""
    with app.app_context():
        statement = select(Document.filename, Document.title, Version.number)
        statement = statement.join(Version, Version.id == Document.current_version_id).order_by(Document.filename)
        return [(filename, title, number) for filename, title, number in db.session.execute(statement)]


def row(app: Flask, model: type[Base], identity: int) -> Base:
    """A row as it stands now."""
    with app.app_context():
        return db.session.get_one(model, identity)


def left_in_tmp(app: Flask) -> list[Path]:
    """Temporary files of uploads that nobody needs any more; there should be none."""
    return list((app.config["PORTAL"].storage / "tmp").glob("incoming-*"))
