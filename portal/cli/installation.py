"""The installation a command works on: its settings, its schema checked, its core open."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from sqlalchemy import make_url

from portal import create_core, schema, settings
from portal.errors import SchemaMismatch
from portal.extensions import close_connections, db
from portal.settings import Settings


@contextmanager
def opened(chosen: Settings | None = None) -> Iterator[Flask]:
    """The core on the settings in force, or on those given, with its context pushed.

    Raises SettingsProblem, and SchemaMismatch before anything is created; every connection is closed at the end.
    """
    chosen = chosen or settings.load()
    require_schema(chosen.database_url)
    app = create_core(chosen)
    with app.app_context():
        try:
            yield app
        finally:
            db.session.remove()
            close_connections(app)


def require_schema(url: str) -> None:
    """Raise SchemaMismatch unless the database is there and fits; a SQLite file that is missing is not made."""
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite" and not Path(parts.database or "").exists():
        raise SchemaMismatch
    schema.require_head(url)
