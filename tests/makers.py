"""Short functions that make rows through the portal's own verbs, as the operator; each needs an application context."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal import create_app
from portal.accounts import actor_of, add_group, add_user, join_group
from portal.accounts.sessions import start_session
from portal.actors import Actor
from portal.catalog.categories import ensure_category
from portal.catalog.documents import Content, put_document
from portal.catalog.grants import NAMES, Principal, add_grant
from portal.extensions import db, storage, transaction
from portal.models import READ, Category, Document, Grant, Group, User, db_now
from portal.settings import Settings

PASSWORD = "four words without meaning"
"""Good enough for anybody: ``person("Ada", password=PASSWORD)``."""
NETWORK = "127.0.0.0/24"


@contextmanager
def running(settings: Settings) -> Iterator[Flask]:
    """An application made from ``settings`` whose connections are closed at the end."""
    app = create_app(settings)
    app.testing = True
    try:
        yield app
    finally:
        with app.app_context():
            db.session.remove()
            for engine in db.engines.values():
                engine.dispose()


def person(name: str = "Ada", is_admin: bool = False, password: str | None = None) -> User:
    """An account; "Ada Byron" has the address ada.byron@example.org. A second one of the same name is refused."""
    email = f"{'.'.join(name.lower().split())}@example.org"
    return add_user(None, email, name, password, is_admin=is_admin)


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
    **columns: object,
) -> Document:
    """A published document with these bytes; the same filename with other bytes adds a version to it.

    ``columns`` are set afterwards: ``published_at=None`` makes a draft, ``expires_at=now()`` one that is over.
    """
    with storage().receive() as incoming, storage().placing():
        incoming.write(content)
        received = incoming.finish()
        storage().keep(received)
        bytes_in = Content(received.sha256, received.crc32, received.size, content_type)
        outcome = put_document(None, into.id, filename, bytes_in)
    made = db.session.get_one(Document, outcome.document_id)
    change(made, **columns)
    return made


def change(row: Category | Document | Grant | User, **columns: object) -> None:
    """Set columns of a row directly, past the verbs: to move a stored moment, or to make a state without its story."""
    model = type(row)
    if columns:
        with transaction() as session:
            session.execute(update(model).where(model.id == row.id).values(columns))
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
