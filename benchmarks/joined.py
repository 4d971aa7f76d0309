"""The same page by plain Flask-Login, Flask-SQLAlchemy and a session that is a row, joined with its person."""

import os

from flask import Flask
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select

from portal.models import Base, Session, User, db_now
from portal.tokens import token_hash

app = Flask(__name__)
app.config.update(SECRET_KEY="bench", SQLALCHEMY_DATABASE_URI=os.environ["BENCH_DATABASE_URL"])
db = SQLAlchemy(app, model_class=Base, disable_autonaming=True)
logins = LoginManager(app)


class Person(UserMixin):
    """Who is signed in; the session cookie holds the token."""

    def __init__(self, token: str, name: str = "") -> None:
        self.id = token
        self.name = name


@logins.user_loader  # type: ignore[untyped-decorator]  # Flask-Login has no types
def load(token: str) -> Person | None:
    """The person of a session that is not over, by one query."""
    statement = select(User.name).join(Session, Session.user_id == User.id)
    live = (Session.token_hash == token_hash("session", token), Session.expires_at > db_now())
    found = db.session.scalar(statement.where(*live, User.disabled_at.is_(None)))
    return Person(token, found) if found is not None else None


@app.get("/enter/<token>")
def enter(token: str) -> str:
    """Have Flask-Login remember the session."""
    login_user(Person(token))
    return ""


@app.get("/name")
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def name() -> str:
    """The name of the person signed in."""
    return str(current_user.name)  # type: ignore[attr-defined]  # it stands for the Person above
