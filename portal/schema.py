"""The state of the database's schema: brought to the newest revision, or refused."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, inspect

from portal.errors import SchemaMismatch

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def config(url: str) -> Config:
    """An Alembic configuration for the database at ``url``; there is no ini file."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.set_main_option("path_separator", "os")
    settings.attributes["url"] = url
    return settings


def migrate(url: str, revision: str = "head") -> None:
    """Bring the schema to ``revision`` in one transaction; safe to call from many processes at once."""
    command.upgrade(config(url), revision)


def head() -> str:
    """The revision this program is written for."""
    return ScriptDirectory.from_config(config("")).get_heads()[0]


def current(connection: Connection) -> str | None:
    """The revision the database is at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def is_empty(url: str) -> bool:
    """Whether the database has no table at all; a SQLite file that is missing is made by looking."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
    engine.dispose()
    return not tables


def require_head(url: str) -> None:
    """Raise SchemaMismatch, with the command to run, unless the database fits this program."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        found = current(connection)
    engine.dispose()
    if found != head():
        raise SchemaMismatch
