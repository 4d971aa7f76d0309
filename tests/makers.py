"""Short functions that make rows through the portal's own verbs, as the operator; each needs an application context."""

import hashlib
import json
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect, select, update
from werkzeug.test import TestResponse

from portal import create_app, create_core
from portal.accounts import actor_of, add_group, add_user, join_group
from portal.accounts.passkeys import add_passkey, options_to_add
from portal.accounts.sessions import start_session
from portal.actors import Actor
from portal.catalog.categories import ensure_category
from portal.catalog.contents import Content
from portal.catalog.documents import put_document
from portal.catalog.editions import Edition, find_edition
from portal.catalog.grants import NAMES, Principal, add_grant
from portal.extensions import close_connections, db, storage, transaction
from portal.models import (
    READ,
    Base,
    Category,
    Document,
    Grant,
    Group,
    Mail,
    Passkey,
    Preview,
    ShareLink,
    Upload,
    User,
    db_now,
)
from portal.notices import add_mail
from portal.previews import MAKER
from portal.search import index_documents
from portal.settings import Settings, load
from portal.shares import Terms, add_link
from tests import compiled
from tests.authenticators import Authenticator

Result = TypeVar("Result")

PASSWORD = "four words without meaning"
"""Good enough for anybody: ``person("Ada", password=PASSWORD)``."""
SECRET = "a secret of the tests that nobody else has"
NETWORK = "127.0.0.0/24"


def settings_for(database: str, directory: Path) -> Settings:
    """Settings on that database with everything else below ``directory``; hashing is as cheap as it can be.

    Other values: ``with running(dataclasses.replace(settings, max_upload=10)) as app``.
    """
    own = directory / "portal.toml"  # or config/local.toml of whoever runs the tests would be read
    own.touch()
    return load(
        {"PORTAL_CONFIG": str(own)},
        data=str(directory / "data"),
        database_url=database,
        secret_key=SECRET,
        base_url="http://localhost",
        password_memory=8,
        password_passes=1,
    )


class Browser(FlaskClient):
    """A test client that reads an answer to its end, as a browser does; ``buffered=False`` leaves it open."""

    def open(self, *args: Any, buffered: bool = True, **kwargs: Any) -> TestResponse:
        """Send a request."""
        return super().open(*args, buffered=buffered, **kwargs)


@contextmanager
def running(settings: Settings) -> Iterator[Flask]:
    """An application made from ``settings`` whose connections are closed at the end."""
    app = create_app(settings)
    app.jinja_env.bytecode_cache = compiled.TEMPLATES
    app.testing = True
    app.test_client_class = Browser
    _keep_statements(app)
    try:
        yield app
    finally:
        close_connections(app)


@contextmanager
def core(settings: Settings) -> Iterator[Flask]:
    """The core, which has no pages, with its context pushed; connections are closed at the end."""
    app = create_core(settings)
    _keep_statements(app)
    try:
        with app.app_context():
            yield app
    finally:
        close_connections(app)


def _keep_statements(app: Flask) -> None:
    with app.app_context():
        db.engine.update_execution_options(compiled_cache=compiled.STATEMENTS)


def person(name: str = "Ada", is_admin: bool = False, password: str | None = None) -> User:
    """An account; "Ada Byron" has the address ada.byron@example.org. A second one of the same name is refused."""
    email = f"{'.'.join(name.lower().split())}@example.org"
    return add_user(None, email, name, password, is_admin=is_admin)


def passkey(user: User, device: Authenticator | None = None, name: str = "") -> Passkey:
    """A passkey of this person, kept on this device of theirs."""
    who = actor_of(user)
    return add_passkey(who, (device or Authenticator()).create(options_to_add(who)), name, "Firefox on Linux")


def actor(user: User) -> Actor:
    """The person as somebody who asks."""
    return actor_of(user)


def group(name: str = "Clients", *members: User) -> Group:
    """A group with these people in it."""
    made = add_group(None, name)
    for member in members:
        join_group(None, made.id, member.id)
    return made


def category(path: str = "reports", is_sealed: bool = False) -> Category:
    """The category at this path, made with every missing one above it; sealed on request."""
    made = ensure_category(None, path)
    if is_sealed:
        change(made, is_sealed=True)
    return made


def grant(
    on: Category,
    *,
    user: User | None = None,
    group: Group | None = None,
    everyone: bool = False,
    permission: int = READ,
    expires_at: datetime | None = None,
) -> Grant:
    """A permission for exactly one of a person, a group, everyone signed in."""
    principal = Principal(group.id if group else None, user.id if user else None, everyone)
    return add_grant(None, on.id, principal, NAMES[permission], expires_at)


def document(
    into: Category,
    filename: str = "report.pdf",
    content: bytes = b"%PDF-1.7\n%tests\n",
    content_type: str = "application/pdf",
    **columns: Any,
) -> Document:
    """A published document with these bytes; the same filename with other bytes adds a version to it.

    ``columns`` are set afterwards: ``published_at=None`` makes a draft, ``expires_at=now()`` one that is over.
    """
    with storage().receive() as incoming, storage().placing():
        incoming.write(content)
        received = incoming.finish()
        stamp = storage().keep(received)
        bytes_in = Content(received.sha256, received.crc32, received.size, content_type, stamp=stamp)
        outcome = put_document(None, into.id, filename, bytes_in)
    made = db.session.get_one(Document, outcome.document_id)
    change(made, **columns)
    return made


def upload(by: User, size: int) -> None:
    """An upload of this person that is under way: so many bytes are announced, and a few have come."""
    facts = {"filename": "film.mp4", "size": size, "received": 10, "temp": "none", "state": "receiving"}
    shelf = category()
    with transaction() as session:
        session.add(Upload(user_id=by.id, category_id=shelf.id, expires_at=now(days=1), **facts))


def content_of(content: bytes = b"%PDF-1.7\n%tests\n", content_type: str = "application/pdf") -> Content:
    """What the catalog writes down about bytes, for tests that put documents in without storing any."""
    return Content(hashlib.sha256(content).hexdigest(), zlib.crc32(content), len(content), content_type)


def preview(of: Document, images: int = 1, **columns: object) -> Preview:
    """What was made of the current version: a thumbnail and so many pages; ``columns`` are set afterwards."""
    sha256 = edition(of).sha256
    found = db.session.scalars(select(Preview).where(Preview.sha256 == sha256)).one()
    storage().albums.keep(sha256, MAKER, [b"RIFF%dWEBP" % number for number in range(images + 1)])
    sizes = json.dumps([[1200, 1698]] * images)
    values: dict[str, object] = {"state": "made", "kind": "pages", "images": images, "sizes": sizes, "total": images}
    change(found, maker=MAKER, **values | columns)
    return found


def edition(of: Document, version_id: int | None = None) -> Edition:
    """The current version of a live document, or the one with this id."""
    found = find_edition(of.id, version_id)
    release()
    assert found is not None
    return found


def mail(to: User, **columns: object) -> Mail:
    """A mail to this person that waits; ``columns`` are set afterwards."""
    with transaction():
        add_mail("password_changed", user_id=to.id, email=to.email)
        made = db.session.scalars(select(Mail).order_by(Mail.id.desc()).limit(1)).one()
    change(made, **columns)
    return made


def link(
    to: Document, *, by: User | None = None, password: str | None = None, **columns: object
) -> tuple[ShareLink, str]:
    """A share link, the operator's own unless ``by`` somebody, and its token; ``columns`` are set afterwards."""
    made, token = add_link(actor_of(by) if by else None, to.id, Terms(), password=password)
    change(made, **columns)
    return made, token


def change(row: Base, **columns: object) -> None:
    """Set columns of a row directly, past the verbs: to move a stored moment, or to make a state without its story.

    The index of words follows, as after every verb.
    """
    key, identity = inspect(type(row)).primary_key[0], inspect(row).identity
    assert identity is not None
    if columns:
        with transaction() as session:
            session.execute(update(type(row)).where(key == identity[0]).values(columns))
            if isinstance(row, Document):
                index_documents([row.id])
    db.session.refresh(row)
    release()


def now(**later: float) -> datetime:
    """The database's clock, plus what is given: ``now(hours=-1)``."""
    moment = db.session.scalars(select(db_now())).one() + timedelta(**later)
    release()
    return moment


def release() -> None:
    """End the reading transaction of the test, so that it sees what others write from now on."""
    db.session.commit()


def signed_in(app: Flask, user: User) -> FlaskClient:
    """A browser in which this person is signed in, by a real session and its cookie."""
    with app.app_context():
        token = start_session(user.id, network=NETWORK, agent="tests")
        is_secure = app.config["PORTAL"].is_secure
    client = app.test_client()
    client.set_cookie("__Host-portal" if is_secure else "portal", token, secure=is_secure)
    return client


def at_once(app: Flask, *jobs: Callable[[], Result]) -> list[Result | Exception]:
    """What each job came to, or the exception it ended with; all begin together, each in a thread of its own."""
    start = threading.Barrier(len(jobs), timeout=60)

    def run(job: Callable[[], Result]) -> Result | Exception:
        with app.app_context():
            start.wait()
            try:
                return job()
            except Exception as problem:
                return problem

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))
