"""Runs the revisions in one transaction on a connection of its own, so that they happen wholly, once, or not at all."""

from alembic import context
from sqlalchemy import Connection, NullPool, create_engine, inspect, text

from portal.models import Base

LOCK = 7_031_965  # any number; it only has to be the same for every starter
WAIT_MILLISECONDS = 60_000


def prepare_sqlite(connection: Connection) -> None:
    """Foreign keys off before BEGIN: else rebuilding a table silently deletes what refers to it."""
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.execute(f"PRAGMA busy_timeout={WAIT_MILLISECONDS}")
    connection.execution_options(sqlite_begin="IMMEDIATE")


def require_whole(connection: Connection) -> None:
    """Refuse to commit while any row refers to one that is not there."""
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise RuntimeError(f"{len(broken)} rows would refer to nothing, the first in {broken[0][0]}")


def highest_ids(connection: Connection) -> dict[str, int]:
    """The highest id each table ever gave; SQLite makes the table of them with the first AUTOINCREMENT."""
    if not inspect(connection).has_table("sqlite_sequence"):
        return {}
    rows = connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")
    return {row.name: row.seq for row in rows}


def keep_highest_ids(connection: Connection, before: dict[str, int]) -> None:
    """A rebuilt table knows only the rows it has; without this the id of a removed row would be given again."""
    after = highest_ids(connection)
    for name in before.keys() & set(inspect(connection).get_table_names()):
        highest = max(before[name], after.get(name, 0))
        connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
        connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, highest))


def run() -> None:
    """Upgrade or downgrade; the other starters wait at BEGIN IMMEDIATE or at the advisory lock, then find it done."""
    engine = create_engine(context.config.attributes["url"], poolclass=NullPool)
    with engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            prepare_sqlite(connection)
        with connection.begin():
            if not is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                render_as_batch=is_sqlite,
                compare_server_default=True,
            )
            before = highest_ids(connection) if is_sqlite else {}
            context.run_migrations()
            if is_sqlite:
                keep_highest_ids(connection, before)
                require_whole(connection)
    engine.dispose()


run()
